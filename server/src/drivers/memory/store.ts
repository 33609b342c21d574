import { compareCodePoints } from "#drivers/memory/code-points.ts";
import { MemoryDocuments } from "#drivers/memory/store-documents.ts";
import { MemoryJobs } from "#drivers/memory/store-jobs.ts";
import { MemoryJournal } from "#drivers/memory/store-journal.ts";
import { MemoryMessages } from "#drivers/memory/store-messages.ts";
import type { DocumentKey, DocumentQuery } from "#domain/document.ts";
import type { Position } from "#domain/event.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { JobRef } from "#domain/job.ts";
import type { Clock } from "#ports/clock.ts";
import {
  type ClaimAsk,
  type Effects,
  endsTwice,
  type JournalAsk,
  lowestRequestId,
  type MessageFilter,
  type OnceRecord,
  type ParkedAsk,
  repeatedStep,
  type Store,
  StoreFault,
  type StoredRequest,
  type TrimAsk,
  type Unit,
  type Verdict,
  type JobRange,
} from "#ports/store.ts";

export type MemoryStoreOptions = {
  readonly clock: Clock;
  /** Claims to be one of many nodes, which `another()` opens. */
  readonly manyNodes?: boolean;
  /** Told of each commit; may throw a `StoreFault` to make it fail. */
  readonly faults?: {
    /** Before it: nothing was done. */
    before?(units: readonly Unit[]): void;
    /** After it: all was done, but whoever committed does not hear of it. */
    after?(units: readonly Unit[], verdicts: readonly Verdict[]): void;
  };
};

/** The store in memory, for the simulation alone: deterministic, each answer in a microtask, nothing survives. */
export function openMemoryStore(options: MemoryStoreOptions): MemoryStore {
  return new MemoryStore(options, new State(options.clock));
}

/** Everything that a disk would keep. */
class State {
  readonly jobs: MemoryJobs;
  readonly journal = new MemoryJournal();
  readonly messages = new MemoryMessages();
  readonly documents = new MemoryDocuments();
  readonly requests = new Map<RequestId, StoredRequest>();
  readonly once = new Map<string, OnceRecord>();
  /** Owner by id. */
  readonly blobs = new Map<string, string>();
  /** Who is told of the others' commits. */
  readonly nodes = new Set<MemoryStore>();

  constructor(clock: Clock) {
    this.jobs = new MemoryJobs(clock);
  }
}

export class MemoryStore implements Store {
  readonly can;
  readonly #options: MemoryStoreOptions;
  readonly #state: State;
  #life: "open" | "closed" | "crashed" = "open";
  readonly #listeners: (() => void)[] = [];

  constructor(options: MemoryStoreOptions, state: State) {
    this.#options = options;
    this.#state = state;
    this.can = { manyNodes: options.manyNodes ?? false, durable: false, gapless: true };
    if (this.can.manyNodes) state.nodes.add(this);
  }

  /** One more node on the same data, with the clock of its own machine if one is given; for `manyNodes`. */
  another(changes: Partial<MemoryStoreOptions> = {}): MemoryStore {
    return new MemoryStore({ ...this.#options, manyNodes: true, ...changes }, this.#state);
  }

  /**
   * The process is gone, its disk is not. What this object still owes is never answered, so that the code of the dead
   * process stops where it waits; the store that is returned goes on with what was committed. Leases are `dropped` as
   * when one process owns the disk, or `kept` until their time as when others may live; loans are kept in any case.
   */
  crash(leases: "dropped" | "kept" = "dropped"): MemoryStore {
    this.#life = "crashed";
    this.#state.nodes.delete(this);
    if (leases === "dropped") this.#state.jobs.dropLeases();
    return new MemoryStore(this.#options, this.#state);
  }

  commit(units: readonly Unit[]): Promise<readonly Verdict[]> {
    return this.#answer(() => {
      if (units.length === 0) return [];
      this.#options.faults?.before?.(units);
      const verdicts = units.map((unit) => this.#unit(unit));
      this.#tellOthers();
      this.#options.faults?.after?.(units, verdicts);
      return verdicts;
    });
  }

  claim = (asks: readonly ClaimAsk[], leaseMs: number) => this.#answer(() => this.#state.jobs.claim(asks, leaseMs));
  extend = (refs: readonly JobRef[], leaseMs: number) =>
    this.#answer(() => {
      const lost = this.#state.jobs.extend(refs, leaseMs);
      if (leaseMs === 0 && lost.length < refs.length) this.#tellOthers();
      return lost;
    });
  release = (refs: readonly JobRef[]) =>
    this.#answer(() => {
      this.#state.jobs.release(refs);
      this.#tellOthers();
    });
  trimJobs = (ask: { readonly queue: string; readonly olderThanMs: number; readonly limit: number }) =>
    this.#answer(() => {
      const trimmed = this.#state.jobs.trim(ask);
      if (trimmed > 0) this.#tellOthers();
      return trimmed;
    });
  park = (limit: number) => this.#answer(() => this.#state.jobs.park(limit));
  wakeDue = (limit: number) =>
    this.#answer(() => {
      const woke = this.#state.jobs.wakeDue(limit);
      if (woke.woken > 0) this.#tellOthers();
      return woke;
    });

  onWake(listener: () => void): void {
    if (this.can.manyNodes) this.#listeners.push(listener);
  }

  readJournal = (ask: JournalAsk) => this.#answer(() => this.#state.journal.page(ask));
  eventsOf = (subject: string, limit: number) => this.#answer(() => this.#state.journal.of(subject, limit));
  journalBounds = () => this.#answer(() => this.#state.journal.bounds());
  eventsBehind = (position: Position, atMost: number) =>
    this.#answer(() => this.#state.journal.behind(position, atMost));
  trimJournal = (upTo: Position, olderThanMs: number, limit: number) =>
    this.#answer(() => this.#state.journal.trim(upTo, olderThanMs, limit));
  checkpoints = (consumer: string | null) => this.#answer(() => this.#state.journal.checkpoints(consumer));

  trimRequests = (ask: TrimAsk) => this.#answer(() => this.#trimRequests(ask));
  requests = (ids: readonly RequestId[]) => this.#answer(() => ids.map((id) => this.#state.requests.get(id) ?? null));
  messages = (ids: readonly MessageId[]) => this.#answer(() => ids.map((id) => this.#state.messages.get(id)));
  listMessages = (filter: MessageFilter, page: { readonly after: string | null; readonly limit: number }) =>
    this.#answer(() => this.#state.messages.list(filter, page));
  countOutcomes = (request: RequestId) => this.#answer(() => this.#state.messages.countOutcomes(request));

  documents = (keys: readonly DocumentKey[]) => this.#answer(() => keys.map((key) => this.#state.documents.get(key)));
  listDocuments = (query: DocumentQuery) => this.#answer(() => this.#state.documents.list(query));

  once = (keys: readonly string[]) => this.#answer(() => keys.map((key) => this.#onceRecord(key)));
  jobs = (keys: readonly string[]) => this.#answer(() => keys.map((key) => this.#state.jobs.state(key)));
  jobsWithin = (range: JobRange) => this.#answer(() => this.#state.jobs.within(range));
  parked = () => this.#answer(() => this.#state.jobs.parked());
  parkedJobs = (ask: ParkedAsk) => this.#answer(() => this.#state.jobs.parkedJobs(ask));
  deadJobs = (ask: { readonly queue: string | null; readonly after: string | null; readonly limit: number }) =>
    this.#answer(() => this.#state.jobs.deadJobs(ask));
  deadJob = (key: string) => this.#answer(() => this.#state.jobs.deadJob(key));
  depths = (queues?: readonly string[]) => this.#answer(() => this.#state.jobs.depths(queues));
  unnamedBlobs = (ids: readonly string[]) => this.#answer(() => ids.filter((id) => !this.#state.blobs.has(id)));

  sweep(limit: number): Promise<number> {
    return this.#answer(() => {
      const nowMs = this.#options.clock.nowMs();
      const expired = [...this.#state.once.values()].filter((record) => record.expiresMs <= nowMs).slice(0, limit);
      for (const { key } of expired) this.#state.once.delete(key);
      return expired.length;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#life === "open") this.#life = "closed";
    this.#state.nodes.delete(this);
  }

  #tellOthers(): void {
    for (const node of this.#state.nodes) if (node !== this) queueMicrotask(() => node.#hear());
  }

  #hear(): void {
    if (this.#life === "open") for (const listener of this.#listeners) listener();
  }

  /** Does it now and tells of it in a microtask, unless the process has died by then. */
  async #answer<T>(run: () => T): Promise<T> {
    if (this.#life === "closed") throw new StoreFault("store.failed", "The store is closed");
    if (this.#life === "crashed") return await NEVER;
    let outcome: { readonly value: T } | { readonly fault: unknown };
    try {
      outcome = { value: run() };
    } catch (fault) {
      outcome = { fault };
    }
    await Promise.resolve();
    if (this.#crashed()) return await NEVER;
    if ("fault" in outcome) throw outcome.fault;
    return outcome.value;
  }

  #crashed(): boolean {
    return this.#life === "crashed";
  }

  #onceRecord(key: string): OnceRecord | null {
    const record = this.#state.once.get(key);
    return record !== undefined && record.expiresMs > this.#options.clock.nowMs() ? record : null;
  }

  #unit(unit: Unit): Verdict {
    const refusal = this.#refusal(unit);
    if (refusal !== null) return refusal;
    const { job, also, take, unpark, once, dead } = unit;
    const { jobs } = this.#state;
    if (job !== undefined) jobs.end(job.ref, job.end);
    for (const ref of also ?? []) jobs.end(ref, { kind: "done" });
    if (take !== undefined) jobs.remove(take);
    if (unpark !== undefined) jobs.unpark(unpark);
    if (once !== undefined) this.#state.once.set(once.key, once);
    if (dead !== undefined) jobs.bringBack(dead.key, dead.then, dead.payload);
    return { kind: "committed", skipped: this.#effects(unit) };
  }

  /** Null when the unit is to be done. */
  #refusal(unit: Unit): Verdict | null {
    const { job, also, take, unpark, once, expect, dead } = unit;
    const { jobs, documents } = this.#state;
    if (job !== undefined && !jobs.heldBy(job.ref)) return { kind: "fenced" };
    const repeated = job === undefined ? null : repeatedStep(unit, jobs.stepsDone(job.ref.key));
    if (repeated !== null) return repeated;
    if (endsTwice(unit) || also?.some((ref) => !jobs.heldBy(ref)) === true) return { kind: "fenced" };
    const taken = take === undefined ? "ready" : jobs.stateOf(take);
    if (taken === "held" || taken === "gone") return { kind: taken };
    if (unpark !== undefined && jobs.stateOf(unpark) !== "parked") return { kind: "gone" };
    const record = once === undefined ? null : this.#onceRecord(once.key);
    if (record !== null) return { kind: "repeated", record };
    for (const expectation of expect ?? []) {
      const { collection, id } = expectation;
      if (!documents.isAsExpected(expectation)) return { kind: "stale", key: { collection, id } };
    }
    if (dead === undefined) return null;
    if (!jobs.isDead(dead.key)) return { kind: "gone" };
    return dead.then === "revive" && jobs.stateOf(dead.key) !== "gone" ? { kind: "held" } : null;
  }

  #effects(effects: Effects): string[] {
    const { jobs, journal, messages, documents, requests, blobs } = this.#state;
    const skipped: string[] = [];
    for (const request of effects.requests ?? []) if (!requests.has(request.id)) requests.set(request.id, request);
    for (const { message, job, events } of effects.messages ?? []) {
      const isNew = messages.insert(message);
      if (job !== null && !(isNew && jobs.enqueue(job))) skipped.push(job.key);
      if (isNew) for (const event of events) journal.append(event);
    }
    for (const patch of effects.patches ?? []) messages.patch(patch);
    for (const job of effects.jobs ?? []) if (!jobs.enqueue(job)) skipped.push(job.key);
    for (const { collection, prefix } of effects.clear ?? []) documents.clear(collection, prefix);
    for (const key of effects.deletes ?? []) documents.delete(key);
    for (const put of effects.puts ?? []) documents.put(put);
    for (const event of effects.events ?? []) journal.append(event);
    for (const checkpoint of effects.checkpoints ?? []) journal.putCheckpoint(checkpoint);
    for (const id of effects.unnamed ?? []) blobs.delete(id);
    for (const { id, owner } of effects.blobs ?? []) if (!blobs.has(id)) blobs.set(id, owner);
    for (const dead of effects.buried ?? []) jobs.bury(dead);
    for (const { request, atMs } of effects.archive ?? []) this.#archive(request, atMs);
    return skipped;
  }

  #trimRequests({ olderThanMs, after, limit }: TrimAsk): { deleted: number; next: RequestId | null } {
    const { jobs, messages, requests, blobs } = this.#state;
    let next = after ?? lowestRequestId(0);
    const [behind, before] = [next, lowestRequestId(olderThanMs)];
    const old = [...requests.keys()].filter((id) => id > behind && id < before).sort(compareCodePoints);
    let deleted = 0;
    let messagesLeft = limit;
    for (const id of old.slice(0, limit)) {
      if (!jobs.concern(id)) {
        const { dropped, hasMore } = messages.drop(id, messagesLeft);
        if (hasMore) return { deleted, next };
        messagesLeft -= dropped;
        for (const [blob, owner] of blobs) if (owner === id && blob.startsWith(`${id}-`)) blobs.delete(blob);
        requests.delete(id);
        deleted += 1;
      }
      next = id;
    }
    return { deleted, next: old.length < limit ? null : next };
  }

  #archive(id: RequestId, atMs: number): void {
    const { requests, messages } = this.#state;
    const request = requests.get(id);
    if (request !== undefined) requests.set(id, { ...request, archivedMs: request.archivedMs ?? atMs });
    messages.archive(id, atMs);
  }
}

const NEVER = new Promise<never>(() => {});
