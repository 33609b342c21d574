import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OperatorFault } from "#domain/faults.ts";

/**
 * Makes this the only opening of the store, in this and all other processes of the machine. The lock is a transaction on
 * a small SQLite file beside it, kept open for life: the system gives it back however the process ends.
 *
 * @throws {OperatorFault} `store.locked`, naming the file, if another opening lives.
 */
export function lockStore(path: string): Disposable {
  // One name for one file, whichever way leads to it.
  const lockPath = join(realpathSync(dirname(path)), `${basename(path)}.lock`);
  const db = new DatabaseSync(lockPath, { timeout: 0 });
  try {
    db.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw error;
    throw new OperatorFault(
      "store.locked",
      `${path} is in use by another Tidings, and one process owns a SQLite file. Stop the other one, or give this one ` +
        `a data folder of its own (TIDINGS_DATA_DIR)`,
      { cause: error },
    );
  }
  return { [Symbol.dispose]: () => db.close() };
}

function isBusy(error: unknown): boolean {
  // SQLITE_BUSY or SQLITE_LOCKED (https://www.sqlite.org/rescode.html).
  return error instanceof Error && "errcode" in error && (error.errcode === 5 || error.errcode === 6);
}
