import { parseArgs } from "node:util";
import type { Burst } from "./burst.ts";
import { measureLimits } from "./limits.ts";
import { lookAtMachine } from "./machine.ts";
import { median, type Spread } from "./measure.ts";
import { profileTidings } from "./profile.ts";
import { burstOfNodemailer } from "./raw.ts";
import { type Results, tableOf, writeResults } from "./report.ts";
import { burstOfTidings, tidingsAtRest, type TidingsRun } from "./tidings.ts";

/**
 * `npm run bench -- [--sends 20000] [--rounds 5] [--quick] [--profile]`: Tidings beside a raw nodemailer pool and the
 * machine's own limits, in turn, in one run; see README.md beside this folder. Writes bench/results/ unless `--quick`.
 */
const { values } = parseArgs({
  options: {
    sends: { type: "string" },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
});

const SENDS = values.quick ? 3_000 : 20_000;
const ROUNDS = values.quick ? 1 : 5;
/** What code must have seen to be compiled well; not counted. */
const WARM_UP_SENDS = values.quick ? 1_000 : 3_000;
const STARTS = 6;

/** Systems that are handed the same burst, in the order of a round. The first of `Tidings` is the one that is compared. */
export const CONTESTANTS = {
  "nodemailer pool, 5 connections": { kind: "raw", connections: 5, offer: "PIPELINING" },
  "nodemailer pool, 10 connections": { kind: "raw", connections: 10, offer: "PIPELINING" },
  "Tidings": { kind: "tidings", client: "own", offer: "PIPELINING", lone: true },
  "Tidings, server offers CHUNKING": { kind: "tidings", client: "own", offer: "PIPELINING CHUNKING", lone: false },
  "Tidings with nodemailer as its client": { kind: "tidings", client: "nodemailer", offer: "PIPELINING", lone: false },
} as const;

const sends = wholeNumber("sends", values.sends, SENDS, 1_000_000);
const rounds = wholeNumber("rounds", values.rounds, ROUNDS, 100);

if (values.profile) await profileTidings(sends, WARM_UP_SENDS, say);
else await main();

async function main(): Promise<void> {
  const machine = lookAtMachine();
  say(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}`,
  );
  say("Sink, load and the system that is measured share these cores.\n");
  const missing: string[] = [];
  const limits = await attempt("the machine's limits", missing, measureLimits);
  if (limits !== null) {
    say(
      `limits: fsync ${ms(limits.fsyncMs)} · loopback ${ms(limits.echoMs)} · bare HTTP ${count(limits.httpPerSecond)}/s · ` +
        `store ${count(limits.storeLivesPerSecond["100"] ?? Number.NaN)} lives/s in batches of 100`,
    );
  }
  const atRest = await attempt("starts and rest", missing, () => tidingsAtRest(STARTS));
  if (atRest !== null) {
    say(
      `at rest: ready after ${median(atRest.readyMs).toFixed(0)} ms (first start ${atRest.firstReadyMs.toFixed(0)}) · ` +
        `${atRest.rest?.nowMib.toFixed(0)} MiB · lone send 202 after ${ms(atRest.lone.acceptMs)}, at the server after ${ms(atRest.lone.arriveMs)}`,
    );
  }
  const bursts: Record<string, Burst[]> = {};
  const runs: Record<string, TidingsRun[]> = {};
  for (let round = 1; round <= rounds; round++) {
    for (const [name, contestant] of Object.entries(CONTESTANTS)) {
      const burst = await attempt(`${name}, round ${round}`, missing, async () => {
        if (contestant.kind === "raw") {
          return burstOfNodemailer(contestant.connections, contestant.offer, WARM_UP_SENDS, sends);
        }
        const run = await burstOfTidings(contestant, WARM_UP_SENDS, sends);
        (runs[name] ??= []).push(run);
        return run.burst;
      });
      if (burst === null) continue;
      (bursts[name] ??= []).push(burst);
      say(`round ${round}/${rounds}: ${name}: ${lineOf(burst)}`);
    }
  }
  const results: Results = { machine, sends, rounds, limits, atRest, bursts, runs, missing };
  const table = tableOf(results);
  say(`\n${table}`);
  if (values.quick) say("\nA quick run: nothing is written to bench/results/.");
  else say(`\nWritten: ${writeResults(results, table).join(", ")}`);
  const wrong = Object.values(bursts)
    .flat()
    .filter(({ lost, duplicates }) => lost > 0 || duplicates > 0);
  if (wrong.length > 0 || missing.length > 0) process.exitCode = 1;
}

/** What cannot be run is told, and the rest goes on. */
async function attempt<T>(what: string, missing: string[], run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    missing.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    say(`NOT MEASURED: ${missing.at(-1)}`);
    return null;
  }
}

function lineOf({ perSecond, accepts, cpuUs, peakMib, lost, duplicates, arriveMs, threadsUs }: Burst): string {
  return [
    `${count(perSecond)}/s`,
    ...(accepts === null ? [] : [`accepts ${count(accepts.perSecond)}/s, ${ms(accepts.ms)}`]),
    ...(arriveMs === null ? [] : [`arrives ${ms(arriveMs)}`]),
    `${cpuUs?.toFixed(0)} µs CPU ${JSON.stringify(threadsUs)}`,
    `peak ${peakMib?.toFixed(0)} MiB`,
    `lost ${lost}, twice ${duplicates}`,
    ...(accepts !== null && accepts.putOff > 0 ? [`put off ${accepts.putOff}`] : []),
  ].join(" · ");
}

function ms({ p50, p99 }: Spread): string {
  return `${p50.toFixed(2)} ms (p99 ${p99.toFixed(1)})`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function wholeNumber(name: string, text: string | undefined, usual: number, max: number): number {
  const value = text === undefined ? usual : Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`--${name} must be a whole number from 1 to ${max}`);
}
