import type { Document, DocumentExpectation, DocumentKey, DocumentPut } from "#domain/document.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { change, noChanges, type Origin, unchanged, write, type Changed, refused } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import { COLLECTIONS, type CollectionBody, declaredAnew } from "#documents/collections.ts";
import { collectionFlaw, idFlaw, indexesFlaw, storeCollection } from "#documents/names.ts";
import { isScalar, type Scalar, termOf, termsOf, valueAt } from "#documents/terms.ts";
import type { DeclaredCollection, EmittedDocument, ReadDocument, ReadQuery } from "#ports/function-host.ts";

/** Characters of JSON of one document. */
export const DOCUMENT_CHARS_MAX = 256 * 1024;
/** Documents of one page at most. */
export const DOCUMENTS_PAGE_MAX = 1_000;
/** Pages of the store that a query with several conditions goes through before it answers with what it has. */
const STEPS_MAX = 20;
/** How old what is known of collections may be that other nodes can have declared. */
const AGE_MS_MAX = 5_000;
const COLLECTIONS_MAX = 1_000;

/** A query that cannot be; its message is a sentence for whoever asked. */
export class QueryFault extends Error {
  override readonly name = "QueryFault";
}

/** What a handler's puts and deletes are to the store. */
export type DocumentChanges =
  | {
      readonly kind: "changes";
      readonly puts: readonly DocumentPut[];
      readonly deletes: readonly DocumentKey[];
      readonly expect: readonly DocumentExpectation[];
    }
  | { readonly kind: "refused"; readonly says: string };

export type StoredDocument = ReadDocument & { readonly createdMs: number };
export type DocumentsPage = { readonly documents: readonly StoredDocument[]; readonly next: string | null };
export type KnownCollection = CollectionBody & { readonly name: string };

/**
 * Users' documents: JSON objects by collection and id, with versions, found by declared indexes. They lie apart from all that
 * is ours. Every method may reject with a `StoreFault`.
 */
export class DocumentDesk {
  readonly #engine: Engine;
  #known = new Map<string, CollectionBody>();
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.onCommitted(({ puts = [], deletes = [] }) => {
      const isOurs = [...puts, ...deletes].some(({ collection }) => collection === COLLECTIONS);
      if (isOurs) this.#readMs = Number.NEGATIVE_INFINITY;
    });
  }

  /**
   * Makes known which indexes collections have. What is new is built in the background; until then a query by it is refused.
   * @throws {Error} with a sentence when one cannot be.
   */
  async declare(collections: readonly DeclaredCollection[]): Promise<void> {
    for (const { name, indexes } of collections) {
      const flaw = collectionFlaw(name) ?? indexesFlaw(indexes);
      if (flaw !== null) throw new Error(flaw);
      const key = { collection: COLLECTIONS, id: name };
      const { store, clock } = this.#engine.parts;
      const done = await change<null>(this.#engine, async () => {
        const [document = null] = await store.documents([key]);
        const next = declaredAnew(document === null ? null : bodyOf(document), indexes);
        const changes = noChanges();
        if (next === null) return write(changes, null);
        // Documents that were put before anybody declared the collection have no terms.
        const isEmpty = (await store.listDocuments({ collection: storeCollection(name), limit: 1 })).length === 0;
        const body = JSON.stringify(document === null && !isEmpty ? { ...next, built: [] } : next);
        changes.expect.push(unchanged(key, document));
        changes.puts.push({ ...key, body, when: "always", nowMs: clock.nowMs() });
        return write(changes, null);
      });
      if (done.kind !== "done") throw new Error(`The collection ${name} cannot be declared: ${done.kind}`);
    }
    await this.#refresh(true);
  }

  async collections(): Promise<readonly KnownCollection[]> {
    await this.#refresh(false);
    return [...this.#known].map(([name, body]) => ({ name, ...body }));
  }

  /** To be committed together with the end of a call. By what is known of indexes here and now. */
  changesOf(changes: readonly EmittedDocument[], nowMs: number): DocumentChanges {
    const puts: DocumentPut[] = [];
    const deletes: DocumentKey[] = [];
    const expect: DocumentExpectation[] = [];
    for (const { collection: name, id, body, version } of changes) {
      const says = collectionFlaw(name) ?? idFlaw(id);
      if (says !== null) return { kind: "refused", says: `documents: ${says}` };
      const key = { collection: storeCollection(name), id };
      if (version !== null) expect.push({ ...key, version });
      if (body === null) deletes.push(key);
      else puts.push(this.#put(name, id, body, nowMs));
    }
    return { kind: "changes", puts, deletes, expect };
  }

  async read(keys: readonly DocumentKey[]): Promise<readonly (ReadDocument | null)[]> {
    const flaw = keys
      .map(({ collection, id }) => collectionFlaw(collection) ?? idFlaw(id))
      .find((says) => says !== null);
    if (flaw !== undefined) throw new Error(flaw);
    const stored = keys.map(({ collection, id }) => ({ collection: storeCollection(collection), id }));
    const documents = await this.#engine.parts.store.documents(stored);
    return documents.map((document) => (document === null ? null : shown(document)));
  }

  async get(collection: string, id: string): Promise<StoredDocument | null> {
    const [document = null] = await this.#engine.parts.store.documents([
      { collection: storeCollection(collection), id },
    ]);
    return document === null ? null : shown(document);
  }

  /**
   * Puts a document whole.
   * @param version it must have; 0: it must not be there; null: whatever is there is replaced.
   */
  async put(
    at: DocumentKey,
    value: JsonObject,
    { version, origin }: { readonly version: number | null; readonly origin: Origin },
  ): Promise<Changed<{ readonly document: StoredDocument; readonly isNew: boolean }>> {
    const body = JSON.stringify(value);
    const flaw = collectionFlaw(at.collection) ?? idFlaw(at.id) ?? sizeFlaw(body);
    if (flaw !== null) return refused("request.invalid", flaw);
    await this.#refresh(false);
    const { store, clock } = this.#engine.parts;
    const key = { collection: storeCollection(at.collection), id: at.id };
    return await change(
      this.#engine,
      async () => {
        const [before = null] = await store.documents([key]);
        if (version !== null && version !== (before?.version ?? 0))
          return refused("conflict.changed", changedBy(before));
        const nowMs = clock.nowMs();
        const changes = noChanges();
        changes.expect.push(unchanged(key, before));
        changes.puts.push(this.#put(at.collection, at.id, body, nowMs));
        const next = { id: at.id, body, version: (before?.version ?? 0) + 1, updatedMs: nowMs };
        return write(changes, { document: { ...next, createdMs: before?.createdMs ?? nowMs }, isNew: before === null });
      },
      origin,
    );
  }

  /** False when there was none. */
  async delete(
    at: DocumentKey,
    { version, origin }: { readonly version: number | null; readonly origin: Origin },
  ): Promise<Changed<boolean>> {
    const { store } = this.#engine.parts;
    const key = { collection: storeCollection(at.collection), id: at.id };
    return await change(
      this.#engine,
      async () => {
        const [before = null] = await store.documents([key]);
        if (version !== null && version !== (before?.version ?? 0))
          return refused("conflict.changed", changedBy(before));
        const changes = noChanges();
        if (before === null) return write(changes, false);
        changes.expect.push(unchanged(key, before));
        changes.deletes.push(key);
        return write(changes, true);
      },
      origin,
    );
  }

  /**
   * By id, all that fit every condition. Looks at a bounded number: a page may be short, even empty, although there is a next.
   * @throws {Error} with a sentence when a condition's field is no index, or one that is still being built.
   */
  async query({ collection, where, prefix, after, limit }: ReadQuery): Promise<DocumentsPage> {
    const conditions = await this.#conditions(collection, where);
    const [first, ...others] = conditions;
    const { store } = this.#engine.parts;
    const found: Document[] = [];
    let behind = after;
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const page: readonly Document[] = await store.listDocuments({
        collection: storeCollection(collection),
        prefix,
        after: behind,
        limit: limit + 1,
        ...(first === undefined ? {} : { term: first.term }),
      });
      for (const document of page.slice(0, limit)) {
        behind = document.id;
        if (others.every(({ path, value }) => valueAt(valueOf(document), path) === value)) found.push(document);
        if (found.length === limit) break;
      }
      const isEnd = page.length <= limit && behind === (page.at(-1)?.id ?? behind);
      if (isEnd) return { documents: found.map(shown), next: null };
      if (found.length === limit) break;
    }
    return { documents: found.map(shown), next: behind };
  }

  async #conditions(collection: string, where: JsonObject) {
    const flaw = collectionFlaw(collection);
    if (flaw !== null) throw new QueryFault(flaw);
    const asked = Object.entries(where);
    if (asked.length > 0) await this.#refresh(false);
    const known = this.#known.get(collection);
    return asked.map(([path, value]) => {
      if (known?.indexes.includes(path) !== true) {
        const has = known === undefined || known.indexes.length === 0 ? "none" : known.indexes.join(", ");
        throw new QueryFault(
          `${collection} has no index ${path} (it has ${has}): declare it with collection("${collection}", { indexes: ["${path}"] }).`,
        );
      }
      if (!known.built.includes(path))
        throw new QueryFault(`The index ${path} of ${collection} is being built; try again in a moment.`);
      return condition(path, value);
    });
  }

  #put(name: string, id: string, body: string, nowMs: number): DocumentPut {
    const indexes = this.#known.get(name)?.indexes ?? [];
    // Both doors take objects only.
    const terms = indexes.length === 0 ? [] : termsOf(JSON.parse(body) as JsonObject, indexes);
    return { collection: storeCollection(name), id, body, terms, when: "always", nowMs };
  }

  async #refresh(isDue: boolean): Promise<void> {
    const { store, clock } = this.#engine.parts;
    const ageMs = clock.monotonicMs() - this.#readMs;
    if (!isDue && (ageMs < AGE_MS_MAX || (!store.can.manyNodes && Number.isFinite(ageMs)))) return;
    this.#readMs = clock.monotonicMs();
    const documents = await store.listDocuments({ collection: COLLECTIONS, limit: COLLECTIONS_MAX });
    this.#known = new Map(documents.map((document) => [document.id, bodyOf(document)]));
  }
}

function condition(
  path: string,
  value: Json | undefined,
): { readonly path: string; readonly value: Scalar; readonly term: readonly [string, string] } {
  const term = isScalar(value) ? termOf(path, value) : null;
  if (!isScalar(value) || term === null)
    throw new QueryFault(
      `An index is asked for a text of at most 256 characters, a number, or true or false; ${path} is none of these.`,
    );
  return { path, value, term };
}

function shown({ id, body, version, createdMs, updatedMs }: Document): StoredDocument {
  return { id, body, version, createdMs, updatedMs };
}

function valueOf({ body }: Document): JsonObject {
  // Only objects are put.
  const value = JSON.parse(body) as Json;
  return isJsonObject(value) ? value : {};
}

export function bodyOf({ body }: Document): CollectionBody {
  // Only the desk and what builds indexes write there.
  return JSON.parse(body) as CollectionBody;
}

function sizeFlaw(body: string): string | null {
  return body.length <= DOCUMENT_CHARS_MAX
    ? null
    : `The document has ${body.length} characters of JSON; at most ${DOCUMENT_CHARS_MAX}. Put large things to /blobs.`;
}

function changedBy(before: Document | null): string {
  return before === null
    ? "There is no such document."
    : `The document has version ${before.version} by now; read it again.`;
}
