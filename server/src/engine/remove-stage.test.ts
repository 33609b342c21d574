import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { LEASE_MS } from "#engine/limits.ts";
import type { Stage } from "#engine/stage.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { Job, NewJob } from "#domain/job.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import type { Store } from "#ports/store.ts";

const GRACE_MS = 5_000;

class House {
  readonly clock = new ManualClock();
  readonly trouble: Partial<Store> = {};
  readonly store: MemoryStore = openMemoryStore({ clock: this.clock });
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

  add(run: Stage<string>["run"]): StageRunner<string> {
    return this.engine.addStage({
      queue: "work",
      inHandMax: { transactional: 4, bulk: 4 },
      batchMax: 4,
      attemptsMax: 5,
      run,
      bury: () => ({}),
    });
  }

  async enqueue(...keys: readonly string[]): Promise<void> {
    await this.engine.commit({ jobs: keys.map((key) => ({ job: jobOf(key), hand: null })) });
    await this.quiet();
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 80; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await this.quiet();
    }
  }

  async states(...keys: readonly string[]): Promise<readonly (string | null)[]> {
    return (await this.store.jobs(keys)).map((job) => job?.state ?? null);
  }

  async attempts(key: string): Promise<number | undefined> {
    return (await this.store.jobs([key]))[0]?.attempt;
  }
}

function jobOf(key: string, group: string | null = null): NewJob {
  return { key, queue: "work", lane: "transactional", turn: 0, dueMs: 0, payload: "", traceparent: null, group };
}

const DONE = { kind: "end", end: { kind: "done" }, effects: {} } as const;

/** Does everything at once, and remembers what. */
function doing(seen: string[]): Stage<string>["run"] {
  return async (jobs, context) => {
    seen.push(...jobs.map(({ job }) => job.key));
    for (const { job } of jobs) await context.finish(job, DONE);
  };
}

test("a stage that is taken away ends what it has in hand, and takes nothing more", async () => {
  const house = new House();
  const ends: string[] = [];
  const signals: boolean[] = [];
  let finish: () => void = () => {};
  const answer = new Promise<void>((resolve) => (finish = resolve));
  const stage = house.add(async ([handed], context) => {
    if (handed === undefined) return;
    await answer;
    signals.push(context.signal.aborted);
    ends.push(await context.finish(handed.job, DONE));
  });
  await house.engine.start();
  await house.enqueue("a");
  const removed = house.engine.removeStage(stage, GRACE_MS);
  await house.enqueue("b");
  finish();
  await house.pass(200);
  await removed;
  assert.deepEqual([ends, signals], [["committed"], [true]]);
  assert.equal(house.engine.signal.aborted, false, "only the stage was told");
  assert.deepEqual(await house.states("a", "b"), [null, "ready"]);
  const seen: string[] = [];
  house.add(doing(seen));
  await house.quiet();
  assert.deepEqual(seen, ["b"], "the next stage of the queue takes what has come meanwhile");
});

test("what a stage that is taken away does not end in time is given back, uncounted, and is not its any more", async () => {
  const house = new House();
  let finish: () => void = () => {};
  const answer = new Promise<void>((resolve) => (finish = resolve));
  const held: boolean[] = [];
  const ends: string[] = [];
  const stage = house.add(async ([handed], context) => {
    if (handed === undefined) return;
    await answer;
    held.push(context.holds(handed.job));
    ends.push(await context.finish(handed.job, DONE));
  });
  await house.engine.start();
  await house.enqueue("a");
  const removed = house.engine.removeStage(stage, GRACE_MS);
  await house.pass(GRACE_MS - 500);
  assert.deepEqual(await house.states("a"), ["held"]);
  await house.pass(1_000);
  await removed;
  assert.deepEqual([await house.states("a"), await house.attempts("a")], [["ready"], 0]);
  finish();
  await house.quiet();
  assert.deepEqual([held, ends], [[false], ["lost"]]);
  assert.deepEqual(await house.states("a"), ["ready"], "and whoever comes next does it");
});

test("what a stage keeps for longer than its grace is extended until then, not after", async () => {
  const house = new House();
  const stage = house.add(() => new Promise(() => {}));
  await house.engine.start();
  await house.enqueue("a");
  const removed = house.engine.removeStage(stage, 2 * LEASE_MS);
  await house.pass(2 * LEASE_MS - 1_000, 500);
  assert.deepEqual(await house.states("a"), ["held"]);
  await house.pass(2_000, 500);
  await removed;
  assert.deepEqual(await house.states("a"), ["ready"]);
});

test("a job that is born for a stage that was taken away lies ready in the store", async () => {
  const house = new House();
  const seen: string[] = [];
  const stage = house.add(doing(seen));
  await house.engine.start();
  const removed = house.engine.removeStage(stage, GRACE_MS);
  await house.engine.commit({ jobs: [stage.offer(jobOf("during"), "")] });
  await removed;
  await house.engine.commit({ jobs: [stage.offer(jobOf("after"), "")] });
  await house.quiet();
  assert.deepEqual(await house.states("during", "after"), ["ready", "ready"]);
  assert.deepEqual(seen, []);
  house.add(doing(seen));
  await house.quiet();
  assert.deepEqual(new Set(seen), new Set(["after", "during"]));
  assert.equal(seen.length, 2);
});

test("a job whose birth in hand is being committed when its stage is taken away is given back, uncounted", async () => {
  const house = new House();
  const seen: string[] = [];
  const stage = house.add(doing(seen));
  await house.engine.start();
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  house.trouble.commit = async (units) => {
    const verdicts = await house.store.commit(units);
    await answered;
    return verdicts;
  };
  const born = house.engine.commit({ jobs: [stage.offer(jobOf("a"), "")] });
  await house.quiet();
  assert.deepEqual(await house.states("a"), ["held"]);
  let isRemoved = false;
  const removed = house.engine.removeStage(stage, GRACE_MS).then(() => (isRemoved = true));
  await house.pass(100);
  assert.equal(isRemoved, false, "it waits for whom a hand is kept");
  answer();
  await born;
  await house.pass(200);
  await removed;
  assert.deepEqual([await house.states("a"), await house.attempts("a"), seen], [["ready"], 0, []]);
});

test("a job whose birth in hand outlasts the grace of its stage goes to the next stage at once", async () => {
  const house = new House();
  const old: string[] = [];
  const stage = house.add(doing(old));
  await house.engine.start();
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  house.trouble.commit = async (units) => {
    const verdicts = await house.store.commit(units);
    await answered;
    return verdicts;
  };
  const born = house.engine.commit({ jobs: [stage.offer(jobOf("a"), "")] });
  const removed = house.engine.removeStage(stage, GRACE_MS);
  await house.pass(GRACE_MS + 100);
  await removed;
  const seen: string[] = [];
  house.add(doing(seen));
  await house.quiet();
  answer();
  await born;
  await house.quiet();
  assert.deepEqual([old, seen], [[], ["a"]]);
});

test("jobs that were being claimed for a stage when it was taken away are given back and found by the next", async () => {
  const house = new House();
  const old: string[] = [];
  const stage = house.add(doing(old));
  await house.engine.start();
  await house.quiet();
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  house.trouble.claim = async (asks, leaseMs) => {
    const jobs = await house.store.claim(asks, leaseMs);
    await answered;
    return jobs;
  };
  await house.enqueue("a");
  assert.deepEqual(await house.states("a"), ["held"]);
  const removed = house.engine.removeStage(stage, GRACE_MS);
  await house.pass(100);
  await removed;
  // The next stage asks before the jobs are back.
  house.trouble.release = async (refs) => {
    await new Promise<void>((resolve) => house.clock.after(1_000, resolve));
    return await house.store.release(refs);
  };
  answer();
  await house.quiet();
  const seen: string[] = [];
  house.add(doing(seen));
  await house.pass(2_000);
  assert.deepEqual([old, seen], [[], ["a"]]);
});

test("stages that come and go while jobs are born lose none and do none twice", async () => {
  const house = new House();
  await house.engine.start();
  const done: string[] = [];
  const run: Stage<string>["run"] = async (jobs, context) => {
    for (const { job } of jobs) {
      if (context.signal.aborted) {
        await context.finish(job, { kind: "release" });
        continue;
      }
      await new Promise<void>((resolve) => house.clock.after(70, resolve));
      if ((await context.finish(job, DONE)) === "committed") done.push(job.key);
    }
  };
  const keys = [...Array(60).keys()].map((n) => `job-${n}`);
  let stage = house.add(run);
  for (const [at, key] of keys.entries()) {
    const job = at % 3 === 0 ? { job: jobOf(key), hand: null } : stage.offer(jobOf(key), "");
    void house.engine.commit({ jobs: [job] });
    if (at % 5 === 4) {
      const removed = house.engine.removeStage(stage, at % 2 === 0 ? 50 : 400);
      await house.pass(500, 20);
      await removed;
      stage = house.add(run);
    } else await house.pass(20, 20);
  }
  await house.pass(5_000);
  assert.deepEqual(done.toSorted(), keys.toSorted());
  assert.deepEqual(
    (await house.states(...keys)).filter((state) => state !== null),
    [],
  );
});

test("who takes a stage away twice, or after the engine has stopped, does no harm to the next", async () => {
  const house = new House();
  const seen: string[] = [];
  const stage = house.add(doing(seen));
  await house.engine.start();
  await house.engine.removeStage(stage, GRACE_MS);
  const next = house.add(doing(seen));
  await house.engine.removeStage(stage, GRACE_MS);
  await house.enqueue("a");
  assert.deepEqual(seen, ["a"], "it still works");
  const stopped = house.engine.stop(1_000);
  await house.pass(1_500);
  await stopped;
  await house.engine.removeStage(next, GRACE_MS);
});

test("a group goes on in a stage by itself, one after the other", async () => {
  const house = new House();
  const seen: Job[] = [];
  house.add(async (jobs, context) => {
    seen.push(...jobs.map(({ job }) => job));
    for (const { job } of jobs) await context.finish(job, DONE);
  });
  await house.engine.start();
  const keys = ["a", "b", "c", "d"];
  await house.engine.commit({ jobs: keys.map((key) => ({ job: jobOf(key, "g"), hand: null })) });
  await house.quiet();
  assert.deepEqual(
    seen.map(({ key }) => key),
    keys,
  );
});
