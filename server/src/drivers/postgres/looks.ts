import { texts } from "#drivers/postgres/arrays.ts";
import { type Answer, type Ask, type Session, type Statements, statements } from "#drivers/postgres/connection.ts";
import { laneOf } from "#domain/lane-number.ts";
import type { BuriedJob } from "#drivers/postgres/ledger.ts";
import { prefixEnd } from "#domain/prefix-end.ts";
import { fromStored, maybeFromStored, toStored } from "#drivers/postgres/text.ts";
import type { DocumentKey } from "#domain/document.ts";
import type { MessageStatus } from "#domain/message.ts";
import type { OnceRecord, Unit } from "#ports/store.ts";

/** What is known of the rows that a batch touches; null: not there. What was not looked at has no entry. */
export type Looked = {
  readonly jobs: Map<string, KnownJob | null>;
  readonly messages: Map<string, MessageStatus | null>;
  /** By `documentName`. */
  readonly documents: Map<string, KnownDocument | null>;
  /** By `documentName`: what is stored, however the batch changes it. */
  readonly storedDocuments: Map<string, KnownDocument>;
  readonly storedJobs: Set<string>;
  readonly once: Map<string, OnceRecord | null>;
  readonly dead: Map<string, BuriedJob | null>;
};

export type KnownJob = {
  readonly key: string;
  readonly queue: string;
  readonly lane: number;
  readonly turn: number;
  readonly state: number;
  readonly dueMs: number;
  readonly leaseUntilMs: number | null;
  readonly payload: string;
  readonly traceparent: string | null;
  readonly attempt: number;
  readonly fence: number;
  readonly step: number;
  readonly enqueuedMs: number;
  readonly error: string | null;
  readonly group: string | null;
  /** Its row is there, not to be made. */
  readonly isStored: boolean;
  /** Among the jobs that the transaction makes, in the order of its units; 0 of a stored one. */
  readonly place: number;
};

export type KnownDocument = {
  readonly collection: string;
  readonly id: string;
  /** Null: it was not read, because nobody needs it. */
  readonly body: string | null;
  readonly version: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly terms: string | null;
};

/** What of the rows that a batch touches must be known before its verdicts can be given. */
export type Needs = {
  readonly jobs: ReadonlySet<string>;
  readonly messages: ReadonlySet<string>;
  readonly once: ReadonlySet<string>;
  readonly dead: ReadonlySet<string>;
  readonly documents: ReadonlyMap<string, DocumentKey>;
  readonly ranges: readonly { readonly collection: string; readonly prefix: string }[];
};

/**
 * Boldly, only what a condition reads or two units touch: whatever else a batch writes is expected to be free, and the
 * statement fails if it is not. Otherwise everything.
 */
export function needsOf(units: readonly Unit[], isBold: boolean): Needs {
  const jobs = new Touched(isBold);
  const messages = new Touched(isBold);
  const once = new Touched(isBold);
  const dead = new Set<string>();
  const documents = new Map<string, DocumentKey>();
  const ranges: { collection: string; prefix: string }[] = [];
  const addDocument = (key: DocumentKey): unknown => documents.set(documentName(key), key);
  for (const unit of units) {
    // Which of two conditions fails first decides the verdict, so both must be known.
    const asked = [unit.job, unit.also, unit.take, unit.unpark, unit.once, unit.expect, unit.dead];
    const isOnly = asked.filter(Boolean).length === 1;
    if (unit.job !== undefined) jobs.add(unit.job.ref.key, isOnly && unit.job.end.kind !== "dead");
    for (const { key } of unit.also ?? []) jobs.add(key, false);
    if (unit.take !== undefined) jobs.add(unit.take, false);
    if (unit.unpark !== undefined) jobs.add(unit.unpark, false);
    if (unit.once !== undefined) once.add(unit.once.key, isOnly);
    for (const key of unit.expect ?? []) addDocument(key);
    if (unit.dead !== undefined) {
      dead.add(unit.dead.key);
      jobs.add(unit.dead.key, false);
    }
    for (const { message, job } of unit.messages ?? []) {
      messages.add(message.id, true);
      if (job !== null) jobs.add(job.key, true);
    }
    for (const { id } of unit.patches ?? []) messages.mention(id);
    for (const job of unit.jobs ?? []) jobs.add(job.key, true);
    for (const key of unit.deletes ?? []) addDocument(key);
    for (const key of unit.puts ?? []) addDocument(key);
    ranges.push(...(unit.clear ?? []));
  }
  return { jobs: jobs.needed, messages: messages.needed, once: once.needed, dead, documents, ranges };
}

/** Keys that are touched, of which those are needed that are read, or touched twice. */
class Touched {
  readonly #seen = new Set<string>();
  readonly #isBold: boolean;
  readonly needed = new Set<string>();

  constructor(isBold: boolean) {
    this.#isBold = isBold;
  }

  /** @param isFree it may be taken to be as the unit expects it, if nobody else touches it. */
  add(key: string, isFree: boolean): void {
    if (!this.#isBold || !isFree) this.needed.add(key);
    this.mention(key);
  }

  /** It does not matter what is there, unless somebody else touches it. */
  mention(key: string): void {
    if (this.#seen.has(key)) this.needed.add(key);
    else this.#seen.add(key);
  }
}

export function isNothing({ jobs, messages, once, dead, documents, ranges }: Needs): boolean {
  return jobs.size + messages.size + once.size + dead.size + documents.size + ranges.length === 0;
}

export function documentName({ collection, id }: DocumentKey): string {
  return `${collection.length} ${collection}${id}`;
}

/** Reads what a batch needs and locks it until the end of the transaction, always in the same order. */
export class Looks {
  readonly #sql: Statements<ReturnType<typeof lookSql>>;

  constructor(schema: string) {
    this.#sql = statements(lookSql(schema));
  }

  /** @param first goes out before, in the same flight. */
  async look(session: Session, first: readonly Ask[], needs: Needs): Promise<Looked> {
    const looked: Looked = {
      jobs: emptyOf(needs.jobs),
      messages: emptyOf(needs.messages),
      once: emptyOf(needs.once),
      dead: emptyOf(needs.dead),
      documents: emptyOf(needs.documents.keys()),
      storedDocuments: new Map(),
      storedJobs: new Set(),
    };
    const looks = this.#looks(needs);
    if (looks.length === 0) return looked;
    const answers = await session.flight([...first, ...looks.map(([ask]) => ask)]);
    for (const [at, [, read]] of looks.entries()) {
      const answer = answers[first.length + at];
      if (answer !== undefined) read(looked, answer);
    }
    return looked;
  }

  #looks({ jobs, messages, once, dead, documents, ranges }: Needs): [Ask, Reading][] {
    const sql = this.#sql;
    const keys = (of: ReadonlySet<string>): Buffer => texts([...of].sort());
    const named = [...documents.values()];
    const looks: [Ask, Reading][] = [];
    if (jobs.size > 0) looks.push([[sql.jobs, [keys(jobs)]], readJobs]);
    if (dead.size > 0) looks.push([[sql.dead, [keys(dead)]], readDead]);
    if (messages.size > 0) looks.push([[sql.messages, [keys(messages)]], readMessages]);
    if (once.size > 0) looks.push([[sql.once, [keys(once)]], readOnce]);
    if (named.length > 0) {
      const columns = [texts(named.map(({ collection }) => collection)), texts(named.map(({ id }) => id))];
      looks.push([[sql.documents, columns], readDocuments]);
    }
    for (const { collection, prefix } of ranges) {
      const end = prefixEnd(prefix);
      const values = [toStored(collection), toStored(prefix), end === null ? null : toStored(end)];
      looks.push([[sql.range, values], readDocuments]);
    }
    return looks;
  }
}

function emptyOf<T>(keys: Iterable<string>): Map<string, T | null> {
  const map = new Map<string, T | null>();
  for (const key of keys) map.set(key, null);
  return map;
}

type Reading = (looked: Looked, answer: Answer) => void;

function readJobs({ jobs, storedJobs }: Looked, { rows }: Answer): void {
  for (const row of rows as unknown as readonly JobRow[]) {
    const [key, queue, lane, turn, state, dueMs, leaseUntilMs, payload, traceparent] = row;
    const [, , , , , , , , , attempt, fence, step, enqueuedMs, error, group] = row;
    const known = fromStored(key);
    storedJobs.add(known);
    jobs.set(known, {
      ...{ key: known, queue: fromStored(queue), lane, turn, state, dueMs, leaseUntilMs },
      ...{ payload: fromStored(payload), traceparent, attempt, fence, step, enqueuedMs },
      ...{ error: maybeFromStored(error), group: maybeFromStored(group), isStored: true, place: 0 },
    });
  }
}

type JobRow = readonly [
  key: string,
  queue: string,
  lane: number,
  turn: number,
  state: number,
  dueMs: number,
  leaseUntilMs: number | null,
  payload: string,
  traceparent: string | null,
  attempt: number,
  fence: number,
  step: number,
  enqueuedMs: number,
  error: string | null,
  group: string | null,
];

function readDead({ dead }: Looked, { rows }: Answer): void {
  for (const row of rows as unknown as readonly DeadRow[]) {
    const [stored, queue, lane, turn, payload, traceparent, attempt, error, enqueuedMs, deadMs, group] = row;
    const key = fromStored(stored);
    dead.set(key, {
      ...{ key, queue: fromStored(queue), lane: laneOf(lane), turn, payload: fromStored(payload), traceparent },
      ...{ attempt, error: fromStored(error), enqueuedMs, deadMs, group: maybeFromStored(group) },
    });
  }
}

type DeadRow = readonly [
  key: string,
  queue: string,
  lane: number,
  turn: number,
  payload: string,
  traceparent: string | null,
  attempt: number,
  error: string,
  enqueuedMs: number,
  deadMs: number,
  group: string | null,
];

function readMessages({ messages }: Looked, { rows }: Answer): void {
  for (const [id, status] of rows as unknown as readonly (readonly [string, MessageStatus])[])
    messages.set(fromStored(id), status);
}

function readOnce({ once }: Looked, { rows }: Answer): void {
  for (const row of rows as unknown as readonly (readonly [string, string, number, string, number])[]) {
    const [key, fingerprint, status, body, expiresMs] = row;
    once.set(fromStored(key), {
      key: fromStored(key),
      fingerprint: fromStored(fingerprint),
      status,
      body: fromStored(body),
      expiresMs,
    });
  }
}

function readDocuments({ documents, storedDocuments }: Looked, { rows }: Answer): void {
  for (const row of rows as unknown as readonly (readonly [string, string, number, number, string | null])[]) {
    const [collection, id, version, createdMs, terms] = row;
    const known: KnownDocument = {
      ...{ collection: fromStored(collection), id: fromStored(id), body: null, version, createdMs },
      ...{ updatedMs: 0, terms },
    };
    documents.set(documentName(known), known);
    storedDocuments.set(documentName(known), known);
  }
}

/** Exported for the test that looks at their plans. */
export function lookSql(schema: string) {
  return {
    jobs: `SELECT key, queue, lane, turn, state, due_ms, lease_until_ms, payload, traceparent, attempt, fence, step,
        enqueued_ms, error, grp
      FROM ${schema}.jobs WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE`,
    dead: `SELECT key, queue, lane, turn, payload, traceparent, attempt, error, enqueued_ms, dead_ms, grp
      FROM ${schema}.dead_jobs WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE`,
    messages: `SELECT id, status FROM ${schema}.messages WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE`,
    once: `SELECT key, fingerprint, status, body, expires_ms
      FROM ${schema}.once_records WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE`,
    documents: `SELECT d.collection, d.id, version, created_ms, terms
      FROM ${schema}.documents d, unnest($1::text[], $2::text[]) AS wanted(collection, id)
      WHERE d.collection = wanted.collection AND d.id = wanted.id
      ORDER BY d.collection, d.id FOR UPDATE OF d`,
    range: `SELECT collection, id, version, created_ms, terms FROM ${schema}.documents
      WHERE collection = $1 AND id >= $2 AND ($3::text IS NULL OR id < $3) ORDER BY collection, id FOR UPDATE`,
  } as const;
}
