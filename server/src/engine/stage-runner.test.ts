import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import type { Consumer } from "#engine/consumer.ts";
import { startConsumer } from "#engine/consumer.ts";
import { Engine } from "#engine/engine.ts";
import { LEASE_MS } from "#engine/limits.ts";
import type { HandedJob, Stage, StageContext } from "#engine/stage.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { type Store, StoreFault, type Unit } from "#ports/store.ts";

/** An engine on a store whose methods a test may replace; what the simulation has found, one by one. */
class Troubled {
  readonly clock = new ManualClock();
  readonly trouble: Partial<Store> = {};
  loses: (units: readonly Unit[]) => boolean = () => false;
  readonly store: MemoryStore = openMemoryStore({
    clock: this.clock,
    faults: {
      after: (units) => {
        if (this.loses(units)) throw new StoreFault("store.failed", "the answer was lost");
      },
    },
  });
  readonly engine = new Engine({
    store: new Proxy<Store>(this.store, {
      get: (store, name) => {
        const value: unknown = Reflect.get(this.trouble, name) ?? Reflect.get(store, name, store);
        return typeof value === "function" ? value.bind(store) : value;
      },
    }),
    clock: this.clock,
    dice: seededDice(5),
    log: silentLog,
    meter: silentMeter,
  });

  async start(run: Stage<string>["run"], given: Partial<Stage<string>> = {}): Promise<void> {
    this.engine.addStage({
      queue: "work",
      inHandMax: { transactional: 4, bulk: 4 },
      batchMax: 4,
      attemptsMax: 5,
      run,
      bury: () => ({}),
      ...given,
    });
    await this.engine.start();
  }

  async enqueue(...keys: readonly string[]): Promise<void> {
    const one = { queue: "work", lane: "transactional", turn: 0, dueMs: 0, payload: "", traceparent: null } as const;
    await this.engine.commit({ jobs: keys.map((key) => ({ job: { key, ...one }, hand: null })) });
    await this.quiet();
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 80; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  async pass(ms: number, stepMs = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await this.quiet();
    }
  }
}

const done = (context: StageContext, { job }: HandedJob<string>) =>
  context.finish(job, { kind: "end", end: { kind: "done" }, effects: {} });

function stepEvent(subject: string) {
  return { type: "step.done", subject, timeMs: 0, data: "{}", traceparent: null };
}

test("a step whose answer was lost is done once, and its worker goes on", async () => {
  const house = new Troubled();
  let lost = 0;
  house.loses = (units) => units.some(({ job }) => job?.end.kind === "keep") && (lost += 1) <= 3;
  const ended: string[] = [];
  await house.start(async ([handed], context) => {
    if (handed === undefined) return;
    for (const payload of ["one", "two"]) {
      const effects = { events: [stepEvent(payload)] };
      ended.push(await context.finish(handed.job, { kind: "end", end: { kind: "keep", payload }, effects }));
    }
    await done(context, handed);
  });
  await house.enqueue("a");
  await house.pass(5_000);
  assert.deepEqual(ended, ["committed", "committed"]);
  assert.deepEqual(await house.store.jobs(["a"]), [null]);
  const { events } = await house.store.readJournal({ after: 0, limit: 10 });
  assert.deepEqual(
    events.map(({ subject }) => subject),
    ["one", "two"],
  );
});

test("a failure after a step goes on from that step", async () => {
  const house = new Troubled();
  const payloads: string[] = [];
  await house.start(async ([handed], context) => {
    if (handed === undefined) return;
    payloads.push(handed.job.payload);
    if (payloads.length > 1) return void (await done(context, handed));
    await context.finish(handed.job, { kind: "end", end: { kind: "keep", payload: "half" }, effects: {} });
    throw new Error("a mistake in the second half");
  });
  await house.enqueue("a");
  await house.pass(5_000);
  assert.deepEqual(payloads, ["", "half"]);
});

test("a job that throws under guard leaves the others of its batch in peace", async () => {
  const house = new Troubled();
  const runs: string[] = [];
  let arrive: () => void = () => {};
  const answer = new Promise<void>((resolve) => (arrive = resolve));
  await house.start(async (jobs, context) => {
    await Promise.all(
      jobs.map((handed) =>
        context.guard(handed.job, async () => {
          runs.push(handed.job.key);
          if (handed.job.key === "bad" && handed.job.attempt === 1) throw new Error("cannot do this");
          if (handed.job.key === "slow") await answer;
          await done(context, handed);
        }),
      ),
    );
  });
  await house.enqueue("slow", "bad");
  await house.pass(10_000);
  assert.deepEqual(runs, ["slow", "bad", "bad"]);
  arrive();
  await house.pass(1_000);
  assert.deepEqual(await house.store.jobs(["slow", "bad"]), [null, null]);
});

test("a job that cannot be given back leaves the hand, and comes again when its lease is over", async () => {
  const house = new Troubled();
  house.trouble.release = async () => {
    throw new StoreFault("store.busy", "not now");
  };
  let runs = 0;
  await house.start(async ([handed], context) => {
    if (handed === undefined) return;
    runs += 1;
    if (runs > 1) return void (await done(context, handed));
    await context.finish(handed.job, { kind: "release" });
  });
  await house.enqueue("a");
  await house.pass(LEASE_MS - 1_000);
  assert.equal(runs, 1);
  await house.pass(5_000);
  assert.deepEqual(await house.store.jobs(["a"]), [null]);
});

test("a job that was given back is taken by whoever has a free hand", async () => {
  const house = new Troubled();
  let runs = 0;
  await house.start(async ([handed], context) => {
    if (handed === undefined) return;
    runs += 1;
    if (runs > 1) return void (await done(context, handed));
    await context.finish(handed.job, { kind: "release" });
  });
  await house.enqueue("a");
  await house.quiet();
  assert.equal(runs, 2);
});

test("a lease is counted from when it was asked for, however late the answer comes", async () => {
  const house = new Troubled();
  house.trouble.claim = async (asks, leaseMs) => {
    const jobs = await house.store.claim(asks, leaseMs);
    await new Promise<void>((resolve) => house.clock.after(20_000, resolve));
    return jobs;
  };
  house.trouble.extend = async () => {
    throw new StoreFault("store.busy", "not now");
  };
  const held: boolean[] = [];
  await house.start(async ([handed], context) => {
    if (handed === undefined || held.length > 0) return;
    const look = (): void => {
      held.push(context.holds(handed.job));
      if (held.length < 15) house.clock.after(1_000, look);
    };
    look();
    await new Promise<void>(() => {});
  });
  await house.enqueue("a");
  await house.pass(80_000);
  assert.deepEqual(held, [...Array<boolean>(8).fill(true), ...Array<boolean>(7).fill(false)]);
});

test("who listens to commits is told also when the answer was lost", async () => {
  const house = new Troubled();
  house.loses = () => true;
  const told: string[] = [];
  house.engine.onCommitted(({ puts }) => told.push(...(puts ?? []).map(({ id }) => id)));
  const put = { collection: "suppressions", id: "ada", body: "{}", when: "always", nowMs: 0 } as const;
  await assert.rejects(house.engine.submit({ puts: [put] }), StoreFault);
  assert.deepEqual(told, ["ada"]);
});

test("a partition of a consumer that cannot read now leaves the others alone, and none works twice", async () => {
  const house = new Troubled();
  await house.engine.start();
  let fails = true;
  house.trouble.readJournal = (ask) =>
    fails && ask.partition?.index === 1
      ? Promise.reject(new StoreFault("store.busy", "not now"))
      : house.store.readJournal(ask);
  const seen: string[] = [];
  const consumer: Consumer = {
    name: "log",
    startFrom: "earliest",
    batchMax: 10,
    partitions: 3,
    attemptsMax: 3,
    ageMaxMs: null,
    bisect: true,
    handle: async (events) => {
      seen.push(...events.map(({ subject }) => subject));
      return {};
    },
  };
  await startConsumer(house.engine, consumer);
  const subjects = [...Array(12).keys()].map((n) => `s${n}`);
  await house.engine.commit({ events: subjects.map(stepEvent) });
  await house.pass(10_000);
  assert.ok(seen.length > 0 && seen.length < subjects.length, "two of three partitions have read theirs");
  fails = false;
  await house.pass(10_000);
  assert.deepEqual(seen.toSorted(), subjects.toSorted(), "each event once");
});

test("a consumer that may have lost its lease hands out nothing more", async () => {
  const house = new Troubled();
  await house.engine.start();
  let tries = 0;
  const consumer: Consumer = {
    name: "log",
    startFrom: "earliest",
    batchMax: 10,
    partitions: 1,
    attemptsMax: 9,
    ageMaxMs: null,
    bisect: true,
    handle: async () => {
      tries += 1;
      await new Promise<void>((resolve) => house.clock.after(LEASE_MS + 10_000, resolve));
      throw new Error("too slow");
    },
  };
  await startConsumer(house.engine, consumer);
  house.trouble.extend = async (refs) => refs;
  // What is released is not claimed again in this test.
  house.trouble.claim = async () => [];
  await house.engine.commit({ events: [stepEvent("a")] });
  await house.pass(3 * LEASE_MS);
  assert.equal(tries, 1);
});
