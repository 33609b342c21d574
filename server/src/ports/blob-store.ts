/**
 * Where large things lie (claim check). A blob is written before the commit that names it, so a crash in between
 * leaves an orphan, never a dangling name; the collector removes orphans.
 */
export interface BlobStore extends AsyncDisposable {
  /** Durable when the promise resolves (fsync of file and folder). Writing the same id twice is an error. */
  put(id: string, bytes: Uint8Array): Promise<void>;
  /** Null when there is no such blob. */
  get(id: string): Promise<Uint8Array | null>;
  /** Deleting what is not there is no error. */
  delete(ids: readonly string[]): Promise<void>;
  /** Ids of blobs written before `beforeMs` (Unix epoch), in pages, oldest first or in any stable order. */
  list(beforeMs: number, limit: number, after: string | null): Promise<readonly string[]>;
}
