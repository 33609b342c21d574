import { parseArgs } from "node:util";
import { pick } from "./contestants.ts";
import { measureLimits } from "./limits.ts";
import { lookAtMachine } from "./machine.ts";
import { median } from "./measure.ts";
import { profileTidings } from "./profile.ts";
import { type Results, tableOf, writeResults } from "./report.ts";
import type { Accepts, Turn } from "./system.ts";
import { tidingsAtRest } from "./tidings.ts";
import { countOf, msOf, say, wholeNumber } from "./terminal.ts";

/**
 * `npm run bench -- [--sends 20000] [--rounds 5] [--quick] [--only tidings,bullmq] [--profile]`: Tidings beside pipelines
 * built on BullMQ, pg-boss and graphile-worker, a raw nodemailer pool and the machine's own limits, in turn, in one run;
 * see README.md beside this folder. Writes bench/results/ unless `--quick` or `--only` make it less than the whole.
 */
const { values } = parseArgs({
  options: {
    sends: { type: "string" },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    profile: { type: "boolean", default: false },
  },
});

const SENDS = values.quick ? 3_000 : 20_000;
const ROUNDS = values.quick ? 1 : 5;
/** What code must have seen to be compiled well; not counted. */
const WARM_UP_SENDS = values.quick ? 1_000 : 3_000;
const STARTS = 6;

const sends = wholeNumber("sends", values.sends, SENDS, 1_000_000);
const rounds = wholeNumber("rounds", values.rounds, ROUNDS, 100);

const contestants = pick(values.only);
/** The limits and the starts belong to the whole, or to Tidings. */
const isWhole = values.only === undefined;

if (values.profile) await profileTidings(sends, WARM_UP_SENDS, say);
else await main();

async function main(): Promise<void> {
  const machine = lookAtMachine();
  say(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.kernel}, ${machine.fileSystem}`,
  );
  say("Sink, load and the system that is measured share these cores.\n");
  const missing: string[] = [];
  const limits = isWhole ? await attempt("the machine's limits", missing, measureLimits) : null;
  if (limits !== null) {
    say(
      `limits: fsync ${msOf(limits.fsyncMs)} · loopback ${msOf(limits.echoMs)} · bare HTTP ${countOf(limits.httpPerSecond)}/s · ` +
        `store ${countOf(limits.storeLivesPerSecond["100"] ?? Number.NaN)} lives/s in batches of 100`,
    );
  }
  const startsToo = contestants.some(({ key }) => key === "tidings");
  const atRest = startsToo ? await attempt("starts and rest", missing, () => tidingsAtRest(STARTS)) : null;
  if (atRest !== null) {
    say(
      `at rest: ready after ${median(atRest.readyMs).toFixed(0)} ms (first start ${atRest.firstReadyMs.toFixed(0)}) · ` +
        `${atRest.rest?.nowMib.toFixed(0)} MiB · lone send 202 after ${msOf(atRest.lone.acceptMs)}, at the server after ${msOf(atRest.lone.arriveMs)}`,
    );
  }
  const turns: Record<string, Turn[]> = {};
  const accepts: Record<string, Accepts[]> = {};
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const { name } = contestant;
      const turn = await attempt(name, missing, () => contestant.run(WARM_UP_SENDS, sends));
      if (turn === null) continue;
      (turns[name] ??= []).push(turn);
      say(`round ${round}/${rounds}: ${name}: ${lineOf(turn)}`);
      const { accepts: acceptsAlone } = contestant;
      if (acceptsAlone === undefined) continue;
      const alone = await attempt(`${name}, accepts alone`, missing, () => acceptsAlone(WARM_UP_SENDS, sends));
      if (alone === null) continue;
      (accepts[name] ??= []).push(alone);
      say(`round ${round}/${rounds}: ${name}: accepts alone ${countOf(alone.perSecond)}/s, ${msOf(alone.ms)}`);
    }
  }
  const systems = contestants.map(({ key, name, durable }) => ({ key, name, durable }));
  const results: Results = { machine, sends, rounds, systems, limits, atRest, turns, accepts, missing };
  const table = tableOf(results);
  say(`\n${table}`);
  if (values.quick || !isWhole) say("\nLess than the whole was run: nothing is written to bench/results/.");
  else say(`\nWritten: ${writeResults(results, table).join(", ")}`);
  const wrong = Object.values(turns)
    .flat()
    .filter(({ burst }) => burst.lost > 0 || burst.duplicates > 0);
  if (wrong.length > 0 || missing.length > 0) process.exitCode = 1;
}

/** What cannot be run is told, and the rest goes on. */
async function attempt<T>(what: string, missing: string[], run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    const line = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    // What failed in one round often fails in the next one too.
    if (!missing.includes(line)) missing.push(line);
    say(`NOT MEASURED: ${line}`);
    return null;
  }
}

function lineOf({ burst, lone, halfLoad }: Turn): string {
  const { perSecond, accepts, cpuUs, databaseCpuUs, peakMib, lost, duplicates, arriveMs, threadsUs } = burst;
  return [
    `${countOf(perSecond)}/s`,
    ...(accepts === null ? [] : [`accepts ${countOf(accepts.perSecond)}/s, ${msOf(accepts.ms)}`]),
    ...(arriveMs === null ? [] : [`arrives ${msOf(arriveMs)}`]),
    `${cpuUs?.toFixed(0)} µs CPU ${JSON.stringify(threadsUs)}`,
    ...(databaseCpuUs === null ? [] : [`and ${databaseCpuUs.toFixed(0)} of its database`]),
    `peak ${peakMib?.toFixed(0)} MiB`,
    `lost ${lost}, twice ${duplicates}`,
    ...(accepts !== null && accepts.putOff > 0 ? [`put off ${accepts.putOff}`] : []),
    ...(lone === null ? [] : [`lone send arrives ${msOf(lone.acceptToArriveMs)} after its 202`]),
    ...(halfLoad === null ? [] : [`half load ${countOf(halfLoad.perSecond)}/s, 202 after ${msOf(halfLoad.ms)}`]),
  ].join(" · ");
}
