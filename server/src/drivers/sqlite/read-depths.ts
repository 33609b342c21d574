import type { Database, Query } from "#drivers/sqlite/database.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import { LANES } from "#domain/job.ts";
import type { QueueDepth } from "#ports/store.ts";

const LANE_NUMBERS = LANES.map(laneNumber);

/** How many jobs are where: of every queue, or of some. */
export class DepthReads {
  readonly #all: Query<DepthRow>;
  readonly #one: Query<DepthRow>;
  readonly #sorted: Query<readonly [string]>;

  constructor(db: Database) {
    this.#all = db.query(READ_DEPTH_SQL.depths);
    this.#one = db.query(READ_DEPTH_SQL.depthsOf);
    this.#sorted = db.query(READ_DEPTH_SQL.sorted);
  }

  all(): QueueDepth[] {
    return this.#all.all().map(depthOf);
  }

  of(queues: readonly string[]): QueueDepth[] {
    const names = this.#sorted.all(JSON.stringify(queues)).map(([queue]) => queue);
    const rows = names.flatMap((queue) => LANE_NUMBERS.flatMap((lane) => this.#one.all(queue, lane)));
    return rows.map(depthOf);
  }
}

type DepthRow = readonly [
  queue: string,
  lane: number,
  waiting: number,
  ready: number,
  held: number,
  parked: number,
  dead: number,
  oldestReadyMs: number | null,
];

function depthOf([queue, lane, waiting, ready, held, parked, dead, oldestReadyMs]: DepthRow): QueueDepth {
  return { queue, lane: laneOf(lane), waiting, ready, held, parked, dead, oldestReadyMs };
}

export const READ_DEPTH_SQL = {
  depths: `SELECT queue, lane, sum(waiting), sum(ready), sum(held), sum(parked), sum(dead), min(oldest)
    FROM (${counts("queue, lane", "1", "GROUP BY queue, lane")}) GROUP BY queue, lane ORDER BY queue, lane`,
  depthsOf: `SELECT ?1, ?2, sum(waiting) AS w, sum(ready) AS r, sum(held) AS h, sum(parked) AS p, sum(dead) AS d, min(oldest)
    FROM (${counts("0 AS queue, 0 AS lane", "queue = ?1 AND lane = ?2", "")}) HAVING w + r + h + p + d > 0`,
  sorted: "SELECT DISTINCT value FROM json_each(?) ORDER BY value",
} as const;

/** Jobs and dead letters by place. Each arm walks an index that holds all it needs, except of dead letters. */
function counts(queueAndLane: string, where: string, grouped: string): string {
  const jobs = (state: number, sums: string): string =>
    `SELECT ${queueAndLane}, ${sums} FROM jobs WHERE state = ${state} AND ${where} ${grouped}`;
  return [
    jobs(0, "count(*) AS waiting, 0 AS ready, 0 AS held, 0 AS parked, 0 AS dead, NULL AS oldest"),
    jobs(1, "0, count(*), 0, 0, 0, min(enqueued_ms)"),
    jobs(4, "0, count(*), 0, 0, 0, min(enqueued_ms)"),
    jobs(2, "0, 0, count(*), 0, 0, NULL"),
    jobs(3, "0, 0, 0, count(*), 0, NULL"),
    `SELECT ${queueAndLane}, 0, 0, 0, 0, count(*), NULL FROM dead_jobs WHERE ${where} ${grouped}`,
  ].join(" UNION ALL ");
}
