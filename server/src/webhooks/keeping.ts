import type { DocumentKey } from "#domain/document.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import { DELIVERIES, logPrefix, PAYLOADS } from "#webhooks/delivery.ts";
import { WEBHOOK_TRASH, WEBHOOKS } from "#webhooks/endpoint.ts";
import { LOG_AGE_MS_MAX, LOG_DELIVERIES_MAX } from "#webhooks/limits.ts";

/** How often logs are looked through. */
const ROUND_MS = 60_000;
/** Lines that are read, or deleted, at once. */
const STEP_LINES = 250;
/** How long it is looked whether something came behind a deleted endpoint. */
const TRASH_MS = 24 * 60 * 60 * 1_000;
/** Endpoints in one page. */
const STEP_ENDPOINTS = 250;

/**
 * Forgets deliveries that are too old or too many, and those of endpoints that were deleted. Runs until the engine stops.
 * @param leads one node is enough for it.
 */
export async function keepLogs(engine: Engine, leads: () => boolean): Promise<void> {
  const { clock, log } = engine.parts;
  const tidied: Tidied = new Map();
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted || !leads()) continue;
    try {
      await tidyLogs(engine, tidied);
    } catch (fault) {
      log.warn("The logs of webhooks could not be tidied; trying again later", { error: errorText(fault) });
    }
  }
}

/** The newest line of each endpoint when it was last looked through: without a newer one there are not more. */
type Tidied = Map<string, string>;

/** One round. */
export async function tidyLogs(engine: Engine, tidied: Tidied = new Map()): Promise<void> {
  await emptyTrash(engine);
  const { store } = engine.parts;
  for (let after: string | null = null; !engine.signal.aborted; ) {
    const page: readonly DocumentKey[] = await store.listDocuments({
      collection: WEBHOOKS,
      after,
      limit: STEP_ENDPOINTS,
    });
    for (const { id } of page) if (!engine.signal.aborted) await tidyLog(engine, id, tidied);
    after = page.at(-1)?.id ?? null;
    if (page.length < STEP_ENDPOINTS) return;
  }
}

async function tidyLog(engine: Engine, id: string, tidied: Tidied): Promise<void> {
  const { store, clock } = engine.parts;
  const lines = { collection: DELIVERIES, prefix: logPrefix(id) };
  const [newest] = await store.listDocuments({ ...lines, limit: 1, order: "descending" });
  if (newest === undefined) return;
  const isNew = tidied.get(id) !== newest.id;
  const lastKept = isNew ? await lastKeptId(engine, id) : null;
  const oldMs = clock.nowMs() - LOG_AGE_MS_MAX;
  while (!engine.signal.aborted) {
    const oldest = await store.listDocuments({ ...lines, limit: STEP_LINES });
    const gone = oldest.filter(
      ({ id: line, updatedMs }) => updatedMs < oldMs || (lastKept !== null && line < lastKept),
    );
    await forget(engine, gone);
    if (gone.length < STEP_LINES) break;
  }
  tidied.set(id, newest.id);
}

/** The oldest line that may stay by number; null: all may. */
async function lastKeptId(engine: Engine, id: string): Promise<string | null> {
  const { store } = engine.parts;
  let after: string | null = null;
  for (let seen = 0; seen < LOG_DELIVERIES_MAX; seen += STEP_LINES) {
    const page: readonly DocumentKey[] = await store.listDocuments({
      collection: DELIVERIES,
      prefix: logPrefix(id),
      after,
      limit: STEP_LINES,
      order: "descending",
    });
    if (page.length < STEP_LINES) return null;
    after = page.at(-1)?.id ?? null;
  }
  return after;
}

/** Deleted endpoints: for a day, because a call that was under way may still write a line. */
async function emptyTrash(engine: Engine): Promise<void> {
  const { store, clock } = engine.parts;
  for (const { id, updatedMs } of await store.listDocuments({ collection: WEBHOOK_TRASH, limit: STEP_ENDPOINTS })) {
    if (engine.signal.aborted) return;
    const [again = null] = await store.documents([{ collection: WEBHOOKS, id }]);
    // One of this name was made anew: the log is its own.
    const clear =
      again === null ? [DELIVERIES, PAYLOADS].map((collection) => ({ collection, prefix: logPrefix(id) })) : [];
    const isOver = again !== null || updatedMs < clock.nowMs() - TRASH_MS;
    await engine.commit({ clear, deletes: isOver ? [{ collection: WEBHOOK_TRASH, id }] : [] });
  }
}

async function forget(engine: Engine, lines: readonly DocumentKey[]): Promise<void> {
  if (lines.length === 0) return;
  const deletes = lines.flatMap(({ id }) => [DELIVERIES, PAYLOADS].map((collection) => ({ collection, id })));
  await engine.commit({ deletes });
}
