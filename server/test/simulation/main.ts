import { parseArgs } from "node:util";
import { EVENT_KINDS, FUNCTION_KINDS, type Kind, KINDS, missing } from "./coverage.ts";
import { type EventReport, simulateEvents } from "./events/event-simulation.ts";
import { type FunctionReport, simulateFunctions } from "./functions/function-simulation.ts";
import { shrinkBy } from "./shrink.ts";
import { type Report, simulate, STEPS_DEFAULT, type Wishes } from "./simulation.ts";

/*
 * npm run simulate -- --seeds 1000 [--from 1] [--json]     runs seeds until one fails
 * npm run simulate -- --seed 7 [--only 3,17,40]            replays one, and tells what happened
 * npm run simulate -- --profile events …                   only events, rules, queues and webhooks; people: only messages;
 *                                                          functions: only users' functions
 */
const USAGE =
  "npm run simulate -- [--profile people|events|functions] [--seeds N] [--from N] [--seed N] [--only STEP,STEP…] [--json]";

type AnyReport = Report | EventReport | FunctionReport;
type Profile = {
  readonly name: "people" | "events" | "functions";
  readonly simulate: (seed: number, wishes: Wishes) => Promise<AnyReport>;
  readonly kinds: readonly Kind[];
};
const PEOPLE: Profile = { name: "people", simulate, kinds: KINDS };
const EVENTS: Profile = { name: "events", simulate: simulateEvents, kinds: EVENT_KINDS };
const FUNCTIONS: Profile = { name: "functions", simulate: simulateFunctions, kinds: FUNCTION_KINDS };
const SEEDS_DEFAULT = 100;
/** So many seeds meet every kind of trouble; if they do not, the simulation does not bite any more. */
const SEEDS_COVERING = 50;

async function main(argv: string[]): Promise<0 | 1 | 2> {
  const options = read(argv);
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { seed, only, json, profile } = options;
  if (seed !== null) return await one(profile ?? PEOPLE, seed, only, json);
  if (profile !== null) return await many(profile, options.from, options.seeds, json);
  // Each has a third of the seeds.
  const third = Math.ceil(options.seeds / 3);
  for (const [at, one] of [PEOPLE, EVENTS, FUNCTIONS].entries()) {
    const seeds = Math.min(third, options.seeds - at * third);
    if (seeds <= 0) break;
    const ended = await many(one, options.from, seeds, json);
    if (ended !== 0) return ended;
  }
  return 0;
}

async function many(profile: Profile, from: number, seeds: number, json: boolean): Promise<0 | 1> {
  const startMs = performance.now();
  const sum = new Sum();
  for (let seed = from; seed < from + seeds; seed += 1) {
    const report = await profile.simulate(seed, {});
    sum.add(report);
    if (report.violations.length > 0) {
      process.stderr.write(
        `\n${profile.name} seed ${seed}: ${report.violations[0]}\nlooking for a shorter failure …\n`,
      );
      const shrunk = await shrinkBy(profile.simulate, seed);
      if (json) print({ failed: seed, only: shrunk?.only ?? null, report: shrunk?.report ?? report });
      else tell(shrunk?.report ?? report, replay(profile, seed, shrunk?.only ?? null));
      return 1;
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${profile.name} ${seed - from + 1}/${seeds} `);
  }
  if (process.stderr.isTTY) process.stderr.write("\r");
  const seconds = (performance.now() - startMs) / 1000;
  const never = missing(sum.numbers, profile.kinds);
  const took = `${profile.name}: ${seeds} seeds from ${from}, ${seconds.toFixed(1)} s, no violation`;
  if (json)
    print({ profile: profile.name, from, seconds: Math.round(seconds * 10) / 10, ...sum.numbers, missing: never });
  else process.stdout.write(`${took}\n${sum.table()}\n`);
  if (never.length > 0) process.stderr.write(`never happened: ${never.join(", ")}\n`);
  return never.length > 0 && seeds >= SEEDS_COVERING ? 1 : 0;
}

async function one(profile: Profile, seed: number, only: readonly number[] | null, json: boolean): Promise<0 | 1> {
  const report = await profile.simulate(seed, only === null ? {} : { only });
  if (json) print(report);
  else tell(report, replay(profile, seed, only));
  return report.violations.length > 0 ? 1 : 0;
}

function tell(report: AnyReport, command: string): void {
  const { trace, violations, seed, steps, ...numbers } = report;
  process.stdout.write(`${trace.join("\n")}\n\nseed ${seed}, ${steps} steps\n${JSON.stringify(numbers)}\n`);
  process.stdout.write(violations.length === 0 ? "no violation\n" : `\n${violations.join("\n")}\n`);
  process.stdout.write(`again: ${command}\n`);
}

function replay({ name }: Profile, seed: number, only: readonly number[] | null): string {
  const profile = name === "people" ? "" : ` --profile ${name}`;
  return `npm run simulate --${profile} --seed ${seed}${only === null ? "" : ` --only ${only.join(",")}`}`;
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** What all seeds came to together. */
class Sum {
  readonly numbers: Record<string, number> = {};

  add({ seed: _seed, trace: _trace, violations: _violations, ...report }: AnyReport): void {
    this.#more({ seeds: 1 });
    for (const [name, value] of Object.entries(report)) {
      if (typeof value === "number") this.#more({ [name]: value });
      // Kinds and outcomes have names that say what they are.
      else if (name === "exercised" || name === "outcomes") this.#more(value);
      else for (const [of, n] of Object.entries(value)) this.#more({ [`${name}.${of}`]: n });
    }
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
  /** Null: all. */
  readonly profile: Profile | null;
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
        profile: { type: "string" },
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
    const profile = [PEOPLE, EVENTS, FUNCTIONS].find(({ name }) => name === values.profile) ?? null;
    if (profile === null && values.profile !== undefined) return null;
    const inRange = (only ?? []).every((step) => step < STEPS_DEFAULT * 100);
    return numbers.every((n) => Number.isInteger(n) && n >= 0) && inRange && seeds >= 1
      ? { profile, seeds, from, seed, only, json: values.json ?? false }
      : null;
  } catch {
    return null;
  }
}

process.exitCode = await main(process.argv.slice(2));
