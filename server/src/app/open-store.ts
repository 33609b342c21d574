import { mkdir } from "node:fs/promises";
import { blobsFolder, storeFile } from "#app/data-folder.ts";
import { refuseMoved } from "#app/move-mark.ts";
import { finishRestore } from "#app/restore.ts";
import type { Settings } from "#config/settings.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";
import type { Store } from "#ports/store.ts";

/** Where everything is kept, open. */
export type Place = AsyncDisposable & {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** The time that this place goes by: on Postgres the database's, whatever this machine believes. */
  readonly clock: Clock;
  /** In words, for the lines at start; without password. */
  readonly says: string;
};

/**
 * Opens what keeps our state: Postgres when its URL is given, else SQLite and files in the data folder.
 * @param nodeId shown in `application_name` of each connection to Postgres.
 * @throws {OperatorFault} when the folder is in use, the data is newer than the program, or the database is not usable.
 */
export function openStore(settings: Settings, clock: Clock, log: Log, nodeId: string): Promise<Place> {
  const { databaseUrl } = settings;
  return databaseUrl === null
    ? openFolder(settings, clock)
    : openPostgres(settings, databaseUrl, { clock, log, nodeId });
}

async function openFolder({ dataDir }: Settings, clock: Clock): Promise<Place> {
  await using parts = new AsyncDisposableStack();
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await finishRestore(dataDir, clock);
  // Before, so that nothing is made beside a mark that was left alone; after, when we hold the lock that a move holds.
  await refuseMoved(dataDir);
  const store = parts.use(await openSqliteStore({ path: storeFile(dataDir), clock }));
  await refuseMoved(dataDir);
  const blobs = parts.use(await openFsBlobStore({ dir: blobsFolder(dataDir), clock }));
  return place({ store, blobs, clock, says: `SQLite in ${dataDir}` }, parts.move());
}

/** The driver is loaded only where it is used. */
async function openPostgres(settings: Settings, url: string, machine: Machine): Promise<Place> {
  const { openDatabaseClock } = await import("#drivers/postgres/database-clock.ts");
  const { openPostgresStore } = await import("#drivers/postgres/open.ts");
  const { openPostgresBlobStore } = await import("#drivers/postgres/blob-store.ts");
  const { databaseSchema: schema, databaseConnections: connectionsMax } = settings;
  await using parts = new AsyncDisposableStack();
  const clock = parts.use(await openDatabaseClock({ url, clock: machine.clock }));
  const applicationName = `tidings ${settings.role} ${machine.nodeId}`;
  const onNote = (sentence: string): void => machine.log.warn(sentence);
  const store = parts.use(await openPostgresStore({ url, clock, schema, connectionsMax, applicationName, onNote }));
  const blobs = parts.use(await openPostgresBlobStore({ url, clock, schema, applicationName }));
  return place({ store, blobs, clock, says: `Postgres at ${placeOf(url)}, schema ${schema}` }, parts.move());
}

type Machine = { readonly clock: Clock; readonly log: Log; readonly nodeId: string };

function place(open: Omit<Place, typeof Symbol.asyncDispose>, parts: AsyncDisposableStack): Place {
  return { ...open, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** Host and database, nothing else of it. */
export function placeOf(url: string): string {
  const { host, pathname, searchParams } = new URL(url);
  return `${host === "" ? (searchParams.get("host") ?? "localhost") : host}${pathname}`;
}
