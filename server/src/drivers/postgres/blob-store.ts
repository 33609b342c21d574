import { texts } from "#drivers/postgres/arrays.ts";
import { type Ask, COMMIT, Database, type Statements, statements } from "#drivers/postgres/connection.ts";
import { codeOf } from "#drivers/postgres/faults.ts";
import { unreachableFault } from "#drivers/postgres/open-fault.ts";
import { quoted } from "#drivers/postgres/open.ts";
import { assertBlobId } from "#domain/blob-id.ts";
import { invariant } from "#domain/invariant.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";

/** Bytes of a row: a large blob passes both sides in pieces, and Postgres never holds it twice in one piece. */
export const PART_BYTES = 1024 * 1024;
/** One reads while another writes; apart from the store's, so that a large blob keeps no commit waiting. */
export const BLOB_CONNECTIONS_MAX = 2;
const UNIQUE_VIOLATION = "23505";

export type PostgresBlobsOptions = {
  readonly url: string;
  /** The store's own: a blob's age is told by it. */
  readonly clock: Clock;
  /** One that `openPostgresStore` has brought to our form. Default "tidings". */
  readonly schema?: string;
  /** Shown in pg_stat_activity. Default "tidings". */
  readonly applicationName?: string;
};

/**
 * Blobs in the database, so that nodes need no folder in common and one backup holds everything. Pages of `list` are in
 * the order of ids.
 *
 * @throws {OperatorFault} `store.unreachable`; and {@link StoreFault} from every method, when the database cannot do it now.
 */
export async function openPostgresBlobStore(options: PostgresBlobsOptions): Promise<BlobStore> {
  const { url, clock, applicationName = "tidings" } = options;
  try {
    const db = await Database.open({ url, applicationName, connectionsMax: BLOB_CONNECTIONS_MAX });
    return new PostgresBlobStore(db, quoted(options.schema ?? "tidings"), clock);
  } catch (error) {
    throw unreachableFault(error, url);
  }
}

class PostgresBlobStore implements BlobStore {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #sql: Statements<ReturnType<typeof blobSql>>;

  constructor(db: Database, schema: string, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#sql = statements(blobSql(schema));
  }

  async put(id: string, bytes: Uint8Array): Promise<void> {
    assertBlobId(id);
    const writtenMs = Math.floor(this.#clock.nowMs());
    // Copied, because it may wait for a connection, and the caller may use its bytes again.
    const parts = partsOf(Buffer.from(bytes)).map((part, n): Ask => [this.#sql.put, [id, n, part, writtenMs]]);
    try {
      await this.#db.hold((session) => session.flight([[this.#db.begin], ...parts, [COMMIT]]));
    } catch (error) {
      invariant(codeOf(error) !== UNIQUE_VIOLATION, `the blob ${id} exists already`);
      throw error;
    }
  }

  async get(id: string): Promise<Uint8Array | null> {
    assertBlobId(id);
    const { rows } = await this.#db.ask<[part: Buffer]>(this.#sql.get, [id]);
    return rows.length === 0 ? null : Buffer.concat(rows.map(([part]) => part));
  }

  async delete(ids: readonly string[]): Promise<void> {
    ids.forEach(assertBlobId);
    if (ids.length > 0) await this.#db.ask(this.#sql.remove, [texts(ids)]);
  }

  async list(beforeMs: number, limit: number, after: string | null): Promise<readonly string[]> {
    if (after !== null) assertBlobId(after);
    const { rows } = await this.#db.ask<[id: string]>(this.#sql.list, [after ?? "", Math.ceil(beforeMs), limit]);
    return rows.map(([id]) => id);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#db[Symbol.asyncDispose]();
  }
}

/** At least one: an empty blob is there, too. */
function partsOf(bytes: Buffer): readonly Buffer[] {
  const parts = [bytes.subarray(0, PART_BYTES)];
  for (let from = PART_BYTES; from < bytes.length; from += PART_BYTES) {
    parts.push(bytes.subarray(from, from + PART_BYTES));
  }
  return parts;
}

/** Exported for the test that looks at plans. */
export function blobSql(schema: string) {
  const chunks = `${schema}.blob_chunks`;
  return {
    put: `INSERT INTO ${chunks} (id, part, bytes, written_ms) VALUES ($1, $2, $3, $4)`,
    get: `SELECT bytes FROM ${chunks} WHERE id = $1 ORDER BY part`,
    remove: `DELETE FROM ${chunks} WHERE id = ANY($1::text[])`,
    list: `SELECT id FROM ${chunks} WHERE part = 0 AND id > $1 AND written_ms < $2 ORDER BY id LIMIT $3`,
  } as const;
}
