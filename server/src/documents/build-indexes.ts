import type { Document, DocumentPut } from "#domain/document.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import { COLLECTIONS, type CollectionBody } from "#documents/collections.ts";
import { bodyOf } from "#documents/desk.ts";
import { storeCollection } from "#documents/names.ts";
import { termsOf } from "#documents/terms.ts";

/** How often it is looked whether an index is to be built. */
const ROUND_MS = 1_000;
/** Documents of one step, which is one commit. */
const STEP = 200;

/**
 * Gives documents that were there before an index was declared its terms, until the engine stops. A step and how far it is are
 * one commit; a document that somebody changes meanwhile has its terms from that.
 * @param leads one node is enough for it.
 */
export async function keepIndexes(engine: Engine, leads: () => boolean): Promise<void> {
  const { clock, log } = engine.parts;
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted || !leads()) continue;
    try {
      await buildIndexes(engine);
    } catch (fault) {
      log.warn("Indexes of documents could not be built; trying again", { error: errorText(fault) });
    }
  }
}

/** One round: all collections that have an index to build, to their end. */
export async function buildIndexes(engine: Engine): Promise<void> {
  const { store } = engine.parts;
  const collections = await store.listDocuments({ collection: COLLECTIONS, limit: 1_000 });
  for (const document of collections) {
    for (let at: Document | null = document; at !== null && !engine.signal.aborted; ) at = await step(engine, at);
  }
}

/** @returns the collection as it is now; null: it is built. */
async function step(engine: Engine, document: Document): Promise<Document | null> {
  const { store, clock } = engine.parts;
  const body = bodyOf(document);
  if (body.indexes.every((path) => body.built.includes(path))) return null;
  const collection = storeCollection(document.id);
  const page = await store.listDocuments({ collection, after: body.cursor, limit: STEP });
  const nowMs = clock.nowMs();
  const puts = page.map((one): DocumentPut => {
    // Only objects are put.
    const terms = termsOf(JSON.parse(one.body) as JsonObject, body.indexes);
    return { collection, id: one.id, body: one.body, terms, when: "always", nowMs };
  });
  const next: CollectionBody =
    page.length < STEP
      ? { ...body, built: body.indexes, cursor: null }
      : { ...body, cursor: page.at(-1)?.id ?? body.cursor };
  const key = { collection: COLLECTIONS, id: document.id };
  const verdict = await engine.commit({
    expect: [{ ...key, version: document.version }, ...page.map(({ id, version }) => ({ collection, id, version }))],
    puts: [...puts, { ...key, body: JSON.stringify(next), when: "always", nowMs }],
  });
  // Somebody changed one of them, or the declaration: from where it is now.
  const [now = null] = await store.documents([key]);
  return verdict.kind === "committed" && page.length < STEP ? null : now;
}
