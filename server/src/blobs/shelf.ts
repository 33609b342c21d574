/**
 * Files by name: whoever puts one is answered when it is kept, and what it starts begins in the same commit.
 *
 *     bytes ──▶ blob store ──▶ one commit: the name, that the bytes are named, `blob.put`, what listeners add ──▶ kept
 *
 * If the process dies before the commit, the bytes are an orphan, which the collector takes. What was replaced or deleted stays
 * readable for a day, for whoever was started by it (`forgetting.ts`).
 */
import { contentTypeFlaw, nameFlaw } from "#blobs/names.ts";
import { forgetPut } from "#blobs/forgetting.ts";
import type { Document, DocumentKey } from "#domain/document.ts";
import type { Changed } from "#engine/change.ts";
import { CHANGE_TRIES_MAX, happened, type Origin, refused, unchanged } from "#engine/change.ts";
import type { Draft, DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import type { BlobStore } from "#ports/blob-store.ts";

/** Collection of files: id = name, body = `BlobBody`. */
export const BLOBS = "blobs-by-name";
/** Own events: a file was put (the first time or anew), and one was deleted. */
export const BLOB_PUT = "blob.put";
export const BLOB_DELETED = "blob.deleted";

/** Bytes of one file: what an attachment may have as well, since both are in memory while they come. */
export const BLOB_BYTES_MAX = 20 * 1024 * 1024;

type BlobBody = {
  readonly blobId: string;
  readonly bytes: number;
  readonly contentType: string;
  /** Hex. */
  readonly sha256: string;
  readonly createdMs: number;
};

/** `blobId`: of these bytes; another put of the same name has another one. */
export type StoredBlob = BlobBody & { readonly name: string; readonly updatedMs: number };

export type NewBlob = { readonly name: string; readonly bytes: Uint8Array; readonly contentType: string };

/** `only`: refused when the name is taken already. */
export type PutWish = { readonly only: boolean; readonly origin: Origin };

/**
 * Says what is to be committed together with a file; asked anew when somebody else was faster. What it throws is thrown at who
 * puts, and nothing is kept. `traceparent`: of the put.
 */
export type BlobListener = (blob: StoredBlob, traceparent: string | null) => DraftEffects | Promise<DraftEffects>;

export type BlobsPage = { readonly blobs: readonly StoredBlob[]; readonly next: string | null };

export type ShelfHouse = {
  readonly engine: Engine;
  readonly blobs: BlobStore;
  /** SHA-256 of bytes, in hex. */
  readonly sha256: (bytes: Uint8Array) => string | Promise<string>;
};

/** Bytes of chance in a blob's id. */
const ID_BYTES = 16;

export class Shelf {
  readonly #house: ShelfHouse;
  readonly #listeners = new Set<BlobListener>();

  constructor(house: ShelfHouse) {
    this.#house = house;
  }

  /** @returns how to stop. What is being put at that moment may still be told. */
  onPut(listener: BlobListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Keeps a file, in place of the one of this name. Resolves when it is durable, with all that listeners added.
   * @throws {StoreFault} when bytes or name cannot be kept now; nothing is.
   */
  async put(
    { name, bytes, contentType }: NewBlob,
    { only, origin }: PutWish,
  ): Promise<Changed<{ readonly blob: StoredBlob; readonly isNew: boolean }>> {
    const flaw = nameFlaw(name) ?? contentTypeFlaw(contentType);
    if (flaw !== null) return refused("request.invalid", flaw);
    if (bytes.length > BLOB_BYTES_MAX) return refused("request.too_large", TOO_LARGE);
    const { engine, blobs, sha256 } = this.#house;
    const key: DocumentKey = { collection: BLOBS, id: name };
    let before = await this.#read(key);
    if (only && before !== null) return taken(name);
    const blobId = `named-${engine.parts.dice.hex(ID_BYTES)}`;
    await blobs.put(blobId, bytes);
    const facts = { blobId, bytes: bytes.length, contentType, sha256: await sha256(bytes) };
    for (let tries = 0; tries < CHANGE_TRIES_MAX; tries += 1) {
      const { draft, blob } = await this.#draft(key, before, facts, origin);
      const verdict = await engine.submit(draft);
      if (verdict.kind === "committed") return { kind: "done", value: { blob, isNew: before === null } };
      if (verdict.kind === "stale") {
        before = await this.#read(key);
        if (!only || before === null) continue;
        await this.#discard(blobId);
        return taken(name);
      }
      await this.#discard(blobId);
      if (verdict.kind === "overloaded" || verdict.kind === "repeated") return verdict;
      throw new Error(`broken invariant: a put without a job was answered with ${verdict.kind}`);
    }
    await this.#discard(blobId);
    return refused("conflict.changed", CONTESTED);
  }

  async find(name: string): Promise<StoredBlob | null> {
    if (nameFlaw(name) !== null) return null;
    const document = await this.#read({ collection: BLOBS, id: name });
    return document === null ? null : blobOf(document);
  }

  /** The bytes of a file as it was found; null when they are gone. */
  async read({ blobId }: Pick<StoredBlob, "blobId">): Promise<Uint8Array | null> {
    return await this.#house.blobs.get(blobId);
  }

  /** By name in code point order, strictly behind `after`. `next`: behind which name the next page begins; null at the end. */
  async list(prefix: string, after: string | null, limit: number): Promise<BlobsPage> {
    const { store } = this.#house.engine.parts;
    const found = await store.listDocuments({ collection: BLOBS, prefix, after, limit: limit + 1 });
    const blobs = found.slice(0, limit).map(blobOf);
    return { blobs, next: found.length > limit ? (blobs.at(-1)?.name ?? null) : null };
  }

  /** False when there was none. */
  async delete(name: string, origin: Origin): Promise<Changed<boolean>> {
    const { engine } = this.#house;
    const key: DocumentKey = { collection: BLOBS, id: name };
    for (let tries = 0; tries < CHANGE_TRIES_MAX; tries += 1) {
      const before = nameFlaw(name) === null ? await this.#read(key) : null;
      if (before === null) return { kind: "done", value: false };
      const nowMs = engine.parts.clock.nowMs();
      const verdict = await engine.submit({
        expect: [unchanged(key, before)],
        deletes: [key],
        puts: [forgetPut(bodyOf(before).blobId, nowMs)],
        events: [happened(BLOB_DELETED, subjectOf(name), { name }, { nowMs, origin })],
      });
      if (verdict.kind === "committed") return { kind: "done", value: true };
      if (verdict.kind === "overloaded") return verdict;
      if (verdict.kind !== "stale") throw new Error(`broken invariant: a delete was answered with ${verdict.kind}`);
    }
    return refused("conflict.changed", CONTESTED);
  }

  /** What to commit for a file, as long as its name stands where it stood. */
  async #draft(
    key: DocumentKey,
    before: Document | null,
    facts: Omit<BlobBody, "createdMs">,
    origin: Origin,
  ): Promise<{ readonly draft: Draft; readonly blob: StoredBlob }> {
    const nowMs = this.#house.engine.parts.clock.nowMs();
    const name = key.id;
    const body: BlobBody = { ...facts, createdMs: before === null ? nowMs : bodyOf(before).createdMs };
    const blob: StoredBlob = { ...body, name, updatedMs: nowMs };
    const { bytes, contentType, sha256, blobId } = facts;
    const own: DraftEffects = {
      puts: [
        { ...key, body: JSON.stringify(body), when: "always", nowMs },
        ...(before === null ? [] : [forgetPut(bodyOf(before).blobId, nowMs)]),
      ],
      blobs: [{ id: blobId, bytes, owner: BLOBS }],
      events: [happened(BLOB_PUT, subjectOf(name), { name, bytes, contentType, sha256 }, { nowMs, origin })],
    };
    const theirs = await Promise.all(
      [...this.#listeners].map(async (listener) => await listener(blob, origin.traceparent)),
    );
    const once = origin.once === null ? {} : { once: origin.once };
    return { draft: { ...joined([own, ...theirs]), ...once, expect: [unchanged(key, before)] }, blob };
  }

  async #read(key: DocumentKey): Promise<Document | null> {
    const [document = null] = await this.#house.engine.parts.store.documents([key]);
    return document;
  }

  /** Takes back bytes that no commit has named. What cannot be taken back now is an orphan, as after a crash. */
  async #discard(blobId: string): Promise<void> {
    try {
      await this.#house.blobs.delete([blobId]);
    } catch (fault) {
      const { log } = this.#house.engine.parts;
      log.warn("A file that was not kept could not be deleted; the collector will", { error: errorText(fault) });
    }
  }
}

const TOO_LARGE = `A file has at most ${BLOB_BYTES_MAX / (1024 * 1024)} MB.`;
const CONTESTED = "Others kept putting it at the same time.";

function taken(name: string) {
  return refused("conflict.exists", `There is a file ${name} already.`);
}

function subjectOf(name: string): string {
  return `blob:${name}`;
}

/** All of several effects; each member is a list. */
function joined(parts: readonly DraftEffects[]): DraftEffects {
  const lists: Record<string, readonly unknown[]> = {};
  for (const part of parts) {
    for (const [kind, rows] of Object.entries(part)) lists[kind] = [...(lists[kind] ?? []), ...rows];
  }
  // Lists of one kind were joined, so each is of its kind.
  return lists as DraftEffects;
}

function blobOf(document: Document): StoredBlob {
  return { name: document.id, ...bodyOf(document), updatedMs: document.updatedMs };
}

function bodyOf({ body }: Document): BlobBody {
  // Only the shelf writes there.
  return JSON.parse(body) as BlobBody;
}
