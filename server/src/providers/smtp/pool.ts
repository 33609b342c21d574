import type { Outcome } from "#domain/outcome.ts";
import type { Mail } from "./compose.ts";
import { Connection } from "./connection.ts";
import type { Target } from "./settings.ts";
import type { Delivery } from "./transaction.ts";

/** A connection is opened for so many waiting mails: a handshake costs more than waiting behind three. */
export const MAILS_PER_NEW_CONNECTION = 4;
/** First wait after a failed connect; doubles with each. */
export const RECONNECT_MS_BASE = 250;
/** Longest wait: a server that comes back is found within half a minute. */
export const RECONNECT_MS_MAX = 30_000;
/** How long a server that takes only so many connections at once is not asked for more. */
export const CONNECTIONS_LEARNED_MS = 60_000;
/** At closing, mails under way get so long to end as something better than unknown. */
export const CLOSE_GRACE_MS = 10_000;

/** A mail that waits for a connection. */
export interface Job {
  /** Writes the mail, at the last moment, so that a waiting batch is small. Null: settled already, nothing to send. */
  write(): Mail | null;
  settle(outcome: Outcome): void;
}

/**
 * Connections to one server, opened when mails wait, closed when they do not.
 *
 * To a server without CHUNKING more connections are opened when mails wait, because each carries one mail for each time
 * that we come round to reading it: on a busy machine that, not the network, is what mails wait for.
 *
 * Mails wait in one queue, and connections take from it as they have room; so a slow or broken one holds up only what
 * it carries. When no connection can be opened, all that wait are told at once, and so is whoever comes before the
 * next try: patience is the caller's, who can survive a restart.
 */
export class Pool implements AsyncDisposable {
  readonly #target: Target;
  readonly #connections = new Set<Connection>();
  /** Ring when a connection may have been idle for long enough to be closed. */
  readonly #idleTimers = new Map<Connection, NodeJS.Timeout>();
  #queue: QueuedMail[] = [];
  #head = 0;
  #pumping = false;
  #closing = false;
  #failures = 0;
  #failure: Outcome | null = null;
  #closedUntilMs = 0;
  /** Whether the server takes mails behind one another; what the last connection found. */
  #streams = true;
  /** So many connections it let us have when it refused one more. */
  #learned = Number.POSITIVE_INFINITY;
  #learnedUntilMs = 0;
  #whenEmpty: (() => void) | null = null;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Mails that wait for a connection. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  submit(job: Job): void {
    this.#queue.push(new QueuedMail(job, this.#putBack));
    this.#pumpSoon();
  }

  /** Takes out the mails that no connection has begun, and tells each `outcome`. */
  withdraw(isMine: (job: Job) => boolean, outcome: Outcome): void {
    const waiting = this.#queue.slice(this.#head);
    this.#queue = waiting.filter((queued) => !isMine(queued.job));
    this.#head = 0;
    for (const queued of waiting) if (isMine(queued.job)) queued.settle(outcome);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#failAll({ kind: "retry", reason: "the provider is closing" });
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const connection of [...this.#connections]) connection.retire();
    if (this.#connections.size === 0) return;
    const giveUp = setTimeout(() => {
      for (const connection of [...this.#connections]) connection.abandon("the provider is closing");
    }, CLOSE_GRACE_MS);
    await empty;
    clearTimeout(giveUp);
  }

  readonly #putBack = (queued: QueuedMail): void => {
    if (this.#head > 0) {
      this.#head -= 1;
      this.#queue[this.#head] = queued;
    } else this.#queue.unshift(queued);
    this.#pumpSoon();
  };

  /** Once for all that is submitted in the same breath. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#closing) {
      this.#failAll({ kind: "retry", reason: "the provider is closing" });
      return;
    }
    this.#share();
    if (this.waiting === 0) return;
    const nowMs = performance.now();
    if (nowMs >= this.#closedUntilMs) this.#openMore();
    else if (this.#connections.size === 0) this.#failAll(shorten(this.#failure, this.#closedUntilMs - nowMs));
  }

  /** Spreads what waits over the connections that have room, the idle ones first. */
  #share(): void {
    for (const idle of [true, false]) {
      for (const connection of this.#connections) {
        if (this.waiting === 0) return;
        if (!connection.isReady || connection.isIdle !== idle) continue;
        connection.fill(Math.ceil(this.waiting / this.#connections.size));
      }
    }
  }

  #openMore(): void {
    let opening = 0;
    for (const connection of this.#connections) if (!connection.isReady) opening += 1;
    const wanted = Math.ceil(this.waiting / MAILS_PER_NEW_CONNECTION) - opening;
    const most = Math.min(wanted, this.#connectionsMax() - this.#connections.size);
    for (let i = 0; i < most; i += 1) {
      const connection: Connection = new Connection(this.#target, {
        next: () => this.#next(),
        idle: () => this.#rest(connection),
        closed: (_, failure) => this.#closed(connection, failure),
      });
      this.#connections.add(connection);
    }
  }

  #connectionsMax(): number {
    const { pool, poolWithoutChunking } = this.#target;
    if (performance.now() >= this.#learnedUntilMs) this.#learned = Number.POSITIVE_INFINITY;
    return Math.min(this.#learned, this.#streams ? pool : poolWithoutChunking);
  }

  #next(): Delivery | null {
    for (;;) {
      const queued = this.#queue[this.#head];
      if (queued === undefined) return null;
      this.#head += 1;
      if (this.#head === this.#queue.length) {
        this.#queue = [];
        this.#head = 0;
      } else if (this.#head >= QUEUE_SLACK && this.#head * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (queued.prepare()) return queued;
    }
  }

  #rest(connection: Connection): void {
    this.#streams = connection.streams ?? this.#streams;
    this.#failures = 0;
    this.#closedUntilMs = 0;
    clearTimeout(this.#idleTimers.get(connection));
    const timer = setTimeout(() => {
      if (connection.isIdle) connection.retire();
    }, this.#target.timeouts.idleMs);
    timer.unref();
    this.#idleTimers.set(connection, timer);
    if (this.waiting > 0) this.#pumpSoon();
  }

  #closed(connection: Connection, failure: Outcome | null): void {
    this.#connections.delete(connection);
    clearTimeout(this.#idleTimers.get(connection));
    this.#idleTimers.delete(connection);
    if (failure !== null) this.#learn(failure);
    if (this.#connections.size === 0) {
      if (failure !== null) this.#failAll(shorten(failure, this.#closedUntilMs - performance.now()));
      this.#whenEmpty?.();
    }
    if (this.waiting > 0) this.#pumpSoon();
  }

  /** Others are ready: the server has enough of them. Nobody is: it is away. */
  #learn(failure: Outcome): void {
    let ready = 0;
    for (const connection of this.#connections) if (connection.isReady) ready += 1;
    if (ready === 0) return this.#backOff(failure);
    this.#learned = ready;
    this.#learnedUntilMs = performance.now() + CONNECTIONS_LEARNED_MS;
  }

  #backOff(failure: Outcome): void {
    this.#failure = failure;
    const nowMs = performance.now();
    // Connections that were opened together fail together: that is one failure.
    if (nowMs < this.#closedUntilMs) return;
    const waitMs = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_BASE * 2 ** this.#failures);
    this.#failures += 1;
    this.#closedUntilMs = nowMs + waitMs;
  }

  #failAll(outcome: Outcome): void {
    const waiting = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    for (const queued of waiting) queued.settle(outcome);
  }
}

/** A queue that moves its rest to the front no more often than this keeps taking from it cheap. */
const QUEUE_SLACK = 1_024;

/** A failed connect, told to mails that come before the next try. */
function shorten(failure: Outcome | null, leftMs: number): Outcome {
  if (failure === null) return { kind: "retry", reason: "no connection", whole: true };
  return failure.kind === "retry"
    ? { ...failure, afterMs: Math.max(failure.afterMs ?? 0, Math.ceil(leftMs)) }
    : failure;
}

class QueuedMail implements Delivery {
  readonly job: Job;
  readonly #putBackTo: (queued: QueuedMail) => void;
  #mail: Mail | null = null;
  #wasPutBack = false;

  constructor(job: Job, putBackTo: (queued: QueuedMail) => void) {
    this.job = job;
    this.#putBackTo = putBackTo;
  }

  get mail(): Mail {
    if (this.#mail === null) throw new Error("broken invariant: a mail is prepared before it is sent");
    return this.#mail;
  }

  /** False: it cannot be written, and was settled. */
  prepare(): boolean {
    this.#mail ??= this.job.write();
    return this.#mail !== null;
  }

  settle(outcome: Outcome): void {
    this.#mail = null;
    this.job.settle(outcome);
  }

  putBack(): boolean {
    if (this.#wasPutBack) return false;
    this.#wasPutBack = true;
    this.#putBackTo(this);
    return true;
  }
}
