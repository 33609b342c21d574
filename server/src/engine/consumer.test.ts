import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordedEvent } from "#domain/event.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { type Consumer, startConsumer } from "#engine/consumer.ts";
import { Engine } from "#engine/engine.ts";
import { tidy } from "#engine/upkeep.ts";
import { openRegistry } from "#observers/metrics/registry.ts";
import { silentLog } from "#ports/log.ts";

class Reading {
  readonly clock = new ManualClock();
  readonly registry = openRegistry();
  store: MemoryStore = openMemoryStore({ clock: this.clock });
  engine: Engine = this.#open();

  #open(): Engine {
    const { store, clock, registry: meter } = this;
    return new Engine({ store, clock, dice: seededDice(3), log: silentLog, meter });
  }

  static async start(): Promise<Reading> {
    const reading = new Reading();
    await reading.engine.start();
    return reading;
  }

  /** The process dies; another one goes on with what was committed. */
  async restart(): Promise<void> {
    this.store = this.store.crash();
    this.engine = this.#open();
    await this.engine.start();
  }

  async append(...subjects: readonly string[]): Promise<void> {
    const timeMs = this.clock.nowMs();
    const events = subjects.map((subject) => ({
      type: "thing.happened",
      subject,
      timeMs,
      data: "{}",
      traceparent: null,
    }));
    await this.engine.commit({ events });
    await this.quiet();
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 100; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  async pass(ms: number, stepMs = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await this.quiet();
    }
  }

  async dead(): Promise<readonly string[]> {
    return (await this.store.deadJobs({ queue: null, after: null, limit: 100 })).map(({ key }) => key);
  }
}

function consumer(handle: Consumer["handle"], given: Partial<Consumer> = {}): Consumer {
  return {
    name: "log",
    startFrom: "earliest",
    batchMax: 10,
    partitions: 1,
    attemptsMax: 3,
    ageMaxMs: null,
    bisect: true,
    handle,
    ...given,
  };
}

const subjects = (events: readonly RecordedEvent[]): string[] => events.map(({ subject }) => subject);

test("a consumer reads everything in order, in batches, and is woken by what is appended", async () => {
  const reading = await Reading.start();
  await reading.append("a", "b", "c");
  const batches: string[][] = [];
  const handle: Consumer["handle"] = async (events) => {
    batches.push(subjects(events));
    return {};
  };
  await startConsumer(reading.engine, consumer(handle, { batchMax: 2 }));
  await reading.quiet();
  await reading.append("d");
  assert.deepEqual(batches, [["a", "b"], ["c"], ["d"]]);
  const [checkpoint] = await reading.store.checkpoints("log");
  assert.equal(checkpoint?.position, 4);
});

test("one that starts at the latest sees only what comes after it", async () => {
  const reading = await Reading.start();
  await reading.append("a");
  const seen: string[] = [];
  const handle: Consumer["handle"] = async (events) => {
    seen.push(...subjects(events));
    return {};
  };
  await startConsumer(reading.engine, consumer(handle, { startFrom: "latest" }));
  await reading.append("b");
  assert.deepEqual(seen, ["b"]);
});

test("what it causes is committed with its checkpoint: after a crash in the middle nothing is missing or doubled", async () => {
  const reading = await Reading.start();
  await reading.append("a", "b", "c", "d");
  let hang = true;
  const handle: Consumer["handle"] = async (events) => {
    if (subjects(events).includes("c") && hang) await new Promise(() => {});
    const nowMs = reading.clock.nowMs();
    return {
      puts: events.map(({ subject }) => ({
        collection: "seen",
        id: subject,
        body: "1",
        when: "always" as const,
        nowMs,
      })),
    };
  };
  const one = consumer(handle, { batchMax: 2 });
  await startConsumer(reading.engine, one);
  await reading.quiet();
  hang = false;
  await reading.restart();
  await startConsumer(reading.engine, one);
  await reading.quiet();
  const seen = await reading.store.listDocuments({ collection: "seen", limit: 10 });
  assert.deepEqual(
    seen.map(({ id, version }) => [id, version]),
    [
      ["a", 1],
      ["b", 1],
      ["c", 1],
      ["d", 1],
    ],
  );
});

test("partitions work side by side, and the events of one key stay in order", async () => {
  const reading = await Reading.start();
  const keys = [...Array(40).keys()].map((n) => `key-${n % 8}`);
  await reading.append(...keys);
  const seen = new Map<string, number[]>();
  let atOnce = 0;
  let most = 0;
  const handle: Consumer["handle"] = async (events) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await Promise.resolve();
    for (const { subject, position } of events) seen.set(subject, [...(seen.get(subject) ?? []), position]);
    atOnce -= 1;
    return {};
  };
  await startConsumer(reading.engine, consumer(handle, { partitions: 4, batchMax: 3 }));
  await reading.pass(2_000);
  assert.equal([...seen.values()].flat().length, 40);
  for (const positions of seen.values())
    assert.deepEqual(
      positions,
      positions.toSorted((one, other) => one - other),
    );
  assert.ok(most > 1, "more than one partition worked at once");
});

test("a batch that fails is halved until the event that fails stands alone, and the others are not held up", async () => {
  const reading = await Reading.start();
  await reading.append("a", "b", "poison", "c", "d");
  const handled: string[] = [];
  const handle: Consumer["handle"] = async (events) => {
    if (subjects(events).includes("poison")) throw new Error("cannot read this");
    handled.push(...subjects(events));
    return {};
  };
  await startConsumer(reading.engine, consumer(handle));
  await reading.pass(60_000);
  assert.deepEqual(handled, ["a", "b", "c", "d"]);
  assert.deepEqual(await reading.dead(), ["consumer:log#3"]);
  const dead = await reading.store.deadJob("consumer:log#3");
  assert.match(dead?.error ?? "", /cannot read this/);
  assert.equal(dead?.attempt, 3);
  const counted = (await reading.registry.text()).match(/^tidings_consumer_(?:events|failures)_total.*$/gm);
  assert.deepEqual(counted, [
    'tidings_consumer_events_total{consumer="log",outcome="handled"} 4',
    'tidings_consumer_events_total{consumer="log",outcome="dead"} 1',
    // Five, then three of them, then the one that fails three times.
    'tidings_consumer_failures_total{consumer="log"} 5',
  ]);
});

test("a dead letter of a consumer can be re-driven when its handler is mended", async () => {
  const reading = await Reading.start();
  let broken = true;
  const handled: string[] = [];
  const handle: Consumer["handle"] = async (events) => {
    if (broken) throw new Error("broken");
    handled.push(...subjects(events));
    return {};
  };
  await startConsumer(reading.engine, consumer(handle));
  await reading.append("a");
  await reading.pass(60_000);
  broken = false;
  assert.equal((await reading.engine.settleDead("consumer:log#1", "revive"))?.kind, "committed");
  await reading.pass(1_000);
  // It also reads the event that tells of the re-driving.
  assert.deepEqual(handled.toSorted(), ["a", "consumer:log#1"]);
  assert.deepEqual(await reading.dead(), []);
});

test("an event that fails and is too old is not tried again", async () => {
  const reading = await Reading.start();
  await reading.append("a");
  reading.clock.advance(120_000);
  let tries = 0;
  const handle: Consumer["handle"] = async () => {
    tries += 1;
    throw new Error("no");
  };
  await startConsumer(reading.engine, consumer(handle, { ageMaxMs: 60_000, attemptsMax: 100 }));
  await reading.pass(60_000);
  assert.equal(tries, 1);
  assert.deepEqual(await reading.dead(), ["consumer:log#1"]);
});

test("one that is divided into more partitions misses nothing", async () => {
  const reading = await Reading.start();
  await reading.append("a", "b");
  const seen: string[] = [];
  const handle: Consumer["handle"] = async (events) => {
    seen.push(...subjects(events));
    return {};
  };
  await startConsumer(reading.engine, consumer(handle));
  await reading.quiet();
  await reading.restart();
  await startConsumer(reading.engine, consumer(handle, { partitions: 3 }));
  await reading.append("c", "d", "e");
  await reading.pass(6_000);
  assert.deepEqual(seen.toSorted(), ["a", "b", "c", "d", "e"]);
});

test("retention deletes what is old or too much, but never what a consumer has still to read", async () => {
  const reading = await Reading.start();
  const blobs = openMemoryBlobStore({ clock: reading.clock });
  const day = 86_400_000;
  const retention = { messagesAgeMaxMs: 90 * day, journalAgeMaxMs: 30 * day, journalEventsMax: 5, evenUnread: false };
  let hang: Promise<void> | null = new Promise<void>(() => {});
  const handle: Consumer["handle"] = async () => {
    if (hang !== null) await hang;
    return {};
  };
  await startConsumer(reading.engine, consumer(handle, { batchMax: 1 }));
  await reading.append("a", "b", "c", "d", "e", "f", "g", "h");
  reading.clock.advance(31 * day);
  await tidy(reading.engine, blobs, retention);
  assert.deepEqual((await reading.store.journalBounds()).first, 1);
  hang = null;
  await reading.restart();
  await startConsumer(reading.engine, consumer(handle, { batchMax: 1 }));
  await reading.pass(5_000);
  await reading.append("i");
  await tidy(reading.engine, blobs, { ...retention, journalAgeMaxMs: 365 * day });
  assert.deepEqual((await reading.store.journalBounds()).first, 5, "by size: the newest five stay");
  await tidy(reading.engine, blobs, retention);
  assert.deepEqual((await reading.store.journalBounds()).first, 9, "by age: only the new one stays");
});

test("blobs that no commit names are collected after an hour", async () => {
  const reading = await Reading.start();
  const blobs = openMemoryBlobStore({ clock: reading.clock });
  await blobs.put("orphan", new Uint8Array([1]));
  await blobs.put("named", new Uint8Array([2]));
  await reading.engine.commit({ blobs: [{ id: "named", bytes: 1, owner: "r" }] });
  const retention = { messagesAgeMaxMs: 1e12, journalAgeMaxMs: 1e12, journalEventsMax: 1e9, evenUnread: false };
  await tidy(reading.engine, blobs, retention);
  assert.notEqual(await blobs.get("orphan"), null, "its request may still be on its way");
  reading.clock.jumpWall(2 * 3_600_000);
  const round = await tidy(reading.engine, blobs, retention);
  assert.notEqual(await blobs.get("orphan"), null, "the clock jumped: a moment ago it was young");
  reading.clock.advance(10 * 60_000);
  await tidy(reading.engine, blobs, retention, round);
  assert.equal(await blobs.get("orphan"), null);
  assert.notEqual(await blobs.get("named"), null);
});

test("a blob that is named at the last moment is kept, however old the wall clock makes it", async () => {
  const reading = await Reading.start();
  const blobs = openMemoryBlobStore({ clock: reading.clock });
  await blobs.put("late", new Uint8Array([1]));
  const retention = { messagesAgeMaxMs: 1e12, journalAgeMaxMs: 1e12, journalEventsMax: 1e9, evenUnread: false };
  reading.clock.jumpWall(2 * 3_600_000);
  const round = await tidy(reading.engine, blobs, retention);
  await reading.engine.commit({ blobs: [{ id: "late", bytes: 1, owner: "r" }] });
  reading.clock.advance(3_600_000);
  await tidy(reading.engine, blobs, retention, round);
  assert.notEqual(await blobs.get("late"), null);
});
