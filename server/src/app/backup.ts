import { existsSync } from "node:fs";
import { open, readdir, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  addBlobs,
  type BackupAbout,
  type BackupWish,
  BLOBS_AT_ONCE,
  checkTables,
  namedBlobs,
  openCopy,
  percent,
  seal,
  syncFolder,
  writeAbout,
} from "#app/backup-file.ts";
import { blobsFolder, storeFile } from "#app/data-folder.ts";
import { diskFault } from "#app/disk-fault.ts";
import { isAlive } from "#app/is-alive.ts";
import { version } from "#app/version.ts";
import { OperatorFault } from "#domain/faults.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { copyDatabase } from "#drivers/sqlite/copy.ts";

export type MadeBackup = {
  readonly file: string;
  readonly bytes: number;
  readonly about: BackupAbout;
  /** Blobs that retention deleted while the backup was made. */
  readonly blobsForgotten: number;
  /** Blobs that the store still names and that are not there: something else has taken them away. */
  readonly blobsMissing: readonly string[];
};

/**
 * Writes a backup of a data folder, whose server may be running and is not held up:
 *
 *     FILE.partial-PID ◀─ copy of the store, of one moment ─ blobs that it names ─ checked ─ sealed, fsynced
 *            └── rename ──▶ FILE
 *
 * Whatever stops it on the way, what was at FILE before is still there. What a killed one leaves is cleared away by the
 * next one to the same FILE.
 *
 * @throws {OperatorFault} `store.missing`, `store.corrupt`, `store.newer`, `backup.exists` or `disk.failed`.
 */
export async function makeBackup(wish: BackupWish): Promise<MadeBackup> {
  const file = resolve(wish.file);
  try {
    await lookFirst(wish, file);
    return await write(wish, file);
  } catch (error) {
    throw diskFault(error, `The backup ${file} could not be written`);
  }
}

async function lookFirst({ dataDir, force }: BackupWish, file: string): Promise<void> {
  const store = storeFile(dataDir);
  if (!existsSync(store)) throw new OperatorFault("store.missing", `There is no store in ${dataDir}`);
  const place = join(await realpath(dirname(file)), basename(file));
  const isOurs = place.startsWith(storeFile(await realpath(dataDir)));
  if (isOurs) throw new OperatorFault("backup.exists", `${file} belongs to the store itself`);
  if (existsSync(file) && !force) throw new OperatorFault("backup.exists", `${file} is there already`);
}

async function write(wish: BackupWish, file: string): Promise<MadeBackup> {
  const { dataDir, clock, step } = wish;
  await clearLeftovers(file);
  const partial = `${file}.partial-${process.pid}`;
  try {
    await (await open(partial, "wx", 0o600)).close();
    const madeMs = Math.floor(clock.nowMs());
    await copyDatabase(storeFile(dataDir), partial, (share) => step(`copying the store, ${percent(share)}`));
    const added = await complete(wish, partial, madeMs);
    const bytes = await seal(partial, (share) => step(`sealing, ${percent(share)}`));
    await rename(partial, file);
    await syncFolder(dirname(file));
    return { file, bytes, ...added };
  } finally {
    for (const beside of ["", ...BESIDE]) await rm(`${partial}${beside}`, { force: true });
  }
}

/** Adds the blobs and what there is to know, and looks whether all of it is whole. */
async function complete(wish: BackupWish, partial: string, madeMs: number) {
  using db = openCopy(partial);
  const absent = await copyBlobs(db, wish);
  const about = writeAbout(db, { version, madeMs });
  await checkTables(db, `The store in ${wish.dataDir}`, (table) => wish.step(`checking ${table}`));
  return { about, ...stillNamed(wish.dataDir, absent) };
}

/** Returns the ids of those that are not there. */
async function copyBlobs(db: DatabaseSync, { dataDir, clock, step }: BackupWish): Promise<readonly string[]> {
  const absent: string[] = [];
  if (namedBlobs(db, "", 1).length === 0) return absent;
  step("copying blobs");
  await using blobs = await openFsBlobStore({ dir: blobsFolder(dataDir), clock });
  let copied = 0;
  for (let after = ""; ; ) {
    const ids = namedBlobs(db, after, BLOBS_AT_ONCE);
    if (ids.length === 0) return absent;
    const found: { id: string; bytes: Uint8Array }[] = [];
    for (const [at, bytes] of (await Promise.all(ids.map((id) => blobs.get(id)))).entries()) {
      const id = ids[at] ?? "";
      if (bytes === null) absent.push(id);
      else found.push({ id, bytes });
    }
    addBlobs(db, found);
    copied += found.length;
    step(`copying blobs, ${copied}`);
    after = ids.at(-1) ?? "";
  }
}

/** Of blobs that were not there: did retention take them, which also forgets their names, or did something else? */
function stillNamed(dataDir: string, absent: readonly string[]) {
  if (absent.length === 0) return { blobsForgotten: 0, blobsMissing: [] };
  using live = new DatabaseSync(storeFile(dataDir), { readOnly: true });
  const named = live.prepare("SELECT 1 FROM blobs WHERE id = ?");
  const blobsMissing = absent.filter((id) => named.get(id) !== undefined);
  return { blobsForgotten: absent.length - blobsMissing.length, blobsMissing };
}

/** What SQLite puts beside a file that it writes. */
const BESIDE = ["-journal", "-wal", "-shm"];

/** What backups to the same file left behind when they were killed. */
async function clearLeftovers(file: string): Promise<void> {
  const start = `${basename(file)}.partial-`;
  for (const name of await readdir(dirname(file))) {
    const pid = name.startsWith(start)
      ? /^(\d+)(?:-journal|-wal|-shm)?$/.exec(name.slice(start.length))?.[1]
      : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(dirname(file), name), { force: true });
  }
}
