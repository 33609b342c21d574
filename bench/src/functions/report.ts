import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../children.ts";
import type { Limits } from "../limits.ts";
import type { Machine } from "../machine.ts";
import { median, type Spread } from "../measure.ts";
import type { RedisSync } from "../rivals/redis.ts";
import type { Cold } from "./cold.ts";
import { type Lag, OUR_LAG } from "./lags.ts";
import type { AtTimes, FunctionsMemory } from "./memory.ts";
import { BATCHES, bullmqKey, CONCURRENCIES, oursKey, type Rate, RATE_CONTESTANTS, type Rates, SYNCS } from "./rates.ts";

/** All that a run has found; the JSON file is this. What was not asked for is null. */
export type Results = {
  readonly machine: Machine;
  readonly rounds: number;
  readonly limits: Pick<Limits, "fsyncMs" | "echoMs"> | null;
  readonly rates: Rates | null;
  readonly lags: readonly Lag[] | null;
  readonly cold: Cold | null;
  readonly memory: FunctionsMemory | null;
  /** What could not be run at all, and why. */
  readonly missing: readonly string[];
};

/** What is aimed at. */
const AIMS = { ofDurable: 2, lagMs: 15, coldMs: 300, addsMib: 100 } as const;
/** From batches of so many on, a function is to be ahead. */
const AHEAD_FROM = 10;

export type Aim = { readonly name: string; readonly value: number; readonly bound: number; readonly most: boolean };

/** Each aim by the medians; one that was not measured is NaN. */
export function aimsOf({ rates, lags, cold, memory }: Results): readonly Aim[] {
  const least = (name: string, value: number, bound: number): Aim => ({ name, value, bound, most: false });
  const most = (name: string, value: number, bound: number): Aim => ({ name, value, bound, most: true });
  const adds = added(memory);
  const count = memory?.functions ?? 100;
  return [
    ...BATCHES.filter((batch) => batch >= AHEAD_FROM).flatMap((batch) =>
      CONCURRENCIES.map((concurrency) =>
        least(
          `events through a function, batches of ${batch}, concurrency ${concurrency}, × the better BullMQ, always`,
          rateOf(rates, oursKey(batch, concurrency)) / bestOfBullmq(rates, "always"),
          AIMS.ofDurable,
        ),
      ),
    ),
    most(
      "from `POST /events/TYPE` to the handler, median ms",
      lags?.find(({ key }) => key === OUR_LAG)?.ms.p50 ?? Number.NaN,
      AIMS.lagMs,
    ),
    most("cold start, median ms", cold?.firstMs.p50 ?? Number.NaN, AIMS.coldMs),
    most(`${count} functions that were never called add, MiB`, adds.restMib, AIMS.addsMib),
    most(`${count} functions that were called and rest add, MiB`, adds.idleMib, AIMS.addsMib),
    most(`${count} functions that were called and rest for half a minute more add, MiB`, adds.settledMib, AIMS.addsMib),
  ];
}

export function verdictOf({ value, bound, most }: Aim): "met" | "missed" | "not measured" {
  if (!Number.isFinite(value)) return "not measured";
  return (most ? value <= bound : value >= bound) ? "met" : "missed";
}

/** Whether anything of ours was lost or came twice. */
export function isWrong({ rates, lags }: Results): boolean {
  const ours = BATCHES.flatMap((batch) => CONCURRENCIES.flatMap((one) => rates?.[oursKey(batch, one)] ?? []));
  const all = [...ours, ...(lags ?? []).filter(({ key }) => key === OUR_LAG)];
  return all.some(({ lost, twice }) => lost + twice > 0);
}

/** Markdown: medians over the rounds, ratios, the aims and whether they are met. */
export function tableOf(results: Results): string {
  const { missing } = results;
  return [
    limitsLine(results),
    ratesTable(results.rates),
    lagsTable(results.lags),
    coldTable(results.cold),
    memoryTable(results.memory),
    aimsTable(results),
    missing.length === 0 ? "" : `**Not measured:**\n\n${missing.map((line) => `- ${line}`).join("\n")}`,
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** @returns the files written. */
export function writeResults(results: Results, text: string): readonly string[] {
  const { machine } = results;
  const head = `# Functions, ${machine.date.slice(0, 10)}, ${machine.commit}

\`npm run bench:functions\` on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}. What is measured and what measures share the cores. Medians over ${results.rounds} rounds; how it is measured: [README](../README.md#functions).`;
  mkdirSync(join(ROOT, "bench/results"), { recursive: true });
  const [json, markdown] = ["bench/results/functions.json", "bench/results/functions.md"];
  writeFileSync(join(ROOT, json), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(ROOT, markdown), `${head}\n\n${text}\n`);
  return [json, markdown];
}

function limitsLine({ limits }: Results): string {
  if (limits === null) return "";
  const ms = ({ p50, p99 }: Spread): string => `${p50.toFixed(3)} ms (p99 ${p99.toFixed(2)})`;
  return `The machine: fsync of 4 KiB ${ms(limits.fsyncMs)}, a byte there and back over loopback ${ms(limits.echoMs)}.`;
}

function ratesTable(rates: Rates | null): string {
  if (rates === null) return "";
  const [durable, lazy] = SYNCS.map((sync) => bestOfBullmq(rates, sync));
  const rows = RATE_CONTESTANTS.map(({ key, name, durable: when }) => {
    const rounds = rates[key] ?? [];
    const rate = rateOf(rates, key);
    const ofRedis = middle(rounds, ({ databaseCpuUs }) => databaseCpuUs);
    const cpu = whole(middle(rounds, ({ cpuUs }) => cpuUs));
    return [
      ...[name, when, whole(rate), ratio(rate / (durable ?? Number.NaN)), ratio(rate / (lazy ?? Number.NaN))],
      Number.isFinite(ofRedis) ? `${cpu} + ${whole(ofRedis)}` : cpu,
      `${sumOf(rounds, ({ lost }) => lost)} / ${sumOf(rounds, ({ twice }) => twice)}`,
    ];
  });
  const head = [
    "from a full queue through the handler",
    "done is on the disk",
    "events/s",
    "× the better BullMQ, always",
  ];
  return table([...head, "× everysec", "CPU µs an event (+ Redis)", "lost / twice"], rows);
}

function lagsTable(lags: readonly Lag[] | null): string {
  if (lags === null) return "";
  const rows = lags.map(({ name, ms, lost, twice }) => [name, ...cellsOf(ms), `${lost} / ${twice}`]);
  return table(["from before the send, 20 events/s", "median ms", "p95", "p99", "max", "lost / twice"], rows);
}

function coldTable(cold: Cold | null): string {
  if (cold === null) return "";
  const rows = [
    ["first since the server started", ...cellsOf(cold.firstMs)],
    ["second", ...cellsOf(cold.secondMs)],
  ];
  return table(
    [`from the POST to the handler, ${cold.functions} functions; call`, "median ms", "p95", "p99", "max"],
    rows,
  );
}

function memoryTable(memory: FunctionsMemory | null): string {
  if (memory === null) return "";
  const mib = (value: number | null): string => whole(value ?? Number.NaN);
  const cells = ({ restMib, calledMib, idleMib, settledMib }: AtTimes): string[] =>
    [restMib, calledMib, idleMib, settledMib].map(mib);
  const rows = [
    ["no functions", ...cells(memory.none)],
    [`${memory.functions} functions`, ...cells(memory.loaded)],
    ["they add", ...cells(added(memory))],
  ];
  return table(
    ["the server, resident MiB", "never called", "all just called", "then idle for a minute", "half a minute later"],
    rows,
  );
}

/** NaN where either was not measured. */
function added(memory: FunctionsMemory | null): { readonly [Name in keyof AtTimes]: number } {
  const less = (pick: (at: AtTimes) => number | null): number =>
    memory === null ? Number.NaN : (pick(memory.loaded) ?? Number.NaN) - (pick(memory.none) ?? Number.NaN);
  return {
    restMib: less(({ restMib }) => restMib),
    calledMib: less(({ calledMib }) => calledMib),
    idleMib: less(({ idleMib }) => idleMib),
    settledMib: less(({ settledMib }) => settledMib),
  };
}

function aimsTable(results: Results): string {
  const rows = aimsOf(results).map((aim) => [
    aim.name,
    `${aim.most ? "≤" : "≥"} ${aim.bound}`,
    ratio(aim.value),
    verdictOf(aim),
  ]);
  return table(["aim", "bound", "measured", ""], rows);
}

/** Of the two concurrencies. */
function bestOfBullmq(rates: Rates | null, sync: RedisSync): number {
  const measured = CONCURRENCIES.map((one) => rateOf(rates, bullmqKey(sync, one))).filter(Number.isFinite);
  return measured.length === 0 ? Number.NaN : Math.max(...measured);
}

function rateOf(rates: Rates | null, key: string): number {
  return middle(rates?.[key] ?? [], ({ perSecond }) => perSecond);
}

function sumOf(rounds: readonly Rate[], pick: (one: Rate) => number): number {
  return rounds.reduce((sum, one) => sum + pick(one), 0);
}

function cellsOf({ p50, p95, p99, max }: Spread): readonly string[] {
  return [p50, p95, p99, max].map((ms) => (Number.isFinite(ms) ? ms.toFixed(2) : ""));
}

/** The median of what there is; NaN for nothing. */
function middle<T>(all: readonly T[], pick: (one: T) => number | null): number {
  return median(all.flatMap((one) => pick(one) ?? []));
}

function ratio(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : "";
}

function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
