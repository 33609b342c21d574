import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMMITTED, commitOne, START_MS, type StoreWorld } from "#conformance/store-world.ts";
import type { DocumentPut, DocumentQuery, Term } from "#domain/document.ts";
import type { Store } from "#ports/store.ts";

function put(id: string, changes: Partial<DocumentPut> = {}): DocumentPut {
  return { collection: "subs", id, body: `"${id}"`, when: "always", nowMs: START_MS, ...changes };
}

async function idsOf(store: Store, query: Partial<DocumentQuery>): Promise<string[]> {
  return (await store.listDocuments({ collection: "subs", limit: 100, ...query })).map(({ id }) => id);
}

export function documentSentences(world: StoreWorld): void {
  describe("documents", () => {
    test("have version 1 at first and one more at each put, and remember when they were made", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { puts: [put("a", { body: "1" })] });
      await commitOne(store, { puts: [put("a", { body: "2", nowMs: START_MS + 5 })] });
      await commitOne(store, { puts: [put("a", { body: "3", nowMs: START_MS + 9, when: "absent" })] });
      assert.deepEqual(
        await store.documents([
          { collection: "subs", id: "a" },
          { collection: "other", id: "a" },
        ]),
        [{ collection: "subs", id: "a", body: "2", version: 2, createdMs: START_MS, updatedMs: START_MS + 5 }, null],
      );
    });

    test("are given in the order asked, few or many, whatever is in their ids, and null for what is not there", async () => {
      await using at = await world.open();
      const { store } = at;
      const strange = ['say "hi"', "a\\b", "new\nline", "é\u{1f600}", "[1,2]", "null", " a", ""];
      const plain = Array.from({ length: 300 }, (_, n) => `n${(n * 7) % 300}`);
      const there = [...strange, ...plain];
      await commitOne(store, { puts: [...there.map((id) => put(id)), put("n1", { collection: "others" })] });
      for (const ids of [
        there,
        there.toReversed(),
        plain,
        ["n1", "n0", "n1", "n1", "gone"],
        [...plain, "gone", "N1"],
      ]) {
        const found = await store.documents(ids.map((id) => ({ collection: "subs", id })));
        assert.deepEqual(
          found.map((document) => document?.id ?? null),
          ids.map((id) => (there.includes(id) ? id : null)),
        );
      }
      const mixed = plain.map((id, n) => ({ collection: n % 2 === 0 ? "subs" : "others", id }));
      assert.deepEqual(
        (await store.documents(mixed)).map((document) =>
          document === null ? null : [document.collection, document.id],
        ),
        mixed.map(({ collection, id }) => (collection === "subs" || id === "n1" ? [collection, id] : null)),
      );
    });

    test("a put that wants to be the first leaves what exists, with its terms", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { puts: [put("a", { terms: [["user", "ada"]] })] });
      await commitOne(store, {
        puts: [put("a", { when: "absent", terms: [["user", "bob"]] }), put("b", { when: "absent" })],
      });
      assert.deepEqual(await idsOf(store, {}), ["a", "b"]);
      assert.deepEqual(await idsOf(store, { term: ["user", "ada"] }), ["a"]);
      assert.deepEqual(await idsOf(store, { term: ["user", "bob"] }), []);
    });

    test("a unit commits only if each document it read is still of the version it read; 0 means that it is not there", async () => {
      await using at = await world.open();
      const { store } = at;
      const expecting = (version: number) => ({ expect: [{ collection: "subs", id: "a", version }], puts: [put("a")] });
      const stale = { kind: "stale", key: { collection: "subs", id: "a" } };
      assert.deepEqual(await commitOne(store, expecting(1)), stale);
      assert.deepEqual(await store.commit([expecting(0), expecting(0), expecting(1)]), [COMMITTED, stale, COMMITTED]);
      assert.deepEqual(await commitOne(store, expecting(1)), stale);
      assert.equal((await store.documents([{ collection: "subs", id: "a" }]))[0]?.version, 2);
    });

    test("a deleted document is gone with its terms; deleting what is not there is no error", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { puts: [put("a", { terms: [["user", "ada"]] })] });
      await commitOne(store, {
        deletes: [
          { collection: "subs", id: "a" },
          { collection: "subs", id: "z" },
        ],
      });
      assert.deepEqual(await idsOf(store, {}), []);
      assert.deepEqual(await idsOf(store, { term: ["user", "ada"] }), []);
      await commitOne(store, { puts: [put("a")] });
      assert.equal((await store.documents([{ collection: "subs", id: "a" }]))[0]?.version, 1);
      assert.deepEqual(await idsOf(store, { term: ["user", "ada"] }), []);
    });

    test("are found by each of their terms, and a put replaces the terms", async () => {
      await using at = await world.open();
      const { store } = at;
      const terms: Term[] = [
        ["user", "ada"],
        ["list", "news"],
        ["user", "ada"],
      ];
      await commitOne(store, { puts: [put("a", { terms }), put("b", { terms: [["user", "ada"]] }), put("c")] });
      await commitOne(store, { puts: [put("a", { collection: "other", terms })] });
      assert.deepEqual(await idsOf(store, { term: ["user", "ada"] }), ["a", "b"]);
      assert.deepEqual(await idsOf(store, { term: ["list", "news"] }), ["a"]);
      assert.deepEqual(await idsOf(store, { term: ["list", "ada"] }), []);
      await commitOne(store, { puts: [put("a", { terms: [["user", "bob"]] }), put("b")] });
      assert.deepEqual(await idsOf(store, { term: ["user", "ada"] }), []);
      assert.deepEqual(await idsOf(store, { term: ["user", "bob"] }), ["a"]);
    });

    test("are listed by id in code point order, both ways, in pages", async () => {
      await using at = await world.open();
      const { store } = at;
      const ids = ["", "A", "Z", "a", "a\0", "a\0b", "aa", "b", "é", "\u{ffff}", "\u{1f4ec}"];
      await commitOne(store, { puts: [...ids].reverse().map((id) => put(id, { terms: [["t", "x"]] })) });
      for (const term of [undefined, ["t", "x"] as const]) {
        const query = term === undefined ? {} : { term };
        assert.deepEqual(await idsOf(store, query), ids);
        assert.deepEqual(await idsOf(store, { ...query, order: "descending" }), [...ids].reverse());
        for (const order of ["ascending", "descending"] as const) {
          const expected = order === "ascending" ? ids : [...ids].reverse();
          const seen: string[] = [];
          for (let after: string | null = null; ; ) {
            const page: string[] = await idsOf(store, { ...query, order, after, limit: 2 });
            seen.push(...page);
            if (page.length < 2) break;
            after = page.at(-1) ?? null;
          }
          assert.deepEqual(seen, expected);
        }
      }
    });

    test("are listed by prefix, also one that would be a pattern or stands at the end of Unicode", async () => {
      await using at = await world.open();
      const { store } = at;
      const ids = ["a", "a%", "a%b", "a_", "ab", "b", "b\u{10ffff}", "b\u{10ffff}x", "c", "\u{d7ff}x", "\u{e000}"];
      await commitOne(store, { puts: ids.map((id) => put(id, { terms: [["t", "x"]] })) });
      for (const term of [undefined, ["t", "x"] as const]) {
        const query = term === undefined ? {} : { term };
        for (const prefix of ["a", "a%", "b", "b\u{10ffff}", "\u{d7ff}", "", "zzz"]) {
          const expected = ids.filter((id) => id.startsWith(prefix));
          assert.deepEqual(await idsOf(store, { ...query, prefix }), expected, JSON.stringify(prefix));
          assert.deepEqual(await idsOf(store, { ...query, prefix, order: "descending" }), [...expected].reverse());
        }
      }
      assert.deepEqual(await idsOf(store, { prefix: "a", after: "a%" }), ["a%b", "a_", "ab"]);
      assert.deepEqual(
        await idsOf(store, { prefix: "a", after: "A" }),
        ["a", "a%", "a%b", "a_", "ab"],
        "before the prefix",
      );
      assert.deepEqual(await idsOf(store, { prefix: "a", after: "b" }), [], "behind it");
      assert.deepEqual(await idsOf(store, { prefix: "a", after: "b", order: "descending" }), [
        "ab",
        "a_",
        "a%b",
        "a%",
        "a",
      ]);
      assert.deepEqual(await idsOf(store, { prefix: "a", after: "a_", order: "descending" }), ["a%b", "a%", "a"]);
    });

    test("a collection is cleared by prefix before the puts of the same unit", async () => {
      await using at = await world.open();
      const { store } = at;
      const news = (id: string, user: string) => put(`news:${id}`, { terms: [["user", user]] });
      await commitOne(store, {
        puts: [news("1", "ada"), news("2", "bob"), put("newt"), put("news:1", { collection: "other" })],
      });
      await commitOne(store, { clear: [{ collection: "subs", prefix: "news:" }], puts: [news("3", "ada")] });
      assert.deepEqual(await idsOf(store, {}), ["news:3", "newt"]);
      assert.deepEqual(await idsOf(store, { term: ["user", "bob"] }), []);
      assert.deepEqual(await idsOf(store, { term: ["user", "ada"] }), ["news:3"]);
      assert.deepEqual(await idsOf(store, { collection: "other" }), ["news:1"]);
      await commitOne(store, { clear: [{ collection: "subs", prefix: "" }] });
      assert.deepEqual(await idsOf(store, {}), []);
    });
  });
}
