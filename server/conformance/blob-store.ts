import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";

/** A fresh, empty store and the clock that it was opened with. */
export type OpenBlobStore = () => Promise<{
  readonly store: BlobStore;
  readonly clock: Clock & { advance(ms: number): void };
}>;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The questions that every blob store answers. */
export function blobStoreConforms(name: string, open: OpenBlobStore): void {
  describe(`${name} as a blob store`, () => {
    test("gives back what was put, byte by byte, also nothing at all and a large thing", async () => {
      const { store } = await open();
      await using _ = store;
      const large = Uint8Array.from({ length: 3 * 1024 * 1024 + 1 }, (_byte, at) => (at * 31) % 251);
      const things: Readonly<Record<string, Uint8Array>> = {
        none: new Uint8Array(),
        all: Uint8Array.from({ length: 256 }, (_b, at) => at),
        large,
      };
      await Promise.all(Object.entries(things).map(([id, bytes]) => store.put(id, bytes)));
      for (const [id, bytes] of Object.entries(things)) {
        const got = await store.get(id);
        assert.ok(got !== null && Buffer.compare(got, bytes) === 0, id);
      }
    });

    test("keeps a copy: who changes the bytes later changes nothing", async () => {
      const { store } = await open();
      await using _ = store;
      const bytes = bytesOf("mine");
      await store.put("a", bytes);
      bytes.fill(0);
      (await store.get("a"))?.fill(1);
      assert.deepEqual(Buffer.from((await store.get("a")) ?? []).toString(), "mine");
    });

    test("says null for what is not there", async () => {
      const { store } = await open();
      await using _ = store;
      assert.equal(await store.get("nobody"), null);
    });

    test("refuses a second blob of the same name, one after the other and at once, and keeps the first", async () => {
      const { store } = await open();
      await using _ = store;
      await store.put("a", bytesOf("first"));
      await assert.rejects(store.put("a", bytesOf("second")));
      assert.equal(Buffer.from((await store.get("a")) ?? []).toString(), "first");
      const race = await Promise.allSettled([store.put("b", bytesOf("1")), store.put("b", bytesOf("2"))]);
      assert.deepEqual(race.map((one) => one.status).toSorted(), ["fulfilled", "rejected"]);
    });

    test("tells names apart that differ only in case", async () => {
      const { store } = await open();
      await using _ = store;
      await store.put("Ada", bytesOf("upper"));
      await store.put("ada", bytesOf("lower"));
      assert.equal(Buffer.from((await store.get("Ada")) ?? []).toString(), "upper");
      assert.equal(Buffer.from((await store.get("ada")) ?? []).toString(), "lower");
    });

    test("takes no name that could be a path", async () => {
      const { store } = await open();
      await using _ = store;
      for (const id of ["", ".", "..", "a/b", "../a", "a\\b", "a.b", "a\0", "ä", "a b", "x".repeat(129)]) {
        await assert.rejects(store.put(id, bytesOf("no")), /broken invariant/, JSON.stringify(id));
        await assert.rejects(store.get(id), /broken invariant/, JSON.stringify(id));
        await assert.rejects(store.delete([id]), /broken invariant/, JSON.stringify(id));
      }
      await store.put("x".repeat(128), bytesOf("yes"));
    });

    test("deletes many at once, and what is not there without complaint; a name is free again afterwards", async () => {
      const { store } = await open();
      await using _ = store;
      for (const id of ["a", "b", "c"]) await store.put(id, bytesOf(id));
      await store.delete(["a", "nobody", "b", "a"]);
      await store.delete([]);
      assert.deepEqual(await Promise.all(["a", "b", "c"].map(async (id) => (await store.get(id)) !== null)), [
        false,
        false,
        true,
      ]);
      await store.put("a", bytesOf("again"));
    });

    test("lists what was written before a moment, in pages that miss nothing and repeat nothing", async () => {
      const { store, clock } = await open();
      await using _ = store;
      const old = Array.from({ length: 23 }, (_id, at) => `blob-${at}`);
      for (const id of old) await store.put(id, bytesOf(id));
      clock.advance(1);
      const momentMs = clock.nowMs();
      await store.put("young", bytesOf("young"));
      assert.deepEqual((await pages(store, momentMs, 5)).toSorted(), old.toSorted());
      assert.deepEqual(await store.list(momentMs - 1, 100, null), []);
      assert.equal((await pages(store, momentMs + 1, 100)).length, 24);
    });

    test("goes on behind the last page although what was listed has been deleted meanwhile", async () => {
      const { store, clock } = await open();
      await using _ = store;
      for (let at = 0; at < 12; at += 1) await store.put(`blob-${at}`, bytesOf("x"));
      clock.advance(1);
      const seen: string[] = [];
      let after: string | null = null;
      for (;;) {
        const page: readonly string[] = await store.list(clock.nowMs(), 5, after);
        if (page.length === 0) break;
        seen.push(...page);
        await store.delete(page);
        after = page.at(-1) ?? null;
      }
      assert.equal(new Set(seen).size, 12);
      assert.equal(seen.length, 12);
    });
  });
}

async function pages(store: BlobStore, beforeMs: number, limit: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await store.list(beforeMs, limit, ids.at(-1) ?? null);
    assert.ok(page.length <= limit);
    if (page.length === 0) return ids;
    ids.push(...page);
  }
}
