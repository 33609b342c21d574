import { parseArgs } from "node:util";
import { lookAtMachine } from "../machine.ts";
import type { Accepts } from "../system.ts";
import { CONTESTANTS, type Contestant, pick } from "./contestants.ts";
import { fullStore } from "./full-store.ts";
import { bottleneckOf } from "./processors.ts";
import { profile } from "./profile.ts";
import { isMissed, type Results, tableOf, writeResults } from "./report.ts";
import { Server } from "./server.ts";
import { acceptsOf, statementsOf, type Turn, turnOf } from "./turn.ts";
import { countOf, msOf, say, wholeNumber } from "../terminal.ts";

/**
 * `npm run bench:postgres -- [--sends 20000] [--rounds 5] [--quick] [--only all,api-2,pg-boss,store] [--profile] [--folder DIR]`:
 * Tidings with one node and with several beside pipelines built on pg-boss and graphile-worker, all on one Postgres, in
 * turn; and a store with ten million events beside an empty one. See README.md beside this folder. Writes
 * bench/results/postgres.json and postgres.md unless `--quick` or `--only` make it less than the whole.
 */
const { values } = parseArgs({
  options: {
    sends: { type: "string" },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    profile: { type: "boolean", default: false },
    folder: { type: "string" },
    events: { type: "string" },
  },
});

const SENDS = values.quick ? 3_000 : 20_000;
const ROUNDS = values.quick ? 1 : 5;
/** What code must have seen to be compiled well; not counted. */
const WARM_UP_SENDS = values.quick ? 1_000 : 3_000;
/** To count statements, once. */
const COUNTED_SENDS = 3_000;
const EVENTS = values.quick ? 400_000 : 10_000_000;
/** Jobs that wait, for each event: a million beside ten. */
const WAITING_SHARE = 0.1;
const STORE = "store";

const sends = wholeNumber("sends", values.sends, SENDS, 1_000_000);
const rounds = wholeNumber("rounds", values.rounds, ROUNDS, 100);
const events = wholeNumber("events", values.events, EVENTS, 100_000_000);
const isWhole = values.only === undefined;
const names = values.only?.split(",").map((name) => name.trim()) ?? null;
const systems = names?.filter((name) => name !== STORE) ?? null;
const contestants = systems === null ? CONTESTANTS : systems.length === 0 ? [] : pick(systems.join(","));

if (values.profile) await profile(contestants, { sends, warmUp: WARM_UP_SENDS, folder: values.folder }, say);
else await main();

async function main(): Promise<void> {
  const machine = lookAtMachine();
  say(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Node ${machine.node}, ${machine.fileSystem}`);
  const missing: string[] = [];
  let results: Results = {
    ...{ machine, sends, rounds, server: {}, turns: {}, accepts: {}, statements: {}, store: null, missing },
    systems: contestants.map(({ key, name }) => ({ key, name })),
  };
  if (contestants.length > 0) {
    await using server = await Server.start(values.folder);
    results = { ...results, server: await server.says(), ...(await compare(server, missing)) };
  }
  if (names === null || names.includes(STORE)) {
    const sizes = { events, waiting: Math.round(events * WAITING_SHARE) };
    const store = await attempt("a full store", missing, () => fullStore(sizes, values.folder, say));
    results = { ...results, store };
  }
  const table = tableOf(results);
  say(`\n${table}`);
  if (values.quick || !isWhole) say("\nLess than the whole was run: nothing is written to bench/results/.");
  else say(`\nWritten: ${writeResults(results, table).join(", ")}`);
  if (isMissed(results)) process.exitCode = 1;
}

async function compare(server: Server, missing: string[]): Promise<Pick<Results, "turns" | "accepts" | "statements">> {
  const turns: Record<string, Turn[]> = {};
  const accepts: Record<string, Accepts[]> = {};
  const statements: Record<string, number> = {};
  for (const contestant of contestants) {
    const { key, name } = contestant;
    const counted = await attempt(`${name}, statements`, missing, () =>
      statementsOf(contestant, server, WARM_UP_SENDS, COUNTED_SENDS),
    );
    if (counted !== null) statements[key] = counted.perMessage;
  }
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const { key, name } = contestant;
      const turn = await attempt(name, missing, () => turnOf(contestant, server, WARM_UP_SENDS, sends));
      if (turn === null) continue;
      (turns[key] ??= []).push(turn);
      say(`round ${round}/${rounds}: ${name}: ${lineOf(turn)}`);
      const alone = await attempt(`${name}, accepts alone`, missing, () => acceptsAlone(contestant, server));
      if (alone === null) continue;
      (accepts[key] ??= []).push(alone);
      say(`round ${round}/${rounds}: ${name}: accepts alone ${countOf(alone.perSecond)}/s, ${msOf(alone.ms)}`);
    }
  }
  return { turns, accepts, statements };
}

function acceptsAlone(contestant: Contestant, server: Server): Promise<Accepts | null> {
  return acceptsOf(contestant, server, WARM_UP_SENDS, sends);
}

/** What cannot be run is told, and the rest goes on. */
async function attempt<T>(what: string, missing: string[], run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    const line = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    if (!missing.includes(line)) missing.push(line);
    say(`NOT MEASURED: ${line}`);
    return null;
  }
}

function lineOf({ burst, nodes, databaseCpuUs, walBytes, writes, shares }: Turn): string {
  const { perSecond, accepts, lost, duplicates } = burst;
  return [
    `${countOf(perSecond)}/s`,
    ...(accepts === null ? [] : [`accepts ${countOf(accepts.perSecond)}/s, ${msOf(accepts.ms)}`]),
    `CPU ${nodes.map(({ cpuUs }) => cpuUs.toFixed(0)).join(" + ")} and ${databaseCpuUs.toFixed(0)} µs of the database`,
    `peak ${nodes.map(({ peakMib }) => peakMib.toFixed(0)).join(", ")} MiB`,
    `${writes.rows.toFixed(1)} rows (${(writes.hotShare * 100).toFixed(0)} % of updates HOT), ${writes.commits.toFixed(2)} transactions, ${countOf(walBytes)} B of log`,
    `idle ${(shares.idle * 100).toFixed(0)} %: ${bottleneckOf(shares)}`,
    `lost ${lost}, twice ${duplicates}`,
  ].join(" · ");
}
