import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SERVER = new URL("../../", import.meta.url).pathname;
const ROOT = new URL("../../../", import.meta.url).pathname;
const MIGRATIONS = "src/drivers/postgres/migrations";
/** What a version adds that the one before it can live with. */
const ADDITIVE = [
  "ALTER TABLE messages ADD COLUMN from_the_next_version text;",
  "CREATE TABLE of_the_version_after_next (id text PRIMARY KEY);",
];

/** Copies of this program that know more of the schema than it does. */
export type NextVersions = Disposable & {
  /** The main file of the program so many migrations further, at most two. */
  main(ahead: 1 | 2): string;
};

/** @returns programs that differ from this one by additive migrations alone; gone with it. */
export function nextVersions(): NextVersions {
  const folder = mkdtempSync(join(tmpdir(), "tidings-next-"));
  const made = new Map<number, string>();
  const make = (ahead: number): string => {
    const home = join(folder, `ahead-${ahead}`);
    const server = join(home, "server");
    for (const part of ["src", "package.json"]) cpSync(join(SERVER, part), join(server, part), { recursive: true });
    for (const part of ["node_modules", "contract", "package.json"]) symlinkSync(join(ROOT, part), join(home, part));
    const migrations = join(server, MIGRATIONS);
    const last = readdirSync(migrations).filter((name) => name.endsWith(".sql")).length;
    for (const [at, sql] of ADDITIVE.slice(0, ahead).entries())
      writeFileSync(join(migrations, `${String(last + at + 1).padStart(4, "0")}-next.sql`), `${sql}\n`);
    return join(server, "src/cli/main.ts");
  };
  return {
    main(ahead) {
      const main = made.get(ahead) ?? make(ahead);
      made.set(ahead, main);
      return main;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
