import type { RequestId } from "#domain/ids.ts";
import { isJsonObject, type Json } from "#domain/json.ts";
import { INLINE_FIELD_BYTES_MAX } from "#domain/limits.ts";
import type { SendMessage } from "#domain/notification.ts";
import { fileBlob, type InlineFile, readBlobNames, renameBlobs } from "#pipeline/attachments.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Effects } from "#ports/store.ts";

/** Where a field that was too large to keep in the row lies instead: `{"$blob": id}`. */
const BLOB_REFERENCE = "$blob";

/**
 * The blob that holds a field of this request; null for a field that is there itself. Whoever writes such a reference
 * into a call cannot know the id that the call will get, so theirs is a value like any other.
 */
export function fieldBlobOf(value: Json, owner: RequestId): string | null {
  const blob = isJsonObject(value) ? value[BLOB_REFERENCE] : undefined;
  return typeof blob === "string" && blob.startsWith(fieldBlobs(owner)) ? blob : null;
}

function fieldBlobs(owner: RequestId): string {
  return `${owner}-f`;
}

/** A request as its row keeps it, and the blobs that its commit must name. */
export type CheckedIn = { readonly body: string; readonly blobs: NonNullable<Effects["blobs"]> };

/**
 * Puts files and fields over the inline limit into the blob store, before the commit that names them: a crash in
 * between leaves orphans, which are collected.
 * @param given `text` is the request as it came; it is kept as it is if nothing had to be taken out of it.
 */
export async function checkIn(
  blobs: BlobStore,
  given: {
    readonly id: RequestId;
    readonly message: SendMessage;
    readonly files: readonly InlineFile[];
    readonly text: string | null;
  },
): Promise<CheckedIn> {
  const fields: InlineFile[] = [];
  const kept: Record<string, Json> = {};
  for (const [field, value] of Object.entries(given.message)) {
    const text = JSON.stringify(value);
    if (text.length <= INLINE_FIELD_BYTES_MAX) {
      kept[field] = value;
      continue;
    }
    const blob = `${fieldBlobs(given.id)}${fields.length}`;
    fields.push({ blob, bytes: new TextEncoder().encode(text) });
    kept[field] = { [BLOB_REFERENCE]: blob };
  }
  const written = [...given.files, ...fields];
  for (const { blob, bytes } of written) await blobs.put(blob, bytes);
  return {
    body: given.text !== null && fields.length === 0 ? given.text : JSON.stringify({ message: kept }),
    blobs: written.map(({ blob, bytes }) => ({ id: blob, bytes: bytes.length, owner: given.id })),
  };
}

/** The same message for another request, with blobs of its own: the original may be forgotten before it. */
export async function copyFor(
  blobs: BlobStore,
  id: RequestId,
  { id: from, message }: { readonly id: RequestId; readonly message: SendMessage },
): Promise<CheckedIn & { readonly message: SendMessage }> {
  const names = new Map<string, string>();
  const files: InlineFile[] = [];
  for (const blob of readBlobNames(message, from)) {
    const bytes = await blobs.get(blob);
    if (bytes === null || names.has(blob)) continue;
    const own = fileBlob(id, files.length);
    names.set(blob, own);
    files.push({ blob: own, bytes });
  }
  const own = files.length === 0 ? message : renameBlobs(message, (blob) => names.get(blob) ?? blob);
  return { message: own, ...(await checkIn(blobs, { id, message: own, files, text: null })) };
}
