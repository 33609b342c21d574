import { bigints, doubles, texts } from "#drivers/postgres/arrays.ts";
import {
  type Answer,
  type Ask,
  COMMIT,
  type Database,
  type Statement,
  type Statements,
  statements,
} from "#drivers/postgres/connection.ts";
import { laneNumber, laneOf } from "#domain/lane-number.ts";
import type { Groups } from "#drivers/postgres/groups.ts";
import { jobSql } from "#drivers/postgres/job-sql.ts";
import type { LeaseClock } from "#drivers/postgres/lease-clock.ts";
import { fromStored, maybeFromStored, toStored } from "#drivers/postgres/text.ts";
import { invariant } from "#domain/invariant.ts";
import type { Job, JobRef } from "#domain/job.ts";
import type { Clock } from "#ports/clock.ts";
import type { ClaimAsk } from "#ports/store.ts";

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
    this.#note(rows);
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
    this.#note(rows);
    return rows.sort((a, b) => a[ASK] - b[ASK] || a[PLACE] - b[PLACE]).map(jobOf);
  }

  #note(rows: readonly ClaimedRow[]): void {
    if (rows.some((row) => row[GROUP] !== null)) this.#groups.note();
  }

  async extend(refs: readonly JobRef[], leaseMs: number): Promise<JobRef[]> {
    if (refs.length === 0) return [];
    const { rows } =
      leaseMs === 0
        ? await this.#letGo(this.#sql.expire, refs)
        : await this.#db.ask(this.#sql.extend, [...columns(refs), this.#leases.nowMs() + leaseMs]);
    // Both return keys and fences.
    const ours = new Set((rows as [string, number][]).map(([key, fence]) => `${fence} ${fromStored(key)}`));
    return refs.filter(({ key, fence }) => !ours.has(`${fence} ${key}`)).map(({ key, fence }) => ({ key, fence }));
  }

  /** Returns how many were ours. */
  async release(refs: readonly JobRef[]): Promise<number> {
    if (refs.length === 0) return 0;
    return (await this.#letGo(this.#sql.release, refs)).count;
  }

  /** Jobs that nobody holds then: the locks of their groups come before those of their rows. */
  async #letGo(what: Statement, refs: readonly JobRef[]): Promise<Answer> {
    const groups = this.#groups.ofHeld(refs);
    if (groups === null) return await this.#db.ask(what, columns(refs));
    const asks: Ask[] = [[this.#db.begin], groups, [what, columns(refs)], [COMMIT]];
    const [, , answer] = await this.#db.hold((session) => session.flight(asks));
    invariant(answer !== undefined, "each statement of a flight is answered");
    return answer;
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
