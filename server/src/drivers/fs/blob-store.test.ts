import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { blobStoreConforms } from "#conformance/blob-store.ts";
import { openFsBlobStore, PARTIAL_AGE_MS_MAX } from "#drivers/fs/blob-store.ts";
import { faultOf } from "#drivers/fs/fault.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";

const made: string[] = [];
after(() => Promise.all(made.map((dir) => rm(dir, { recursive: true, force: true }))));

async function freshDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "tidings-blobs-"));
  made.push(dir);
  return dir;
}

blobStoreConforms("fs", async () => {
  const clock = new ManualClock();
  return { clock, store: await openFsBlobStore({ dir: join(await freshDir(), "deep", "blobs"), clock }) };
});

test("blobs are there after closing and opening again, and only their owner may read them", async () => {
  const options = { dir: await freshDir(), clock: new ManualClock() };
  {
    await using store = await openFsBlobStore(options);
    await store.put("kept", Buffer.from("kept"));
  }
  await using store = await openFsBlobStore(options);
  assert.equal(Buffer.from((await store.get("kept")) ?? []).toString(), "kept");
  const [path] = (await readdir(options.dir, { recursive: true })).filter((name) => name.endsWith("kept"));
  assert.match(path ?? "", /^[0-9a-f]{2}.[0-9a-f]{2}.kept$/);
  if (process.platform !== "win32") assert.equal((await stat(join(options.dir, path ?? ""))).mode & 0o077, 0);
});

test("closing waits for puts under way", async () => {
  const dir = await freshDir();
  const clock = new ManualClock();
  const store = await openFsBlobStore({ dir, clock });
  void store.put("late", Buffer.alloc(1024 * 1024));
  await store[Symbol.asyncDispose]();
  assert.equal((await (await openFsBlobStore({ dir, clock })).get("late"))?.length, 1024 * 1024);
});

test("what a crash left half written is never seen, and cleared away when it is an hour old", async () => {
  const dir = await freshDir();
  const clock = new ManualClock();
  const at = async (name: string, ageMs: number) => {
    const path = join(dir, "partial", name);
    await writeFile(path, "half");
    await utimes(path, (clock.nowMs() - ageMs) / 1000, (clock.nowMs() - ageMs) / 1000);
  };
  await using _ = await openFsBlobStore({ dir, clock });
  await at("old.1", PARTIAL_AGE_MS_MAX + 1_000);
  await at("young.1", PARTIAL_AGE_MS_MAX - 1_000);
  await using store = await openFsBlobStore({ dir, clock });
  assert.deepEqual(await readdir(join(dir, "partial")), ["young.1"]);
  assert.equal(await store.get("young"), null);
  assert.deepEqual(await store.list(clock.nowMs() + 1, 10, null), []);
  await store.put("young", Buffer.from("whole"));
  assert.equal(Buffer.from((await store.get("young")) ?? []).toString(), "whole");
});

test("a put that fails leaves nothing behind and says what could not be done", async () => {
  const dir = await freshDir();
  await using store = await openFsBlobStore({ dir, clock: new ManualClock() });
  // A file stands where the folder of every blob would have to be.
  for (let first = 0; first < 256; first += 1) await writeFile(join(dir, first.toString(16).padStart(2, "0")), "");
  await assert.rejects(store.put("a", Buffer.from("a")), {
    name: "StoreFault",
    code: "store.failed",
    message: /write the blob a/,
  });
  assert.deepEqual(await readdir(join(dir, "partial")), []);
});

test("a full disk, a busy one and a broken one are told apart, and a bug stays a bug", () => {
  const said = (code: string) => faultOf(Object.assign(new Error(code), { code, syscall: "write" }), "write");
  const codes = ["ENOSPC", "EDQUOT", "EMFILE", "EIO", "EROFS"].map((code) => (said(code) as { code: string }).code);
  assert.deepEqual(codes, ["store.full", "store.full", "store.busy", "store.failed", "store.failed"]);
  const bug = new TypeError("undefined is not a function");
  assert.equal(faultOf(bug, "write"), bug);
});
