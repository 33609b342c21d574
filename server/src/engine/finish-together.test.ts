import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import type { Stage, StageContext, StageResult } from "#engine/stage.ts";
import type { DocumentPut } from "#domain/document.ts";
import type { Job } from "#domain/job.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { StoreFault, type Unit } from "#ports/store.ts";

const ATTEMPTS_MAX = 3;

class House {
  readonly clock = new ManualClock();
  /** Told of each commit that was done; may throw a fault, as if its answer was lost. */
  onCommit: (units: readonly Unit[]) => void = () => {};
  readonly store: MemoryStore = openMemoryStore({
    clock: this.clock,
    faults: { after: (units) => this.onCommit(units) },
  });
  readonly engine = new Engine({
    store: this.store,
    clock: this.clock,
    dice: seededDice(5),
    log: silentLog,
    meter: silentMeter,
  });

  async start(run: Stage<string>["run"]): Promise<void> {
    this.engine.addStage({
      queue: "work",
      inHandMax: { transactional: 4, bulk: 4 },
      batchMax: 4,
      attemptsMax: ATTEMPTS_MAX,
      run,
      bury: () => ({}),
    });
    await this.engine.start();
  }

  async enqueue(...keys: readonly string[]): Promise<void> {
    const one = { queue: "work", lane: "transactional", turn: 0, dueMs: 0, payload: "", traceparent: null } as const;
    await this.engine.commit({ jobs: keys.map((key) => ({ job: { key, ...one }, hand: null })) });
    await this.pass(0);
  }

  async pass(ms: number, stepMs = 500): Promise<void> {
    for (let passed = 0; passed <= ms; passed += stepMs) {
      for (let turn = 0; turn < 80; turn += 1) {
        this.clock.advance(0);
        await Promise.resolve();
      }
      if (passed < ms) this.clock.advance(stepMs);
    }
  }

  async states(...keys: readonly string[]): Promise<readonly (string | null)[]> {
    return (await this.store.jobs(keys)).map((job) => job?.state ?? null);
  }

  async count(id: string): Promise<readonly [body: string, version: number] | null> {
    const [found] = await this.store.documents([{ collection: "doc:counts", id }]);
    return found == null ? null : [found.body, found.version];
  }
}

function put(id: string, body: string): DocumentPut {
  return { collection: "doc:counts", id, body, when: "always", nowMs: 0 };
}

/** Ends the first and all others with it. */
function together(jobs: readonly Job[], more: Partial<StageResult & { kind: "end" }> = {}) {
  const [job, ...also] = jobs;
  assert(job !== undefined);
  const effects = { puts: [put("n", String(jobs.length))] };
  const result: StageResult = { kind: "end", end: { kind: "done" }, effects, also, ...more };
  return { job, result };
}

function finish(context: StageContext, jobs: readonly Job[], more: Partial<StageResult & { kind: "end" }> = {}) {
  const { job, result } = together(jobs, more);
  return context.finish(job, result);
}

/** What a stage is told, and a run for each batch; batches after the last stay in hand. */
class Script {
  readonly batches: (readonly string[])[] = [];
  readonly #steps: ((jobs: readonly Job[], context: StageContext) => Promise<unknown>)[];

  constructor(...steps: ((jobs: readonly Job[], context: StageContext) => Promise<unknown>)[]) {
    this.#steps = steps;
  }

  readonly run: Stage<string>["run"] = async (handed, context) => {
    const jobs = handed.map(({ job }) => job);
    this.batches.push(jobs.map(({ key, attempt }) => `${key}/${attempt}`));
    const step = this.#steps[this.batches.length - 1];
    await (step === undefined ? new Promise<never>(() => {}) : step(jobs, context));
  };
}

test("jobs that are done together end in one commit, with what came of them", async () => {
  const house = new House();
  const units: Unit[] = [];
  house.onCommit = (all) => units.push(...all.filter(({ job }) => job !== undefined));
  const ends: string[] = [];
  await house.start(new Script(async (jobs, context) => ends.push(await finish(context, jobs))).run);
  await house.enqueue("a", "b", "c");
  assert.deepEqual(ends, ["committed"]);
  assert.deepEqual(
    [await house.states("a", "b", "c"), await house.count("n")],
    [
      [null, null, null],
      ["3", 1],
    ],
  );
  assert.equal(units.length, 1);
  await house.enqueue("d", "e", "f", "g");
  assert.deepEqual(
    await house.states("d", "e", "f", "g"),
    ["held", "held", "held", "held"],
    "all hands are free again",
  );
});

test("when one of them is somebody else's by now, nothing has happened, and the others come again uncounted", async () => {
  const house = new House();
  const ends: string[] = [];
  const script = new Script(
    async (jobs, context) => {
      const [, second] = jobs;
      assert(second !== undefined);
      // As if its lease had been over and another had done it.
      await house.store.commit([{ job: { ref: second, end: { kind: "done" } } }]);
      ends.push(await finish(context, jobs));
    },
    async (jobs, context) => ends.push(await finish(context, jobs)),
  );
  await house.start(script.run);
  await house.enqueue("a", "b", "c");
  assert.deepEqual(ends, ["lost", "committed"]);
  assert.deepEqual(script.batches, [
    ["a/1", "b/1", "c/1"],
    ["a/1", "c/1"],
  ]);
  assert.deepEqual(await house.count("n"), ["2", 1]);
});

test("what rests on a document that has changed is refused, and is decided anew with the same jobs", async () => {
  const house = new House();
  await house.store.commit([{ puts: [put("n", "old")] }]);
  const ends: string[] = [];
  const script = new Script(async (jobs, context) => {
    const at = (version: number) => [{ collection: "doc:counts", id: "n", version }];
    await house.store.commit([{ puts: [put("n", "theirs")] }]);
    ends.push(await finish(context, jobs, { expect: at(1) }));
    assert.deepEqual(
      jobs.map((job) => context.holds(job)),
      [true, true],
    );
    assert.deepEqual(await house.states("a", "b"), ["held", "held"]);
    ends.push(await finish(context, jobs, { expect: at(2) }));
  });
  await house.start(script.run);
  await house.enqueue("a", "b");
  assert.deepEqual(ends, ["stale", "committed"]);
  assert.deepEqual(
    [await house.states("a", "b"), await house.count("n")],
    [
      [null, null],
      ["2", 3],
    ],
  );
  assert.equal(script.batches.length, 1);
});

test("a job that is kept although a document has changed is kept by the next try", async () => {
  const house = new House();
  const ends: string[] = [];
  const script = new Script(async ([job], context) => {
    assert(job !== undefined);
    for (const version of [7, 0, 0]) {
      const expect = [{ collection: "doc:counts", id: "n", version }];
      const end = { kind: "keep", payload: `step ${version}` } as const;
      ends.push(await context.finish(job, { kind: "end", end, effects: { puts: [put(`x${version}`, "1")] }, expect }));
    }
    ends.push(await finish(context, [job]));
  });
  await house.start(script.run);
  await house.enqueue("a");
  assert.deepEqual(ends, ["stale", "committed", "committed", "committed"]);
  assert.deepEqual([await house.count("x7"), await house.count("x0")], [null, ["1", 2]]);
});

test("a stage that does not go on after a stale answer has failed at all of them", async () => {
  const house = new House();
  const expect = [{ collection: "doc:counts", id: "n", version: 9 }];
  const runs: string[] = [];
  await house.start(async (handed, context) => {
    const jobs = handed.map(({ job }) => job);
    runs.push(...jobs.map(({ key, attempt }) => `${key}/${attempt}`));
    if (runs.length > 2 * ATTEMPTS_MAX) return await new Promise(() => {});
    // Nor is one there to hear the answer when it is not waited for.
    if (jobs[0]?.attempt === 2) void finish(context, jobs, { expect });
    else await finish(context, jobs, { expect });
  });
  await house.enqueue("a", "b");
  await house.pass(60_000);
  assert.deepEqual(runs.toSorted(), ["a/1", "a/2", "a/3", "b/1", "b/2", "b/3"]);
  const dead = await house.store.deadJobs({ queue: null, after: null, limit: 9 });
  assert.deepEqual(
    dead.map(({ key, error }) => [key, error.includes("without saying")]),
    [
      ["a", true],
      ["b", true],
    ],
  );
  await house.enqueue("c", "d", "e", "f");
  assert.deepEqual(await house.states("c", "d", "e", "f"), ["held", "held", "held", "held"], "no hand is lost");
});

test("who names a job twice has failed at its whole batch, and nothing was done", async () => {
  const house = new House();
  const script = new Script(
    async (jobs, context) => {
      const [first, second] = jobs;
      assert(first !== undefined && second !== undefined);
      await finish(context, [first, second, second]);
    },
    async (jobs, context) => await finish(context, jobs),
  );
  await house.start(script.run);
  await house.enqueue("a", "b");
  assert.deepEqual([await house.states("a", "b"), await house.count("n")], [["waiting", "waiting"], null]);
  await house.pass(60_000);
  assert.equal(await house.count("n").then((found) => found?.[0]), String(script.batches[1]?.length));
});

test("a commit of several whose answer was lost is not taken for another's, and none is done twice", async () => {
  const house = new House();
  let lost = 0;
  house.onCommit = (units) => {
    if (units.some(({ also }) => also !== undefined) && (lost += 1) === 1) {
      throw new StoreFault("store.failed", "the answer was lost");
    }
  };
  const ends: string[] = [];
  const script = new Script(async (jobs, context) => ends.push(await finish(context, jobs)));
  await house.start(script.run);
  await house.enqueue("a", "b");
  await house.pass(5_000);
  // It was done, but the repetition finds nobody who holds them: as with a single one.
  assert.deepEqual(ends, ["lost"]);
  assert.deepEqual(
    [await house.states("a", "b"), await house.count("n")],
    [
      [null, null],
      ["2", 1],
    ],
  );
  assert.equal(script.batches.length, 1);
});

test("effects that no store takes fail each of several by itself, and no hand is lost", async () => {
  const house = new House();
  const script = new Script(
    async (jobs, context) => {
      const [first] = jobs;
      assert(first !== undefined);
      const job = {
        key: "born",
        queue: "work",
        lane: "bulk",
        turn: 0,
        payload: "",
        traceparent: null,
      } as const;
      const broken = {
        ...job,
        get dueMs(): number {
          throw new Error("a mistake of the stage");
        },
      };
      await finish(context, jobs, { effects: { jobs: [{ job: broken, hand: null }] } });
    },
    async (jobs, context) => await finish(context, jobs),
    async (jobs, context) => await finish(context, jobs),
  );
  await house.start(script.run);
  await house.enqueue("a", "b");
  assert.deepEqual(await house.states("a", "b"), ["waiting", "waiting"]);
  await house.pass(60_000);
  assert.deepEqual(await house.states("a", "b"), [null, null]);
  assert.deepEqual(script.batches.slice(1).flat().toSorted(), ["a/2", "b/2"]);
});
