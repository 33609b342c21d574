import type { Database, Query } from "#drivers/sqlite/database.ts";
import { JOURNAL_SQL } from "#drivers/sqlite/journal.ts";
import { OWN_SOURCE, type Position, type RecordedEvent } from "#domain/event.ts";
import type { Checkpoint, JournalAsk, JournalBounds, JournalPage } from "#ports/store.ts";

/** Rows that one page of a partition, or of some events, looks at: a few ms. A partition with nothing in them gets an empty page. */
export const JOURNAL_SCAN_ROWS_MAX = 5_000;
/** Events at either end whose size stands for all when the journal's size is estimated. */
export const JOURNAL_SAMPLE_ROWS = 50;
/** Trimming leaves gaps behind events that are dated into the future, among the rows it looks at; fewer than these. */
export const GAPS_ROWS_MAX = 5_000;
/** What an event costs beside its text: columns, subject index, tree. */
export const EVENT_BYTES_OVERHEAD = 90;

export class JournalReads {
  readonly #page: Query<EventRow>;
  readonly #partition: Query<EventRow>;
  readonly #some: Query<EventRow>;
  readonly #of: Query<EventRow>;
  readonly #first: Query<readonly [Position | null]>;
  readonly #last: Query<readonly [Position]>;
  readonly #sample: Query<readonly [count: number, bytes: number | null]>;
  readonly #oldest: Query<readonly [count: number, upTo: Position | null]>;
  readonly #checkpoints: Query<CheckpointRow>;
  readonly #checkpointsOf: Query<CheckpointRow>;

  constructor(db: Database) {
    this.#page = db.query(READ_JOURNAL_SQL.page);
    this.#partition = db.query(READ_JOURNAL_SQL.partition);
    this.#some = db.query(READ_JOURNAL_SQL.some);
    this.#of = db.query(READ_JOURNAL_SQL.of);
    this.#first = db.query(READ_JOURNAL_SQL.first);
    this.#last = db.query(JOURNAL_SQL.last);
    this.#sample = db.query(READ_JOURNAL_SQL.sample);
    this.#oldest = db.query(READ_JOURNAL_SQL.oldest);
    this.#checkpoints = db.query(READ_JOURNAL_SQL.checkpoints);
    this.#checkpointsOf = db.query(READ_JOURNAL_SQL.checkpointsOf);
  }

  page({ after, limit, partition, foreignAnd }: JournalAsk): JournalPage {
    // Asked first: what is committed between the two questions belongs to the next page.
    const last = this.#last.get()?.[0] ?? 0;
    if (after >= last) return { events: [], upTo: after };
    const first = this.#first.get()?.[0] ?? last + 1;
    const { index, of } = partition ?? { index: 0, of: 1 };
    const isWhole = of === 1 && foreignAnd === undefined;
    const upTo = isWhole ? last : Math.min(last, Math.max(after, first - 1) + JOURNAL_SCAN_ROWS_MAX);
    const rows = isWhole
      ? this.#page.all(after, upTo, limit)
      : foreignAnd === undefined
        ? this.#partition.all(after, upTo, of, index, limit)
        : this.#some.all(after, upTo, of, index, JSON.stringify(foreignAnd), limit);
    const lastRow = rows.at(-1);
    const isFull = lastRow !== undefined && rows.length >= limit;
    return { events: rows.map(eventOf), upTo: isFull ? lastRow[0] : upTo };
  }

  of(subject: string, limit: number): RecordedEvent[] {
    return this.#of.all(subject, limit).map(eventOf);
  }

  bounds(): JournalBounds {
    const last = this.#last.get()?.[0] ?? 0;
    const first = this.#first.get()?.[0] ?? 0;
    const [count, bytes] = this.#sample.get(JOURNAL_SAMPLE_ROWS, JOURNAL_SAMPLE_ROWS) ?? [0, 0];
    const each = count === 0 ? 0 : (bytes ?? 0) / count + EVENT_BYTES_OVERHEAD;
    const events = this.behind(0, Number.MAX_SAFE_INTEGER);
    return { first, last, events, bytes: Math.round(events * each) };
  }

  /** Exact, and yet only the oldest are counted: behind them there are no gaps. */
  behind(position: Position, atMost: number): number {
    const [count, upTo] = this.#oldest.get(position, GAPS_ROWS_MAX) ?? [0, null];
    const rest = count < GAPS_ROWS_MAX || upTo === null ? 0 : (this.#last.get()?.[0] ?? 0) - upTo;
    return Math.min(count + rest, atMost);
  }

  checkpoints(consumer: string | null): Checkpoint[] {
    const rows = consumer === null ? this.#checkpoints.all() : this.#checkpointsOf.all(consumer);
    return rows.map(([name, partition, position, updatedMs]) => ({ consumer: name, partition, position, updatedMs }));
  }
}

type EventRow = readonly [
  position: Position,
  type: string,
  subject: string,
  timeMs: number,
  data: string,
  traceparent: string | null,
  key: string | null,
  source: string | null,
  id: string | null,
  attributes: string | null,
];

function eventOf(row: EventRow): RecordedEvent {
  const [position, type, subject, timeMs, data, traceparent, key, source, id, attributes] = row;
  return {
    position,
    id: id ?? `evt_${position}`,
    source: source ?? OWN_SOURCE,
    type,
    subject,
    timeMs,
    data,
    traceparent,
    key: key ?? subject,
    attributes,
  };
}

type CheckpointRow = readonly [consumer: string, partition: number, position: Position, updatedMs: number];

const EVENT = "position, type, subject, time_ms, data, traceparent, key, source, id, attributes";
const BYTES = "2 * length(subject) + length(type) + length(data)";

export const READ_JOURNAL_SQL = {
  page: `SELECT ${EVENT} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
  partition: `SELECT ${EVENT} FROM events
    WHERE position > ? AND position <= ? AND key_hash % ? = ? ORDER BY position LIMIT ?`,
  /** The partition's foreign events, and of our own those of the types given. */
  some: `SELECT ${EVENT} FROM events
    WHERE position > ? AND position <= ? AND key_hash % ? = ?
      AND (source <> '${OWN_SOURCE}' OR type IN (SELECT value FROM json_each(?)))
    ORDER BY position LIMIT ?`,
  of: `SELECT ${EVENT} FROM events WHERE subject = ? AND source IS NULL ORDER BY position LIMIT ?`,
  first: "SELECT min(position) FROM events",
  sample: `SELECT count(*), sum(bytes) FROM (
      SELECT * FROM (SELECT ${BYTES} AS bytes FROM events ORDER BY position LIMIT ?)
      UNION ALL SELECT * FROM (SELECT ${BYTES} AS bytes FROM events ORDER BY position DESC LIMIT ?))`,
  oldest: `SELECT count(*), max(position)
    FROM (SELECT position FROM events WHERE position > ? ORDER BY position LIMIT ?)`,
  checkpoints: "SELECT consumer, partition, position, updated_ms FROM checkpoints ORDER BY consumer, partition",
  checkpointsOf: `SELECT consumer, partition, position, updated_ms FROM checkpoints
    WHERE consumer = ? ORDER BY partition`,
} as const;
