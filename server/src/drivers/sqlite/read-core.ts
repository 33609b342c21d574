import type { Database, Query } from "#drivers/sqlite/database.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import type { Now } from "#drivers/sqlite/now.ts";
import { DepthReads } from "#drivers/sqlite/read-depths.ts";
import { DocumentReads } from "#drivers/sqlite/read-documents.ts";
import { JournalReads } from "#drivers/sqlite/read-journal.ts";
import { MessageReads } from "#drivers/sqlite/read-messages.ts";
import { onceOf, type OnceRow, RECORD_SQL } from "#drivers/sqlite/records.ts";
import type { Document, DocumentKey, DocumentQuery } from "#domain/document.ts";
import type { Position, RecordedEvent } from "#domain/event.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import { invariant } from "#domain/invariant.ts";
import type { DeadJob, ParkedJob } from "#domain/job.ts";
import type { MessageRecord } from "#domain/message.ts";
import type {
  Checkpoint,
  JobState,
  JournalAsk,
  JournalBounds,
  JournalPage,
  MessageFilter,
  MessagePage,
  OnceRecord,
  OutcomeCounts,
  ParkedAsk,
  ParkedSum,
  QueueDepth,
  StoredRequest,
  JobRange,
  JobSum,
} from "#ports/store.ts";

/** All questions, on a connection that only reads and waits for no commit. It sees what has become durable. */
export class ReadCore implements Disposable {
  readonly #db: Database;
  readonly #journal: JournalReads;
  readonly #messages: MessageReads;
  readonly #documents: DocumentReads;
  readonly #depths: DepthReads;
  readonly #request: Query<RequestRow>;
  readonly #once: Query<OnceRow>;
  readonly #job: Query<JobRow>;
  readonly #jobsWithin: Query<JobSumRow>;
  readonly #deadJob: Query<DeadRow>;
  readonly #deadJobs: Query<DeadRow>;
  readonly #deadJobsOf: Query<DeadRow>;
  readonly #parked: Query<ParkedSumRow>;
  readonly #parkedJobs: Query<ParkedRow>;
  readonly #blob: Query<readonly [number]>;

  constructor(db: Database) {
    this.#db = db;
    this.#journal = new JournalReads(this.#db);
    this.#messages = new MessageReads(this.#db);
    this.#documents = new DocumentReads(this.#db);
    this.#depths = new DepthReads(this.#db);
    this.#request = this.#db.query(READ_SQL.request);
    this.#once = this.#db.query(RECORD_SQL.findOnce);
    this.#job = this.#db.query(READ_SQL.job);
    this.#jobsWithin = this.#db.query(READ_SQL.jobsWithin);
    this.#deadJob = this.#db.query(READ_SQL.deadJob);
    this.#deadJobs = this.#db.query(READ_SQL.deadJobs);
    this.#deadJobsOf = this.#db.query(READ_SQL.deadJobsOf);
    this.#parked = this.#db.query(READ_SQL.parked);
    this.#parkedJobs = this.#db.query(READ_SQL.parkedJobs);
    this.#blob = this.#db.query(READ_SQL.blob);
  }

  readJournal(_now: Now, ask: JournalAsk): JournalPage {
    return this.#journal.page(ask);
  }

  eventsOf(_now: Now, subject: string, limit: number): RecordedEvent[] {
    return this.#journal.of(subject, limit);
  }

  journalBounds(_now: Now): JournalBounds {
    return this.#journal.bounds();
  }

  eventsBehind(_now: Now, position: Position, atMost: number): number {
    return this.#journal.behind(position, atMost);
  }

  checkpoints(_now: Now, consumer: string | null): Checkpoint[] {
    return this.#journal.checkpoints(consumer);
  }

  requests(_now: Now, ids: readonly RequestId[]): (StoredRequest | null)[] {
    return ids.map((id) => {
      const row = this.#request.get(id);
      return row === undefined ? null : requestOf(row);
    });
  }

  messages(_now: Now, ids: readonly MessageId[]): (MessageRecord | null)[] {
    return ids.map((id) => this.#messages.get(id));
  }

  listMessages(_now: Now, filter: MessageFilter, page: { after: string | null; limit: number }): MessagePage {
    return this.#messages.list(filter, page);
  }

  countOutcomes(_now: Now, request: RequestId): OutcomeCounts {
    return this.#messages.countOutcomes(request);
  }

  documents(_now: Now, keys: readonly DocumentKey[]): (Document | null)[] {
    return this.#documents.many(keys);
  }

  listDocuments(_now: Now, query: DocumentQuery): Document[] {
    return this.#documents.list(query);
  }

  once(now: Now, keys: readonly string[]): (OnceRecord | null)[] {
    return keys.map((key) => {
      const row = this.#once.get(key, now.wallMs);
      return row === undefined ? null : onceOf(row);
    });
  }

  jobs(_now: Now, keys: readonly string[]): (JobState | null)[] {
    return keys.map((key) => {
      const row = this.#job.get(key);
      return row === undefined ? null : jobStateOf(row);
    });
  }

  jobsWithin(_now: Now, { from, before, atMost }: JobRange): JobSum {
    const [jobs, firstKey, oldestMs] = this.#jobsWithin.get(from, before, atMost) ?? [0, null, null];
    return { jobs, firstKey, oldestMs };
  }

  deadJobs(
    _now: Now,
    { queue, after, limit }: { queue: string | null; after: string | null; limit: number },
  ): DeadJob[] {
    const from = after ?? "";
    const rows = queue === null ? this.#deadJobs.all(from, limit) : this.#deadJobsOf.all(queue, from, limit);
    return rows.map(deadJobOf);
  }

  deadJob(_now: Now, key: string): DeadJob | null {
    const row = this.#deadJob.get(key);
    return row === undefined ? null : deadJobOf(row);
  }

  parked(_now: Now): ParkedSum[] {
    return this.#parked.all().map(([queue, lane, jobs, firstEnqueuedMs, lastEnqueuedMs, firstDueMs, lastDueMs]) => ({
      queue,
      lane: laneOf(lane),
      jobs,
      firstEnqueuedMs,
      lastEnqueuedMs,
      firstDueMs,
      lastDueMs,
    }));
  }

  parkedJobs(_now: Now, { after, limit }: ParkedAsk): ParkedJob[] {
    return this.#parkedJobs
      .all(after?.queue ?? "", after === null ? -1 : laneNumber(after.lane), after?.key ?? "", limit)
      .map(([key, queue, lane, payload, traceparent, attempt, enqueuedMs, dueMs]) => ({
        key,
        queue,
        lane: laneOf(lane),
        payload,
        traceparent,
        attempt,
        enqueuedMs,
        dueMs,
      }));
  }

  depths(_now: Now): QueueDepth[] {
    return this.#depths.all();
  }

  depthsOf(_now: Now, queues: readonly string[]): QueueDepth[] {
    return this.#depths.of(queues);
  }

  unnamedBlobs(_now: Now, ids: readonly string[]): string[] {
    return ids.filter((id) => this.#blob.get(id) === undefined);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

type RequestRow = readonly [
  id: string,
  body: string,
  acceptedMs: number,
  lane: number,
  traceparent: string | null,
  archivedMs: number | null,
];

function requestOf([id, body, acceptedMs, lane, traceparent, archivedMs]: RequestRow): StoredRequest {
  // Only request ids are written to this column.
  return { id: id as RequestId, body, acceptedMs, lane: laneOf(lane), traceparent, archivedMs };
}

type JobRow = readonly [
  key: string,
  queue: string,
  lane: number,
  state: number,
  dueMs: number,
  attempt: number,
  payload: string,
  error: string | null,
];

/** What is behind others of its group is ready but for them. */
const STATES = ["waiting", "ready", "held", "parked", "ready"] as const;

function jobStateOf([key, queue, lane, stateNumber, dueMs, attempt, payload, error]: JobRow): JobState {
  const state = STATES[stateNumber];
  invariant(state !== undefined, "a stored state is one of ours");
  return { key, queue, lane: laneOf(lane), state, dueMs, attempt, payload, error };
}

type DeadRow = readonly [
  key: string,
  queue: string,
  lane: number,
  payload: string,
  traceparent: string | null,
  attempt: number,
  error: string,
  enqueuedMs: number,
  deadMs: number,
];

function deadJobOf([key, queue, lane, payload, traceparent, attempt, error, enqueuedMs, deadMs]: DeadRow): DeadJob {
  return { key, queue, lane: laneOf(lane), payload, traceparent, attempt, error, enqueuedMs, deadMs };
}

type ParkedSumRow = readonly [
  queue: string,
  lane: number,
  jobs: number,
  firstEnqueuedMs: number,
  lastEnqueuedMs: number,
  firstDueMs: number,
  lastDueMs: number,
];

type JobSumRow = readonly [jobs: number, firstKey: string | null, oldestMs: number | null];

type ParkedRow = readonly [
  key: string,
  queue: string,
  lane: number,
  payload: string,
  traceparent: string | null,
  attempt: number,
  enqueuedMs: number,
  dueMs: number,
];

const DEAD = "key, queue, lane, payload, traceparent, attempt, error, enqueued_ms, dead_ms";

export const READ_SQL = {
  request: "SELECT id, body, accepted_ms, lane, traceparent, archived_ms FROM requests WHERE id = ?",
  job: "SELECT key, queue, lane, state, due_ms, attempt, payload, error FROM jobs WHERE key = ?",
  jobsWithin: `SELECT count(*), min(key), min(enqueued_ms)
    FROM (SELECT key, enqueued_ms FROM jobs WHERE key >= ? AND key < ? ORDER BY key LIMIT ?)`,
  deadJob: `SELECT ${DEAD} FROM dead_jobs WHERE key = ?`,
  deadJobs: `SELECT ${DEAD} FROM dead_jobs WHERE key > ? ORDER BY key LIMIT ?`,
  deadJobsOf: `SELECT ${DEAD} FROM dead_jobs WHERE queue = ? AND key > ? ORDER BY key LIMIT ?`,
  parked: `SELECT queue, lane, count(*), min(enqueued_ms), max(enqueued_ms), min(due_ms), max(due_ms)
    FROM jobs WHERE state = 3 GROUP BY queue, lane ORDER BY queue, lane`,
  parkedJobs: `SELECT key, queue, lane, payload, traceparent, attempt, enqueued_ms, due_ms FROM jobs
    WHERE state = 3 AND (queue, lane, key) > (?, ?, ?) ORDER BY queue, lane, key LIMIT ?`,
  blob: "SELECT 1 FROM blobs WHERE id = ?",
} as const;
