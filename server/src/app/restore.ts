/**
 * A restore builds a whole data folder inside the data folder, and only then puts it in its place:
 *
 *     restoring/   the copy, its blobs, its jobs parked                       killed here: nothing has happened
 *         └─ rename ─▶ restored/new/   complete and durable: the decision     killed from here on: whoever comes next
 *               ├─ what was in the data folder ─▶ restored/old/               (`start`, another restore) goes on
 *               ├─ restored/new/ ─▶ the data folder, tidings.db last
 *               └─ restored/old/ ─▶ before-restore-TIME/
 *
 * Every step is a rename that says by itself whether it was done, so finishing is doing those that were not. All of it
 * under the store's lock.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type BackupAbout,
  type BackupWish,
  copySealed,
  emptyCopy,
  percent,
  readAbout,
  syncFile,
  syncFolder,
} from "#app/backup-file.ts";
import { BLOBS_NAME, blobsFolder, STORE_NAME, storeFile } from "#app/data-folder.ts";
import { diskFault } from "#app/disk-fault.ts";
import { OperatorFault } from "#domain/faults.ts";
import { newEvent } from "#domain/event.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { lockStore } from "#drivers/sqlite/lock.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { restoredPut } from "#pipeline/restored.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

/** Being built: worth nothing until it is whole. */
const BUILDING = "restoring";
/** Whole, and on its way to its place. */
const PLACING = "restored";
/** Jobs parked per step. */
const PARK_MAX = 10_000;

export type RestoredBackup = {
  readonly about: BackupAbout;
  /** Jobs that are held back now. */
  readonly parked: number;
  /** Where what was in the folder before is now; null when there was nothing. */
  readonly aside: string | null;
};

/**
 * Makes a data folder of a backup, in which nothing is worked on until somebody decides: every job is parked.
 *
 * @throws {OperatorFault} `backup.invalid`, `store.newer`, `store.exists`, `store.locked` or `disk.failed`.
 */
export async function restoreBackup(wish: BackupWish): Promise<RestoredBackup> {
  const { dataDir, force } = wish;
  const file = resolve(wish.file);
  try {
    const about = await readAbout(file);
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    using _ = lockStore(storeFile(dataDir));
    await place(dataDir, wish.clock);
    if (existsSync(storeFile(dataDir)) && !force) {
      throw new OperatorFault("store.exists", `${dataDir} holds a store already`);
    }
    const building = join(dataDir, BUILDING);
    try {
      const parked = await build(wish, file, building, about);
      await rename(building, join(dataDir, PLACING));
      await syncFolder(dataDir);
      return { about, parked, aside: await place(dataDir, wish.clock) };
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  } catch (error) {
    throw diskFault(error, `${file} could not be restored into ${dataDir}`);
  }
}

/**
 * To be called before a data folder's store is opened: finishes what a killed restore had decided.
 *
 * @throws {OperatorFault} `restore.unfinished` when it was killed before that and there is no store: whoever wanted the
 * backup does not want an empty one.
 */
export async function finishRestore(dataDir: string, clock: Clock): Promise<void> {
  if (existsSync(join(dataDir, PLACING))) {
    using _ = lockStore(storeFile(dataDir));
    await place(dataDir, clock);
  }
  const left = join(dataDir, BUILDING);
  if (existsSync(left) && !existsSync(storeFile(dataDir))) {
    throw new OperatorFault(
      "restore.unfinished",
      `A restore into ${dataDir} did not come to its end; ${left} is left of it`,
    );
  }
}

/** The new data folder, durable to its last name. Returns how many jobs are parked. */
async function build(wish: BackupWish, file: string, building: string, about: BackupAbout): Promise<number> {
  const { step } = wish;
  await rm(building, { recursive: true, force: true });
  const inside = join(building, "new");
  await mkdir(blobsFolder(inside), { recursive: true, mode: 0o700 });
  const path = storeFile(inside);
  await copySealed(file, path, (share) => step(`copying, ${percent(share)}`));
  await takeBlobs(path, blobsFolder(inside), wish, about);
  const parked = await parkAll(path, about, wish);
  await rm(`${path}.lock`);
  for (const name of await readdir(inside)) if (isStore(name)) await syncFile(join(inside, name));
  await syncFolder(building);
  step("putting it in its place");
  return parked;
}

async function takeBlobs(path: string, dir: string, { clock, step }: BackupWish, about: BackupAbout): Promise<void> {
  await using blobs = await openFsBlobStore({ dir, clock });
  let kept = 0;
  await emptyCopy(path, async (some) => {
    await Promise.all(some.map(({ id, bytes }) => blobs.put(id, bytes)));
    kept += some.length;
    step(`writing blobs, ${kept} of ${about.blobs}`);
  });
}

/** Brings the copy to our schema, parks what would be worked on, and writes down what has happened. */
async function parkAll(path: string, about: BackupAbout, { clock, step }: BackupWish): Promise<number> {
  await using store: Store = await openSqliteStore({ path, clock, layout: "inline" });
  for (let now = PARK_MAX, done = 0; now === PARK_MAX; done += now) {
    now = await store.park(PARK_MAX);
    step(`holding back ${done + now} jobs`);
  }
  // Those that an earlier restore had parked too.
  const parked = (await store.parked()).reduce((sum, { jobs }) => sum + jobs, 0);
  const restored = { backupMadeMs: about.madeMs, restoredMs: Math.floor(clock.nowMs()), parked };
  const told = newEvent("store.restored", "store", restored.restoredMs, restored, null);
  await store.commit([{ puts: [restoredPut(restored)], events: [told] }]);
  return parked;
}

/** The steps from `restored/` to its end; those that were done are not done again. Returns where the old store is. */
async function place(dataDir: string, clock: Clock): Promise<string | null> {
  const placing = join(dataDir, PLACING);
  if (!existsSync(placing)) return null;
  const [fresh, old] = [join(placing, "new"), join(placing, "old")];
  if (existsSync(storeFile(fresh))) {
    await mkdir(old, { recursive: true, mode: 0o700 });
    const placedBlobs = !existsSync(blobsFolder(fresh));
    for (const name of await readdir(dataDir)) {
      if (isStore(name) || (name === BLOBS_NAME && !placedBlobs)) await rename(join(dataDir, name), join(old, name));
    }
    const names = await readdir(fresh);
    // The database last: with it the new store is there.
    for (const name of names.toSorted((a, b) => Number(a === STORE_NAME) - Number(b === STORE_NAME))) {
      await rename(join(fresh, name), join(dataDir, name));
    }
    await syncFolder(dataDir);
  }
  const aside = await putAside(dataDir, old, clock);
  await rm(placing, { recursive: true, force: true });
  await syncFolder(dataDir);
  return aside;
}

async function putAside(dataDir: string, old: string, clock: Clock): Promise<string | null> {
  const names = existsSync(old) ? await readdir(old) : [];
  if (names.length === 0) {
    if (existsSync(old)) await rmdir(old);
    return null;
  }
  const time = new Date(clock.nowMs()).toISOString().replaceAll(/[:.]/g, "-");
  const aside = join(dataDir, `before-restore-${time}`);
  await rename(old, aside);
  return aside;
}

/** The database, its log, its copies from before upgrades; not its lock, which we hold. */
function isStore(name: string): boolean {
  return name.startsWith(STORE_NAME) && !name.startsWith(`${STORE_NAME}.lock`);
}
