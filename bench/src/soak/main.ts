import { say } from "../terminal.ts";
import { parseArgs } from "node:util";
import { lookAtMachine } from "../machine.ts";
import { steadyMs } from "../measure.ts";
import { burstOfTidings } from "../tidings.ts";
import { readSoak, writePages, writeSoak } from "./pages.ts";
import { columnsOf, type SoakResults } from "./results.ts";
import { soak, type SoakPlan } from "./run.ts";
import type { Sample } from "./sample.ts";
import { judge } from "./verdict.ts";

/**
 * `npm run soak -- [--minutes 60] [--rate MAILS_PER_SECOND] [--note TEXT] [--render]`: the real program at half of the capacity that is
 * measured first, and whether anything grows. Writes bench/results/soak.json, docs/soak.md and docs/soak.svg, unless it
 * was shorter than half an hour; `--render` writes the latter two anew from the first.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    rate: { type: "string" },
    note: { type: "string" },
    render: { type: "boolean", default: false },
  },
});

/** Shorter runs say nothing about an hour, and are not kept. */
const KEPT_FROM_MINUTES = 30;
const CAPACITY_SENDS = 20_000;
const CAPACITY_RUNS = 3;
const CAPACITY_WARM_UP = 3_000;
const SAMPLES = 720;
const SAMPLE_S_MIN = 2;

const minutes = positive("minutes", values.minutes);
if (values.render) say(`Written: ${writePages(readSoak()).join(", ")}`);
else await main();

async function main(): Promise<void> {
  const machine = lookAtMachine();
  const capacityPerS = values.rate === undefined ? await capacity() : [];
  const plan: SoakPlan = {
    minutes,
    ratePerS: values.rate === undefined ? Math.round(Math.min(...capacityPerS) / 2) : positive("rate", values.rate),
    // Six retentions fit into a run, so that what is forgotten is most of what there was.
    retentionMinutes: Math.min(10, Math.max(1, Math.floor(minutes / 6))),
    sampleS: Math.max(SAMPLE_S_MIN, Math.round((minutes * 60) / SAMPLES)),
  };
  say(
    `${minutes} minutes at ${plan.ratePerS} mails a second, requests and journal kept ${plan.retentionMinutes} minutes`,
  );
  const startMs = steadyMs();
  const { samples, totals } = await soak(plan, progress);
  const results: SoakResults = {
    machine,
    note: values.note ?? null,
    minutes,
    capacityPerS: capacityPerS.map(Math.round),
    ratePerS: plan.ratePerS,
    retentionMinutes: plan.retentionMinutes,
    warmUpMinutes: plan.retentionMinutes * 1.5,
    tookMinutes: Math.round((steadyMs() - startMs) / 6_000) / 10,
    totals,
    samples: columnsOf(samples),
  };
  const findings = judge(results);
  say("");
  for (const { ok, says, measured, aim } of findings) say(`${ok ? "ok    " : "MISSED"} ${says}: ${measured} (${aim})`);
  say(JSON.stringify(totals));
  if (minutes >= KEPT_FROM_MINUTES) say(`Written: ${[...writeSoak(results), ...writePages(results)].join(", ")}`);
  else say("Too short to be kept: nothing is written.");
  if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
}

async function capacity(): Promise<readonly number[]> {
  const found: number[] = [];
  for (let run = 0; run < CAPACITY_RUNS; run += 1) {
    const { burst } = await burstOfTidings(
      { client: "own", offer: "usual", lone: false },
      CAPACITY_WARM_UP,
      CAPACITY_SENDS,
    );
    found.push(burst.perSecond);
    say(`capacity: ${Math.round(burst.perSecond)} messages a second in a burst of ${CAPACITY_SENDS}`);
  }
  return found;
}

function progress(sample: Sample): void {
  const left = (value: number, digits = 0): string => (Number.isFinite(value) ? value.toFixed(digits) : "?");
  const line =
    `${Math.floor(sample.atS / 60)}:${String(Math.floor(sample.atS % 60)).padStart(2, "0")} ` +
    `${left(sample.mailsPerS)}/s · accept ${left(sample.acceptMsP50, 1)}/${left(sample.acceptMsP99, 1)} ms · ` +
    `mail ${left(sample.arriveMsP50, 1)}/${left(sample.arriveMsP99, 1)} ms · timers +${left(sample.timerLateMsP99)} ms · ` +
    `${left(sample.rssMib)} MiB (heap ${left(sample.heapMib)}) · loop p99 ${left(sample.loopDelayMsP99, 1)} ms · ` +
    `${left(sample.cpuCores, 2)} cores · ready ${sample.jobsReady} held ${sample.jobsHeld} waiting ${sample.jobsWaiting} · ` +
    `disk ${left(sample.diskMib)} MiB (wal ${left(sample.walMib)}) · ${sample.openFiles} files`;
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}`);
  else say(line);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} must be a number above 0`);
}
