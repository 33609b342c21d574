import { mkdtempSync, rmSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { storeConforms, type StoreOpening } from "#conformance/store.ts";
import { storesAgree } from "#conformance/store-agreement.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";

// Threads begin in half the time.
enableCompileCache();
const folder = mkdtempSync(join(tmpdir(), "tidings-sqlite-"));
after(() => rmSync(folder, { recursive: true }));

const opened =
  (layout: "inline" | "worker") =>
  ({ clock, at }: StoreOpening) =>
    openSqliteStore({ path: join(folder, layout, `${at}.db`), clock, layout });

storeConforms("sqlite in the calling thread", opened("inline"));
storeConforms("sqlite in a worker thread", opened("worker"));
storesAgree("sqlite", opened("inline"), async ({ clock }) => openMemoryStore({ clock }), 100);
