/**
 * Files by name: whoever puts one is answered when it is kept, and what it starts begins in the same commit.
 *
 *     bytes ──▶ blob store ──▶ commit { the name, that the bytes are named, what listeners add, `blob.put` } ──▶ kept
 *
 * If the process dies before the commit, the bytes are an orphan, which the collector takes. What was replaced or deleted stays
 * readable for a day, for whoever was started by it (`forgetting.ts`).
 */
import type { Document } from "#domain/document.ts";
import type { Changed } from "#engine/change.ts";
import { happened, type Origin, refused, unchanged } from "#engine/change.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { forgetPut } from "#blobs/forgetting.ts";
import { nameFlaw } from "#blobs/names.ts";
import type { BlobStore } from "#ports/blob-store.ts";

/** Collection of files: id = name, body = {@link BlobBody}. */
export const BLOBS = "blobs-by-name";

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

export type StoredBlob = BlobBody & { readonly name: string; readonly updatedMs: number };

export type NewBlob = { readonly name: string; readonly bytes: Uint8Array; readonly contentType: string };

/** `only`: refused when the name is taken already. */
export type PutWish = { readonly only: boolean; readonly origin: Origin };

export type ShelfHouse = {
  readonly engine: Engine;
  readonly blobs: BlobStore;
  /** SHA-256 of bytes, in hex. */
  readonly sha256: (bytes: Uint8Array) => string;
};

/** Bytes of chance in a blob's id. */
const ID_BYTES = 16;
/** How often a put is decided anew because somebody else put the same name. */
const TRIES_MAX = 16;

export class Shelf {
  readonly #house: ShelfHouse;
  readonly #listeners: ((blob: StoredBlob, traceparent: string | null) => DraftEffects | Promise<DraftEffects>)[] = [];

  constructor(house: ShelfHouse) {
    this.#house = house;
  }

  /** The jobs that it answers for a file are committed together with that. */
  onPut(listener: (blob: StoredBlob, traceparent: string | null) => DraftEffects | Promise<DraftEffects>): void {
    this.#listeners.push(listener);
  }

  /** @throws {StoreFault} when the store cannot commit now; nothing is kept. */
  async put(
    { name, bytes, contentType }: NewBlob,
    { only, origin }: PutWish,
  ): Promise<Changed<{ readonly blob: StoredBlob; readonly isNew: boolean }>> {
    const flaw = nameFlaw(name);
    if (flaw !== null) return refused("request.invalid", flaw);
    const { engine, blobs, sha256 } = this.#house;
    const { dice, clock, store } = engine.parts;
    const blobId = `named-${dice.hex(ID_BYTES)}`;
    const key = { collection: BLOBS, id: name };
    await blobs.put(blobId, bytes);
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const [before = null] = await store.documents([key]);
      if (only && before !== null) {
        await blobs.delete([blobId]);
        return refused("conflict.exists", `There is a file ${name} already.`);
      }
      const nowMs = clock.nowMs();
      const createdMs = before === null ? nowMs : bodyOf(before).createdMs;
      const body: BlobBody = { blobId, bytes: bytes.length, contentType, sha256: sha256(bytes), createdMs };
      const blob: StoredBlob = { name, ...body, updatedMs: nowMs };
      const parts = await Promise.all(this.#listeners.map((listener) => listener(blob, origin.traceparent)));
      const told = { name, bytes: body.bytes, contentType, sha256: body.sha256 };
      const verdict = await engine.submit({
        expect: [unchanged(key, before)],
        puts: [
          { ...key, body: JSON.stringify(body), when: "always", nowMs },
          ...(before === null ? [] : [forgetPut(bodyOf(before).blobId, nowMs)]),
        ],
        blobs: [{ id: blobId, bytes: bytes.length, owner: BLOBS }],
        jobs: parts.flatMap(({ jobs = [] }) => jobs),
        events: [happened("blob.put", `blob:${name}`, told, { nowMs, origin })],
        ...(origin.once === null ? {} : { once: origin.once }),
      });
      if (verdict.kind === "committed") return { kind: "done", value: { blob, isNew: before === null } };
      if (verdict.kind === "stale") continue;
      await blobs.delete([blobId]);
      if (verdict.kind === "overloaded" || verdict.kind === "repeated") return verdict;
      throw new Error(`broken invariant: a put without a job was answered with ${verdict.kind}`);
    }
    await blobs.delete([blobId]);
    return refused("conflict.changed", "Others kept putting it at the same time.");
  }

  async find(name: string): Promise<StoredBlob | null> {
    const [document = null] = await this.#house.engine.parts.store.documents([{ collection: BLOBS, id: name }]);
    return document === null ? null : blobOf(document);
  }

  /** Null when it is gone. */
  async read({ blobId }: StoredBlob): Promise<Uint8Array | null> {
    return await this.#house.blobs.get(blobId);
  }

  /** By name, strictly behind `after`. */
  async list(
    prefix: string,
    after: string | null,
    limit: number,
  ): Promise<{ readonly blobs: readonly StoredBlob[]; readonly next: string | null }> {
    const { store } = this.#house.engine.parts;
    const found = await store.listDocuments({ collection: BLOBS, prefix, after, limit: limit + 1 });
    const blobs = found.slice(0, limit).map(blobOf);
    return { blobs, next: found.length > limit ? (blobs.at(-1)?.name ?? null) : null };
  }

  /** False when there was none. */
  async delete(name: string, origin: Origin): Promise<Changed<boolean>> {
    const { store, clock } = this.#house.engine.parts;
    const key = { collection: BLOBS, id: name };
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const [before = null] = await store.documents([key]);
      if (before === null) return { kind: "done", value: false };
      const nowMs = clock.nowMs();
      const verdict = await this.#house.engine.submit({
        expect: [unchanged(key, before)],
        deletes: [key],
        puts: [forgetPut(bodyOf(before).blobId, nowMs)],
        events: [happened("blob.deleted", `blob:${name}`, { name }, { nowMs, origin })],
      });
      if (verdict.kind === "committed") return { kind: "done", value: true };
      if (verdict.kind === "overloaded") return verdict;
    }
    return refused("conflict.changed", "Others kept putting it at the same time.");
  }
}

function blobOf(document: Document): StoredBlob {
  return { name: document.id, ...bodyOf(document), updatedMs: document.updatedMs };
}

function bodyOf({ body }: Document): BlobBody {
  // Only the shelf writes there.
  return JSON.parse(body) as BlobBody;
}
