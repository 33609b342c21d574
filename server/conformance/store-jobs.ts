import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  birth,
  claimAll,
  claimOne,
  COMMITTED,
  commitOne,
  event,
  job,
  LEASE_MS,
  message,
  QUEUE,
  START_MS,
  stateOf,
  type StoreWorld,
} from "#conformance/store-world.ts";
import type { Unit, Verdict } from "#ports/store.ts";

export function jobSentences(world: StoreWorld): void {
  describe("jobs", () => {
    test("are claimed lowest turn first, and those of one turn in the order of their birth", async () => {
      await using at = await world.open();
      const turns = [5, 1.5, 9, 1, 5, 3];
      await at.store.commit(turns.map((turn, n) => ({ jobs: [job(`j${n}`, { turn })] })));
      const keys = (await claimAll(at.store, 4)).map(({ key }) => key);
      assert.deepEqual(
        [...keys, ...(await claimAll(at.store)).map(({ key }) => key)],
        ["j3", "j1", "j5", "j0", "j4", "j2"],
      );
    });

    test("an ask takes from its own queue and lane, no more than its limit, and each job once", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, {
        jobs: ["a", "b", "c"].flatMap((name) => [
          job(`${name} fast`),
          job(`${name} slow`, { lane: "bulk" }),
          job(`${name} other`, { queue: "other" }),
        ]),
      });
      const jobs = await store.claim(
        [
          { queue: QUEUE, lane: "transactional", limit: 2 },
          { queue: QUEUE, lane: "bulk", limit: 9 },
          { queue: "nobody", lane: "bulk", limit: 9 },
        ],
        LEASE_MS,
      );
      assert.deepEqual(
        jobs.map(({ key }) => key),
        ["a fast", "b fast", "a slow", "b slow", "c slow"],
      );
      const rest = await store.claim([{ queue: QUEUE, lane: "transactional", limit: 9 }], LEASE_MS);
      assert.deepEqual(
        rest.map(({ key }) => key),
        ["c fast"],
      );
      assert.deepEqual(await store.claim([], LEASE_MS), []);
    });

    test("a claimed job carries what was enqueued, its first attempt, and when it was enqueued", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      await commitOne(store, { jobs: [job("a", { payload: "[1]", turn: 7, traceparent })] });
      clock.advance(50);
      const { fence, ...rest } = await claimOne(store);
      assert(fence >= 1);
      assert.deepEqual(rest, {
        key: "a",
        queue: QUEUE,
        lane: "transactional",
        payload: "[1]",
        traceparent,
        attempt: 1,
        turn: 7,
        group: null,
        enqueuedMs: START_MS,
      });
    });

    test("a second job of a living key is not enqueued, and the verdict says so", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("a", { payload: "first" })] });
      const verdict = await commitOne(store, {
        jobs: [job("a", { payload: "second" }), job("b", { dueMs: START_MS + 1 })],
      });
      assert.deepEqual(verdict, { kind: "committed", skipped: ["a"] });
      const held = await claimOne(store);
      assert.equal(held.payload, "first");
      assert.deepEqual(await commitOne(store, { jobs: [job("a")] }), { kind: "committed", skipped: ["a"] });
      const reborn = await commitOne(store, {
        job: { ref: held, end: { kind: "done" } },
        jobs: [job("a", { payload: "third" })],
      });
      assert.deepEqual(reborn, COMMITTED, "the job that ends makes room for its successor");
      assert.equal((await claimOne(store)).payload, "third");
    });

    test("a job that is done is gone", async () => {
      await using at = await world.open();
      await commitOne(at.store, { jobs: [job("a")] });
      const held = await claimOne(at.store);
      assert.deepEqual(await commitOne(at.store, { job: { ref: held, end: { kind: "done" } } }), COMMITTED);
      assert.equal(await stateOf(at.store, "a"), "gone");
      assert.deepEqual(await commitOne(at.store, { job: { ref: held, end: { kind: "done" } } }), { kind: "fenced" });
    });

    test("a job born in our hands needs no claim, and nobody else gets it", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { messages: [birth(message(1), job("a", { heldForMs: LEASE_MS }))] });
      assert.deepEqual(await claimAll(store), []);
      assert.equal((await store.jobs(["a"]))[0]?.attempt, 1);
      const verdict = await commitOne(store, { job: { ref: { key: "a", fence: 1 }, end: { kind: "done" } } });
      assert.deepEqual(verdict, COMMITTED);
    });

    test("a job that is not due waits, and is ready at its time", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, {
        jobs: [job("later", { dueMs: START_MS + 500 }), job("latest", { dueMs: START_MS + 900 })],
      });
      assert.deepEqual(await claimAll(store), []);
      assert.deepEqual(await store.wakeDue(10), { woken: 0, nextDueMs: START_MS + 500 });
      clock.advance(499);
      assert.deepEqual(await store.wakeDue(10), { woken: 0, nextDueMs: START_MS + 500 });
      clock.advance(1);
      assert.deepEqual(await store.wakeDue(10), { woken: 1, nextDueMs: START_MS + 900 });
      assert.equal((await claimOne(store)).key, "later");
    });

    test("waking is bounded and goes on where it stopped", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      assert.deepEqual(await store.wakeDue(10), { woken: 0, nextDueMs: null });
      await commitOne(store, { jobs: Array.from({ length: 5 }, (_, n) => job(`j${n}`, { dueMs: START_MS + 1 + n })) });
      clock.advance(100);
      const first = await store.wakeDue(3);
      assert.equal(first.woken, 3);
      assert((first.nextDueMs ?? Infinity) <= clock.nowMs(), "the rest is due already");
      assert.deepEqual(
        (await claimAll(store)).map(({ key }) => key),
        ["j0", "j1", "j2"],
      );
      assert.equal((await store.wakeDue(3)).woken, 2);
    });

    test("a lease that is over makes the job claimable again, counted and with a new fence; a late result is refused", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a")] });
      const first = await claimOne(store);
      assert.deepEqual(await store.wakeDue(10), { woken: 0, nextDueMs: START_MS + LEASE_MS });
      clock.advance(LEASE_MS - 1);
      assert.equal((await store.wakeDue(10)).woken, 0);
      clock.advance(1);
      assert.deepEqual(await store.wakeDue(10), { woken: 1, nextDueMs: null });
      const second = await claimOne(store);
      assert.equal(second.attempt, 2);
      assert(second.fence > first.fence);
      const late = await commitOne(store, { job: { ref: first, end: { kind: "done" } }, jobs: [job("b")] });
      assert.deepEqual([late, await stateOf(store, "b")], [{ kind: "fenced" }, "gone"]);
      assert.deepEqual(await commitOne(store, { job: { ref: second, end: { kind: "done" } } }), COMMITTED);
    });

    test("the lease of a job born in our hands ends too", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a", { heldForMs: 1_000 }), job("b", { heldForMs: 5_000 })] });
      clock.advance(1_000);
      assert.equal((await store.wakeDue(10)).woken, 1);
      const again = await claimOne(store);
      assert.deepEqual([again.key, again.attempt], ["a", 2]);
      assert(again.fence > 1);
    });

    test("a jump of the wall clock ends no lease", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a")] });
      const held = await claimOne(store);
      clock.jump(24 * 60 * 60 * 1000);
      assert.equal((await store.wakeDue(10)).woken, 0);
      assert.deepEqual(await commitOne(store, { job: { ref: held, end: { kind: "done" } } }), COMMITTED);
    });

    test("a heartbeat prolongs the leases that are ours and names those that are not", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a"), job("b")] });
      const jobs = await claimAll(store);
      assert.equal(jobs.length, 2);
      clock.advance(LEASE_MS - 1);
      const strangers = [
        { key: "a", fence: 999_999 },
        { key: "never", fence: 1 },
      ];
      assert.deepEqual(await store.extend([...jobs.slice(0, 1), ...strangers], LEASE_MS), strangers);
      clock.advance(LEASE_MS - 1);
      assert.equal((await store.wakeDue(10)).woken, 1, "only the one without a heartbeat");
      assert.equal((await claimOne(store)).key, "b");
      const lost = jobs[1];
      assert(lost !== undefined);
      assert.deepEqual(
        (await store.extend([lost], LEASE_MS)).map(({ key }) => key),
        ["b"],
      );
      assert.deepEqual(await store.extend([], LEASE_MS), []);
    });

    test("a released job is ready at once, the attempt does not count, and its reference is void", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("a")] });
      const first = await claimOne(store);
      await store.release([first, { key: "never", fence: 1 }]);
      await store.release([]);
      assert.deepEqual(await commitOne(store, { job: { ref: first, end: { kind: "done" } } }), { kind: "fenced" });
      const second = await claimOne(store);
      assert.equal(second.attempt, 1);
      assert(second.fence > first.fence);
      await store.release([first]);
      assert.equal(await stateOf(store, "a"), "held", "an old reference releases nothing");
    });

    test("keep moves the payload under the same lease and counts as progress", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a", { payload: "one" })] });
      await claimOne(store);
      clock.advance(LEASE_MS);
      await store.wakeDue(1);
      const held = await claimOne(store);
      assert.equal(held.attempt, 2);
      assert.deepEqual(
        await commitOne(store, { job: { ref: held, end: { kind: "keep", payload: "two", step: 1 } } }),
        COMMITTED,
      );
      assert.deepEqual(
        await commitOne(store, { job: { ref: held, end: { kind: "keep", payload: null, step: 2 } } }),
        COMMITTED,
      );
      const kept = (await store.jobs(["a"]))[0];
      assert.deepEqual([kept?.state, kept?.payload, kept?.attempt], ["held", "two", 1]);
      clock.advance(LEASE_MS);
      assert.equal((await store.wakeDue(1)).woken, 1, "the lease was not prolonged");
      const next = await claimOne(store);
      assert.deepEqual([next.payload, next.attempt], ["two", 2]);
    });

    test("a step whose answer was lost can be repeated: it is committed, and nothing of it happens twice", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a"), job("b", { heldForMs: LEASE_MS })] });
      for (const held of [await claimOne(store), { key: "b", fence: 1 }]) {
        const unit: Unit = {
          job: { ref: held, end: { kind: "keep", payload: held.key, step: 1 } },
          events: [event(held.key)],
          jobs: [job(`${held.key}1`, { heldForMs: LEASE_MS })],
          puts: [{ collection: "x", id: held.key, body: "{}", when: "always", nowMs: START_MS }],
        };
        assert.deepEqual(await commitOne(store, unit), COMMITTED);
        const repeated: Verdict = { kind: "committed", skipped: [`${held.key}1`] };
        const stale = { ...unit, expect: [{ collection: "x", id: held.key, version: 0 }] };
        assert.deepEqual(await store.commit([unit, stale]), [repeated, repeated], "whatever else it asks for");
        assert.equal((await store.eventsOf(held.key, 10)).length, 1);
        assert.equal((await store.documents([{ collection: "x", id: held.key }]))[0]?.version, 1);
        const next: Unit = { ...unit, job: { ref: held, end: { kind: "keep", payload: "on", step: 2 } } };
        assert.deepEqual(await store.commit([next, next]), [repeated, repeated], "the key lives; and in one commit");
        assert.equal((await store.eventsOf(held.key, 10)).length, 2);
      }
      clock.advance(LEASE_MS);
      await store.wakeDue(10);
      const anew = (await claimAll(store)).find(({ key }) => key === "a");
      assert(anew !== undefined);
      const first: Unit = { job: { ref: anew, end: { kind: "keep", payload: "anew", step: 1 } }, events: [event("a")] };
      assert.deepEqual(await commitOne(store, first), COMMITTED, "who holds it next counts anew");
      assert.deepEqual([(await store.jobs(["a"]))[0]?.payload, (await store.eventsOf("a", 10)).length], ["anew", 3]);
    });

    test("a job comes back when it is due: after a failure counted and with its error, after progress afresh", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a")] });
      const first = await claimOne(store);
      const again = { kind: "again", payload: "[2]", dueMs: START_MS + 100, turn: 4 } as const;
      await commitOne(store, { job: { ref: first, end: { ...again, attempts: "count", error: "busy" } } });
      const waiting = (await store.jobs(["a"]))[0];
      assert.deepEqual(waiting, {
        key: "a",
        queue: QUEUE,
        lane: "transactional",
        state: "waiting",
        dueMs: START_MS + 100,
        attempt: 1,
        payload: "[2]",
        error: "busy",
      });
      clock.advance(100);
      await store.wakeDue(1);
      const second = await claimOne(store);
      assert.deepEqual([second.attempt, second.payload, second.turn], [2, "[2]", 4]);
      const now = { ...again, dueMs: START_MS, attempts: "reset", error: null } as const;
      await commitOne(store, { job: { ref: second, end: now } });
      const ready = (await store.jobs(["a"]))[0];
      assert.deepEqual([ready?.state, ready?.error], ["ready", null]);
      const third = await claimOne(store);
      assert.equal(third.attempt, 1);
      assert(third.fence > second.fence);
    });

    test("take removes a job that nobody holds, and only that", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("ready"), job("waiting", { dueMs: START_MS + 9_999_999 })] });
      await commitOne(store, { jobs: [job("held", { heldForMs: LEASE_MS })] });
      assert.deepEqual(await commitOne(store, { take: "ready" }), COMMITTED);
      assert.deepEqual(await commitOne(store, { take: "waiting" }), COMMITTED);
      assert.deepEqual(await commitOne(store, { take: "waiting" }), { kind: "gone" });
      assert.deepEqual(await commitOne(store, { take: "held" }), { kind: "held" });
      clock.advance(LEASE_MS);
      await store.wakeDue(1);
      assert.deepEqual(await commitOne(store, { take: "held" }), COMMITTED);
      assert.deepEqual(await store.depths(), []);
    });

    test("a job that gave up is a dead letter with its error, and is claimed no more", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a", { payload: "p" })] });
      const held = await claimOne(store);
      clock.advance(10);
      await commitOne(store, { job: { ref: held, end: { kind: "dead", error: "no use" } } });
      assert.equal(await stateOf(store, "a"), "gone");
      const dead = {
        key: "a",
        queue: QUEUE,
        lane: "transactional",
        payload: "p",
        traceparent: null,
        attempt: 1,
        error: "no use",
        enqueuedMs: START_MS,
        deadMs: START_MS + 10,
      };
      assert.deepEqual(await store.deadJob("a"), dead);
      assert.equal(await store.deadJob("b"), null);
      assert.deepEqual(await store.deadJobs({ queue: null, after: null, limit: 9 }), [dead]);
      clock.advance(LEASE_MS);
      assert.deepEqual(await store.wakeDue(9), { woken: 0, nextDueMs: null });
    });

    test("a dead letter can be written that never was a job, and revived like any other", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const dead = {
        key: "consumer:log#3",
        queue: "consumer:log",
        lane: "bulk" as const,
        payload: '{"redrive":3}',
        traceparent: null,
        attempt: 3,
        error: "cannot read this",
        enqueuedMs: clock.nowMs(),
        deadMs: clock.nowMs(),
      };
      await store.commit([{ buried: [dead] }]);
      assert.deepEqual(await store.deadJob(dead.key), dead);
      await store.commit([{ dead: { key: dead.key, then: "revive" } }]);
      const [job] = await store.claim([{ queue: dead.queue, lane: "bulk", limit: 5 }], 1_000);
      assert.deepEqual({ key: job?.key, payload: job?.payload }, { key: dead.key, payload: dead.payload });
    });

    test("a dead letter is revived afresh, also with another payload, or discarded; once", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      for (const key of ["a", "b", "c"]) {
        await commitOne(store, { jobs: [job(key, { payload: "old" })] });
        await commitOne(store, { job: { ref: await claimOne(store), end: { kind: "dead", error: "e" } } });
      }
      clock.advance(5);
      assert.deepEqual(await commitOne(store, { dead: { key: "a", then: "revive" } }), COMMITTED);
      const first = await claimOne(store);
      assert.deepEqual([first.key, first.payload, first.attempt, first.enqueuedMs], ["a", "old", 1, START_MS + 5]);
      assert.deepEqual(await commitOne(store, { dead: { key: "b", then: "revive", payload: "new" } }), COMMITTED);
      assert.equal((await claimOne(store)).payload, "new");
      assert.deepEqual(await commitOne(store, { dead: { key: "c", then: "discard" } }), COMMITTED);
      for (const key of ["a", "c", "never"]) {
        assert.deepEqual(await commitOne(store, { dead: { key, then: "revive" } }), { kind: "gone" });
      }
      assert.deepEqual(await store.deadJobs({ queue: null, after: null, limit: 9 }), []);
    });

    test("a dead letter is not revived beside a living job of its key", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("a", { payload: "old" })] });
      await commitOne(store, { job: { ref: await claimOne(store), end: { kind: "dead", error: "e" } } });
      assert.deepEqual(await commitOne(store, { jobs: [job("a", { payload: "new" })] }), COMMITTED);
      assert.deepEqual(await commitOne(store, { dead: { key: "a", then: "revive" } }), { kind: "held" });
      const living = await claimOne(store);
      await commitOne(store, { job: { ref: living, end: { kind: "dead", error: "again" } } });
      const dead = await store.deadJob("a");
      assert.deepEqual([dead?.payload, dead?.error], ["new", "again"], "the newer letter takes the place of the older");
    });

    test("dead letters are listed by key in pages, of one queue or of all", async () => {
      await using at = await world.open();
      const { store } = at;
      const letters = ["d", "b", "a", "c", "e"];
      for (const [n, key] of letters.entries()) {
        await commitOne(store, { jobs: [job(key, { heldForMs: LEASE_MS, queue: n % 2 === 0 ? QUEUE : "other" })] });
        await commitOne(store, { job: { ref: { key, fence: 1 }, end: { kind: "dead", error: "e" } } });
      }
      const keys = async (queue: string | null, after: string | null, limit: number) =>
        (await store.deadJobs({ queue, after, limit })).map(({ key }) => key);
      assert.deepEqual(await keys(null, null, 3), ["a", "b", "c"]);
      assert.deepEqual(await keys(null, "c", 3), ["d", "e"]);
      assert.deepEqual(await keys(QUEUE, null, 9), ["a", "d", "e"]);
      assert.deepEqual(await keys("other", "b", 9), ["c"]);
    });

    test("jobs in a range of keys are counted up to a bound, wherever they are, with the first and the oldest", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const within = (from: string, before: string, atMost = 9) => store.jobsWithin({ from, before, atMost });
      assert.deepEqual(await within("", "z"), { jobs: 0, firstKey: null, oldestMs: null });
      await commitOne(store, { jobs: [job("r/c"), job("r/e", { heldForMs: LEASE_MS }), job("s/a")] });
      await commitOne(store, { jobs: [job("gone", { heldForMs: LEASE_MS })] });
      await commitOne(store, { job: { ref: { key: "gone", fence: 1 }, end: { kind: "dead", error: "e" } } });
      clock.advance(7);
      await commitOne(store, { jobs: [job("r/b"), job("r/\u{1f600}", { dueMs: START_MS + 99_999 })] });
      assert.deepEqual(await within("r/", "r0"), { jobs: 4, firstKey: "r/b", oldestMs: START_MS });
      assert.deepEqual(await within("r/", "r0", 1), { jobs: 1, firstKey: "r/b", oldestMs: START_MS + 7 });
      assert.deepEqual(await within("r/f", "s/a"), { jobs: 1, firstKey: "r/\u{1f600}", oldestMs: START_MS + 7 });
      assert.deepEqual(await within("g", "h"), { jobs: 0, firstKey: null, oldestMs: null }, "the dead are elsewhere");
    });

    test("depths count every queue and lane, and know how old the oldest ready job is", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      assert.deepEqual(await store.depths(), []);
      await commitOne(store, { jobs: [job("d", { heldForMs: LEASE_MS }), job("h", { heldForMs: LEASE_MS })] });
      await commitOne(store, { job: { ref: { key: "d", fence: 1 }, end: { kind: "dead", error: "e" } } });
      await commitOne(store, { jobs: [job("r1"), job("w", { dueMs: START_MS + 99_999 }), job("s", { lane: "bulk" })] });
      clock.advance(7);
      await commitOne(store, { jobs: [job("r2", { turn: -1 })] });
      assert.deepEqual(await store.depths(), [
        {
          queue: QUEUE,
          lane: "transactional",
          waiting: 1,
          ready: 2,
          held: 1,
          parked: 0,
          dead: 1,
          oldestReadyMs: START_MS,
        },
        { queue: QUEUE, lane: "bulk", waiting: 0, ready: 1, held: 0, parked: 0, dead: 0, oldestReadyMs: START_MS },
      ]);
    });

    test("two who claim at the same time never get the same job", async () => {
      await using at = await world.open();
      const { store } = at;
      await store.commit(Array.from({ length: 200 }, (_, n) => ({ jobs: [job(`j${n}`)] })));
      const claims = await Promise.all(Array.from({ length: 20 }, () => claimAll(store, 15)));
      const keys = claims.flat().map(({ key }) => key);
      assert.equal(keys.length, 200);
      assert.equal(new Set(keys).size, 200);
    });

    test("a key that is born again is not in the hands of who held it in its first life", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { jobs: [job("a")] });
      const first = await claimOne(store);
      clock.advance(LEASE_MS);
      await store.wakeDue(1);
      await commitOne(store, { job: { ref: await claimOne(store), end: { kind: "done" } } });
      await commitOne(store, { jobs: [job("a")] });
      await claimOne(store);
      assert.deepEqual(await commitOne(store, { job: { ref: first, end: { kind: "done" } } }), { kind: "fenced" });
    });
  });
}
