import { bigints, doubles, texts } from "#drivers/postgres/arrays.ts";
import { type Database, type Statements, statements } from "#drivers/postgres/connection.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import { type Groups, groupLockSql } from "#drivers/postgres/groups.ts";
import type { LeaseClock } from "#drivers/postgres/lease-clock.ts";
import { fromStored, maybeFromStored, toStored } from "#drivers/postgres/text.ts";
import type { Job, JobRef } from "#domain/job.ts";
import type { Clock } from "#ports/clock.ts";
import type { ClaimAsk } from "#ports/store.ts";

/** Behind: others of its group come first (0002-groups.sql). */
export const [WAITING, READY, HELD, PARKED, BEHIND] = [0, 1, 2, 3, 4] as const;

/**
 * By how much another node's commit or clock may be behind ours, for what it has made due to be found at once.
 */
const LATE_MS_MAX = 30_000;
/** How often it is looked for what is due without regard to that. */
const WHOLE_LOOK_MS = 30_000;

/**
 * What the runner asks of the jobs. None of this waits for the disk: if the power fails it may not have happened, which
 * is the same as a lease that ran out. Two nodes that ask at once never wait for each other's rows.
 */
export class Jobs {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #leases: LeaseClock;
  readonly #groups: Groups;
  readonly #sql: Statements<ReturnType<typeof jobSql>>;
  #known: Times = ALL_TIMES;
  #wholeAtMs = Number.NEGATIVE_INFINITY;

  constructor(db: Database, schema: string, clock: Clock, leases: LeaseClock, groups: Groups) {
    this.#groups = groups;
    this.#db = db;
    this.#clock = clock;
    this.#leases = leases;
    this.#sql = statements(jobSql(schema));
  }

  async claim(asks: readonly ClaimAsk[], leaseMs: number): Promise<Job[]> {
    const wanted = asks.filter(({ limit }) => limit > 0);
    const isLoan = (ask: ClaimAsk): ask is Loan => ask.lendMs !== undefined;
    const jobs = await this.#take(
      wanted.filter((ask) => !isLoan(ask)),
      leaseMs,
    );
    for (const round of rounds(wanted.filter(isLoan))) jobs.push(...(await this.#lend(round)));
    return jobs;
  }

  async #take(wanted: readonly ClaimAsk[], leaseMs: number): Promise<Job[]> {
    if (wanted.length === 0) return [];
    const untilMs = this.#leases.nowMs() + leaseMs;
    const { rows } = await this.#db.ask<ClaimedRow>(this.#sql.claim, [
      texts(wanted.map(({ queue }) => queue)),
      bigints(wanted.map(({ lane }) => laneNumber(lane))),
      bigints(wanted.map(({ limit }) => limit)),
      untilMs,
    ]);
    const lines = Map.groupBy(rows.sort(byTurn).map(jobOf), lineOf);
    return wanted.flatMap((ask) => lines.get(lineOf(ask)) ?? []);
  }

  /** Behind the first of a group those that go with it. */
  async #lend(asks: readonly Loan[]): Promise<Job[]> {
    const leaseNowMs = this.#leases.nowMs();
    const { rows } = await this.#db.ask<ClaimedRow>(this.#sql.lend, [
      texts(asks.map(({ queue }) => queue)),
      bigints(asks.map(({ lane }) => laneNumber(lane))),
      bigints(asks.map(({ limit }) => limit)),
      doubles(asks.map(({ lendMs }) => (lendMs === 0 ? null : leaseNowMs + lendMs))),
      this.#clock.nowMs(),
    ]);
    if (rows.some((row) => row[GROUP] !== null)) this.#groups.note();
    return rows.sort((a, b) => a[ASK] - b[ASK] || a[PLACE] - b[PLACE]).map(jobOf);
  }

  async extend(refs: readonly JobRef[], leaseMs: number): Promise<JobRef[]> {
    if (refs.length === 0) return [];
    const { rows } =
      leaseMs === 0
        ? await this.#db.ask<[key: string, fence: number]>(this.#sql.expire, [...columns(refs), this.#clock.nowMs()])
        : await this.#db.ask<[key: string, fence: number]>(this.#sql.extend, [
            ...columns(refs),
            this.#leases.nowMs() + leaseMs,
          ]);
    const ours = new Set(rows.map(([key, fence]) => `${fence} ${fromStored(key)}`));
    return refs.filter(({ key, fence }) => !ours.has(`${fence} ${key}`)).map(({ key, fence }) => ({ key, fence }));
  }

  /** Returns how many were ours. */
  async release(refs: readonly JobRef[]): Promise<number> {
    if (refs.length === 0) return 0;
    return (await this.#db.ask(this.#sql.release, [...columns(refs), this.#clock.nowMs()])).count;
  }

  async wakeDue(limit: number): Promise<{ woken: number; nextDueMs: number | null }> {
    const from = this.#from();
    let next = await this.#next(from);
    const [nowMs, leaseNowMs] = [this.#clock.nowMs(), this.#leases.nowMs()];
    let woken = 0;
    if (next.isDue(nowMs, leaseNowMs)) {
      woken = (await this.#db.ask(this.#sql.wake, [nowMs, leaseNowMs, limit, from.dueMs, from.leaseMs])).count;
      next = await this.#next(from);
    }
    this.#known = {
      dueMs: Math.min(next.dueMs ?? nowMs, nowMs - LATE_MS_MAX),
      leaseMs: Math.min(next.leaseMs ?? leaseNowMs, leaseNowMs - LATE_MS_MAX),
    };
    return { woken, nextDueMs: next.wallMs(nowMs, leaseNowMs) };
  }

  async park(limit: number): Promise<number> {
    return (await this.#db.ask(this.#sql.park, [limit])).count;
  }

  /** Deletes what was enqueued before a time. */
  async trim({ queue, olderThanMs, limit }: { queue: string; olderThanMs: number; limit: number }): Promise<number> {
    if (limit < 1) return 0;
    return (await this.#db.ask(this.#sql.trim, [toStored(queue), olderThanMs, limit, this.#clock.nowMs()])).count;
  }

  /** Before these times nothing is due: so what was, and is not cleaned up yet, need not be walked over. */
  #from(): Times {
    const monotonicMs = this.#clock.monotonicMs();
    if (monotonicMs - this.#wholeAtMs < WHOLE_LOOK_MS) return this.#known;
    this.#wholeAtMs = monotonicMs;
    return ALL_TIMES;
  }

  async #next(from: Times): Promise<Next> {
    const { rows } = await this.#db.ask<[number | null, number | null]>(this.#sql.next, [from.dueMs, from.leaseMs]);
    return new Next(rows[0]?.[0] ?? null, rows[0]?.[1] ?? null);
  }
}

type Times = { readonly dueMs: number; readonly leaseMs: number };
const ALL_TIMES: Times = { dueMs: Number.NEGATIVE_INFINITY, leaseMs: Number.NEGATIVE_INFINITY };

class Next {
  readonly dueMs: number | null;
  readonly leaseMs: number | null;

  constructor(dueMs: number | null, leaseMs: number | null) {
    this.dueMs = dueMs;
    this.leaseMs = leaseMs;
  }

  isDue(nowMs: number, leaseNowMs: number): boolean {
    const { dueMs, leaseMs } = this;
    return (dueMs !== null && dueMs <= nowMs) || (leaseMs !== null && leaseMs <= leaseNowMs);
  }

  /** Wall time at which the next job is due or the next lease is over. */
  wallMs(nowMs: number, leaseNowMs: number): number | null {
    // Rounded up, so that who sleeps until then finds it over.
    const lease = this.leaseMs === null ? null : nowMs + Math.max(0, Math.ceil(this.leaseMs - leaseNowMs));
    if (lease === null || this.dueMs === null) return lease ?? this.dueMs;
    return Math.min(lease, this.dueMs);
  }
}

function columns(refs: readonly JobRef[]): [Buffer, Buffer] {
  const inOrder = refs.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return [texts(inOrder.map(({ key }) => key)), bigints(inOrder.map(({ fence }) => fence))];
}

type ClaimedRow = [
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
  ask: number,
  place: number,
];
const [GROUP, ASK, PLACE] = [10, 11, 12] as const;

type Loan = ClaimAsk & { readonly lendMs: number };

/** Rounds in which no queue and lane is asked twice: one statement would give both the same jobs. */
function rounds(asks: readonly Loan[]): readonly (readonly Loan[])[] {
  const all: Loan[][] = [];
  const asked = new Map<string, number>();
  for (const ask of asks) {
    const at = asked.get(lineOf(ask)) ?? 0;
    asked.set(lineOf(ask), at + 1);
    (all[at] ??= []).push(ask);
  }
  return all;
}

/** Names its queue and lane. */
function lineOf({ queue, lane }: Pick<Job, "queue" | "lane">): string {
  return `${lane} ${queue}`;
}

function byTurn(a: ClaimedRow, b: ClaimedRow): number {
  return a[8] - b[8] || a[7] - b[7] || a[9] - b[9];
}

function jobOf(row: ClaimedRow): Job {
  const [key, queue, lane, payload, traceparent, attempt, fence, enqueuedMs, turn, , group] = row;
  return {
    key: fromStored(key),
    queue: fromStored(queue),
    lane: laneOf(lane),
    payload: fromStored(payload),
    traceparent,
    attempt,
    fence,
    turn,
    group: maybeFromStored(group),
    enqueuedMs,
  };
}

/**
 * Whose transaction is this one statement: `set_config` makes its commit not wait for the disk. A condition that is always
 * true, and looked at once.
 */
export const UNAWAITED = "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";

/** SQL: the time by which the database puts groups in order when this statement moves one of theirs (0002-groups.sql). */
export function nowIs(parameter: string): string {
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
    .map((arm) => `(SELECT key, enqueued_ms, id FROM ${jobs} WHERE ${arm} LIMIT $3 + ${TRIM_SLACK_ROWS})`)
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
  /** Nobody is just changing its group; and nobody will until this transaction has ended. */
  const isFree = `(grp IS NULL OR pg_try_advisory_xact_lock(${groupLockSql(schema)}))`;
  return {
    /** All asks in one: most of them find nothing, and a statement of its own would cost more than its search. */
    claim: `WITH chosen AS MATERIALIZED (
        SELECT line.key FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS asked(queue, lane, most), LATERAL (
          SELECT key FROM ${jobs} WHERE state = 1 AND queue = asked.queue AND lane = asked.lane::smallint AND ${isFree}
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
            WHERE state = 1 AND queue = asked.of_queue AND lane = asked.of_lane::smallint AND ${isFree}
            ORDER BY turn, enqueued_ms, id LIMIT asked.most FOR UPDATE SKIP LOCKED) AS line),
      line AS MATERIALIZED (
        SELECT heads.key AS head, next.key, next.n, next.fits FROM heads, LATERAL (
          SELECT key, row_number() OVER (ORDER BY turn, id) AS n, due_ms <= $5 AND lane = heads.of_lane AS fits
          FROM ${jobs} WHERE state = 4 AND queue = heads.of_queue AND grp = heads.grp
          ORDER BY turn, id LIMIT heads.most - 1) AS next WHERE heads.grp IS NOT NULL),
      free AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE key IN (SELECT key FROM line WHERE fits) AND state + 0 = 4 FOR UPDATE SKIP LOCKED),
      chosen AS MATERIALIZED (
        SELECT key, until, ask, place FROM (
          SELECT key, until, ask, most, row_number() OVER (PARTITION BY ask ORDER BY turn, enqueued_ms, id, n) AS place
          FROM (
            SELECT key, until, ask, most, turn, enqueued_ms, id, 0 AS n FROM heads
            UNION ALL
            SELECT line.key, until, ask, most, turn, enqueued_ms, id, line.n FROM line JOIN heads ON heads.key = line.head
            WHERE NOT EXISTS (SELECT FROM line before WHERE before.head = line.head AND before.n <= line.n
              AND before.key NOT IN (SELECT key FROM free))) AS candidates) AS placed
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
      WHERE j.key = ref.key AND j.fence = ref.fence AND ${HELD_BY_KEY} AND ${UNAWAITED} AND ${nowIs("$3")}
      RETURNING j.key, j.fence`,
    release: `UPDATE ${jobs} j SET state = 1, attempt = greatest(attempt - 1, 0), lease_until_ms = NULL
      FROM unnest($1::text[], $2::bigint[]) AS ref(key, fence)
      WHERE j.key = ref.key AND j.fence = ref.fence AND ${HELD_BY_KEY} AND ${UNAWAITED} AND ${nowIs("$3")}`,
    next: `SELECT (SELECT due_ms FROM ${jobs} WHERE state = 0 AND due_ms >= $1 ORDER BY due_ms LIMIT 1),
      (SELECT lease_until_ms FROM ${jobs} WHERE state = 2 AND lease_until_ms >= $2 ORDER BY lease_until_ms LIMIT 1)`,
    wake: `WITH over AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE state = 2 AND lease_until_ms BETWEEN $5 AND $2
        ORDER BY lease_until_ms LIMIT $3 FOR UPDATE SKIP LOCKED),
      due AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE state = 0 AND due_ms BETWEEN $4 AND $1
        ORDER BY due_ms LIMIT $3 - (SELECT count(*) FROM over) FOR UPDATE SKIP LOCKED)
      UPDATE ${jobs} j SET state = 1, lease_until_ms = NULL
      FROM (SELECT key FROM over UNION ALL SELECT key FROM due) AS chosen
      WHERE j.key = chosen.key AND ${UNAWAITED} AND ${nowIs("$1")}`,
    /** Each arm walks the index of its state. */
    park: `WITH chosen AS MATERIALIZED (
        SELECT key FROM ${jobs} WHERE state = 4 UNION ALL SELECT key FROM ${jobs} WHERE state = 0
        UNION ALL SELECT key FROM ${jobs} WHERE state = 1 UNION ALL SELECT key FROM ${jobs} WHERE state = 2 LIMIT $1)
      UPDATE ${jobs} j SET state = 3, lease_until_ms = NULL FROM chosen
      WHERE j.key = chosen.key AND j.state <> 3 AND ${UNAWAITED}`,
    /** $1 queue, $2 time, $3 limit, $4 now. Of each state and lane those in front, which in a queue are the oldest. */
    trim: `WITH old AS MATERIALIZED (
        SELECT key FROM (${trimArms(jobs)}) AS oldest WHERE enqueued_ms < $2::float8 ORDER BY enqueued_ms, id LIMIT $3)
      DELETE FROM ${jobs} j USING old WHERE j.key = old.key AND ${UNAWAITED} AND ${nowIs("$4")}`,
  } as const;
}
