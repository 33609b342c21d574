import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { StoreFault, type Unit } from "#ports/store.ts";

const PATIENCE_MS = 2_000;
const DRAFT = { puts: [{ collection: "c", id: "i", body: "{}", when: "always", nowMs: 0 }] } as const;

/** An engine whose store fails, or says nothing, for as long as the test wants. */
function given() {
  const clock = new ManualClock();
  const disk = { fails: false, hangs: Promise.resolve(), commits: 0 };
  const store = openMemoryStore({ clock });
  const commit = async (units: readonly Unit[]) => {
    disk.commits += 1;
    await disk.hangs;
    if (disk.fails) throw new StoreFault("store.full", "no room");
    return await store.commit(units);
  };
  const troubled = new Proxy(store, {
    get: (target, name) => (name === "commit" ? commit : Reflect.get(target, name, target)),
  });
  const engine = new Engine({ store: troubled, clock, dice: seededDice(1), log: silentLog, meter: silentMeter });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await turn();
    }
  };
  return { clock, disk, engine, pass };
}

test("whether the store takes commits is not asked of it while they go well", async () => {
  const { disk, engine } = given();
  assert.equal(await engine.storeTakes(PATIENCE_MS), true);
  await engine.submit(DRAFT);
  assert.equal(await engine.storeTakes(PATIENCE_MS), true);
  assert.equal(disk.commits, 1);
});

test("after a commit that failed it is tried, by one trial for all who ask, until it works", async () => {
  const { disk, engine } = given();
  disk.fails = true;
  await assert.rejects(engine.submit(DRAFT), StoreFault);
  const answers = [engine.storeTakes(PATIENCE_MS), engine.storeTakes(PATIENCE_MS)];
  assert.deepEqual(await Promise.all(answers), [false, false]);
  assert.equal(disk.commits, 2);
  assert.equal(await engine.storeTakes(PATIENCE_MS), false);
  disk.fails = false;
  assert.equal(await engine.storeTakes(PATIENCE_MS), true);
  assert.equal(await engine.storeTakes(PATIENCE_MS), true);
  assert.equal(disk.commits, 4, "once it has worked it is not tried again");
});

test("a commit that does not end is trouble too, once it takes longer than one's patience", async () => {
  const { disk, engine, pass } = given();
  const { promise, resolve } = Promise.withResolvers<void>();
  disk.hangs = promise;
  const hanging = engine.submit(DRAFT);
  await pass(PATIENCE_MS);
  assert.equal(await engine.storeTakes(PATIENCE_MS), true);
  await pass(100);
  let answer: boolean | null = null;
  const asked = engine.storeTakes(PATIENCE_MS).then((takes) => (answer = takes));
  await turn();
  assert.equal(answer, null, "nobody knows yet");
  resolve();
  await Promise.all([hanging, asked]);
  assert.equal(answer, true);
});

test("a stop does not wait for a store that cannot: what is in hand is left to the next process", async () => {
  const { clock, disk, engine, pass } = given();
  let ran = 0;
  const stage = engine.addStage({
    queue: "work",
    inHandMax: { transactional: 10, bulk: 10 },
    batchMax: 10,
    attemptsMax: 3,
    bury: () => ({}),
    run: async (jobs, context) => {
      ran += jobs.length;
      disk.fails = true;
      for (const { job } of jobs) void context.finish(job, { kind: "end", end: { kind: "done" }, effects: {} });
    },
  });
  await engine.start();
  const nowMs = clock.nowMs();
  const job = {
    key: "a",
    queue: "work",
    lane: "transactional",
    payload: "{}",
    traceparent: null,
    dueMs: nowMs,
    turn: 0,
  } as const;
  await engine.submit({ jobs: [stage.offer(job, null)] });
  await pass(1_000);
  assert.equal(ran, 1);
  const stopped = engine.stop(5_000);
  let isStopped = false;
  void stopped.then(() => (isStopped = true));
  await pass(4_000);
  assert.equal(isStopped, false, "the store may come back within the grace period");
  await pass(2_000);
  await stopped;
  const { commits } = disk;
  await pass(60_000);
  assert.equal(disk.commits, commits, "nobody goes on trying behind our back");
});
