import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../children.ts";
import type { Limits } from "../limits.ts";
import type { Machine } from "../machine.ts";
import { median } from "../measure.ts";
import type { Accepted, Accepting } from "./accepting.ts";
import { CONTESTANTS, OURS } from "./contestants.ts";
import { type Cycled, type Cycling, nameOf, type Way, wayKey } from "./cycling.ts";
import { DOORS } from "./doors.ts";
import { type Flowed, type Flowing, RULES as FLOW_RULES } from "./flowing.ts";
import type { Lag } from "./lagging.ts";
import { COST_RATIO_MAX, type Matched, RULES } from "./matching.ts";

/** All that a run has found; the JSON file is this. What was not asked for is null. */
export type Results = {
  readonly machine: Machine;
  readonly rounds: number;
  readonly limits: Pick<Limits, "fsyncMs" | "echoMs"> | null;
  readonly doors: Accepting | null;
  readonly matching: readonly Matched[] | null;
  readonly flow: Flowing | null;
  readonly cycles: Cycling | null;
  readonly lags: readonly Lag[] | null;
  /** What could not be run at all, and why. */
  readonly missing: readonly string[];
};

/** What is aimed at. */
const AIMS = { ofSend: 0.8, ofRival: 1, lagMs: 10 } as const;
const SEND = "send";
/** Of whom ours is to be ahead: of those that keep messages on a disk, as ours does, and of those that do not. */
const RIVALS = [
  { whose: "the best that keeps them on disk", keys: CONTESTANTS.filter(({ isKept }) => isKept).map(({ key }) => key) },
  { whose: "the best in memory", keys: CONTESTANTS.filter(({ isKept }) => !isKept).map(({ key }) => key) },
].map(({ whose, keys }) => ({ whose, keys: keys.filter((key) => key !== OURS) }));

export type Aim = { readonly name: string; readonly value: number; readonly bound: number; readonly most: boolean };

/** Each aim by the medians; one that was not measured is NaN. */
export function aimsOf(results: Results): readonly Aim[] {
  const { doors, matching, flow, cycles, lags } = results;
  const least = (name: string, value: number, bound: number): Aim => ({ name, value, bound, most: false });
  const most = (name: string, value: number, bound: number): Aim => ({ name, value, bound, most: true });
  return [
    ...DOORS.filter(({ key }) => key !== SEND).map(({ key, name }) =>
      least(`${name}, × \`POST /send\``, rateOf(doors, key) / rateOf(doors, SEND), AIMS.ofSend),
    ),
    ...(matching ?? []).map(({ mix, ratio }) =>
      most(`matching, ${mix}: cost of 10,000 rules, × 10`, ratio, COST_RATIO_MAX),
    ),
    most("matching end to end: CPU of 10,000 rules, × 10", flowCost(flow), COST_RATIO_MAX),
    ...RIVALS.flatMap(({ whose, keys }) =>
      (cycles?.ways ?? []).flatMap((way) => {
        const rates = keys.map((key) => middle(cycled(cycles, way, key), perSecond)).filter(Number.isFinite);
        const ours = middle(cycled(cycles, way, OURS), perSecond);
        const name = `SQS cycles, ${nameOf(way)}, × ${whose}`;
        return rates.length === 0 ? [] : least(name, ours / Math.max(...rates), AIMS.ofRival);
      }),
    ),
    ...(lags ?? []).map(({ target, ms }) => most(`from PutEvents' answer to ${target}, median ms`, ms.p50, AIMS.lagMs)),
  ];
}

export function verdictOf({ value, bound, most }: Aim): "met" | "missed" | "not measured" {
  if (!Number.isFinite(value)) return "not measured";
  return (most ? value <= bound : value >= bound) ? "met" : "missed";
}

/** Whether anything of ours was lost or came twice. */
export function isWrong({ doors, flow, cycles, lags }: Results): boolean {
  const counts = [...Object.values(doors?.lost ?? {}), ...Object.values(flow?.lost ?? {})];
  const ours = Object.values(cycles?.rounds ?? {}).flatMap((byKey) => byKey[OURS] ?? []);
  return counts.some((lost) => lost !== 0) || [...ours, ...(lags ?? [])].some(({ lost, twice }) => lost + twice > 0);
}

/** Markdown: medians over the rounds, ratios, the aims and whether they are met. */
export function tableOf(results: Results): string {
  const { missing, cycles } = results;
  const cannot = [...missing, ...(cycles?.missing ?? [])];
  return [
    limitsLine(results),
    doorsTable(results.doors),
    matchingTable(results.matching),
    flowTable(results.flow),
    ...(["json", "query", "sdk"] as const).map((client) => cyclesTable(cycles, client)),
    lagTable(results.lags),
    aimsTable(results),
    cannot.length === 0 ? "" : `**Not measured:**\n\n${cannot.map((line) => `- ${line}`).join("\n")}`,
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** @returns the files written. */
export function writeResults(results: Results, text: string): readonly string[] {
  const { machine } = results;
  const head = `# Doors, rules and queues, ${machine.date.slice(0, 10)}, ${machine.commit}

\`npm run bench:doors\` on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}. The load and all servers share the cores. Medians over the rounds; how it is measured: [README](../README.md#doors-rules-and-queues).`;
  mkdirSync(join(ROOT, "bench/results"), { recursive: true });
  const [json, markdown] = ["bench/results/doors.json", "bench/results/doors.md"];
  writeFileSync(join(ROOT, json), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(ROOT, markdown), `${head}\n\n${text}\n`);
  return [json, markdown];
}

function limitsLine({ limits }: Results): string {
  if (limits === null) return "";
  const ms = ({ p50, p99 }: { p50: number; p99: number }): string => `${p50.toFixed(3)} ms (p99 ${p99.toFixed(2)})`;
  return `The machine: fsync of 4 KiB ${ms(limits.fsyncMs)}, a byte there and back over loopback ${ms(limits.echoMs)}.`;
}

function doorsTable(doors: Accepting | null): string {
  if (doors === null) return "";
  const send = rateOf(doors, SEND);
  const sendCpu = middle(doors.rounds[SEND] ?? [], cpuUs);
  const rows = DOORS.map(({ key, name }) => {
    const rounds = doors.rounds[key] ?? [];
    const [rate, cpu] = [rateOf(doors, key), middle(rounds, cpuUs)];
    return [
      ...[name, whole(rate), ratio(rate / send), whole(cpu), ratio(sendCpu / cpu)],
      `${middle(rounds, ({ ms }) => ms.p50).toFixed(1)} / ${middle(rounds, ({ ms }) => ms.p99).toFixed(1)}`,
      String(doors.lost[key] ?? ""),
    ];
  });
  const head = ["events accepted, 64 connections", "events/s", "× `POST /send`", "CPU µs an event", "× by CPU"];
  return table([...head, "a call, ms p50 / p99", "not on the disk once"], rows);
}

function matchingTable(matching: readonly Matched[] | null): string {
  if (matching === null) return "";
  const rows = matching.map(({ mix, perSecond: rates, met, ratio: cost, buildMs }) => [
    mix,
    ...rates.map((rate, size) => `${whole(rate)} (${met[size]?.toFixed(1)})`),
    ratio(cost),
    whole(buildMs),
  ]);
  const sizes = RULES.map((rules) => `${whole(rules)} rules`);
  return table(["events matched a second of CPU (rules met)", ...sizes, "cost, × of 10", "adding all, ms"], rows);
}

function flowTable(flow: Flowing | null): string {
  if (flow === null) return "";
  const rows = FLOW_RULES.map((rules) => {
    const rounds = flow.rounds[rules] ?? [];
    const rate = middle(rounds, perSecond);
    return [
      `${whole(rules)} rules`,
      whole(rate),
      ratio(middle(flow.rounds[FLOW_RULES[0]] ?? [], perSecond) / rate),
      whole(middle(rounds, (one) => one.acceptedPerSecond)),
      whole(middle(rounds, cpuUs)),
      String(flow.lost[rules] ?? ""),
    ];
  });
  const head = ["PutEvents of 10 → matcher → a queue", "events/s", "time, × of 10 rules", "accepted/s"];
  return table([...head, "CPU µs an event", "not in the queue once"], rows);
}

function cyclesTable(cycles: Cycling | null, client: Way["client"]): string {
  const ways = cycles?.ways.filter((way) => way.client === client) ?? [];
  if (cycles === null || ways.length === 0) return "";
  const rows = CONTESTANTS.filter(({ clients }) => clients.includes(client)).map(({ key, name, durable }) => [
    name,
    durable,
    ...ways.map((way) => {
      const rounds = cycled(cycles, way, key);
      if (rounds.length === 0) return "";
      const wrong = rounds.reduce((sum, { lost, twice }) => sum + lost + twice, 0);
      const cpu = middle(rounds, cpuUs);
      return `${whole(middle(rounds, perSecond))} (${whole(cpu)} µs)${wrong === 0 ? "" : ` ${wrong} lost or twice`}`;
    }),
  ]);
  const title = `${nameOf({ client, loops: 0, batch: 1 }).split(",")[0]}: messages sent, received and deleted a second (CPU of the server a message)`;
  const heads = ways.map(({ loops, batch }) => `${batch === 1 ? "single" : `batches of ${batch}`}, ${loops} loops`);
  return table([title, "on disk before the answer", ...heads], rows);
}

function lagTable(lags: readonly Lag[] | null): string {
  if (lags === null) return "";
  const rows = lags.map(({ target, ms, lost, twice }) => [
    ...[target, ms.p50.toFixed(2), ms.p95.toFixed(2), ms.p99.toFixed(2), ms.max.toFixed(1)],
    `${lost} / ${twice}`,
  ]);
  return table(["from PutEvents' answer, 20 events/s, to", "median ms", "p95", "p99", "max", "lost / twice"], rows);
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

function rateOf(doors: Accepting | null, key: string): number {
  return middle(doors?.rounds[key] ?? [], perSecond);
}

/** By processor time: the two servers get different shares of the time that passes. */
function flowCost(flow: Flowing | null): number {
  const [few, many] = FLOW_RULES.map((rules) => middle(flow?.rounds[rules] ?? [], cpuUs));
  return (many ?? Number.NaN) / (few ?? Number.NaN);
}

function cycled(cycles: Cycling | null, way: Way, key: string): readonly Cycled[] {
  return cycles?.rounds[wayKey(way)]?.[key] ?? [];
}

function perSecond(one: { readonly perSecond: number }): number {
  return one.perSecond;
}

function cpuUs(one: Accepted | Flowed | Cycled): number | null {
  return one.cpuUs;
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
