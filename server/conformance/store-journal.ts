import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMMITTED, commitOne, event, START_MS, type StoreWorld } from "#conformance/store-world.ts";
import { OWN_SOURCE } from "#domain/event.ts";
import { partitionOf } from "#domain/partition.ts";
import type { Store } from "#ports/store.ts";

/** Positions as the numbers that they would have without gaps, so that each driver's can be compared with literals. */
async function ranksOf(store: Store): Promise<(position: number) => number> {
  if (store.can.gapless) return (position) => position;
  const { events } = await store.readJournal({ after: 0, limit: 1_000 });
  const ranks = new Map(events.map(({ position }, n) => [position, n + 1]));
  assert(
    events.every(({ position }, n) => position > (events[n - 1]?.position ?? 0)),
    "positions rise",
  );
  return (position) => ranks.get(position) ?? 0;
}

async function append(store: Store, count: number, from = 0): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => event(`s${from + n}`, { timeMs: START_MS + from + n }));
  await commitOne(store, { events });
}

export function journalSentences(world: StoreWorld): void {
  describe("the journal", () => {
    test("is empty at first", async () => {
      await using at = await world.open();
      assert.deepEqual(await at.store.readJournal({ after: 0, limit: 10 }), { events: [], upTo: 0 });
      assert.deepEqual(await at.store.journalBounds(), { first: 0, last: 0, events: 0, bytes: 0 });
      assert.equal(await at.store.eventsBehind(0, 9), 0);
      assert.deepEqual(await at.store.eventsOf("s0", 10), []);
    });

    test("gives every event a position, in the order of units and commits; from 1 without gaps if it says so", async () => {
      await using at = await world.open();
      const { store } = at;
      await store.commit([
        { events: [event("a"), event("b")] },
        { take: "nobody", events: [event("x")] },
        { events: [event("c")] },
      ]);
      await commitOne(store, { events: [event("d")] });
      const { events, upTo } = await store.readJournal({ after: 0, limit: 10 });
      const rank = await ranksOf(store);
      assert.deepEqual(
        events.map(({ position, subject }) => [rank(position), subject]),
        [
          [1, "a"],
          [2, "b"],
          [3, "c"],
          [4, "d"],
        ],
      );
      assert.equal(upTo, events.at(-1)?.position);
      const bounds = await store.journalBounds();
      assert.deepEqual([rank(bounds.first), rank(bounds.last), bounds.events], [1, 4, 4]);
      assert(bounds.bytes > 100 && bounds.bytes < 10_000, `${bounds.bytes} bytes for four small events`);
    });

    test("an event of our own gets an id from its position, our source, and its subject for a key", async () => {
      await using at = await world.open();
      await commitOne(at.store, {
        events: [event("a", { type: "t.happened", data: "[1]", traceparent: "tp", timeMs: START_MS + 3 })],
      });
      const { first } = await at.store.journalBounds();
      assert.equal(first, at.store.can.gapless ? 1 : first);
      assert.deepEqual(await at.store.eventsOf("a", 9), [
        {
          position: first,
          id: `evt_${first}`,
          source: "tidings",
          type: "t.happened",
          subject: "a",
          timeMs: START_MS + 3,
          data: "[1]",
          traceparent: "tp",
          key: "a",
          attributes: null,
        },
      ]);
    });

    test("keeps what else a foreign event came with, as it came", async () => {
      await using at = await world.open();
      const { store } = at;
      const attributes = '{"bus":"orders","subject":"a\\u0000b","extensions":{"n":1}}';
      await commitOne(store, {
        events: [event("a", { source: "/s", id: "1", attributes }), event("a", { source: "/s", id: "2" })],
      });
      await commitOne(store, { events: [event("a", { attributes: null }), event("a", { attributes: '{"bus":"x"}' })] });
      const kept = [attributes, null, null, '{"bus":"x"}'];
      const { events } = await store.readJournal({ after: 0, limit: 9 });
      assert.deepEqual(
        events.map((one) => one.attributes),
        kept,
      );
      assert.deepEqual(
        (await store.eventsOf("a", 9)).map((one) => one.attributes),
        kept.slice(2),
      );
    });

    test("shows as the history of a subject what we said of it, and nothing that others say", async () => {
      await using at = await world.open();
      const { store } = at;
      const forged = { source: "/s", type: "message.sent", data: "null" };
      await commitOne(store, { events: [event("m", { ...forged, id: "1" }), event("m"), event("m", forged)] });
      const history = await store.eventsOf("m", 9);
      assert.deepEqual(
        history.map(({ source, data }) => [source, data]),
        [[OWN_SOURCE, event("m").data]],
      );
      assert.equal((await store.readJournal({ after: 0, limit: 9 })).events.length, 3);
    });

    test("shows a reader only what is foreign, and of our own what it names; its pages pass over the rest", async () => {
      await using at = await world.open();
      const { store } = at;
      const subjects: string[] = [];
      for (let n = 0; n < 12; n += 1) {
        const one = [
          event(`own${n}`, { type: "message.sent" }),
          event(`rule${n}`, { type: "rule.changed" }),
          event(`foreign${n}`, { type: "message.sent", source: "/s", id: `${n}` }),
        ][n % 3];
        assert(one !== undefined);
        subjects.push(one.subject);
        await commitOne(store, { events: [one] });
      }
      await append(store, 5);
      const { last } = await store.journalBounds();
      const read = async (foreignAnd: readonly string[], limit: number, partition?: { index: number; of: number }) => {
        const found: string[] = [];
        for (let after = 0, pages = 0; after < last; pages += 1) {
          const page = await store.readJournal({ after, limit, foreignAnd, ...(partition && { partition }) });
          assert(page.upTo > after && page.events.length <= limit && pages < 20);
          found.push(...page.events.map(({ subject }) => subject));
          after = page.upTo;
        }
        return found;
      };
      const foreign = subjects.filter((subject) => subject.startsWith("foreign"));
      const both = subjects.filter((subject) => !subject.startsWith("own"));
      assert.deepEqual([await read([], 2), await read([], 99)], [foreign, foreign]);
      assert.deepEqual([await read(["rule.changed", "never"], 3), await read(["rule.changed"], 99)], [both, both]);
      const parts = await Promise.all([0, 1].map((index) => read(["rule.changed"], 2, { index, of: 2 })));
      for (const [index, part] of parts.entries())
        assert.deepEqual(
          part,
          both.filter((subject) => partitionOf(subject, 2) === index),
        );
      assert.deepEqual(await store.readJournal({ after: last, limit: 9, foreignAnd: [] }), { events: [], upTo: last });
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
      const rank = await ranksOf(store);
      assert.deepEqual(
        events.map(({ position, source, id, key }) => [rank(position), source, id, key]),
        [
          [1, "/shop", "17", "customer"],
          [2, "tidings", `evt_${events[1]?.position}`, "own"],
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
        positions.map(await ranksOf(store)),
        Array.from({ length: 25 }, (_, n) => n + 1),
      );
      assert.equal(after, positions.at(-1));
      assert.deepEqual(await store.readJournal({ after, limit: 10 }), { events: [], upTo: after });
      const beyond = after + 99;
      assert.deepEqual(
        await store.readJournal({ after: beyond, limit: 10 }),
        { events: [], upTo: beyond },
        "never back",
      );
    });

    test("tells how many events a reader has still to read, as far as it is asked to count", async () => {
      await using at = await world.open();
      const { store } = at;
      await append(store, 25);
      const { events } = await store.readJournal({ after: 0, limit: 10 });
      const { last } = await store.journalBounds();
      const tenth = events.at(-1)?.position ?? 0;
      assert.deepEqual(
        await Promise.all([0, tenth, last, Number.MAX_SAFE_INTEGER].map((from) => store.eventsBehind(from, 99))),
        [25, 15, 0, 0],
      );
      assert.deepEqual(await Promise.all([24, 25, 26].map((atMost) => store.eventsBehind(0, atMost))), [24, 25, 25]);
      assert.equal(await store.trimJournal(tenth, START_MS + 99, 99), 10);
      assert.equal(await store.eventsBehind(0, 99), 15, "what was trimmed is not to be read any more");
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
        assert.equal(after, (await store.journalBounds()).last, "what belongs to others has been looked at too");
      }
      assert.deepEqual(
        seen.sort((a, b) => a - b).map(await ranksOf(store)),
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
      const rank = await ranksOf(store);
      const all = await store.readJournal({ after: 0, limit: 20 });
      const [tenth, last] = [all.events[9]?.position ?? 0, all.upTo];
      assert.equal(await store.trimJournal(0, START_MS + 99, 99), 0);
      assert.equal(await store.trimJournal(last, START_MS, 99), 0);
      assert.equal(await store.trimJournal(last, START_MS + 99, 3), 3);
      assert.equal(await store.trimJournal(last, START_MS + 8, 99), 5);
      assert.equal(await store.trimJournal(tenth, START_MS + 99, 99), 2);
      const { events } = await store.readJournal({ after: 0, limit: 2 });
      assert.deepEqual(
        events.map(({ position }) => rank(position)),
        [11, 12],
      );
      const bounds = await store.journalBounds();
      assert.deepEqual([rank(bounds.first), rank(bounds.last), bounds.events], [11, 20, 10]);
      assert.deepEqual(await store.eventsOf("s3", 9), []);
    });

    test("one event that is dated into the future does not keep the older ones behind it", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { events: [event("future", { timeMs: START_MS * 2 }), event("a"), event("b")] });
      assert.equal(await store.trimJournal((await store.journalBounds()).last, START_MS + 1, 9), 2);
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
      const { first, last } = await store.journalBounds();
      assert.equal(await store.trimJournal(last, START_MS + 99, 99), 5);
      assert.deepEqual(await store.journalBounds(), { first: 0, last, events: 0, bytes: 0 });
      assert.deepEqual(await store.readJournal({ after: first + 1, limit: 9 }), { events: [], upTo: last });
      await append(store, 1, 50);
      const { events } = await store.readJournal({ after: 0, limit: 9 });
      assert.deepEqual(
        events.map(({ subject }) => subject),
        ["s50"],
      );
      const position = events[0]?.position ?? 0;
      assert(store.can.gapless ? position === last + 1 : position > last, `${position} after ${last}`);
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
