import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { claimOne, commitOne, event, job, LEASE_MS, StandingClock } from "#conformance/store-world.ts";
import { Database, WAL_PAGES } from "#drivers/sqlite/database.ts";
import { migrate, type Migration, ours } from "#drivers/sqlite/migrate.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { WriteCore } from "#drivers/sqlite/write-core.ts";
import { OperatorFault } from "#domain/faults.ts";
import { StoreFault, type Unit } from "#ports/store.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-sqlite-open-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = (): string => join(folder, `store-${++files}`, "tidings.db");
const open = (path: string) => openSqliteStore({ path, clock: new StandingClock(), layout: "inline" });
const saying =
  (code: string, ...words: readonly string[]) =>
  (error: unknown) =>
    error instanceof OperatorFault && error.code === code && words.every((word) => error.message.includes(word));

test("a second opening of the same file is refused with a message that names it, also by another way", async () => {
  const path = freshPath();
  const store = await open(path);
  await assert.rejects(open(path), saying("store.locked", path, "in use"));
  const link = join(folder, "link");
  symlinkSync(join(path, ".."), link);
  await assert.rejects(open(join(link, "tidings.db")), saying("store.locked"));
  await commitOne(store, { events: [event("a")] });
  await store[Symbol.asyncDispose]();
  const again = await open(path);
  assert.equal((await again.journalBounds()).last, 1);
  await again[Symbol.asyncDispose]();
});

test("another process is refused while this one lives, and let in when it was killed", async () => {
  const path = freshPath();
  const script = `
    const { openSqliteStore } = await import(${JSON.stringify(new URL("./open.ts", import.meta.url).href)});
    const clock = { nowMs: () => 0, monotonicMs: () => 0, after() {} };
    await openSqliteStore({ path: ${JSON.stringify(path)}, clock, layout: "inline" });
    console.log("open");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await assert.rejects(open(path), saying("store.locked", path));
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await open(path))[Symbol.asyncDispose]();
});

test("a file that a newer program wrote is refused, with a sentence that says what to do", async () => {
  const path = freshPath();
  await (await open(path))[Symbol.asyncDispose]();
  const raw = new DatabaseSync(path);
  raw.exec("INSERT INTO migrations VALUES (7, '0007_future.sql', 0, 0)");
  raw.close();
  const knows = ours().length;
  await assert.rejects(
    open(path),
    saying(
      "store.newer",
      path,
      "newer Tidings",
      `schema 7, this program knows ${knows}`,
      "Start that version",
      "restore a backup",
    ),
  );
  writeFileSync(`${path}.schema-${knows}`, "");
  await assert.rejects(open(path), saying("store.newer", `${path}.schema-${knows}`));
});

test("a file that is no database is refused as damaged, and stays as it is", async () => {
  const path = freshPath();
  mkdirSync(join(path, ".."));
  writeFileSync(path, "this is not a database, it is a letter ".repeat(200));
  await assert.rejects(open(path), saying("store.corrupt"));
});

test("migrations run once, in order; a breaking one copies a store in use first; a failing one leaves nothing", () => {
  const path = freshPath();
  mkdirSync(join(path, ".."));
  const step = (number: number, sql: string, isBreaking = false): Migration => ({
    number,
    name: `${number}`,
    sql,
    isBreaking,
  });
  const one = step(1, "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)", true);
  const two = step(2, "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO b VALUES (2)", true);
  const db = new Database(path, "write");
  migrate(db, path, 5, [one]);
  assert.equal(existsSync(`${path}.schema-0`), false, "nothing to copy yet");
  migrate(db, path, 6, [one, two]);
  migrate(db, path, 7, [one, two]);
  assert.deepEqual(db.query("SELECT number, breaking, applied_ms FROM migrations ORDER BY number").all(), [
    [1, 1, 5],
    [2, 1, 6],
  ]);
  const copy = new DatabaseSync(`${path}.schema-1`);
  assert.deepEqual(
    { ...copy.prepare("SELECT max(number) AS n, (SELECT x FROM a) AS x FROM migrations").get() },
    { n: 1, x: 1 },
  );
  copy.close();
  assert.throws(() => migrate(db, path, 8, [one, two, step(3, "CREATE TABLE c (x); SELECT nonsense FROM nowhere")]));
  assert.deepEqual(db.query("SELECT name FROM sqlite_schema WHERE name = 'c'").all(), []);
  assert.deepEqual(db.query("SELECT max(number) FROM migrations").all(), [[2]]);
  db.close();
});

test("closing leaves one file that is the whole store", async () => {
  const path = freshPath();
  const store = await openSqliteStore({ path, clock: new StandingClock() });
  await commitOne(store, { events: [event("a")] });
  await store.depths();
  await store[Symbol.asyncDispose]();
  assert.deepEqual(
    readdirSync(join(path, "..")).filter((name) => !name.endsWith(".lock")),
    ["tidings.db"],
  );
});

test("a long log is moved into the file, and its room is used again", async () => {
  const path = freshPath();
  const store = await open(path);
  const data = "x".repeat(64 * 1024);
  for (let written = 0; written < 3 * WAL_PAGES * 4_096; written += 16 * data.length)
    await commitOne(store, { events: Array.from({ length: 16 }, (_, n) => event(`s${n}`, { data })) });
  const logBytes = statSync(`${path}-wal`).size;
  assert.ok(logBytes < 1.2 * WAL_PAGES * 4_096, `${logBytes} bytes`);
  assert.ok(statSync(path).size > WAL_PAGES * 4_096);
  await store[Symbol.asyncDispose]();
});

test("a full disk is a StoreFault, leaves nothing of the commit, and what is small can be written afterwards", () => {
  const path = freshPath();
  mkdirSync(join(path, ".."));
  const db = new Database(path, "write");
  migrate(db, path, 0);
  const core = new WriteCore(db);
  const now = { wallMs: 0, monotonicMs: 0 };
  core.commit(now, [{ jobs: [job("before", { dueMs: 0, heldForMs: LEASE_MS })] }]);
  const pages = db.query<readonly [number]>("PRAGMA page_count").get()?.[0] ?? 0;
  db.exec(`PRAGMA max_page_count = ${pages + 20}`);
  const units = Array.from(
    { length: 50 },
    (_, n): Unit => ({ events: [event(`s${n}`, { data: "x".repeat(10_000) })], jobs: [job(`j${n}`)] }),
  );
  const done = { job: { ref: { key: "before", fence: 1 }, end: { kind: "done" } } } as const;
  for (let tries = 0; tries < 3; tries += 1) {
    assert.throws(
      () => core.commit(now, [done, ...units]),
      (error) => error instanceof StoreFault && error.code === "store.full",
    );
  }
  assert.deepEqual(db.query("SELECT key FROM jobs").all(), [["before"]]);
  assert.deepEqual(
    core.extend(now, [{ key: "before", fence: 1 }], LEASE_MS),
    [],
    "the lease of what was not done goes on",
  );
  assert.deepEqual(
    core.commit(now, [done, { events: [event("small")] }]).map(({ kind }) => kind),
    ["committed", "committed"],
  );
  assert.deepEqual(db.query("SELECT position FROM events").all(), [[1]], "positions of what failed were not used up");
  core[Symbol.dispose]();
});

test("a lock that someone outside holds is a StoreFault that passes", { timeout: 20_000 }, async () => {
  const path = freshPath();
  const store = await openSqliteStore({ path, clock: new StandingClock(), layout: "worker" });
  const outside = new DatabaseSync(path);
  outside.exec("BEGIN IMMEDIATE");
  await assert.rejects(
    store.commit([{ events: [event("a")] }]),
    (error) => error instanceof StoreFault && error.code === "store.busy",
  );
  outside.exec("COMMIT");
  outside.close();
  await commitOne(store, { jobs: [job("a")], events: [event("a")] });
  assert.equal((await claimOne(store)).key, "a");
  assert.equal((await store.journalBounds()).last, 1);
  await store[Symbol.asyncDispose]();
});

test("a fence is not given again although a power cut has undone the claim that it was given to", async () => {
  const path = freshPath();
  const clock = new StandingClock();
  const reopened = () => openSqliteStore({ path, clock, layout: "inline" });
  const before = await reopened();
  await commitOne(before, { jobs: [job("a")] });
  await before[Symbol.asyncDispose]();
  const asItWas = readFileSync(path);
  const claimed = await reopened();
  const [lost] = await claimed.claim([{ queue: "deliver", lane: "transactional", limit: 1, lendMs: LEASE_MS }], 1);
  assert(lost !== undefined);
  await claimed[Symbol.asyncDispose]();
  writeFileSync(path, asItWas);
  clock.advance(5);
  const after = await reopened();
  assert((await claimOne(after)).fence > lost.fence);
  await after[Symbol.asyncDispose]();
});

test("a bug in what is written is an Error, not a fault to be tried again, and the store goes on", async () => {
  for (const layout of ["inline", "worker"] as const) {
    const store = await openSqliteStore({ path: freshPath(), clock: new StandingClock(), layout });
    // A unit that our types do not allow.
    const wrong = { events: [event("a"), { ...event("b"), timeMs: "noon" }] } as unknown as Unit;
    await assert.rejects(store.commit([wrong]), (error) => error instanceof Error && !(error instanceof StoreFault));
    assert.equal((await store.journalBounds()).last, 0);
    await commitOne(store, { events: [event("a")] });
    await store[Symbol.asyncDispose]();
  }
});
