import { groupLocksSql } from "#drivers/postgres/groups.ts";

/** Behind: others of its group come first (0002-groups.sql). */
export const [WAITING, READY, HELD, PARKED, BEHIND] = [0, 1, 2, 3, 4] as const;

/**
 * Whose transaction is this one statement: `set_config` makes its commit not wait for the disk. A condition that is always
 * true, and looked at once.
 */
export const UNAWAITED = "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";

/** SQL: the time by which the database puts groups in order when this statement moves one of theirs (0002-groups.sql). */
function nowIs(parameter: string): string {
  return `(SELECT set_config('tidings.now_ms', ${parameter}::float8::text, true)) IS NOT NULL`;
}

/** Rows of each state and lane that a trim looks at beyond its limit: how far turns may be from the order of time. */
const TRIM_SLACK_ROWS = 1_000;

function trimArms(jobs: string): string {
  const arms = [
    ...[0, 1].flatMap((lane) => [
      `state = 0 AND queue = $1 AND lane = ${lane} ORDER BY queue, lane, enqueued_ms`,
      `state = 1 AND queue = $1 AND lane = ${lane} ORDER BY queue, lane, turn, enqueued_ms, id`,
      `state = 3 AND queue = $1 AND lane = ${lane} ORDER BY queue, lane, key`,
    ]),
    // Few are held at a time, so they are walked.
    "state = 2 AND queue = $1 ORDER BY lease_until_ms",
    "state = 4 AND queue = $1 ORDER BY queue, grp, turn, id",
  ];
  return arms
    .map((arm) => `(SELECT key, queue, grp, enqueued_ms, id FROM ${jobs} WHERE ${arm} LIMIT $3 + ${TRIM_SLACK_ROWS})`)
    .join(" UNION ALL ");
}

/**
 * SQL: a job `j` that was found by its key is held. Written so that no index of held jobs fits it: when statistics were
 * made while nobody held any, that index seems to be empty, and the server would walk it whole for each key.
 */
export const HELD_BY_KEY = "j.state + 0 = 2";

/** Exported for the test that looks at their plans. Fences: see `fences` in 0001-spine.sql. */
export function jobSql(schema: string) {
  const jobs = `${schema}.jobs`;
  const claimed = "queue, lane, payload, traceparent, attempt, fence, enqueued_ms, turn, id, grp";
  const fence = `fence = greatest(fence + 1, (SELECT nextval('${schema}.fences')))`;
  /** Always true, and looked at once, before the rows: then the locks of their groups have been taken. */
  const isLocked = "(SELECT groups FROM locked) IS NOT NULL";
  return {
    /** All asks in one: most of them find nothing, and a statement of its own would cost more than its search. */
    claim: `WITH chosen AS MATERIALIZED (
        SELECT line.key FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS asked(queue, lane, most), LATERAL (
          SELECT key FROM ${jobs} WHERE state = 1 AND queue = asked.queue AND lane = asked.lane::smallint
          ORDER BY turn, enqueued_ms, id LIMIT asked.most FOR UPDATE SKIP LOCKED) AS line)
      UPDATE ${jobs} j SET state = 2, attempt = attempt + 1, step = 0, lease_until_ms = $4, ${fence}
      FROM chosen WHERE j.key = chosen.key AND ${UNAWAITED}
      RETURNING j.key, ${claimed}, 0, 0`,
    /**
     * $4 ends of the loans, null to count the attempt only; $5 now. Of those behind a first one go with it, in order, up to
     * one that is not due, or that somebody is just taking away.
     */
    lend: `WITH heads AS MATERIALIZED (
        SELECT asked.*, line.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::float8[])
          WITH ORDINALITY AS asked(of_queue, of_lane, most, until, ask), LATERAL (
            SELECT key, grp, turn, enqueued_ms, id FROM ${jobs}
            WHERE state = 1 AND queue = asked.of_queue AND lane = asked.of_lane::smallint
            ORDER BY turn, enqueued_ms, id LIMIT asked.most FOR UPDATE SKIP LOCKED) AS line),
      line AS MATERIALIZED (
        SELECT heads.*, next.* FROM heads, LATERAL (
          SELECT key AS next_key, turn AS next_turn, row_number() OVER (ORDER BY turn, id) AS n,
            due_ms <= $5 AND lane = heads.of_lane AS fits
          FROM ${jobs} WHERE state = 4 AND queue = heads.of_queue AND grp = heads.grp
          ORDER BY turn, id LIMIT heads.most - 1) AS next WHERE heads.grp IS NOT NULL),
      free AS MATERIALIZED (
        SELECT j.key FROM line JOIN ${jobs} j ON j.key = next_key
        WHERE fits AND j.state + 0 = 4 AND j.turn = next_turn AND j.due_ms <= $5 FOR UPDATE OF j SKIP LOCKED),
      chosen AS MATERIALIZED (
        SELECT key, until, ask, place FROM (
          SELECT key, until, ask, most, row_number() OVER (PARTITION BY ask ORDER BY turn, enqueued_ms, id, n) AS place
          FROM (
            SELECT key, until, ask, most, turn, enqueued_ms, id, 0 AS n, true AS goes FROM heads
            UNION ALL
            SELECT next_key, until, ask, most, turn, enqueued_ms, id, n,
              bool_and(next_key IN (SELECT key FROM free)) OVER (PARTITION BY key ORDER BY n) FROM line) AS candidates
          WHERE goes) AS placed
        WHERE place <= most)
      UPDATE ${jobs} j SET state = CASE WHEN until IS NULL THEN j.state ELSE 2 END, attempt = attempt + 1, step = 0,
        lease_until_ms = until, ${fence}
      FROM chosen WHERE j.key = chosen.key AND ${UNAWAITED}
      RETURNING j.key, ${claimed}, ask, place`,
    extend: `UPDATE ${jobs} j SET lease_until_ms = $3
      FROM unnest($1::text[], $2::bigint[]) AS ref(key, fence)
      WHERE j.key = ref.key AND j.fence = ref.fence AND ${HELD_BY_KEY} AND ${UNAWAITED} RETURNING j.key, j.fence`,
    expire: `UPDATE ${jobs} j SET state = 1, lease_until_ms = NULL
      FROM unnest($1::text[], $2::bigint[]) AS ref(key, fence)
      WHERE j.key = ref.key AND j.fence = ref.fence AND ${HELD_BY_KEY} AND ${UNAWAITED}
      RETURNING j.key, j.fence`,
    release: `UPDATE ${jobs} j SET state = 1, attempt = greatest(attempt - 1, 0), lease_until_ms = NULL
      FROM unnest($1::text[], $2::bigint[]) AS ref(key, fence)
      WHERE j.key = ref.key AND j.fence = ref.fence AND ${HELD_BY_KEY} AND ${UNAWAITED}`,
    next: `SELECT (SELECT due_ms FROM ${jobs} WHERE state = 0 AND due_ms >= $1 ORDER BY due_ms LIMIT 1),
      (SELECT lease_until_ms FROM ${jobs} WHERE state = 2 AND lease_until_ms >= $2 ORDER BY lease_until_ms LIMIT 1)`,
    /** Leases of a group's jobs first, because their locks come before those of rows. */
    wake: `WITH ordered AS MATERIALIZED (
        SELECT key, queue, grp FROM ${jobs} WHERE state = 2 AND lease_until_ms BETWEEN $5 AND $2 AND grp IS NOT NULL
        ORDER BY lease_until_ms LIMIT $3),
      locked AS MATERIALIZED (${groupLocksSql(schema, "ordered")}),
      over_ordered AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE key IN (SELECT key FROM ordered) AND state + 0 = 2 AND lease_until_ms <= $2
          AND ${isLocked} FOR UPDATE SKIP LOCKED),
      over AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE state = 2 AND lease_until_ms BETWEEN $5 AND $2 AND grp IS NULL AND ${isLocked}
        ORDER BY lease_until_ms LIMIT $3 - (SELECT count(*) FROM over_ordered) FOR UPDATE SKIP LOCKED),
      due AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE state = 0 AND due_ms BETWEEN $4 AND $1 AND ${isLocked}
        ORDER BY due_ms LIMIT $3 - (SELECT count(*) FROM over_ordered) - (SELECT count(*) FROM over)
        FOR UPDATE SKIP LOCKED)
      UPDATE ${jobs} j SET state = 1, lease_until_ms = NULL
      FROM (SELECT key FROM over_ordered UNION ALL SELECT key FROM over UNION ALL SELECT key FROM due) AS chosen
      WHERE j.key = chosen.key AND ${UNAWAITED} AND ${nowIs("$1")}`,
    /** Each arm walks the index of its state. */
    park: `WITH chosen AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE state = 4 UNION ALL SELECT key FROM ${jobs} WHERE state = 0
        UNION ALL SELECT key FROM ${jobs} WHERE state = 1 UNION ALL SELECT key FROM ${jobs} WHERE state = 2 LIMIT $1)
      UPDATE ${jobs} j SET state = 3, lease_until_ms = NULL FROM chosen
      WHERE j.key = chosen.key AND j.state <> 3 AND ${UNAWAITED}`,
    /** $1 queue, $2 time, $3 limit, $4 now. Of each state and lane those in front, which in a queue are the oldest. */
    trim: `WITH old AS MATERIALIZED (
        SELECT key, queue, grp FROM (${trimArms(jobs)}) AS oldest
        WHERE enqueued_ms < $2::float8 ORDER BY enqueued_ms, id LIMIT $3),
      locked AS MATERIALIZED (${groupLocksSql(schema, "old")}),
      chosen AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE key IN (SELECT key FROM old) AND ${isLocked} ORDER BY key FOR UPDATE)
      DELETE FROM ${jobs} j USING chosen WHERE j.key = chosen.key AND ${UNAWAITED} AND ${nowIs("$4")}`,
  } as const;
}
