import { DatabaseSync, type StatementSync } from "node:sqlite";
import { rewriteLog } from "#drivers/sqlite/rewrite-log.ts";
import { OperatorFault } from "#domain/faults.ts";
import { StoreFault } from "#ports/store.ts";

/** Longest wait for a lock that someone outside (a backup, the sqlite3 shell) holds, before `store.busy`. */
export const BUSY_TIMEOUT_MS = 2_000;
/** Pages the writer keeps in memory: the right edges of all indexes and the hot jobs fit into a tenth of it. */
export const WRITER_CACHE_BYTES = 16 * 1024 * 1024;
/** A reader mostly reads once; the system's own file cache serves the rest. */
export const READER_CACHE_BYTES = 4 * 1024 * 1024;
/** Pages of 4 KiB in the write-ahead log before they are moved to the file: 16 MiB, so that hot pages move once. */
export const WAL_PAGES = 4_000;
/** What a commit may leave lying in the log file after a flood. */
export const WAL_BYTES_KEPT_MAX = 64 * 1024 * 1024;

/** A blob is greater than every text in SQLite's order, so it is the upper end of "all of them". */
export const ABOVE_ALL_TEXT = new Uint8Array(0);

export type SqlValue = string | number | null;
type SqlParam = SqlValue | Uint8Array;

/**
 * How sure a commit must be. `durable`: on the disk when it returns. `ordered`: it survives the end of the process,
 * and after a power failure it is there unless it was among the last; nothing after it is there without it.
 */
export type Durability = "durable" | "ordered";

/**
 * The disk lost a part of the log after it had failed. Nothing that was promised is in that part, but what SQLite reads
 * may be wrong from here on. The process must end; opening the file again goes on with what is whole.
 */
export class LostLog extends Error {
  override readonly name = "LostLog";
}

/**
 * One connection. Throws `StoreFault` when SQLite cannot do it now, and a plain `Error` when our SQL is wrong.
 *
 * When the disk fails, the writer no longer trusts the log (`rewrite-log.ts`):
 *
 *     trusted ──error of reading, writing or syncing──▶ doubted ──written again, synced, whole──▶ trusted
 *                                                        │   └──the disk still fails: StoreFault
 *                                                        └──not whole: LostLog
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #logPath: string;
  #durability: Durability = "durable";
  #doubted = false;
  readonly #begin: Query;
  readonly #commit: Query;
  readonly #lookAtLog: Query<readonly [busy: number, frames: number, moved: number]>;
  readonly #moveLog: Query;

  constructor(path: string, mode: "write" | "read") {
    this.#logPath = `${path}-wal`;
    this.#db = attempt(() => {
      const db = new DatabaseSync(path, { readOnly: mode === "read", timeout: BUSY_TIMEOUT_MS, allowExtension: false });
      try {
        if (mode === "write") {
          // The log is moved by `#tidyLog`, because SQLite keeps quiet when its own way of doing it fails.
          db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
            PRAGMA journal_size_limit = ${WAL_BYTES_KEPT_MAX}; PRAGMA temp_store = MEMORY;
            PRAGMA cache_size = ${-WRITER_CACHE_BYTES / 1024}`);
        } else db.exec(`PRAGMA temp_store = MEMORY; PRAGMA cache_size = ${-READER_CACHE_BYTES / 1024}`);
      } catch (error) {
        db.close();
        throw error;
      }
      return db;
    });
    this.#begin = this.query("BEGIN IMMEDIATE");
    this.#commit = this.query("COMMIT");
    this.#lookAtLog = this.query("PRAGMA wal_checkpoint(NOOP)");
    this.#moveLog = this.query("PRAGMA wal_checkpoint(PASSIVE)");
  }

  /** Prepares a statement; the type of a row is proven by the STRICT tables and the columns that `sql` names. */
  query<Row extends readonly SqlValue[] = readonly never[]>(sql: string): Query<Row> {
    return attempt(() => new Query<Row>(this.#db.prepare(sql, { returnArrays: true })));
  }

  exec(sql: string): void {
    attempt(() => this.#db.exec(sql));
  }

  /** Runs all of it in one transaction; if anything throws, nothing of it was done and the connection is usable. */
  transact<T>(durability: Durability, run: () => T): T {
    if (this.#doubted) this.#mend();
    const result = this.#transact(durability, run);
    this.#tidyLog();
    return result;
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Moves the log into the file first, so that a copy of the one file is the whole store. */
  closeWhole(): void {
    try {
      this.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (fault) {
      // If the disk does not let us, the log stays beside the file, and the next start reads it.
      if (!(fault instanceof StoreFault)) throw fault;
    } finally {
      this.close();
    }
  }

  #transact<T>(durability: Durability, run: () => T): T {
    if (durability !== this.#durability) {
      this.exec(`PRAGMA synchronous = ${durability === "durable" ? "FULL" : "NORMAL"}`);
      this.#durability = durability;
    }
    this.#begin.run();
    try {
      const result = run();
      this.#commit.run();
      return result;
    } catch (error) {
      this.#rollback();
      this.#doubt(error);
      throw error;
    }
  }

  /** Moves a long log into the file. The commit before it is safe, so it matters to nobody if this fails now. */
  #tidyLog(): void {
    if ((this.#lookAtLog.get()?.[1] ?? 0) < WAL_PAGES) return;
    try {
      this.#moveLog.run();
    } catch (error) {
      this.#doubt(error);
    }
  }

  /** Mends at once if it can, so that what has just failed does not come to life if the process is killed next. */
  #doubt(error: unknown): void {
    if (!isIoFault(error)) return;
    this.#doubted = true;
    try {
      this.#mend();
    } catch (fault) {
      if (fault instanceof LostLog) throw fault;
    }
  }

  #mend(): void {
    const frames = this.#lookAtLog.get()?.[1] ?? 0;
    const whole = attempt(() => rewriteLog(this.#logPath, frames));
    if (whole < frames) {
      throw new LostLog(
        `The disk failed and lost ${frames - whole} of ${frames} pages of ${this.#logPath} that were not yet promised to ` +
          "anybody. Start again: what was promised is there, and the start goes on with it",
      );
    }
    this.#doubted = false;
  }

  /** Some faults (a full disk) have rolled back already. If even this fails, the first fault is the one to tell. */
  #rollback(): void {
    if (!this.#db.isTransaction) return;
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // The next BEGIN fails and says why.
    }
  }
}

/** A prepared statement whose rows are arrays: on hot reads nobody needs the names of the columns. */
export class Query<Row extends readonly SqlValue[] = readonly never[]> {
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
  }

  all(...params: SqlParam[]): Row[] {
    try {
      // `returnArrays` gives arrays, which node's types do not know; their values are typed by STRICT tables.
      return this.#statement.all(...params) as unknown as Row[];
    } catch (error) {
      throw translated(error);
    }
  }

  get(...params: SqlParam[]): Row | undefined {
    try {
      // As above.
      return this.#statement.get(...params) as unknown as Row | undefined;
    } catch (error) {
      throw translated(error);
    }
  }

  /** Returns how many rows were changed. */
  run(...params: SqlParam[]): number {
    try {
      return Number(this.#statement.run(...params).changes);
    } catch (error) {
      throw translated(error);
    }
  }
}

/** Runs something that asks SQLite and says what went wrong in our words. */
export function attempt<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw translated(error);
  }
}

// Primary result codes (https://www.sqlite.org/rescode.html); the extended ones carry them in their low byte.
const BUSY = 5;
const LOCKED = 6;
const NOMEM = 7;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

function isIoFault(error: unknown): boolean {
  const cause = error instanceof StoreFault ? error.cause : null;
  return cause instanceof Error && "errcode" in cause && (Number(cause.errcode) & 0xff) === IOERR;
}

function translated(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ("syscall" in error) {
    return new StoreFault("store.failed", `The database's log cannot be written: ${error.message}`, { cause: error });
  }
  if (!("errcode" in error) || typeof error.errcode !== "number") return error;
  const options = { cause: error };
  switch (error.errcode & 0xff) {
    case FULL:
      return new StoreFault("store.full", "The disk is full: free some space, nothing was lost", options);
    case BUSY:
    case LOCKED:
      return new StoreFault("store.busy", "Another program holds a lock on the database file", options);
    case NOMEM:
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return new StoreFault("store.failed", `The database file cannot be read or written: ${error.message}`, options);
    case CORRUPT:
    case NOTADB:
      return new OperatorFault("store.corrupt", `The database file is damaged: ${error.message}`, options);
    default:
      return error;
  }
}
