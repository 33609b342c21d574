import { assertBlobId } from "#domain/blob-id.ts";
import { invariant } from "#domain/invariant.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";

/** Blobs for tests and the simulation; gone with the process. Pages are in the order of ids. */
export function openMemoryBlobStore({ clock }: { readonly clock: Clock }): BlobStore {
  const blobs = new Map<string, { readonly bytes: Uint8Array; readonly writtenMs: number }>();
  return {
    async put(id, bytes) {
      assertBlobId(id);
      invariant(!blobs.has(id), `the blob ${id} exists already`);
      blobs.set(id, { bytes: bytes.slice(), writtenMs: clock.nowMs() });
    },
    async get(id) {
      assertBlobId(id);
      return blobs.get(id)?.bytes.slice() ?? null;
    },
    async delete(ids) {
      ids.forEach(assertBlobId);
      for (const id of ids) blobs.delete(id);
    },
    async list(beforeMs, limit, after) {
      return [...blobs]
        .filter(([id, { writtenMs }]) => writtenMs < beforeMs && (after === null || id > after))
        .map(([id]) => id)
        .toSorted()
        .slice(0, limit);
    },
    async [Symbol.asyncDispose]() {},
  };
}
