import { type Answer, type Ask, COMMIT, type Database, type Session } from "#drivers/postgres/connection.ts";
import { codeOf, isConflict } from "#drivers/postgres/faults.ts";
import type { Groups } from "#drivers/postgres/groups.ts";
import type { LeaseClock } from "#drivers/postgres/lease-clock.ts";
import { Ledger, type Numbered } from "#drivers/postgres/ledger.ts";
import { isNothing, Looks, needsOf } from "#drivers/postgres/looks.ts";
import { TRANSACTION_ROWS_MAX } from "#drivers/postgres/positions.ts";
import { fromStored } from "#drivers/postgres/text.ts";
import { Writes } from "#drivers/postgres/writes.ts";
import { invariant } from "#domain/invariant.ts";
import type { Clock } from "#ports/clock.ts";
import { StoreFault, type Unit, type Verdict } from "#ports/store.ts";

/** Somebody else may be in the way each time, but not for long: each loser means that another has won. */
const TRIES_MAX = 8;

/**
 * The write side. As a rule a batch is one flight to the server: BEGIN, one statement per kind of row, COMMIT, without
 * waiting for an answer in between. That is bold: it takes for granted that a holder still holds its job, and that what
 * is new is new, and its statements fail if not. Then, and where a condition must read first, all that the batch
 * touches is looked at and locked, and the verdicts are given with certainty.
 */
export class Commits {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #leases: LeaseClock;
  readonly #looks: Looks;
  readonly #writes: Writes;
  readonly #groups: Groups;
  readonly #onWork: () => void;

  /** @param onWork told after a commit that made something to do. */
  constructor(db: Database, schema: string, clock: Clock, leases: LeaseClock, groups: Groups, onWork: () => void) {
    this.#groups = groups;
    this.#db = db;
    this.#clock = clock;
    this.#leases = leases;
    this.#looks = new Looks(schema);
    this.#writes = new Writes(schema);
    this.#onWork = onWork;
  }

  async commit(units: readonly Unit[]): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    for (const batch of numberable(units)) verdicts.push(...(await this.#batch(batch)));
    return verdicts;
  }

  async #batch(units: readonly Unit[]): Promise<Verdict[]> {
    let isBold = true;
    for (let tryNumber = 1; ; tryNumber += 1) {
      try {
        const { verdicts, makesWork } = await this.#db.hold((session) => this.#transact(session, units, isBold));
        if (makesWork) this.#onWork();
        return verdicts;
      } catch (error) {
        if (!(isTooBold(error) || isConflict(error))) throw error;
        if (tryNumber === TRIES_MAX) {
          throw new StoreFault("store.busy", "Others were in the way each time", { cause: error });
        }
        isBold = false;
      }
    }
  }

  async #transact(session: Session, units: readonly Unit[], isBold: boolean): Promise<Done> {
    const numbered: Numbered = { messages: 0, jobs: 0, events: 0 };
    const verdicts: Verdict[] = [];
    let before: Ask[] = [[this.#db.begin]];
    const groups = this.#groups.of(units);
    if (groups !== null) before.push(groups);
    let makesWork = false;
    const parts = archiving(units);
    for (const [at, part] of parts.entries()) {
      const needs = needsOf(part, isBold);
      const looked = await this.#looks.look(session, before, needs);
      if (!isNothing(needs)) before = [];
      const ledger = new Ledger(looked, this.#clock.nowMs(), this.#leases.nowMs(), numbered);
      for (const unit of part) ledger.add(unit);
      const { asks, looseAt } = this.#writes.of(ledger, looked, numbered, !isBold);
      const after: Ask[] = at === parts.length - 1 ? [[COMMIT]] : [];
      const answers = await session.flight([...before, ...asks, ...after]);
      const loose = looseAt === null ? undefined : answers[before.length + looseAt];
      verdicts.push(...ledger.verdicts(keysOf(loose)));
      // Whoever ends one of a group may make room for the next.
      makesWork ||= ledger.makesWork || (groups !== null && ledger.ended.length > 0);
      before = [];
      invariant(after.length === 0 || answers.at(-1)?.command === "COMMIT", "a commit without a fault commits");
    }
    return { verdicts, makesWork };
  }
}

type Done = { readonly verdicts: Verdict[]; readonly makesWork: boolean };

/** A statement has not met all that it was to end (22012), or something new was there already (23505). */
function isTooBold(error: unknown): boolean {
  const code = codeOf(error);
  return code === "22012" || code === "23505";
}

function keysOf(answer: Answer | undefined): ReadonlySet<string> {
  // The statement returns keys.
  return new Set(answer?.rows.map(([key]) => fromStored(key as string)));
}

/** Batches whose rows one transaction can number; nearly always all in one. */
function* numberable(units: readonly Unit[]): Generator<readonly Unit[]> {
  let batch: Unit[] = [];
  let rows = 0;
  for (const unit of units) {
    const more = rowsOf(unit);
    invariant(more < TRANSACTION_ROWS_MAX, "a unit has fewer rows than a transaction can number");
    if (rows + more >= TRANSACTION_ROWS_MAX) {
      yield batch;
      batch = [];
      rows = 0;
    }
    batch.push(unit);
    rows += more;
  }
  if (batch.length > 0) yield batch;
}

/** At least as many as it has of any kind. */
function rowsOf({ messages, jobs, events }: Unit): number {
  let rows = 1 + (jobs?.length ?? 0) + (events?.length ?? 0);
  for (const birth of messages ?? []) rows += 1 + birth.events.length;
  return rows;
}

/** Archiving concerns all messages of a request that are there by then: it ends a part of the transaction. */
function archiving(units: readonly Unit[]): readonly (readonly Unit[])[] {
  if (!units.some(({ archive }) => archive !== undefined)) return [units];
  const parts: Unit[][] = [[]];
  for (const unit of units) {
    parts.at(-1)?.push(unit);
    if (unit.archive !== undefined) parts.push([]);
  }
  return parts.filter((part) => part.length > 0);
}
