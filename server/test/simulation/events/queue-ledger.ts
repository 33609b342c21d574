import type { Job, JobRef } from "#domain/job.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";
import type { Clock } from "#ports/clock.ts";
import type { ClaimAsk, EnqueuedJob, Store, Unit, Verdict } from "#ports/store.ts";
import type { ReceivedMessage } from "#queues/message.ts";
import { type Payload, payloadOf } from "#queues/payload.ts";
import { DEDUP_MS, FIFO_SUFFIX, type QueueBody, QUEUES, STORE_QUEUE_PREFIX } from "#queues/queue.ts";
import { altered } from "../slow-store.ts";
import type { Promises } from "./promises.ts";

/**
 * How long after a purge something that was decided before it may still be laid into the old queue: a commit waits for a
 * slow store, for disks that are full, and for its next tries.
 */
const LATE_MS_MAX = 90_000;

/** What became of a message. */
export type Fate = "deleted" | "moved" | "expired" | "purged";

/** A message as the store has it, from its birth to its end. One that is moved ends and is born anew, with the same id. */
export type Kept = {
  readonly key: string;
  readonly id: string;
  readonly queue: string;
  readonly generation: string;
  readonly body: string;
  readonly sender: string;
  readonly group: string | null;
  readonly turn: number;
  readonly sentMs: number;
  /** Receives before it came here. */
  readonly receivedBefore: number;
  /** Place in the order of everything that happened. */
  readonly bornAt: number;
  endedAt: number | null;
  fate: Fate | null;
  /** Claims that count. */
  attempt: number;
  /** Surely held until then, by the clock that does not jump; and by the wall's. */
  heldUntilMs: number;
  heldUntilWallMs: number;
  /** Receives that somebody outside has seen. */
  readonly seen: Set<number>;
};

type Definition = {
  readonly generation: string;
  readonly retentionMs: number;
  readonly receiveMax: number | null;
  /** Whether each group of a FIFO queue knows deduplication ids by itself. */
  readonly isDedupByGroup: boolean;
};

/**
 * Watches every message of every queue in the store: each is born once, lies in one queue at a time, and ends because
 * somebody deletes it, because it is moved, too old, or its queue was purged. Groups of FIFO queues keep their order.
 */
export class QueueLedger {
  readonly #promises: Promises;
  readonly #clock: () => Clock;
  readonly #born: (message: Kept, isMoved: boolean) => void;
  readonly #kept = new Map<string, Kept>();
  readonly #byId = new Map<string, Kept[]>();
  /** Living ones of a queue and group. */
  readonly #groups = new Map<string, Set<Kept>>();
  readonly #living = new Set<Kept>();
  readonly #definitions = new Map<string, Definition>();
  /** Since when a queue's generation is not the current one. */
  readonly #replaced = new Map<string, number>();
  /** Generations that nobody sends to any more, since somebody heard how his purge ended. */
  readonly #closed = new Set<string>();
  /** Until when a deduplication id is known, by generation and id. */
  readonly #dedup = new Map<string, number>();
  /** Keys that somebody wants to delete. */
  readonly #asked = new Set<string>();
  readonly fates: Record<Fate, number> = { deleted: 0, moved: 0, expired: 0, purged: 0 };
  born = 0;
  #now = 0;

  constructor(promises: Promises, clock: () => Clock, born: (message: Kept, isMoved: boolean) => void) {
    this.#promises = promises;
    this.#clock = clock;
    this.#born = born;
  }

  /** Messages that somebody can still receive. */
  get living(): number {
    let sum = 0;
    for (const { queue, generation } of this.#living) if (this.generationOf(queue) === generation) sum += 1;
    return sum;
  }

  /**
   * Whether a store queue is that of a queue that was purged since. What is laid into it late, when its grave is closed
   * because the wall clock jumped ahead, stays there, and nobody can receive it.
   */
  isReplaced(storeQueue: string): boolean {
    const [queue = "", generation = ""] = storeQueue.slice(STORE_QUEUE_PREFIX.length).split("/");
    const current = storeQueue.startsWith(STORE_QUEUE_PREFIX) ? this.generationOf(queue) : null;
    return current !== null && current !== generation;
  }

  generationOf(queue: string): string | null {
    return this.#definitions.get(queue)?.generation ?? null;
  }

  /** Somebody has heard how his purge of a queue ended. */
  heardOfPurge(queue: string): void {
    for (const { queue: name, generation } of this.#kept.values())
      if (name === queue && generation !== this.generationOf(queue)) this.#closed.add(generation);
  }

  /** Those that nobody may send to from now on. */
  closed(): ReadonlySet<string> {
    return new Set(this.#closed);
  }

  /** Of whatever was sent under an id, in the order of births. */
  ofId(id: string): readonly Kept[] {
    return this.#byId.get(id) ?? [];
  }

  /** Somebody is about to delete it. */
  asks(queue: string, id: string): Kept | null {
    const found = this.ofId(id).findLast((one) => one.queue === queue) ?? null;
    if (found !== null) this.#asked.add(found.key);
    return found;
  }

  /** What was just committed, told in the same breath. */
  note(units: readonly Unit[], verdicts: readonly Verdict[]): void {
    for (const [at, unit] of units.entries()) {
      const verdict = verdicts[at];
      if (verdict?.kind !== "committed") continue;
      this.#now += 1;
      for (const { collection, id, body } of unit.puts ?? []) if (collection === QUEUES) this.#define(id, body);
      const births = (unit.jobs ?? []).filter(
        ({ key, queue }) => queue.startsWith(STORE_QUEUE_PREFIX) && !verdict.skipped.includes(key),
      );
      const ended = this.#kept.get(unit.take ?? unit.job?.ref.key ?? "") ?? null;
      if (ended !== null) this.#end(ended, unit, births);
      for (const job of births) this.#bear(job, ended);
    }
  }

  #define(name: string, text: string): void {
    // Only the queues' own definitions are put there.
    const { generation, attributes } = JSON.parse(text) as QueueBody;
    const before = this.#definitions.get(name);
    if (before !== undefined && before.generation !== generation)
      this.#replaced.set(before.generation, this.#clock().monotonicMs());
    const { retentionMs, redrive, fifo } = attributes;
    const isDedupByGroup = fifo?.dedupScope === "group";
    this.#definitions.set(name, { generation, retentionMs, receiveMax: redrive?.receiveMax ?? null, isDedupByGroup });
  }

  #end(message: Kept, { job }: Unit, births: readonly EnqueuedJob[]): void {
    const { holds } = this.#promises;
    const { key, id } = message;
    if (job !== undefined && job.end.kind !== "done") {
      holds(false, `the message ${key} ends as ${job.end.kind}`);
      return;
    }
    holds(message.fate === null, () => `the message ${key} ends twice: ${message.fate}`);
    const isMoved = births.some((birth) => birth.key.endsWith(`:${id}`));
    const fate: Fate = isMoved ? "moved" : this.#asked.has(key) ? "deleted" : this.#passing(message);
    this.#settle(message, fate);
  }

  /** Why a message that nobody deleted or moved may be gone. */
  #passing(message: Kept): Fate {
    const { key, queue, generation, sentMs } = message;
    const definition = this.#definitions.get(queue);
    if (definition === undefined || definition.generation !== generation) return "purged";
    const ageMs = this.#clock().nowMs() - sentMs;
    this.#promises.holds(
      ageMs >= definition.retentionMs,
      () => `the message ${key} is lost: nobody deleted it, and it is ${ageMs} ms old of ${definition.retentionMs}`,
    );
    return "expired";
  }

  #settle(message: Kept, fate: Fate): void {
    message.fate = fate;
    message.endedAt = this.#now;
    this.fates[fate] += 1;
    this.#living.delete(message);
    this.#groups.get(groupOf(message))?.delete(message);
  }

  #bear({ key, queue: storeQueue, payload: text, turn }: EnqueuedJob, ended: Kept | null): void {
    const { holds } = this.#promises;
    const payload: Payload = payloadOf({ payload: text });
    const [queue = "", generation = ""] = storeQueue.slice(STORE_QUEUE_PREFIX.length).split("/");
    const id = key.slice(storeQueue.length + 1);
    const isMoved = ended?.id === id;
    const before = this.ofId(id);
    holds(
      before.every((one) => one.fate !== null),
      () => `the message ${id} lies in ${queue}, and in ${before.find((one) => one.fate === null)?.queue}, too`,
    );
    holds(isMoved || before.length === 0, () => `the message ${id} was ${before.at(-1)?.fate}, and is sent again`);
    const message: Kept = {
      key,
      id,
      queue,
      generation,
      body: payload.body,
      sender: payload.sender,
      group: queue.endsWith(FIFO_SUFFIX) ? (payload.group ?? null) : null,
      turn,
      sentMs: payload.sentMs,
      receivedBefore: payload.received ?? 0,
      bornAt: this.#now,
      endedAt: null,
      fate: null,
      attempt: 0,
      heldUntilMs: 0,
      heldUntilWallMs: 0,
      seen: new Set(),
    };
    this.#inTime(message);
    if (!isMoved && message.group !== null) this.#onceIn(message, payload.dedup ?? "");
    this.#kept.set(key, message);
    this.#byId.set(id, [...before, message]);
    this.#living.add(message);
    if (message.group !== null) {
      const group = this.#groups.get(groupOf(message)) ?? new Set();
      this.#groups.set(groupOf(message), group.add(message));
    }
    this.born += 1;
    this.#born(message, isMoved);
  }

  /** Nothing is laid into a queue that was purged long ago. */
  #inTime({ key, generation }: Kept): void {
    const replacedMs = this.#replaced.get(generation);
    const lateMs = replacedMs === undefined ? 0 : this.#clock().monotonicMs() - replacedMs;
    this.#promises.holds(
      lateMs <= LATE_MS_MAX,
      () => `the message ${key} is laid into a queue that was purged ${lateMs} ms ago`,
    );
  }

  #onceIn({ key, sentMs, queue, generation, group }: Kept, dedup: string): void {
    const isByGroup = this.#definitions.get(queue)?.isDedupByGroup === true;
    const name = JSON.stringify([generation, isByGroup ? group : "", dedup]);
    const known = this.#dedup.get(name);
    const nowMs = this.#clock().nowMs();
    this.#promises.holds(
      known === undefined || known <= nowMs,
      () => `${key}: its deduplication id was used ${sentMs - ((known ?? 0) - DEDUP_MS)} ms ago, and it is taken again`,
    );
    this.#dedup.set(name, sentMs + DEDUP_MS);
  }

  /** The store of one process: who takes messages, and who gives them back. */
  watch(store: MemoryStore): Store {
    return altered(store, {
      claim: async (asks, leaseMs) => {
        const at = this.#now;
        const { monotonicMs, nowMs } = this.#times();
        const jobs = await store.claim(asks, leaseMs);
        this.#claimed(jobs, asks, { at, monotonicMs, nowMs });
        return jobs;
      },
      extend: async (refs, leaseMs) => {
        const { monotonicMs, nowMs } = this.#times();
        const held = this.#keptOf(refs);
        for (const one of held) hold(one, Math.min(leaseMs, one.heldUntilMs - monotonicMs), { monotonicMs, nowMs });
        const lost = await store.extend(refs, leaseMs);
        const gone = new Set(lost.map(({ key }) => key));
        for (const one of held) if (!gone.has(one.key)) hold(one, leaseMs, { monotonicMs, nowMs });
        return lost;
      },
      release: async (refs) => {
        const held = this.#keptOf(refs);
        const states = store.jobs(held.map(({ key }) => key));
        for (const one of held) hold(one, 0, this.#times());
        const released = store.release(refs);
        const after = store.jobs(held.map(({ key }) => key));
        await Promise.all([states, released]);
        for (const [index, state] of (await after).entries()) {
          const one = held[index];
          if (state !== null && one !== undefined) one.attempt = state.attempt;
        }
      },
      trimJobs: async (ask) => {
        const trimmed = await store.trimJobs(ask);
        await this.look(store);
        return trimmed;
      },
    });
  }

  #times() {
    const clock = this.#clock();
    return { monotonicMs: clock.monotonicMs(), nowMs: clock.nowMs() };
  }

  #keptOf(refs: readonly JobRef[]): readonly Kept[] {
    return refs.flatMap(({ key }) => this.#kept.get(key) ?? []);
  }

  #claimed(
    jobs: readonly Job[],
    asks: readonly ClaimAsk[],
    at: { readonly at: number; readonly monotonicMs: number; readonly nowMs: number },
  ): void {
    const { holds } = this.#promises;
    const keys = new Set(jobs.map(({ key }) => key));
    for (const job of jobs) {
      const message = this.#kept.get(job.key);
      if (message === undefined) {
        holds(!job.queue.startsWith(STORE_QUEUE_PREFIX), `${job.key} is given, and nobody sent it`);
        continue;
      }
      holds(
        message.endedAt === null || message.endedAt > at.at,
        () => `the message ${job.key} was ${message.fate} and is given again`,
      );
      holds(
        job.attempt === message.attempt + 1,
        () => `the message ${job.key} is given for the ${job.attempt}. time, after ${message.attempt} times`,
      );
      if (message.group !== null) this.#inOrder(message, keys, at);
      message.attempt = job.attempt;
    }
    for (const job of jobs) {
      const message = this.#kept.get(job.key);
      const lendMs = asks.find(({ queue, lane }) => queue === job.queue && lane === job.lane)?.lendMs ?? 0;
      if (message !== undefined) hold(message, lendMs, at);
    }
  }

  /** Nobody of its group is in front of it, or with somebody else. */
  #inOrder(message: Kept, keys: ReadonlySet<string>, { at, monotonicMs }: { at: number; monotonicMs: number }): void {
    const { holds } = this.#promises;
    for (const other of this.#groups.get(groupOf(message)) ?? []) {
      if (other === message || keys.has(other.key) || other.bornAt > at) continue;
      const isBehind = other.turn > message.turn || (other.turn === message.turn && other.bornAt >= message.bornAt);
      holds(isBehind, () => `${message.key} is given before ${other.key} of its group`);
      holds(
        other.heldUntilMs <= monotonicMs,
        () => `${message.key} is given while ${other.key} of its group is in flight`,
      );
    }
  }

  /** Compares what is kept with the store: what is not there any more, has gone by itself. */
  async look(store: Store): Promise<void> {
    const living = [...this.#living];
    // As of this moment: the store answers later, but looks at once.
    const states = await store.jobs(living.map(({ key }) => key));
    for (const [index, message] of living.entries()) {
      if (states[index] !== null || message.fate !== null) continue;
      this.#settle(message, this.#passing(message));
    }
  }

  /** The process has died: claims that nobody heard of count, and loans live on, by the wall clock or the other one. */
  async died(store: MemoryStore): Promise<void> {
    const { monotonicMs, nowMs } = this.#times();
    await this.look(store);
    const living = [...this.#living];
    for (const [index, state] of (await store.jobs(living.map(({ key }) => key))).entries()) {
      const message = living[index];
      if (message === undefined || state === null) continue;
      message.attempt = state.attempt;
      hold(message, Math.min(message.heldUntilMs - monotonicMs, message.heldUntilWallMs - nowMs), this.#times());
    }
    await this.balances(store);
  }

  /** What the store counts is what was sent and has not ended. */
  async balances(store: MemoryStore): Promise<void> {
    const counted = new Map<string, number>();
    for (const { queue, waiting, ready, held } of await store.depths())
      if (queue.startsWith(STORE_QUEUE_PREFIX)) counted.set(queue, waiting + ready + held);
    const own = new Map<string, number>();
    for (const { queue, generation } of this.#living) {
      const name = `${STORE_QUEUE_PREFIX}${queue}/${generation}`;
      own.set(name, (own.get(name) ?? 0) + 1);
    }
    for (const name of new Set([...counted.keys(), ...own.keys()]))
      this.#promises.holds(
        counted.get(name) === own.get(name),
        () => `${name} has ${counted.get(name)} messages, and ${own.get(name)} were sent and have not ended`,
      );
    const ended = Object.values(this.fates).reduce((sum, n) => sum + n, 0);
    this.#promises.holds(
      ended + this.#living.size === this.born,
      () => `${this.born} messages were born, ${ended} have ended, ${this.#living.size} live`,
    );
  }

  /** Somebody outside has it. */
  received(queue: string, message: ReceivedMessage): Kept | null {
    const { holds } = this.#promises;
    const kept = this.ofId(message.id).findLast((one) => one.queue === queue) ?? null;
    holds(kept !== null, () => `${message.id} is received from ${queue}, and nobody sent it there`);
    if (kept === null) return null;
    const { receiveCount, body } = message;
    const receives = receiveCount - kept.receivedBefore;
    holds(body === kept.body, () => `${kept.key} is received as ${body}`);
    holds(!kept.seen.has(receives), () => `${kept.key} is received twice for the ${receiveCount}. time`);
    holds(receives >= 1 && receives <= kept.attempt, () => `${kept.key} says ${receives} receives of ${kept.attempt}`);
    const max = this.#definitions.get(queue)?.receiveMax ?? null;
    holds(max === null || receives <= max, () => `${kept.key} is received for the ${receives}. time of ${max}`);
    kept.seen.add(receives);
    return kept;
  }
}

/** Surely held for so long from then. */
function hold(message: Kept, forMs: number, { monotonicMs, nowMs }: { monotonicMs: number; nowMs: number }): void {
  message.heldUntilMs = monotonicMs + Math.max(0, forMs);
  message.heldUntilWallMs = nowMs + Math.max(0, forMs);
}

function groupOf({ queue, generation, group }: Kept): string {
  return `${queue}/${generation} ${group}`;
}
