import { texts } from "#drivers/postgres/arrays.ts";
import { type Ask, type Database, type Statement, statement } from "#drivers/postgres/connection.ts";
import type { Clock } from "#ports/clock.ts";
import type { Unit } from "#ports/store.ts";

/**
 * What a transaction that moves jobs of groups does before all else: it says its time, and takes the locks of all their
 * groups in one order, so that two transactions never wait for each other. The triggers of 0002-groups.sql do the rest,
 * and would take each lock when they come to it; a store that has never met a group leaves all of it out.
 */
export class Groups {
  readonly #clock: Clock;
  readonly #lock: Statement;
  readonly #any: Statement;
  #areThere = true;

  constructor(schema: string, clock: Clock) {
    this.#clock = clock;
    const { lock, any } = groupsSql(schema);
    this.#lock = statement(lock);
    this.#any = statement(any);
  }

  /** Looks, once, whether there is a job of a group. */
  async look(db: Database): Promise<void> {
    this.#areThere = (await db.ask<[boolean]>(this.#any)).rows[0]?.[0] === true;
  }

  /** Some have been met. */
  note(): void {
    this.#areThere = true;
  }

  /** What to ask before the units are written; null when no group is concerned. */
  of(units: readonly Unit[]): Ask | null {
    const born = units.flatMap(({ jobs, messages }) => [
      ...(jobs ?? []),
      ...(messages ?? []).flatMap(({ job }) => (job === null ? [] : [job])),
    ]);
    const grouped = born.flatMap(({ queue, group }) => (group == null ? [] : [[queue, group] as const]));
    if (grouped.length > 0) this.#areThere = true;
    if (!this.#areThere) return null;
    const keys = units.flatMap(({ job, take, unpark, dead }) =>
      [job?.ref.key, take, unpark, dead?.key].filter((key) => key !== undefined),
    );
    if (keys.length + grouped.length === 0) return null;
    const columns = [texts(grouped.map(([queue]) => queue)), texts(grouped.map(([, group]) => group))];
    return [this.#lock, [this.#clock.nowMs(), texts(keys), ...columns]];
  }
}

/** SQL: the number of the lock of a group, as `regroup_job` of 0002-groups.sql has it. */
export function groupLockSql(schema: string): string {
  const jobs = `'${`${schema}.jobs`.replaceAll("'", "''")}'::regclass::bigint`;
  return `hashtextextended(queue || chr(1) || grp, ${jobs})`;
}

/** Exported for the test that looks at plans. */
export function groupsSql(schema: string) {
  return {
    /** $1 now, $2 keys of jobs that are moved, $3 and $4 queues and groups of new ones. */
    lock: `SELECT set_config('tidings.now_ms', $1::float8::text, true), (
      SELECT count(pg_advisory_xact_lock(number)) FROM (
        SELECT DISTINCT ${groupLockSql(schema)} AS number FROM (
          SELECT queue, grp FROM ${schema}.jobs WHERE key = ANY($2::text[]) AND grp IS NOT NULL
          UNION ALL SELECT queue, grp FROM ${schema}.dead_jobs WHERE key = ANY($2::text[]) AND grp IS NOT NULL
          UNION ALL SELECT * FROM unnest($3::text[], $4::text[])) AS moved(queue, grp)
        ORDER BY number) AS ordered)`,
    any: `SELECT EXISTS (SELECT FROM ${schema}.jobs WHERE grp IS NOT NULL AND state < 3)
      OR EXISTS (SELECT FROM ${schema}.jobs WHERE state = 4)`,
  } as const;
}
