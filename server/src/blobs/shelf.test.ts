import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { forgetOld, KEPT_MS } from "#blobs/forgetting.ts";
import { contentTypeFlaw, nameFlaw } from "#blobs/names.ts";
import { BLOB_BYTES_MAX, BLOBS, Shelf, type StoredBlob } from "#blobs/shelf.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { NO_ORIGIN } from "#engine/change.ts";
import type { NewJob } from "#domain/job.ts";
import type { DraftEffects } from "#engine/draft.ts";
import { Engine } from "#engine/engine.ts";
import { type Round, tidy } from "#engine/upkeep.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { StoreFault, type Unit } from "#ports/store.ts";

const HOUR_MS = 60 * 60 * 1_000;
const RETENTION = { messagesAgeMaxMs: 1e12, journalAgeMaxMs: 1e12, journalEventsMax: 1e9, evenUnread: false };

type World = { readonly clock: ManualClock; readonly store: MemoryStore; readonly blobs: BlobStore };

function givenWorld(): World {
  const clock = new ManualClock();
  return { clock, store: openMemoryStore({ clock }), blobs: openMemoryBlobStore({ clock }) };
}

function jobOf(key: string): NewJob {
  const job = { queue: "q", lane: "transactional", turn: 0, dueMs: 0, payload: "", traceparent: null } as const;
  return { ...job, key: `job:${key}` };
}

/** A process on a store and a blob store; another one goes on where it died. */
async function given({ clock, store, blobs }: World = givenWorld(), backlogMax?: number, seed = 5) {
  const engine = new Engine({ store, clock, dice: seededDice(seed), log: silentLog, meter: silentMeter }, backlogMax);
  await engine.start();
  const shelf = new Shelf({ engine, blobs, sha256: (bytes) => hash("sha256", bytes, "hex") });
  let round: Round = { after: null, suspects: new Map(), isBusy: false };
  return {
    ...{ clock, store, blobs, engine, shelf },
    put: (name: string, text: string, only = false) =>
      shelf.put({ name, bytes: Buffer.from(text), contentType: "text/plain" }, { only, origin: NO_ORIGIN }),
    async read(name: string): Promise<string | null> {
      const found = await shelf.find(name);
      const bytes = found === null ? null : await shelf.read(found);
      return bytes === null ? null : Buffer.from(bytes).toString();
    },
    /** While many commits are under way, the engine waits for company on the clock. */
    async all<Value>(underWay: readonly Promise<Value>[]): Promise<readonly Value[]> {
      let done = false;
      const all = Promise.all(underWay).finally(() => (done = true));
      while (!done) {
        await turn();
        clock.advance(1);
      }
      return await all;
    },
    /** From now on whatever brings a job is refused. */
    async overload(): Promise<void> {
      shelf.onPut(({ name }) => ({ jobs: [{ job: jobOf(name), hand: null }] }));
      clock.advance(20_000);
      while ((await engine.submit({ jobs: [{ job: jobOf("x"), hand: null }] })).kind !== "overloaded") await turn();
    },
    /** All bytes that there are. */
    ids: () => blobs.list(clock.nowMs() + 1, 1_000, null),
    async tidy() {
      await forgetOld(engine);
      round = await tidy(engine, blobs, RETENTION, round);
    },
    async collect(): Promise<void> {
      clock.advance(HOUR_MS + 1_000);
      await this.tidy();
      clock.advance(HOUR_MS);
      await this.tidy();
    },
    events: async () => (await store.readJournal({ after: 0, limit: 100 })).events,
    [Symbol.asyncDispose]: async () => await engine.stop(0),
  };
}

test("a file is there as it was put, with what is known of it, and the journal tells of it", async () => {
  await using one = await given();
  const done = await one.put("reports/a.json", "[1]");
  assert.equal(done.kind === "done" && done.value.isNew, true);
  const found = await one.shelf.find("reports/a.json");
  assert.deepEqual(found && { ...found, blobId: "" }, {
    blobId: "",
    name: "reports/a.json",
    bytes: 3,
    contentType: "text/plain",
    sha256: hash("sha256", "[1]", "hex"),
    createdMs: one.clock.nowMs(),
    updatedMs: one.clock.nowMs(),
  });
  assert.equal(await one.read("reports/a.json"), "[1]");
  assert.equal(await one.read("reports"), null);
  const [event] = await one.events();
  assert.deepEqual([event?.type, event?.subject], ["blob.put", "blob:reports/a.json"]);
  assert.deepEqual(JSON.parse(event?.data ?? ""), {
    name: "reports/a.json",
    bytes: 3,
    contentType: "text/plain",
    sha256: found?.sha256,
  });
});

test("putting again replaces, unless the caller wants only what is new", async () => {
  await using one = await given();
  await one.put("a", "first");
  const bornMs = one.clock.nowMs();
  one.clock.advance(1_000);
  const refused = await one.put("a", "second", true);
  assert.equal(refused.kind === "refused" && refused.problem.code, "conflict.exists");
  assert.equal(await one.read("a"), "first");
  assert.equal((await one.ids()).length, 1);
  const done = await one.put("a", "second");
  assert.equal(done.kind === "done" && done.value.isNew, false);
  assert.equal(await one.read("a"), "second");
  const found = await one.shelf.find("a");
  assert.deepEqual([found?.createdMs, found?.updatedMs], [bornMs, bornMs + 1_000]);
});

test("of many who put one name at once each is kept for a moment, and of those who want a new one exactly one wins", async () => {
  await using one = await given();
  const puts = await one.all(Array.from({ length: 40 }, (_, at) => one.put("a", String(at))));
  assert.ok(puts.every(({ kind }) => kind === "done"));
  assert.equal((await one.events()).length, 40);
  const kept = await one.store.listDocuments({ collection: "blobs-unnamed", limit: 100 });
  assert.equal(kept.length, 39, "each that was replaced is noted, once");
  const firsts = await one.all(Array.from({ length: 20 }, (_, at) => one.put("b", String(at), true)));
  assert.equal(firsts.filter(({ kind }) => kind === "done").length, 1);
  assert.equal((await one.ids()).length, 41, "nothing is left of those that were refused");
});

test("what a listener adds is committed with the file, whatever it is", async () => {
  await using one = await given();
  const seen: StoredBlob[] = [];
  const stop = one.shelf.onPut((blob, traceparent): DraftEffects => {
    seen.push(blob);
    return { jobs: [{ job: { ...jobOf(blob.blobId), payload: blob.name, traceparent }, hand: null }] };
  });
  one.shelf.onPut(async ({ name }) => ({
    puts: [{ collection: "beside", id: name, body: "{}", when: "always", nowMs: 1 }],
  }));
  const units: Unit[] = [];
  const commit = one.store.commit.bind(one.store);
  one.store.commit = async (given) => {
    units.push(...given);
    return await commit(given);
  };
  await one.put("a", "text");
  assert.deepEqual(
    units.map(({ jobs, puts, blobs, events }) => [
      jobs?.map(({ payload }) => payload),
      puts?.map(({ collection }) => collection),
      blobs?.length,
      events?.map(({ type }) => type),
    ]),
    [[["a"], [BLOBS, "beside"], 1, ["blob.put"]]],
  );
  assert.equal(seen[0]?.blobId, (await one.shelf.find("a"))?.blobId);
  stop();
  await one.put("b", "text");
  assert.deepEqual([seen.length, units.at(-1)?.jobs], [1, undefined]);
});

test("a file that is gone or replaced can be read for a day by whoever was started by it, and no longer", async () => {
  await using one = await given();
  const ids: string[] = [];
  one.shelf.onPut(({ blobId }) => {
    ids.push(blobId);
    return {};
  });
  const texts = async () =>
    await Promise.all(ids.map(async (blobId) => (await one.shelf.read({ blobId }))?.toString() ?? null));
  await one.put("a", "first");
  await one.put("a", "second");
  await one.put("b", "third");
  const deleted = await one.shelf.delete("b", NO_ORIGIN);
  assert.deepEqual(deleted, { kind: "done", value: true });
  assert.deepEqual(await one.shelf.delete("b", NO_ORIGIN), { kind: "done", value: false });
  one.clock.advance(KEPT_MS - 10 * HOUR_MS);
  await one.collect();
  assert.deepEqual(
    (await texts()).map((text) => text !== null),
    [true, true, true],
  );
  one.clock.advance(10 * HOUR_MS);
  await one.collect();
  await one.collect();
  assert.deepEqual(
    (await texts()).map((text) => text !== null),
    [false, true, false],
  );
  assert.equal(await one.read("a"), "second");
  assert.deepEqual(await one.store.listDocuments({ collection: "blobs-unnamed", limit: 10 }), []);
  assert.deepEqual(
    (await one.events()).map(({ type }) => type),
    ["blob.put", "blob.put", "blob.put", "blob.deleted"],
  );
});

test("very many that were replaced are forgotten in steps", async () => {
  await using one = await given();
  for (let count = 0; count <= 450; count += 1) await one.put("a", String(count));
  one.clock.advance(KEPT_MS + 1);
  let largest = 0;
  const commit = one.store.commit.bind(one.store);
  one.store.commit = async (units) => {
    for (const { unnamed = [] } of units) largest = Math.max(largest, unnamed.length);
    return await commit(units);
  };
  await forgetOld(one.engine);
  assert.deepEqual(await one.store.listDocuments({ collection: "blobs-unnamed", limit: 10 }), []);
  assert.equal(largest, 200);
});

test("a process that dies between bytes and commit leaves nothing that is named, and the bytes are collected", async () => {
  const world = givenWorld();
  const first = await given(world);
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const forever = Promise.withResolvers<never>();
  world.store.commit = (units) => {
    if (!units.some(({ blobs }) => blobs !== undefined)) return Promise.resolve([]);
    reach();
    return forever.promise;
  };
  void first.put("a", "lost").catch(() => {});
  await reached;
  const store = world.store.crash();
  await using second = await given({ ...world, store }, undefined, 6);
  assert.equal(await second.shelf.find("a"), null);
  assert.equal((await second.ids()).length, 1);
  await second.collect();
  assert.deepEqual(await second.ids(), []);
  assert.equal((await second.put("a", "found")).kind, "done");
  assert.equal(await second.read("a"), "found");
});

test("a process that dies right after the commit has kept it all", async () => {
  const world = givenWorld();
  const first = await given(world);
  first.shelf.onPut(({ name }) => ({ jobs: [{ job: jobOf(name), hand: null }] }));
  const commit = world.store.commit.bind(world.store);
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  world.store.commit = async (units) => {
    await commit(units);
    reach();
    return await Promise.withResolvers<never>().promise;
  };
  void first.put("a", "kept").catch(() => {});
  await reached;
  const store = world.store.crash();
  await using second = await given({ ...world, store }, undefined, 6);
  assert.equal(await second.read("a"), "kept");
  assert.equal((await store.jobs(["job:a"]))[0]?.state, "ready");
  await second.collect();
  assert.equal(await second.read("a"), "kept");
});

test("when too much waits or the store cannot, the caller is told and nothing is kept", async () => {
  await using full = await given(givenWorld(), 0);
  await full.overload();
  assert.equal((await full.put("a", "text")).kind, "overloaded");
  assert.deepEqual([await full.shelf.find("a"), await full.ids()], [null, []]);

  await using broken = await given();
  broken.store.commit = async () => {
    throw new StoreFault("store.full", "The disk is full");
  };
  await assert.rejects(broken.put("a", "text"), { code: "store.full" });
  assert.equal(await broken.shelf.find("a"), null);
});

test("bytes that cannot be deleted after a refusal are left to the collector", async () => {
  const world = givenWorld();
  const blobs: BlobStore = {
    ...{ put: world.blobs.put.bind(world.blobs), get: world.blobs.get.bind(world.blobs) },
    list: world.blobs.list.bind(world.blobs),
    delete: async () => {
      throw new StoreFault("store.failed", "The disk fails");
    },
    [Symbol.asyncDispose]: async () => {},
  };
  await using one = await given({ ...world, blobs }, 0);
  await one.overload();
  assert.equal((await one.put("a", "text")).kind, "overloaded");
  assert.equal((await one.ids()).length, 1);
});

test("names are paths of plain parts", () => {
  for (const name of ["a", "reports/2026/a b.json", "é/日本.txt", "..a", "a..", ".hidden", "x".repeat(512)]) {
    assert.equal(nameFlaw(name), null, name);
  }
  const bad = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\nb", "a\u0000", "a\u0085", "a\\b", "\ud800"];
  for (const name of [...bad, "x".repeat(513)]) assert.match(nameFlaw(name) ?? "", /^A file's name/, name);
});

test("what is no name, no media type or too large is refused before anything is written", async () => {
  await using one = await given();
  const origin = NO_ORIGIN;
  const put = async (name: string, contentType: string, bytes = new Uint8Array(1)) => {
    const done = await one.shelf.put({ name, bytes, contentType }, { only: false, origin });
    return done.kind === "refused" ? done.problem.code : done.kind;
  };
  assert.equal(await put("../a", "text/plain"), "request.invalid");
  assert.equal(await put("a", "text/plain\r\nx: y"), "request.invalid");
  assert.equal(await put("a", "text/plain", new Uint8Array(BLOB_BYTES_MAX + 1)), "request.too_large");
  assert.deepEqual(await one.ids(), []);
  assert.equal(await put("a", "text/csv; charset=utf-8", new Uint8Array(0)), "done");
  assert.equal(await one.read("a"), "");
  for (const bad of ["text", "", "a/b c", "text/plain; é", `a/${"b".repeat(300)}`]) {
    assert.match(contentTypeFlaw(bad) ?? "", /^Content-Type/, bad);
  }
});

test("files are listed by name, in pages, also those whose names only begin alike", async () => {
  await using one = await given();
  for (const name of ["b/2", "a/1", "a/3", "ab", "a/2"]) await one.put(name, name);
  const first = await one.shelf.list("a/", null, 2);
  assert.deepEqual([first.blobs.map(({ name }) => name), first.next], [["a/1", "a/2"], "a/2"]);
  const second = await one.shelf.list("a/", first.next, 2);
  assert.deepEqual([second.blobs.map(({ name }) => name), second.next], [["a/3"], null]);
  const all = await one.shelf.list("", null, 5);
  assert.deepEqual([all.blobs.length, all.next], [5, null]);
});
