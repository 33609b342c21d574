import { parseArgs } from "node:util";
import { measureEcho, measureFsync } from "../limits.ts";
import { lookAtMachine } from "../machine.ts";
import { msOf, say, wholeNumber } from "../terminal.ts";
import { measureDoors } from "./accepting.ts";
import { measureCycles, WAYS } from "./cycling.ts";
import { measureFlow } from "./flowing.ts";
import { measureLag } from "./lagging.ts";
import { measureMatching } from "./matching.ts";
import { aimsOf, isWrong, type Results, tableOf, verdictOf, writeResults } from "./report.ts";

/**
 * `npm run bench:doors -- [--quick] [--rounds 5] [--only doors,rules,cycles,latency]`: events accepted by each door beside
 * `POST /send`; rules matched; SQS cycles beside the servers that npm offers; the way from an event to its targets. See
 * README.md beside this folder. Writes bench/results/doors.json and doors.md unless `--quick` or `--only` make it less than
 * the whole.
 */
const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, rounds: { type: "string" }, only: { type: "string" } },
});

const PARTS = ["doors", "rules", "cycles", "latency"] as const;
type Part = (typeof PARTS)[number];

const { quick } = values;
const rounds = wholeNumber("rounds", values.rounds, quick ? 1 : 5, 100);
const parts = partsOf(values.only);
/** What code must have seen to be compiled well; not counted. */
const SIZES = quick
  ? { calls: 800, warmUp: 400, events: 2_000, cycleMs: 250, cycleWarmUpMs: 150, matchRounds: 3, matchMs: 40, forS: 3 }
  : {
      calls: 5_000,
      warmUp: 5_000,
      events: 20_000,
      cycleMs: 1_200,
      cycleWarmUpMs: 1_500,
      matchRounds: 7,
      matchMs: 150,
      forS: 30,
    };
/** At which events are raised when the way to their targets is measured. */
const LOW_LOAD_PER_SECOND = 20;
/** Of cycles: each takes all servers and ways, so it is long. */
const CYCLE_ROUNDS = 3;

await main();

async function main(): Promise<void> {
  const machine = lookAtMachine();
  say(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.fileSystem}`);
  say("The load and all servers share these cores.\n");
  const missing: string[] = [];
  const when = async <T>(part: Part, what: string, run: () => Promise<T> | T): Promise<T | null> =>
    parts.has(part) ? await attempt(what, missing, run) : null;

  const limits = { fsyncMs: measureFsync(), echoMs: await measureEcho() };
  say(`fsync ${msOf(limits.fsyncMs)} · loopback ${msOf(limits.echoMs)}`);
  const { calls, warmUp, events, matchRounds, matchMs, cycleMs, cycleWarmUpMs, forS } = SIZES;
  const results: Results = {
    ...{ machine, rounds, limits, missing },
    doors: await when("doors", "doors", () => measureDoors({ calls, rounds, warmUp }, say)),
    matching: await when("rules", "matching", () => measureMatching({ rounds: matchRounds, roundMs: matchMs })),
    flow: await when("rules", "events through the matcher", () => measureFlow({ events, rounds, warmUp }, say)),
    cycles: await when("cycles", "SQS cycles", () =>
      measureCycles({ rounds: Math.min(rounds, CYCLE_ROUNDS), forMs: cycleMs, warmUpMs: cycleWarmUpMs }, WAYS, say),
    ),
    lags: await when("latency", "the way to the target", () =>
      measureLag({ perSecond: LOW_LOAD_PER_SECOND, forS }, say),
    ),
  };
  const text = tableOf(results);
  say(`\n${text}`);
  if (quick || parts.size < PARTS.length) say("\nLess than the whole was run: nothing is written to bench/results/.");
  else say(`\nWritten: ${writeResults(results, text).join(", ")}`);
  const missed = aimsOf(results).filter((aim) => verdictOf(aim) === "missed");
  if (isWrong(results)) say("Something of ours was lost or came twice.");
  // A smoke run is too short to judge how fast it is.
  if (isWrong(results) || missing.length > 0 || (missed.length > 0 && !quick)) process.exitCode = 1;
}

function partsOf(only: string | undefined): ReadonlySet<Part> {
  if (only === undefined) return new Set(PARTS);
  const wanted = only.split(",").map((name) => name.trim());
  const unknown = wanted.filter((name) => !PARTS.some((part) => part === name));
  if (unknown.length > 0) throw new Error(`--only: no ${unknown.join(", ")}; there are ${PARTS.join(", ")}`);
  return new Set(PARTS.filter((part) => wanted.includes(part)));
}

/** What cannot be run is told, and the rest goes on. */
async function attempt<T>(what: string, missing: string[], run: () => Promise<T> | T): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    const line = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    missing.push(line);
    say(`NOT MEASURED: ${line}`);
    return null;
  }
}
