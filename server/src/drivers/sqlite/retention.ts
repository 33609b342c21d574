import type { Database, Query } from "#drivers/sqlite/database.ts";
import type { RequestId } from "#domain/ids.ts";
import { jobKeysOf, lowestRequestId, type TrimAsk } from "#ports/store.ts";

/** The writer's side of forgetting old requests. Walks ids, which are in the order of time, in their own index. */
export class Retention {
  readonly #page: Query<readonly [id: string]>;
  readonly #concerns: Query<readonly [number]>;
  readonly #dropMessages: Query;
  readonly #message: Query<readonly [number]>;
  readonly #dropBlobs: Query;
  readonly #dropRequest: Query;

  constructor(db: Database) {
    this.#page = db.query(RETENTION_SQL.page);
    this.#concerns = db.query(RETENTION_SQL.concerns);
    this.#dropMessages = db.query(RETENTION_SQL.dropMessages);
    this.#message = db.query(RETENTION_SQL.message);
    this.#dropBlobs = db.query(RETENTION_SQL.dropBlobs);
    this.#dropRequest = db.query(RETENTION_SQL.dropRequest);
  }

  trim({ olderThanMs, after, limit }: TrimAsk): { deleted: number; next: RequestId | null } {
    let next = after ?? lowestRequestId(0);
    let deleted = 0;
    let messagesLeft = limit;
    const page = this.#page.all(next, lowestRequestId(olderThanMs), limit);
    for (const [text] of page) {
      // Only request ids are written to this column.
      const id = text as RequestId;
      if (!this.#isConcerned(id)) {
        messagesLeft -= this.#dropMessages.run(id, messagesLeft);
        if (messagesLeft === 0 && this.#message.get(id) !== undefined) return { deleted, next };
        this.#dropBlobs.run(id);
        deleted += this.#dropRequest.run(id);
      }
      next = id;
    }
    return { deleted, next: page.length < limit ? null : next };
  }

  #isConcerned(id: RequestId): boolean {
    const { fanOut, sole, members } = jobKeysOf(id);
    return this.#concerns.get(fanOut, sole, members) !== undefined;
  }
}

/** `';'` follows `':'` and `'.'` follows `'-'`, so each pair spans the texts that begin with the first. */
export const RETENTION_SQL = {
  page: "SELECT id FROM requests WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
  concerns: `SELECT 1 FROM jobs WHERE key IN (?1, ?2)
    UNION ALL SELECT 1 FROM jobs WHERE key >= ?3 AND key < ?2 || ';'
    UNION ALL SELECT 1 FROM dead_jobs WHERE key IN (?1, ?2)
    UNION ALL SELECT 1 FROM dead_jobs WHERE key >= ?3 AND key < ?2 || ';' LIMIT 1`,
  dropMessages: "DELETE FROM messages WHERE seq IN (SELECT seq FROM messages WHERE request_id = ? LIMIT ?)",
  message: "SELECT 1 FROM messages WHERE request_id = ? LIMIT 1",
  dropBlobs: "DELETE FROM blobs WHERE id >= ?1 || '-' AND id < ?1 || '.' AND owner = ?1",
  dropRequest: "DELETE FROM requests WHERE id = ?",
} as const;
