import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ROOT, workFolder } from "../children.ts";
import { listRow } from "../mail.ts";
import { steadyMs } from "../measure.ts";
import { Tidings } from "../tidings.ts";
import { CountingSink } from "./counting.ts";

/** The list that everybody is on, and the burst that names the addresses; see mail.ts. */
export const LIST = "scale.everybody";
export const LIST_BURST = "everybody";

/** What one import call may bring. */
const ROWS = 1_000;
const DB = "tidings.db";

/** Stores that take minutes to make are kept here from run to run, for as long as the schema is the same. */
export function keptFolder(name: string): string {
  const migrations = join(ROOT, "server/src/drivers/sqlite/migrations");
  const hash = createHash("sha256");
  for (const file of readdirSync(migrations).toSorted()) hash.update(readFileSync(join(migrations, file)));
  return join(ROOT, "node_modules/.cache/tidings-scale", `${name}-${hash.digest("hex").slice(0, 8)}`);
}

export type ListStore = {
  readonly dataDir: string;
  /** How long the import took, by the API; null if the store was there from an earlier run. */
  readonly importMs: number | null;
};

/** A data folder of its own with so many people on the list, brought there by `POST /lists/:id/import`. */
export async function listStore(people: number): Promise<ListStore> {
  const kept = keptFolder(`list-${people}`);
  const dataDir = workFolder();
  const importMs = existsSync(join(kept, DB)) ? null : await build(people, kept);
  copyFileSync(join(kept, DB), join(dataDir, DB));
  return { dataDir, importMs };
}

async function build(people: number, kept: string): Promise<number> {
  const dataDir = `${kept}.partial`;
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true });
  let tookMs = 0;
  {
    await using sink = await CountingSink.start();
    await using tidings = await Tidings.start({ smtpPort: sink.port, dataDir });
    const startMs = steadyMs();
    for (let from = 0; from < people; from += ROWS) {
      const count = Math.min(ROWS, people - from);
      await tidings.importRows(
        LIST,
        Array.from({ length: count }, (_, at) => listRow(LIST_BURST, from + at)),
      );
    }
    tookMs = steadyMs() - startMs;
  }
  renameSync(dataDir, kept);
  return tookMs;
}
