import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { makeBackup } from "#app/backup.ts";
import { finishRestore, restoreBackup } from "#app/restore.ts";
import { birth, job, message, messageIdOf, request, StandingClock, START_MS } from "#conformance/store-world.ts";
import { OperatorFault, type OperatorFaultCode } from "#domain/faults.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { readRestored } from "#pipeline/restored.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-backup-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;
const fresh = (name: string): string => join(folder, `${name}-${++count}`);
const clock = new StandingClock();
const step = (): void => {};
const fault =
  (code: OperatorFaultCode, says = /./) =>
  (error: unknown) =>
    error instanceof OperatorFault && error.code === code && says.test(error.message);

const open = (dataDir: string) => openSqliteStore({ path: join(dataDir, "tidings.db"), clock, layout: "inline" });
const openBlobs = (dataDir: string) => openFsBlobStore({ dir: join(dataDir, "blobs"), clock });
const back = (dataDir: string, file: string, force = false) => makeBackup({ dataDir, file, force, clock, step });
const restore = (file: string, dataDir: string, force = false) => restoreBackup({ dataDir, file, force, clock, step });

/** A data folder with some messages that wait, and blobs, named `<name>-blob-<n>`. */
async function given(name: string, messages = 3, blobsMany = messages): Promise<string> {
  const dataDir = fresh(name);
  await using store = await open(dataDir);
  await using blobs = await openBlobs(dataDir);
  const ids = blobNames(name, blobsMany);
  await Promise.all(ids.map((id) => blobs.put(id, Buffer.from(`${id} `.repeat(10_000)))));
  const numbers = Array.from({ length: messages }, (_, at) => at + 1);
  await store.commit([
    {
      requests: numbers.map((n) => request(n)),
      messages: numbers.map((n) => birth(message(n), job(messageIdOf(n), { dueMs: START_MS + n }))),
      blobs: ids.map((id) => ({ id, bytes: 1, owner: "x" })),
    },
  ]);
  return dataDir;
}

/** What a folder holds, as the program would see it. */
async function look(dataDir: string) {
  await using store = await open(dataDir);
  await using blobs = await openBlobs(dataDir);
  const ids = await blobs.list(Number.MAX_SAFE_INTEGER, 99, null);
  return {
    blobs: ids.toSorted(),
    parked: (await store.parkedJobs({ after: null, limit: 99 })).length,
    restored: await readRestored(store),
  };
}

const blobNames = (name: string, many = 3): string[] => Array.from({ length: many }, (_, n) => `${name}-blob-${n + 1}`);

test("a restored folder is what was backed up: messages, blobs byte for byte, and every job is held back", async () => {
  const [source, target, file] = [await given("whole"), fresh("target"), fresh("file")];
  const made = await back(source, file);
  assert.deepEqual(
    [made.about.messages, made.about.jobs, made.about.blobs, made.blobsForgotten, made.blobsMissing],
    [3, 3, 3, 0, []],
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(file).size, made.bytes);
  const restored = await restore(file, target);
  assert.deepEqual([restored.parked, restored.aside], [3, null]);
  assert.deepEqual(await look(target), {
    blobs: blobNames("whole"),
    parked: 3,
    restored: { backupMadeMs: START_MS, restoredMs: START_MS, parked: 3 },
  });
  await using blobs = await openBlobs(target);
  assert.equal(Buffer.from((await blobs.get("whole-blob-2")) ?? []).toString(), "whole-blob-2 ".repeat(10_000));
  assert.deepEqual(
    readdirSync(target).filter((name) => !name.startsWith("tidings.db.lock")),
    ["blobs", "tidings.db"],
  );
  using db = new DatabaseSync(join(target, "tidings.db"));
  assert.deepEqual(db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'backup%'").all(), []);
  assert.equal(db.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
});

test("a backup of a restored folder keeps what is held back, and holds it back again", async () => {
  const [source, file, second, third] = [await given("again"), fresh("file"), fresh("second"), fresh("third")];
  await back(source, file);
  await restore(file, second);
  const again = fresh("file");
  await back(second, again);
  assert.equal((await restore(again, third)).parked, 3);
});

test("a file that is there already is not overwritten without being told to, and the store itself never", async () => {
  const [source, file] = [await given("kept", 1), fresh("file")];
  await back(source, file);
  const before = readFileSync(file);
  await assert.rejects(back(source, file), fault("backup.exists", /is there already/));
  assert.ok(readFileSync(file).equals(before));
  await back(source, file, true);
  for (const name of ["tidings.db", "tidings.db-wal"])
    await assert.rejects(back(source, join(source, name), true), fault("backup.exists", /the store itself/));
  await assert.rejects(back(fresh("nowhere"), fresh("file")), fault("store.missing"));
  await assert.rejects(back(source, join(fresh("no-folder"), "file")), fault("disk.failed"));
});

test("a blob that retention took meanwhile is noted; one that somebody else took is missed", async () => {
  const [source, file] = [await given("gone"), fresh("file")];
  const made = await makeBackup({
    dataDir: source,
    file,
    force: false,
    clock,
    // The names are in the copy, and now the bytes go.
    step: (says) => {
      if (says !== "copying blobs") return;
      using db = new DatabaseSync(join(source, "tidings.db"));
      db.exec("DELETE FROM blobs WHERE id = 'gone-blob-1'");
      for (const n of [1, 2]) rmSync(pathOfBlob(source, `gone-blob-${n}`));
    },
  });
  assert.deepEqual([made.blobsForgotten, made.blobsMissing, made.about.blobs], [1, ["gone-blob-2"], 1]);
});

function pathOfBlob(dataDir: string, id: string): string {
  const found = readdirSync(join(dataDir, "blobs"), { recursive: true }).map(String);
  return join(dataDir, "blobs", found.find((name) => name.endsWith(id)) ?? "");
}

test("a damaged store makes no backup: the sentence names the table, and nothing is left", async () => {
  const source = await given("damaged", 200, 0);
  const path = join(source, "tidings.db");
  const pages = readFileSync(path);
  // The tree of `messages` gets a page of noise.
  using db = new DatabaseSync(path, { readOnly: true });
  const root = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'messages'").get()?.["rootpage"]);
  db.close();
  pages.fill(0xaa, (root - 1) * 4_096 + 12, (root - 1) * 4_096 + 400);
  writeFileSync(path, pages);
  const place = fresh("place");
  mkdirSync(place);
  await assert.rejects(back(source, join(place, "file")), fault("store.corrupt"));
  assert.deepEqual(readdirSync(place), []);
});

test("any bit that has changed, and any byte that is missing or too many, is found before anything is restored", async () => {
  const [source, file] = [await given("sealed"), fresh("file")];
  await back(source, file);
  const whole = readFileSync(file);
  const target = fresh("target");
  for (let at = 0; at < 24; at += 1) {
    const broken = Buffer.from(whole);
    const byte = Math.floor((at / 24) * whole.length);
    broken.writeUInt8(broken.readUInt8(byte) ^ (1 << (at % 8)), byte);
    writeFileSync(file, broken);
    await assert.rejects(restore(file, target), fault("backup.invalid"), `byte ${byte}`);
  }
  for (const size of [0, 10, whole.length - 1, whole.length - 91, 4_096]) {
    writeFileSync(file, whole);
    truncateSync(file, size);
    await assert.rejects(restore(file, target), fault("backup.invalid", /no backup of Tidings|cut off/), `${size}`);
  }
  writeFileSync(file, whole);
  appendFileSync(file, "x");
  await assert.rejects(restore(file, target), fault("backup.invalid"));
  await assert.rejects(restore(join(source, "tidings.db"), target), fault("backup.invalid"));
  await assert.rejects(restore(fresh("never"), target), fault("backup.invalid", /no such file/));
  await assert.rejects(restore(source, target), fault("backup.invalid"));
  assert.ok(!existsSync(join(target, "tidings.db")) && !existsSync(join(target, "restoring")));
  writeFileSync(file, whole);
  await restore(file, target);
});

test("a backup of a newer program is refused with a sentence that says so", async () => {
  const [source, file] = [await given("newer", 1), fresh("file")];
  using db = new DatabaseSync(join(source, "tidings.db"));
  db.exec("INSERT INTO migrations (number, name, breaking, applied_ms) VALUES (99, '0099_future.sql', 0, 0)");
  db.close();
  await back(source, file);
  await assert.rejects(restore(file, fresh("target")), fault("store.newer", /schema 99/));
});

test("a store that is there is not overwritten; with force it is moved aside, whole", async () => {
  const [source, target, file] = [await given("new"), await given("old", 2), fresh("file")];
  await back(source, file);
  const before = await look(target);
  await assert.rejects(restore(file, target), fault("store.exists"));
  assert.deepEqual(await look(target), before);
  writeFileSync(join(target, "tidings.db.schema-0"), "a copy from before an upgrade of the old store");
  const { aside } = await restore(file, target, true);
  assert.deepEqual((await look(target)).blobs, blobNames("new"));
  assert.ok(aside !== null && aside.startsWith(join(target, "before-restore-2026-")));
  assert.deepEqual(await look(aside), before);
  assert.ok(existsSync(join(aside, "tidings.db.schema-0")) && !existsSync(join(target, "tidings.db.schema-0")));
});

test("while a server works on the folder nothing is restored into it", async () => {
  const [source, target, file] = [await given("free", 1), await given("busy", 1), fresh("file")];
  await back(source, file);
  await using _ = await open(target);
  await assert.rejects(restore(file, target, true), fault("store.locked"));
});

test("who asks a backup or a restore to stop is heard at every step, and nothing is left of it", async () => {
  const [source, file] = [await given("stopped"), fresh("file")];
  await back(source, file);
  const stop = new Error("stop");
  const stopAt = (wanted: number) => {
    let steps = 0;
    return () => {
      if (steps++ === wanted) throw stop;
    };
  };
  const place = fresh("place");
  mkdirSync(place);
  let stopped = 0;
  for (let at = 0; ; at += 1) {
    const backup = makeBackup({ dataDir: source, file: join(place, "f"), force: false, clock, step: stopAt(at) });
    const stoppedBackup = await backup.then(
      () => false,
      (error: unknown) => error === stop,
    );
    assert.deepEqual(readdirSync(place), stoppedBackup ? [] : ["f"]);
    rmSync(join(place, "f"), { force: true });
    const dataDir = join(place, "data");
    const restored = restoreBackup({ dataDir, file, force: false, clock, step: stopAt(at) });
    const stoppedRestore = await restored.then(
      () => false,
      (error: unknown) => error === stop,
    );
    assert.equal(existsSync(join(dataDir, "tidings.db")), !stoppedRestore);
    assert.ok(!existsSync(join(dataDir, "restoring")) && !existsSync(join(dataDir, "restored")));
    rmSync(dataDir, { recursive: true });
    if (!stoppedBackup && !stoppedRestore) break;
    stopped += 1;
  }
  assert.ok(stopped > 10, `${stopped} steps`);
});

test("what a killed backup left beside its file is cleared away by the next one, and nothing else", async () => {
  const [source, place] = [await given("leftovers", 1), fresh("place")];
  mkdirSync(place);
  const left = ["f.partial-999999999", "f.partial-999999999-journal"];
  const others = [`f.partial-${process.ppid}`, "f.partial-mine", "other.partial-999999999"];
  for (const name of [...left, ...others]) writeFileSync(join(place, name), "");
  await back(source, join(place, "f"));
  assert.deepEqual(readdirSync(place).toSorted(), ["f", ...others].toSorted());
});

/** The steps by which a decided restore is put in its place, each as moves within the data folder. */
const PLACING: readonly (readonly [from: string, to: string])[] = [
  ["tidings.db", "restored/old/tidings.db"],
  ["blobs", "restored/old/blobs"],
  ["restored/new/blobs", "blobs"],
  ["restored/new/tidings.db", "tidings.db"],
  ["restored/old", "before-restore-then"],
];

for (let died = 0; died <= PLACING.length; died += 1) {
  test(`a restore that was decided and died after ${died} of ${PLACING.length} moves is finished by the next start`, async () => {
    const [source, target, file, made] = [await given("new"), await given("old", 2), fresh("file"), fresh("made")];
    await back(source, file);
    await restore(file, made);
    const expected = await look(made);
    const before = await look(target);
    mkdirSync(join(target, "restored", "old"), { recursive: true });
    mkdirSync(join(target, "restored", "new"));
    for (const name of ["tidings.db", "blobs"]) renameSync(join(made, name), join(target, "restored", "new", name));
    for (const [from, to] of PLACING.slice(0, died)) renameSync(join(target, from), join(target, to));
    await finishRestore(target, clock);
    assert.deepEqual(await look(target), expected);
    assert.ok(!existsSync(join(target, "restored")));
    const aside = readdirSync(target).filter((name) => name.startsWith("before-restore-"));
    assert.equal(aside.length, 1);
    assert.deepEqual(await look(join(target, aside[0] ?? "")), before);
  });
}

test("after a restore that was killed before it was decided, a start makes no empty store in its place", async () => {
  const [target, file, source] = [fresh("target"), fresh("file"), await given("new", 1)];
  mkdirSync(join(target, "restoring", "new"), { recursive: true });
  await assert.rejects(finishRestore(target, clock), fault("restore.unfinished", /restoring/));
  await back(source, file);
  await restore(file, target);
  await finishRestore(target, clock);
  assert.deepEqual((await look(target)).blobs, blobNames("new", 1));
});

test("a place that cannot be written to is a fault of the disk, with a sentence that names it", async () => {
  const [source, file] = [await given("rights", 1), fresh("file")];
  await back(source, file);
  await assert.rejects(back(source, join(file, "inside")), fault("disk.failed", /inside/));
  await assert.rejects(restore(file, join(file, "inside")), fault("disk.failed", /inside/));
});
