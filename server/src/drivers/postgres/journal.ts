import { type Database, type Statement, statement } from "#drivers/postgres/connection.ts";
import { UNAWAITED } from "#drivers/postgres/job-sql.ts";
import { horizonSql } from "#drivers/postgres/positions.ts";
import type { Position } from "#domain/event.ts";

/** Rows that a trim looks at beyond its limit: how many events dated into the future may stand before older ones. */
export const TRIM_SLACK_ROWS = 1_000;

/** The writer's side of the journal, but for what commits append (`writes.ts`). */
export class Journal {
  readonly #db: Database;
  readonly #trim: Statement;

  constructor(db: Database, schema: string) {
    this.#db = db;
    this.#trim = statement(trimSql(schema));
  }

  async trim(upTo: Position, olderThanMs: number, limit: number): Promise<number> {
    if (limit < 1) return 0;
    const { rows } = await this.#db.ask<[number]>(this.#trim, [upTo, olderThanMs, limit, limit + TRIM_SLACK_ROWS]);
    return rows[0]?.[0] ?? 0;
  }
}

/** The newest trimmed position is remembered beside the events, so that what was last is known when all are gone. */
export function trimSql(schema: string): string {
  return `WITH old AS MATERIALIZED (
      SELECT position FROM (SELECT position, time_ms FROM ${schema}.events
        WHERE position <= $1::float8::bigint AND position < ${horizonSql(schema)} ORDER BY position LIMIT $4) AS oldest
      WHERE time_ms < $2::float8 LIMIT $3),
    trimmed AS (DELETE FROM ${schema}.events e USING old WHERE e.position = old.position AND ${UNAWAITED}
      RETURNING e.position),
    remembered AS (INSERT INTO ${schema}.meta AS m (name, value)
      SELECT 'journal.trimmed', max(position) FROM trimmed HAVING count(*) > 0
      ON CONFLICT (name) DO UPDATE SET value = greatest(m.value, excluded.value))
    SELECT count(*) FROM trimmed`;
}
