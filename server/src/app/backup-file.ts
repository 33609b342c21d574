/**
 * A backup is one file: a SQLite database with the tables of the store as they were at one moment, two tables of its own,
 * and a seal behind the last page, which SQLite does not look at.
 *
 *     ┌ store's tables ┬ backup_about: name, value ┬ backup_blobs: id, bytes ┬ seal: SHA-256 of all before it ┐
 *
 * The seal is written last, so a file that was cut off has none, and it finds every bit that has changed since, which
 * SQLite would not: a changed letter in a message is still a message.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { OperatorFault } from "#domain/faults.ts";
import { ours } from "#drivers/sqlite/migrate.ts";
import type { Clock } from "#ports/clock.ts";

/** What to back up, or to restore. */
export type BackupWish = {
  readonly dataDir: string;
  readonly file: string;
  /** Whether what is there already gives way: the file is replaced, the store is moved aside. */
  readonly force: boolean;
  readonly clock: Clock;
  /** Told what is being done; what it throws ends the work, and nothing is left of it. */
  readonly step: (says: string) => void;
};

/** What a backup says of itself. */
export type BackupAbout = {
  /** Of the program that made it. */
  readonly version: string;
  readonly madeMs: number;
  /** The newest migration that its tables have. */
  readonly schema: number;
  readonly messages: number;
  /** Living jobs: what would have been done, and is held back after a restore. */
  readonly jobs: number;
  readonly deadLetters: number;
  /** Position of the newest event. */
  readonly journalLast: number;
  readonly blobs: number;
  readonly blobBytes: number;
};

const ABOUT_TABLE = "backup_about";
const BLOBS_TABLE = "backup_blobs";
const SEAL = /^\ntidings-backup 1 sha256 ([0-9a-f]{64})\n$/;
const SEAL_BYTES = sealOf("0".repeat(64)).length;
/** Read and hashed at a time. */
const STRETCH_BYTES = 1024 * 1024;

/** Adds the tables of a backup to a copy of the store. Nobody else has the file yet, so nothing of it need be durable. */
export function openCopy(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    CREATE TABLE ${ABOUT_TABLE} (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE ${BLOBS_TABLE} (id TEXT PRIMARY KEY, bytes BLOB NOT NULL)`);
  return db;
}

/** Blobs in the order of their ids, by which the bytes of the copy were named, behind `after`. */
export function namedBlobs(db: DatabaseSync, after: string, limit: number): readonly string[] {
  const rows = db.prepare("SELECT id FROM blobs WHERE id > ? ORDER BY id LIMIT ?").all(after, limit);
  return rows.map((row) => String(row["id"]));
}

export function addBlobs(
  db: DatabaseSync,
  blobs: readonly { readonly id: string; readonly bytes: Uint8Array }[],
): void {
  const add = db.prepare(`INSERT INTO ${BLOBS_TABLE} (id, bytes) VALUES (?, ?)`);
  db.exec("BEGIN");
  for (const { id, bytes } of blobs) add.run(id, bytes);
  db.exec("COMMIT");
}

/** Counts what the copy holds, and writes it down. */
export function writeAbout(db: DatabaseSync, made: Pick<BackupAbout, "version" | "madeMs">): BackupAbout {
  const count = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0);
  const about: BackupAbout = {
    ...made,
    schema: count("SELECT max(number) FROM migrations"),
    messages: count("SELECT count(*) FROM messages"),
    jobs: count("SELECT count(*) FROM jobs"),
    deadLetters: count("SELECT count(*) FROM dead_jobs"),
    journalLast: count(
      "SELECT max(coalesce((SELECT max(position) FROM events), 0), " +
        "coalesce((SELECT value FROM meta WHERE name = 'journal.last'), 0))",
    ),
    blobs: count(`SELECT count(*) FROM ${BLOBS_TABLE}`),
    blobBytes: count(`SELECT coalesce(sum(length(bytes)), 0) FROM ${BLOBS_TABLE}`),
  };
  const put = db.prepare(`INSERT INTO ${ABOUT_TABLE} (name, value) VALUES (?, ?)`);
  for (const [name, value] of Object.entries(about)) put.run(name, value);
  return about;
}

/** @throws {OperatorFault} `store.corrupt`, naming the table. A table at a time, so that who asks to stop is heard. */
export async function checkTables(db: DatabaseSync, of: string, step: (table: string) => void): Promise<void> {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  for (const { name } of tables) {
    step(String(name));
    const found = db.prepare(`PRAGMA integrity_check('${String(name)}')`).get()?.["integrity_check"];
    if (found !== "ok") {
      throw new OperatorFault("store.corrupt", `${of} is damaged in its table ${String(name)}: ${String(found)}`);
    }
    await turn();
  }
}

/** Puts the seal behind a finished backup and makes it durable. */
export async function seal(path: string, progress: (share: number) => void): Promise<number> {
  await using file = await open(path, constants.O_RDWR);
  const { size } = await file.stat();
  const digest = await digestOf(file, size, progress);
  await file.write(sealOf(digest), 0, SEAL_BYTES, size);
  await file.sync();
  return size + SEAL_BYTES;
}

/** Looks at the seal and at what the backup says of itself; whether the seal is right is known after reading it all. */
export async function readAbout(path: string): Promise<BackupAbout> {
  await using file = await openBackup(path);
  await sealIn(file, path);
  try {
    using db = new DatabaseSync(path, { readOnly: true });
    const rows = db.prepare(`SELECT name, value FROM ${ABOUT_TABLE}`).all();
    // What stands there was written by `writeAbout`, and the seal will tell whether it still does.
    const about = Object.fromEntries(rows.map((row) => [row["name"], row["value"]])) as unknown as BackupAbout;
    if (about.schema > ours().length) {
      throw new OperatorFault(
        "store.newer",
        `${path} was made by a newer Tidings (${about.version}, schema ${about.schema}; this one knows ${ours().length})`,
      );
    }
    return about;
  } catch (error) {
    throw error instanceof OperatorFault ? error : invalid(path, "it cannot be read as a database", error);
  }
}

/** Copies a backup without its seal, durably, and compares what was copied with the seal. */
export async function copySealed(from: string, to: string, progress: (share: number) => void): Promise<void> {
  await using source = await openBackup(from);
  const { expected, bytes } = await sealIn(source, from);
  await using target = await open(to, "wx", 0o600);
  if ((await digestOf(source, bytes, progress, target)) !== expected) {
    throw invalid(from, "it is damaged: its content does not fit its seal");
  }
  await target.sync();
}

/** Gives each blob of a backup to `keep`, some at a time, and then takes the backup's own tables out of the copy. */
export async function emptyCopy(
  path: string,
  keep: (blobs: readonly { readonly id: string; readonly bytes: Uint8Array }[]) => Promise<void>,
): Promise<void> {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  const page = db.prepare(`SELECT id, bytes FROM ${BLOBS_TABLE} WHERE id > ? ORDER BY id LIMIT ?`);
  for (let after = ""; ; ) {
    const rows = page.all(after, BLOBS_AT_ONCE);
    // The two columns are TEXT and BLOB.
    await keep(rows.map((row) => ({ id: String(row["id"]), bytes: row["bytes"] as Uint8Array })));
    if (rows.length < BLOBS_AT_ONCE) break;
    after = String(rows.at(-1)?.["id"]);
  }
  db.exec(`DROP TABLE ${ABOUT_TABLE}; DROP TABLE ${BLOBS_TABLE}`);
  const [free, all] = ["freelist_count", "page_count"].map((name) =>
    Number(db.prepare(`PRAGMA ${name}`).get()?.[name]),
  );
  // The room of many blobs would stay in the file for ever.
  if ((free ?? 0) > (all ?? 0) / FREE_SHARE_MAX) db.exec("VACUUM");
}

/** Blobs in memory at a time: of at most 20 MiB each. */
export const BLOBS_AT_ONCE = 4;
/** One part in so many of the file may be empty. */
const FREE_SHARE_MAX = 10;

/** Makes a new name in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // Windows cannot open folders; NTFS keeps a journal of its own.
  await using folder = await open(path, "r");
  await folder.sync();
}

export async function syncFile(path: string): Promise<void> {
  await using file = await open(path, constants.O_RDWR);
  await file.sync();
  await syncFolder(dirname(path));
}

function sealOf(digest: string): Buffer {
  return Buffer.from(`\ntidings-backup 1 sha256 ${digest}\n`, "latin1");
}

async function openBackup(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
}

async function sealIn(file: FileHandle, path: string): Promise<{ expected: string; bytes: number }> {
  const info = await file.stat();
  if (!info.isFile()) throw invalid(path, "it is no file");
  const bytes = info.size - SEAL_BYTES;
  const end = Buffer.alloc(SEAL_BYTES);
  if (bytes > 0) await file.read(end, 0, SEAL_BYTES, bytes);
  const [, expected] = SEAL.exec(end.toString("latin1")) ?? [];
  if (expected === undefined) throw invalid(path, "it is no backup of Tidings, or it was cut off");
  return { expected, bytes };
}

/** SHA-256 of the first bytes of a file, which are copied on the way if there is a target. */
async function digestOf(
  file: FileHandle,
  bytes: number,
  progress: (share: number) => void,
  target: FileHandle | null = null,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(STRETCH_BYTES);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(STRETCH_BYTES, bytes - at), at);
    if (bytesRead === 0) break;
    const part = buffer.subarray(0, bytesRead);
    hash.update(part);
    for (let done = 0; target !== null && done < part.length; ) {
      done += (await target.write(part, done, part.length - done, at + done)).bytesWritten;
    }
    at += bytesRead;
    progress(at / bytes);
  }
  return hash.digest("hex");
}

function invalid(path: string, why: string, cause?: unknown): OperatorFault {
  return new OperatorFault("backup.invalid", `${path} cannot be restored: ${why}`, { cause });
}

/** How far a work has come, in words. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)}%`;
}
