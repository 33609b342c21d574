import { basename, dirname } from "node:path";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

/**
 * The store that processes which are killed share: a file, or with `TIDINGS_TEST_HOMES_ON` (a Postgres) a schema that is
 * named after the file's folder.
 */
export async function openCrashStore(path: string, clock: Clock): Promise<Store> {
  // oxlint-disable-next-line no-process-env -- as `Home` does, so that the same tests run on both
  const url = process.env["TIDINGS_TEST_HOMES_ON"];
  if (url === undefined) return await openSqliteStore({ path, clock });
  const schema = `crash_${Buffer.from(basename(dirname(path)).slice(-6)).toString("hex")}`;
  return await openPostgresStore({ url, clock, schema });
}
