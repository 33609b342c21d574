import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../children.ts";
import type { Machine } from "../machine.ts";
import { median, type Spread } from "../measure.ts";
import type { Accepts } from "../system.ts";
import type { FullStore } from "./full-store.ts";
import { bottleneckOf, type Shares } from "./processors.ts";
import type { Turn } from "./turn.ts";

/** All that a run has found; the JSON file is this. */
export type Results = {
  readonly machine: Machine;
  readonly sends: number;
  readonly rounds: number;
  /** What the server says of its settings. */
  readonly server: Readonly<Record<string, string>>;
  readonly systems: readonly { readonly key: string; readonly name: string }[];
  /** By key, one for each round. */
  readonly turns: Readonly<Record<string, readonly Turn[]>>;
  readonly accepts: Readonly<Record<string, readonly Accepts[]>>;
  /** Statements for each message, by key. */
  readonly statements: Readonly<Record<string, number>>;
  readonly store: FullStore | null;
  /** What could not be run, and why. */
  readonly missing: readonly string[];
};

/** What is aimed at, from issue 4; read with `aimsOf`. */
const AIMS = {
  rateOfRivals: 4,
  acceptsOfRivals: 3,
  rows: 12,
  walBytes: 6 * 1024,
  /** Two workers against one; below it is slower, but for the noise of medians. */
  secondWorker: 0.97,
  storeRatio: 1.5,
} as const;

const RIVALS = ["pg-boss", "graphile-worker"] as const;
const OURS = "all";

/** Markdown: medians over the rounds, ratios, the aims and whether they are met. */
export function tableOf(results: Results): string {
  const { missing } = results;
  const parts = [
    rateTable(results),
    acceptsTable(results),
    costTable(results),
    writesTable(results),
    sharesTable(results),
    storeTable(results),
    aimsTable(results),
    whatArrived(results),
  ];
  if (missing.length > 0) parts.push(`**Not measured:**\n\n${missing.map((line) => `- ${line}`).join("\n")}`);
  return parts.filter((part) => part !== "").join("\n\n");
}

type Ran = { readonly key: string; readonly name: string; readonly turns: readonly Turn[] };

/** The systems that came to a burst at all. */
function ranOf({ systems, turns }: Results): readonly Ran[] {
  return systems.flatMap(({ key, name }) => {
    const own = turns[key] ?? [];
    return own.length === 0 ? [] : [{ key, name, turns: own }];
  });
}

function rateTable(results: Results): string {
  const rows = ranOf(results).map(({ name, turns }) => {
    const rate = middle(turns, perSecond);
    return [
      name,
      whole(rate),
      ...RIVALS.map((key) => ratio(rate / rateOf(results, key))),
      `${whole(Math.min(...turns.map(perSecond)))}–${whole(Math.max(...turns.map(perSecond)))}`,
      whole(middle(turns, ({ burst }) => burst.accepts?.perSecond)),
      three(turns.flatMap(({ burst }) => burst.accepts?.ms ?? [])),
      three(turns.flatMap(({ burst }) => burst.arriveMs ?? [])),
    ];
  });
  const head = ["burst", "messages/s", ...RIVALS.map((key) => `× ${key}`), "range", "accepts/s"];
  return table([...head, "accept ms p50 / p95 / p99", "to the mail server, ms"], rows);
}

function acceptsTable(results: Results): string {
  const rows = results.systems.flatMap(({ key, name }) => {
    const all = results.accepts[key] ?? [];
    if (all.length === 0) return [];
    const rate = middle(all, (one) => one.perSecond);
    return [
      [
        name.replace(", api and 1 worker", ", api, its workers away"),
        whole(rate),
        ...RIVALS.map((rival) => ratio(rate / acceptRateOf(results, rival))),
        three(all.map(({ ms }) => ms)),
      ],
    ];
  });
  const head = ["accepts, nothing is delivered", "202/s", ...RIVALS.map((key) => `× ${key}`), "ms p50 / p95 / p99"];
  return table(head, rows);
}

function costTable(results: Results): string {
  const rows = ranOf(results).map(({ name, turns }) => [
    name,
    perNode(turns, ({ cpuUs }) => cpuUs),
    whole(middle(turns, ({ databaseCpuUs }) => databaseCpuUs)),
    whole(middle(turns, ({ nodes, databaseCpuUs }) => sum(nodes.map(({ cpuUs }) => cpuUs)) + databaseCpuUs)),
    perNode(turns, ({ peakMib }) => peakMib),
  ]);
  const head = ["what a message costs", "CPU µs of each node", "of the database", "together"];
  return table([...head, "peak MiB of each node"], rows);
}

function writesTable(results: Results): string {
  const rows = ranOf(results).map(({ key, name, turns }) => [
    name,
    middle(turns, ({ writes }) => writes.rows).toFixed(2),
    (["inserted", "updated", "deleted"] as const)
      .map((kind) => middle(turns, ({ writes }) => writes[kind]).toFixed(2))
      .join(" + "),
    `${(middle(turns, ({ writes }) => writes.hotShare) * 100).toFixed(0)} %`,
    whole(middle(turns, ({ walBytes }) => walBytes)),
    middle(turns, ({ writes }) => writes.commits).toFixed(2),
    results.statements[key]?.toFixed(2) ?? "",
  ]);
  const head = [
    "written for a message",
    "rows",
    "inserted + updated + deleted",
    "updates that are HOT",
    "bytes of log",
  ];
  return table([...head, "transactions", "statements"], rows);
}

function sharesTable(results: Results): string {
  const kinds = ["nodes", "database", "sink", "load", "others", "idle"] as const;
  const rows = ranOf(results).map(({ name, turns }) => {
    const shares = middleShares(turns);
    return [name, ...kinds.map((kind) => `${(shares[kind] * 100).toFixed(0)} %`), bottleneckOf(shares)];
  });
  return table(["of all processors, in the burst", ...kinds, "what saturates"], rows);
}

function middleShares(turns: readonly Turn[]): Shares {
  const of = (kind: keyof Shares): number => middle(turns, ({ shares }) => shares[kind]);
  return {
    nodes: of("nodes"),
    database: of("database"),
    sink: of("sink"),
    load: of("load"),
    others: of("others"),
    idle: of("idle"),
  };
}

function storeTable({ store }: Results): string {
  if (store === null) return "";
  const { size, tookMs, diskMib, times, plans, scanned } = store;
  const rows = times.map(({ what, empty, full, isJudged }) => [
    what,
    empty.p50.toFixed(2),
    full.p50.toFixed(2),
    `${ratio(full.p50 / empty.p50)}${isJudged ? "" : " (not judged)"}`,
    `${empty.p95.toFixed(2)} / ${full.p95.toFixed(2)}`,
  ]);
  const name = `${whole(size.events)} events, ${whole(size.waiting)} waiting jobs, ${whole(size.messages)} messages`;
  return [
    table([`${name}: median ms`, "empty", "full", "ratio", "p95 of both"], rows),
    `Filled in ${(tookMs / 1000).toFixed(0)} s; the database has ${(diskMib / 1024).toFixed(1)} GiB. Tables that were read from end to end ` +
      `meanwhile: ${scanned.length === 0 ? "none" : scanned.join(", ")}. Plans on the full one, by EXPLAIN:`,
    plans.map(({ what, steps }) => `- ${what}: ${steps.join("; ")}`).join("\n"),
  ].join("\n\n");
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
  const { turns, store } = results;
  const ours = ranOf(results).filter(({ key }) => !RIVALS.some((rival) => rival === key));
  const most = (pick: (turn: Turn) => number): number =>
    ours.length === 0 ? Number.NaN : Math.max(...ours.map((one) => middle(one.turns, pick)));
  const ratios = (store?.times ?? []).filter(({ isJudged }) => isJudged).map(({ empty, full }) => full.p50 / empty.p50);
  return [
    ...RIVALS.map(
      (key): Aim => ({
        ...{ name: `burst of one node, × ${key}`, sign: "≥", aim: AIMS.rateOfRivals, digits: 2 },
        value: rateOf(results, OURS) / rateOf(results, key),
      }),
    ),
    ...RIVALS.map(
      (key): Aim => ({
        ...{ name: `accepts of one node alone, × ${key}`, sign: "≥", aim: AIMS.acceptsOfRivals, digits: 2 },
        value: acceptRateOf(results, OURS) / acceptRateOf(results, key),
      }),
    ),
    {
      ...{ name: "row writes a message, the most of our layouts", sign: "≤", aim: AIMS.rows, digits: 2 },
      value: most(({ writes }) => writes.rows),
    },
    {
      ...{ name: "bytes of log a message, the most of our layouts", sign: "≤", aim: AIMS.walBytes, digits: 0 },
      value: most(({ walBytes }) => walBytes),
    },
    {
      ...{ name: "burst of two workers, × one (never slower)", sign: "≥", aim: AIMS.secondWorker, digits: 2 },
      value: middle(turns["api-2"] ?? [], perSecond) / middle(turns["api-1"] ?? [], perSecond),
    },
    {
      ...{ name: "slowest of the judged times, full × empty store", sign: "≤", aim: AIMS.storeRatio, digits: 2 },
      value: ratios.length === 0 ? Number.NaN : Math.max(...ratios),
    },
    {
      ...{ name: "tables read from end to end in the full store", sign: "≤", aim: 0, digits: 0 },
      value: store?.scanned.length ?? Number.NaN,
    },
  ];
}

/** NaN meets nothing and misses nothing. */
export function verdictOf({ sign, aim, value }: Aim): "met" | "missed" | "not measured" {
  if (!Number.isFinite(value)) return "not measured";
  return (sign === "≥" ? value >= aim : value <= aim) ? "met" : "missed";
}

/** A lost or doubled mail, or something that could not be run. Aims that are missed are told, and are no failure. */
export function isMissed({ turns, missing }: Results): boolean {
  const wrong = Object.values(turns)
    .flat()
    .some(({ burst }) => burst.lost + burst.duplicates > 0);
  return wrong || missing.length > 0;
}

function aimsTable(results: Results): string {
  const rows = aimsOf(results).map((one) => {
    const verdict = verdictOf(one);
    return [
      one.name,
      `${one.sign} ${one.aim.toLocaleString("en")}`,
      verdict === "not measured" ? "" : one.value.toFixed(one.digits),
      verdict === "missed" ? "**missed**" : verdict,
    ];
  });
  return table(["aim", "", "measured", ""], rows);
}

function whatArrived(results: Results): string {
  const { sends, rounds, server } = results;
  const bursts = ranOf(results).flatMap(({ turns }) => turns.map(({ burst }) => burst));
  if (bursts.length === 0) return "";
  const total = (pick: (burst: Turn["burst"]) => number): number => sum(bursts.map(pick));
  return (
    `${rounds} rounds of ${whole(sends)} sends from 64 connections. Of ${whole(total((burst) => burst.sends))} mails ` +
    `${total(({ lost }) => lost)} are missing at the server and ${total(({ duplicates }) => duplicates)} came twice; calls put off with ` +
    `429 or 503: ${total(({ accepts }) => accepts?.putOff ?? 0)}. Postgres: ` +
    `${Object.entries(server)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}.`
  );
}

/** @returns the files written, from the repository's root. */
export function writeResults(results: Results, text: string): readonly string[] {
  const { machine, sends, rounds } = results;
  const folder = "bench/results";
  mkdirSync(join(ROOT, folder), { recursive: true });
  const [json, markdown] = [`${folder}/postgres.json`, `${folder}/postgres.md`];
  const head = [
    `# Tidings on Postgres, ${machine.date.slice(0, 10)}, ${machine.commit}`,
    `\`npm run bench:postgres -- --sends ${sends} --rounds ${rounds}\` on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ` +
      `Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}. Load, mail sink, database and all nodes share the cores. ` +
      "Medians over the rounds; how it is measured: [README](../README.md#on-postgres).",
  ];
  writeFileSync(join(ROOT, json), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(ROOT, markdown), `${[...head, text].join("\n\n")}\n`);
  return [json, markdown];
}

function perNode(turns: readonly Turn[], pick: (node: Turn["nodes"][number]) => number): string {
  const count = turns[0]?.nodes.length ?? 0;
  return Array.from({ length: count }, (_, at) =>
    whole(
      middle(turns, ({ nodes }) => {
        const node = nodes[at];
        return node === undefined ? null : pick(node);
      }),
    ),
  ).join(" + ");
}

function perSecond({ burst }: Turn): number {
  return burst.perSecond;
}

function rateOf({ turns }: Results, key: string): number {
  return middle(turns[key] ?? [], perSecond);
}

function acceptRateOf({ accepts }: Results, key: string): number {
  return middle(accepts[key] ?? [], (one) => one.perSecond);
}

/** The median of what there is; NaN for nothing. */
function middle<T>(all: readonly T[], pick: (one: T) => number | null | undefined): number {
  return median(all.flatMap((one) => pick(one) ?? []));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function three(spreads: readonly Spread[]): string {
  if (spreads.length === 0) return "";
  const picks: readonly ((spread: Spread) => number)[] = [({ p50 }) => p50, ({ p95 }) => p95, ({ p99 }) => p99];
  return picks.map((pick) => middle(spreads, pick).toFixed(1)).join(" / ");
}

function ratio(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : "";
}

function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "";
}

/** Nothing without rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
