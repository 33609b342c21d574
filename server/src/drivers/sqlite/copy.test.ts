import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { commitOne, event, StandingClock } from "#conformance/store-world.ts";
import { copyDatabase } from "#drivers/sqlite/copy.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { OperatorFault } from "#domain/faults.ts";
import { StoreFault } from "#ports/store.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-copy-"));
after(() => rmSync(folder, { recursive: true }));
const clock = new StandingClock();
const data = "x".repeat(4_000);

async function filled(name: string, events: number) {
  const path = join(folder, name, "tidings.db");
  const store = await openSqliteStore({ path, clock, layout: "inline" });
  for (let n = 0; n < events; n += 1) await commitOne(store, { events: [event(`s${n}`, { data })] });
  return { path, store };
}

function look(path: string): { events: number; check: unknown } {
  using db = new DatabaseSync(path);
  return {
    events: Number(db.prepare("SELECT count(*) AS n FROM events").get()?.["n"]),
    check: db.prepare("PRAGMA integrity_check").get()?.["integrity_check"],
  };
}

test("a copy under a writer is of one moment, never begins anew, and no commit waits for it", async () => {
  const { path, store } = await filled("busy", 60);
  const shares: number[] = [];
  const commits: Promise<unknown>[] = [];
  await copyDatabase(
    path,
    join(folder, "busy.copy"),
    (share) => {
      shares.push(share);
      commits.push(commitOne(store, { events: [event("meanwhile", { data })] }));
    },
    4,
  );
  await Promise.all(commits);
  assert.ok(shares.length > 15, `${shares.length} steps`);
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => a - b),
    "it never went back",
  );
  assert.deepEqual(look(join(folder, "busy.copy")), { events: 60, check: "ok" });
  assert.equal((await store.journalBounds()).last, 60 + shares.length);
  await store[Symbol.asyncDispose]();
});

test("a store that nobody has open is copied as well, and stays one file", async () => {
  const { path, store } = await filled("quiet", 3);
  await store[Symbol.asyncDispose]();
  await copyDatabase(path, join(folder, "quiet.copy"), () => {});
  assert.deepEqual(look(join(folder, "quiet.copy")), { events: 3, check: "ok" });
});

test("whoever is told how far it is can end it", async () => {
  const { path, store } = await filled("ended", 20);
  const enough = new Error("enough");
  const stop = (): never => {
    throw enough;
  };
  await assert.rejects(copyDatabase(path, join(folder, "ended.copy"), stop, 1), enough);
  await store[Symbol.asyncDispose]();
});

test("what cannot be copied is a fault that says why", async () => {
  const { path, store } = await filled("faults", 1);
  await assert.rejects(
    copyDatabase(path, join(folder, "no", "such", "folder"), () => {}),
    StoreFault,
  );
  await assert.rejects(
    copyDatabase(join(folder, "never.db"), join(folder, "never.copy"), () => {}),
    StoreFault,
  );
  mkdirSync(join(folder, "junk"));
  writeFileSync(join(folder, "junk", "tidings.db"), "a letter, not a database ".repeat(400));
  await assert.rejects(
    copyDatabase(join(folder, "junk", "tidings.db"), join(folder, "junk.copy"), () => {}),
    (error) => error instanceof OperatorFault && error.code === "store.corrupt",
  );
  await store[Symbol.asyncDispose]();
});
