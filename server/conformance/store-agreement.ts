import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { StoreOpening } from "#conformance/store.ts";
import {
  birth,
  event,
  job,
  LEASE_MS,
  message,
  messageIdOf,
  QUEUE,
  request,
  requestIdOf,
  StandingClock,
  START_MS,
} from "#conformance/store-world.ts";
import type { Position } from "#domain/event.ts";
import { LANES, type Job, type JobEnd, type JobRef } from "#domain/job.ts";
import type { MessageStatus } from "#domain/message.ts";
import { jobKeysOf, type JournalPage, type Store, type Unit, type Verdict } from "#ports/store.ts";

/** Few names, so that random units meet each other. */
const KEYS = ["a", "b", "c", "d"] as const;
/** Keys of jobs that keep a request from being forgotten. */
const WORKING_KEYS = [jobKeysOf(requestIdOf(1)).fanOut, messageIdOf(2), messageIdOf(3, "a")] as const;
const STATUSES = ["ROUTED", "SENT", "OPENED", "CANCELED", "UNDELIVERABLE"] as const satisfies readonly MessageStatus[];

type Step =
  | { readonly do: "commit"; readonly units: readonly Draft[] }
  | { readonly do: "claim"; readonly lane: Job["lane"]; readonly limit: number; readonly lendMs: number | undefined }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "extend"; readonly held: number; readonly ms: number }
  | { readonly do: "release"; readonly held: number }
  | { readonly do: "trimJobs"; readonly ms: number }
  | { readonly do: "trim"; readonly upTo: number }
  | { readonly do: "forget"; readonly behind: number | null; readonly limit: number }
  | { readonly do: "sweep" | "park" };

/** A unit before the job it ends has been looked up: `ends.held` counts the claimed jobs of the run, backwards. */
type Draft = {
  readonly unit: Unit;
  readonly ends: { readonly held: number; readonly end: JobEnd; readonly also: readonly number[] } | null;
};

/**
 * Any sequence of commits, claims, waits and the rest leaves two stores in the same state, with the same answers on the
 * way. Fences and positions are each store's own; what fences refuse is compared, and the order of what was appended.
 */
export function storesAgree(
  name: string,
  open: (opening: StoreOpening) => Promise<Store>,
  reference: (opening: StoreOpening) => Promise<Store>,
  runs: number,
): void {
  let count = 0;
  test(`${name} does what the reference does, whatever is asked of it`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const [one, two] = [new StandingClock(), new StandingClock()];
        await using left = await open({ clock: one, at: `agreement-${++count}` });
        await using right = await reference({ clock: two, at: `agreement-${count}` });
        const [leftSide, rightSide] = [new Side(left, one), new Side(right, two)];
        for (const next of steps) assert.deepEqual(plain(await leftSide.take(next)), plain(await rightSide.take(next)));
        assert.deepEqual(plain(await leftSide.state()), plain(await rightSide.state()));
      }),
      { numRuns: runs },
    );
  });
}

/** One of the two stores, its time, and the jobs it has given out. */
class Side {
  readonly #store: Store;
  readonly #clock: StandingClock;
  readonly #held: Job[] = [];
  /** Of all that was ever appended, in order. */
  readonly #positions: Position[] = [];

  constructor(store: Store, clock: StandingClock) {
    this.#store = store;
    this.#clock = clock;
  }

  async take(next: Step): Promise<unknown> {
    switch (next.do) {
      case "commit":
        return await this.#commit(next.units);
      case "claim": {
        const { do: _, lendMs, ...ask } = next;
        const asks = [{ queue: QUEUE, ...ask, ...(lendMs === undefined ? {} : { lendMs }) }];
        const jobs = await this.#store.claim(asks, LEASE_MS);
        this.#held.push(...jobs);
        return jobs.map(({ fence: __, ...rest }) => rest);
      }
      case "wait":
        this.#clock.advance(next.ms);
        return await this.#store.wakeDue(100);
      case "extend": {
        const job = this.#held.at(-1 - next.held);
        return job === undefined ? null : (await this.#store.extend([job], next.ms)).length;
      }
      case "release": {
        const job = this.#held.at(-1 - next.held);
        return job === undefined ? null : await this.#store.release([job]);
      }
      case "trimJobs": {
        // All of them: which are first of those of one moment is each store's own.
        const ask = { queue: QUEUE, olderThanMs: START_MS + next.ms, limit: 1_000 };
        return await this.#store.trimJobs(ask);
      }
      case "trim":
        return await this.#store.trimJournal(this.#position(next.upTo), START_MS + 1, 5);
      case "forget": {
        const after = next.behind === null ? null : requestIdOf(next.behind);
        return await this.#store.trimRequests({ olderThanMs: START_MS + 1_000, after, limit: next.limit });
      }
      case "sweep":
        return await this.#store.sweep(5);
      case "park":
        // All of them: which are first is each store's own.
        return await this.#store.park(1_000);
    }
  }

  async state(): Promise<unknown> {
    return {
      ...(await stateOf(this.#store)),
      journal: this.#ranked(await this.#store.readJournal({ after: 0, limit: 999 })),
      some: this.#ranked(await this.#store.readJournal({ after: 0, limit: 4, foreignAnd: ["message.sent"] })),
      foreign: this.#ranked(await this.#store.readJournal({ after: 0, limit: 999, foreignAnd: [] })),
      partition: this.#ranked(await this.#store.readJournal({ after: 0, limit: 3, partition: { index: 1, of: 3 } })),
      behind: await Promise.all([0, 3, 99].map((rank) => this.#store.eventsBehind(this.#position(rank), 99))),
    };
  }

  async #commit(drafts: readonly Draft[]): Promise<readonly Verdict[]> {
    const verdicts = await this.#store.commit(drafts.map((one) => this.#unit(one)));
    const { events } = await this.#store.readJournal({ after: this.#positions.at(-1) ?? 0, limit: 999 });
    this.#positions.push(...events.map(({ position }) => position));
    return verdicts;
  }

  /** The position of the n-th event, counted from 1; of those that are not there, behind all. */
  #position(rank: number): Position {
    return rank === 0 ? 0 : (this.#positions[rank - 1] ?? Number.MAX_SAFE_INTEGER);
  }

  /** As if positions had no gaps. */
  #ranked({ events, upTo }: JournalPage): JournalPage {
    const rank = (position: Position): number => this.#positions.indexOf(position) + 1;
    return {
      events: events.map((one) => ({
        ...one,
        position: rank(one.position),
        id: one.id === `evt_${one.position}` ? `evt_${rank(one.position)}` : one.id,
      })),
      upTo: rank(upTo),
    };
  }

  #unit({ unit, ends }: Draft): Unit {
    const job = ends === null ? undefined : this.#held.at(-1 - ends.held);
    if (ends === null || job === undefined) return unit;
    // Now and then one is named twice.
    const also = ends.also.flatMap((held) => this.#held.at(-1 - held) ?? []).map(refOf);
    return { ...unit, job: { ref: refOf(job), end: ends.end }, ...(also.length === 0 ? {} : { also }) };
  }
}

function refOf({ key, fence }: Job): JobRef {
  return { key, fence };
}

/** Without prototypes, which random records lack. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}

async function stateOf(store: Store): Promise<Readonly<Record<string, unknown>>> {
  const messages = await store.messages([0, 1, 2, 3].map((n) => messageIdOf(n)));
  return {
    messages,
    requests: await store.requests([0, 1, 2, 3].map((n) => requestIdOf(n))),
    listed: (await store.listMessages({ archived: true }, { after: null, limit: 99 })).messages,
    jobs: await store.jobs([...KEYS, ...WORKING_KEYS]),
    within: await store.jobsWithin({ from: "", before: "zz", atMost: 99 }),
    dead: await store.deadJobs({ queue: null, after: null, limit: 99 }),
    depths: await store.depths(),
    someDepths: await store.depths(["never", QUEUE]),
    parked: await store.parked(),
    parkedJobs: await store.parkedJobs({ after: { queue: QUEUE, lane: "transactional", key: "a" }, limit: 99 }),
    documents: await store.listDocuments({ collection: "x", limit: 99 }),
    byTerm: await store.listDocuments({ collection: "x", term: ["t", "1"], order: "descending", limit: 99 }),
    once: await store.once(KEYS),
    checkpoints: await store.checkpoints(null),
    unnamed: await store.unnamedBlobs(KEYS),
  };
}

const key = fc.constantFrom(...KEYS);
const number = fc.nat({ max: 3 });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined, freq: 3 });

const newJob = fc
  .record({
    key: fc.constantFrom(...KEYS, ...WORKING_KEYS),
    lane: fc.constantFrom(...LANES),
    turn: number,
    dueMs: fc.constantFrom(START_MS, START_MS + 50),
    held: fc.boolean(),
    group: fc.option(fc.constantFrom("g", "h"), { freq: 2 }),
  })
  .map(({ key: name, held, ...rest }) =>
    job(name, { ...rest, heldForMs: held && rest.group === null ? LEASE_MS : null }),
  );
const newEvent = fc
  .record({ subject: key, foreign: fc.boolean(), late: fc.nat({ max: 2 }) })
  .map(({ subject, foreign, late }) =>
    event(subject, {
      timeMs: START_MS + late,
      type: late === 0 ? "message.sent" : "message.delivered",
      ...(foreign ? { id: subject, source: "/s", attributes: `{"bus":"${subject}"}` } : {}),
    }),
  );
const newMessage = fc
  .record({ number, events: fc.array(newEvent, { maxLength: 2 }), job: fc.option(newJob) })
  .map((one) => birth(message(one.number, { enqueuedMs: START_MS + (one.number % 2) }), one.job, one.events));
const patch = fc
  .record({
    number,
    status: maybe(fc.constantFrom(...STATUSES)),
    error: maybe(fc.option(key)),
    sentMs: maybe(fc.constant(START_MS)),
  })
  .map(({ number: n, ...rest }) => ({ id: messageIdOf(n), ...defined(rest) }));
const put = fc
  .record({
    id: key,
    body: key,
    terms: fc.array(fc.tuple(fc.constant("t"), fc.constantFrom("1", "2")), { maxLength: 2 }),
    when: fc.constantFrom("always" as const, "absent" as const),
  })
  .map((one) => ({ collection: "x", nowMs: START_MS, ...one }));
const end: fc.Arbitrary<JobEnd> = fc.oneof(
  fc.constant({ kind: "done" } as const),
  fc.record({ kind: fc.constant("keep" as const), payload: fc.option(key), step: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: fc.constant("again" as const),
    payload: key,
    dueMs: fc.constantFrom(START_MS, START_MS + 70_000),
    turn: number,
    attempts: fc.constantFrom("count" as const, "reset" as const),
    error: fc.option(key),
  }),
  fc.record({ kind: fc.constant("dead" as const), error: key }),
);

const draft: fc.Arbitrary<Draft> = fc
  .record({
    ends: fc.option(fc.record({ held: number, end, also: fc.array(number, { maxLength: 2 }) }), { freq: 2 }),
    take: maybe(key),
    unpark: maybe(key),
    once: maybe(
      key.map((name) => ({ key: name, fingerprint: "f", status: 202, body: name, expiresMs: START_MS + 100 })),
    ),
    expect: maybe(fc.array(fc.record({ collection: fc.constant("x"), id: key, version: number }), { maxLength: 1 })),
    dead: maybe(fc.record({ key, then: fc.constantFrom("revive" as const, "discard" as const) })),
    requests: maybe(
      fc.array(
        number.map((n) => request(n)),
        { maxLength: 2 },
      ),
    ),
    messages: maybe(fc.array(newMessage, { maxLength: 2 })),
    patches: maybe(fc.array(patch, { maxLength: 2 })),
    jobs: maybe(fc.array(newJob, { maxLength: 2 })),
    events: maybe(fc.array(newEvent, { maxLength: 2 })),
    puts: maybe(fc.array(put, { maxLength: 2 })),
    deletes: maybe(fc.array(fc.record({ collection: fc.constant("x"), id: key }), { maxLength: 1 })),
    clear: maybe(
      fc.array(fc.record({ collection: fc.constant("x"), prefix: fc.constantFrom("", "a") }), { maxLength: 1 }),
    ),
    checkpoints: maybe(
      fc.array(fc.record({ consumer: key, partition: number, position: number, updatedMs: fc.constant(START_MS) }), {
        maxLength: 1,
      }),
    ),
    blobs: maybe(fc.array(fc.record({ id: key, bytes: number, owner: key }), { maxLength: 1 })),
    unnamed: maybe(fc.array(key, { maxLength: 2 })),
    archive: maybe(
      fc.array(
        fc.record({ request: number.map((n) => requestIdOf(n)), atMs: fc.constantFrom(START_MS, START_MS + 1) }),
        { maxLength: 1 },
      ),
    ),
  })
  .map(({ ends, ...unit }) => ({ ends, unit: defined(unit) }));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("commit" as const), units: fc.array(draft, { maxLength: 4 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      lane: fc.constantFrom(...LANES),
      limit: fc.nat({ max: 3 }),
      lendMs: fc.constantFrom(undefined, undefined, 0, 2 * LEASE_MS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 60, LEASE_MS) }) },
  fc.record({ do: fc.constant("extend" as const), held: number, ms: fc.constantFrom(0, LEASE_MS) }),
  fc.record({ do: fc.constant("release" as const), held: number }),
  fc.record({ do: fc.constant("trimJobs" as const), ms: fc.constantFrom(1, 100, LEASE_MS) }),
  fc.record({ do: fc.constant("trim" as const), upTo: fc.nat({ max: 20 }) }),
  fc.record({
    do: fc.constant("forget" as const),
    behind: fc.option(number, { freq: 2 }),
    limit: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ do: fc.constantFrom("sweep" as const, "park" as const) }),
);

/** Without the fields that are undefined: absent is absent. */
function defined<T extends object>(record: T): { [field in keyof T]: Exclude<T[field], undefined> } {
  // Only fields that are not undefined are left.
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [field in keyof T]: Exclude<T[field], undefined>;
  };
}
