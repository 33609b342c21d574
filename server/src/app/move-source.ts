import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { blobsFolder, storeFile } from "#app/data-folder.ts";
import { BLOB_BYTES, type Key, keyOf, type MovedTable, type Page, type Row, type Value } from "#app/move-tables.ts";
import { finishRestore } from "#app/restore.ts";
import { OperatorFault } from "#domain/faults.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { PART_BYTES } from "#drivers/postgres/blob-store.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";

/** What there is to move. */
export type MoveSize = {
  readonly rows: ReadonlyMap<MovedTable, number>;
  readonly blobBytes: number;
};

/** Numbers of the store itself that must go on rising. */
export type MovedNumbers = {
  /** Position of the newest event that there ever was. */
  readonly journalLast: number;
  /** The same when events were trimmed, else null. */
  readonly journalTrimmed: number | null;
  /** The highest of everything that Postgres numbers as it numbers events. */
  readonly newest: number;
  /** The highest fence that a job has. */
  readonly fence: number;
};

/** At most so much is in hand at a time. A row of its own may be larger. */
export type PageMax = { readonly rows: number; readonly bytes: number };

/**
 * A data folder that nobody else works on, and nobody can while this is open: it holds the lock of a running server. What
 * the last process held is ready again, as after every start; apart from that, nothing in it changes.
 */
export class MoveSource implements AsyncDisposable {
  readonly #db: DatabaseSync;
  readonly #blobs: BlobStore;
  readonly #parts: AsyncDisposable;
  /** Blobs that the store names and that are not there. */
  readonly blobsMissing = new Set<string>();

  private constructor(db: DatabaseSync, blobs: BlobStore, parts: AsyncDisposable) {
    this.#db = db;
    this.#blobs = blobs;
    this.#parts = parts;
  }

  /** @throws {OperatorFault} `store.missing`, `store.locked`, `store.newer` or `store.corrupt`. */
  static async open(dataDir: string, clock: Clock): Promise<MoveSource> {
    const path = storeFile(dataDir);
    await finishRestore(dataDir, clock);
    if (!existsSync(path)) throw new OperatorFault("store.missing", `There is no store in ${dataDir}`);
    await using parts = new AsyncDisposableStack();
    parts.use(await openSqliteStore({ path, clock, layout: "inline" }));
    const db = parts.use(new DatabaseSync(path, { readOnly: true }));
    const blobs = parts.use(await openFsBlobStore({ dir: blobsFolder(dataDir), clock }));
    return new MoveSource(db, blobs, parts.move());
  }

  size(tables: readonly MovedTable[]): MoveSize {
    // Names of blobs stand for their bytes.
    const nameOf = (table: MovedTable): string => (table === BLOB_BYTES ? "blobs" : table.name);
    return {
      rows: new Map(tables.map((table) => [table, this.#number(`SELECT count(*) FROM ${nameOf(table)}`)])),
      blobBytes: this.#number("SELECT coalesce(sum(bytes), 0) FROM blobs"),
    };
  }

  numbers(): MovedNumbers {
    const trimmed = this.#db.prepare("SELECT value FROM meta WHERE name = 'journal.last'").get()?.["value"];
    const journalTrimmed = trimmed === undefined ? null : Number(trimmed);
    const max = (of: string): number => this.#number(`SELECT coalesce(max(${of}), 0) FROM ${of.split(".")[0]}`);
    const journalLast = Math.max(max("events.position"), journalTrimmed ?? 0);
    return {
      journalLast,
      journalTrimmed,
      newest: Math.max(journalLast, max("messages.seq"), max("jobs.id")),
      fence: max("jobs.fence"),
    };
  }

  /** Rows behind `after` in the order of the table's key, without end. The last page may be empty. */
  pages(table: MovedTable, after: Key | null, max: PageMax, writtenMs: number): AsyncGenerator<Page> {
    return cut(table, table === BLOB_BYTES ? this.#blobRows(after, writtenMs) : this.#rows(table, after), max);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#parts[Symbol.asyncDispose]());
  }

  #rows(table: MovedTable, after: Key | null): Iterable<Row> {
    const key = table.key.join(", ");
    const behind = after === null ? "" : `WHERE (${key}) > (${table.key.map(() => "?").join(", ")})`;
    const columns = table.columns.map(({ name }) => name).join(", ");
    const sql = `SELECT ${columns} FROM ${table.name} ${behind} ORDER BY ${key}`;
    // `returnArrays` gives arrays, which node's types do not know; STRICT tables hold what the columns say.
    return this.#db
      .prepare(sql, { returnArrays: true })
      .iterate(...(after ?? [])) as Iterable<unknown> as Iterable<Row>;
  }

  async *#blobRows(after: Key | null, writtenMs: number): AsyncGenerator<Row> {
    const named = this.#db.prepare("SELECT id FROM blobs WHERE id > ? ORDER BY id");
    for (const { id } of named.iterate(after?.[0] ?? "")) {
      const bytes = await this.#blobs.get(String(id));
      if (bytes === null) this.blobsMissing.add(String(id));
      for (let part = 0; bytes !== null && (part === 0 || part * PART_BYTES < bytes.length); part += 1) {
        yield [String(id), part, bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES), writtenMs];
      }
    }
  }

  #number(sql: string): number {
    return Number(Object.values(this.#db.prepare(sql).get() ?? {})[0] ?? 0);
  }
}

/** Cuts rows into pages; rows of one key stay together. */
async function* cut(table: MovedTable, rows: Iterable<Row> | AsyncIterable<Row>, max: PageMax): AsyncGenerator<Page> {
  let page: Row[] = [];
  let [bytes, upTo]: [number, Key | null] = [0, null];
  for await (const row of rows) {
    const key = keyOf(table, row);
    if (upTo !== null && (page.length >= max.rows || bytes >= max.bytes) && !isSame(key, upTo)) {
      yield { rows: page, upTo };
      [page, bytes] = [[], 0];
    }
    page.push(row);
    bytes += row.reduce<number>((sum, value) => sum + sizeOf(value), 0);
    upTo = key;
  }
  if (upTo !== null && page.length > 0) yield { rows: page, upTo };
}

function isSame(key: Key, other: Key): boolean {
  return key.every((value, at) => value === other[at]);
}

function sizeOf(value: Value): number {
  return typeof value === "string" || value instanceof Uint8Array ? value.length : 8;
}
