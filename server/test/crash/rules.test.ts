import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "#drivers/system/clock.ts";
import { openCrashStore } from "../support/crash-store.ts";
import { RulesWorld } from "../support/rules-world.ts";
import { keysByJournal } from "../support/rules-by-journal.ts";
import { until } from "../support/until.ts";

const KILLS = 6;
/** Longest life of a child after its first word. */
const LIFE_MS_MAX = 400;

test(`after ${KILLS} kills every event was given once to the rules of its place in the journal`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-crash-"));
  const path = join(folder, "tidings.db");
  try {
    let promised = 0;
    let next = 1;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const said = await liveAndDie(path, next);
      promised += said.length;
      next = Math.max(next, ...said) + 100;
    }
    assert.ok(promised > KILLS * 10, `only ${promised} events were promised in all`);
    await audit(path, promised);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Another process takes over, works off what is there, and is looked at. */
async function audit(path: string, promised: number): Promise<void> {
  const clock = systemClock();
  const store = await openCrashStore(path, clock);
  const world = await RulesWorld.start(store, clock);
  await until(
    "the matcher has read everything, and no job is left",
    async () => {
      const [at] = await store.checkpoints("rules");
      const behind = await store.eventsBehind(at?.position ?? 0, 10);
      const left = (await store.depths()).filter(({ queue, ready, held, waiting }) => {
        return queue === "target" && ready + held + waiting > 0;
      });
      const foreign = (await store.readJournal({ after: at?.position ?? 0, limit: 1, foreignAnd: [] })).events;
      return left.length === 0 && (behind === 0 || foreign.length === 0);
    },
    60_000,
  );
  const journal = await world.journal();
  const expected = keysByJournal(journal);
  assert.ok(journal.filter(({ source }) => source === "shop.orders").length >= promised, "what was promised is there");
  assert.ok(expected.length > 100, `${expected.length} deliveries`);
  assert.deepEqual((await world.told()).toSorted(), expected);
  await world.engine.stop(1_000);
  await store[Symbol.asyncDispose]();
}

/** Runs the child until it is killed at a random moment; returns the numbers of the events that it was promised. */
async function liveAndDie(path: string, first: number): Promise<readonly number[]> {
  const script = new URL("./rules-child.ts", import.meta.url).pathname;
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
