import { join } from "node:path";

/** What lies in a data folder: the database, with its log and lock beside it under names that begin so, and the blobs. */
export const STORE_NAME = "tidings.db";
export const BLOBS_NAME = "blobs";

export function storeFile(dataDir: string): string {
  return join(dataDir, STORE_NAME);
}

export function blobsFolder(dataDir: string): string {
  return join(dataDir, BLOBS_NAME);
}
