import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewJob } from "#domain/job.ts";
import type { Role } from "#domain/role.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import type { Take } from "#engine/lending.ts";
import { LOOK_AGAIN_MS } from "#engine/limits.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { StoreFault } from "#ports/store.ts";

const NOBODY_GOES = new AbortController().signal;
const WAIT_MS = 20_000;
const LEND_MS = 30_000;

class Bench {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly engine: Engine;
  /** Asks of each claim. */
  readonly claims: number[] = [];

  constructor(given: { readonly store?: MemoryStore; readonly clock?: ManualClock; readonly role?: Role } = {}) {
    this.clock = given.clock ?? new ManualClock();
    this.store = given.store ?? openMemoryStore({ clock: this.clock });
    const claim = this.store.claim;
    this.store.claim = (asks, leaseMs) => {
      this.claims.push(asks.length);
      return claim(asks, leaseMs);
    };
    const parts = { store: this.store, clock: this.clock, dice: seededDice(7), log: silentLog, meter: silentMeter };
    this.engine = new Engine(parts, undefined, given.role);
  }

  async start(): Promise<this> {
    await this.engine.start();
    await this.quiet();
    return this;
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 80; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.quiet();
  }

  /** A take, and what it has been answered so far: keys of jobs, or null while it waits. */
  take(given: Partial<Take> = {}): { keys: readonly string[] | null; fault: unknown } {
    const taken: { keys: readonly string[] | null; fault: unknown } = { keys: null, fault: null };
    this.engine.lending
      .take({
        queue: "box",
        lane: "transactional",
        max: 1,
        lendMs: LEND_MS,
        waitMs: WAIT_MS,
        signal: NOBODY_GOES,
        isGrouped: false,
        ...given,
      })
      .then(
        (jobs) => (taken.keys = jobs.map(({ key }) => key)),
        (fault: unknown) => (taken.fault = fault),
      );
    return taken;
  }

  async put(...keys: readonly string[]): Promise<void> {
    await this.engine.submit({ jobs: keys.map((key) => ({ job: job(key), hand: null })) });
    await this.quiet();
  }

  async attemptOf(key: string): Promise<number | undefined> {
    return (await this.store.jobs([key]))[0]?.attempt;
  }
}

function job(key: string, given: Partial<NewJob> = {}): NewJob {
  const at = Number(key.replaceAll(/\D/g, ""));
  return { key, queue: "box", lane: "transactional", turn: at, dueMs: 0, payload: "{}", traceparent: null, ...given };
}

test("all that ask together are one claim, and are served in the order of their coming", async () => {
  const bench = await new Bench().start();
  await bench.put("j1", "j2", "j3", "j4");
  bench.claims.length = 0;
  const takes = [bench.take({ max: 2 }), bench.take(), bench.take({ max: 5 }), bench.take()];
  await bench.quiet();
  assert.deepEqual(
    takes.map(({ keys }) => keys),
    [["j1", "j2"], ["j3"], ["j4"], null],
  );
  assert.deepEqual(bench.claims, [1]);
});

test("who waits is served by the commit that brings a job, one job to one waiting call", async () => {
  const bench = await new Bench().start();
  const [first, second] = [bench.take({ max: 10 }), bench.take({ max: 10 })];
  await bench.quiet();
  await bench.put("j1");
  assert.deepEqual([first.keys, second.keys], [["j1"], null]);
  await bench.put("j2");
  assert.deepEqual(second.keys, ["j2"]);
});

test("a wait ends with nothing at its time, and no wait is no wait", async () => {
  const bench = await new Bench().start();
  const [waits, asks] = [bench.take(), bench.take({ waitMs: 0 })];
  await bench.quiet();
  assert.deepEqual([waits.keys, asks.keys], [null, []]);
  await bench.pass(WAIT_MS - 1);
  assert.equal(waits.keys, null);
  await bench.pass(1);
  assert.deepEqual(waits.keys, []);
});

test("who has gone takes nothing: the job goes to the next, or stays as if never taken", async () => {
  const bench = await new Bench().start();
  const caller = new AbortController();
  const gone = bench.take({ signal: caller.signal });
  const next = bench.take();
  await bench.quiet();
  caller.abort();
  await bench.put("j1");
  assert.deepEqual([gone.keys, next.keys], [[], ["j1"]]);

  const hasty = new AbortController();
  await bench.put("j2");
  const late = bench.take({ signal: hasty.signal });
  // The claim is under way.
  await Promise.resolve();
  hasty.abort();
  await bench.quiet();
  assert.deepEqual(late.keys, []);
  assert.equal(await bench.attemptOf("j2"), 0);
  assert.equal((await bench.store.depths())[0]?.ready, 1);
});

test("a job that was given back is offered to whoever waits", async () => {
  const bench = await new Bench().start();
  await bench.put("j1");
  const [job1] = await bench.store.claim([{ queue: "box", lane: "transactional", limit: 1 }], LEND_MS);
  assert(job1 !== undefined);
  const waits = bench.take();
  await bench.quiet();
  await bench.engine.lending.giveBack([job1]);
  await bench.quiet();
  assert.deepEqual(waits.keys, ["j1"]);
});

test("who wishes to hold jobs for another time is asked for by a claim of his own", async () => {
  const bench = await new Bench().start();
  await bench.put("j1", "j2", "j3");
  bench.claims.length = 0;
  const takes = [bench.take({ lendMs: 1_000 }), bench.take({ lendMs: 2_000 }), bench.take({ lendMs: 1_000 })];
  await bench.quiet();
  assert.deepEqual(
    takes.map(({ keys }) => keys),
    [["j1"], ["j3"], ["j2"]],
  );
  assert.deepEqual(bench.claims, [1, 1]);
});

test("several queues that are asked for together are one claim", async () => {
  const bench = await new Bench().start();
  bench.claims.length = 0;
  bench.take();
  bench.take({ queue: "other" });
  await bench.quiet();
  assert.deepEqual(bench.claims, [2]);
});

test("when the engine stops, every wait ends at once with nothing", async () => {
  const bench = await new Bench().start();
  const takes = Array.from({ length: 100 }, () => bench.take());
  await bench.quiet();
  const stopped = bench.engine.stop(0);
  await bench.quiet();
  assert(takes.every(({ keys }) => keys?.length === 0));
  await stopped;
  const late = bench.take();
  await bench.quiet();
  assert.deepEqual(late.keys, []);
});

test("what was claimed while the engine stops is given back uncounted", async () => {
  const bench = await new Bench().start();
  await bench.put("j1");
  const taken = bench.take();
  await Promise.resolve();
  const stopped = bench.engine.stop(0);
  await bench.quiet();
  await stopped;
  assert.deepEqual(taken.keys, []);
  assert.equal(await bench.attemptOf("j1"), 0);
});

test("a thousand idle waits ask the store for nothing", async () => {
  const bench = await new Bench().start();
  for (let n = 0; n < 1_000; n += 1) bench.take();
  await bench.quiet();
  bench.claims.length = 0;
  await bench.engine.submit({ jobs: [{ job: job("x1", { queue: "elsewhere" }), hand: null }] });
  await bench.pass(WAIT_MS - 1);
  assert.deepEqual(bench.claims, []);
  assert.equal(bench.engine.lending.waiting, 1_000);
  await bench.pass(1);
  assert.equal(bench.engine.lending.waiting, 0);
});

test("who waits is served when a job's time has come", async () => {
  const bench = await new Bench().start();
  await bench.engine.submit({ jobs: [{ job: job("j1", { dueMs: bench.clock.nowMs() + 5_000 }), hand: null }] });
  const waits = bench.take();
  await bench.pass(4_999);
  assert.equal(waits.keys, null);
  await bench.pass(1);
  assert.deepEqual(waits.keys, ["j1"]);
});

test("who waits is served when another's loan is over, on a node that works no queue, too", async () => {
  for (const role of ["all", "api"] as const) {
    const bench = await new Bench({ role }).start();
    await bench.put("j1");
    const first = bench.take({ lendMs: 3_000 });
    await bench.quiet();
    const second = bench.take();
    await bench.pass(2_999);
    assert.deepEqual([first.keys, second.keys], [["j1"], null]);
    await bench.pass(1);
    assert.deepEqual(second.keys, ["j1"], role);
    assert.equal(await bench.attemptOf("j1"), 2);
  }
});

test("a loan can be made longer, and ended", async () => {
  const bench = await new Bench().start();
  const at = { queue: "box", lane: "transactional" } as const;
  await bench.put("j1");
  bench.take({ lendMs: 3_000 });
  await bench.quiet();
  const waits = bench.take();
  const ref = { key: "j1", fence: 2 };
  assert.deepEqual(await bench.engine.lending.extend([ref], 10_000, at), []);
  await bench.pass(9_999);
  assert.equal(waits.keys, null);
  assert.deepEqual(await bench.engine.lending.extend([ref], 0, at), []);
  await bench.quiet();
  assert.deepEqual(waits.keys, ["j1"]);
  assert.deepEqual(await bench.engine.lending.extend([ref], 5_000, at), [ref]);
});

test("who waits is served by what another node brings, also when its word is lost", async () => {
  for (const isDeaf of [false, true]) {
    const clock = new ManualClock();
    const one = openMemoryStore({ clock, manyNodes: true });
    const two = one.another();
    if (isDeaf) two.onWake = () => {};
    const bench = await new Bench({ store: two, clock, role: "api" }).start();
    const waits = bench.take();
    await bench.quiet();
    await one.commit([{ jobs: [{ ...job("j1"), heldForMs: null }] }]);
    await bench.quiet();
    if (isDeaf) await bench.pass(LOOK_AGAIN_MS);
    assert.deepEqual(waits.keys, ["j1"]);
  }
});

test("a store that cannot answer is told to whoever asked, and the next call is tried anew", async () => {
  const bench = await new Bench().start();
  const { claim } = bench.store;
  bench.store.claim = () => Promise.reject(new StoreFault("store.busy", "not now"));
  const refused = bench.take();
  await bench.quiet();
  assert(refused.fault instanceof StoreFault);
  bench.store.claim = claim;
  await bench.put("j1");
  const taken = bench.take();
  await bench.quiet();
  assert.deepEqual(taken.keys, ["j1"]);
});
