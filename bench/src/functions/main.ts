import { parseArgs } from "node:util";
import { measureEcho, measureFsync } from "../limits.ts";
import { lookAtMachine } from "../machine.ts";
import { msOf, say, wholeNumber } from "../terminal.ts";
import { measureCold } from "./cold.ts";
import { measureLags } from "./lags.ts";
import { measureMemory } from "./memory.ts";
import { profileRates } from "./profile.ts";
import { measureRates } from "./rates.ts";
import { aimsOf, isWrong, type Results, tableOf, verdictOf, writeResults } from "./report.ts";

/**
 * `npm run bench:functions -- [--quick] [--rounds 5] [--only rates,latency,cold,memory] [--profile]`: orders through a function
 * beside a BullMQ worker with the same handler; the way from an event to its handler; the first call of a function; the memory of
 * a hundred that rest. See README.md beside this folder. Writes bench/results/functions.json and functions.md unless `--quick` or
 * `--only` make it less than the whole. `--profile` shows where the server's time goes, and measures nothing else.
 */
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" },
    profile: { type: "boolean", default: false },
  },
});

const PARTS = ["rates", "latency", "cold", "memory"] as const;
type Part = (typeof PARTS)[number];

const { quick } = values;
const rounds = wholeNumber("rounds", values.rounds, quick ? 1 : 5, 100);
const parts = partsOf(values.only);
/** The first events make code warm, and are not counted. */
const SIZES = quick
  ? { events: 2_000, warmUp: 500, forS: 3, cold: 3, functions: 10 }
  : { events: 40_000, warmUp: 10_000, forS: 30, cold: 10, functions: 100 };
/** At which events are sent when the way to the handler is measured. */
const LOW_LOAD_PER_SECOND = 20;

if (values.profile) await profileRates(SIZES, say);
else await main();

async function main(): Promise<void> {
  const machine = lookAtMachine();
  say(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.fileSystem}`);
  say("What is measured and what measures share these cores.\n");
  const missing: string[] = [];
  const when = async <T>(part: Part, what: string, run: () => Promise<T>): Promise<T | null> =>
    parts.has(part) ? await attempt(what, missing, run) : null;

  const limits = { fsyncMs: measureFsync(), echoMs: await measureEcho() };
  say(`fsync ${msOf(limits.fsyncMs)} · loopback ${msOf(limits.echoMs)}`);
  const { events, warmUp, forS, cold, functions } = SIZES;
  const results: Results = {
    ...{ machine, rounds, limits, missing },
    rates: await when("rates", "events a second", () => measureRates({ events, warmUp, rounds }, missing, say)),
    lags: await when("latency", "the way to the handler", () =>
      measureLags({ perSecond: LOW_LOAD_PER_SECOND, forS, rounds }, say),
    ),
    cold: await when("cold", "cold start", () => measureCold({ functions: cold, rounds }, say)),
    memory: await when("memory", "memory", () => measureMemory({ functions, waits: !quick }, say)),
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
async function attempt<T>(what: string, missing: string[], run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    const line = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    missing.push(line);
    say(`NOT MEASURED: ${line}`);
    return null;
  }
}
