import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { Shelf } from "#blobs/shelf.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { NO_ORIGIN } from "#engine/change.ts";
import { Engine } from "#engine/engine.ts";
import { blobFeeder } from "#functions/feeders/blob.ts";
import { BLOB_LISTENERS, filesToListeners } from "#functions/feeders/blob-listeners.ts";
import type { Invoker, Ran, Work } from "#functions/invoker.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";

function declared(name: string, prefix: string, attempts = 1): DeclaredFunction {
  const limits = { timeoutMs: 30_000, concurrency: 10, attempts, memoryMb: 128 };
  return { name, file: `functions/${name}.ts`, line: 3, on: { kind: "blob", prefix }, ...limits };
}

/** A process with a shelf and what feeds functions from it. */
async function given(before?: { readonly store: MemoryStore }) {
  const clock = systemClock();
  const store = before?.store ?? openMemoryStore({ clock });
  const engine = new Engine({
    store,
    clock,
    dice: seededDice(before === undefined ? 7 : 8),
    log: silentLog,
    meter: silentMeter,
  });
  const blobs = openMemoryBlobStore({ clock });
  const shelf = new Shelf({ engine, blobs, sha256: (bytes) => hash("sha256", bytes, "hex") });
  const works: Work[] = [];
  const state: { answer: (work: Work) => Ran | Promise<Ran> } = {
    answer: () => ({ kind: "done", output: null, effects: {} }),
  };
  const invoker: Invoker = {
    run: async (work) => {
      works.push(work);
      return await state.answer(work);
    },
  };
  shelf.onPut(filesToListeners(engine));
  const feeder = blobFeeder(engine, invoker);
  await engine.start();
  return {
    ...{ store, engine, feeder, works, state },
    put: async (name: string, text: string) => {
      const wish = { only: false, origin: NO_ORIGIN };
      const done = await shelf.put({ name, bytes: Buffer.from(text), contentType: "text/plain" }, wish);
      assert.equal(done.kind, "done");
    },
    called: async (count: number) => {
      while (works.length < count) await turn();
      return works.map(({ declared: { name }, input }) => `${name} ${JSON.parse(input).name}`);
    },
    depth: async (name: string) => {
      const depths = await store.depths([`blob:${name}`]);
      return depths.reduce((sum, { ready, waiting, held }) => sum + ready + waiting + held, 0);
    },
    [Symbol.asyncDispose]: async () => await engine.stop(0),
  };
}

test("each file under its prefix is a call, with what is needed to read it as it was put", async () => {
  await using process = await given();
  await process.feeder.start(declared("photos", "photos/"));
  await process.feeder.start(declared("all", ""));
  await process.put("photos/a.png", "one");
  await process.put("notes/b.txt", "two");
  assert.deepEqual((await process.called(3)).toSorted(), [
    "all notes/b.txt",
    "all photos/a.png",
    "photos photos/a.png",
  ]);
  const { name, bytes, contentType, sha256, blobId } = JSON.parse(process.works[0]?.input ?? "");
  assert.deepEqual([name, bytes, contentType], ["photos/a.png", 3, "text/plain"]);
  assert.equal(sha256, hash("sha256", "one", "hex"));
  assert.match(blobId, /^named-/);
  await process.put("photos/a.png", "anew");
  await process.called(5);
  assert.notEqual(JSON.parse(process.works.at(-1)?.input ?? "").blobId, blobId);
});

test("a file that comes while its function is away waits for it, also over a restart with a broken copy", async () => {
  const first = await given();
  const feed = await first.feeder.start(declared("photos", "photos/"));
  await feed.stop();
  await first.put("photos/a.png", "one");
  assert.equal(await first.depth("photos"), 1);
  await first.engine.stop(0);

  await using second = await given({ store: first.store.crash() });
  await second.feeder.tidy([], ["photos"]);
  await second.put("photos/b.png", "two");
  assert.deepEqual([await second.depth("photos"), second.works.length], [2, 0]);
  await second.feeder.start(declared("photos", "photos/"));
  assert.deepEqual(await second.called(2), ["photos photos/a.png", "photos photos/b.png"]);
});

test("a function that is no more listens no longer", async () => {
  await using process = await given();
  const feed = await process.feeder.start(declared("photos", ""));
  await process.feeder.start(declared("other", ""));
  await feed.stop();
  await process.feeder.tidy([declared("other", "")], []);
  await process.put("a", "one");
  assert.deepEqual(await process.called(1), ["other a"]);
  assert.equal(await process.depth("photos"), 0);
  const kept = await process.store.listDocuments({ collection: BLOB_LISTENERS, limit: 10 });
  assert.deepEqual(
    kept.map(({ id }) => id),
    ["other"],
  );
});

test("a file that a function cannot handle becomes a dead letter, and can be tried anew", async () => {
  await using process = await given();
  await process.feeder.start(declared("photos", ""));
  const error = { name: "Error", says: "no picture", at: null, stack: null };
  process.state.answer = () => ({ kind: "failed", error, effects: {} });
  await process.put("a", "one");
  const letters = () => process.store.deadJobs({ queue: "blob:photos", after: null, limit: 10 });
  let [letter] = await letters();
  while (letter === undefined) {
    await turn();
    [letter] = await letters();
  }
  assert.equal(letter.error, "Error: no picture");
  process.state.answer = () => ({ kind: "done", output: null, effects: {} });
  await process.engine.settleDead(letter.key, "revive");
  await process.called(2);
  assert.deepEqual(
    process.works.map(({ attempt }) => attempt),
    [1, 1],
  );
});
