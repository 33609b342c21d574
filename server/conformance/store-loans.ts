import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  claimAll,
  claimOne,
  COMMITTED,
  commitOne,
  job,
  LEASE_MS,
  QUEUE,
  START_MS,
  stateOf,
  type StoreWorld,
} from "#conformance/store-world.ts";
import type { Job } from "#domain/job.ts";
import type { Store } from "#ports/store.ts";

/** Longer than a lease. */
const LEND_MS = 3 * LEASE_MS;

async function borrow(store: Store, lendMs = LEND_MS, limit = 10): Promise<readonly Job[]> {
  return await store.claim([{ queue: QUEUE, lane: "transactional", limit, lendMs }], LEASE_MS);
}

async function borrowOne(store: Store, lendMs?: number): Promise<Job> {
  const [only, ...others] = await borrow(store, lendMs);
  if (only === undefined || others.length > 0) throw new Error("one ready job was expected");
  return only;
}

const done = (held: Job) => ({ job: { ref: held, end: { kind: "done" } } }) as const;

export function loanSentences(world: StoreWorld): void {
  describe("loans", () => {
    test("a loan lasts as long as its ask says, whatever the lease of the call", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a"), job("b", { lane: "bulk" })] });
      const asks = [
        { queue: QUEUE, lane: "transactional", limit: 1, lendMs: LEND_MS },
        { queue: QUEUE, lane: "bulk", limit: 1 },
      ] as const;
      assert.equal((await store.claim(asks, LEASE_MS)).length, 2);
      clock.advance(LEASE_MS);
      assert.deepEqual(await store.wakeDue(9), { woken: 1, nextDueMs: START_MS + LEND_MS });
      assert.deepEqual([await stateOf(store, "a"), await stateOf(store, "b")], ["held", "ready"]);
      clock.advance(LEND_MS - LEASE_MS);
      assert.equal((await store.wakeDue(9)).woken, 1);
      assert.equal((await borrowOne(store)).attempt, 2);
    });

    test("whoever has borrowed a job prolongs it, ends it, or gives it back", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a")] });
      const first = await borrowOne(store);
      clock.advance(LEND_MS - 1);
      assert.deepEqual(await store.extend([first], LEND_MS), []);
      clock.advance(LEND_MS - 1);
      assert.equal((await store.wakeDue(9)).woken, 0);
      await store.release([first]);
      const second = await borrowOne(store);
      assert.equal(second.attempt, 1, "given back, it was not counted");
      assert.deepEqual(await commitOne(store, done(first)), { kind: "fenced" });
      assert.deepEqual(await commitOne(store, done(second)), COMMITTED);
    });

    test("lent for no time it stays ready; the attempt is counted, and the reference holds nothing", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("a"), job("b")] });
      const [first] = await borrow(store, 0, 1);
      assert.deepEqual([first?.key, first?.attempt], ["a", 1]);
      assert(first !== undefined);
      assert.equal(await stateOf(store, "a"), "ready");
      assert.deepEqual(await store.wakeDue(9), { woken: 0, nextDueMs: null });
      assert.deepEqual(await commitOne(store, done(first)), { kind: "fenced" });
      assert.deepEqual(
        (await store.extend([first], LEASE_MS)).map(({ key }) => key),
        ["a"],
      );
      await store.release([first]);
      const [second] = await borrow(store, LEND_MS, 1);
      assert.deepEqual([second?.key, second?.attempt], ["a", 2]);
      assert((second?.fence ?? 0) > first.fence);
      assert.deepEqual(await commitOne(store, done(first)), { kind: "fenced" });
      assert.deepEqual(await commitOne(store, { take: "b" }), COMMITTED);
    });

    test("an extension by nothing ends a lease at once: ready, counted, and lost to whoever held it", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("a"), job("b", { heldForMs: LEASE_MS })] });
      const lent = await borrowOne(store);
      const born = { key: "b", fence: 1 };
      const stranger = { key: "never", fence: 1 };
      assert.deepEqual(await store.extend([lent, born, stranger], 0), [stranger]);
      assert.deepEqual(await store.wakeDue(9), { woken: 0, nextDueMs: null });
      assert.deepEqual(await commitOne(store, done(lent)), { kind: "fenced" });
      assert.deepEqual(await store.extend([born], LEASE_MS), [born]);
      assert.deepEqual(
        (await claimAll(store)).map(({ key, attempt }) => [key, attempt]),
        [
          ["a", 2],
          ["b", 2],
        ],
      );
    });

    test("a loan outlives the process, as long as it was last said to; what was held inside does not", async (t) => {
      const first = await world.open();
      if (!first.store.can.durable) {
        t.skip("nothing survives the end of the process");
        return await first[Symbol.asyncDispose]();
      }
      await commitOne(first.store, {
        jobs: ["a", "b", "c", "d"].map((key) => job(key, { group: key < "c" ? "g" : null })),
      });
      const lent = await borrow(first.store);
      const [a, , c, d] = lent;
      assert(a !== undefined && c !== undefined && d !== undefined && lent.length === 4);
      await first.store.extend([c], 2 * LEND_MS);
      await commitOne(first.store, done(d));
      await commitOne(first.store, {
        jobs: [job("inside", { group: "k" }), job("next", { group: "k" }), job("behind", { group: "g" })],
      });
      assert.equal((await claimOne(first.store)).key, "inside");
      await first.store[Symbol.asyncDispose]();

      await using second = await world.open(first.at);
      const { store, clock } = second;
      clock.advance(LEASE_MS);
      await store.wakeDue(9);
      assert.deepEqual([(await claimOne(store)).key, await stateOf(store, "c")], ["inside", "held"]);
      assert.deepEqual(await commitOne(store, done(a)), COMMITTED, "its reference is good still");
      assert.deepEqual(await store.extend([c], 2 * LEND_MS - LEASE_MS), []);
      clock.advance(LEND_MS - LEASE_MS);
      await store.wakeDue(9);
      assert.deepEqual(
        (await borrow(store)).map(({ key, attempt }) => [key, attempt]),
        [
          ["b", 2],
          ["behind", 1],
          ["inside", 3],
          ["next", 1],
        ],
      );
      clock.advance(LEND_MS);
      await store.wakeDue(9);
      assert((await borrow(store)).some(({ key, fence }) => key === "c" && fence > c.fence));
    });
  });
}
