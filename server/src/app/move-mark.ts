import { existsSync } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "#app/backup-file.ts";
import { storeFile } from "#app/data-folder.ts";
import { OperatorFault } from "#domain/faults.ts";

/** What a data folder knows of its move to Postgres. */
export type MoveMark = {
  /** Of this move; the target has the same. */
  readonly id: number;
  readonly state: "moving" | "moved";
  /** Host and database, without user and password. */
  readonly to: string;
  readonly schema: string;
  readonly begunMs: number;
  readonly movedMs: number | null;
};

/** Beside the database, and with its name, so that a restore that moves the database aside takes this along. */
export function moveMarkFile(dataDir: string): string {
  return `${storeFile(dataDir)}.moved`;
}

/** Null: it has not been moved, and nobody has begun to. */
export async function readMoveMark(dataDir: string): Promise<MoveMark | null> {
  const path = moveMarkFile(dataDir);
  if (!existsSync(path)) return null;
  // Only `writeMoveMark` writes it, and whole.
  return JSON.parse(await readFile(path, "utf8")) as MoveMark;
}

/** Durable when it returns; what was there before is whole until then. */
export async function writeMoveMark(dataDir: string, mark: MoveMark): Promise<void> {
  const path = moveMarkFile(dataDir);
  const partial = `${path}.partial`;
  await using file = await open(partial, "w", 0o600);
  await file.writeFile(`${JSON.stringify(mark, null, 2)}\n`);
  await file.sync();
  await rename(partial, path);
  await syncFolder(dirname(path));
}

/**
 * To be called around the opening of a data folder's store by whoever wants to work on it: two installations that are the
 * same would both send what waits.
 *
 * @throws {OperatorFault} `store.moved` or `store.moving`, saying where to and how to go on here all the same.
 */
export async function refuseMoved(dataDir: string): Promise<void> {
  const mark = await readMoveMark(dataDir);
  if (mark === null) return;
  const place = `Postgres at ${mark.to}, schema ${mark.schema}`;
  const path = moveMarkFile(dataDir);
  if (mark.state === "moved") {
    throw new OperatorFault(
      "store.moved",
      `What is in ${dataDir} was moved to ${place} on ${day(mark.movedMs)}, and goes on there. Only if nothing was ever ` +
        `started on that, and never will be, delete ${path} and start again`,
    );
  }
  throw new OperatorFault(
    "store.moving",
    `What is in ${dataDir} is on its way to ${place} since ${day(mark.begunMs)}. Run tidings migrate again: it goes on where ` +
      `it stood. To give it up, drop that schema, delete ${path}, and start again`,
  );
}

function day(ms: number | null): string {
  return new Date(ms ?? 0).toISOString().slice(0, 10);
}
