import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { LOOK_AGAIN_MS } from "#engine/limits.ts";
import type { Stage } from "#engine/stage.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";

test("a node works what another has made ready, at its word", async () => {
  const clock = new ManualClock();
  const [one, two] = [openMemoryStore({ clock, manyNodes: true })].flatMap((store) => [store, store.another()]);
  assert(one !== undefined && two !== undefined);
  const worker = await startWorker(two, clock);
  await enqueueOn(one, clock);
  assert.deepEqual(worker.done, ["a"]);
});

test("a node does what another has brought with a time, when the time has come", async () => {
  const clock = new ManualClock();
  const one = openMemoryStore({ clock, manyNodes: true });
  const worker = await startWorker(one.another(), clock);
  const delayMs = 500;
  await enqueueOn(one, clock, delayMs);
  for (let passedMs = 0; passedMs < delayMs; passedMs += 50) {
    assert.deepEqual(worker.done, []);
    clock.advance(50);
    await quiet(clock);
  }
  assert.deepEqual(worker.done, ["a"]);
});

test("a node whose others' word was lost finds their jobs within its next look", async () => {
  const clock = new ManualClock();
  const one = openMemoryStore({ clock, manyNodes: true });
  const deaf = one.another();
  deaf.onWake = () => {};
  const worker = await startWorker(deaf, clock);
  await enqueueOn(one, clock);
  assert.deepEqual(worker.done, [], "nobody has told it");
  clock.advance(LOOK_AGAIN_MS);
  await quiet(clock);
  assert.deepEqual(worker.done, ["a"]);
});

test("the only node of a store does not look for what nobody can have brought", async () => {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock });
  await startWorker(store, clock);
  let claims = 0;
  const claim = store.claim;
  store.claim = (asks, leaseMs) => {
    claims += 1;
    return claim(asks, leaseMs);
  };
  for (let look = 0; look < 5; look += 1) {
    clock.advance(LOOK_AGAIN_MS);
    await quiet(clock);
  }
  assert.equal(claims, 0);
});

async function startWorker(store: MemoryStore, clock: ManualClock): Promise<{ readonly done: readonly string[] }> {
  const done: string[] = [];
  const engine = new Engine({ store, clock, dice: seededDice(7), log: silentLog, meter: silentMeter });
  const stage: Stage<string> = {
    queue: "work",
    inHandMax: { transactional: 4, bulk: 4 },
    batchMax: 4,
    attemptsMax: 3,
    run: async (jobs, context) => {
      done.push(...jobs.map(({ job }) => job.key));
      const end = { kind: "end", end: { kind: "done" }, effects: {} } as const;
      await Promise.all(jobs.map(({ job }) => context.finish(job, end)));
    },
    bury: () => ({}),
  };
  engine.addStage(stage);
  await engine.start();
  await quiet(clock);
  return { done };
}

async function enqueueOn(store: MemoryStore, clock: ManualClock, delayMs = 0): Promise<void> {
  const job = { queue: "work", lane: "transactional", turn: 0, payload: "{}", traceparent: null } as const;
  await store.commit([{ jobs: [{ ...job, key: "a", dueMs: clock.nowMs() + delayMs, heldForMs: null }] }]);
  await quiet(clock);
}

async function quiet(clock: ManualClock): Promise<void> {
  for (let turn = 0; turn < 80; turn += 1) {
    clock.advance(0);
    await Promise.resolve();
  }
}
