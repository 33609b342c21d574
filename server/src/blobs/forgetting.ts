import type { DocumentPut } from "#domain/document.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";

/** Bytes that no name has any more: id = when, and the blob's id. */
const UNNAMED = "blobs-unnamed";
/** How long what was started by a file may read it after it was replaced or deleted. */
export const KEPT_MS = 24 * 60 * 60 * 1_000;
const ROUND_MS = 60_000;
const STEP = 200;

/** To be committed with the change that takes the name from them. */
export function forgetPut(blobId: string, nowMs: number): DocumentPut {
  const id = `${Math.floor(nowMs).toString(36).padStart(9, "0")}-${blobId}`;
  return { collection: UNNAMED, id, body: JSON.stringify({ blobId }), when: "always", nowMs };
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

/** One round, in steps of one commit. */
export async function forgetOld(engine: Engine): Promise<void> {
  const { store, clock } = engine.parts;
  const oldMs = clock.nowMs() - KEPT_MS;
  while (!engine.signal.aborted) {
    const page = await store.listDocuments({ collection: UNNAMED, limit: STEP });
    const old = page.filter(({ updatedMs }) => updatedMs < oldMs);
    if (old.length > 0) {
      // Only `forgetPut` writes there.
      const unnamed = old.map(({ body }) => (JSON.parse(body) as { blobId: string }).blobId);
      await engine.commit({ unnamed, deletes: old.map(({ id }) => ({ collection: UNNAMED, id })) });
    }
    if (old.length < STEP) return;
  }
}
