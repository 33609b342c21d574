import type { Database, Query } from "#drivers/sqlite/database.ts";

export const [WAITING, READY, HELD, PARKED, BEHIND] = [0, 1, 2, 3, 4] as const;

/** Rows of each state and lane that a trim looks at beyond its limit: how far turns may be from the order of time. */
const TRIM_SLACK_ROWS = 1_000;

/** Both null for a job without a group: nothing has to be put in order when it moves. */
export type GroupColumns = readonly [queue: string | null, group: string | null];
const GROUP = "iif(grp IS NULL, NULL, queue), grp";
/** Where a job goes that nobody holds any longer, before its group is put in order. */
const LET_GO = "iif(grp IS NULL, 1, 4)";

export type ClaimedRow = readonly [
  key: string,
  queue: string,
  lane: number,
  payload: string,
  traceparent: string | null,
  attempt: number,
  fence: number,
  enqueuedMs: number,
  turn: number,
  id: number,
  group: string | null,
];
const CLAIMED = "key, queue, lane, payload, traceparent, attempt, fence, enqueued_ms, turn, id, grp";
/** `fence + 1` keeps fences rising over restarts, the given number over reborn keys. */
const COUNTED = "attempt = attempt + 1, fence = max(fence + 1, ?), step = 0";

/** Statements without rows. */
const PLAIN = {
  insert: `INSERT INTO jobs
      (key, queue, lane, turn, state, due_ms, payload, traceparent, attempt, fence, enqueued_ms, grp)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
  remove: "DELETE FROM jobs WHERE id = ?",
  keep: "UPDATE jobs SET payload = coalesce(?, payload), attempt = 1, step = ? WHERE id = ?",
  again: `UPDATE jobs SET state = ?, due_ms = ?, turn = ?, payload = ?, error = ?, attempt = attempt * ? WHERE id = ?`,
  bury: `INSERT OR REPLACE INTO dead_jobs
      (key, queue, lane, turn, payload, traceparent, attempt, error, enqueued_ms, dead_ms, grp)
    SELECT key, queue, lane, turn, payload, traceparent, attempt, ?, enqueued_ms, ?, grp FROM jobs WHERE id = ?`,
  entomb: `INSERT OR REPLACE INTO dead_jobs
      (key, queue, lane, turn, payload, traceparent, attempt, error, enqueued_ms, dead_ms)
    VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?)`,
  discard: "DELETE FROM dead_jobs WHERE key = ?",
  prolong: "UPDATE jobs SET lease_until_ms = ? WHERE key = ? AND fence = ? AND state = 2",
  wake: `UPDATE jobs SET state = 1
    WHERE id IN (SELECT id FROM jobs WHERE state = 0 AND due_ms <= ? ORDER BY due_ms LIMIT ?)`,
  unpark: "UPDATE jobs SET state = CASE WHEN due_ms <= ? THEN 1 ELSE 0 END WHERE id = ?",
  place: "UPDATE jobs SET state = ? WHERE id = ?",
} as const;

const WITH_ROWS = {
  adopt: `UPDATE jobs SET state = ${LET_GO} WHERE state = 2 AND lease_until_ms IS NULL RETURNING ${GROUP}`,
  lent: "SELECT key, fence, lease_until_ms FROM jobs WHERE state = 2",
  held: `SELECT id, step, ${GROUP} FROM jobs WHERE key = ? AND fence = ? AND state = 2`,
  find: `SELECT id, state, ${GROUP} FROM jobs WHERE key = ?`,
  isDead: "SELECT 1 FROM dead_jobs WHERE key = ?",
  revive: `INSERT INTO jobs (key, queue, lane, turn, state, due_ms, payload, traceparent, attempt, fence, enqueued_ms, grp)
    SELECT key, queue, lane, turn, ${LET_GO}, ?, coalesce(?, payload), traceparent, 0, 0, ?, grp
      FROM dead_jobs WHERE key = ?
    RETURNING ${GROUP}`,
  release: `UPDATE jobs SET state = ${LET_GO}, attempt = max(attempt - 1, 0)
    WHERE key = ? AND fence = ? AND state = 2 RETURNING ${GROUP}`,
  expire: `UPDATE jobs SET state = ${LET_GO} WHERE key = ? AND fence = ? AND state = 2 RETURNING ${GROUP}`,
  claim: `UPDATE jobs SET state = 2, lease_until_ms = NULL, ${COUNTED}
    WHERE id IN (
      SELECT id FROM jobs WHERE state = 1 AND queue = ? AND lane = ? ORDER BY turn, enqueued_ms, id LIMIT ?)
    RETURNING ${CLAIMED}`,
  ready: `SELECT id, grp FROM jobs WHERE state = 1 AND queue = ? AND lane = ?
    ORDER BY turn, enqueued_ms, id LIMIT ?`,
  lend: `UPDATE jobs SET state = 2, lease_until_ms = ?, ${COUNTED}
    WHERE id IN (SELECT value FROM json_each(?)) RETURNING ${CLAIMED}`,
  count: `UPDATE jobs SET ${COUNTED} WHERE id IN (SELECT value FROM json_each(?)) RETURNING ${CLAIMED}`,
  nextDue: "SELECT min(due_ms) FROM jobs WHERE state = 0",
  /** In front of a group: what is held, or else the one that is ready or waits until it is due. */
  front: "SELECT id, state, turn FROM jobs WHERE queue = ? AND grp = ? AND state < 3 LIMIT 1",
  behind: `SELECT id, due_ms, lane, enqueued_ms, turn FROM jobs WHERE state = 4 AND queue = ? AND grp = ?
    ORDER BY turn, id LIMIT ?`,
  /** Each arm walks the index of its state. Those behind first, so that nobody has to come forward. */
  park: `UPDATE jobs SET state = 3
    WHERE id IN (
      SELECT id FROM jobs WHERE state = 4 UNION ALL SELECT id FROM jobs WHERE state = 0
      UNION ALL SELECT id FROM jobs WHERE state = 1 UNION ALL SELECT id FROM jobs WHERE state = 2 LIMIT ?)
    RETURNING key, fence`,
  /** Looks at the front of the index of each state, which in a queue is where the oldest are: given are queue, time, limit. */
  trim: `DELETE FROM jobs WHERE id IN (SELECT id FROM (${trimArms()})
      WHERE enqueued_ms < ?2 ORDER BY enqueued_ms, id LIMIT ?3)
    RETURNING key, ${GROUP}`,
} as const;

function trimArms(): string {
  const arms = [WAITING, READY, HELD, PARKED].flatMap((state) => [
    `state = ${state} AND queue = ?1 AND lane = 0`,
    `state = ${state} AND queue = ?1 AND lane = 1`,
  ]);
  return [...arms, `state = ${BEHIND} AND queue = ?1`]
    .map((arm) => `SELECT * FROM (SELECT id, enqueued_ms FROM jobs WHERE ${arm} LIMIT ?3 + ${TRIM_SLACK_ROWS})`)
    .join(" UNION ALL ");
}

/** All of them, for the test that looks at their query plans. */
export const JOB_SQL: Readonly<Record<string, string>> = { ...PLAIN, ...WITH_ROWS };

export type JobStatements = {
  readonly [name in keyof typeof PLAIN]: Query;
} & {
  readonly adopt: Query<GroupColumns>;
  readonly lent: Query<readonly [key: string, fence: number, untilMs: number]>;
  readonly held: Query<readonly [id: number, step: number, ...GroupColumns]>;
  readonly find: Query<readonly [id: number, state: number, ...GroupColumns]>;
  readonly isDead: Query<readonly [number]>;
  readonly revive: Query<GroupColumns>;
  readonly release: Query<GroupColumns>;
  readonly expire: Query<GroupColumns>;
  readonly claim: Query<ClaimedRow>;
  readonly ready: Query<readonly [id: number, group: string | null]>;
  readonly lend: Query<ClaimedRow>;
  readonly count: Query<ClaimedRow>;
  readonly nextDue: Query<readonly [dueMs: number | null]>;
  readonly front: Query<readonly [id: number, state: number, turn: number]>;
  readonly behind: Query<readonly [id: number, dueMs: number, lane: number, enqueuedMs: number, turn: number]>;
  readonly park: Query<readonly [key: string, fence: number]>;
  readonly trim: Query<readonly [key: string, ...GroupColumns]>;
};

export function jobStatements(db: Database): JobStatements {
  return {
    insert: db.query(PLAIN.insert),
    remove: db.query(PLAIN.remove),
    keep: db.query(PLAIN.keep),
    again: db.query(PLAIN.again),
    bury: db.query(PLAIN.bury),
    entomb: db.query(PLAIN.entomb),
    discard: db.query(PLAIN.discard),
    prolong: db.query(PLAIN.prolong),
    wake: db.query(PLAIN.wake),
    unpark: db.query(PLAIN.unpark),
    place: db.query(PLAIN.place),
    adopt: db.query(WITH_ROWS.adopt),
    lent: db.query(WITH_ROWS.lent),
    held: db.query(WITH_ROWS.held),
    find: db.query(WITH_ROWS.find),
    isDead: db.query(WITH_ROWS.isDead),
    revive: db.query(WITH_ROWS.revive),
    release: db.query(WITH_ROWS.release),
    expire: db.query(WITH_ROWS.expire),
    claim: db.query(WITH_ROWS.claim),
    ready: db.query(WITH_ROWS.ready),
    lend: db.query(WITH_ROWS.lend),
    count: db.query(WITH_ROWS.count),
    nextDue: db.query(WITH_ROWS.nextDue),
    front: db.query(WITH_ROWS.front),
    behind: db.query(WITH_ROWS.behind),
    park: db.query(WITH_ROWS.park),
    trim: db.query(WITH_ROWS.trim),
  };
}
