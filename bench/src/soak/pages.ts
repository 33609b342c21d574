import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../children.ts";
import { median } from "../measure.ts";
import { KINDS, LIST_PEOPLE, LIST_SHARE } from "./mix.ts";
import { plotOf } from "./plot.ts";
import type { SoakResults } from "./results.ts";
import type { Sample } from "./sample.ts";
import { afterWarmUp, judge } from "./verdict.ts";

const RESULTS = "bench/results/soak.json";
const PAGE = "docs/soak.md";
const PLOT = "docs/soak.svg";

export function readSoak(): SoakResults {
  // Written by `writeSoak`.
  return JSON.parse(readFileSync(join(ROOT, RESULTS), "utf8")) as SoakResults;
}

/** A line for each column, so that a change of one figure does not move the whole file. */
export function writeSoak(results: SoakResults): readonly string[] {
  const { samples, ...rest } = results;
  const columns = Object.entries(samples).map(
    ([name, values]) => `  ${JSON.stringify(name)}: ${JSON.stringify(values)}`,
  );
  const head = JSON.stringify(rest, null, 1).slice(0, -2);
  mkdirSync(dirname(join(ROOT, RESULTS)), { recursive: true });
  writeFileSync(join(ROOT, RESULTS), `${head},\n "samples": {\n${columns.join(",\n")}\n }\n}\n`);
  return [RESULTS];
}

/** The page and its plot. @returns the files written, from the repository's root. */
export function writePages(results: SoakResults): readonly string[] {
  writeFileSync(join(ROOT, PLOT), plotOf(results));
  writeFileSync(join(ROOT, PAGE), pageOf(results));
  return [PAGE, PLOT];
}

export function pageOf(results: SoakResults): string {
  const { machine, note, minutes, ratePerS, capacityPerS, retentionMinutes, warmUpMinutes, totals } = results;
  const findings = judge(results);
  const missed = findings.filter(({ ok }) => !ok).length;
  const capacity =
    capacityPerS.length === 0 ? "" : ` (half of what the slowest of ${capacityPerS.length} bursts reached just before)`;
  return `# A soak

\`\`\`sh
npm run soak                      # an hour at half of the capacity, which it measures first; writes this page
npm run soak -- --minutes 5       # shorter, and writes nothing
\`\`\`

The real program, on loopback, for ${minutes} minutes at ${whole(ratePerS)} mails a second${capacity}, on ${machine.date.slice(0, 10)},
version ${machine.commit}. ${missed === 0 ? "**Nothing was lost, nothing came twice, and nothing grows.**" : `**${missed} of ${findings.length} findings miss their aim.**`}
${note === null ? "" : `\n${note}\n`}
![Memory, disk, latency and lag over the run](soak.svg)

${table(
  ["what", "measured", "aim", ""],
  findings.map(({ says, measured, aim, ok }) => [says, measured, aim, ok ? "met" : "**missed**"]),
)}

Medians over all samples after the warm-up of ${warmUpMinutes} minutes:

${table(["what", ""], figures(results))}

## How

- Calls come at their times (Poisson) whether or not earlier ones are answered: ${whole(totals.calls)} calls and ${whole(totals.listSends)} sends to
  lists of ${whole(LIST_PEOPLE)}, which make ${Math.round(LIST_SHARE * 100)} % of the mails. Of the calls ${percent(KINDS.plain)} are to one address, ${percent(KINDS.delayed)} are delayed by 5 to 60
  seconds, ${percent(KINDS.keyed)} have an idempotency key (some are repeated), to ${percent(KINDS.refused)} the mail server says 550, and to ${percent(KINDS.busy)} it says 451 at first.
- Requests, messages and the journal are kept ${retentionMinutes} minutes, so that after the warm-up as much is forgotten as comes. Idempotency
  records stay (a day at least), and so do the suppressions that a 550 leaves.
- Every mail is counted at the server by the number in its address: ${whole(totals.mailsArrived)} came, ${whole(totals.mailsExpected)} were due.
- ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}. Load and mail server share
  the cores with the program.

Figures of every sample: \`bench/results/soak.json\`. This page and its plot are written by \`bench/src/soak/main.ts\`.
`;
}

function figures(results: SoakResults): readonly (readonly string[])[] {
  const row = (says: string, unit: string, ...names: readonly (keyof Sample)[]): readonly string[] => [
    says,
    `${names.map((name) => figure(median(afterWarmUp(results, name)))).join(" / ")} ${unit}`,
  ];
  return [
    row("call to 202, p50 / p99", "ms", "acceptMsP50", "acceptMsP99"),
    row("202 to the mail server, p50 / p99", "ms", "arriveMsP50", "arriveMsP99"),
    row("lateness of timers, p99", "ms", "timerLateMsP99"),
    row("delay of the event loop, p99", "ms", "loopDelayMsP99"),
    row("resident memory / heap", "MiB", "rssMib", "heapMib"),
    row("disk / of it write-ahead log", "MiB", "diskMib", "walMib"),
    row("events in the journal", "", "journalEvents"),
    row("processor", "cores", "cpuCores"),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return "?";
  return value >= 100 ? whole(value) : String(Number(value.toPrecision(2)));
}
