import type { Database } from "#drivers/sqlite/database.ts";
import { Documents } from "#drivers/sqlite/documents.ts";
import { type FreeRow, type HeldRow, Jobs } from "#drivers/sqlite/jobs.ts";
import { Journal } from "#drivers/sqlite/journal.ts";
import { Messages } from "#drivers/sqlite/messages.ts";
import type { Now } from "#drivers/sqlite/now.ts";
import { Records } from "#drivers/sqlite/records.ts";
import { Retention } from "#drivers/sqlite/retention.ts";
import type { Position } from "#domain/event.ts";
import type { RequestId } from "#domain/ids.ts";
import type { Job, JobRef } from "#domain/job.ts";
import {
  type ClaimAsk,
  type Effects,
  endsTwice,
  repeatedStep,
  type TrimAsk,
  type Unit,
  type Verdict,
} from "#ports/store.ts";

/**
 * The one writer, synchronous, in whichever thread it lives. A commit is one transaction that waits for the disk.
 * Claims, wakes, sweeps and trims do not wait: if the power fails they may not have happened, which is the same as a lease
 * that ran out, or is swept and trimmed again.
 */
export class WriteCore implements Disposable {
  readonly #db: Database;
  readonly #jobs: Jobs;
  readonly #journal: Journal;
  readonly #messages: Messages;
  readonly #documents: Documents;
  readonly #records: Records;
  readonly #retention: Retention;

  /** Takes over a connection to a file whose schema is ours already. */
  constructor(db: Database) {
    this.#db = db;
    this.#jobs = new Jobs(this.#db);
    this.#journal = new Journal(this.#db);
    this.#messages = new Messages(this.#db);
    this.#documents = new Documents(this.#db);
    this.#records = new Records(this.#db);
    this.#retention = new Retention(this.#db);
  }

  /** First of all: what is left of the last process' leases. */
  adopt(now: Now): void {
    this.#transact("ordered", now, () => this.#jobs.adopt(now));
  }

  commit(now: Now, units: readonly Unit[]): Verdict[] {
    if (units.length === 0) return [];
    return this.#transact("durable", now, () => units.map((unit) => this.#unit(now, unit)));
  }

  claim(now: Now, asks: readonly ClaimAsk[], leaseMs: number): Job[] {
    if (asks.length === 0) return [];
    return this.#transact("ordered", now, () => this.#jobs.claim(asks, leaseMs, now));
  }

  extend(now: Now, refs: readonly JobRef[], leaseMs: number): JobRef[] {
    const extend = (): JobRef[] => this.#jobs.extend(refs, leaseMs, now);
    if (this.#jobs.writesToExtend(refs, leaseMs)) return this.#transact("ordered", now, extend);
    const lost = extend();
    this.#jobs.settle(now);
    return lost;
  }

  release(now: Now, refs: readonly JobRef[]): void {
    if (refs.length > 0) this.#transact("ordered", now, () => this.#jobs.release(refs, now));
  }

  wakeDue(now: Now, limit: number): { woken: number; nextDueMs: number | null } {
    const due = this.#jobs.due(limit, now);
    const woken = due === null ? 0 : this.#transact("ordered", now, () => this.#jobs.wake(due, limit, now));
    return { woken, nextDueMs: this.#jobs.nextDueMs(now) };
  }

  park(now: Now, limit: number): number {
    return this.#transact("ordered", now, () => this.#jobs.park(limit));
  }

  trimJobs(now: Now, { queue, olderThanMs, limit }: { queue: string; olderThanMs: number; limit: number }): number {
    return this.#transact("ordered", now, () => this.#jobs.trim(queue, olderThanMs, limit, now));
  }

  trimJournal(now: Now, upTo: Position, olderThanMs: number, limit: number): number {
    return this.#transact("ordered", now, () => this.#journal.trim(upTo, olderThanMs, limit));
  }

  trimRequests(now: Now, ask: TrimAsk): { deleted: number; next: RequestId | null } {
    return this.#transact("ordered", now, () => this.#retention.trim(ask));
  }

  sweep(now: Now, limit: number): number {
    return this.#transact("ordered", now, () => this.#records.sweep(now.wallMs, limit));
  }

  /** Leaves one file that is the whole store. */
  [Symbol.dispose](): void {
    this.#db.closeWhole();
  }

  #transact<T>(durability: "durable" | "ordered", now: Now, run: () => T): T {
    try {
      const result = this.#db.transact(durability, run);
      this.#jobs.settle(now);
      this.#journal.settle();
      return result;
    } catch (error) {
      this.#jobs.forget();
      this.#journal.forget();
      throw error;
    }
  }

  #unit(now: Now, unit: Unit): Verdict {
    const found = this.#check(now, unit);
    if ("refusal" in found) return found.refusal;
    const { job, once, dead } = unit;
    if (job !== undefined && found.held !== null) this.#jobs.end(found.held, job.ref, job.end, now);
    for (const { row, ref } of found.also) this.#jobs.end(row, ref, { kind: "done" }, now);
    if (found.taken !== null) this.#jobs.remove(found.taken, now);
    if (found.parked !== null) this.#jobs.unpark(found.parked, now);
    if (once !== undefined) this.#records.putOnce(once);
    if (dead?.then === "revive") this.#jobs.revive(dead.key, dead.payload, now);
    if (dead?.then === "discard") this.#jobs.discard(dead.key);
    return { kind: "committed", skipped: this.#effects(now, unit) };
  }

  /** Only reads, so that a unit that is refused, or was done already, leaves nothing and its neighbours commit. */
  #check(now: Now, unit: Unit): Found | { readonly refusal: Verdict } {
    const { job, also, take, unpark, once, expect, dead } = unit;
    const held = job === undefined ? null : this.#jobs.held(job.ref);
    if (job !== undefined && held === null) return { refusal: { kind: "fenced" } };
    const repeated = held === null ? null : repeatedStep(unit, held.stepsDone);
    if (repeated !== null) return { refusal: repeated };
    const together = also === undefined ? NONE : endsTwice(unit) ? null : this.#heldAll(also);
    if (together === null) return { refusal: { kind: "fenced" } };
    const taken = take === undefined ? null : this.#jobs.free(take);
    if (taken === "held" || taken === "gone") return { refusal: { kind: taken } };
    const parked = unpark === undefined ? null : this.#jobs.free(unpark);
    if (parked === "held" || parked === "gone" || parked?.isParked === false) return { refusal: { kind: "gone" } };
    const record = once === undefined ? null : this.#records.findOnce(once.key, now.wallMs);
    if (record !== null) return { refusal: { kind: "repeated", record } };
    for (const expectation of expect ?? []) {
      if (this.#documents.isAsExpected(expectation)) continue;
      const { collection, id } = expectation;
      return { refusal: { kind: "stale", key: { collection, id } } };
    }
    if (dead !== undefined) {
      if (!this.#jobs.isDead(dead.key)) return { refusal: { kind: "gone" } };
      if (dead.then === "revive" && this.#jobs.free(dead.key) !== "gone") return { refusal: { kind: "held" } };
    }
    return { held, also: together, taken, parked };
  }

  /** Null when one of them is not held by this holder. */
  #heldAll(refs: readonly JobRef[]): Found["also"] | null {
    const rows: { readonly row: HeldRow; readonly ref: JobRef }[] = [];
    for (const ref of refs) {
      const row = this.#jobs.held(ref);
      if (row === null) return null;
      rows.push({ row, ref });
    }
    return rows;
  }

  /** Returns the keys of jobs that were not enqueued. */
  #effects(now: Now, effects: Effects): string[] {
    const skipped: string[] = [];
    for (const request of effects.requests ?? []) this.#records.addRequest(request);
    for (const { message, job, events } of effects.messages ?? []) {
      if (!this.#messages.insert(message)) {
        if (job !== null) skipped.push(job.key);
        continue;
      }
      if (job !== null && !this.#jobs.enqueue(job, now)) skipped.push(job.key);
      for (const event of events) this.#journal.append(event);
    }
    for (const patch of effects.patches ?? []) this.#messages.patch(patch);
    for (const job of effects.jobs ?? []) if (!this.#jobs.enqueue(job, now)) skipped.push(job.key);
    for (const { collection, prefix } of effects.clear ?? []) this.#documents.clear(collection, prefix);
    for (const key of effects.deletes ?? []) this.#documents.delete(key);
    for (const put of effects.puts ?? []) this.#documents.put(put);
    for (const event of effects.events ?? []) this.#journal.append(event);
    for (const checkpoint of effects.checkpoints ?? []) this.#records.putCheckpoint(checkpoint);
    for (const id of effects.unnamed ?? []) this.#records.forgetBlob(id);
    for (const blob of effects.blobs ?? []) this.#records.nameBlob(blob);
    for (const dead of effects.buried ?? []) this.#jobs.bury(dead);
    for (const { request, atMs } of effects.archive ?? []) this.#messages.archive(request, atMs);
    return skipped;
  }
}

/** The rows that the conditions have found: of the jobs that end, of the one that is taken, of the one that goes on. */
type Found = {
  readonly held: HeldRow | null;
  readonly also: readonly { readonly row: HeldRow; readonly ref: JobRef }[];
  readonly taken: FreeRow | null;
  readonly parked: FreeRow | null;
};

const NONE: readonly never[] = [];
