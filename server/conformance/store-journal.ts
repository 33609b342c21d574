import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMMITTED, commitOne, event, START_MS, type StoreWorld } from "#conformance/store-world.ts";
import { partitionOf } from "#domain/partition.ts";
import type { Store } from "#ports/store.ts";

async function append(store: Store, count: number, from = 0): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => event(`s${from + n}`, { timeMs: START_MS + from + n }));
  await commitOne(store, { events });
}

export function journalSentences(world: StoreWorld): void {
  describe("the journal", () => {
    test("is empty at first", async () => {
      await using at = await world.open();
      assert.deepEqual(await at.store.readJournal({ after: 0, limit: 10 }), { events: [], upTo: 0 });
      assert.deepEqual(await at.store.journalBounds(), { first: 0, last: 0, bytes: 0 });
      assert.deepEqual(await at.store.eventsOf("s0", 10), []);
    });

    test("gives every event a position from 1, in the order of units and commits, without gaps", async () => {
      await using at = await world.open();
      const { store } = at;
      await store.commit([
        { events: [event("a"), event("b")] },
        { take: "nobody", events: [event("x")] },
        { events: [event("c")] },
      ]);
      await commitOne(store, { events: [event("d")] });
      const { events, upTo } = await store.readJournal({ after: 0, limit: 10 });
      assert.deepEqual(
        events.map(({ position, subject }) => [position, subject]),
        [
          [1, "a"],
          [2, "b"],
          [3, "c"],
          [4, "d"],
        ],
      );
      assert.equal(upTo, 4);
      const bounds = await store.journalBounds();
      assert.deepEqual([bounds.first, bounds.last], [1, 4]);
      assert(bounds.bytes > 100 && bounds.bytes < 10_000, `${bounds.bytes} bytes for four small events`);
    });

    test("an event of our own gets an id from its position, our source, and its subject for a key", async () => {
      await using at = await world.open();
      await commitOne(at.store, {
        events: [event("a", { type: "t.happened", data: "[1]", traceparent: "tp", timeMs: START_MS + 3 })],
      });
      assert.deepEqual(await at.store.eventsOf("a", 9), [
        {
          position: 1,
          id: "evt_1",
          source: "tidings",
          type: "t.happened",
          subject: "a",
          timeMs: START_MS + 3,
          data: "[1]",
          traceparent: "tp",
          key: "a",
        },
      ]);
    });

    test("a foreign event keeps its source and id, and is not appended twice", async () => {
      await using at = await world.open();
      const { store } = at;
      const foreign = event("order", { source: "/shop", id: "17", key: "customer" });
      assert.deepEqual(await store.commit([{ events: [foreign] }, { events: [foreign, event("own")] }]), [
        COMMITTED,
        COMMITTED,
      ]);
      await commitOne(store, {
        events: [
          { ...foreign, source: "/other" },
          { ...foreign, id: "18" },
        ],
      });
      const { events } = await store.readJournal({ after: 0, limit: 9 });
      assert.deepEqual(
        events.map(({ position, source, id, key }) => [position, source, id, key]),
        [
          [1, "/shop", "17", "customer"],
          [2, "tidings", "evt_2", "own"],
          [3, "/other", "17", "customer"],
          [4, "/shop", "18", "customer"],
        ],
      );
    });

    test("is read in pages that meet without a gap", async () => {
      await using at = await world.open();
      const { store } = at;
      await append(store, 25);
      const positions: number[] = [];
      let after = 0;
      for (let pages = 0; pages < 4; pages += 1) {
        const { events, upTo } = await store.readJournal({ after, limit: 10 });
        positions.push(...events.map(({ position }) => position));
        after = upTo;
      }
      assert.deepEqual(
        positions,
        Array.from({ length: 25 }, (_, n) => n + 1),
      );
      assert.equal(after, 25);
      assert.deepEqual(await store.readJournal({ after: 25, limit: 10 }), { events: [], upTo: 25 });
      assert.deepEqual(await store.readJournal({ after: 99, limit: 10 }), { events: [], upTo: 99 }, "never goes back");
    });

    test("is divided into partitions by key: each event in exactly one, each key in one, in order", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, {
        events: Array.from({ length: 200 }, (_, n) => event(`s${n}`, n % 3 === 0 ? { key: `k${n % 7}` } : {})),
      });
      const seen: number[] = [];
      for (let index = 0; index < 4; index += 1) {
        let after = 0;
        for (;;) {
          const page = await store.readJournal({ after, limit: 16, partition: { index, of: 4 } });
          for (const { key } of page.events) assert.equal(partitionOf(key, 4), index);
          const positions = page.events.map(({ position }) => position);
          assert.deepEqual(
            positions,
            [...positions].sort((a, b) => a - b),
          );
          seen.push(...positions);
          if (page.upTo === after) break;
          after = page.upTo;
        }
        assert.equal(after, 200, "what belongs to others has been looked at too");
      }
      assert.deepEqual(
        seen.sort((a, b) => a - b),
        Array.from({ length: 200 }, (_, n) => n + 1),
      );
    });

    test("a full page of a partition ends at its last event", async () => {
      await using at = await world.open();
      await append(at.store, 100);
      const page = await at.store.readJournal({ after: 0, limit: 3, partition: { index: 1, of: 3 } });
      assert.equal(page.events.length, 3);
      assert.equal(page.upTo, page.events.at(-1)?.position);
    });

    test("tells the history of one subject, oldest first", async () => {
      await using at = await world.open();
      const { store } = at;
      await store.commit(["x", "y", "x", "x"].map((subject, n) => ({ events: [event(subject, { type: `t${n}` })] })));
      assert.deepEqual(
        (await store.eventsOf("x", 9)).map(({ type }) => type),
        ["t0", "t2", "t3"],
      );
      assert.deepEqual(
        (await store.eventsOf("x", 2)).map(({ type }) => type),
        ["t0", "t2"],
      );
    });

    test("is trimmed from its old end: never past upTo, nothing young, no more than asked", async () => {
      await using at = await world.open();
      const { store } = at;
      await append(store, 20);
      assert.equal(await store.trimJournal(0, START_MS + 99, 99), 0);
      assert.equal(await store.trimJournal(20, START_MS, 99), 0);
      assert.equal(await store.trimJournal(20, START_MS + 99, 3), 3);
      assert.equal(await store.trimJournal(20, START_MS + 8, 99), 5);
      assert.equal(await store.trimJournal(10, START_MS + 99, 99), 2);
      const { events } = await store.readJournal({ after: 0, limit: 2 });
      assert.deepEqual(
        events.map(({ position }) => position),
        [11, 12],
      );
      const bounds = await store.journalBounds();
      assert.deepEqual([bounds.first, bounds.last], [11, 20]);
      assert.deepEqual(await store.eventsOf("s3", 9), []);
    });

    test("one event that is dated into the future does not keep the older ones behind it", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { events: [event("future", { timeMs: START_MS * 2 }), event("a"), event("b")] });
      assert.equal(await store.trimJournal(3, START_MS + 1, 9), 2);
      const { events } = await store.readJournal({ after: 0, limit: 9 });
      assert.deepEqual(
        events.map(({ subject }) => subject),
        ["future"],
      );
    });

    test("a position is never given twice, also when all events have been trimmed", async () => {
      await using at = await world.open();
      const { store } = at;
      await append(store, 5);
      assert.equal(await store.trimJournal(5, START_MS + 99, 99), 5);
      assert.deepEqual(await store.journalBounds(), { first: 0, last: 5, bytes: 0 });
      assert.deepEqual(await store.readJournal({ after: 2, limit: 9 }), { events: [], upTo: 5 });
      await append(store, 1, 50);
      const { events } = await store.readJournal({ after: 0, limit: 9 });
      assert.deepEqual(
        events.map(({ position, subject }) => [position, subject]),
        [[6, "s50"]],
      );
    });

    test("a consumer's checkpoints are kept by partition and move with the commit", async () => {
      await using at = await world.open();
      const { store } = at;
      const mark = (consumer: string, partition: number, position: number) => ({
        consumer,
        partition,
        position,
        updatedMs: START_MS + position,
      });
      await commitOne(store, { checkpoints: [mark("log", 1, 4), mark("log", 0, 3), mark("hooks", 0, 9)] });
      await store.commit([{ checkpoints: [mark("log", 0, 8)] }, { take: "nobody", checkpoints: [mark("log", 1, 99)] }]);
      assert.deepEqual(await store.checkpoints("log"), [mark("log", 0, 8), mark("log", 1, 4)]);
      assert.deepEqual(await store.checkpoints(null), [mark("hooks", 0, 9), mark("log", 0, 8), mark("log", 1, 4)]);
      assert.deepEqual(await store.checkpoints("none"), []);
    });
  });
}
