import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  claimAll,
  COMMITTED,
  commitOne,
  event,
  job,
  LEASE_MS,
  QUEUE,
  stateOf,
  type StoreWorld,
  START_MS,
} from "#conformance/store-world.ts";
import type { Job, JobRef } from "#domain/job.ts";
import type { Store, Unit } from "#ports/store.ts";

const DONE = { kind: "done" } as const;
const FENCED = { kind: "fenced" } as const;

/** Units that end several jobs, beside all that others may do to the same jobs. */
export function togetherSentences(world: StoreWorld): void {
  describe("jobs that end together", () => {
    test("who names a job twice, or the one that ends beside it, is refused, and nothing of it happens", async () => {
      await using at = await world.open();
      const { store } = at;
      const [a, b] = await claimed(store, "a", "b");
      const told = { events: [event("made")], puts: [put("made")] };
      for (const also of [[b, b], [a], [b, a]]) {
        assert.deepEqual(await commitOne(store, { job: { ref: a, end: DONE }, also, ...told }), FENCED);
        const kept = { kind: "keep", payload: null, step: 1 } as const;
        assert.deepEqual(await commitOne(store, { job: { ref: a, end: kept }, also, ...told }), FENCED);
      }
      assert.deepEqual(await states(store, "a", "b"), ["held", "held"]);
      assert.deepEqual((await store.readJournal({ after: 0, limit: 9 })).events, []);
      assert.deepEqual(await store.listDocuments({ collection: "x", limit: 9 }), []);
      assert.deepEqual(await commitOne(store, { job: { ref: a, end: DONE }, also: [b], ...told }), COMMITTED);
    });

    test("none of them beside the one is as if nobody had asked for more", async () => {
      await using at = await world.open();
      const { store } = at;
      const [a] = await claimed(store, "a");
      assert.deepEqual(await commitOne(store, { job: { ref: a, end: DONE }, also: [] }), COMMITTED);
      assert.equal(await stateOf(store, "a"), "gone");
    });

    test("who has lost the first, or one that is ready, waits, is parked or dead, ends none of them", async () => {
      await using at = await world.open();
      const { store } = at;
      const [a, b, c, d] = await claimed(store, "a", "b", "c", "d");
      await store.release([b]);
      const again = {
        kind: "again",
        payload: "",
        dueMs: START_MS + 99,
        turn: 0,
        attempts: "count",
        error: null,
      } as const;
      await commitOne(store, { job: { ref: c, end: again } });
      await commitOne(store, { job: { ref: d, end: { kind: "dead", error: "x" } } });
      const never = { key: "never", fence: 1 };
      for (const other of [b, c, d, never]) {
        const unit = { events: [event("made")], jobs: [job("born")] };
        assert.deepEqual(await commitOne(store, { job: { ref: a, end: DONE }, also: [other], ...unit }), FENCED);
        assert.deepEqual(await commitOne(store, { job: { ref: other, end: DONE }, also: [a], ...unit }), FENCED);
      }
      assert.deepEqual(await states(store, "a", "b", "c", "d", "born"), ["held", "ready", "waiting", "gone", "gone"]);
      await store.park(9);
      assert.deepEqual(await commitOne(store, { job: { ref: a, end: DONE }, also: [] }), FENCED);
    });

    test("they end beside one that fails, dies or is kept; what was repeated is not done twice", async () => {
      await using at = await world.open();
      const { store } = at;
      const [a, b, c, d] = await claimed(store, "a", "b", "c", "d");
      const kept = {
        job: { ref: a, end: { kind: "keep", payload: "1", step: 1 } },
        also: [b],
        events: [event("1")],
      } as const;
      assert.deepEqual(await commitOne(store, kept), COMMITTED);
      assert.deepEqual(await commitOne(store, kept), COMMITTED, "its answer was lost");
      assert.deepEqual(await states(store, "a", "b"), ["held", "gone"]);
      assert.deepEqual(
        await commitOne(store, { job: { ref: c, end: { kind: "dead", error: "x" } }, also: [d] }),
        COMMITTED,
      );
      assert.deepEqual(await states(store, "c", "d"), ["gone", "gone"]);
      assert.deepEqual(
        (await store.deadJobs({ queue: null, after: null, limit: 9 })).map(({ key }) => key),
        ["c"],
      );
      assert.equal((await store.readJournal({ after: 0, limit: 9 })).events.length, 1);
    });

    test("a key that ended so may be born again in the same unit", async () => {
      await using at = await world.open();
      const { store } = at;
      const [a, b] = await claimed(store, "a", "b");
      const born = [job("a", { payload: "new" }), job("b", { payload: "new", heldForMs: LEASE_MS })];
      assert.deepEqual(await commitOne(store, { job: { ref: a, end: DONE }, also: [b], jobs: born }), COMMITTED);
      assert.deepEqual(await states(store, "a", "b"), ["ready", "held"]);
      assert.deepEqual(
        (await claimAll(store)).map(({ key, payload }) => [key, payload]),
        [["a", "new"]],
      );
    });

    test("units of one commit that touch the same jobs are done in their order", async () => {
      await using at = await world.open();
      const { store } = at;
      const [a, b, c, d, e] = await claimed(store, "a", "b", "c", "d", "e");
      const ends = (ref: JobRef, ...also: readonly JobRef[]): Unit => ({
        job: { ref, end: DONE },
        ...(also.length === 0 ? {} : { also }),
        events: [event(ref.key)],
      });
      const verdicts = await store.commit([
        ends(a, b),
        ends(b),
        ends(c, a),
        ends(c),
        ends(d, c),
        { take: "d" },
        ends(e, d),
        { jobs: [job("d"), job("e", { heldForMs: LEASE_MS })] },
        { take: "d" },
        ends({ key: "e", fence: 1 }, d),
        ends({ key: "e", fence: 1 }),
      ]);
      assert.deepEqual(
        verdicts.map(({ kind }) => kind),
        [
          ...["committed", "fenced", "fenced", "committed", "fenced", "held"],
          ...["committed", "committed", "committed", "fenced", "committed"],
        ],
      );
      assert.deepEqual(await states(store, "a", "b", "c", "d", "e"), ["gone", "gone", "gone", "gone", "gone"]);
      const { events } = await store.readJournal({ after: 0, limit: 99 });
      assert.deepEqual(
        events.map(({ subject }) => subject),
        ["a", "c", "e", "e"],
      );
    });

    test("several of one group that were lent together end together, and the next comes forward", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: ["a", "b", "c", "d"].map((key) => job(key, { group: "g" })) });
      const lent = await lend(store, 3);
      const [a, b, c] = lent;
      assert(a !== undefined && b !== undefined && c !== undefined);
      assert.deepEqual(
        lent.map(({ key }) => key),
        ["a", "b", "c"],
      );
      assert.deepEqual(await commitOne(store, { job: { ref: b, end: DONE }, also: [a] }), COMMITTED);
      assert.deepEqual(await lend(store, 3), [], "one of them is still out");
      assert.deepEqual(await commitOne(store, { job: { ref: c, end: DONE }, also: [] }), COMMITTED);
      assert.deepEqual(
        (await lend(store, 3)).map(({ key }) => key),
        ["d"],
      );
    });

    test("when the first of a group comes back and the others are done, it is first again", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: ["a", "b", "c"].map((key) => job(key, { group: "g" })) });
      const [a, b] = await lend(store, 2);
      assert(a !== undefined && b !== undefined);
      const again = { kind: "again", payload: "", dueMs: 0, turn: 0, attempts: "count", error: null } as const;
      assert.deepEqual(await commitOne(store, { job: { ref: a, end: again }, also: [b] }), COMMITTED);
      assert.deepEqual(
        (await lend(store, 9)).map(({ key }) => key),
        ["a", "c"],
      );
    });

    test("whoever ends the same jobs in another order at the same time: one does it, nobody waits for ever", async () => {
      await using at = await world.open();
      const { store } = at;
      const names = [...Array(24).keys()].map((n) => `j${n}`);
      const all = await claimed(store, ...names);
      const unit = (order: readonly Job[], by: string): Unit => {
        const [first, ...also] = order;
        assert(first !== undefined);
        return { job: { ref: first, end: DONE }, also, events: [event(by)] };
      };
      const verdicts = await Promise.all(
        [...Array(12).keys()].map((n) => {
          const turned = [...all.slice(2 * n), ...all.slice(0, 2 * n)];
          return commitOne(store, unit(n % 2 === 0 ? turned : turned.toReversed(), `by ${n}`));
        }),
      );
      assert.deepEqual(verdicts.filter(({ kind }) => kind === "committed").length, 1);
      assert.equal(verdicts.filter(({ kind }) => kind === "fenced").length, 11);
      assert.deepEqual(new Set(await states(store, ...names)), new Set(["gone"]));
      assert.equal((await store.readJournal({ after: 0, limit: 99 })).events.length, 1);
    });

    test("five hundred of them end in one unit", async () => {
      await using at = await world.open();
      const { store } = at;
      const names = [...Array(500).keys()].map((n) => `j${n}`);
      const [first, ...also] = await claimed(store, ...names);
      assert(first !== undefined);
      assert.deepEqual(await commitOne(store, { job: { ref: first, end: DONE }, also }), COMMITTED);
      assert.deepEqual(await store.depths(), []);
    });
  });

  describe("blobs that are no longer named", () => {
    const named = (id: string) => ({ id, bytes: 1, owner: "o" });

    test("in units of one commit the last word counts", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { blobs: [named("old"), named("stays")] });
      await store.commit([
        { blobs: [named("new"), named("twice")] },
        { unnamed: ["old", "new", "twice", "never", "never"] },
        { blobs: [named("old"), named("twice")] },
        { unnamed: ["twice"], blobs: [named("twice")] },
        { unnamed: ["old"] },
      ]);
      assert.deepEqual(await store.unnamedBlobs(["old", "new", "twice", "stays", "never"]), ["old", "new", "never"]);
    });

    test("a unit that is refused leaves them named", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { blobs: [named("b")] });
      const expect = [{ collection: "x", id: "1", version: 1 }];
      assert.equal((await commitOne(store, { expect, unnamed: ["b"] })).kind, "stale");
      assert.deepEqual(await store.unnamedBlobs(["b"]), []);
    });
  });
}

function put(id: string) {
  return { collection: "x", id, body: "{}", when: "always", nowMs: START_MS } as const;
}

/** Enqueues these and takes them all, in this order. */
async function claimed<Names extends readonly string[]>(
  store: Store,
  ...names: Names
): Promise<{ readonly [index in keyof Names]: Job }> {
  await commitOne(store, { jobs: names.map((name, turn) => job(name, { turn })) });
  const jobs = await claimAll(store, names.length);
  assert.deepEqual(
    jobs.map(({ key }) => key),
    names,
  );
  // One for each name, as was just seen.
  return jobs as { readonly [index in keyof Names]: Job };
}

async function lend(store: Store, limit: number): Promise<readonly Job[]> {
  return await store.claim([{ queue: QUEUE, lane: "transactional", limit, lendMs: LEASE_MS }], LEASE_MS);
}

async function states(store: Store, ...names: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(names.map((name) => stateOf(store, name)));
}
