import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Database } from "#drivers/sqlite/database.ts";
import { OperatorFault } from "#domain/faults.ts";
import { invariant } from "#domain/invariant.ts";

/** One step of the schema: `0007_words.sql`; a first line `-- breaking` says that older programs cannot go on with it. */
export type Migration = {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly isBreaking: boolean;
};

/**
 * Brings the file to the newest schema, each step in a transaction of its own. Before a breaking step on a store that
 * is in use, the whole store is copied to `<path>.schema-<number>`, where the number is the schema of the copy.
 *
 * @throws {OperatorFault} `store.newer` if the file was written by a program that knows more than these migrations.
 */
export function migrate(db: Database, path: string, nowMs: number, migrations: readonly Migration[] = ours()): void {
  db.exec(`CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, breaking INTEGER NOT NULL, applied_ms INTEGER NOT NULL) STRICT`);
  const has = db.query<readonly [number]>("SELECT coalesce(max(number), 0) FROM migrations").get()?.[0] ?? 0;
  const knows = migrations.at(-1)?.number ?? 0;
  if (has > knows) throw newer(path, has, knows);
  const record = db.query("INSERT INTO migrations (number, name, breaking, applied_ms) VALUES (?, ?, ?, ?)");
  for (const step of migrations) {
    if (step.number <= has) continue;
    const schema = step.number - 1;
    if (step.isBreaking && has > 0 && !existsSync(copyPath(path, schema))) {
      db.query("VACUUM INTO ?").run(copyPath(path, schema));
    }
    db.transact("durable", () => {
      db.exec(step.sql);
      record.run(step.number, step.name, step.isBreaking ? 1 : 0, Math.floor(nowMs));
    });
  }
}

/** The migrations beside this file, in order, without gaps. */
export function ours(folder: URL = new URL("./migrations/", import.meta.url)): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  return names.map((name, at) => {
    const number = Number(name.slice(0, 4));
    invariant(number === at + 1, `migrations are numbered without gaps, ${name} is number ${at + 1}`);
    const sql = readFileSync(new URL(name, folder), "utf8");
    return { number, name, sql, isBreaking: /^--\s*breaking\b/i.test(sql) };
  });
}

function newer(path: string, has: number, knows: number): OperatorFault {
  const copy = copyPath(path, knows);
  const backup = existsSync(copy)
    ? `put back the copy that was made before the upgrade: ${copy}`
    : `restore a backup of ${path} from before the upgrade`;
  return new OperatorFault(
    "store.newer",
    `${path} was written by a newer Tidings (schema ${has}, this program knows ${knows}). Start that version or ${backup}`,
  );
}

function copyPath(path: string, schema: number): string {
  return `${path}.schema-${schema}`;
}
