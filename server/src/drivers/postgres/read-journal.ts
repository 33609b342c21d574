import { texts } from "#drivers/postgres/arrays.ts";
import { type Database, type Statements, statements } from "#drivers/postgres/connection.ts";
import { horizonSql } from "#drivers/postgres/positions.ts";
import { fromStored, maybeFromStored, toStored } from "#drivers/postgres/text.ts";
import { OWN_SOURCE, type Position, type RecordedEvent } from "#domain/event.ts";
import type { Checkpoint, JournalAsk, JournalBounds, JournalPage } from "#ports/store.ts";

/** Rows that one page of a partition looks at: a few ms. A partition with nothing in them gets an empty page. */
export const JOURNAL_SCAN_ROWS_MAX = 5_000;
/** A journal with fewer events than this is counted when its bounds are asked for; a longer one is estimated. */
export const EVENTS_COUNTED_MAX = 1_000;
/** Events at either end whose size stands for all when the journal's size is estimated. */
const JOURNAL_SAMPLE_ROWS = 50;
/** What an event costs beside its text: the row's head and numbers, and its entries in the indexes. */
const EVENT_BYTES_OVERHEAD = 150;

/**
 * The journal as its readers see it: up to the horizon, which is the oldest transaction that has not ended. Behind it
 * there may be events already, but others may yet appear before those.
 */
export class JournalReads {
  readonly #db: Database;
  readonly #onHeldBack: (isHeldBack: boolean) => void;
  readonly #sql: Statements<ReturnType<typeof journalSql>>;

  /** @param onHeldBack is told after each page that reached the horizon whether there is something behind it. */
  constructor(db: Database, schema: string, onHeldBack: (isHeldBack: boolean) => void) {
    this.#db = db;
    this.#onHeldBack = onHeldBack;
    this.#sql = statements(journalSql(schema));
  }

  async page({ after, limit, partition, foreignAnd }: JournalAsk): Promise<JournalPage> {
    const { index, of } = partition ?? { index: 0, of: 1 };
    const { rows } =
      foreignAnd !== undefined
        ? await this.#db.ask<PageRow>(this.#sql.some, [after, limit, of, index, texts(foreignAnd)])
        : of === 1
          ? await this.#db.ask<PageRow>(this.#sql.page, [after, limit])
          : await this.#db.ask<PageRow>(this.#sql.partition, [after, limit, of, index]);
    const [end = 0, isHeldBack = false] = rows[0] ?? [];
    const seen = rows.filter((row): row is SeenRow => row[2] !== null);
    const last = seen.at(-1);
    const events = seen.filter(([, , , matches]) => matches).map(([, , , , ...row]) => eventOf(row));
    // Full, or at the end of its budget, which shows as a row that belongs to it or not.
    if (last !== undefined && (seen.length >= limit || last[2] === JOURNAL_SCAN_ROWS_MAX))
      return { events, upTo: last[4] };
    this.#onHeldBack(isHeldBack);
    return { events, upTo: Math.max(after, end) };
  }

  async of(subject: string, limit: number): Promise<RecordedEvent[]> {
    return (await this.#db.ask<EventRow>(this.#sql.of, [toStored(subject), limit])).rows.map(eventOf);
  }

  async bounds(): Promise<JournalBounds> {
    const { rows } = await this.#db.ask<BoundsRow>(this.#sql.bounds, [EVENTS_COUNTED_MAX]);
    const [first, last, counted, estimated, sampled, sampledBytes] = rows[0] ?? [0, 0, 0, 0, 0, 0];
    const events = counted < EVENTS_COUNTED_MAX ? counted : Math.max(counted, Math.round(estimated));
    const each = sampled === 0 ? 0 : sampledBytes / sampled + EVENT_BYTES_OVERHEAD;
    return { first, last, events, bytes: Math.round(events * each) };
  }

  async behind(position: Position, atMost: number): Promise<number> {
    return (await this.#db.ask<[number]>(this.#sql.behind, [position, atMost])).rows[0]?.[0] ?? 0;
  }

  async checkpoints(consumer: string | null): Promise<Checkpoint[]> {
    const { rows } = await (consumer === null
      ? this.#db.ask<CheckpointRow>(this.#sql.checkpoints)
      : this.#db.ask<CheckpointRow>(this.#sql.checkpointsOf, [toStored(consumer)]));
    return rows.map(([name, partition, position, updatedMs]) => ({
      consumer: fromStored(name),
      partition,
      position,
      updatedMs,
    }));
  }
}

type EventRow = [
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

/** `n`: the how manieth of the rows that were looked at. */
type SeenRow = [end: Position, isHeldBack: boolean, n: number, matches: boolean, ...EventRow];
/** Without a row, the end alone is told. */
type PageRow = SeenRow | [end: Position, isHeldBack: boolean, n: null];

type BoundsRow = [
  first: Position,
  last: Position,
  counted: number,
  estimated: number,
  sampled: number,
  sampledBytes: number,
];

type CheckpointRow = [consumer: string, partition: number, position: Position, updatedMs: number];

function eventOf(row: EventRow): RecordedEvent {
  const [position, type, subject, timeMs, data, traceparent, key, source, id, attributes] = row;
  const about = fromStored(subject);
  return {
    position,
    id: id === null ? `evt_${position}` : fromStored(id),
    source: source === null ? OWN_SOURCE : fromStored(source),
    type: fromStored(type),
    subject: about,
    timeMs,
    data: fromStored(data),
    traceparent: maybeFromStored(traceparent),
    key: key === null ? about : fromStored(key),
    attributes: maybeFromStored(attributes),
  };
}

const EVENT = "position, type, subject, time_ms, data, traceparent, key, source, id, attributes";

/** Exported for the test that looks at plans. */
export function journalSql(schema: string) {
  const events = `${schema}.events`;
  const trimmed = `(SELECT value FROM ${schema}.meta WHERE name = 'journal.trimmed')`;
  /** One row: where this snapshot ends, and what stands before and behind it. */
  const edge = `edge AS MATERIALIZED (
      SELECT horizon,
        greatest((SELECT max(position) FROM ${events} WHERE position < horizon), ${trimmed}, 0) AS ending,
        coalesce((SELECT max(position) FROM ${events}) >= horizon, false) AS held_back
      FROM (SELECT ${horizonSql(schema)} AS horizon) AS now)`;
  const looked = (columns: string, limit: string): string => `SELECT ${columns} FROM ${events}
      WHERE position > $1 AND position < edge.horizon ORDER BY position LIMIT ${limit}`;
  const nothing = `UNION ALL SELECT ending, held_back, NULL, false, ${EVENT.replaceAll(/\w+/g, "NULL")} FROM edge`;
  const someOf = (belongs: string): string => `WITH ${edge}
      SELECT edge.ending, edge.held_back, n, ${belongs}, ${EVENT}
      FROM edge JOIN LATERAL (
        SELECT * FROM (
          SELECT row_number() OVER () AS n, * FROM (${looked(`${EVENT}, key_hash`, String(JOURNAL_SCAN_ROWS_MAX))}) AS walk
        ) AS counted WHERE ${belongs} OR n = ${JOURNAL_SCAN_ROWS_MAX} LIMIT $2) AS page ON true
      ${nothing}`;
  const bytes = "2 * octet_length(subject) + octet_length(type) + octet_length(data)";
  return {
    /** $1 after, $2 limit. */
    page: `WITH ${edge}
      SELECT edge.ending, edge.held_back, 0, true, ${EVENT}
      FROM edge JOIN LATERAL (${looked(EVENT, "$2")}) AS page ON true
      ${nothing}`,
    /**
     * $3 of, $4 index. Stops at the limit, however many rows are left to look at; the last one that is looked at is told
     * even if it belongs to another partition.
     */
    partition: someOf("key_hash % $3 = $4"),
    /** $5 types: the partition's foreign events, and of our own those of these types. */
    some: someOf("(key_hash % $3 = $4 AND (source IS NOT NULL OR type = ANY($5::text[])))"),
    of: `SELECT ${EVENT} FROM ${events} WHERE subject = $1 AND source IS NULL ORDER BY position LIMIT $2`,
    /**
     * $1 how many are counted: as a parameter, since a plan for a table that was small when it was made would sort as many.
     * Counting transactions tells how many rows live, a second late; after a crash, what was found by the last vacuum.
     */
    bounds: `WITH ${edge}
      SELECT coalesce((SELECT min(position) FROM ${events}), 0), edge.ending,
        (SELECT count(*) FROM (SELECT position FROM ${events} ORDER BY position LIMIT $1) AS few),
        (SELECT coalesce(nullif(pg_stat_get_live_tuples(oid), 0), greatest(reltuples, 0))::float8
          FROM pg_class WHERE oid = '${events.replaceAll("'", "''")}'::regclass),
        sample.count, coalesce(sample.bytes, 0)
      FROM edge, (SELECT count(*) AS count, sum(bytes)::bigint AS bytes FROM (
        (SELECT ${bytes} AS bytes FROM ${events} ORDER BY position LIMIT ${JOURNAL_SAMPLE_ROWS})
        UNION ALL
        (SELECT ${bytes} FROM ${events} ORDER BY position DESC LIMIT ${JOURNAL_SAMPLE_ROWS})) AS ends) AS sample`,
    behind: `SELECT count(*) FROM (SELECT 1 FROM ${events} WHERE position > $1 ORDER BY position LIMIT $2) AS few`,
    checkpoints: `SELECT consumer, partition, position, updated_ms FROM ${schema}.checkpoints
      ORDER BY consumer, partition`,
    checkpointsOf: `SELECT consumer, partition, position, updated_ms FROM ${schema}.checkpoints
      WHERE consumer = $1 ORDER BY partition`,
  } as const;
}
