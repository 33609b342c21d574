import type { Database, Query } from "#drivers/sqlite/database.ts";
import { type NewEvent, OWN_SOURCE, type Position } from "#domain/event.ts";
import { keyHash } from "#domain/partition.ts";

/** Rows that a trim looks at beyond its limit: how many events dated into the future may stand before older ones. */
export const TRIM_SLACK_ROWS = 1_000;

/** The writer's side of the journal: one writer, so positions are dense and in order of commit. */
export class Journal {
  #last: Position;
  /** What `#last` returns to if the transaction fails. */
  #settled: Position;
  readonly #own: Query;
  readonly #foreign: Query;
  readonly #trim: Query;
  readonly #remember: Query;

  constructor(db: Database) {
    this.#own = db.query(JOURNAL_SQL.own);
    this.#foreign = db.query(JOURNAL_SQL.foreign);
    this.#trim = db.query(JOURNAL_SQL.trim);
    this.#remember = db.query(JOURNAL_SQL.remember);
    this.#last = db.query<readonly [number]>(JOURNAL_SQL.last).get()?.[0] ?? 0;
    this.#settled = this.#last;
  }

  /** A foreign event that is there already, by source and id, is not appended again. */
  append(event: NewEvent): void {
    const { type, subject, timeMs, data, traceparent, id = null, attributes = null } = event;
    const key = event.key ?? subject;
    const storedKey = key === subject ? null : key;
    const position = this.#last + 1;
    if (id === null) {
      const source = event.source ?? null;
      this.#own.run(position, type, subject, timeMs, data, traceparent, storedKey, keyHash(key), source, attributes);
      this.#last = position;
      return;
    }
    const source = event.source ?? OWN_SOURCE;
    this.#last += this.#foreign.run(
      position,
      type,
      subject,
      timeMs,
      data,
      traceparent,
      storedKey,
      keyHash(key),
      source,
      id,
      attributes,
    );
  }

  /** The newest position is remembered beside the events, so that it is not given again when all of them are gone. */
  trim(upTo: Position, olderThanMs: number, limit: number): number {
    const trimmed = this.#trim.run(upTo, limit + TRIM_SLACK_ROWS, olderThanMs, limit);
    if (trimmed > 0) this.#remember.run(this.#last);
    return trimmed;
  }

  settle(): void {
    this.#settled = this.#last;
  }

  forget(): void {
    this.#last = this.#settled;
  }
}

export const JOURNAL_SQL = {
  own: `INSERT INTO events (position, type, subject, time_ms, data, traceparent, key, key_hash, source, attributes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  foreign: `INSERT INTO events (position, type, subject, time_ms, data, traceparent, key, key_hash, source, id, attributes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) WHERE id IS NOT NULL DO NOTHING`,
  trim: `DELETE FROM events WHERE position IN (
      SELECT position FROM (SELECT position, time_ms FROM events WHERE position <= ? ORDER BY position LIMIT ?)
      WHERE time_ms < ? LIMIT ?)`,
  remember: "INSERT OR REPLACE INTO meta (name, value) VALUES ('journal.last', ?)",
  last: `SELECT max(coalesce((SELECT max(position) FROM events), 0),
      coalesce((SELECT value FROM meta WHERE name = 'journal.last'), 0))`,
} as const;
