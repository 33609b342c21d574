import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GroupOracle } from "#conformance/group-oracle.ts";
import { commitOne, job, LEASE_MS, type OpenedWorld, type StoreWorld } from "#conformance/store-world.ts";
import type { Job, JobEnd } from "#domain/job.ts";

const GROUPS = ["g", "h", null] as const;
const KEYS = ["a", "b", "c", "d", "e", "f", "k", "l"] as const;
const LEND_MS = 2 * LEASE_MS;
/** A run is a queue of its own, all in one store. */
const RUNS = 40;

type Step =
  | { readonly do: "enqueue"; readonly jobs: readonly Draft[] }
  | { readonly do: "claim"; readonly limit: number; readonly lendMs: number | null }
  | { readonly do: "end"; readonly held: number; readonly end: JobEnd }
  | { readonly do: "release"; readonly held: number }
  | { readonly do: "extend"; readonly held: number; readonly ms: number }
  | { readonly do: "take" | "unpark" | "revive"; readonly key: string }
  | { readonly do: "wait" | "trim"; readonly ms: number }
  | { readonly do: "park" };

type Draft = { readonly key: string; readonly group: number; readonly turn: number; readonly delayMs: number };

/**
 * Whatever happens to the jobs of groups, each step does what the oracle says: never two takers for one group, strictly in
 * order; and at the end every job that lives can be claimed.
 */
export function groupRuns(world: StoreWorld): void {
  test("groups keep their promise, whatever happens to their jobs", async () => {
    await using at = await world.open();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const run = new Run(at, `run${++count}`);
        try {
          for (const next of steps) await run.take(next);
          await run.finish();
        } finally {
          await at.store.trimJobs({ queue: run.queue, olderThanMs: Number.MAX_SAFE_INTEGER, limit: 1_000 });
        }
      }),
      { numRuns: RUNS },
    );
  });
}

class Run {
  readonly queue: string;
  readonly #world: OpenedWorld;
  readonly #oracle = new GroupOracle();
  /** All that claims have given, also what is held no longer. */
  readonly #claimed: Job[] = [];

  constructor(world: OpenedWorld, queue: string) {
    this.#world = world;
    this.queue = queue;
  }

  async take(next: Step): Promise<void> {
    await this.#do(next);
    const { store, clock } = this.#world;
    const states = await store.jobs(KEYS.map((key) => this.#keyOf(key)));
    assert.deepEqual(
      states.map((state) => state?.state ?? "gone"),
      KEYS.map((key) => this.#oracle.stateOf(this.#keyOf(key), clock.nowMs())),
      JSON.stringify(next),
    );
  }

  /** Nothing is stuck: when all time is over, each job that lives is claimed, in order. */
  async finish(): Promise<void> {
    for (const key of this.#oracle.keys("parked")) await this.#do({ do: "unpark", key });
    await this.#do({ do: "wait", ms: 1_000_000 });
    for (;;) {
      const given = await this.#claim(3, null);
      if (given.length === 0) break;
      for (const n of given.keys()) await this.#end(n, { kind: "done" });
    }
    assert.deepEqual(this.#oracle.keys("free", "held", "parked"), []);
    assert.deepEqual(
      (await this.#world.store.depths([this.queue])).filter(({ ready, waiting, held }) => ready + waiting + held > 0),
      [],
    );
  }

  async #do(next: Step): Promise<void> {
    const { store, clock } = this.#world;
    const nowMs = clock.nowMs();
    switch (next.do) {
      case "enqueue":
        return await this.#enqueue(next.jobs);
      case "claim":
        return void (await this.#claim(next.limit, next.lendMs));
      case "end":
        return await this.#end(next.held, next.end);
      case "release":
      case "extend":
        return await this.#giveBack(next);
      case "take": {
        const key = this.#keyOf(next.key);
        return assert.equal((await commitOne(store, { take: key })).kind, this.#oracle.take(key));
      }
      case "unpark": {
        const key = next.key.startsWith(this.queue) ? next.key : this.#keyOf(next.key);
        const kind = this.#oracle.unpark(key) ? "committed" : "gone";
        return assert.equal((await commitOne(store, { unpark: key })).kind, kind);
      }
      case "revive": {
        const key = this.#keyOf(next.key);
        const verdict = await commitOne(store, { dead: { key, then: "revive" } });
        return assert.equal(verdict.kind, this.#oracle.revive(key, nowMs));
      }
      case "wait":
        clock.advance(next.ms);
        await store.wakeDue(1_000);
        return this.#oracle.wake(clock.nowMs());
      case "trim": {
        const ask = { queue: this.queue, olderThanMs: nowMs - next.ms, limit: 1_000 };
        return assert.equal(await store.trimJobs(ask), this.#oracle.trim(ask.olderThanMs));
      }
      case "park":
        await store.park(1_000);
        return this.#oracle.park();
    }
  }

  async #enqueue(drafts: readonly Draft[]): Promise<void> {
    const { store, clock } = this.#world;
    const jobs = drafts.map(({ key, group, turn, delayMs }) => {
      const [name, of, dueMs] = [this.#keyOf(key), GROUPS[group] ?? null, clock.nowMs() + delayMs];
      this.#oracle.enqueue(name, of, turn, dueMs, clock.nowMs());
      return job(name, { queue: this.queue, group: of, turn, dueMs });
    });
    await commitOne(store, { jobs });
  }

  async #claim(limit: number, lendMs: number | null): Promise<readonly Job[]> {
    const { store, clock } = this.#world;
    const ask = { queue: this.queue, lane: "transactional", limit } as const;
    const given = await store.claim([lendMs === null ? ask : { ...ask, lendMs }], LEASE_MS);
    const expected = this.#oracle.claim(limit, lendMs, clock.nowMs());
    assert.deepEqual(
      given.map(({ key, group, turn, attempt }) => [key, group, turn, attempt]),
      expected.map(({ key, group, turn, attempt }) => [key, group, turn, attempt]),
      `claim of ${limit}, lent for ${lendMs}`,
    );
    for (const one of given) this.#oracle.note(one);
    this.#claimed.push(...given);
    return given;
  }

  /** By the n-th job that was claimed, counted from the last. */
  async #end(n: number, drafted: JobEnd): Promise<void> {
    const ref = this.#claimed.at(-1 - n);
    if (ref === undefined) return;
    const { store, clock } = this.#world;
    const held = this.#oracle.held(ref);
    const end = drafted.kind === "again" ? { ...drafted, dueMs: clock.nowMs() + drafted.dueMs } : drafted;
    const { kind } = await commitOne(store, { job: { ref: { key: ref.key, fence: ref.fence }, end } });
    assert.equal(kind, held === null ? "fenced" : "committed");
    if (held === null) return;
    if (end.kind === "keep") held.attempt = 1;
    else if (end.kind === "dead") this.#oracle.bury(held);
    else if (end.kind === "done") held.place = "gone";
    else {
      Object.assign(held, { place: "free", turn: end.turn, dueMs: end.dueMs });
      if (end.attempts === "reset") held.attempt = 0;
    }
  }

  async #giveBack(next: Step & { readonly do: "release" | "extend" }): Promise<void> {
    const ref = this.#claimed.at(-1 - next.held);
    if (ref === undefined) return;
    const { store, clock } = this.#world;
    const held = this.#oracle.held(ref);
    if (next.do === "release") {
      await store.release([ref]);
      if (held !== null) Object.assign(held, { place: "free", attempt: held.attempt - 1 });
      return;
    }
    const lost = await store.extend([ref], next.ms);
    assert.equal(lost.length, held === null ? 1 : 0);
    if (held !== null) Object.assign(held, next.ms === 0 ? { place: "free" } : { untilMs: clock.nowMs() + next.ms });
  }

  #keyOf(key: string): string {
    return `${this.queue}:${key}`;
  }
}

const key = fc.constantFrom(...KEYS);
const held = fc.nat({ max: 4 });
const draft = fc.record({
  key,
  group: fc.nat({ max: 2 }),
  turn: fc.nat({ max: 3 }),
  delayMs: fc.constantFrom(0, 0, 0, 50),
});
const end: fc.Arbitrary<JobEnd> = fc.oneof(
  fc.constant({ kind: "done" } as const),
  fc.record({ kind: fc.constant("keep" as const), payload: fc.constant(null), step: fc.constant(1) }),
  fc.record({
    kind: fc.constant("again" as const),
    payload: fc.constant("{}"),
    /** From now. */
    dueMs: fc.constantFrom(0, 70),
    turn: fc.nat({ max: 3 }),
    attempts: fc.constantFrom("count" as const, "reset" as const),
    error: fc.constant(null),
  }),
  fc.record({ kind: fc.constant("dead" as const), error: fc.constant("e") }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("enqueue" as const), jobs: fc.array(draft, { maxLength: 4 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      limit: fc.integer({ min: 1, max: 4 }),
      lendMs: fc.constantFrom(null, 0, LEND_MS, LEND_MS),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("end" as const), held, end }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 60, LEASE_MS) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("unpark" as const, "revive" as const), key }) },
  fc.record({ do: fc.constant("take" as const), key }),
  fc.record({ do: fc.constant("release" as const), held }),
  fc.record({ do: fc.constant("extend" as const), held, ms: fc.constantFrom(0, LEASE_MS) }),
  fc.record({ do: fc.constant("trim" as const), ms: fc.constantFrom(0, 60) }),
  fc.record({ do: fc.constant("park" as const) }),
);
