import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NewJob } from "#domain/job.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, type MemoryStoreOptions, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { LEASE_MS } from "#engine/limits.ts";
import type { HandedJob, Stage, StageContext } from "#engine/stage.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { StoreFault, type Unit } from "#ports/store.ts";

class Bench {
  readonly clock = new ManualClock();
  readonly commits: number[] = [];
  store: MemoryStore;
  engine: Engine;

  constructor(faults: MemoryStoreOptions["faults"] = {}) {
    const before = (units: readonly Unit[]): void => {
      this.commits.push(units.length);
      faults.before?.(units);
    };
    this.store = openMemoryStore({ clock: this.clock, faults: { ...faults, before } });
    this.engine = this.open();
  }

  open(): Engine {
    const { store, clock } = this;
    return new Engine({ store, clock, dice: seededDice(7), log: silentLog, meter: silentMeter });
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 80; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  /** Waits for something that needs no time but the clock's shortest turns. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = promise.finally(() => {
      over = true;
    });
    settled.catch(() => {});
    while (!over) await this.quiet();
    return settled;
  }

  async pass(ms: number, stepMs = 1_000): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await this.quiet();
    }
  }
}

function job(key: string, given: Partial<NewJob> = {}): NewJob {
  return { key, queue: "work", lane: "transactional", turn: 0, dueMs: 0, payload: "{}", traceparent: null, ...given };
}

type Run = (jobs: readonly HandedJob<string>[], context: StageContext) => Promise<void>;

function stage(run: Run, given: Partial<Stage<string>> = {}): Stage<string> {
  return {
    queue: "work",
    inHandMax: { transactional: 4, bulk: 4 },
    batchMax: 4,
    attemptsMax: 3,
    run,
    bury: () => ({}),
    ...given,
  };
}

const finishAll: Run = async (jobs, context) => {
  await Promise.all(
    jobs.map(({ job: done }) => context.finish(done, { kind: "end", end: { kind: "done" }, effects: {} })),
  );
};

const enqueue = (...jobs: readonly NewJob[]) => ({ jobs: jobs.map((one) => ({ job: one, hand: null })) });

describe("group commit", () => {
  test("a lone unit goes at once, and what arrives meanwhile goes together", async () => {
    const bench = new Bench();
    const units = [...Array(16).keys()].map((n) => bench.engine.submit(enqueue(job(`j${n}`))));
    await bench.wait(Promise.all(units));
    assert.deepEqual(bench.commits, [1, 15]);
  });

  test("many go beside a commit that is under way, but never a third", async () => {
    const clock = new ManualClock();
    const handed: { units: number; answer: () => void }[] = [];
    const store = openMemoryStore({ clock });
    const commit = store.commit.bind(store);
    store.commit = async (units) => {
      await new Promise<void>((resolve) => handed.push({ units: units.length, answer: resolve }));
      return commit(units);
    };
    const engine = new Engine({ store, clock, dice: seededDice(7), log: silentLog, meter: silentMeter });
    const units = Promise.all([...Array(100).keys()].map((n) => engine.submit(enqueue(job(`j${n}`)))));
    assert.deepEqual(
      handed.splice(0).map(({ units: count, answer }) => (answer(), count)),
      [1, 16],
    );
    await new Promise<void>((resolve) => setImmediate(resolve));
    assert.deepEqual(
      handed.splice(0).map(({ units: count, answer }) => (answer(), count)),
      [83],
    );
    await units;
    assert.equal((await store.depths())[0]?.ready, 100);
  });

  test("a store that cannot commit is told to the door, and nothing was done", async () => {
    let broken = true;
    const bench = new Bench({
      before: () => {
        if (broken) throw new StoreFault("store.full", "no space left");
      },
    });
    await assert.rejects(bench.engine.submit(enqueue(job("a"))), { code: "store.full" });
    broken = false;
    assert.equal((await bench.engine.submit(enqueue(job("a")))).kind, "committed");
  });

  test("a malformed unit is refused alone, and the others of its batch commit", async () => {
    const bench = new Bench({
      before: (units) => {
        if (units.some(({ jobs }) => jobs?.[0]?.key === "malformed")) throw new TypeError("not a number");
      },
    });
    const keys = ["first", "good", "malformed", "better"];
    const all = Promise.allSettled(keys.map((key) => bench.engine.submit(enqueue(job(key)))));
    const results = await bench.wait(all);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected", "fulfilled"],
    );
  });

  test("a store with more jobs than it should hold takes no new ones until it has fewer, but still hears a no", async () => {
    const bench = new Bench();
    const engine = new Engine(
      { store: bench.store, clock: bench.clock, dice: seededDice(7), log: silentLog, meter: silentMeter },
      3,
    );
    await engine.start();
    const dueMs = bench.clock.nowMs() + 3_600_000;
    await engine.submit(enqueue(job("a", { dueMs }), job("b", { dueMs }), job("c", { dueMs })));
    await bench.pass(20_000);
    assert.equal((await engine.submit(enqueue(job("d")))).kind, "overloaded");
    assert.equal((await engine.submit({ take: "a" })).kind, "committed");
    await bench.pass(20_000);
    assert.equal((await engine.submit(enqueue(job("d")))).kind, "committed");
  });

  test("more than may wait is refused at once, and taken again when there is room", async () => {
    const bench = new Bench();
    const many = [...Array(20_040).keys()].map((n) => bench.engine.submit(enqueue(job(`j${n}`))));
    const verdicts = await bench.wait(Promise.all(many));
    assert.ok(verdicts.some(({ kind }) => kind === "overloaded"));
    assert.equal((await bench.engine.submit(enqueue(job("later")))).kind, "committed");
  });
});

describe("a job", () => {
  test("that was born into a free hand is run without a claim, with what is known of it", async () => {
    const bench = new Bench();
    const carried: (string | null)[] = [];
    const work = bench.engine.addStage(
      stage(async (jobs, context) => {
        carried.push(...jobs.map(({ carry }) => carry));
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    await bench.engine.submit({ jobs: [work.offer(job("a"), "known"), work.offer(job("b"), "known, too")] });
    await bench.quiet();
    assert.deepEqual(carried, ["known", "known, too"]);
  });

  test("beyond the hands' room waits in the store and is claimed when there is room", async () => {
    const bench = new Bench();
    const done: string[] = [];
    const work = bench.engine.addStage(
      stage(async (jobs, context) => {
        done.push(...jobs.map(({ job: { key } }) => key));
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    await bench.engine.submit({ jobs: [...Array(20).keys()].map((n) => work.offer(job(`j${n}`), "")) });
    await bench.quiet();
    await bench.quiet();
    assert.equal(new Set(done).size, 20);
    assert.equal(done.length, 20);
  });

  test("that fails is tried again with growing waits, then becomes a dead letter with its error, and can be revived", async () => {
    const bench = new Bench();
    let tries = 0;
    let broken = true;
    bench.engine.addStage(
      stage(async (jobs, context) => {
        tries += jobs.length;
        if (broken) throw new Error("the printer is on fire");
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    await bench.engine.submit(enqueue(job("a")));
    await bench.pass(30_000);
    assert.equal(tries, 3);
    const [dead] = await bench.store.deadJobs({ queue: "work", after: null, limit: 10 });
    assert.match(dead?.error ?? "", /the printer is on fire/);
    assert.equal(dead?.attempt, 3);
    broken = false;
    assert.equal((await bench.engine.settleDead("a", "revive"))?.kind, "committed");
    await bench.quiet();
    assert.equal(tries, 4);
    assert.deepEqual(await bench.store.deadJobs({ queue: "work", after: null, limit: 10 }), []);
    assert.deepEqual(await bench.store.jobs(["a"]), [null]);
  });

  test("is not blamed for a store that cannot answer: it waits, and no attempt is counted", async () => {
    const bench = new Bench();
    let answers = false;
    let runs = 0;
    bench.engine.addStage(
      stage(async (jobs, context) => {
        runs += 1;
        if (!answers) throw new StoreFault("store.failed", "the disk is away");
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    await bench.engine.submit(enqueue(job("a")));
    await bench.pass(60_000);
    assert.ok(runs > 20, `${runs} tries`);
    assert.deepEqual(await bench.store.deadJobs({ queue: "work", after: null, limit: 10 }), []);
    answers = true;
    await bench.pass(3_000);
    assert.deepEqual(await bench.store.jobs(["a"]), [null]);
  });

  test("whose worker died is claimed by another, and what the dead one says later is refused", async () => {
    const bench = new Bench();
    const first: { jobs: readonly HandedJob<string>[]; context: StageContext | null } = { jobs: [], context: null };
    bench.engine.addStage(
      stage(async (jobs, context) => {
        first.jobs = jobs;
        first.context = context;
        await new Promise(() => {});
      }),
    );
    // No start: its heartbeat never beats, as in a process that was stopped in the middle.
    const [claimed] = await (async () => {
      await bench.engine.submit(enqueue(job("a")));
      return bench.store.claim([{ queue: "work", lane: "transactional", limit: 1 }], LEASE_MS);
    })();
    assert.equal(claimed?.attempt, 1);
    const second = bench.open();
    const seen: number[] = [];
    second.addStage(
      stage(async (jobs, context) => {
        seen.push(...jobs.map(({ job: { attempt } }) => attempt));
        await finishAll(jobs, context);
      }),
    );
    await second.start();
    await bench.pass(LEASE_MS - 1_000);
    assert.deepEqual(seen, []);
    await bench.pass(10_000);
    assert.deepEqual(seen, [2]);
    const ref = { key: "a", fence: claimed?.fence ?? 0 };
    const [verdict] = await bench.store.commit([{ job: { ref, end: { kind: "done" } } }]);
    assert.equal(verdict?.kind, "fenced");
  });

  test("that ends late is counted, because somebody else had it", async () => {
    const bench = new Bench();
    const { store, clock } = bench;
    let late = 0;
    const counter = (name: string) => ({ add: (n: number) => (late += name === "tidings_late_ends_total" ? n : 0) });
    const meter = { ...silentMeter, counter };
    const engine = new Engine({ store, clock, dice: seededDice(7), log: silentLog, meter });
    engine.addStage(
      stage(async (jobs, context) => {
        for (const { job: held } of jobs) {
          // Another worker, to which the lease was over.
          if (held.key === "taken") await store.commit([{ job: { ref: held, end: { kind: "done" } } }]);
        }
        await finishAll(jobs, context);
      }),
    );
    await engine.start();
    await bench.wait(engine.submit(enqueue(job("taken"), job("kept"))));
    await bench.pass(1_000);
    assert.equal(late, 1);
  });

  test("that takes long is kept by heartbeats", async () => {
    const bench = new Bench();
    let runs = 0;
    let finish: () => void = () => {};
    bench.engine.addStage(
      stage(async (jobs, context) => {
        runs += 1;
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    await bench.engine.submit(enqueue(job("a")));
    await bench.pass(5 * LEASE_MS);
    assert.equal(runs, 1);
    finish();
    await bench.quiet();
    assert.deepEqual(await bench.store.jobs(["a"]), [null]);
  });

  test("that kills its workers is a dead letter after so many of them", async () => {
    const bench = new Bench();
    await bench.engine.submit(enqueue(job("a")));
    for (let life = 0; life < 3; life += 1) {
      await bench.store.claim([{ queue: "work", lane: "transactional", limit: 1 }], LEASE_MS);
      bench.store = bench.store.crash();
    }
    const engine = bench.open();
    let runs = 0;
    engine.addStage(
      stage(async () => {
        runs += 1;
      }),
    );
    await engine.start();
    await bench.quiet();
    assert.equal(runs, 0);
    const [dead] = await bench.store.deadJobs({ queue: "work", after: null, limit: 10 });
    assert.match(dead?.error ?? "", /3 workers took it and ended without a result/);
  });

  test("is due to the millisecond", async () => {
    const bench = new Bench();
    const at: number[] = [];
    bench.engine.addStage(
      stage(async (jobs, context) => {
        at.push(bench.clock.nowMs());
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    const dueMs = bench.clock.nowMs() + 12_345;
    await bench.engine.submit(enqueue(job("a", { dueMs })));
    await bench.pass(12_344, 12_344);
    assert.deepEqual(at, []);
    await bench.pass(1, 1);
    assert.deepEqual(at, [dueMs]);
  });

  test("whose result cannot be committed keeps its place until the store is back", async () => {
    let broken = false;
    const bench = new Bench({
      before: () => {
        if (broken) throw new StoreFault("store.failed", "disk gone");
      },
    });
    let runs = 0;
    bench.engine.addStage(
      stage(async (jobs, context) => {
        runs += 1;
        broken = true;
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.start();
    await bench.engine.submit(enqueue(job("a")));
    await bench.pass(20_000);
    broken = false;
    await bench.pass(10_000);
    assert.equal(runs, 1, "the work was done once");
    assert.deepEqual(await bench.store.jobs(["a"]), [null]);
  });
});

test("a stage whose effects cannot be committed fails its own job, and the process goes on", async () => {
  const bench = new Bench({
    before: (units) => {
      if (units.some(({ puts }) => puts !== undefined)) throw new TypeError("a malformed document");
    },
  });
  bench.engine.addStage(
    stage(async (jobs, context) => {
      const put = { collection: "c", id: "i", body: "{}", when: "always" as const, nowMs: 0 };
      for (const { job: one } of jobs) {
        await context.finish(one, { kind: "end", end: { kind: "done" }, effects: { puts: [put] } });
      }
    }),
  );
  await bench.engine.start();
  await bench.engine.submit(enqueue(job("a")));
  await bench.pass(30_000);
  const [dead] = await bench.store.deadJobs({ queue: "work", after: null, limit: 10 });
  assert.match(dead?.error ?? "", /a malformed document/);
});

describe("lanes", () => {
  test("a transactional job does not wait behind a thousand bulk jobs", async () => {
    const bench = new Bench();
    const order: string[] = [];
    const gates: (() => void)[] = [];
    bench.engine.addStage(
      stage(async (jobs, context) => {
        order.push(...jobs.map(({ job: { key } }) => key));
        await new Promise<void>((resolve) => gates.push(resolve));
        await finishAll(jobs, context);
      }),
    );
    await bench.engine.submit(enqueue(...[...Array(1_000).keys()].map((n) => job(`bulk${n}`, { lane: "bulk" }))));
    await bench.engine.start();
    await bench.quiet();
    await bench.engine.submit(enqueue(job("login code")));
    await bench.quiet();
    assert.ok(order.includes("login code"));
    assert.ok(order.length <= 9);
  });

  test("bulk keeps few in hand while transactional jobs come, and as many as it may when they have stopped", async () => {
    const bench = new Bench();
    let inHand = 0;
    const now = (): number => inHand;
    const run: Run = async (jobs, context) => {
      const bulk = jobs.filter(({ job: { lane } }) => lane === "bulk").length;
      inHand += bulk;
      await new Promise<void>((resolve) => bench.clock.after(1_000, resolve));
      await finishAll(jobs, context);
      inHand -= bulk;
    };
    bench.engine.addStage(stage(run, { inHandMax: { transactional: 4, bulk: 40 }, batchMax: 40, bulkBesideMax: 6 }));
    await bench.engine.submit(enqueue(...[...Array(400).keys()].map((n) => job(`bulk${n}`, { lane: "bulk" }))));
    await bench.engine.start();
    await bench.quiet();
    assert.equal(inHand, 40);
    await bench.engine.submit(enqueue(job("login code")));
    await bench.pass(1_000);
    assert.equal(inHand, 6);
    await bench.pass(5_000);
    assert.ok(now() > 20 && now() <= 40, `${now()} in hand: more are brought when half of the hands are empty`);
  });

  test("a job whose consequences would find no hands is left in the store until they do", async () => {
    const bench = new Bench();
    const ran: string[] = [];
    let hasRoom = false;
    const run: Run = async (jobs, context) => {
      ran.push(...jobs.map(({ job: { key } }) => key));
      await finishAll(jobs, context);
    };
    bench.engine.addStage(stage(run, { hasRoom: () => hasRoom }));
    const other = bench.engine.addStage(stage(finishAll, { queue: "other" }));
    await bench.engine.submit(enqueue(job("page")));
    await bench.engine.start();
    await bench.quiet();
    assert.deepEqual(ran, []);
    hasRoom = true;
    await bench.engine.submit(enqueue(job("frees a hand", { queue: other.stage.queue })));
    await bench.quiet();
    assert.deepEqual(ran, ["page"]);
  });

  test("one share's flood delays another share's job by a turn, not by the flood", async () => {
    const bench = new Bench();
    const order: string[] = [];
    const work = bench.engine.addStage(
      stage(async (jobs, context) => {
        order.push(...jobs.map(({ job: { key } }) => key));
        await finishAll(jobs, context);
      }),
    );
    const flood = [...Array(500).keys()].map((n) =>
      job(`flood${n}`, { lane: "bulk", turn: work.turn("bulk", "list:flood") }),
    );
    const few = [...Array(5).keys()].map((n) => job(`few${n}`, { lane: "bulk", turn: work.turn("bulk", "list:few") }));
    await bench.engine.submit(enqueue(...flood, ...few));
    await bench.engine.start();
    for (let round = 0; round < 60; round += 1) await bench.quiet();
    assert.equal(order.length, 505);
    const places = few.map(({ key }) => order.indexOf(key));
    assert.ok(Math.max(...places) < 12, `the few were served at ${places.join(", ")}`);
  });
});

describe("stopping", () => {
  test("lets what is in hand finish, and gives back what does not", async () => {
    const bench = new Bench();
    let quick: () => void = () => {};
    bench.engine.addStage(
      stage(
        async (jobs, context) => {
          for (const { job: one } of jobs) {
            if (one.key !== "slow") {
              await new Promise<void>((resolve) => {
                quick = resolve;
              });
              await context.finish(one, { kind: "end", end: { kind: "done" }, effects: {} });
            } else await new Promise(() => {});
          }
        },
        { batchMax: 1 },
      ),
    );
    await bench.engine.start();
    await bench.engine.submit(enqueue(job("quick"), job("slow")));
    await bench.quiet();
    const stopped = bench.engine.stop(5_000);
    quick();
    await bench.pass(6_000, 100);
    await stopped;
    const [done, given] = await bench.store.jobs(["quick", "slow"]);
    assert.equal(done, null);
    assert.equal(given?.state, "ready");
  });
});
