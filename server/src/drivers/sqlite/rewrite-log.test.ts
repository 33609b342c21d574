import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { rewriteLog } from "#drivers/sqlite/rewrite-log.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-log-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

/** A file with some commits that are only in its log, as it is while somebody has it open. */
function given(commits: number, pageBytes = 4096) {
  const path = join(folder, `${++files}.db`);
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0`);
  db.exec("CREATE TABLE t (x)");
  for (let n = 1; n <= commits; n += 1) db.prepare("INSERT INTO t VALUES (?)").run("x".repeat(n * 7));
  const frames = Number(db.prepare("PRAGMA wal_checkpoint(NOOP)").get()?.["log"]);
  /** What the next start would find if the process ended here. */
  const nextStart = (): number => {
    const copy = join(folder, `${++files}.db`);
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    const again = new DatabaseSync(copy);
    const rows = Number(again.prepare("SELECT count(*) AS n FROM t").get()?.["n"]);
    again.close();
    return rows;
  };
  return { path, log: `${path}-wal`, db, frames, frameBytes: 24 + pageBytes, nextStart };
}

for (const pageBytes of [512, 4096, 65536]) {
  test(`what is committed stays, byte for byte (pages of ${pageBytes})`, () => {
    const { log, db, frames, nextStart } = given(300, pageBytes);
    const before = readFileSync(log);
    assert.equal(rewriteLog(log, frames), frames);
    assert.equal(rewriteLog(log, null), frames);
    assert.deepEqual(readFileSync(log), before);
    assert.equal(nextStart(), 300);
    db.close();
  });
}

test("a commit whose sync failed is cut off, and does not come to life at the next start", () => {
  const { log, db, frames, nextStart } = given(10);
  db.exec("INSERT INTO t VALUES ('whose sync failed')");
  assert.equal(nextStart(), 11, "it would");
  assert.equal(rewriteLog(log, frames), frames);
  assert.equal(nextStart(), 10);
  db.close();
});

test("frames that the system has forgotten are noticed, and what was before them is kept", () => {
  const { log, db, frames, frameBytes, nextStart } = given(10);
  const bytes = readFileSync(log);
  bytes.fill(1, 32 + (frames - 2) * frameBytes + 500, 32 + (frames - 2) * frameBytes + 1_000);
  writeFileSync(log, bytes);
  assert.equal(rewriteLog(log, frames), frames - 2);
  assert.equal(rewriteLog(log, null), frames - 2);
  assert.equal(nextStart(), 8);
  truncateSync(log, 32 + 3 * frameBytes + 100);
  assert.equal(rewriteLog(log, frames), 3);
  assert.equal(rewriteLog(log, 3), 3);
  db.close();
});

test("no log, an empty one and one that is none are left as they are", () => {
  const path = join(folder, "none");
  assert.equal(rewriteLog(path, null), 0);
  for (const text of ["", "short", "no log at all, but long enough for a header"]) {
    writeFileSync(path, text);
    assert.equal(rewriteLog(path, null), 0);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("sixteen megabytes, the longest log there is before it is moved, take a fraction of a second", (t) => {
  const { log, db, frames } = given(0);
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t SELECT randomblob(4000) FROM n",
  );
  assert.ok(statSync(log).size > 16_000_000);
  const startMs = performance.now();
  assert.ok(rewriteLog(log, null) > frames);
  const tookMs = performance.now() - startMs;
  t.diagnostic(`${tookMs.toFixed(0)} ms`);
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
  db.close();
});
