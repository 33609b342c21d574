import { texts } from "#drivers/postgres/arrays.ts";
import { type Database, type Statement, statement } from "#drivers/postgres/connection.ts";
import { laneOf } from "#domain/lane-number.ts";
import { fromStored } from "#drivers/postgres/text.ts";
import type { QueueDepth } from "#ports/store.ts";

/**
 * Jobs that are counted of each queue, lane and state (of those that wait: in all), which takes some ms. Of more, how many
 * there are is estimated: what counting transactions leaves for them, in proportion to what the last ANALYZE has seen of
 * each state; and how old the oldest is, is told of those that come first.
 */
export const DEPTH_ROWS_MAX = 20_000;

/** Counts how deep the queues are; each node asks every few seconds, however many jobs there are. */
export class Depths {
  readonly #db: Database;
  readonly #counts: Statement;
  readonly #totals: Statement;
  readonly #of: Statement;

  constructor(db: Database, schema: string) {
    this.#db = db;
    const { counts, totals, of } = depthsSql(schema);
    this.#of = statement(of);
    this.#counts = statement(counts);
    this.#totals = statement(totals);
  }

  /** Of some queues, counted up to {@link DEPTH_ROWS_MAX} of each lane and state; or of all. */
  async depths(queues?: readonly string[]): Promise<QueueDepth[]> {
    if (queues !== undefined) return depthsOf((await this.#db.ask<CountRow>(this.#of, [texts(queues)])).rows);
    const { rows: counts } = await this.#db.ask<CountRow>(this.#counts);
    if (!brokenOff(counts).size) return depthsOf(counts);
    const { rows } = await this.#db.ask<TotalsRow>(this.#totals);
    const [living = 0, dead = 0, ...frequencies] = rows[0] ?? [];
    const isDead = (row: CountRow): boolean => row[0] === STATES.dead;
    return depthsOf([
      ...estimated(
        counts.filter((row) => !isDead(row)),
        living,
        frequencies,
      ),
      ...estimated(counts.filter(isDead), dead, frequencies),
    ]);
  }
}

/** The same counts; what was broken off shares the rest of `total`, by the frequency of the states and what was counted. */
function estimated(counts: readonly CountRow[], total: number, frequencies: readonly number[]): readonly CountRow[] {
  const broken = brokenOff(counts);
  const left = total - sumOf(counts.filter((row) => !broken.has(row)));
  const ofState = Map.groupBy(broken, ([state]) => state);
  const weight = (row: CountRow): number =>
    ((frequencies[row[0]] || RARE) * row[3]) / sumOf(ofState.get(row[0]) ?? [row]);
  const weights = [...broken].reduce((sum, row) => sum + weight(row), 0);
  return counts.map((row) => {
    const [state, queue, lane, count, oldestMs] = row;
    const estimate = broken.has(row) ? Math.round((left * weight(row)) / weights) : count;
    return [state, queue, lane, Math.max(count, estimate), oldestMs];
  });
}

function brokenOff(counts: readonly CountRow[]): ReadonlySet<CountRow> {
  const sums = new Map(UNORDERED.map((state) => [state, sumOf(counts.filter((row) => row[0] === state))]));
  return new Set(counts.filter((row) => (sums.get(row[0]) ?? row[3]) >= DEPTH_ROWS_MAX));
}

function sumOf(counts: readonly CountRow[]): number {
  return counts.reduce((sum, row) => sum + row[3], 0);
}

/** By queue in code point order, then by lane. */
function depthsOf(counts: readonly CountRow[]): QueueDepth[] {
  const depths = new Map<string, { -readonly [field in keyof QueueDepth]: QueueDepth[field] }>();
  const inOrder = counts.toSorted((a, b) => Buffer.compare(Buffer.from(a[1]), Buffer.from(b[1])) || a[2] - b[2]);
  for (const [state, stored, lane, count, oldestMs] of inOrder) {
    const name = `${lane} ${stored}`;
    let depth = depths.get(name);
    if (depth === undefined) {
      const none = { waiting: 0, ready: 0, held: 0, parked: 0, dead: 0, oldestReadyMs: null };
      depths.set(name, (depth = { queue: fromStored(stored), lane: laneOf(lane), ...none }));
    }
    const field = FIELDS[state];
    if (field !== undefined) depth[field] += count;
    if (field === "ready" && oldestMs !== null)
      depth.oldestReadyMs = Math.min(depth.oldestReadyMs ?? oldestMs, oldestMs);
  }
  return [...depths.values()];
}

/** As in `jobs`, and the dead letters. */
const STATES = { waiting: 0, ready: 1, held: 2, parked: 3, behind: 4, dead: 5 } as const;
/** Who is behind others of a group is shown as ready. */
const FIELDS = ["waiting", "ready", "held", "parked", "ready", "dead"] as const;
/** Their indexes do not begin with queue and lane: of all of them together so many are counted. */
const UNORDERED: readonly number[] = [STATES.waiting, STATES.held, STATES.behind];

/** Of a state that ANALYZE has not met. */
const RARE = 0.01;

type CountRow = [state: number, queue: string, lane: number, count: number, oldestMs: number | null];
/** Living, dead, then the part of each living state in its place. */
type TotalsRow = number[];

/** Exported for the test that looks at plans. */
export function depthsSql(schema: string) {
  const relation = (name: string): string => `'${`${schema}.${name}`.replaceAll("'", "''")}'::regclass`;
  const live = (name: string): string =>
    `(SELECT coalesce(nullif(pg_stat_get_live_tuples(oid), 0), greatest(reltuples, 0))::float8
      FROM pg_class WHERE oid = ${relation(name)})`;
  const frequency = (state: number): string =>
    `(SELECT coalesce(max(frequency), 0)::float8 FROM seen WHERE state = ${state})`;
  const some = (state: number, oldest = "NULL::bigint"): string => `(SELECT ${state}, queue, lane, count(*), min(ms)
    FROM (SELECT queue, lane, ${oldest} AS ms FROM ${schema}.jobs WHERE state = ${state} LIMIT ${DEPTH_ROWS_MAX}) AS few
    GROUP BY queue, lane)`;
  return {
    counts: `WITH RECURSIVE ${linesSql("ready", `${schema}.jobs WHERE state = 1`)},
        ${linesSql("parked", `${schema}.jobs WHERE state = 3`)},
        ${linesSql("dead", `${schema}.dead_jobs WHERE true`)}
      ${some(STATES.waiting)} UNION ALL ${some(STATES.held)} UNION ALL ${some(STATES.behind, "enqueued_ms")}
      UNION ALL ${lineCountsSql(STATES.ready, "ready", `${schema}.jobs WHERE state = 1`, "enqueued_ms")}
      UNION ALL ${lineCountsSql(STATES.parked, "parked", `${schema}.jobs WHERE state = 3`, "NULL::bigint")}
      UNION ALL ${lineCountsSql(STATES.dead, "dead", `${schema}.dead_jobs WHERE true`, "NULL::bigint")}`,
    totals: `WITH seen AS MATERIALIZED (
        SELECT state, frequency FROM pg_stats,
          unnest(most_common_vals::text::smallint[], most_common_freqs) AS common(state, frequency)
        WHERE tablename = 'jobs' AND attname = 'state' AND schemaname = (
          SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = ${relation("jobs")}))
      SELECT ${[live("jobs"), live("dead_jobs"), ...[0, 1, 2, 3, 4].map(frequency)].join(", ")}`,
    /**
     * $1 queues. Each arm walks the index of its state in its order, and so no further than it counts. Held ones of all queues
     * are walked, because few are held at a time; and those behind, whose index knows no lanes, are counted of all lanes.
     */
    of: `WITH asked AS (SELECT queue, lane FROM unnest($1::text[]) AS queue, (VALUES (0), (1)) AS lanes(lane))
      ${[
        lineCountsSql(STATES.waiting, "asked", `${schema}.jobs WHERE state = 0`, "NULL::bigint", "enqueued_ms"),
        lineCountsSql(STATES.ready, "asked", `${schema}.jobs WHERE state = 1`, "enqueued_ms", "turn, enqueued_ms, id"),
        lineCountsSql(STATES.held, "asked", `${schema}.jobs WHERE state = 2`, "NULL::bigint", "lease_until_ms"),
        lineCountsSql(STATES.parked, "asked", `${schema}.jobs WHERE state = 3`, "NULL::bigint", "key"),
        lineCountsSql(STATES.dead, "asked", `${schema}.dead_jobs WHERE true`, "NULL::bigint", "key"),
      ]
        .map((counts) => `SELECT * FROM ${counts} AS c WHERE count > 0`)
        .join(" UNION ALL ")}
      UNION ALL SELECT ${STATES.behind}, queue, lane, count(*), min(ms) FROM unnest($1::text[]) AS wanted(name), LATERAL (
        SELECT queue, lane, enqueued_ms AS ms FROM ${schema}.jobs WHERE state = 4 AND queue = wanted.name
        ORDER BY grp, turn, id LIMIT ${DEPTH_ROWS_MAX}) AS few GROUP BY queue, lane`,
  } as const;
}

/** Each pair of queue and lane, by leaps through an index that begins with them. */
function linesSql(name: string, rows: string): string {
  return `${name} AS (
    (SELECT queue, lane FROM ${rows} ORDER BY queue, lane LIMIT 1)
    UNION ALL SELECT next.queue, next.lane FROM ${name} AS line JOIN LATERAL (
      SELECT queue, lane FROM ${rows} AND (queue, lane) > (line.queue, line.lane) ORDER BY queue, lane LIMIT 1
    ) AS next ON true)`;
}

/** @param order that of an index which begins with queue and lane; without one, whichever rows are found first. */
function lineCountsSql(state: number, lines: string, rows: string, oldest: string, order?: string): string {
  const ordered = order === undefined ? "" : `ORDER BY ${order} `;
  return `(SELECT ${state}::bigint AS state, line.queue, line.lane, counted.count, counted.oldest FROM ${lines} AS line JOIN LATERAL (
      SELECT count(*) AS count, min(ms) AS oldest FROM (
        SELECT ${oldest} AS ms FROM ${rows} AND queue = line.queue AND lane = line.lane ${ordered}LIMIT ${DEPTH_ROWS_MAX}
      ) AS few) AS counted ON true)`;
}
