import { invariant } from "#domain/invariant.ts";

/** Names a blob may have: safe as a file name and as an object key on every system, never a path. */
const BLOB_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** @throws if `id` cannot name a blob: ids are ours, so this is a bug, never bad luck. */
export function assertBlobId(id: string): void {
  invariant(BLOB_ID.test(id), `a blob is called [A-Za-z0-9_-]{1,128}, got ${JSON.stringify(id.slice(0, 200))}`);
}
