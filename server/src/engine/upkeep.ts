import { RETIRED } from "#engine/consumer.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { RequestId } from "#domain/ids.ts";
import type { BlobStore } from "#ports/blob-store.ts";

/** How often the house is tidied; each round does a bounded amount of work. */
const ROUND_MS = 60_000;
/** Rows per step: a commit of a few milliseconds, so that nobody waits behind the broom. */
const STEP_ROWS = 1_000;
/** Steps per round and kind; what is left is for the next round. */
const STEPS_MAX = 200;
/** Requests per step, and messages: each is a row in many indexes, and a hundred of them take some 4 ms. */
const REQUEST_STEP_ROWS = 100;
/** A hundred thousand messages a round keep pace with 1,600 a second all day long; that much takes some 6 s. */
const REQUEST_STEPS_MAX = 1_000;
/** A blob that no commit names after this long is an orphan: its request died before the commit. */
const ORPHAN_AGE_MS = 60 * 60 * 1000;

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

/** Retention, forgotten idempotency keys, orphaned blobs: runs until the engine stops. */
export async function keepUp(engine: Engine, blobs: BlobStore, retention: Retention): Promise<void> {
  const { clock, log } = engine.parts;
  let after: RequestId | null = null;
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted) return;
    try {
      after = await tidy(engine, blobs, retention, after);
    } catch (fault) {
      log.warn("Upkeep could not finish this round; the next will go on", { error: errorText(fault) });
    }
  }
}

/**
 * One round. Returns behind which request the next should go on, null for the oldest: many that must be kept cannot keep
 * it from those that follow.
 */
export async function tidy(
  engine: Engine,
  blobs: BlobStore,
  retention: Retention,
  after: RequestId | null = null,
): Promise<RequestId | null> {
  const { store } = engine.parts;
  await trimJournal(engine, retention);
  for (let step = 0; step < STEPS_MAX; step += 1) if ((await store.sweep(STEP_ROWS)) < STEP_ROWS) break;
  const next = await trimRequests(engine, retention, after);
  await collectOrphans(engine, blobs);
  return next;
}

async function trimJournal(engine: Engine, retention: Retention): Promise<void> {
  const { store, clock } = engine.parts;
  const { first, last } = await store.journalBounds();
  const checkpoints = await store.checkpoints(null);
  const read = checkpoints.map(({ position }) => position).filter((position) => position < RETIRED);
  const readUpTo = retention.evenUnread || read.length === 0 ? last : Math.min(last, ...read);
  const tooMany = last - first + 1 - retention.journalEventsMax;
  const anyAgeUpTo = Math.min(readUpTo, first + tooMany - 1);
  const olderThanMs = clock.nowMs() - retention.journalAgeMaxMs;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const bySize = anyAgeUpTo >= first ? await store.trimJournal(anyAgeUpTo, Number.MAX_SAFE_INTEGER, STEP_ROWS) : 0;
    const byAge = await store.trimJournal(readUpTo, olderThanMs, STEP_ROWS);
    if (bySize < STEP_ROWS && byAge < STEP_ROWS) return;
  }
}

async function trimRequests(
  engine: Engine,
  { messagesAgeMaxMs }: Retention,
  after: RequestId | null,
): Promise<RequestId | null> {
  const { store, clock } = engine.parts;
  const olderThanMs = clock.nowMs() - messagesAgeMaxMs;
  let next = after;
  for (let step = 0; step < REQUEST_STEPS_MAX; step += 1) {
    ({ next } = await store.trimRequests({ olderThanMs, after: next, limit: REQUEST_STEP_ROWS }));
    if (next === null) break;
  }
  return next;
}

async function collectOrphans(engine: Engine, blobs: BlobStore): Promise<void> {
  const { store, clock } = engine.parts;
  let after: string | null = null;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const ids: readonly string[] = await blobs.list(clock.nowMs() - ORPHAN_AGE_MS, STEP_ROWS, after);
    const orphans = ids.length === 0 ? [] : await store.unnamedBlobs(ids);
    if (orphans.length > 0) await blobs.delete(orphans);
    after = ids.at(-1) ?? null;
    if (ids.length < STEP_ROWS) return;
  }
}
