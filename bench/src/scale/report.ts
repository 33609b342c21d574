import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../children.ts";
import { median, type Spread } from "../measure.ts";
import type { BesideBulk } from "./beside-bulk.ts";
import type { FullStore, StoreRound } from "./full-store.ts";
import type { ListRun } from "./list.ts";
import type { Cases, ScaleResults } from "./results.ts";

const JSON_FILE = "bench/results/scale.json";
const TABLE_FILE = "bench/results/scale.md";

/** The aims, from the issue. */
const AIM = {
  listRatio: 4,
  listMib: 300,
  millionRatio: 1.2,
  storeRatio: 1.3,
  readyMs: 2_000,
  besideRatio: 2,
} as const;

type Row = {
  readonly says: string;
  readonly aim: string;
  readonly measured: string;
  /** Null for what has no aim. */
  readonly ok: boolean | null;
};

/** Cases of this run over those that are kept. @returns the files written, from the repository's root. */
export function writeScale(fresh: ScaleResults): readonly string[] {
  const file = join(ROOT, JSON_FILE);
  // Written by this function.
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ScaleResults) : {};
  const all: ScaleResults = { ...kept, ...fresh };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`);
  writeFileSync(join(ROOT, TABLE_FILE), `${pageOf(all)}\n`);
  return [JSON_FILE, TABLE_FILE];
}

function pageOf(results: ScaleResults): string {
  const machines = Object.values(results).map(({ machine }) => machine);
  const [first] = machines;
  if (first === undefined) return "";
  const when = [...new Set(machines.map(({ date, commit }) => `${date.slice(0, 10)}, ${commit}`))].join("; ");
  return [
    `# Cost grows as the work does: ${when}`,
    `\`npm run bench:scale\` on ${first.cpu}, ${first.cores} cores, ${first.memoryGib} GiB, Node ${first.node}, ${first.kernel}, ` +
      `${first.fileSystem}. Load, mail sink and the program share the cores. How it is measured: [README](../README.md).`,
    tableOf(results),
  ].join("\n\n");
}

/** Markdown: each case with its aim, and what belongs to it. */
export function tableOf(results: ScaleResults): string {
  const rows = rowsOf(results).map(({ says, aim, measured, ok }) => [
    says,
    aim,
    measured,
    ok === null ? "" : ok ? "met" : "**missed**",
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(["what", "aim", "measured", ""]), line(["---", "---", "---", "---"]), ...rows.map(line)].join("\n");
}

/** Whether an aim was missed, or a mail was lost or came twice. */
export function isMissed(results: ScaleResults): boolean {
  return rowsOf(results).some(({ ok }) => ok === false);
}

function rowsOf({ list, million, store, beside }: ScaleResults): readonly Row[] {
  return [
    ...(list === undefined ? [] : listRows(list.found)),
    ...(million === undefined ? [] : millionRows(million.found, list?.found.runs ?? [])),
    ...(store === undefined ? [] : storeRows(store.found)),
    ...(beside === undefined ? [] : besideRows(beside.found)),
  ];
}

function listRows({ rawPerSecond, runs }: Cases["list"]): readonly Row[] {
  const people = runs[0]?.people ?? Number.NaN;
  const ours = median(runs.map(({ perSecond }) => perSecond));
  const raw = Math.max(...rawPerSecond);
  const most = Math.max(...runs.map(({ memory }) => memory.maxMib));
  const name = `one send to a list of ${whole(people)}`;
  return [
    {
      says: `${name}, against a raw nodemailer pool`,
      aim: `≥ ${AIM.listRatio}×`,
      measured: `${(ours / raw).toFixed(2)}× (${whole(ours)} and ${whole(raw)} mails/s; medians of ${runs.length})`,
      ok: ours / raw >= AIM.listRatio,
    },
    {
      says: `${name}: most resident memory`,
      aim: `< ${AIM.listMib} MiB`,
      measured: `${most} MiB (${courseOf(runs)})`,
      ok: most < AIM.listMib,
    },
    exact(name, runs),
  ];
}

function millionRows(run: ListRun, smaller: readonly ListRun[]): readonly Row[] {
  const name = `one send to a list of ${whole(run.people)}`;
  const before = Math.max(...smaller.map(({ memory }) => memory.maxMib));
  const rate = median(smaller.map(({ perSecond }) => perSecond));
  const ratio = run.memory.maxMib / before;
  const compared = smaller.length > 0;
  return [
    {
      says: `${name}: most resident memory, against ${whole(smaller[0]?.people ?? Number.NaN)}`,
      aim: `≤ ${AIM.millionRatio}×`,
      measured: `${compared ? `${ratio.toFixed(2)}× ` : ""}(${run.memory.maxMib} MiB; ${courseOf([run])})`,
      ok: compared ? ratio <= AIM.millionRatio : null,
    },
    {
      says: `${name}: rate, against ${whole(smaller[0]?.people ?? Number.NaN)}`,
      aim: "",
      measured:
        `${compared ? `${(run.perSecond / rate).toFixed(2)}× ` : ""}(${whole(run.perSecond)} mails/s, ${(run.tookMs / 1000).toFixed(0)} s` +
        `${run.importMs === null ? "" : `; the list came by the API in ${(run.importMs / 1000).toFixed(0)} s`})`,
      ok: null,
    },
    exact(name, [run]),
  ];
}

function storeRows(found: FullStore): readonly Row[] {
  const { size, diskMib, sends, empty, full, scrapeMs, trimming } = found;
  const rate = (rounds: readonly StoreRound[]): number => median(rounds.map(({ perSecond }) => perSecond));
  const ready = median(full.map(({ readyMs }) => readyMs));
  const ratio = rate(empty) / rate(full);
  const name = `a store with ${whole(size.events)} events and ${whole(size.timers)} timers (${(diskMib / 1024).toFixed(1)} GiB)`;
  return [
    {
      says: `burst of ${whole(sends)}: an empty store, against ${name}`,
      aim: `≤ ${AIM.storeRatio}×`,
      measured: `${ratio.toFixed(2)}× (${whole(rate(empty))} and ${whole(rate(full))} messages/s; medians of ${full.length}, in turn)`,
      ok: ratio <= AIM.storeRatio,
    },
    {
      says: `start until ready with ${name}`,
      aim: `< ${AIM.readyMs / 1000} s`,
      measured: `${(ready / 1000).toFixed(2)} s (empty: ${(median(empty.map(({ readyMs }) => readyMs)) / 1000).toFixed(2)} s)`,
      ok: ready < AIM.readyMs,
    },
    {
      says: "the slowest of 5 scrapes of `/metrics` there, which count the timers on a thread of their own",
      aim: "",
      measured: `${scrapeMs.toFixed(0)} ms`,
      ok: null,
    },
    ...(trimming === null
      ? []
      : [
          {
            says: "the same burst while upkeep trims the journal, against one while it does not",
            aim: "",
            measured: `${(trimming.perSecond / rate(full)).toFixed(2)}× (${whole(trimming.perSecond)} messages/s beside ${whole(trimming.trimmedEvents)} events trimmed)`,
            ok: null,
          },
        ]),
    exact("all of these", [...empty, ...full, ...(trimming === null ? [] : [trimming])]),
  ];
}

function besideRows({ people, bulkPerSecond, idle, beside, ...balance }: BesideBulk): readonly Row[] {
  const bulk = `a send to ${whole(people)} (${whole(bulkPerSecond)} mails/s)`;
  const row = (says: string, of: (latency: typeof idle) => Spread): Row => {
    const ratio = of(beside).p99 / of(idle).p99;
    return {
      says: `${says}, p99, beside ${bulk}, against idle`,
      aim: `≤ ${AIM.besideRatio}×`,
      measured: `${ratio.toFixed(2)}× (${three(of(beside))} and ${three(of(idle))} ms: p50 / p99 / max of ${beside.sends} and ${idle.sends})`,
      ok: ratio <= AIM.besideRatio,
    };
  };
  const lost = balance.lost + idle.lost + beside.lost;
  return [
    row("lone transactional send: call to 202", ({ acceptMs }) => acceptMs),
    row("lone transactional send: 202 to the mail server", ({ acceptToArriveMs }) => acceptToArriveMs),
    {
      says: "the event loop beside it: p99 of the worst second, and when idle",
      aim: "",
      measured: `${beside.loopDelayMsP99.toFixed(1)} and ${idle.loopDelayMsP99.toFixed(1)} ms`,
      ok: null,
    },
    exact(bulk, [{ lost, twice: balance.twice }]),
  ];
}

function exact(what: string, runs: readonly { readonly lost: number; readonly twice: number }[]): Row {
  const lost = runs.reduce((sum, run) => sum + run.lost, 0);
  const twice = runs.reduce((sum, run) => sum + run.twice, 0);
  return { says: `${what}: lost, twice`, aim: "0, 0", measured: `${lost}, ${twice}`, ok: lost + twice === 0 };
}

function courseOf(runs: readonly ListRun[]): string {
  const middle = (pick: (memory: ListRun["memory"]) => number): number =>
    median(runs.map(({ memory }) => pick(memory)));
  const quarters = [0.25, 0.5, 0.75].map((share) =>
    middle(({ courseMib }) => courseMib[Math.floor(courseMib.length * share)] ?? Number.NaN),
  );
  return `before ${middle(({ startMib }) => startMib)}, at the quarters ${quarters.join(", ")}, after ${middle(({ endMib }) => endMib)}`;
}

function three({ p50, p99, max }: Spread): string {
  return [p50, p99, max].map((value) => value.toFixed(1)).join(" / ");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
