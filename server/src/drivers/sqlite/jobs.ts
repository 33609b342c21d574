import type { Database, Query } from "#drivers/sqlite/database.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import { LeaseBook } from "#drivers/sqlite/leases.ts";
import type { Now } from "#drivers/sqlite/now.ts";
import type { DeadJob, Job, JobEnd, JobRef } from "#domain/job.ts";
import { unreachable } from "#domain/invariant.ts";
import type { ClaimAsk, EnqueuedJob } from "#ports/store.ts";

const [WAITING, READY, HELD, PARKED] = [0, 1, 2, 3];

/**
 * The writer's side of the jobs. Rows are the truth; the lease book beside them is changed only after the transaction
 * that changed the rows has committed (`settle`), or not at all (`forget`).
 */
export class Jobs {
  readonly #leases = new LeaseBook();
  #pending: LeaseChange[] = [];
  /** Given to claims, rising, so that no two holders of a key ever have the same number while this process lives. */
  #fence = 1;
  readonly #sql: Statements;

  constructor(db: Database) {
    this.#sql = statements(db);
  }

  /** Nobody lives who could hold anything: what the last process held is ready. Its attempts were counted. */
  adoptOrphans(): void {
    this.#sql.adopt.run();
  }

  /** The row of a job if this reference still holds it, and the last step by which it was kept. */
  held(ref: JobRef): { readonly row: number; readonly stepsDone: number } | null {
    const found = this.#sql.held.get(ref.key, ref.fence);
    return found === undefined ? null : { row: found[0], stepsDone: found[1] };
  }

  /** False if a living job has this key already. */
  enqueue(job: EnqueuedJob, now: Now): boolean {
    const inHand = job.heldForMs !== null;
    const state = inHand ? HELD : job.dueMs <= now.wallMs ? READY : WAITING;
    const born = inHand ? 1 : 0;
    const lane = laneNumber(job.lane);
    const { key, queue, turn, dueMs, payload, traceparent } = job;
    const isNew =
      this.#sql.insert.run(key, queue, lane, turn, state, dueMs, payload, traceparent, born, born, now.wallMs) === 1;
    if (isNew && job.heldForMs !== null) this.#pending.push({ key, fence: 1, leaseMs: job.heldForMs });
    return isNew;
  }

  /** Ends what `held` has found. */
  end(row: number, ref: JobRef, end: JobEnd, now: Now): void {
    switch (end.kind) {
      case "keep":
        this.#sql.keep.run(end.payload, end.step, row);
        return;
      case "done":
        this.#sql.remove.run(row);
        break;
      case "again": {
        const state = end.dueMs <= now.wallMs ? READY : WAITING;
        const counts = end.attempts === "count" ? 1 : 0;
        this.#sql.again.run(state, end.dueMs, end.turn, end.payload, end.error, counts, row);
        break;
      }
      case "dead":
        this.#sql.bury.run(end.error, now.wallMs, row);
        this.#sql.remove.run(row);
        break;
      default:
        unreachable(end);
    }
    this.#pending.push({ key: ref.key, fence: ref.fence, leaseMs: null });
  }

  /** The row of a job that nobody holds, to be removed. */
  freeRow(key: string): number | "held" | "gone" {
    const found = this.#sql.find.get(key);
    if (found === undefined) return "gone";
    return found[1] === HELD ? "held" : found[0];
  }

  /** The row of a parked job. */
  parkedRow(key: string): number | null {
    const found = this.#sql.find.get(key);
    return found?.[1] === PARKED ? found[0] : null;
  }

  unpark(row: number, now: Now): void {
    this.#sql.unpark.run(now.wallMs, row);
  }

  park(limit: number): number {
    const parked = this.#sql.park.all(limit);
    for (const [key, fence] of parked) this.#pending.push({ key, fence, leaseMs: null });
    return parked.length;
  }

  remove(row: number): void {
    this.#sql.remove.run(row);
  }

  isDead(key: string): boolean {
    return this.#sql.isDead.get(key) !== undefined;
  }

  revive(key: string, payload: string | undefined, now: Now): void {
    this.#sql.revive.run(now.wallMs, payload ?? null, now.wallMs, key);
    this.#sql.discard.run(key);
  }

  /** A dead letter that was never a job. */
  bury({ key, queue, lane, payload, traceparent, attempt, error, enqueuedMs, deadMs }: DeadJob): void {
    this.#sql.entomb.run(key, queue, laneNumber(lane), payload, traceparent, attempt, error, enqueuedMs, deadMs);
  }

  discard(key: string): void {
    this.#sql.discard.run(key);
  }

  claim(asks: readonly ClaimAsk[], leaseMs: number): Job[] {
    const jobs: Job[] = [];
    const fence = ++this.#fence;
    for (const ask of asks) {
      const rows = this.#sql.claim.all(fence, ask.queue, laneNumber(ask.lane), ask.limit);
      rows.sort((a, b) => a[8] - b[8] || a[7] - b[7] || a[9] - b[9]);
      for (const [key, queue, lane, payload, traceparent, attempt, given, enqueuedMs, turn] of rows) {
        jobs.push({
          key,
          queue,
          lane: laneOf(lane),
          payload,
          traceparent,
          attempt,
          fence: given,
          turn,
          enqueuedMs,
        });
        this.#pending.push({ key, fence: given, leaseMs });
      }
    }
    return jobs;
  }

  /** Only in memory: leases are not written. */
  extend(refs: readonly JobRef[], leaseMs: number, now: Now): JobRef[] {
    const lost: JobRef[] = [];
    for (const ref of refs) {
      if (this.#leases.holds(ref.key, ref.fence)) this.#leases.hold(ref.key, ref.fence, leaseMs, now.monotonicMs);
      else lost.push(ref);
    }
    return lost;
  }

  release(refs: readonly JobRef[]): void {
    for (const { key, fence } of refs) {
      if (this.#sql.release.run(key, fence) === 1) this.#pending.push({ key, fence, leaseMs: null });
    }
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
      woken += this.#sql.expire.run(key, fence);
      this.#pending.push({ key, fence, leaseMs: null });
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
    for (const { key, fence, leaseMs } of this.#pending) {
      if (leaseMs !== null) this.#leases.hold(key, fence, leaseMs, now.monotonicMs);
      else this.#leases.drop(key);
    }
    this.#pending = [];
  }

  /** The transaction was rolled back. */
  forget(): void {
    this.#pending = [];
  }
}

/** `leaseMs` null: nobody holds it any longer. */
type LeaseChange = { readonly key: string; readonly fence: number; readonly leaseMs: number | null };

type ClaimedRow = readonly [
  key: string,
  queue: string,
  lane: number,
  payload: string,
  traceparent: string | null,
  attempt: number,
  fence: number,
  enqueuedMs: number,
  turn: number,
  id: number,
];

type Statements = {
  readonly [name in keyof typeof PLAIN]: Query;
} & {
  readonly held: Query<readonly [id: number, step: number]>;
  readonly find: Query<readonly [id: number, state: number]>;
  readonly isDead: Query<readonly [number]>;
  readonly claim: Query<ClaimedRow>;
  readonly nextDue: Query<readonly [dueMs: number | null]>;
  readonly park: Query<readonly [key: string, fence: number]>;
};

/** Statements without rows. `fence + 1` keeps fences rising over restarts, the given number over reborn keys. */
const PLAIN = {
  adopt: "UPDATE jobs SET state = 1 WHERE state = 2",
  insert: `INSERT INTO jobs (key, queue, lane, turn, state, due_ms, payload, traceparent, attempt, fence, enqueued_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
  remove: "DELETE FROM jobs WHERE id = ?",
  keep: "UPDATE jobs SET payload = coalesce(?, payload), attempt = 1, step = ? WHERE id = ?",
  again: `UPDATE jobs SET state = ?, due_ms = ?, turn = ?, payload = ?, error = ?, attempt = attempt * ? WHERE id = ?`,
  bury: `INSERT OR REPLACE INTO dead_jobs
      (key, queue, lane, turn, payload, traceparent, attempt, error, enqueued_ms, dead_ms)
    SELECT key, queue, lane, turn, payload, traceparent, attempt, ?, enqueued_ms, ? FROM jobs WHERE id = ?`,
  entomb: `INSERT OR REPLACE INTO dead_jobs
      (key, queue, lane, turn, payload, traceparent, attempt, error, enqueued_ms, dead_ms)
    VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?)`,
  revive: `INSERT INTO jobs (key, queue, lane, turn, state, due_ms, payload, traceparent, attempt, fence, enqueued_ms)
    SELECT key, queue, lane, turn, 1, ?, coalesce(?, payload), traceparent, 0, 0, ? FROM dead_jobs WHERE key = ?`,
  discard: "DELETE FROM dead_jobs WHERE key = ?",
  release: "UPDATE jobs SET state = 1, attempt = max(attempt - 1, 0) WHERE key = ? AND fence = ? AND state = 2",
  expire: "UPDATE jobs SET state = 1 WHERE key = ? AND fence = ? AND state = 2",
  wake: `UPDATE jobs SET state = 1
    WHERE id IN (SELECT id FROM jobs WHERE state = 0 AND due_ms <= ? ORDER BY due_ms LIMIT ?)`,
  unpark: "UPDATE jobs SET state = CASE WHEN due_ms <= ? THEN 1 ELSE 0 END WHERE id = ?",
} as const;

const WITH_ROWS = {
  held: "SELECT id, step FROM jobs WHERE key = ? AND fence = ? AND state = 2",
  find: "SELECT id, state FROM jobs WHERE key = ?",
  isDead: "SELECT 1 FROM dead_jobs WHERE key = ?",
  claim: `UPDATE jobs SET state = 2, attempt = attempt + 1, fence = max(fence + 1, ?), step = 0
    WHERE id IN (
      SELECT id FROM jobs WHERE state = 1 AND queue = ? AND lane = ? ORDER BY turn, enqueued_ms, id LIMIT ?)
    RETURNING key, queue, lane, payload, traceparent, attempt, fence, enqueued_ms, turn, id`,
  nextDue: "SELECT min(due_ms) FROM jobs WHERE state = 0",
  /** Each arm walks the index of its state. */
  park: `UPDATE jobs SET state = 3
    WHERE id IN (
      SELECT id FROM jobs WHERE state = 0 UNION ALL SELECT id FROM jobs WHERE state = 1
      UNION ALL SELECT id FROM jobs WHERE state = 2 LIMIT ?)
    RETURNING key, fence`,
} as const;

/** All of the above, for the test that looks at their query plans. */
export const JOB_SQL: Readonly<Record<string, string>> = { ...PLAIN, ...WITH_ROWS };

function statements(db: Database): Statements {
  return {
    adopt: db.query(PLAIN.adopt),
    insert: db.query(PLAIN.insert),
    remove: db.query(PLAIN.remove),
    keep: db.query(PLAIN.keep),
    again: db.query(PLAIN.again),
    bury: db.query(PLAIN.bury),
    entomb: db.query(PLAIN.entomb),
    revive: db.query(PLAIN.revive),
    discard: db.query(PLAIN.discard),
    release: db.query(PLAIN.release),
    expire: db.query(PLAIN.expire),
    wake: db.query(PLAIN.wake),
    held: db.query(WITH_ROWS.held),
    find: db.query(WITH_ROWS.find),
    isDead: db.query(WITH_ROWS.isDead),
    claim: db.query(WITH_ROWS.claim),
    nextDue: db.query(WITH_ROWS.nextDue),
    park: db.query(WITH_ROWS.park),
    unpark: db.query(PLAIN.unpark),
  };
}
