import { texts } from "#drivers/postgres/arrays.ts";
import { type Database, type Statement, type Statements, statements } from "#drivers/postgres/connection.ts";
import { Depths } from "#drivers/postgres/depths.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import { DocumentReads } from "#drivers/postgres/read-documents.ts";
import { JournalReads } from "#drivers/postgres/read-journal.ts";
import { MessageReads } from "#drivers/postgres/read-messages.ts";
import { fromStored, maybeFromStored, toStored } from "#drivers/postgres/text.ts";
import type { DocumentKey, DocumentQuery } from "#domain/document.ts";
import type { Position } from "#domain/event.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import { invariant } from "#domain/invariant.ts";
import type { DeadJob, ParkedJob } from "#domain/job.ts";
import type { Clock } from "#ports/clock.ts";
import type {
  JobState,
  JournalAsk,
  MessageFilter,
  OnceRecord,
  ParkedAsk,
  ParkedSum,
  StoredRequest,
  JobRange,
  JobSum,
} from "#ports/store.ts";

export type ReadParts = {
  readonly db: Database;
  /** Its name as SQL, quoted. */
  readonly schema: string;
  readonly clock: Clock;
  /**
   * Told after each page at the end of the journal whether events stand behind the horizon: whoever waits for them is to
   * look again soon, since nobody says when the transaction before them ends.
   */
  readonly onHeldBack: (isHeldBack: boolean) => void;
};

/** All questions of the port. Each is one statement on any connection of the pool, and one round trip. */
export class ReadCore {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #journal: JournalReads;
  readonly #messages: MessageReads;
  readonly #documents: DocumentReads;
  readonly #depths: Depths;
  readonly #sql: Statements<ReturnType<typeof readSql>>;

  constructor({ db, schema, clock, onHeldBack }: ReadParts) {
    this.#db = db;
    this.#clock = clock;
    this.#journal = new JournalReads(db, schema, onHeldBack);
    this.#messages = new MessageReads(db, schema);
    this.#documents = new DocumentReads(db, schema);
    this.#depths = new Depths(db, schema);
    this.#sql = statements(readSql(schema));
  }

  readJournal = (ask: JournalAsk) => this.#journal.page(ask);
  eventsOf = (subject: string, limit: number) => this.#journal.of(subject, limit);
  journalBounds = () => this.#journal.bounds();
  eventsBehind = (position: Position, atMost: number) => this.#journal.behind(position, atMost);
  checkpoints = (consumer: string | null) => this.#journal.checkpoints(consumer);
  messages = (ids: readonly MessageId[]) => this.#messages.many(ids);
  listMessages = (filter: MessageFilter, page: { readonly after: string | null; readonly limit: number }) =>
    this.#messages.list(filter, page);
  countOutcomes = (request: RequestId) => this.#messages.countOutcomes(request);
  documents = (keys: readonly DocumentKey[]) => this.#documents.many(keys);
  listDocuments = (query: DocumentQuery) => this.#documents.list(query);
  depths = (queues?: readonly string[]) => this.#depths.depths(queues);

  requests = (ids: readonly RequestId[]) => this.#byKey(this.#sql.requests, ids, requestOf);
  jobs = (keys: readonly string[]) => this.#byKey(this.#sql.jobs, keys, jobStateOf);

  async once(keys: readonly string[]): Promise<(OnceRecord | null)[]> {
    const nowMs = this.#clock.nowMs();
    const found = await this.#byKey(this.#sql.once, keys, onceOf);
    return found.map((record) => (record !== null && record.expiresMs > nowMs ? record : null));
  }

  async deadJobs({
    queue,
    after,
    limit,
  }: {
    readonly queue: string | null;
    readonly after: string | null;
    readonly limit: number;
  }): Promise<DeadJob[]> {
    const from = toStored(after ?? "");
    const { rows } = await (queue === null
      ? this.#db.ask<DeadRow>(this.#sql.deadJobs, [from, limit])
      : this.#db.ask<DeadRow>(this.#sql.deadJobsOf, [from, limit, toStored(queue)]));
    return rows.map(deadJobOf);
  }

  async jobsWithin({ from, before, atMost }: JobRange): Promise<JobSum> {
    const range = [toStored(from), toStored(before), atMost];
    const [row] = (await this.#db.ask<JobSumRow>(this.#sql.jobsWithin, range)).rows;
    const [jobs, firstKey, oldestMs] = row ?? [0, null, null];
    return { jobs, firstKey: maybeFromStored(firstKey), oldestMs };
  }

  async deadJob(key: string): Promise<DeadJob | null> {
    const [row] = (await this.#db.ask<DeadRow>(this.#sql.deadJob, [toStored(key)])).rows;
    return row === undefined ? null : deadJobOf(row);
  }

  async parked(): Promise<ParkedSum[]> {
    return (await this.#db.ask<ParkedSumRow>(this.#sql.parked)).rows.map(parkedSumOf);
  }

  async parkedJobs({ after, limit }: ParkedAsk): Promise<ParkedJob[]> {
    const place = after === null ? ["", -1, ""] : [toStored(after.queue), laneNumber(after.lane), toStored(after.key)];
    return (await this.#db.ask<ParkedRow>(this.#sql.parkedJobs, [...place, limit])).rows.map(parkedJobOf);
  }

  async unnamedBlobs(ids: readonly string[]): Promise<string[]> {
    const named = await this.#byKey<[string], string>(this.#sql.blobs, ids, ([id]) => id);
    return ids.filter((_, at) => named[at] === null);
  }

  /** In the order asked; the statement takes the keys as $1, and a row begins with its own. */
  async #byKey<Row extends [string, ...unknown[]], T>(
    what: Statement,
    keys: readonly string[],
    read: (row: Row) => T,
  ): Promise<(T | null)[]> {
    if (keys.length === 0) return [];
    const { rows } = await this.#db.ask<Row>(what, [texts(keys)]);
    const found = new Map(rows.map((row) => [fromStored(row[0]), read(row)]));
    return keys.map((key) => found.get(key) ?? null);
  }
}

type RequestRow = [
  id: string,
  body: string,
  acceptedMs: number,
  lane: number,
  traceparent: string | null,
  archivedMs: number | null,
];

function requestOf([id, body, acceptedMs, lane, traceparent, archivedMs]: RequestRow): StoredRequest {
  return {
    // Only request ids are written to this column.
    id: fromStored(id) as RequestId,
    body: fromStored(body),
    acceptedMs,
    lane: laneOf(lane),
    traceparent: maybeFromStored(traceparent),
    archivedMs,
  };
}

type OnceRow = [key: string, fingerprint: string, status: number, body: string, expiresMs: number];

function onceOf([key, fingerprint, status, body, expiresMs]: OnceRow): OnceRecord {
  return {
    key: fromStored(key),
    fingerprint: fromStored(fingerprint),
    status,
    body: fromStored(body),
    expiresMs,
  };
}

type JobRow = [
  key: string,
  queue: string,
  lane: number,
  state: number,
  dueMs: number,
  attempt: number,
  payload: string,
  error: string | null,
];

/** Whoever is behind others of its group is ready as soon as they are gone. */
const STATES = ["waiting", "ready", "held", "parked", "ready"] as const;

function jobStateOf([key, queue, lane, stateNumber, dueMs, attempt, payload, error]: JobRow): JobState {
  const state = STATES[stateNumber];
  invariant(state !== undefined, "a stored state is one of ours");
  return {
    key: fromStored(key),
    queue: fromStored(queue),
    lane: laneOf(lane),
    state,
    dueMs,
    attempt,
    payload: fromStored(payload),
    error: maybeFromStored(error),
  };
}

type DeadRow = [
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
  return {
    key: fromStored(key),
    queue: fromStored(queue),
    lane: laneOf(lane),
    payload: fromStored(payload),
    traceparent: maybeFromStored(traceparent),
    attempt,
    error: fromStored(error),
    enqueuedMs,
    deadMs,
  };
}

type ParkedSumRow = [
  queue: string,
  lane: number,
  jobs: number,
  firstEnqueuedMs: number,
  lastEnqueuedMs: number,
  firstDueMs: number,
  lastDueMs: number,
];

function parkedSumOf(row: ParkedSumRow): ParkedSum {
  const [queue, lane, jobs, firstEnqueuedMs, lastEnqueuedMs, firstDueMs, lastDueMs] = row;
  return {
    queue: fromStored(queue),
    lane: laneOf(lane),
    jobs,
    firstEnqueuedMs,
    lastEnqueuedMs,
    firstDueMs,
    lastDueMs,
  };
}

type JobSumRow = [jobs: number, firstKey: string | null, oldestMs: number | null];

type ParkedRow = [
  key: string,
  queue: string,
  lane: number,
  payload: string,
  traceparent: string | null,
  attempt: number,
  enqueuedMs: number,
  dueMs: number,
];

function parkedJobOf([key, queue, lane, payload, traceparent, attempt, enqueuedMs, dueMs]: ParkedRow): ParkedJob {
  return {
    key: fromStored(key),
    queue: fromStored(queue),
    lane: laneOf(lane),
    payload: fromStored(payload),
    traceparent: maybeFromStored(traceparent),
    attempt,
    enqueuedMs,
    dueMs,
  };
}

const DEAD = "key, queue, lane, payload, traceparent, attempt, error, enqueued_ms, dead_ms";

/** Exported for the test that looks at plans. */
export function readSql(schema: string) {
  const [jobs, dead] = [`${schema}.jobs`, `${schema}.dead_jobs`];
  return {
    requests: `SELECT id, body, accepted_ms, lane, traceparent, archived_ms FROM ${schema}.requests
      WHERE id = ANY($1::text[])`,
    once: `SELECT key, fingerprint, status, body, expires_ms FROM ${schema}.once_records WHERE key = ANY($1::text[])`,
    jobs: `SELECT key, queue, lane, state, due_ms, attempt, payload, error FROM ${jobs} WHERE key = ANY($1::text[])`,
    jobsWithin: `SELECT count(*), min(key), min(enqueued_ms)
      FROM (SELECT key, enqueued_ms FROM ${jobs} WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3) AS found`,
    deadJob: `SELECT ${DEAD} FROM ${dead} WHERE key = $1`,
    deadJobs: `SELECT ${DEAD} FROM ${dead} WHERE key > $1 ORDER BY key LIMIT $2`,
    /** Two walks that are merged: the index is by queue, lane and key. */
    deadJobsOf: `(SELECT ${DEAD} FROM ${dead} WHERE queue = $3 AND lane = 0 AND key > $1 ORDER BY key LIMIT $2)
      UNION ALL (SELECT ${DEAD} FROM ${dead} WHERE queue = $3 AND lane = 1 AND key > $1 ORDER BY key LIMIT $2)
      ORDER BY key LIMIT $2`,
    parked: `SELECT queue, lane, count(*), min(enqueued_ms), max(enqueued_ms), min(due_ms), max(due_ms)
      FROM ${jobs} WHERE state = 3 GROUP BY queue, lane ORDER BY queue, lane`,
    parkedJobs: `SELECT key, queue, lane, payload, traceparent, attempt, enqueued_ms, due_ms FROM ${jobs}
      WHERE state = 3 AND (queue, lane, key) > ($1, $2, $3) ORDER BY queue, lane, key LIMIT $4`,
    blobs: `SELECT id FROM ${schema}.blobs WHERE id = ANY($1::text[])`,
  } as const;
}
