import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadFunctions } from "#drivers/threads/load.ts";

/** What the pages about functions show is TypeScript that compiles, and functions that load. */

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tidings-docs-"));
// Where `tidings` is found.
symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
writeFileSync(join(folder, "package.json"), '{"type":"module"}');
after(() => rmSync(folder, { recursive: true, force: true }));

const PAGES = ["functions", "documents", "client", "testing-functions"];

test("the pages' code compiles, and its functions are loaded without a fault", async () => {
  const files: string[] = [];
  const write = (path: string, code: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
    files.push(path);
  };
  for (const page of PAGES) {
    const text = readFileSync(join(ROOT, `docs/${page}.md`), "utf8");
    const blocks = Array.from(text.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ([, code = ""]) => code);
    assert(blocks.length > 0, page);
    for (const [at, code] of blocks.entries()) {
      // What stands in no file of a project lies beside the functions that it may import.
      write(/^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? `functions/${page}-${at}.test.ts`, code);
    }
  }
  write(
    "functions/tidings-events.d.ts",
    `export interface EventTypes { readonly "order.placed": { readonly total: number } }`,
  );
  process.env["PAYMENT_KEY"] = "for tests";
  const flags = "--ignoreConfig --noEmit --strict --module nodenext --target esnext --lib esnext,dom --types node";
  const more = "--allowImportingTsExtensions --skipLibCheck --noUncheckedIndexedAccess";
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const compiled = await run(process.execPath, [tsc, ...`${flags} ${more}`.split(" "), ...files], {
    cwd: folder,
  }).catch((error: unknown) => error as { readonly stdout: string });
  assert.equal(compiled.stdout, "");
  const place = { folder: join(folder, "functions"), root: folder, settings: {}, secrets: {} };
  const { functions, faults, collections } = await loadFunctions(place);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    functions.map(({ name, on }) => [name, on.kind]),
    [
      ["charge", "queue"],
      ["upgrade", "http"],
      ["welcome", "event"],
    ],
  );
  assert.deepEqual(collections, [{ name: "customers", indexes: ["email", "plan", "address.city"] }]);
});
