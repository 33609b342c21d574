import { backup, DatabaseSync } from "node:sqlite";
import { attempt, BUSY_TIMEOUT_MS } from "#drivers/sqlite/database.ts";

/** Pages copied between two looks at whether to go on: 4 MiB, some 10 ms. */
export const COPY_PAGES = 1_024;

/**
 * Copies a store that may be in use, as it is at one moment, into a file that is empty or not there yet. Whoever writes
 * meanwhile is not held up, and does not make the copy begin anew: one transaction that reads stays open from the first
 * page to the last. Until it ends the write-ahead log grows by what is written, so nothing else is done under it.
 *
 * @param progress is told how much is done, 0 to 1; what it throws ends the copy.
 * @param pages between two calls of it.
 * @throws {StoreFault} when one of the disks cannot; {OperatorFault} `store.corrupt` when it is no database.
 */
export async function copyDatabase(
  from: string,
  to: string,
  progress: (share: number) => void,
  pages: number = COPY_PAGES,
): Promise<void> {
  const source = attempt(() => new DatabaseSync(from, { readOnly: true, timeout: BUSY_TIMEOUT_MS }));
  try {
    attempt(() => source.exec("BEGIN; SELECT count(*) FROM sqlite_schema"));
    await backup(source, to, {
      rate: pages,
      progress: ({ totalPages, remainingPages }) => progress(1 - remainingPages / Math.max(totalPages, 1)),
    });
  } catch (error) {
    attempt(() => {
      throw error;
    });
  } finally {
    source.close();
  }
}
