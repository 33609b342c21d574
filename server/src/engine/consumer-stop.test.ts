import assert from "node:assert/strict";
import { test } from "node:test";
import type { DocumentPut } from "#domain/document.ts";
import type { RecordedEvent } from "#domain/event.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { type Consumer, deadEvent, startConsumer } from "#engine/consumer.ts";
import { Engine } from "#engine/engine.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";

class Reading {
  readonly clock = new ManualClock();
  readonly store: MemoryStore = openMemoryStore({ clock: this.clock });
  readonly engine = new Engine({
    store: this.store,
    clock: this.clock,
    dice: seededDice(3),
    log: silentLog,
    meter: silentMeter,
  });

  async append(...subjects: readonly string[]): Promise<void> {
    const timeMs = this.clock.nowMs();
    const one = { type: "thing.happened", timeMs, data: "{}", traceparent: null };
    await this.engine.commit({ events: subjects.map((subject) => ({ ...one, subject })) });
    await this.quiet();
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 150; turn += 1) {
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

  /** Waits for something that takes time of its clock. */
  async until(promise: Promise<unknown>, stepMs = 50): Promise<void> {
    let isDone = false;
    const done = promise.finally(() => (isDone = true));
    while (!isDone) await this.pass(stepMs, stepMs);
    await done;
  }

  async count(): Promise<number> {
    const [found] = await this.store.documents([{ collection: "doc:counts", id: "n" }]);
    return Number(found?.body ?? 0);
  }

  /** One more, on what was read before: two at the same time would lose one. */
  async oneMore(by: number): Promise<{ readonly puts: readonly DocumentPut[]; readonly expect: readonly Expected[] }> {
    const [found] = await this.store.documents([{ collection: "doc:counts", id: "n" }]);
    const body = String(Number(found?.body ?? 0) + by);
    return {
      puts: [{ collection: "doc:counts", id: "n", body, when: "always", nowMs: 0 }],
      expect: [{ collection: "doc:counts", id: "n", version: found?.version ?? 0 }],
    };
  }
}

type Expected = { readonly collection: string; readonly id: string; readonly version: number };

function consumer(handle: Consumer["handle"], given: Partial<Consumer> = {}): Consumer {
  return {
    name: "log",
    startFrom: "earliest",
    batchMax: 4,
    partitions: 1,
    attemptsMax: 3,
    ageMaxMs: null,
    bisect: true,
    handle,
    ...given,
  };
}

const subjects = (events: readonly RecordedEvent[]): string[] => events.map(({ subject }) => subject);

test("a consumer that was stopped goes on where it stood, divided anew, and reads every event once", async () => {
  const reading = new Reading();
  await reading.engine.start();
  const seen: string[] = [];
  const handle: Consumer["handle"] = async (events) => {
    seen.push(...subjects(events));
    return {};
  };
  const all: string[] = [];
  for (const [round, partitions] of [1, 4, 2, 2, 3, 1].entries()) {
    const running = await startConsumer(reading.engine, consumer(handle, { partitions }));
    const some = [...Array(20).keys()].map((n) => `s${round}-${n}`);
    all.push(...some);
    await reading.append(...some);
    await reading.pass(1_000);
    assert.deepEqual(seen.toSorted(), all.toSorted(), `with ${partitions} partitions`);
    await reading.until(running.stop());
    const unread = `unread-${round}`;
    await reading.append(unread);
    all.push(unread);
    assert(!seen.includes(unread), "nobody reads while it is stopped");
  }
  const jobs = await reading.store.jobsWithin({ from: "consumer:", before: "consumer;", atMost: 99 });
  assert.equal(jobs.jobs, 1, "the partitions of other divisions are gone");
});

test("a batch under way when its consumer is stopped is committed, and not read again", async () => {
  const reading = new Reading();
  await reading.engine.start();
  const batches: string[][] = [];
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const handle: Consumer["handle"] = async (events) => {
    batches.push(subjects(events));
    await answered;
    return {};
  };
  const one = consumer(handle, { batchMax: 1 });
  const running = await startConsumer(reading.engine, one);
  await reading.append("a", "b");
  const stopped = running.stop();
  await reading.pass(1_000);
  answer();
  await reading.until(stopped);
  assert.deepEqual([batches, (await reading.store.checkpoints("log"))[0]?.position], [[["a"]], 1]);
  await startConsumer(reading.engine, one);
  await reading.quiet();
  assert.deepEqual(batches, [["a"], ["b"]]);
});

test("a batch that gives up because its consumer is stopped has not failed, even if one failure is too many", async () => {
  const reading = new Reading();
  await reading.engine.start();
  const batches: string[][] = [];
  const handle: Consumer["handle"] = async (events, signal) => {
    batches.push(subjects(events));
    if (batches.length > 1) return {};
    await new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(new Error("told to stop"))));
    return {};
  };
  const one = consumer(handle, { attemptsMax: 1, bisect: false });
  const running = await startConsumer(reading.engine, one);
  await reading.append("a", "b");
  await reading.until(running.stop());
  await startConsumer(reading.engine, one);
  await reading.quiet();
  assert.deepEqual(
    batches.map((batch) => batch[0]),
    ["a", "a"],
  );
  assert.deepEqual(await reading.store.deadJobs({ queue: null, after: null, limit: 9 }), []);
});

test("a consumer that does not end in time loses its batch to the next, whose effects alone count", async () => {
  const reading = new Reading();
  await reading.engine.start();
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const slow = await startConsumer(
    reading.engine,
    consumer(async () => {
      await answered;
      return await reading.oneMore(100);
    }),
  );
  await reading.append("a");
  await reading.until(slow.stop(), 500);
  await startConsumer(
    reading.engine,
    consumer((events) => reading.oneMore(events.length)),
  );
  await reading.quiet();
  answer();
  await reading.pass(5_000);
  assert.equal(await reading.count(), 1);
});

test("partitions that change the same document at the same time lose nothing", async () => {
  const reading = new Reading();
  await reading.engine.start();
  let calls = 0;
  const handle: Consumer["handle"] = async (events) => {
    calls += 1;
    return await reading.oneMore(events.length);
  };
  await startConsumer(reading.engine, consumer(handle, { partitions: 4, batchMax: 2 }));
  await reading.append(...[...Array(40).keys()].map((n) => `s${n}`));
  await reading.pass(20_000, 10);
  assert.equal(await reading.count(), 40);
  assert(calls > 20, "some were refused and decided anew");
  assert.deepEqual(await reading.store.deadJobs({ queue: null, after: null, limit: 99 }), []);
});

test("a part of a batch may rest on documents as well", async () => {
  const reading = new Reading();
  await reading.engine.start();
  let meddles = 3;
  const handle: Consumer["handle"] = async (events) => {
    const [first] = events;
    assert(first !== undefined);
    const effects = await reading.oneMore(1);
    if (meddles-- > 0) await reading.store.commit([{ puts: (await reading.oneMore(0)).puts }]);
    return { upTo: first.position, effects };
  };
  await startConsumer(reading.engine, consumer(handle));
  await reading.append("a", "b", "c");
  await reading.pass(2_000, 10);
  assert.equal(await reading.count(), 3);
  assert.equal((await reading.store.checkpoints("log"))[0]?.position, 3);
});

test("a batch whose documents change at every try has failed, and dies when its attempts are spent", async () => {
  const reading = new Reading();
  await reading.engine.start();
  let calls = 0;
  const handle: Consumer["handle"] = async () => {
    calls += 1;
    const effects = await reading.oneMore(1);
    await reading.store.commit([{ puts: effects.puts }]);
    return effects;
  };
  await startConsumer(reading.engine, consumer(handle, { attemptsMax: 2 }));
  await reading.append("a");
  await reading.pass(30_000, 50);
  const [dead] = await reading.store.deadJobs({ queue: null, after: null, limit: 9 });
  assert.match(dead?.error ?? "", /kept changing/);
  assert.equal(dead?.attempt, 2);
  assert(calls >= 4 && calls <= 200, `bounded: ${calls} calls`);
  assert.equal((await reading.store.checkpoints("log"))[0]?.position, 1, "those behind it are not held up");
});

test("a consumer that is stopped between two stale tries leaves its batch untouched to the next", async () => {
  const reading = new Reading();
  await reading.engine.start();
  let stopped: Promise<void> | null = null;
  let stop: () => Promise<void> = async () => {};
  const first = await startConsumer(
    reading.engine,
    consumer(
      async () => {
        const effects = await reading.oneMore(1);
        await reading.store.commit([{ puts: (await reading.oneMore(0)).puts }]);
        stopped ??= stop();
        return effects;
      },
      { attemptsMax: 1 },
    ),
  );
  stop = () => first.stop();
  await reading.append("a");
  await reading.quiet();
  assert(stopped !== null);
  await reading.until(stopped);
  assert.equal(await reading.count(), 0);
  const [partition] = await reading.store.jobs(["consumer:log/0/1"]);
  assert.deepEqual([partition?.state, partition?.attempt], ["ready", 0], "given back, not failed");
  await startConsumer(
    reading.engine,
    consumer((events) => reading.oneMore(events.length)),
  );
  await reading.quiet();
  assert.equal(await reading.count(), 1);
});

test("a dead letter that is re-driven may meet a changed document too, and a stop", async () => {
  const reading = new Reading();
  await reading.engine.start();
  let meddles = 2;
  let waits = true;
  const redrive: NonNullable<Consumer["redrive"]> = async (_, signal) => {
    if (waits)
      await new Promise<void>((__, reject) => signal.addEventListener("abort", () => reject(new Error("stop"))));
    const effects = await reading.oneMore(1);
    if (meddles-- > 0) await reading.store.commit([{ puts: (await reading.oneMore(0)).puts }]);
    return effects;
  };
  const one = consumer(async () => ({}), { redrive });
  const running = await startConsumer(reading.engine, one);
  await reading.append("a");
  const { events } = await reading.store.readJournal({ after: 0, limit: 1 });
  assert(events[0] !== undefined);
  const dead = deadEvent("log", events[0], { error: "x", attempts: 1, deadMs: 0 });
  await reading.store.commit([{ buried: [dead] }]);
  await reading.engine.settleDead(dead.key, "revive");
  await reading.quiet();
  await reading.until(running.stop());
  assert.equal(await reading.store.deadJob(dead.key), null);
  assert.equal((await reading.store.jobs([dead.key]))[0]?.state, "ready", "a stop is no failure");
  waits = false;
  await startConsumer(reading.engine, one);
  await reading.quiet();
  assert.equal(await reading.count(), 1);
  assert.deepEqual(await reading.store.jobs([dead.key]), [null]);
});
