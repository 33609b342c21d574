import { parseArgs } from "node:util";
import { missing } from "./coverage.ts";
import { shrink } from "./shrink.ts";
import { type Report, simulate, STEPS_DEFAULT } from "./simulation.ts";

/*
 * npm run simulate -- --seeds 1000 [--from 1] [--json]     runs seeds until one fails
 * npm run simulate -- --seed 7 [--only 3,17,40]            replays one, and tells what happened
 */
const USAGE = "npm run simulate -- [--seeds N] [--from N] [--seed N] [--only STEP,STEP…] [--json]";
const SEEDS_DEFAULT = 100;
/** So many seeds meet every kind of trouble; if they do not, the simulation does not bite any more. */
const SEEDS_COVERING = 50;

async function main(argv: string[]): Promise<0 | 1 | 2> {
  const options = read(argv);
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { seed, only, json } = options;
  return seed === null ? await many(options.from, options.seeds, json) : await one(seed, only, json);
}

async function many(from: number, seeds: number, json: boolean): Promise<0 | 1> {
  const startMs = performance.now();
  const sum = new Sum();
  for (let seed = from; seed < from + seeds; seed += 1) {
    const report = await simulate(seed);
    sum.add(report);
    if (report.violations.length > 0) {
      process.stderr.write(`\nseed ${seed}: ${report.violations[0]}\nlooking for a shorter failure …\n`);
      const shrunk = await shrink(seed);
      if (json) print({ failed: seed, only: shrunk?.only ?? null, report: shrunk?.report ?? report });
      else tell(shrunk?.report ?? report, replay(seed, shrunk?.only ?? null));
      return 1;
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${seed - from + 1}/${seeds} `);
  }
  if (process.stderr.isTTY) process.stderr.write("\r");
  const seconds = (performance.now() - startMs) / 1000;
  const never = missing(sum.numbers);
  if (json) print({ from, seconds: Math.round(seconds * 10) / 10, ...sum.numbers, missing: never });
  else process.stdout.write(`${seeds} seeds from ${from}, ${seconds.toFixed(1)} s, no violation\n${sum.table()}\n`);
  if (never.length > 0) process.stderr.write(`never happened: ${never.join(", ")}\n`);
  return never.length > 0 && seeds >= SEEDS_COVERING ? 1 : 0;
}

async function one(seed: number, only: readonly number[] | null, json: boolean): Promise<0 | 1> {
  const report = await simulate(seed, only === null ? {} : { only });
  if (json) print(report);
  else tell(report, replay(seed, only));
  return report.violations.length > 0 ? 1 : 0;
}

function tell({ trace, violations, seed, steps, ...numbers }: Report, command: string): void {
  const { outcomes, repeats, exercised, ...counts } = numbers;
  process.stdout.write(`${trace.join("\n")}\n\nseed ${seed}, ${steps} steps\n`);
  process.stdout.write(`${JSON.stringify({ ...counts, ...outcomes, repeats, ...exercised })}\n`);
  process.stdout.write(violations.length === 0 ? "no violation\n" : `\n${violations.join("\n")}\n`);
  process.stdout.write(`again: ${command}\n`);
}

function replay(seed: number, only: readonly number[] | null): string {
  return `npm run simulate -- --seed ${seed}${only === null ? "" : ` --only ${only.join(",")}`}`;
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** What all seeds came to together. */
class Sum {
  readonly numbers: Record<string, number> = {};

  add({ seed: _seed, trace: _trace, violations: _violations, outcomes, repeats, exercised, ...counts }: Report): void {
    this.#more({ seeds: 1, ...counts });
    this.#more(outcomes);
    this.#more(exercised);
    for (const [reason, n] of Object.entries(repeats)) this.#more({ [`repeats.${reason}`]: n });
  }

  #more(counts: Readonly<Record<string, number>>): void {
    for (const [name, n] of Object.entries(counts)) this.numbers[name] = (this.numbers[name] ?? 0) + n;
  }

  table(): string {
    return Object.entries(this.numbers)
      .map(([name, n]) => `${name.padEnd(24)}${n.toLocaleString("en").padStart(14)}`)
      .join("\n");
  }
}

type Options = {
  readonly seeds: number;
  readonly from: number;
  readonly seed: number | null;
  readonly only: readonly number[] | null;
  readonly json: boolean;
};

/** Null when it is not understood. */
function read(argv: string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        seeds: { type: "string" },
        from: { type: "string" },
        seed: { type: "string" },
        only: { type: "string" },
        json: { type: "boolean" },
      },
    });
    const seeds = Number(values.seeds ?? SEEDS_DEFAULT);
    const from = Number(values.from ?? 1);
    const seed = values.seed === undefined ? null : Number(values.seed);
    const only = values.only === undefined ? null : values.only.split(",").filter(Boolean).map(Number);
    const numbers = [seeds, from, seed ?? 0, ...(only ?? [])];
    const inRange = (only ?? []).every((step) => step < STEPS_DEFAULT * 100);
    return numbers.every((n) => Number.isInteger(n) && n >= 0) && inRange && seeds >= 1
      ? { seeds, from, seed, only, json: values.json ?? false }
      : null;
  } catch {
    return null;
  }
}

process.exitCode = await main(process.argv.slice(2));
