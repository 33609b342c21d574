import { texts } from "#drivers/postgres/arrays.ts";
import { type Ask, type Database, type Statement, statement } from "#drivers/postgres/connection.ts";
import type { Clock } from "#ports/clock.ts";
import type { JobRef } from "#domain/job.ts";
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
    const held = units.flatMap(({ job, also }) => (job === undefined ? [] : [job.ref, ...(also ?? [])]));
    const named = units.flatMap(({ take, unpark }) => [take, unpark].filter((key) => key !== undefined));
    const dead = units.flatMap(({ dead: letter }) => (letter === undefined ? [] : [letter.key]));
    return this.#ask([...claimed(held), ...named], dead, grouped);
  }

  /** What to ask before jobs that were claimed are let go; null when none can be of a group. */
  ofHeld(refs: readonly JobRef[]): Ask | null {
    return this.#areThere ? this.#ask(claimed(refs), [], []) : null;
  }

  #ask(keys: readonly string[], dead: readonly string[], born: readonly (readonly [string, string])[]): Ask | null {
    if (keys.length + dead.length + born.length === 0) return null;
    const columns = [texts(born.map(([queue]) => queue)), texts(born.map(([, group]) => group))];
    return [this.#lock, [this.#clock.nowMs(), texts(keys), texts(dead), ...columns]];
  }
}

/** Fence 1 is of one that was born in hand, which has no group. */
function claimed(refs: readonly JobRef[]): string[] {
  return refs.filter(({ fence }) => fence > 1).map(({ key }) => key);
}

/** SQL: takes the locks of the groups of some rows, in one order; a row of one column, `groups`, how many. */
export function groupLocksSql(schema: string, rows: string): string {
  const jobs = `'${`${schema}.jobs`.replaceAll("'", "''")}'::regclass::bigint`;
  // The number as `regroup_job` of 0002-groups.sql has it.
  return `SELECT count(pg_advisory_xact_lock(number)) AS groups FROM (
      SELECT DISTINCT hashtextextended(queue || chr(1) || grp, ${jobs}) AS number FROM ${rows} WHERE grp IS NOT NULL
      ORDER BY number) AS numbers`;
}

/** Exported for the test that looks at plans. */
export function groupsSql(schema: string) {
  const moved = `(SELECT queue, grp FROM ${schema}.jobs WHERE key = ANY($2::text[]) AND grp IS NOT NULL
      UNION ALL SELECT queue, grp FROM ${schema}.dead_jobs WHERE key = ANY($3::text[]) AND grp IS NOT NULL
      UNION ALL SELECT * FROM unnest($4::text[], $5::text[])) AS moved(queue, grp)`;
  return {
    /** $1 now, $2 keys of jobs that are moved, $3 of dead letters, $4 and $5 queues and groups of new jobs. */
    lock: `SELECT set_config('tidings.now_ms', $1::float8::text, true), (${groupLocksSql(schema, moved)})`,
    any: `SELECT EXISTS (SELECT FROM ${schema}.jobs WHERE grp IS NOT NULL AND state < 3)
      OR EXISTS (SELECT FROM ${schema}.jobs WHERE state = 4)`,
  } as const;
}
