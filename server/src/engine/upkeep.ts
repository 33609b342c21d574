import { RETIRED } from "#engine/consumer.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { RequestId } from "#domain/ids.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Store } from "#ports/store.ts";

/** How often the house is tidied; each round does a bounded amount of work. */
const ROUND_MS = 60_000;
/** The rest when a round has found whole steps of work: what expires all the time goes all the time, in small rounds. */
const BUSY_ROUND_MS = 1_000;
/** Rows per step: a commit of a few milliseconds, so that nobody waits behind the broom. */
const STEP_ROWS = 1_000;
/** Steps per round and kind; what is left is for the next round. */
const STEPS_MAX = 200;
/** Requests per step, and messages: each is a row in many indexes, and a hundred of them take some 4 ms. */
const REQUEST_STEP_ROWS = 100;
/** A hundred thousand messages a round take some 6 s. */
const REQUEST_STEPS_MAX = 1_000;
/** A blob that no commit names after this long may be an orphan: its request died before the commit. */
const ORPHAN_AGE_MS = 60 * 60 * 1000;
/** It is one if that is still so after this long, monotonic: a wall clock that jumps makes a blob old in a moment. */
const SECOND_LOOK_MS = 10 * 60 * 1000;

export type Retention = {
  /** Requests older than this go, with their messages and blobs, unless there is still something to do for them. */
  readonly messagesAgeMaxMs: number;
  /** Events older than this go. */
  readonly journalAgeMaxMs: number;
  /** When the journal has more events than this, the oldest go, whatever their age. */
  readonly journalEventsMax: number;
  /** Whether events go even if a consumer has not read them yet. */
  readonly evenUnread: boolean;
};

/**
 * Retention, forgotten idempotency keys, orphaned blobs: runs until the engine stops.
 * @param leads one node is enough for it; nothing breaks if two believe that they are the one.
 */
export async function keepUp(
  engine: Engine,
  blobs: BlobStore,
  retention: Retention,
  leads: () => boolean,
): Promise<void> {
  const { clock, log } = engine.parts;
  let round = FIRST_ROUND;
  let orphansMs = clock.monotonicMs();
  while (!engine.signal.aborted) {
    await sleep(clock, round.isBusy ? BUSY_ROUND_MS : ROUND_MS, engine.signal);
    if (engine.signal.aborted) return;
    if (!leads()) {
      round = FIRST_ROUND;
      continue;
    }
    try {
      round = { ...round, ...(await forget(engine, retention, round.after)) };
      if (clock.monotonicMs() - orphansMs < ROUND_MS) continue;
      orphansMs = clock.monotonicMs();
      round = { ...round, suspects: await collectOrphans(engine, blobs, round.suspects) };
    } catch (fault) {
      round = { ...round, isBusy: false };
      log.warn("Upkeep could not finish this round; the next will go on", { error: errorText(fault) });
    }
  }
}

/** One round of everything after the last one, and where the next begins. */
export async function tidy(
  engine: Engine,
  blobs: BlobStore,
  retention: Retention,
  last: Round = FIRST_ROUND,
): Promise<Round> {
  const forgot = await forget(engine, retention, last.after);
  return { ...forgot, suspects: await collectOrphans(engine, blobs, last.suspects) };
}

export type Round = {
  /**
   * Behind which request the next round goes on, null for the oldest: many that must be kept cannot keep it from those
   * that follow.
   */
  readonly after: RequestId | null;
  /** Old blobs that no commit has named, and when that was first seen, monotonic. */
  readonly suspects: ReadonlyMap<string, number>;
  /** It found whole steps of work: more expires than a rest of `ROUND_MS` is made for. */
  readonly isBusy: boolean;
};

const FIRST_ROUND: Round = { after: null, suspects: new Map(), isBusy: false };

type Forgot = Omit<Round, "suspects">;

async function forget(engine: Engine, retention: Retention, after: RequestId | null): Promise<Forgot> {
  const isLongJournal = await trimJournal(engine, retention);
  const areManyRecords = await sweep(engine);
  const requests = await trimRequests(engine, retention, after);
  return { after: requests.after, isBusy: isLongJournal || areManyRecords || requests.isBusy };
}

/** @returns whether it found whole steps of work, as the other two do. */
async function trimJournal(engine: Engine, retention: Retention): Promise<boolean> {
  const { store, clock } = engine.parts;
  const { last, events } = await store.journalBounds();
  const checkpoints = await store.checkpoints(null);
  const read = checkpoints.map(({ position }) => position).filter((position) => position < RETIRED);
  const readUpTo = retention.evenUnread || read.length === 0 ? last : Math.min(last, ...read);
  let tooMany = events > retention.journalEventsMax ? await countTooMany(store, retention.journalEventsMax) : 0;
  const olderThanMs = clock.nowMs() - retention.journalAgeMaxMs;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const rows = Math.max(0, Math.min(tooMany, STEP_ROWS));
    const bySize = rows > 0 ? await store.trimJournal(readUpTo, Number.MAX_SAFE_INTEGER, rows) : 0;
    const byAge = await store.trimJournal(readUpTo, olderThanMs, STEP_ROWS);
    tooMany -= bySize + byAge;
    if (bySize < STEP_ROWS && byAge < STEP_ROWS) return step > 0;
  }
  return true;
}

/** Counted before anything is deleted by it: what the bounds say may be an estimate. No more than one round deletes. */
async function countTooMany(store: Store, eventsMax: number): Promise<number> {
  return (await store.eventsBehind(0, eventsMax + STEPS_MAX * STEP_ROWS)) - eventsMax;
}

async function sweep({ parts: { store } }: Engine): Promise<boolean> {
  for (let step = 0; step < STEPS_MAX; step += 1) if ((await store.sweep(STEP_ROWS)) < STEP_ROWS) return step > 0;
  return true;
}

async function trimRequests(engine: Engine, { messagesAgeMaxMs }: Retention, after: RequestId | null): Promise<Forgot> {
  const { store, clock } = engine.parts;
  const olderThanMs = clock.nowMs() - messagesAgeMaxMs;
  let next = after;
  let gone = 0;
  for (let step = 0; step < REQUEST_STEPS_MAX; step += 1) {
    const trimmed = await store.trimRequests({ olderThanMs, after: next, limit: REQUEST_STEP_ROWS });
    ({ next } = trimmed);
    gone += trimmed.deleted;
    if (next === null) break;
  }
  // Those that were only looked at, because they must be kept, are no reason to look again soon.
  return { after: next, isBusy: gone >= REQUEST_STEP_ROWS };
}

/**
 * Deletes what was suspect long enough; a call that was on its way to its commit has named its blobs by then.
 * @returns who is suspect now.
 */
async function collectOrphans(
  engine: Engine,
  blobs: BlobStore,
  suspects: Round["suspects"],
): Promise<Round["suspects"]> {
  const { store, clock } = engine.parts;
  const nowMs = clock.monotonicMs();
  const next = new Map<string, number>();
  let after: string | null = null;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const ids: readonly string[] = await blobs.list(clock.nowMs() - ORPHAN_AGE_MS, STEP_ROWS, after);
    const unnamed = ids.length === 0 ? [] : await store.unnamedBlobs(ids);
    for (const id of unnamed) next.set(id, suspects.get(id) ?? nowMs);
    const orphans = unnamed.filter((id) => nowMs - (next.get(id) ?? nowMs) >= SECOND_LOOK_MS);
    if (orphans.length > 0) await blobs.delete(orphans);
    for (const id of orphans) next.delete(id);
    after = ids.at(-1) ?? null;
    if (ids.length < STEP_ROWS) break;
  }
  return next;
}
