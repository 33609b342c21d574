import { BEHIND, HELD, PARKED, READY, WAITING } from "#drivers/postgres/job-sql.ts";
import { documentName, type KnownDocument, type KnownJob, type Looked } from "#drivers/postgres/looks.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import type { DocumentKey, DocumentPut } from "#domain/document.ts";
import type { NewEvent } from "#domain/event.ts";
import type { MessageId } from "#domain/ids.ts";
import { invariant, unreachable } from "#domain/invariant.ts";
import type { DeadJob, JobEnd, JobRef } from "#domain/job.ts";
import { type MessagePatch, type NewMessage, supersedes } from "#domain/message.ts";
import {
  type Checkpoint,
  type Effects,
  endsTwice,
  type EnqueuedJob,
  type OnceRecord,
  repeatedStep,
  type StoredRequest,
  type Unit,
  type Verdict,
} from "#ports/store.ts";

/**
 * A batch of units, done in memory over what was looked at; at its end it holds the verdicts, and what is to be written
 * once for all of them. What was not looked at is taken to be as the unit expects it (its job is ours, its message is
 * new), is touched by no other unit of the batch, and is written by statements that fail when it is otherwise.
 */
export class Ledger {
  readonly #looked: Looked;
  readonly #nowMs: number;
  readonly #leaseNowMs: number;
  readonly #numbered: Numbered;
  readonly #drafts: Draft[] = [];

  readonly requests = new Map<string, StoredRequest>();
  readonly births: NewMessage[] = [];
  /** Of messages that were not looked at: the server decides whether a status may be replaced. */
  readonly patches: MessagePatch[] = [];
  /** Of messages that were: decided here, one per message. */
  readonly settledPatches = new Map<MessageId, MessagePatch>();
  readonly ended: { readonly ref: JobRef; readonly end: Exclude<JobEnd, { kind: "dead" }> }[] = [];
  /** New, and must be. */
  readonly bornJobs: BornJob[] = [];
  /** New, or left out. */
  readonly looseJobs: BornJob[] = [];
  readonly events: NewEvent[] = [];
  readonly once: OnceRecord[] = [];
  readonly checkpoints = new Map<string, Checkpoint>();
  readonly blobs = new Map<string, NonNullable<Effects["blobs"]>[number]>();
  /** Before `blobs` are written. */
  readonly unnamed = new Set<string>();
  readonly archived: NonNullable<Effects["archive"]>[number][] = [];
  /** Dead letters by key; null: gone. */
  readonly dead = new Map<string, BuriedJob | null>();
  readonly changedDocuments = new Set<string>();
  readonly changedJobs = new Set<string>();

  /** @param numbered counts the rows of each kind that the transaction makes. */
  constructor(looked: Looked, nowMs: number, leaseNowMs: number, numbered: Numbered) {
    this.#numbered = numbered;
    this.#looked = looked;
    this.#nowMs = nowMs;
    this.#leaseNowMs = leaseNowMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get leaseNowMs(): number {
    return this.#leaseNowMs;
  }

  /** Whether it made something to do for whoever looks next. */
  get makesWork(): boolean {
    return (
      this.events.length > 0 ||
      this.looseJobs.some((job) => job.heldForMs === null) ||
      this.bornJobs.some((job) => job.heldForMs === null) ||
      this.ended.some(({ end }) => end.kind === "again") ||
      this.changedJobs.size > 0
    );
  }

  add(unit: Unit): void {
    const refusal = this.#refusal(unit);
    if (refusal !== null) {
      this.#drafts.push({ refusal });
      return;
    }
    const { job, also, take, unpark, once, dead } = unit;
    if (job !== undefined) this.#end(job.ref, job.end);
    for (const ref of also ?? []) this.#end(ref, { kind: "done" });
    if (take !== undefined) this.#setJob(take, null);
    if (unpark !== undefined) this.#unpark(unpark);
    if (once !== undefined) this.#putOnce(once);
    if (dead !== undefined) this.#bringBack(dead.key, dead.then, dead.payload);
    this.#drafts.push({ refusal: null, skipped: this.#effects(unit) });
  }

  /** @param enqueued the loose jobs that were new. */
  verdicts(enqueued: ReadonlySet<string>): Verdict[] {
    return this.#drafts.map((draft) =>
      draft.refusal !== null
        ? draft.refusal
        : {
            kind: "committed",
            skipped: draft.skipped.filter(({ isLoose, key }) => !(isLoose && enqueued.has(key))).map(({ key }) => key),
          },
    );
  }

  #refusal(unit: Unit): Verdict | null {
    const { job, also, take, unpark, once, expect, dead } = unit;
    const held = job === undefined ? undefined : this.#looked.jobs.get(job.ref.key);
    if (held !== undefined && (held === null || held.state !== HELD || held.fence !== job?.ref.fence))
      return { kind: "fenced" };
    const repeated = held === undefined || held === null ? null : repeatedStep(unit, held.step);
    if (repeated !== null) return repeated;
    if (endsTwice(unit) || also?.some((ref) => !this.#isHeld(ref)) === true) return { kind: "fenced" };
    if (take !== undefined) {
      const taken = this.#job(take);
      if (taken === null) return { kind: "gone" };
      if (taken.state === HELD) return { kind: "held" };
    }
    if (unpark !== undefined && this.#job(unpark)?.state !== PARKED) return { kind: "gone" };
    const record = once === undefined ? null : (this.#looked.once.get(once.key) ?? null);
    if (record !== null && record.expiresMs > this.#nowMs) return { kind: "repeated", record };
    for (const { collection, id, version } of expect ?? []) {
      if ((this.#document({ collection, id })?.version ?? 0) !== version)
        return { kind: "stale", key: { collection, id } };
    }
    if (dead === undefined) return null;
    if ((this.#looked.dead.get(dead.key) ?? null) === null) return { kind: "gone" };
    return dead.then === "revive" && this.#job(dead.key) !== null ? { kind: "held" } : null;
  }

  #isHeld({ key, fence }: JobRef): boolean {
    const job = this.#job(key);
    return job?.state === HELD && job.fence === fence;
  }

  #effects(effects: Effects): Skip[] {
    const skipped: Skip[] = [];
    for (const request of effects.requests ?? [])
      if (!this.requests.has(request.id)) this.requests.set(request.id, request);
    for (const { message, job, events } of effects.messages ?? []) {
      if (!this.#bear(message)) {
        if (job !== null) skipped.push({ key: job.key, isLoose: false });
        continue;
      }
      if (job !== null && !this.#enqueue(job, this.bornJobs)) skipped.push({ key: job.key, isLoose: false });
      for (const event of events) this.events.push(event);
    }
    for (const patch of effects.patches ?? []) this.#patch(patch);
    for (const job of effects.jobs ?? []) {
      if (!this.#enqueue(job, this.looseJobs)) skipped.push({ key: job.key, isLoose: false });
      else if (!this.#looked.jobs.has(job.key)) skipped.push({ key: job.key, isLoose: true });
    }
    for (const { collection, prefix } of effects.clear ?? []) this.#clear(collection, prefix);
    for (const key of effects.deletes ?? []) this.#setDocument(key, null);
    for (const put of effects.puts ?? []) this.#put(put);
    for (const event of effects.events ?? []) this.events.push(event);
    for (const one of effects.checkpoints ?? []) this.checkpoints.set(`${one.partition} ${one.consumer}`, one);
    for (const id of effects.unnamed ?? []) {
      this.blobs.delete(id);
      this.unnamed.add(id);
    }
    for (const blob of effects.blobs ?? []) if (!this.blobs.has(blob.id)) this.blobs.set(blob.id, blob);
    for (const dead of effects.buried ?? []) this.#bury({ ...dead, turn: 0, group: null });
    for (const one of effects.archive ?? []) this.archived.push(one);
    return skipped;
  }

  #bear(message: NewMessage): boolean {
    const { messages } = this.#looked;
    if (messages.has(message.id)) {
      if (messages.get(message.id) !== null) return false;
      messages.set(message.id, message.status);
    }
    this.births.push(message);
    return true;
  }

  #patch(patch: MessagePatch): void {
    const { id, status, reason, error, ...rest } = patch;
    const present = this.#looked.messages.get(id);
    if (present === undefined) {
      this.patches.push(patch);
      return;
    }
    if (present === null) return;
    const applies = status === undefined || supersedes(status, present);
    const outcome = {
      ...(status === undefined ? {} : { status }),
      ...(reason === undefined ? {} : { reason }),
      ...(error === undefined ? {} : { error }),
    };
    if (applies && status !== undefined) this.#looked.messages.set(id, status);
    const earlier = this.settledPatches.get(id) ?? { id };
    this.settledPatches.set(id, { ...earlier, ...(applies ? outcome : {}), ...rest });
  }

  #enqueue(job: EnqueuedJob, unlooked: BornJob[]): boolean {
    const present = this.#looked.jobs.get(job.key);
    if (present === undefined) {
      unlooked.push({ ...job, place: this.#nextPlace() });
      return true;
    }
    if (present !== null) return false;
    const { key, queue, lane, turn, dueMs, payload, traceparent, heldForMs } = job;
    const born = heldForMs === null ? 0 : 1;
    this.#setJob(key, {
      ...{ key, queue, lane: laneNumber(lane), turn, dueMs, payload, traceparent },
      state: stateOfBorn(job, this.#nowMs),
      leaseUntilMs: heldForMs === null ? null : this.#leaseNowMs + heldForMs,
      ...{ attempt: born, fence: born, step: 0, enqueuedMs: this.#nowMs, error: null },
      ...{ group: job.group ?? null, isStored: false, place: this.#nextPlace() },
    });
    return true;
  }

  #nextPlace(): number {
    return ++this.#numbered.jobs;
  }

  #end(ref: JobRef, end: JobEnd): void {
    const job = this.#looked.jobs.get(ref.key);
    if (job === undefined) {
      invariant(end.kind !== "dead", "who dies is looked at");
      this.ended.push({ ref, end });
      return;
    }
    invariant(job !== null, "the job was found by the conditions");
    switch (end.kind) {
      case "keep":
        return this.#setJob(ref.key, { ...job, payload: end.payload ?? job.payload, attempt: 1, step: end.step });
      case "done":
        return this.#setJob(ref.key, null);
      case "again": {
        const { payload, dueMs, turn, error, attempts } = end;
        const attempt = attempts === "reset" ? 0 : job.attempt;
        const state = job.group !== null ? BEHIND : dueMs <= this.#nowMs ? READY : WAITING;
        return this.#setJob(ref.key, { ...job, payload, dueMs, turn, error, attempt, state, leaseUntilMs: null });
      }
      case "dead": {
        const { key, queue, turn, payload, traceparent, attempt, enqueuedMs, group } = job;
        const lane = laneOf(job.lane);
        const [error, deadMs] = [end.error, this.#nowMs];
        this.#bury({ key, queue, lane, turn, payload, traceparent, attempt, error, enqueuedMs, deadMs, group });
        return this.#setJob(ref.key, null);
      }
      default:
        return unreachable(end);
    }
  }

  #unpark(key: string): void {
    const job = this.#job(key);
    // A unit that takes it as well has done that by now.
    if (job === null) return;
    const state = job.group !== null ? BEHIND : job.dueMs <= this.#nowMs ? READY : WAITING;
    this.#setJob(key, { ...job, state });
  }

  #putOnce(record: OnceRecord): void {
    if (this.#looked.once.has(record.key)) this.#looked.once.set(record.key, record);
    this.once.push(record);
  }

  #bringBack(key: string, then: "revive" | "discard", payload: string | undefined): void {
    const dead = this.#looked.dead.get(key);
    invariant(dead !== undefined && dead !== null, "the dead letter was found by the conditions");
    if (then === "revive") {
      const { queue, lane, turn, traceparent, group } = dead;
      this.#setJob(key, {
        ...{ key, queue, lane: laneNumber(lane), turn, traceparent, payload: payload ?? dead.payload },
        ...{
          state: group === null ? READY : BEHIND,
          dueMs: this.#nowMs,
          leaseUntilMs: null,
          attempt: 0,
          fence: 0,
          step: 0,
        },
        ...{ enqueuedMs: this.#nowMs, error: null, group, isStored: false, place: this.#nextPlace() },
      });
    }
    this.#looked.dead.set(key, null);
    this.dead.set(key, null);
  }

  #bury(dead: BuriedJob): void {
    this.#looked.dead.set(dead.key, dead);
    this.dead.set(dead.key, dead);
  }

  /** A stored row that is removed and born again is not the stored one any more. */
  #setJob(key: string, job: KnownJob | null): void {
    this.#looked.jobs.set(key, job);
    this.changedJobs.add(key);
  }

  #job(key: string): KnownJob | null {
    const job = this.#looked.jobs.get(key);
    invariant(job !== undefined, "a job that a condition names was looked at");
    return job;
  }

  #document(key: DocumentKey): KnownDocument | null {
    const document = this.#looked.documents.get(documentName(key));
    invariant(document !== undefined, "a document that is named was looked at");
    return document;
  }

  #setDocument(key: DocumentKey, document: KnownDocument | null): void {
    this.#looked.documents.set(documentName(key), document);
    this.changedDocuments.add(documentName(key));
  }

  #put({ collection, id, body, when, nowMs, terms = [] }: DocumentPut): void {
    const present = this.#document({ collection, id });
    if (present !== null && when === "absent") return;
    const [version, createdMs] = [(present?.version ?? 0) + 1, present?.createdMs ?? nowMs];
    const stored = terms.length === 0 ? null : JSON.stringify(terms);
    this.#setDocument(
      { collection, id },
      { collection, id, body, version, createdMs, updatedMs: nowMs, terms: stored },
    );
  }

  #clear(collection: string, prefix: string): void {
    for (const document of [...this.#looked.documents.values()]) {
      if (document?.collection === collection && document.id.startsWith(prefix)) this.#setDocument(document, null);
    }
  }
}

/** How many rows of each kind a transaction has numbered so far. */
export type Numbered = { messages: number; jobs: number; events: number };

/** A job that is to be made, and its place among those of the transaction. */
export type BornJob = EnqueuedJob & { readonly place: number };

/** One of a group is born behind; the server sees who is the first. */
export function stateOfBorn(job: EnqueuedJob, nowMs: number): number {
  if ((job.group ?? null) !== null) return BEHIND;
  if (job.heldForMs !== null) return HELD;
  return job.dueMs <= nowMs ? READY : WAITING;
}

/** A dead letter with its place in the lane. */
export type BuriedJob = DeadJob & { readonly turn: number; readonly group: string | null };

type Skip = { readonly key: string; readonly isLoose: boolean };
type Draft = { readonly refusal: Verdict } | { readonly refusal: null; readonly skipped: readonly Skip[] };
