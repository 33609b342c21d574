import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Burst } from "./burst.ts";
import { ROOT } from "./children.ts";
import { BULLMQ, type Contestant, GRAPHILE_WORKER, OURS, PG_BOSS } from "./contestants.ts";
import type { Limits } from "./limits.ts";
import type { Machine } from "./machine.ts";
import { median, type Spread } from "./measure.ts";
import type { Accepts, Lone, Turn } from "./system.ts";
import type { AtRest } from "./tidings.ts";

/** All that a run has found; the JSON file is this. */
export type Results = {
  readonly machine: Machine;
  readonly sends: number;
  readonly rounds: number;
  readonly systems: readonly Pick<Contestant, "key" | "name" | "durable">[];
  readonly limits: Limits | null;
  readonly atRest: AtRest | null;
  /** By system, one for each round. */
  readonly turns: Readonly<Record<string, readonly Turn[]>>;
  /** The same, accepts while nothing is delivered. */
  readonly accepts: Readonly<Record<string, readonly Accepts[]>>;
  /** What could not be run, and why. */
  readonly missing: readonly string[];
};

/** What is aimed at, from the issues; read with `aimsOf`. */
const AIMS = {
  bullmq: 5,
  pgBoss: 10,
  graphileWorker: 10,
  cpuOfBullmq: 0.2,
  acceptsOfBullmq: 2.3,
  halfLoadP99Ms: 10,
  loneArriveMs: 15,
  raw: 0.9,
  loneAcceptMs: 5,
  restMib: 120,
  burstMib: 300,
  readyMs: 1_000,
} as const;

const RAW = "nodemailer pool";

/** Markdown: medians over the rounds, ratios, the aims and whether they are met. */
export function tableOf(results: Results): string {
  const { missing } = results;
  const parts = [
    burstTable(results),
    costTable(results),
    acceptsTable(results),
    loneTable(results),
    aimsTable(results),
    limitsTable(results),
    whatArrived(results),
  ];
  if (missing.length > 0) parts.push(`**Not measured:**\n\n${missing.map((line) => `- ${line}`).join("\n")}`);
  return parts.filter((part) => part !== "").join("\n\n");
}

function burstTable(results: Results): string {
  const bullmq = rateOf(results, BULLMQ);
  const raw = rateOfRaw(results);
  const rows = ranOf(results).map(({ name, durable, bursts }) => [
    name,
    durable,
    whole(middle(bursts, perSecond)),
    ratio(middle(bursts, perSecond) / bullmq),
    ratio(middle(bursts, perSecond) / raw),
    `${whole(Math.min(...bursts.map(perSecond)))}–${whole(Math.max(...bursts.map(perSecond)))}`,
    whole(middle(bursts, ({ accepts }) => accepts?.perSecond)),
    three(bursts.flatMap(({ accepts }) => accepts?.ms ?? [])),
    three(bursts.flatMap(({ arriveMs }) => arriveMs ?? [])),
  ]);
  const head = ["burst", "durable at 202", "messages/s", "× BullMQ", "× raw", "range"];
  return table([...head, "accepts/s", "accept ms p50 / p95 / p99", "to the server, ms"], rows);
}

function costTable(results: Results): string {
  const rows = ranOf(results).map(({ name, bursts }) => [
    name,
    whole(middle(bursts, ({ cpuUs }) => cpuUs)),
    whole(middle(bursts, ({ databaseCpuUs }) => databaseCpuUs)),
    ratio(cpuOf(bursts) / cpuOf(burstsOf(results, BULLMQ))),
    whole(middle(bursts, ({ sinkCpuUs }) => sinkCpuUs)),
    whole(middle(bursts, ({ peakMib }) => peakMib)),
    whole(middle(bursts, ({ databaseMib }) => databaseMib)),
  ]);
  const head = ["what a message costs", "CPU µs", "of its database", "both, × BullMQ", "of the sink"];
  return table([...head, "peak MiB", "MiB of the database afterwards"], rows);
}

function acceptsTable(results: Results): string {
  const row = (name: string, when: string, all: readonly Accepts[]): string[] => [
    name,
    when,
    whole(middle(all, (one) => one.perSecond)),
    when === ALONE ? ratio(middle(all, (one) => one.perSecond) / acceptsOf(results, BULLMQ)) : "",
    three(all.map(({ ms }) => ms)),
  ];
  const halfLoad = (results.turns[OURS] ?? []).flatMap(({ halfLoad }) => halfLoad ?? []);
  const rows = [
    ...Object.entries(results.accepts).map(([name, all]) => row(name, ALONE, all)),
    ...(halfLoad.length === 0 ? [] : [row(OURS, "at half of the burst's rate, delivering", halfLoad)]),
  ];
  return rows.length === 0 ? "" : table(["accepts", "", "202/s", "× BullMQ", "ms p50 / p95 / p99"], rows);
}

const ALONE = "64 connections, nothing is delivered";

function loneTable({ turns, atRest }: Results): string {
  const row = (when: string, lones: readonly Lone[]): string[] => [
    when,
    ...[
      ({ acceptMs }: Lone) => acceptMs,
      ({ arriveMs }: Lone) => arriveMs,
      ({ acceptToArriveMs }: Lone) => acceptToArriveMs,
    ]
      .map((of) => lones.map(of))
      .map((spreads) => two(spreads)),
  ];
  const rows = [
    ...(atRest === null ? [] : [row(`${OURS}, just started`, [atRest.lone])]),
    ...Object.entries(turns).flatMap(([name, all]) => {
      const lones = all.flatMap(({ lone }) => lone ?? []);
      return lones.length === 0 ? [] : [row(`${name}, after the burst`, lones)];
    }),
  ];
  if (rows.length === 0) return "";
  return table(
    ["lone send, ms p50 / p99", "to its 202", "to the mail server", "from its 202 to the mail server"],
    rows,
  );
}

type Aim = {
  readonly name: string;
  readonly sign: "≥" | "≤";
  readonly aim: number;
  /** NaN when it was not measured. */
  readonly value: number;
  readonly digits: number;
};

/** What was aimed at and what was measured. */
export function aimsOf(results: Results): readonly Aim[] {
  const { atRest, turns } = results;
  const mine = turns[OURS] ?? [];
  const bursts = burstsOf(results, OURS);
  const rate = rateOf(results, OURS);
  const lones = [...mine.flatMap(({ lone }) => lone ?? []), ...(atRest === null ? [] : [atRest.lone])];
  const atLeast = (name: string, aim: number, value: number): Aim => ({ name, sign: "≥", aim, value, digits: 2 });
  const atMost = (name: string, aim: number, value: number | undefined, digits: number): Aim => {
    return { name, sign: "≤", aim, value: value ?? Number.NaN, digits };
  };
  return [
    atLeast("burst, × BullMQ with Redis syncing every second", AIMS.bullmq, rate / rateOf(results, BULLMQ)),
    atLeast("burst, × pg-boss", AIMS.pgBoss, rate / rateOf(results, PG_BOSS)),
    atLeast("burst, × graphile-worker", AIMS.graphileWorker, rate / rateOf(results, GRAPHILE_WORKER)),
    atMost(
      "CPU per message, × BullMQ with its Redis",
      AIMS.cpuOfBullmq,
      cpuOf(bursts) / cpuOf(burstsOf(results, BULLMQ)),
      2,
    ),
    atLeast("accepts alone, × BullMQ", AIMS.acceptsOfBullmq, acceptsOf(results, OURS) / acceptsOf(results, BULLMQ)),
    atMost(
      "accept at half load, p99, ms",
      AIMS.halfLoadP99Ms,
      middle(mine, ({ halfLoad }) => halfLoad?.ms.p99),
      1,
    ),
    atMost(
      "lone send from its 202 to the mail server, median, ms",
      AIMS.loneArriveMs,
      middle(lones, (one) => one.acceptToArriveMs.p50),
      2,
    ),
    atLeast("burst, × the better raw nodemailer pool", AIMS.raw, rate / rateOfRaw(results)),
    atMost("lone send to its 202, median, ms", AIMS.loneAcceptMs, atRest?.lone.acceptMs.p50, 2),
    atMost("resident at rest, MiB", AIMS.restMib, atRest?.rest?.nowMib, 0),
    atMost(
      "resident in the burst at most, MiB",
      AIMS.burstMib,
      middle(bursts, ({ peakMib }) => peakMib),
      0,
    ),
    atMost("start until ready, median, ms", AIMS.readyMs, atRest === null ? undefined : median(atRest.readyMs), 0),
  ];
}

/** NaN meets nothing and misses nothing. */
export function verdictOf({ sign, aim, value }: Aim): "met" | "missed" | "not measured" {
  if (!Number.isFinite(value)) return "not measured";
  return (sign === "≥" ? value >= aim : value <= aim) ? "met" : "missed";
}

function aimsTable(results: Results): string {
  const rows = aimsOf(results).map((one) => {
    const verdict = verdictOf(one);
    return [
      one.name,
      `${one.sign} ${one.aim}`,
      verdict === "not measured" ? "" : one.value.toFixed(one.digits),
      verdict === "missed" ? "**missed**" : verdict,
    ];
  });
  const { atRest, turns } = results;
  const after = (turns[OURS] ?? []).flatMap(({ restAfterMib }) => restAfterMib ?? []);
  const atStart =
    atRest === null
      ? ""
      : `\n\nFirst start on an empty code cache: ${atRest.firstReadyMs.toFixed(0)} ms. Of the memory at rest, ` +
        `${atRest.rest?.ownMib.toFixed(0) ?? "?"} MiB are the process's own and the rest is Node's code, shared with any other Node; ` +
        `three seconds after the burst it holds ${after.length === 0 ? "?" : median(after).toFixed(0)} MiB.`;
  return `${table(["aim", "", "measured", ""], rows)}${atStart}`;
}

function limitsTable({ limits }: Results): string {
  if (limits === null) return "";
  const { fsyncMs, echoMs, httpPerSecond, httpMs, storeLivesPerSecond } = limits;
  return table(
    ["the machine's limits", ""],
    [
      ["4 KiB appended and fsynced", `${fsyncMs.p50.toFixed(2)} ms, p99 ${fsyncMs.p99.toFixed(2)}`],
      ["a byte over loopback and back", `${echoMs.p50.toFixed(3)} ms, p99 ${echoMs.p99.toFixed(3)}`],
      [
        "bare node:http, same bodies, 64 connections",
        `${whole(httpPerSecond)}/s, p50 ${httpMs.p50.toFixed(2)} ms, p99 ${httpMs.p99.toFixed(1)}`,
      ],
      ...Object.entries(storeLivesPerSecond).map(([batch, perS]) => [
        `SQLite driver alone, whole lives of messages, batches of ${batch}`,
        `${whole(perS)}/s`,
      ]),
    ],
  );
}

function whatArrived(results: Results): string {
  const { sends, rounds, turns } = results;
  const all = ranOf(results).flatMap(({ bursts }) => bursts);
  const sum = (pick: (burst: Burst) => number): number => all.reduce((total, burst) => total + pick(burst), 0);
  const sizes = ranOf(results).map(({ name, bursts: [first] }) => `${name} ${first?.bytesPerMail}`);
  const statuses = Object.values(turns)
    .flat()
    .flatMap((turn) => (turn.statuses === null ? [] : JSON.stringify(turn.statuses)));
  return (
    `${rounds} rounds of ${whole(sends)} sends. Of ${whole(sum((burst) => burst.sends))} mails ${sum(({ lost }) => lost)} are missing at ` +
    `the server and ${sum(({ duplicates }) => duplicates)} came twice; calls put off with 429 or 503: ` +
    `${sum(({ accepts }) => accepts?.putOff ?? 0)}. Tidings' log says (with the warm-up): ${[...new Set(statuses)].join(", ")}; ` +
    `the others' logs have a row for each message and three of its history. Bytes per mail: ${sizes.join(", ")}.`
  );
}

/** @returns the files written, from the repository's root. */
export function writeResults(results: Results, text: string): readonly string[] {
  const { machine, sends, rounds } = results;
  const folder = "bench/results";
  mkdirSync(join(ROOT, folder), { recursive: true });
  const json = `${folder}/${machine.date.slice(0, 10)}.json`;
  const latest = `${folder}/latest.md`;
  const head = [
    `# ${machine.date.slice(0, 10)}, ${machine.commit}`,
    `\`npm run bench -- --sends ${sends} --rounds ${rounds}\` on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ` +
      `Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}. Load, mail sink and the system measured share the cores. ` +
      "Medians over the rounds; how it is measured: [README](../README.md).",
  ];
  writeFileSync(join(ROOT, json), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(ROOT, latest), `${[...head, text].join("\n\n")}\n`);
  return [json, latest];
}

type Ran = { readonly name: string; readonly durable: string; readonly bursts: readonly Burst[] };

/** The systems that came to a burst at all. */
function ranOf(results: Results): readonly Ran[] {
  return results.systems
    .map(({ name, durable }) => ({ name, durable, bursts: burstsOf(results, name) }))
    .filter(({ bursts }) => bursts.length > 0);
}

function burstsOf({ turns }: Results, name: string): readonly Burst[] {
  return (turns[name] ?? []).map(({ burst }) => burst);
}

function rateOf(results: Results, name: string): number {
  return middle(burstsOf(results, name), perSecond);
}

/** Of the better pool; NaN for none. */
function rateOfRaw(results: Results): number {
  const rates = ranOf(results).flatMap(({ name, bursts }) => (name.startsWith(RAW) ? [middle(bursts, perSecond)] : []));
  return rates.length === 0 ? Number.NaN : Math.max(...rates);
}

function acceptsOf({ accepts }: Results, name: string): number {
  return middle(accepts[name] ?? [], (one) => one.perSecond);
}

/** Of the system and its database: ours has it in its own process. */
function cpuOf(bursts: readonly Burst[]): number {
  return middle(bursts, ({ cpuUs, databaseCpuUs }) => (cpuUs === null ? null : cpuUs + (databaseCpuUs ?? 0)));
}

function perSecond(burst: Burst): number {
  return burst.perSecond;
}

/** The median of what there is; NaN for nothing. */
function middle<T>(all: readonly T[], pick: (one: T) => number | null | undefined): number {
  return median(all.flatMap((one) => pick(one) ?? []));
}

/** Medians over the rounds. */
function three(spreads: readonly Spread[]): string {
  return joined(spreads, [({ p50 }) => p50, ({ p95 }) => p95, ({ p99 }) => p99], 1);
}

function two(spreads: readonly Spread[]): string {
  return joined(spreads, [({ p50 }) => p50, ({ p99 }) => p99], 2);
}

function joined(spreads: readonly Spread[], picks: readonly ((spread: Spread) => number)[], digits: number): string {
  if (spreads.length === 0) return "";
  return picks.map((pick) => middle(spreads, pick).toFixed(digits)).join(" / ");
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
