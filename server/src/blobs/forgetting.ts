/**
 * What becomes of the bytes of a file that was replaced or deleted:
 *
 *     named ──put, delete──▶ noted ──a day──▶ unnamed ──the collector (engine/upkeep.ts)──▶ gone
 *
 * The note is committed with the change that takes the name away, so no crash can leave bytes that nobody will forget.
 */
import type { DocumentPut } from "#domain/document.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";

/** Bytes that no name has any more: id = when and which, body = `Unnamed`. */
export const UNNAMED = "blobs-unnamed";
type Unnamed = { readonly blobId: string };

/** How long what was started by a file may read it after it was replaced or deleted. */
export const KEPT_MS = 24 * 60 * 60 * 1_000;
const ROUND_MS = 60_000;
/** Rows of one commit, so that nobody waits behind it. */
const STEP = 200;
/** Steps of a round: 24,000 files a minute; what is left is for the next. */
const STEPS_MAX = 120;
/** Digits in base 36 of a time in milliseconds, until the year 5188. */
const TIME_DIGITS = 9;

/** To be committed with the change that takes the name from them. */
export function forgetPut(blobId: string, nowMs: number): DocumentPut {
  const id = `${Math.floor(nowMs).toString(36).padStart(TIME_DIGITS, "0")}-${blobId}`;
  return { collection: UNNAMED, id, body: JSON.stringify({ blobId } satisfies Unnamed), when: "always", nowMs };
}

/** Forgets them after a day, until the engine stops. @param leads one node is enough for it. */
export async function keepBlobs(engine: Engine, leads: () => boolean): Promise<void> {
  const { clock, log } = engine.parts;
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted || !leads()) continue;
    try {
      await forgetOld(engine);
    } catch (fault) {
      log.warn("Files that were replaced could not be forgotten; trying again later", { error: errorText(fault) });
    }
  }
}

/** One round, in steps of one commit. Harmless when two nodes do it at once. */
export async function forgetOld(engine: Engine): Promise<void> {
  const { store, clock } = engine.parts;
  for (let step = 0; step < STEPS_MAX && !engine.signal.aborted; step += 1) {
    const oldMs = clock.nowMs() - KEPT_MS;
    // The oldest come first.
    const page = await store.listDocuments({ collection: UNNAMED, limit: STEP });
    const old = page.filter(({ updatedMs }) => updatedMs < oldMs);
    if (old.length > 0) {
      // Only `forgetPut` writes there.
      const unnamed = old.map(({ body }) => (JSON.parse(body) as Unnamed).blobId);
      await engine.commit({ unnamed, deletes: old.map(({ id }) => ({ collection: UNNAMED, id })) });
    }
    if (old.length < STEP) return;
  }
}
