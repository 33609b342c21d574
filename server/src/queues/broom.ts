import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import { queueOf } from "#queues/catalog.ts";
import { GRAVES } from "#queues/graves.ts";
import { QUEUES, storeQueueOf } from "#queues/queue.ts";

/** How often the queues are gone through, and how soon again while a round finds more than it may do. */
const ROUND_MS = 60_000;
const BUSY_ROUND_MS = 1_000;
/** Messages per step: a commit of a few milliseconds, so that nobody waits behind the broom. */
const STEP_ROWS = 1_000;
/** Steps per queue and round; what is left is for the next round. */
const STEPS_MAX = 50;
/** Documents per page. */
const PAGE_ROWS = 500;
/** A grave stays open so long for a message that another node has sent without knowing of it. */
const GRAVE_MS = 60 * 60 * 1000;

/**
 * Removes messages that are older than their queue keeps them, and those of queues that were purged or deleted, until the
 * engine stops.
 * @param leads one node is enough for it; nothing breaks if two believe that they are the one.
 */
export async function keepQueues(engine: Engine, leads: () => boolean): Promise<void> {
  const { signal } = engine;
  const { clock, log } = engine.parts;
  let called = new AbortController();
  // What was purged or deleted here need not wait for the next round.
  engine.onCommitted(({ puts }) => {
    if (puts?.some(({ collection }) => collection === GRAVES) === true) called.abort();
  });
  let sweptMs = clock.monotonicMs();
  for (let isBusy = false; !signal.aborted; ) {
    await sleep(clock, isBusy ? BUSY_ROUND_MS : ROUND_MS, AbortSignal.any([signal, called.signal]));
    // Who is called all the time looks at the others in their time all the same.
    const isEarly = called.signal.aborted && clock.monotonicMs() - sweptMs < ROUND_MS;
    called = new AbortController();
    isBusy = false;
    if (signal.aborted || !leads()) continue;
    try {
      if (!isEarly) sweptMs = clock.monotonicMs();
      isBusy = await (isEarly ? sweepGraves(engine) : sweepQueues(engine));
    } catch (fault) {
      log.warn("The queues could not be swept; the next round goes on", { error: errorText(fault) });
    }
  }
}

/** One round. @returns whether more is left than a round may do. */
export async function sweepQueues(engine: Engine): Promise<boolean> {
  let isBusy = await sweepGraves(engine);
  for await (const document of documents(engine, QUEUES)) {
    const queue = queueOf(document);
    const olderThanMs = engine.parts.clock.nowMs() - queue.attributes.retentionMs;
    const hasMore = await trim(engine, storeQueueOf(queue), olderThanMs);
    isBusy ||= hasMore;
  }
  return isBusy;
}

async function sweepGraves(engine: Engine): Promise<boolean> {
  const nowMs = engine.parts.clock.nowMs();
  let isBusy = false;
  for await (const { id, createdMs } of documents(engine, GRAVES)) {
    const hasMore = await trim(engine, id, nowMs + 1);
    isBusy ||= hasMore;
    if (!hasMore && createdMs < nowMs - GRAVE_MS) await engine.commit({ deletes: [{ collection: GRAVES, id }] });
  }
  return isBusy;
}

async function trim({ parts: { store } }: Engine, queue: string, olderThanMs: number): Promise<boolean> {
  for (let step = 0; step < STEPS_MAX; step += 1) {
    if ((await store.trimJobs({ queue, olderThanMs, limit: STEP_ROWS })) < STEP_ROWS) return false;
  }
  return true;
}

async function* documents({ parts: { store } }: Engine, collection: string) {
  let after: string | null = null;
  for (;;) {
    const page: Awaited<ReturnType<typeof store.listDocuments>> = await store.listDocuments({
      collection,
      after,
      limit: PAGE_ROWS,
    });
    yield* page;
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE_ROWS) return;
  }
}
