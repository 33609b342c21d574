import type { BlobListener, StoredBlob } from "#blobs/shelf.ts";
import type { Document } from "#domain/document.ts";
import type { NewJob } from "#domain/job.ts";
import type { Engine } from "#engine/engine.ts";

/** Queues of files for functions begin so; behind it comes the function's name. */
export const BLOB_QUEUE = "blob:";
/** Who listens: id = the function's name, body = `Listener`. */
export const BLOB_LISTENERS = "function_blobs";
/** Functions that listen; more than a folder holds. */
export const LISTENERS_MAX = 1_000;

export type Listener = { readonly prefix: string };

/** What a job says of the file that it is for. */
export type FilePayload = Pick<StoredBlob, "name" | "bytes" | "contentType" | "sha256" | "blobId">;

/**
 * Makes a job for each function that listens to files of a name, in the commit of the put. On every node that takes files: who
 * listens lies in the store. Throws `StoreFault`; then the file is not kept.
 */
export function filesToListeners(engine: Engine): BlobListener {
  return async (file, traceparent) => {
    const listeners = await engine.parts.store.listDocuments({ collection: BLOB_LISTENERS, limit: LISTENERS_MAX });
    const names = listeners.filter((listener) => file.name.startsWith(prefixIn(listener))).map(({ id }) => id);
    return { jobs: names.map((name) => ({ job: jobOf(engine, name, { file, traceparent }), hand: null })) };
  };
}

type Put = { readonly file: StoredBlob; readonly traceparent: string | null };

function jobOf(engine: Engine, listener: string, { file, traceparent }: Put): NewJob {
  const queue = BLOB_QUEUE + listener;
  const { name, bytes, contentType, sha256, blobId } = file;
  return {
    // Another put of the same name has other bytes, and is another job.
    key: `${queue}/${blobId}`,
    queue,
    lane: "transactional",
    turn: engine.turn(queue, "transactional", ""),
    dueMs: 0,
    payload: JSON.stringify({ name, bytes, contentType, sha256, blobId } satisfies FilePayload),
    traceparent,
  };
}

function prefixIn({ body }: Document): string {
  // Only the feeder writes there.
  return (JSON.parse(body) as Listener).prefix;
}
