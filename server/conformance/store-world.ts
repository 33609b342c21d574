import type { StoreOpening } from "#conformance/store.ts";
import type { NewEvent } from "#domain/event.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { Job } from "#domain/job.ts";
import type { NewMessage } from "#domain/message.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { EnqueuedJob, Store, StoredRequest, Unit, Verdict } from "#ports/store.ts";

/** 2026-01-01T00:00:00Z. */
export const START_MS = Date.UTC(2026, 0, 1);
export const LEASE_MS = 30_000;
export const QUEUE = "deliver";

/** A clock that stands still until it is told. */
export class StandingClock implements Clock {
  #wallMs = START_MS;
  #monotonicMs = 1_000;

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(): Timer {
    throw new Error("a store has no timers of its own: it does not poll");
  }

  advance(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** The wall clock was set; no time has passed. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }
}

/** A store of its own for each test, and what a test needs to speak with it. */
export type StoreWorld = {
  /** Opens a new, empty store; `at` to open an old one again. */
  open(at?: string): Promise<OpenedWorld>;
};

export type OpenedWorld = AsyncDisposable & {
  readonly store: Store;
  readonly clock: StandingClock;
  readonly at: string;
};

export function storeWorld(open: (opening: StoreOpening) => Promise<Store>): StoreWorld {
  let count = 0;
  const clocks = new Map<string, StandingClock>();
  return {
    async open(at = `store-${++count}`) {
      const clock = clocks.get(at) ?? new StandingClock();
      clocks.set(at, clock);
      const store = await open({ clock, at });
      return { store, clock, at, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
    },
  };
}

export function requestIdOf(number: number): RequestId {
  // A test's own ids, in the form of the real ones.
  return `1-6955b900-${number.toString(16).padStart(24, "0")}` as RequestId;
}

export function messageIdOf(number: number, recipient?: string): MessageId {
  const request = requestIdOf(number);
  // As above.
  return (recipient === undefined ? request : `${request}:${recipient}`) as string as MessageId;
}

export function request(number: number, changes: Partial<StoredRequest> = {}): StoredRequest {
  return {
    id: requestIdOf(number),
    body: `{"n":${number}}`,
    acceptedMs: START_MS,
    lane: "transactional",
    traceparent: null,
    archivedMs: null,
    ...changes,
  };
}

export function job(key: string, changes: Partial<EnqueuedJob> = {}): EnqueuedJob {
  return {
    key,
    queue: QUEUE,
    lane: "transactional",
    turn: 0,
    dueMs: START_MS,
    payload: `{"key":1}`,
    traceparent: null,
    heldForMs: null,
    ...changes,
  };
}

export function event(subject: string, changes: Partial<NewEvent> = {}): NewEvent {
  return { type: "message.sent", subject, timeMs: START_MS, data: `{"of":1}`, traceparent: null, ...changes };
}

export function message(number: number, changes: Partial<NewMessage> = {}): NewMessage {
  return {
    id: messageIdOf(number),
    requestId: requestIdOf(number),
    toIndex: 0,
    recipient: "ada",
    userId: "ada",
    listId: null,
    event: "welcome",
    notification: "welcome",
    traceId: null,
    tags: [],
    status: "ENQUEUED",
    enqueuedMs: START_MS,
    ...changes,
  };
}

export function birth(born: NewMessage, bornJob: EnqueuedJob | null = null, events: readonly NewEvent[] = []) {
  return { message: born, job: bornJob, events };
}

export async function commitOne(store: Store, unit: Unit): Promise<Verdict> {
  const [verdict] = await store.commit([unit]);
  if (verdict === undefined) throw new Error("a commit of one unit has one verdict");
  return verdict;
}

export async function claimAll(
  store: Store,
  limit = 100,
  lane: Job["lane"] = "transactional",
): Promise<readonly Job[]> {
  return await store.claim([{ queue: QUEUE, lane, limit }], LEASE_MS);
}

/** Claims what must be exactly one ready job. */
export async function claimOne(store: Store): Promise<Job> {
  const jobs = await claimAll(store, 2);
  const [only] = jobs;
  if (only === undefined || jobs.length !== 1) throw new Error(`one ready job was expected, there are ${jobs.length}`);
  return only;
}

export async function stateOf(store: Store, key: string): Promise<string> {
  return (await store.jobs([key]))[0]?.state ?? "gone";
}

export const COMMITTED: Verdict = { kind: "committed", skipped: [] };

/** Texts that trip those who treat strings as bytes, as C strings, or as patterns. */
export const ODD_TEXTS = [
  "",
  "a\0b",
  "\0",
  "%_*?[a]",
  "'; DROP TABLE jobs; --",
  "\u{1F4EC} für Ærø",
  "e\u0301 is not \u00e9",
  "\u200f\u202e",
  "\uffff\u{10ffff}",
  '{"json": "in json", "n": 1e400}',
  "line\r\nline\u2028line",
  " leading and trailing ",
  "NULL",
  "0123",
  "1e3",
] as const;
