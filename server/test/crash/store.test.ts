import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { messageIdOf, requestIdOf, StandingClock } from "#conformance/store-world.ts";
import type { DocumentQuery } from "#domain/document.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";

/** Two stores are killed at the same time, each so often. */
const KILLS = 10;
/** Longest life of a child after its first word: several checkpoints of the log lie within it over all kills. */
const LIFE_MS_MAX = 120;

/** Runs the child until it is killed at a random moment; returns the numbers that it was promised. */
async function liveAndDie(path: string, first: number): Promise<number[]> {
  const script = new URL("./store-child.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, path, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "tidings-crash-cache") },
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(child.stdout, "data");
  setTimeout(() => child.kill("SIGKILL"), Math.random() * LIFE_MS_MAX);
  await once(child, "close");
  // The last line may have been cut.
  return said.slice(0, said.lastIndexOf("\n")).split("\n").map(Number);
}

test(`whatever was promised is there after each of ${2 * KILLS} kills, and no unit is there by halves`, async () => {
  const promised = await Promise.all([killAgainAndAgain(), killAgainAndAgain()]);
  for (const count of promised) assert(count > KILLS * 10, `only ${count} units were promised in all`);
});

/** Returns how many units were promised. */
async function killAgainAndAgain(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "tidings-crash-"));
  const path = join(folder, "tidings.db");
  let promised = 0;
  let next = 1;
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const numbers = await liveAndDie(path, next);
      promised += numbers.length;
      next = await check(path, next, numbers);
    }
    return promised;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Looks at all units from `first`; returns the first number that cannot have been used. */
async function check(path: string, first: number, numbers: readonly number[]): Promise<number> {
  await using store = await openSqliteStore({ path, clock: new StandingClock(), layout: "inline" });
  // What was under way may have been committed without anybody having been told.
  const until = Math.max(...numbers) + 200;
  const all = Array.from({ length: until - first }, (_, n) => first + n);
  const there = (await store.requests(all.map((n) => requestIdOf(n)))).map((one) => one !== null);
  const promised = new Set(numbers);
  for (const [at, n] of all.entries()) assert(there[at] || !promised.has(n), `${n} was promised and is lost`);
  const states = await store.jobs(all.map((n) => `j${n}`));
  const parts = [
    states,
    await store.messages(all.map((n) => messageIdOf(n))),
    await store.documents(all.map((n) => ({ collection: "crash", id: `d${n}` }))),
    await Promise.all(all.map(async (n) => (await store.eventsOf(`s${n}`, 9))[0] ?? null)),
    await Promise.all(all.map(async (n) => (await store.listDocuments(byNumber(n)))[0] ?? null)),
  ];
  for (const part of parts)
    assert.deepEqual(
      part.map((one) => one !== null),
      there,
    );
  for (const state of states) assert(state === null || state.state === "ready", "nobody holds what the dead held");
  return until;
}

function byNumber(n: number): DocumentQuery {
  return { collection: "crash", term: ["n", `${n}`], limit: 2 };
}
