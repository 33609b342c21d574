import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  claimAll,
  claimOne,
  commitOne,
  job,
  LEASE_MS,
  QUEUE,
  START_MS,
  stateOf,
  type StoreWorld,
} from "#conformance/store-world.ts";
import type { EnqueuedJob } from "#ports/store.ts";

const HOUR_MS = 3_600_000;
const LATER_MS = START_MS + HOUR_MS;

export function trimmingSentences(world: StoreWorld): void {
  describe("trimming jobs", () => {
    test("takes those of a queue that were enqueued before a time, wherever they are", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const everywhere = (name: string): EnqueuedJob[] => [
        job(`${name} waiting`, { dueMs: START_MS + 9 * HOUR_MS }),
        job(`${name} ready`, { turn: 9 }),
        job(`${name} bulk`, { lane: "bulk" }),
        job(`${name} born`, { heldForMs: LEASE_MS }),
        job(`${name} first`, { group: name, turn: 8 }),
        job(`${name} behind`, { group: name, turn: 10 }),
      ];
      await commitOne(store, { jobs: [job("parked")] });
      await store.park(9);
      await commitOne(store, { jobs: [job("claimed", { turn: -1 })] });
      const [held] = await claimAll(store, 1);
      assert(held !== undefined);
      await commitOne(store, { jobs: [...everywhere("old"), job("other", { queue: "other" })] });
      clock.advance(1);
      await commitOne(store, { jobs: everywhere("new") });
      const ask = { queue: QUEUE, olderThanMs: START_MS + 1, limit: 99 };
      assert.equal(await store.trimJobs({ ...ask, olderThanMs: START_MS }), 0);
      assert.equal(await store.trimJobs({ ...ask, queue: "never" }), 0);
      assert.equal(await store.trimJobs(ask), 8);
      assert.equal(await store.trimJobs(ask), 0);
      assert.deepEqual(await commitOne(store, { job: { ref: held, end: { kind: "done" } } }), { kind: "fenced" });
      assert.equal((await store.extend([held], LEASE_MS)).length, 1);
      for (const { key } of everywhere("old")) assert.equal(await stateOf(store, key), "gone");
      assert.deepEqual([await stateOf(store, "parked"), await stateOf(store, "other")], ["gone", "ready"]);
      assert.deepEqual(
        (await claimAll(store)).map(({ key }) => key),
        ["new first", "new ready"],
      );
      clock.advance(LEASE_MS);
      assert.equal((await store.wakeDue(99)).woken, 3, "nothing of what was trimmed comes back");
    });

    test("goes in bounded steps, oldest first", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const keys = ["a", "b", "c", "d", "e"];
      for (const [n, key] of keys.entries()) {
        await commitOne(store, { jobs: [job(key, { turn: -n, ...(n % 2 === 0 ? { group: "g" } : {}) })] });
        clock.advance(1);
      }
      const ask = { queue: QUEUE, olderThanMs: LATER_MS, limit: 2 };
      const left = async (): Promise<string[]> => {
        const states = await store.jobs(keys);
        return keys.filter((_, n) => states[n] !== null);
      };
      assert.deepEqual([await store.trimJobs(ask), await left()], [2, ["c", "d", "e"]]);
      assert.deepEqual([await store.trimJobs(ask), await left()], [2, ["e"]]);
      assert.deepEqual([await store.trimJobs(ask), await store.trimJobs(ask), await left()], [1, 0, []]);
    });

    test("who stood behind one that is gone comes forward", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a", { group: "g" }), job("b", { group: "g" })] });
      await store.claim([{ queue: QUEUE, lane: "transactional", limit: 9, lendMs: HOUR_MS }], LEASE_MS);
      clock.advance(1);
      await commitOne(store, { jobs: [job("c", { group: "g" })] });
      assert.deepEqual(await claimAll(store), []);
      assert.equal(await store.trimJobs({ queue: QUEUE, olderThanMs: START_MS + 1, limit: 1 }), 1);
      assert.deepEqual(await claimAll(store), [], "one of the loan is left");
      assert.equal(await store.trimJobs({ queue: QUEUE, olderThanMs: START_MS + 1, limit: 1 }), 1);
      assert.equal((await claimOne(store)).key, "c");
    });

    test("leaves nothing of a queue, however long it is and whatever order its turns are in", async () => {
      await using at = await world.open();
      const { store } = at;
      for (let from = 0; from < 2_400; from += 600) {
        const jobs = Array.from({ length: 600 }, (_, n) =>
          job(`j${from + n}`, { turn: (n * 7) % 100, ...(n % 3 === 0 ? { group: `g${n % 9}` } : {}) }),
        );
        await store.commit([{ jobs }]);
      }
      let trimmed = 0;
      for (;;) {
        const step = await store.trimJobs({ queue: QUEUE, olderThanMs: Number.MAX_SAFE_INTEGER, limit: 1_000 });
        trimmed += step;
        if (step < 1_000) break;
      }
      assert.deepEqual([trimmed, await store.depths()], [2_400, []]);
    });
  });

  test("depths of some queues are those of all, and nothing of the others", async () => {
    await using at = await world.open();
    const { store } = at;
    await commitOne(store, { jobs: [job("x", { queue: "c", heldForMs: LEASE_MS })] });
    await commitOne(store, { job: { ref: { key: "x", fence: 1 }, end: { kind: "dead", error: "e" } } });
    await commitOne(store, {
      jobs: ["a", "b", "c", "d"].flatMap((queue) => [
        job(`${queue}1`, { queue, group: "g" }),
        job(`${queue}2`, { queue, group: "g" }),
        job(`${queue}3`, { queue, lane: "bulk", dueMs: LATER_MS }),
        job(`${queue}4`, { queue, heldForMs: LEASE_MS }),
      ]),
    });
    const all = await store.depths();
    assert.equal(all.length, 8);
    assert.deepEqual(
      await store.depths(["c", "never", "b"]),
      all.filter(({ queue }) => queue === "b" || queue === "c"),
    );
    assert.deepEqual(await store.depths([]), []);
  });
}
