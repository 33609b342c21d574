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
import type { EnqueuedJob, Store } from "#ports/store.ts";

/** Longer than a lease. */
const LEND_MS = 3 * LEASE_MS;

const member = (key: string, changes: Partial<EnqueuedJob> = {}): EnqueuedJob => job(key, { group: "g", ...changes });

async function borrow(store: Store, limit = 10, lendMs = LEND_MS): Promise<readonly Job[]> {
  return await store.claim([{ queue: QUEUE, lane: "transactional", limit, lendMs }], LEASE_MS);
}

const keysOf = (jobs: readonly Job[]): string[] => jobs.map(({ key }) => key);

const done = (held: Job) => ({ job: { ref: held, end: { kind: "done" } } }) as const;

/** Claims and ends one job after the other until none is ready. */
async function workedOff(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const [next] = await claimAll(store, 1);
    if (next === undefined) return keys;
    keys.push(next.key);
    assert.deepEqual(await commitOne(store, done(next)), COMMITTED);
  }
}

export function groupSentences(world: StoreWorld): void {
  describe("groups", () => {
    test("the jobs of a group go one at a time, by turn, then in the order of their commits", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [member("c", { turn: 2 }), member("b1", { turn: 1 })] });
      await commitOne(store, {
        jobs: [member("b2", { turn: 1 }), member("d", { turn: 3 }), member("b3", { turn: 1 })],
      });
      const first = await claimOne(store);
      assert.deepEqual([first.key, first.group], ["b1", "g"]);
      assert.deepEqual(await claimAll(store), [], "while one is held, no other can be claimed");
      assert.deepEqual(await commitOne(store, done(first)), COMMITTED);
      assert.deepEqual(await workedOff(store), ["b2", "b3", "c", "d"]);
    });

    test("other groups, the same name in another queue, and jobs without a group flow beside it", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, {
        jobs: [
          member("a1"),
          member("a2"),
          member("b1", { group: "h" }),
          member("b2", { group: "h" }),
          job("n1"),
          job("n2", { group: null }),
          member("o1", { queue: "other" }),
          member("e", { group: "" }),
        ],
      });
      const jobs = await claimAll(store);
      assert.deepEqual(keysOf(jobs), ["a1", "b1", "n1", "n2", "e"]);
      assert.deepEqual(
        jobs.map(({ group }) => group),
        ["g", "h", null, null, ""],
      );
      assert.deepEqual(keysOf(await store.claim([{ queue: "other", lane: "transactional", limit: 9 }], LEASE_MS)), [
        "o1",
      ]);
    });

    test("a first one that waits until it is due holds the others back", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [member("a", { dueMs: START_MS + 50 }), member("b")] });
      assert.deepEqual(await claimAll(store), []);
      assert.deepEqual(await store.wakeDue(9), { woken: 0, nextDueMs: START_MS + 50 });
      clock.advance(50);
      assert.equal((await store.wakeDue(9)).woken, 1);
      assert.deepEqual(await workedOff(store), ["a", "b"]);
    });

    test("whoever comes with an earlier turn goes first, unless one is held already", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [member("b", { turn: 5 })] });
      await commitOne(store, { jobs: [member("a", { turn: 4, dueMs: START_MS + 50 })] });
      assert.deepEqual(await claimAll(store), [], "the earlier one is not due");
      clock.advance(50);
      await store.wakeDue(9);
      const held = await claimOne(store);
      assert.equal(held.key, "a");
      await commitOne(store, { jobs: [member("0", { turn: 0 })] });
      assert.deepEqual(await claimAll(store), []);
      await commitOne(store, done(held));
      assert.deepEqual(await workedOff(store), ["0", "b"]);
    });

    test("one that comes back keeps its place before those behind it, or takes the one its new turn gives", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [member("a", { turn: 1 }), member("b", { turn: 2 }), member("c", { turn: 3 })] });
      const again = { kind: "again", payload: "{}", attempts: "count", error: "busy" } as const;
      const first = await claimOne(store);
      await commitOne(store, { job: { ref: first, end: { ...again, turn: 1, dueMs: START_MS + 50 } } });
      assert.deepEqual(await claimAll(store), [], "the others wait with it");
      clock.advance(50);
      await store.wakeDue(9);
      const second = await claimOne(store);
      assert.deepEqual([second.key, second.attempt], ["a", 2]);
      await commitOne(store, { job: { ref: second, end: { ...again, turn: 2.5, dueMs: START_MS } } });
      assert.deepEqual(await workedOff(store), ["b", "a", "c"]);
    });

    test("one whose lease is over or that is given back is first again", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [member("a"), member("b")] });
      await claimOne(store);
      clock.advance(LEASE_MS);
      assert.equal((await store.wakeDue(9)).woken, 1);
      const second = await claimOne(store);
      assert.deepEqual([second.key, second.attempt], ["a", 2]);
      await store.release([second]);
      const third = await claimOne(store);
      assert.deepEqual([third.key, third.attempt], ["a", 2]);
      assert.deepEqual(await store.extend([third], 0), []);
      const fourth = await claimOne(store);
      assert.deepEqual([fourth.key, fourth.attempt], ["a", 3]);
    });

    test("one that gives up or is taken away makes room for the next", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: ["a", "b", "c", "d"].map((key) => member(key)) });
      await commitOne(store, { job: { ref: await claimOne(store), end: { kind: "dead", error: "e" } } });
      assert.deepEqual(await commitOne(store, { take: "b" }), COMMITTED, "the first");
      assert.deepEqual(await commitOne(store, { take: "d" }), COMMITTED, "one behind");
      const held = await claimOne(store);
      assert.equal(held.key, "c");
      assert.deepEqual(await commitOne(store, { take: "c" }), { kind: "held" });
    });

    test("a dead letter that is revived is in its group again, at its old turn", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [member("a", { turn: 1 }), member("b", { turn: 2 }), member("c", { turn: 3 })] });
      await commitOne(store, { job: { ref: await claimOne(store), end: { kind: "dead", error: "e" } } });
      await commitOne(store, { job: { ref: await claimOne(store), end: { kind: "dead", error: "e" } } });
      assert.deepEqual(await commitOne(store, { dead: { key: "b", then: "revive" } }), COMMITTED);
      const held = await claimOne(store);
      assert.deepEqual([held.key, held.group], ["b", "g"]);
      assert.deepEqual(await commitOne(store, { dead: { key: "a", then: "revive" } }), COMMITTED);
      assert.deepEqual(await claimAll(store), [], "one is held");
      await commitOne(store, done(held));
      assert.deepEqual(await workedOff(store), ["a", "c"]);
    });

    test("those behind the first of their group count as ready", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [member("a"), member("b")] });
      clock.advance(5);
      await commitOne(store, { jobs: [member("c", { lane: "bulk" })] });
      await claimOne(store);
      assert.deepEqual([await stateOf(store, "b"), await stateOf(store, "c")], ["ready", "ready"]);
      const depth = { queue: QUEUE, waiting: 0, ready: 1, parked: 0, dead: 0 };
      assert.deepEqual(await store.depths(), [
        { ...depth, lane: "transactional", held: 1, oldestReadyMs: START_MS },
        { ...depth, lane: "bulk", held: 0, oldestReadyMs: START_MS + 5 },
      ]);
    });

    test("a group spans lanes: the first one is ready in its own", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [member("a", { lane: "bulk" }), member("b"), member("c", { lane: "bulk" })] });
      assert.deepEqual(await claimAll(store), []);
      for (const [key, lane] of [
        ["a", "bulk"],
        ["b", "transactional"],
        ["c", "bulk"],
      ] as const) {
        const [held, ...others] = await claimAll(store, 9, lane);
        assert(held !== undefined && held.key === key && others.length === 0);
        await commitOne(store, done(held));
      }
    });

    test("many who claim at once never hold two of a group", async () => {
      await using at = await world.open();
      const { store } = at;
      const groups = Array.from({ length: 10 }, (_, group) => `g${group}`);
      await store.commit(groups.map((group) => ({ jobs: [0, 1, 2].map((n) => member(`${group}.${n}`, { group })) })));
      const claims = await Promise.all(Array.from({ length: 10 }, () => claimAll(store, 3)));
      assert.deepEqual(keysOf(claims.flat()).sort(), groups.map((group) => `${group}.0`).sort());
      await store.commit(claims.flat().map(done));
      const next = await Promise.all(Array.from({ length: 10 }, () => claimAll(store, 3)));
      assert.deepEqual(keysOf(next.flat()).sort(), groups.map((group) => `${group}.1`).sort());
    });
  });

  describe("loans of groups", () => {
    test("with the first go those behind it, in order and up to the limit; nobody else gets one of them", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [member("b", { turn: 2 }), member("a", { turn: 1 }), member("c", { turn: 2 })] });
      await commitOne(store, {
        jobs: [member("d", { turn: 9 }), job("n", { turn: 3 }), member("h", { group: "h", turn: 4 })],
      });
      assert.deepEqual(keysOf(await borrow(store, 3)), ["a", "b", "c"]);
      assert.deepEqual(keysOf(await borrow(store, 9)), ["n", "h"], "d stays behind");
    });

    test("a full take leaves the other groups alone, and the next take begins with them", async () => {
      await using at = await world.open();
      const { store } = at;
      for (const n of [1, 2, 3])
        await commitOne(store, { jobs: [member(`a${n}`, { turn: n }), member(`b${n}`, { turn: n, group: "h" })] });
      assert.deepEqual(keysOf(await borrow(store, 4)), ["a1", "a2", "a3", "b1"]);
      assert.deepEqual(await borrow(store), []);
    });

    test("one that is not due, or of the other lane, ends the row", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [member("a"), member("b", { dueMs: START_MS + 50 }), member("c")] });
      await commitOne(store, { jobs: [member("x", { group: "h" }), member("y", { group: "h", lane: "bulk" })] });
      const taken = await borrow(store);
      assert.deepEqual(keysOf(taken), ["a", "x"]);
      const [a] = taken;
      assert(a !== undefined);
      await commitOne(store, done(a));
      assert.equal(await stateOf(store, "b"), "waiting");
      clock.advance(50);
      await store.wakeDue(9);
      assert.deepEqual(keysOf(await borrow(store)), ["b", "c"]);
    });

    test("as long as one of a loan is held nobody gets another, then the first of all that are left comes forward", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: ["a", "b", "c", "d", "e", "f"].map((key) => member(key)) });
      const [a, b, c, d, e] = await borrow(store, 5);
      assert(a !== undefined && b !== undefined && c !== undefined && d !== undefined && e !== undefined);
      await commitOne(store, done(b));
      await store.release([c]);
      assert.deepEqual(await store.extend([d], 0), []);
      const again = { kind: "again", payload: "{}", turn: 0, dueMs: START_MS, attempts: "count", error: null } as const;
      await commitOne(store, { job: { ref: e, end: again } });
      assert.deepEqual(await borrow(store), [], "a is still held");
      clock.advance(LEND_MS);
      assert.equal((await store.wakeDue(9)).woken, 1);
      const next = await borrow(store);
      assert.deepEqual(
        next.map(({ key, attempt }) => [key, attempt]),
        [
          ["a", 2],
          ["c", 1],
          ["d", 2],
          ["e", 2],
          ["f", 1],
        ],
      );
      assert.deepEqual(await commitOne(store, done(a)), { kind: "fenced" });
    });

    test("lent for no time, they stay where they are and are counted", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [member("a"), member("b"), member("c")] });
      const seen = await borrow(store, 2, 0);
      assert.deepEqual(keysOf(seen), ["a", "b"]);
      const [a, b] = seen;
      assert(a !== undefined && b !== undefined);
      assert.deepEqual(await commitOne(store, done(b)), { kind: "fenced" });
      assert.deepEqual(await commitOne(store, { take: "b" }), COMMITTED);
      const next = await borrow(store);
      assert.deepEqual(
        next.map(({ key, attempt }) => [key, attempt]),
        [
          ["a", 2],
          ["c", 1],
        ],
      );
      assert((next[0]?.fence ?? 0) > a.fence);
    });
  });

  describe("parked groups", () => {
    test("all of a group are parked, and what is enqueued afterwards does not wait for them", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: ["a", "b", "c"].map((key) => member(key)) });
      await borrow(store, 1);
      assert.equal(await store.park(2), 2);
      assert.equal(await store.park(9), 1);
      await commitOne(store, { jobs: [member("d")] });
      assert.deepEqual(await workedOff(store), ["d"]);
    });

    test("those that are let go stand in order again, behind one that is held", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, {
        jobs: [member("a"), member("b"), member("late", { dueMs: START_MS + 50 }), member("c"), member("gone")],
      });
      await store.park(9);
      await commitOne(store, { unpark: "c" });
      const held = await claimOne(store);
      assert.equal(held.key, "c");
      await commitOne(store, { take: "gone" });
      for (const unpark of ["late", "b", "a"]) assert.deepEqual(await commitOne(store, { unpark }), COMMITTED);
      assert.deepEqual(await claimAll(store), []);
      await store.release([held]);
      assert.deepEqual(await workedOff(store), ["a", "b"]);
      clock.advance(50);
      await store.wakeDue(9);
      assert.deepEqual(await workedOff(store), ["late", "c"]);
    });
  });
}
