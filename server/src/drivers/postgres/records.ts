import { type Database, type Statement, statement } from "#drivers/postgres/connection.ts";
import { UNAWAITED } from "#drivers/postgres/job-sql.ts";
import type { Clock } from "#ports/clock.ts";

/** Idempotency records, but for what commits write of them (`writes.ts`). */
export class Records {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #sweep: Statement;

  constructor(db: Database, schema: string, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#sweep = statement(sweepSql(schema));
  }

  async sweep(limit: number): Promise<number> {
    return (await this.#db.ask(this.#sweep, [this.#clock.nowMs(), limit])).count;
  }
}

export function sweepSql(schema: string): string {
  return `WITH expired AS MATERIALIZED (
      SELECT key FROM ${schema}.once_records WHERE expires_ms <= $1::float8::bigint
      ORDER BY expires_ms LIMIT $2 FOR UPDATE SKIP LOCKED)
    DELETE FROM ${schema}.once_records o USING expired WHERE o.key = expired.key AND ${UNAWAITED}`;
}
