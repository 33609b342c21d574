import type { Database } from "#drivers/sqlite/database.ts";
import { type Group, groupOf, groupsOf, JobGroups } from "#drivers/sqlite/job-groups.ts";
import {
  BEHIND,
  type ClaimedRow,
  HELD,
  type JobStatements,
  jobStatements,
  PARKED,
  READY,
  WAITING,
} from "#drivers/sqlite/job-sql.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import { LeaseBook, type NewLease } from "#drivers/sqlite/leases.ts";
import type { Now } from "#drivers/sqlite/now.ts";
import type { DeadJob, Job, JobEnd, JobRef } from "#domain/job.ts";
import { invariant, unreachable } from "#domain/invariant.ts";
import type { ClaimAsk, EnqueuedJob } from "#ports/store.ts";

/**
 * The writer's side of the jobs. Rows are the truth; the lease book beside them is changed only after the transaction
 * that changed the rows has committed (`settle`), or not at all (`forget`).
 */
export class Jobs {
  readonly #leases = new LeaseBook();
  #pending: LeaseChange[] = [];
  /**
   * Given to claims, rising, so that no two holders of a key ever have the same number. Begins at the time of the start: who
   * has borrowed a job by a claim that a power cut has undone must not meet his number again in the hands of another.
   */
  #fence = 1;
  readonly #sql: JobStatements;
  readonly #groups: JobGroups;

  constructor(db: Database) {
    this.#sql = jobStatements(db);
    this.#groups = new JobGroups(this.#sql);
  }

  /**
   * Nobody lives who could hold anything inside: what the last process held is ready, and its attempts were counted. What
   * it has lent stays lent as long as it was said to, on the wall clock, which alone has seen the time between.
   */
  adopt(now: Now): void {
    this.#fence = Math.max(this.#fence, now.wallMs);
    for (const group of groupsOf(this.#sql.adopt.all())) this.#groups.regroup(group, now);
    const loans = this.#sql.lent.all().map(([key, fence, untilMs]) => ({
      key,
      fence,
      untilMs: now.monotonicMs + Math.max(0, untilMs - now.wallMs),
    }));
    this.#leases.adopt(loans);
  }

  /** The row of a job if this reference still holds it, and the last step by which it was kept. */
  held(ref: JobRef): HeldRow | null {
    const found = this.#sql.held.get(ref.key, ref.fence);
    if (found === undefined) return null;
    const [id, stepsDone, queue, name] = found;
    return { id, stepsDone, group: groupOf(queue, name) };
  }

  /** False if a living job has this key already. */
  enqueue(job: EnqueuedJob, now: Now): boolean {
    const { key, queue, turn, dueMs, payload, traceparent, heldForMs, group: name = null } = job;
    const group = groupOf(queue, name);
    invariant(group === null || heldForMs === null, "one of a group is never born held");
    const own = heldForMs !== null ? HELD : dueMs <= now.wallMs ? READY : WAITING;
    const place = group === null ? null : this.#groups.placeOf(group, turn, own);
    const state = place?.state ?? own;
    const born = heldForMs === null ? 0 : 1;
    const lane = laneNumber(job.lane);
    const { insert } = this.#sql;
    const isNew =
      insert.run(key, queue, lane, turn, state, dueMs, payload, traceparent, born, born, now.wallMs, name) === 1;
    if (!isNew) return false;
    if (heldForMs !== null) this.#pending.push({ key, fence: 1, leaseMs: heldForMs, isLent: false });
    if (group !== null && place?.overtakes === true) this.#groups.regroup(group, now);
    return true;
  }

  /** Ends what `held` has found. */
  end({ id, group }: HeldRow, ref: JobRef, end: JobEnd, now: Now): void {
    switch (end.kind) {
      case "keep":
        this.#sql.keep.run(end.payload, end.step, id);
        return;
      case "done":
        this.#sql.remove.run(id);
        break;
      case "again": {
        const state = group !== null ? BEHIND : end.dueMs <= now.wallMs ? READY : WAITING;
        const counts = end.attempts === "count" ? 1 : 0;
        this.#sql.again.run(state, end.dueMs, end.turn, end.payload, end.error, counts, id);
        break;
      }
      case "dead":
        this.#sql.bury.run(end.error, now.wallMs, id);
        this.#sql.remove.run(id);
        break;
      default:
        unreachable(end);
    }
    this.#drop(ref.key);
    if (group !== null) this.#groups.regroup(group, now);
  }

  /** A living job that nobody holds. */
  free(key: string): FreeRow | "held" | "gone" {
    const found = this.#sql.find.get(key);
    if (found === undefined) return "gone";
    const [id, state, queue, name] = found;
    return state === HELD ? "held" : { id, isParked: state === PARKED, group: groupOf(queue, name) };
  }

  /** Lets a parked one go on. */
  unpark({ id, group }: FreeRow, now: Now): void {
    if (group === null) this.#sql.unpark.run(now.wallMs, id);
    else {
      this.#sql.place.run(BEHIND, id);
      this.#groups.regroup(group, now);
    }
  }

  park(limit: number): number {
    const parked = this.#sql.park.all(limit);
    for (const [key] of parked) this.#drop(key);
    return parked.length;
  }

  /** Deletes what was enqueued before a time. */
  trim(queue: string, olderThanMs: number, limit: number, now: Now): number {
    const rows = this.#sql.trim.all(queue, olderThanMs, limit);
    for (const [key] of rows) this.#drop(key);
    let left = limit - rows.length;
    for (const group of groupsOf(rows.map(([, ...columns]) => columns)))
      left -= this.#groups.trim(group, olderThanMs, left, now);
    return limit - left;
  }

  remove({ id, group }: FreeRow, now: Now): void {
    this.#sql.remove.run(id);
    if (group !== null) this.#groups.regroup(group, now);
  }

  isDead(key: string): boolean {
    return this.#sql.isDead.get(key) !== undefined;
  }

  revive(key: string, payload: string | undefined, now: Now): void {
    const [queue = null, name = null] = this.#sql.revive.get(now.wallMs, payload ?? null, now.wallMs, key) ?? [];
    this.#sql.discard.run(key);
    const group = groupOf(queue, name);
    if (group !== null) this.#groups.regroup(group, now);
  }

  /** A dead letter that was never a job. */
  bury({ key, queue, lane, payload, traceparent, attempt, error, enqueuedMs, deadMs }: DeadJob): void {
    this.#sql.entomb.run(key, queue, laneNumber(lane), payload, traceparent, attempt, error, enqueuedMs, deadMs);
  }

  discard(key: string): void {
    this.#sql.discard.run(key);
  }

  claim(asks: readonly ClaimAsk[], leaseMs: number, now: Now): Job[] {
    const fence = ++this.#fence;
    return asks.flatMap((ask) => {
      const jobs = (ask.lendMs === undefined ? this.#take(ask, fence) : this.#lend(ask, ask.lendMs, fence, now)).map(
        jobOf,
      );
      const isLent = ask.lendMs !== undefined;
      if (ask.lendMs !== 0)
        for (const job of jobs)
          this.#pending.push({ key: job.key, fence: job.fence, leaseMs: ask.lendMs ?? leaseMs, isLent });
      return jobs;
    });
  }

  /** Whether `extend` has something to write: ordinary leases are only in memory. */
  writesToExtend(refs: readonly JobRef[], leaseMs: number): boolean {
    return refs.some(({ key, fence }) => {
      const lease = this.#leases.held(key, fence);
      return lease !== null && (lease.isLent || leaseMs === 0);
    });
  }

  extend(refs: readonly JobRef[], leaseMs: number, now: Now): JobRef[] {
    return refs.filter(({ key, fence }) => {
      const lease = this.#leases.held(key, fence);
      if (lease === null) return true;
      if (leaseMs === 0) this.#letGo(this.#sql.expire, key, fence, now);
      else {
        if (lease.isLent) this.#sql.prolong.run(now.wallMs + leaseMs, key, fence);
        this.#pending.push({ key, fence, leaseMs, isLent: lease.isLent });
      }
      return false;
    });
  }

  release(refs: readonly JobRef[], now: Now): void {
    for (const { key, fence } of refs) this.#letGo(this.#sql.release, key, fence, now);
  }

  /** Null when nothing is due: then no transaction is needed. */
  due(limit: number, now: Now): { over: readonly JobRef[]; waiting: boolean } | null {
    const over = this.#leases.over(now.monotonicMs, limit);
    const waiting = (this.#sql.nextDue.get()?.[0] ?? Number.POSITIVE_INFINITY) <= now.wallMs;
    return over.length === 0 && !waiting ? null : { over, waiting };
  }

  wake(due: { over: readonly JobRef[]; waiting: boolean }, limit: number, now: Now): number {
    let woken = 0;
    for (const { key, fence } of due.over) {
      // A lease without its row would otherwise be over for ever.
      if (this.#letGo(this.#sql.expire, key, fence, now)) woken += 1;
      else this.#drop(key);
    }
    if (due.waiting && woken < limit) woken += this.#sql.wake.run(now.wallMs, limit - woken);
    return woken;
  }

  /** Wall time at which the next job is due or the next lease is over. */
  nextDueMs(now: Now): number | null {
    const timer = this.#sql.nextDue.get()?.[0] ?? null;
    const leaseMs = this.#leases.nextMs;
    if (leaseMs === null) return timer;
    // Rounded up, so that who sleeps until then finds it over.
    const lease = now.wallMs + Math.max(0, Math.ceil(leaseMs - now.monotonicMs));
    return timer === null ? lease : Math.min(timer, lease);
  }

  /** The transaction has committed. */
  settle(now: Now): void {
    for (const change of this.#pending) {
      if ("leaseMs" in change) this.#leases.hold(change, now.monotonicMs);
      else this.#leases.drop(change.key);
    }
    this.#pending = [];
  }

  /** The transaction was rolled back. */
  forget(): void {
    this.#pending = [];
  }

  #take({ queue, lane, limit }: ClaimAsk, fence: number): ClaimedRow[] {
    const rows = this.#sql.claim.all(fence, queue, laneNumber(lane), limit);
    return rows.sort((a, b) => a[TURN] - b[TURN] || a[ENQUEUED_MS] - b[ENQUEUED_MS] || a[ID] - b[ID]);
  }

  /** Behind the first of a group those that go with it. */
  #lend({ queue, lane: ofLane, limit }: ClaimAsk, lendMs: number, fence: number, now: Now): ClaimedRow[] {
    const lane = laneNumber(ofLane);
    const ids: number[] = [];
    for (const [id, name] of this.#sql.ready.all(queue, lane, limit)) {
      if (ids.length >= limit) break;
      ids.push(id);
      if (name !== null) ids.push(...this.#groups.followers({ queue, name }, lane, limit - ids.length, now));
    }
    if (ids.length === 0) return [];
    const { lend, count } = this.#sql;
    const list = JSON.stringify(ids);
    const rows = lendMs === 0 ? count.all(fence, list) : lend.all(now.wallMs + lendMs, fence, list);
    const places = new Map(ids.map((id, at) => [id, at]));
    const placeOf = (row: ClaimedRow): number => places.get(row[ID]) ?? 0;
    return rows.sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** False if nobody holds it by this reference. */
  #letGo(sql: JobStatements["release" | "expire"], key: string, fence: number, now: Now): boolean {
    const row = sql.get(key, fence);
    if (row === undefined) return false;
    const group = groupOf(...row);
    if (group !== null) this.#groups.regroup(group, now);
    this.#drop(key);
    return true;
  }

  /** Nobody holds it any longer. */
  #drop(key: string): void {
    this.#pending.push({ key });
  }
}

/** A row that somebody holds. */
export type HeldRow = { readonly id: number; readonly stepsDone: number; readonly group: Group | null };
/** A row that nobody holds. */
export type FreeRow = { readonly id: number; readonly isParked: boolean; readonly group: Group | null };

type LeaseChange = NewLease | { readonly key: string };

const [ENQUEUED_MS, TURN, ID] = [7, 8, 9] as const;

function jobOf(row: ClaimedRow): Job {
  const [key, queue, lane, payload, traceparent, attempt, fence, enqueuedMs, turn, , group] = row;
  return { key, queue, lane: laneOf(lane), payload, traceparent, attempt, fence, turn, group, enqueuedMs };
}
