import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Burst } from "./burst.ts";
import { ROOT } from "./children.ts";
import type { Limits } from "./limits.ts";
import type { Machine } from "./machine.ts";
import { median, type Spread } from "./measure.ts";
import type { AtRest, TidingsRun } from "./tidings.ts";

/** All that a run has found; the JSON file is this. */
export type Results = {
  readonly machine: Machine;
  readonly sends: number;
  readonly rounds: number;
  readonly limits: Limits | null;
  readonly atRest: AtRest | null;
  /** By system, a burst each round. */
  readonly bursts: Readonly<Record<string, readonly Burst[]>>;
  readonly runs: Readonly<Record<string, readonly TidingsRun[]>>;
  /** What could not be run, and why. */
  readonly missing: readonly string[];
};

/** The aims, from the issue. */
const AIM = { ratio: 0.9, loneAcceptMs: 5, restMib: 120, readyMs: 1_000 };

/** The name of the system that is compared. */
const OURS = "Tidings";
const RAW = "nodemailer pool";

/** Markdown: medians over the rounds, and ratios to the better of the raw pools. */
export function tableOf(results: Results): string {
  const { bursts, missing } = results;
  const best = Math.max(
    ...Object.entries(bursts).map(([name, all]) => (name.startsWith(RAW) ? middle(all, perSecond) : 0)),
  );
  const parts = [burstTable(bursts, best), aims(results, best), limitsTable(results), whatArrived(results)];
  if (missing.length > 0) parts.push(`**Not measured:**\n\n${missing.map((line) => `- ${line}`).join("\n")}`);
  return parts.filter((part) => part !== "").join("\n\n");
}

function burstTable(bursts: Results["bursts"], best: number): string {
  const rows = Object.entries(bursts).map(([name, all]) => [
    name,
    whole(middle(all, perSecond)),
    (middle(all, perSecond) / best).toFixed(2),
    `${whole(Math.min(...all.map(perSecond)))}–${whole(Math.max(...all.map(perSecond)))}`,
    whole(middle(all, ({ accepts }) => accepts?.perSecond)),
    three(all, ({ accepts }) => accepts?.ms),
    three(all, ({ arriveMs }) => arriveMs),
    whole(middle(all, ({ cpuUs }) => cpuUs)),
    whole(middle(all, ({ sinkCpuUs }) => sinkCpuUs)),
    whole(middle(all, ({ peakMib }) => peakMib)),
  ]);
  return table(
    [
      "burst",
      "messages/s",
      "× raw",
      "range",
      "accepts/s",
      "accept ms p50 / p95 / p99",
      "to the server, ms",
      "CPU µs/message",
      "sink µs",
      "peak MiB",
    ],
    rows,
  );
}

function aims({ bursts, runs, atRest }: Results, best: number): string {
  const lones = (runs[OURS] ?? []).flatMap(({ lone }) => lone ?? []);
  const lone = (
    label: string,
    pick: (spread: Spread) => number,
    of: (lone: (typeof lones)[number]) => Spread,
  ): string[] => [
    label,
    atRest === null ? "" : `${pick(of(atRest.lone)).toFixed(2)} ms`,
    lones.length === 0 ? "" : `${median(lones.map((one) => pick(of(one)))).toFixed(2)} ms`,
  ];
  const p50 = ({ p50 }: Spread): number => p50;
  const p99 = ({ p99 }: Spread): number => p99;
  const figures: readonly (readonly [string, number | undefined, number, (value: number) => string, boolean])[] = [
    [
      "burst, × raw nodemailer pool",
      middle(bursts[OURS] ?? [], perSecond) / best,
      AIM.ratio,
      (x) => x.toFixed(2),
      true,
    ],
    ["lone send to its 202, median, ms", atRest?.lone.acceptMs.p50, AIM.loneAcceptMs, (x) => x.toFixed(2), false],
    ["resident at rest, MiB", atRest?.rest?.nowMib, AIM.restMib, (x) => x.toFixed(0), false],
    [
      "start until ready, median, ms",
      atRest === null ? undefined : median(atRest.readyMs),
      AIM.readyMs,
      (x) => x.toFixed(0),
      false,
    ],
  ];
  const rows = figures.map(([name, value, aim, show, atLeast]) => [
    name,
    `${atLeast ? "≥" : "≤"} ${aim}`,
    value === undefined || Number.isNaN(value) ? "not measured" : show(value),
    value === undefined || Number.isNaN(value) ? "" : (atLeast ? value >= aim : value <= aim) ? "met" : "**missed**",
  ]);
  const after = (runs[OURS] ?? []).flatMap(({ restAfterMib }) => restAfterMib ?? []);
  return [
    table(["aim", "", "measured", ""], rows),
    table(
      ["lone send", "server just started", "after the burst"],
      [
        lone("to its 202, p50", p50, ({ acceptMs }) => acceptMs),
        lone("to its 202, p99", p99, ({ acceptMs }) => acceptMs),
        lone("to the mail server, p50", p50, ({ arriveMs }) => arriveMs),
        lone("to the mail server, p99", p99, ({ arriveMs }) => arriveMs),
        lone("from its 202 to the mail server, p50", p50, ({ acceptToArriveMs }) => acceptToArriveMs),
      ],
    ),
    atRest === null
      ? ""
      : `First start on an empty code cache: ${atRest.firstReadyMs.toFixed(0)} ms. Of the memory at rest, ` +
        `${atRest.rest?.ownMib.toFixed(0) ?? "?"} MiB are the process's own and the rest is Node's code, shared with any other Node; ` +
        `three seconds after the burst it holds ${after.length === 0 ? "?" : median(after).toFixed(0)} MiB.`,
  ].join("\n\n");
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

function whatArrived({ bursts, runs, sends, rounds }: Results): string {
  const all = Object.values(bursts).flat();
  const sum = (pick: (burst: Burst) => number): number => all.reduce((total, burst) => total + pick(burst), 0);
  const sizes = Object.entries(bursts).map(([name, [first]]) => `${name} ${first?.bytesPerMail}`);
  const statuses = Object.values(runs)
    .flat()
    .map((run) => JSON.stringify(run.statuses));
  return (
    `${rounds} rounds of ${whole(sends)} sends. Of ${whole(sum((burst) => burst.sends))} mails ${sum(({ lost }) => lost)} are missing at ` +
    `the server and ${sum(({ duplicates }) => duplicates)} came twice; calls put off with 429 or 503: ` +
    `${sum(({ accepts }) => accepts?.putOff ?? 0)}. The log says (with the warm-up): ${[...new Set(statuses)].join(", ")}. ` +
    `Bytes per mail: ${sizes.join(", ")}.`
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

function perSecond(burst: Burst): number {
  return burst.perSecond;
}

/** The median of what there is; NaN for nothing. */
function middle(all: readonly Burst[], pick: (burst: Burst) => number | null | undefined): number {
  return median(all.flatMap((burst) => pick(burst) ?? []));
}

function three(all: readonly Burst[], pick: (burst: Burst) => Spread | null | undefined): string {
  const spreads = all.flatMap((burst) => pick(burst) ?? []);
  if (spreads.length === 0) return "";
  return [spreads.map(({ p50 }) => p50), spreads.map(({ p95 }) => p95), spreads.map(({ p99 }) => p99)]
    .map((values) => median(values).toFixed(1))
    .join(" / ");
}

function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
