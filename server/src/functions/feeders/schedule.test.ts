import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import type { Feed } from "#functions/feeder.ts";
import { forgetSchedules, scheduleFeeder, scheduleKey } from "#functions/feeders/schedule.ts";
import type { Invoker, Ran, Work } from "#functions/invoker.ts";
import type { Schedule } from "#functions/next-time.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const KEY = scheduleKey("nightly");
const cron = (expression: string, timeZone = "UTC"): Schedule => ({ when: { kind: "cron", expression }, timeZone });
const rate = (everyMs: number): Schedule => ({ when: { kind: "rate", everyMs }, timeZone: "UTC" });

function declared(schedule: Schedule, given: Partial<DeclaredFunction> = {}): DeclaredFunction {
  return {
    name: "nightly",
    file: "functions/nightly.ts",
    line: 3,
    on: { kind: "schedule", ...schedule },
    timeoutMs: 30_000,
    concurrency: 10,
    attempts: 3,
    memoryMb: 128,
    ...given,
  };
}

const FAILED: Ran = {
  kind: "failed",
  error: { name: "Error", says: "no", at: "functions/nightly.ts:5:3", stack: null },
  effects: {},
};

/** One process with one function on a schedule; what it does is what a test says. */
class Process implements Invoker {
  readonly clock: ManualClock;
  store: MemoryStore;
  readonly engine: Engine;
  readonly calls: Work[] = [];
  answer: (work: Work) => Ran | Promise<Ran> = (work) => this.told(work);
  #feed: Feed | null = null;

  constructor(clock: ManualClock, store: MemoryStore) {
    this.clock = clock;
    this.store = store;
    this.engine = new Engine({ store, clock, dice: seededDice(5), log: silentLog, meter: silentMeter });
  }

  static async start(schedule: Schedule | DeclaredFunction, from?: string | Process): Promise<Process> {
    const clock =
      from instanceof Process ? from.clock : new ManualClock(from === undefined ? undefined : Date.parse(from));
    const store = from instanceof Process ? from.store : openMemoryStore({ clock });
    const process = new Process(clock, store);
    await process.begin(schedule);
    return process;
  }

  async begin(schedule: Schedule | DeclaredFunction): Promise<void> {
    const feeder = scheduleFeeder(this.engine, this);
    await this.settle(this.engine.start());
    this.#feed = await this.settle(feeder.start("when" in schedule ? declared(schedule) : schedule));
    await this.quiet();
  }

  get feed(): Feed {
    if (this.#feed === null) throw new Error("it was not started");
    return this.#feed;
  }

  run(work: Work): Promise<Ran> {
    this.calls.push(work);
    return Promise.resolve(this.answer(work));
  }

  /** Done, with an event that says for which time. */
  told(work: Work): Ran {
    const event = { type: "ran", subject: work.key, timeMs: this.clock.nowMs(), data: work.input, traceparent: null };
    return { kind: "done", output: null, effects: { events: [event] } };
  }

  /** The times of runs whose effects are in the journal. */
  async ran(): Promise<readonly string[]> {
    const { events } = await this.store.readJournal({ after: 0, limit: 100_000 });
    return events.filter(({ type }) => type === "ran").map(({ data }) => JSON.parse(data).scheduled.slice(0, 16));
  }

  async job() {
    const [state = null] = await this.store.jobs([KEY]);
    return state;
  }

  /** To the moment when the job is due, and what follows from that. */
  async toNext(): Promise<void> {
    const state = await this.job();
    if (state === null) throw new Error("there is no job");
    await this.pass(Math.max(0, state.dueMs - this.clock.nowMs()));
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.quiet();
  }

  async quiet(turns = 80): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = promise.finally(() => (over = true));
    settled.catch(() => {});
    while (!over) await this.quiet(1);
    return await settled;
  }

  async stopping<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = promise.finally(() => (over = true));
    settled.catch(() => {});
    while (!over) await this.pass(20);
    return await settled;
  }

  /** It is gone where it stands; what was committed lies in the store. */
  die(): void {
    this.store = this.store.crash();
  }
}

test("through months and both clock changes it runs once each night, and its input names the time", async () => {
  const process = await Process.start(cron("30 2 * * *", "Europe/Berlin"), "2026-03-01T12:00Z");
  for (let night = 0; night < 245; night += 1) await process.toNext();
  const ran = await process.ran();
  assert.equal(ran.length, 245);
  const days = ran.map((at) => new Date(`${at}Z`).toLocaleDateString("sv", { timeZone: "Europe/Berlin" }));
  assert.deepEqual([days[0], days.at(-1), new Set(days).size], ["2026-03-02", "2026-11-01", 245]);
  assert.ok(ran.includes("2026-03-29T01:00") && ran.includes("2026-10-25T00:30"));
  assert.equal(process.calls[0]?.key, "schedule:nightly/2026-03-02T01:30:00.000Z");
  assert.equal(process.calls[0]?.attempt, 1);
});

test("times that passed while nothing ran are made up for once, at the start, and then it goes on", async () => {
  const first = await Process.start(rate(HOUR_MS));
  await first.toNext();
  first.die();
  first.clock.advance(10 * HOUR_MS + 90_000);
  const second = await Process.start(rate(HOUR_MS), first);
  const hours = ["2026-01-01T01:00", "2026-01-01T02:00"];
  assert.deepEqual(await second.ran(), hours);
  await second.toNext();
  // The beat is the old one: on the hour, not so long after the start.
  assert.deepEqual(await second.ran(), [...hours, "2026-01-01T12:00"]);
});

test("a process that dies while the handler runs leaves the run to the next, alone and as another attempt", async () => {
  const first = await Process.start(rate(HOUR_MS));
  first.answer = () => new Promise(() => {});
  await first.toNext();
  assert.equal(first.calls.length, 1);
  first.die();
  const second = await Process.start(rate(HOUR_MS), first);
  await second.pass(40_000);
  assert.deepEqual(await second.ran(), ["2026-01-01T01:00"]);
  assert.deepEqual(
    second.calls.map(({ attempt, alone }) => [attempt, alone]),
    [[2, true]],
  );
});

test("a process that dies behind the commit has run, and does not run again", async () => {
  const first = await Process.start(rate(HOUR_MS));
  await first.toNext();
  first.die();
  const second = await Process.start(rate(HOUR_MS), first);
  await second.pass(MINUTE_MS);
  assert.deepEqual(await second.ran(), ["2026-01-01T01:00"]);
  assert.equal(second.calls.length, 0);
});

test("a run that keeps killing the process becomes a dead letter, and the next time comes", async () => {
  let process = await Process.start(rate(HOUR_MS));
  process.answer = () => new Promise(() => {});
  await process.toNext();
  for (let death = 0; death < 3; death += 1) {
    process.die();
    const before = process;
    process = new Process(before.clock, before.store);
    process.answer = () => new Promise(() => {});
    await process.begin(rate(HOUR_MS));
    await process.pass(40_000);
  }
  const [letter] = await process.store.deadJobs({ queue: KEY, after: null, limit: 10 });
  assert.match(letter?.error ?? "", /3 workers took it and ended without a result/);
  assert.equal((await process.job())?.state, "waiting");
});

test("a run that fails is tried again with a backoff, then kept, and the next time comes", async () => {
  const process = await Process.start(rate(HOUR_MS));
  process.answer = () => FAILED;
  for (let tries = 0; tries < 3; tries += 1) await process.toNext();
  assert.deepEqual(
    process.calls.map(({ attempt, key }) => [attempt, key]),
    [1, 2, 3].map((attempt) => [attempt, "schedule:nightly/2026-01-01T01:00:00.000Z"]),
  );
  const letters = await process.store.deadJobs({ queue: KEY, after: null, limit: 10 });
  assert.deepEqual(
    letters.map(({ key, error }) => [key, error]),
    [["schedule:nightly/2026-01-01T01:00:00.000Z", "Error: no (functions/nightly.ts:5:3)"]],
  );
  process.answer = (work) => process.told(work);
  await process.toNext();
  assert.deepEqual(await process.ran(), ["2026-01-01T02:00"]);
  // Made up for by hand, it runs for the time that it missed, and does not bring a next time of its own.
  await process.settle(process.engine.settleDead("schedule:nightly/2026-01-01T01:00:00.000Z", "revive"));
  await process.quiet();
  assert.deepEqual(await process.ran(), ["2026-01-01T02:00", "2026-01-01T01:00"]);
  assert.equal(process.calls.at(-1)?.attempt, 1);
  await process.toNext();
  assert.deepEqual((await process.ran()).slice(2), ["2026-01-01T03:00"]);
});

test("what is not to blame is tried again alone, and no attempt is counted", async () => {
  const process = await Process.start(rate(HOUR_MS));
  const { error } = FAILED;
  process.answer = (work) =>
    process.calls.length <= 6 ? { kind: "innocent", error, effects: {} } : process.told(work);
  for (let tries = 0; tries < 7; tries += 1) await process.toNext();
  assert.deepEqual(await process.ran(), ["2026-01-01T01:00"]);
  assert.deepEqual(
    process.calls.map(({ attempt, alone }) => [attempt, alone]),
    [[1, false], ...Array.from({ length: 6 }, () => [1, true])],
  );
});

test("when a document has changed meanwhile the handler is run anew, and nothing of the first run is kept", async () => {
  const process = await Process.start(rate(HOUR_MS));
  const put = (by: string) => ({ collection: "doc:a", id: "1", body: `"${by}"`, when: "always" as const, nowMs: 1 });
  process.answer = async (work) => {
    const [read = null] = await process.store.documents([{ collection: "doc:a", id: "1" }]);
    // Somebody else is faster, twice.
    if (process.calls.length <= 2) await process.store.commit([{ puts: [put("other")] }]);
    const expect = [{ collection: "doc:a", id: "1", version: read?.version ?? 0 }];
    const ran = process.told(work);
    return ran.kind === "done" ? { ...ran, effects: { ...ran.effects, puts: [put("us")], expect } } : ran;
  };
  await process.toNext();
  assert.equal(process.calls.length, 3);
  assert.deepEqual(await process.ran(), ["2026-01-01T01:00"]);
  const [document] = await process.store.documents([{ collection: "doc:a", id: "1" }]);
  assert.deepEqual([document?.body, document?.version], ['"us"', 3]);
});

test("documents that others never leave alone make it a failure in the end, not a loop", async () => {
  const process = await Process.start(declared(rate(HOUR_MS), { attempts: 1 }));
  process.answer = () => ({
    kind: "done",
    output: null,
    effects: { expect: [{ collection: "doc:a", id: "1", version: 7 }] },
  });
  await process.toNext();
  await process.quiet(400);
  assert.equal(process.calls.length, 16);
  const [letter] = await process.store.deadJobs({ queue: KEY, after: null, limit: 10 });
  assert.match(letter?.error ?? "", /changed by others each time/);
});

test("a changed schedule moves the job to its new time, while the program runs and over a restart", async () => {
  const process = await Process.start(cron("0 8 * * *"));
  assert.equal((await process.job())?.dueMs, Date.UTC(2026, 0, 1, 8));
  process.feed.update(declared(cron("0 7 * * *")));
  await process.quiet();
  assert.equal((await process.job())?.dueMs, Date.UTC(2026, 0, 1, 7));
  process.die();
  const again = await Process.start(cron("0 20 * * *"), process);
  assert.equal((await again.job())?.dueMs, Date.UTC(2026, 0, 1, 20));
  await again.toNext();
  assert.deepEqual(await again.ran(), ["2026-01-01T20:00"]);
});

test("a schedule that changes while its function runs has its new time when that is done", async () => {
  const process = await Process.start(cron("0 8 * * *"));
  const open = Promise.withResolvers<Ran>();
  process.answer = () => open.promise;
  await process.toNext();
  process.feed.update(declared(cron("0 9 * * *")));
  await process.pass(2_000);
  const [work] = process.calls;
  assert.ok(work !== undefined);
  open.resolve(process.told(work));
  await process.quiet();
  assert.deepEqual(await process.ran(), ["2026-01-01T08:00"]);
  assert.equal((await process.job())?.dueMs, Date.UTC(2026, 0, 1, 9));
});

test("a run that is owed when the schedule changes is made all the same", async () => {
  const first = await Process.start(cron("0 8 * * *"));
  first.die();
  first.clock.advance(9 * HOUR_MS);
  const second = await Process.start(cron("0 20 * * *"), first);
  assert.deepEqual(await second.ran(), ["2026-01-01T08:00"]);
  assert.equal((await second.job())?.dueMs, Date.UTC(2026, 0, 1, 20));
});

test("of several nodes exactly one runs it each time", async () => {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock, manyNodes: true });
  const nodes = [new Process(clock, store), new Process(clock, store.another()), new Process(clock, store.another())];
  for (const node of nodes) await node.begin(rate(MINUTE_MS));
  const [first] = nodes;
  assert.ok(first !== undefined);
  for (let minute = 0; minute < 30; minute += 1) await first.pass(MINUTE_MS);
  await first.pass(10_000);
  const calls = nodes.flatMap((node) => node.calls.map(({ key }) => key));
  assert.equal(new Set(calls).size, calls.length);
  const ran = await first.ran();
  assert.equal(new Set(ran).size, ran.length);
  assert.ok(ran.length >= 29, `${ran.length} runs in thirty minutes`);
});

test("what is stopped takes nothing more, and a run under way may end", async () => {
  const process = await Process.start(rate(HOUR_MS));
  const open = Promise.withResolvers<Ran>();
  process.answer = () => open.promise;
  await process.toNext();
  const stopped = process.feed.stop();
  await process.pass(100);
  const [work] = process.calls;
  assert.ok(work !== undefined);
  open.resolve(process.told(work));
  await process.stopping(stopped);
  assert.deepEqual(await process.ran(), ["2026-01-01T01:00"]);
  await process.pass(3 * HOUR_MS);
  assert.equal(process.calls.length, 1);
  assert.equal((await process.job())?.state, "ready");
});

test("a schedule that is no more is forgotten a day after its time, and one that another node knows is not", async () => {
  const process = await Process.start(rate(HOUR_MS));
  await process.stopping(process.feed.stop());
  const forget = (isDeclared: boolean) => process.settle(forgetSchedules(process.engine, () => isDeclared));
  await process.pass(2 * HOUR_MS);
  await forget(false);
  assert.notEqual(await process.job(), null);
  await process.pass(2 * DAY_MS);
  await forget(true);
  assert.notEqual(await process.job(), null);
  await forget(false);
  assert.equal(await process.job(), null);
});

test("a schedule that cannot be is a fault before anything starts", () => {
  const clock = new ManualClock();
  const engine = new Engine({
    store: openMemoryStore({ clock }),
    clock,
    dice: seededDice(1),
    log: silentLog,
    meter: silentMeter,
  });
  const feeder = scheduleFeeder(engine, { run: () => Promise.reject(new Error("is not called")) });
  assert.match(feeder.faultOf(declared(cron("0 8 * * *", "Mars/Base"))) ?? "", /no time zone "Mars\/Base"/);
  assert.equal(feeder.faultOf(declared(cron("0 8 * * *"))), null);
});
