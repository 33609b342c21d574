import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  birth,
  claimAll,
  claimOne,
  COMMITTED,
  commitOne,
  job,
  LEASE_MS,
  message,
  messageIdOf,
  QUEUE,
  request,
  requestIdOf,
  START_MS,
  stateOf,
  type StoreWorld,
} from "#conformance/store-world.ts";
import type { ParkedPlace, Store } from "#ports/store.ts";

const DAY_MS = 86_400_000;

/** One job in each place: waiting for its time, ready, claimed, born in somebody's hands. */
async function everywhere(store: Store): Promise<void> {
  await commitOne(store, { jobs: [job("claimed", { payload: "p" })] });
  await claimOne(store);
  await commitOne(store, {
    jobs: [
      job("waiting", { dueMs: START_MS + DAY_MS, turn: 7 }),
      job("ready", { turn: 3 }),
      job("born", { heldForMs: LEASE_MS }),
    ],
  });
}

const listed = async (store: Store, after: ParkedPlace | null = null, limit = 9): Promise<string[]> =>
  (await store.parkedJobs({ after, limit })).map(({ key }) => key);

export function parkingSentences(world: StoreWorld): void {
  describe("parking", () => {
    test("takes every living job out of reach: of claims, of timers, of leases, and of whoever held it", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("claimed")] });
      const held = await claimOne(store);
      await commitOne(store, {
        jobs: [job("waiting", { dueMs: START_MS + 50 }), job("ready"), job("born", { heldForMs: LEASE_MS })],
      });
      assert.equal(await store.park(9), 4);
      assert.equal(await store.park(9), 0);
      assert.deepEqual(await claimAll(store), []);
      assert.deepEqual(await commitOne(store, { job: { ref: held, end: { kind: "done" } } }), { kind: "fenced" });
      assert.deepEqual(
        (await store.extend([held], LEASE_MS)).map(({ key }) => key),
        ["claimed"],
      );
      clock.advance(DAY_MS);
      assert.deepEqual(await store.wakeDue(9), { woken: 0, nextDueMs: null });
      assert.deepEqual(await claimAll(store), []);
      for (const key of ["claimed", "waiting", "ready", "born"]) assert.equal(await stateOf(store, key), "parked");
    });

    test("goes in bounded steps", async () => {
      await using at = await world.open();
      await everywhere(at.store);
      assert.deepEqual(
        [await at.store.park(3), await at.store.park(3), await at.store.park(3), (await listed(at.store)).length],
        [3, 1, 0, 4],
      );
    });

    test("is counted by queue and lane, with the first and last times, and listed by key", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      assert.deepEqual([await store.parked(), await listed(store)], [[], []]);
      await everywhere(store);
      clock.advance(10);
      await commitOne(store, { jobs: [job("z", { payload: "[1]", traceparent: "t" }), job("b", { lane: "bulk" })] });
      await store.park(99);
      await commitOne(store, { jobs: [job("new")] });
      const sum = { queue: QUEUE, firstEnqueuedMs: START_MS, lastEnqueuedMs: START_MS + 10, firstDueMs: START_MS };
      const late = { firstEnqueuedMs: START_MS + 10, lastDueMs: START_MS };
      assert.deepEqual(await store.parked(), [
        { ...sum, lane: "transactional", jobs: 5, lastDueMs: START_MS + DAY_MS },
        { ...sum, lane: "bulk", jobs: 1, ...late },
      ]);
      const nothing = { queue: QUEUE, waiting: 0, ready: 0, held: 0, dead: 0, oldestReadyMs: null };
      assert.deepEqual(await store.depths(), [
        { ...nothing, lane: "transactional", parked: 5, ready: 1, oldestReadyMs: START_MS + 10 },
        { ...nothing, lane: "bulk", parked: 1 },
      ]);
      assert.deepEqual(await listed(store), ["born", "claimed", "ready", "waiting", "z", "b"]);
      const place = { queue: QUEUE, lane: "transactional" } as const;
      assert.deepEqual(await listed(store, { ...place, key: "claimed" }, 2), ["ready", "waiting"]);
      assert.deepEqual(await listed(store, { ...place, key: "" }, 1), ["born"]);
      assert.deepEqual(await listed(store, { ...place, lane: "bulk", key: "b" }), []);
      assert.deepEqual(await listed(store, { ...place, queue: `${QUEUE}.`, key: "" }), []);
      assert.deepEqual((await listed(store, { ...place, queue: "", key: "" })).length, 6);
      assert.deepEqual(await store.parkedJobs({ after: { ...place, key: "waiting" }, limit: 1 }), [
        {
          ...place,
          key: "z",
          payload: "[1]",
          traceparent: "t",
          attempt: 0,
          enqueuedMs: START_MS + 10,
          dueMs: START_MS,
        },
      ]);
    });

    test("a job that is let go keeps its payload, its time and its turn, and waits until it is due", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await everywhere(store);
      await store.park(9);
      for (const unpark of ["waiting", "ready", "claimed"])
        assert.deepEqual(await commitOne(store, { unpark }), COMMITTED);
      assert.deepEqual(
        (await claimAll(store)).map(({ key, payload, turn }) => [key, payload, turn]),
        [
          ["claimed", "p", 0],
          ["ready", `{"key":1}`, 3],
        ],
      );
      assert.deepEqual(await listed(store), ["born"]);
      assert.equal((await store.wakeDue(9)).woken, 0);
      clock.advance(DAY_MS);
      await store.wakeDue(9);
      const due = (await claimAll(store)).find(({ key }) => key === "waiting");
      assert.deepEqual([due?.turn, due?.attempt], [7, 1]);
    });

    test("what is not parked cannot be let go, and nothing of that unit happens", async () => {
      await using at = await world.open();
      const { store } = at;
      await everywhere(store);
      for (const unpark of ["waiting", "ready", "claimed", "never"])
        assert.deepEqual(await commitOne(store, { unpark, jobs: [job("child")] }), { kind: "gone" });
      assert.equal(await stateOf(store, "child"), "gone");
      await store.park(9);
      const twice = await store.commit([{ unpark: "ready" }, { unpark: "ready" }]);
      assert.deepEqual(twice, [COMMITTED, { kind: "gone" }]);
    });

    test("a parked job is living: no second one of its key, no revival beside it, and it can be taken away", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("a")] });
      const held = await claimOne(store);
      await commitOne(store, { job: { ref: held, end: { kind: "dead", error: "e" } } });
      await commitOne(store, { jobs: [job("a")] });
      await store.park(9);
      assert.deepEqual(await commitOne(store, { jobs: [job("a")] }), { kind: "committed", skipped: ["a"] });
      assert.deepEqual(await commitOne(store, { dead: { key: "a", then: "revive" } }), { kind: "held" });
      assert.deepEqual(await commitOne(store, { take: "a" }), COMMITTED);
      assert.deepEqual([await listed(store), await stateOf(store, "a")], [[], "gone"]);
    });

    test("what is enqueued afterwards flows beside it", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await everywhere(store);
      await store.park(9);
      await commitOne(store, { jobs: [job("new"), job("later", { dueMs: START_MS + 5 })] });
      assert.equal((await claimOne(store)).key, "new");
      clock.advance(5);
      assert.equal((await store.wakeDue(9)).woken, 1);
      assert.equal((await claimOne(store)).key, "later");
    });

    test("a parked job keeps its request from being forgotten", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, {
        requests: [request(1)],
        messages: [birth(message(1), job(messageIdOf(1)))],
      });
      await store.park(9);
      const trim = { olderThanMs: START_MS + DAY_MS, after: null, limit: 9 };
      assert.equal((await store.trimRequests(trim)).deleted, 0);
      await commitOne(store, { take: messageIdOf(1) });
      assert.equal((await store.trimRequests(trim)).deleted, 1);
      assert.deepEqual(await store.requests([requestIdOf(1)]), [null]);
    });
  });
}
