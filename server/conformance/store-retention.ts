import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  birth,
  claimOne,
  commitOne,
  job,
  message,
  request,
  requestIdOf,
  START_MS,
  type StoreWorld,
} from "#conformance/store-world.ts";
import { memberMessageId, newRequestId, type RequestId, soleMessageId } from "#domain/ids.ts";
import { jobKeysOf, type Store, type Unit } from "#ports/store.ts";

const DAY_MS = 86_400_000;
/** Everything that was accepted on the first day is old. */
const OLDER_THAN_MS = START_MS + DAY_MS;

/** A request of the first day, `n` seconds into it. */
const old = (n: number): RequestId => newRequestId(START_MS + n * 1_000, n.toString(16).padStart(24, "0"));

/** Blobs of a request: a large field and a file. */
const blobsOf = (id: RequestId): string[] => [`${id}-f0`, `${id}-a0`];

/** A request to one person, or to several, with two blobs. */
function accepted(id: RequestId, recipients: readonly string[] = [], changes: Unit = {}): Unit {
  const sole = birth(message(1, { id: soleMessageId(id), requestId: id }));
  const members = recipients.map((who) =>
    birth(message(1, { id: memberMessageId(id, who), requestId: id, recipient: who })),
  );
  return {
    requests: [request(1, { id })],
    messages: recipients.length === 0 ? [sole] : members,
    blobs: blobsOf(id).map((blob) => ({ id: blob, bytes: 9, owner: id })),
    ...changes,
  };
}

/** Per request: whether it is there, how many messages it has, how many of its blobs are named. */
async function left(store: Store, ids: readonly RequestId[]): Promise<readonly [boolean, number, number][]> {
  const requests = await store.requests(ids);
  return await Promise.all(
    ids.map(async (id, at): Promise<[boolean, number, number]> => {
      const counts = Object.values(await store.countOutcomes(id));
      const unnamed = await store.unnamedBlobs(blobsOf(id));
      return [requests[at] !== null, counts.reduce((sum, count) => sum + count, 0), 2 - unnamed.length];
    }),
  );
}

/** Calls until the end; tells how many went, and in how many calls. */
async function trimAll(store: Store, limit: number): Promise<{ deleted: number; calls: number }> {
  let after: RequestId | null = null;
  let total = 0;
  for (let calls = 1; calls < 100; calls += 1) {
    const { deleted, next } = await store.trimRequests({ olderThanMs: OLDER_THAN_MS, after, limit });
    total += deleted;
    if (next === null) return { deleted: total, calls };
    after = next;
  }
  throw new Error("a trim that has no end");
}

const GONE = [false, 0, 0];

export function retentionSentences(world: StoreWorld): void {
  describe("retention", () => {
    test("an old request goes with its messages and the names of its blobs, and younger ones stay whole", async () => {
      await using at = await world.open();
      const { store } = at;
      const [one, many, young] = [old(1), old(2), newRequestId(OLDER_THAN_MS, "0".repeat(24))];
      await store.commit([accepted(one), accepted(many, ["a", "b"]), accepted(young, ["a"])]);
      await commitOne(store, { blobs: [{ id: "upload-1", bytes: 1, owner: "upload:upload-1" }] });
      assert.deepEqual(await store.trimRequests({ olderThanMs: OLDER_THAN_MS, after: null, limit: 10 }), {
        deleted: 2,
        next: null,
      });
      assert.deepEqual(await left(store, [one, many, young]), [GONE, GONE, [true, 1, 2]]);
      assert.deepEqual(await store.messages([soleMessageId(one), memberMessageId(many, "a")]), [null, null]);
      const listed = await store.listMessages({}, { after: null, limit: 9 });
      assert.deepEqual(
        listed.messages.map(({ id }) => id),
        [memberMessageId(young, "a")],
      );
      assert.deepEqual(await store.unnamedBlobs(["upload-1"]), [], "an upload is nobody's");
    });

    test("a store without old requests is left as it is", async () => {
      await using at = await world.open();
      const { store } = at;
      const none = { deleted: 0, next: null };
      assert.deepEqual(await store.trimRequests({ olderThanMs: OLDER_THAN_MS, after: null, limit: 10 }), none);
      await commitOne(store, accepted(old(5)));
      for (const olderThanMs of [START_MS + 5_000, 0, -DAY_MS])
        assert.deepEqual(await store.trimRequests({ olderThanMs, after: null, limit: 10 }), none);
      assert.deepEqual(await left(store, [old(5)]), [[true, 1, 2]]);
    });

    test("a message that waits for its time keeps its request and all that belongs to it", async () => {
      await using at = await world.open();
      const { store } = at;
      const [one, many] = [old(1), old(2)];
      const dueMs = START_MS + 300 * DAY_MS;
      const later = job(memberMessageId(many, "b"), { dueMs });
      await store.commit([
        accepted(one, [], { jobs: [job(soleMessageId(one), { dueMs })] }),
        accepted(many, ["a", "b"], { jobs: [later] }),
      ]);
      assert.deepEqual(await trimAll(store, 10), { deleted: 0, calls: 1 });
      const kept = [
        [true, 1, 2],
        [true, 2, 2],
      ];
      assert.deepEqual(await left(store, [one, many]), kept);
      await store.commit([{ take: soleMessageId(one) }, { take: later.key }]);
      assert.deepEqual(await trimAll(store, 10), { deleted: 2, calls: 1 });
      assert.deepEqual(await left(store, [one, many]), [GONE, GONE]);
    });

    test("a fan-out that is still expanding keeps it, ready or in hand", async () => {
      await using at = await world.open();
      const { store } = at;
      const id = old(1);
      await commitOne(store, accepted(id, ["a"], { jobs: [job(jobKeysOf(id).fanOut)] }));
      assert.equal((await trimAll(store, 10)).deleted, 0);
      const held = await claimOne(store);
      assert.equal((await trimAll(store, 10)).deleted, 0);
      assert.deepEqual(await left(store, [id]), [[true, 1, 2]]);
      await commitOne(store, { job: { ref: held, end: { kind: "done" } } });
      assert.equal((await trimAll(store, 10)).deleted, 1);
    });

    test("a dead letter keeps it until it is revived and done, or discarded", async () => {
      await using at = await world.open();
      const { store } = at;
      const ids = [old(1), old(2), old(3)] as const;
      const keys = [jobKeysOf(ids[0]).fanOut, soleMessageId(ids[1]), memberMessageId(ids[2], "b")];
      await store.commit([accepted(ids[0], ["a"]), accepted(ids[1]), accepted(ids[2], ["a", "b"])]);
      for (const key of keys) {
        await commitOne(store, { jobs: [job(key)] });
        const held = await claimOne(store);
        await commitOne(store, { job: { ref: held, end: { kind: "dead", error: "e" } } });
      }
      assert.equal((await trimAll(store, 10)).deleted, 0);
      assert.deepEqual(await left(store, ids), [
        [true, 1, 2],
        [true, 1, 2],
        [true, 2, 2],
      ]);
      await store.commit(keys.map((key) => ({ dead: { key, then: "discard" } })));
      assert.equal((await trimAll(store, 10)).deleted, 3);
    });

    test("a job of another request, however alike its key, keeps nothing", async () => {
      await using at = await world.open();
      const { store } = at;
      const id = old(1);
      const others = [`${id}0`, `${id};`, `expand:${id}:a`, `x:${id}`, id.slice(0, -1), id.toUpperCase()];
      const alike = { id: `${id}-a9`, bytes: 1, owner: "another" };
      await store.commit([accepted(id), { jobs: others.map((key) => job(key)), blobs: [alike] }]);
      assert.equal((await trimAll(store, 10)).deleted, 1);
      assert.deepEqual(await store.unnamedBlobs([alike.id]), [], "nor does it lose what is another's");
    });

    test("goes on behind those that must be kept, however many they are", async () => {
      await using at = await world.open();
      const { store } = at;
      const ids = Array.from({ length: 9 }, (_, n) => old(n));
      const waits = (n: number): boolean => n < 4 || n === 6;
      await store.commit(
        ids.map((id, n) => accepted(id, [], waits(n) ? { jobs: [job(soleMessageId(id), { dueMs: DAY_MS })] } : {})),
      );
      assert.deepEqual(await store.trimRequests({ olderThanMs: OLDER_THAN_MS, after: null, limit: 2 }), {
        deleted: 0,
        next: ids[1],
      });
      assert.deepEqual(await trimAll(store, 2), { deleted: 4, calls: 5 });
      assert.deepEqual(
        (await store.requests(ids)).map((one) => one !== null),
        ids.map((_, n) => waits(n)),
      );
    });

    test("a request with very many messages goes in bounded steps, and last of all", async () => {
      await using at = await world.open();
      const { store } = at;
      const recipients = Array.from({ length: 7 }, (_, n) => `r${n}`);
      const [large, next, young] = [old(1), old(2), requestIdOf(1).replace("6955b900", "7fffffff") as RequestId];
      await store.commit([accepted(large, recipients), accepted(next), accepted(young)]);
      const seen: unknown[] = [];
      let after: RequestId | null = null;
      do {
        const step: Awaited<ReturnType<Store["trimRequests"]>> = await store.trimRequests({
          olderThanMs: OLDER_THAN_MS,
          after,
          limit: 3,
        });
        after = step.next;
        seen.push([step.deleted, ...(await left(store, [large, next]))]);
      } while (after !== null && seen.length < 9);
      assert.deepEqual(seen, [
        [0, [true, 4, 2], [true, 1, 2]],
        [0, [true, 1, 2], [true, 1, 2]],
        [2, GONE, GONE],
      ]);
      assert.deepEqual(await left(store, [young]), [[true, 1, 2]]);
    });

    test("what is gone can be asked for and written to, without effect", async () => {
      await using at = await world.open();
      const { store } = at;
      const id = old(1);
      await commitOne(store, accepted(id));
      await trimAll(store, 10);
      await commitOne(store, {
        patches: [{ id: soleMessageId(id), status: "DELIVERED", deliveredMs: START_MS }],
        archive: [{ request: id, atMs: START_MS }],
      });
      assert.deepEqual(await left(store, [id]), [GONE]);
      assert.deepEqual(await trimAll(store, 10), { deleted: 0, calls: 1 });
    });
  });
}
