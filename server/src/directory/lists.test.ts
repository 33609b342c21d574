import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LISTS } from "#directory/collections.ts";
import { listMatches, listPatternProblem } from "#directory/list-id.ts";
import { LISTS_LOOKED_AT_MAX, readLists } from "#directory/lists.ts";
import { listsMatching, readListsById } from "#directory/readers.ts";
import { type GivenDirectory, givenDirectory } from "../../test/given-directory.ts";

const idsOf = async ({ directory }: GivenDirectory, pattern: string | null) => {
  const answer = await directory.lists.list({ pattern, after: null, limit: 100 });
  assert.ok(answer.kind === "page");
  return answer.page.lists.map(({ id }) => id);
};

test("a list is made, renamed, and says when", async () => {
  const { directory, clock, happened } = givenDirectory();
  await directory.lists.put("news", { name: "News", preferences: { categories: {} } });
  const createdMs = clock.nowMs();
  clock.advance(1_000);
  await directory.lists.put("news", { name: "Daily news" });
  await directory.lists.put("news", { name: "Daily news" });
  assert.deepEqual(await directory.lists.get("news"), {
    id: "news",
    name: "Daily news",
    preferences: { categories: {} },
    createdMs,
    updatedMs: createdMs + 1_000,
  });
  await directory.lists.put("news", { name: "Daily news", preferences: null });
  assert.equal((await directory.lists.get("news"))?.preferences, null);
  assert.deepEqual(
    (await happened()).map(({ type, data }) => [type, (data as { changed: string[] }).changed]),
    [
      ["list.created", ["name", "preferences"]],
      ["list.updated", ["name"]],
      ["list.updated", ["preferences"]],
    ],
  );
});

test("ids and names that cannot be are refused", async () => {
  const { directory } = givenDirectory();
  for (const id of ["a b", "a.*", "a.b.c.d.e", ""]) {
    assert.equal((await directory.lists.put(id, { name: "x" })).kind, "refused", id);
  }
  for (const name of ["", "x".repeat(257), "two\nlines"]) {
    assert.equal((await directory.lists.put("a", { name })).kind, "refused", JSON.stringify(name));
  }
});

test("a deleted list is gone from sight and comes back with its subscribers", async () => {
  const given = givenDirectory();
  const { directory, store, types } = given;
  await directory.subscriptions.add("news", [{ userId: "ada" }, { userId: "bob" }]);
  assert.equal((await directory.lists.remove("news")).kind, "done");
  assert.equal(await directory.lists.get("news"), null);
  assert.deepEqual(await idsOf(given, null), []);
  assert.deepEqual(await readListsById(store, ["news"]), [null]);
  assert.equal(await directory.subscriptions.page("news", null, 10), null);
  assert.deepEqual((await directory.subscriptions.ofUser("ada", null, 10)).items, []);
  assert.equal((await directory.lists.remove("news")).kind, "refused");
  assert.equal((await directory.lists.restore("news")).kind, "done");
  assert.equal((await directory.subscriptions.page("news", null, 10))?.subscriptions.length, 2);
  assert.equal((await directory.lists.restore("news")).kind, "done");
  assert.deepEqual((await types()).slice(-2), ["list.deleted", "list.restored"]);
});

test("what never was can be neither deleted nor restored", async () => {
  const { directory } = givenDirectory();
  for (const result of [await directory.lists.remove("x"), await directory.lists.restore("x")]) {
    assert.ok(result.kind === "refused" && result.problem.code === "thing.unknown");
  }
});

test("a pattern that is none is refused, an exact id finds that list", async () => {
  const given = givenDirectory();
  await given.directory.lists.put("a.b", { name: "x" });
  assert.equal((await given.directory.lists.list({ pattern: "**", after: null, limit: 1 })).kind, "refused");
  assert.deepEqual(await idsOf(given, "a.b"), ["a.b"]);
  assert.deepEqual(await idsOf(given, "a"), []);
});

const part = fc.constantFrom("a", "b", "ab");
const someIds = fc.array(
  fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(".")),
  { maxLength: 20 },
);
const somePattern = fc
  .tuple(fc.array(fc.oneof(part, fc.constant("*")), { maxLength: 3 }), fc.constantFrom("a", "*", "**"))
  .map(([parts, last]) => [...parts, last].join("."))
  .filter((pattern) => listPatternProblem(pattern) === null);

test("page by page, a pattern finds every living list that matches, once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      someIds,
      someIds,
      somePattern,
      fc.integer({ min: 1, max: 4 }),
      async (ids, dead, pattern, limit) => {
        const { directory, store } = givenDirectory();
        for (const id of [...ids, ...dead]) await directory.lists.put(id, { name: id });
        for (const id of new Set(dead)) await directory.lists.remove(id);
        const found: string[] = [];
        for (let after: string | null = null; ; ) {
          const page: Awaited<ReturnType<typeof listsMatching>> = await listsMatching(store, pattern, after, limit);
          assert.ok(page.lists.length <= limit);
          found.push(...page.lists.map(({ id }) => id));
          if (page.next === null) break;
          after = page.next;
        }
        const expected = [...new Set(ids)].filter((id) => !dead.includes(id) && listMatches(pattern, id));
        assert.deepEqual(found, expected.toSorted());
      },
    ),
    { numRuns: 60 },
  );
});

test("looking for a needle reads a bounded number of lists at a time and says that more follow", async () => {
  const { store } = givenDirectory();
  const body = JSON.stringify({ name: "x", preferences: null, deletedMs: null });
  const ids = Array.from({ length: LISTS_LOOKED_AT_MAX }, (_, at) => `a.n${String(at).padStart(5, "0")}`);
  const puts = [...ids, "a.z.needle"].map((id) => ({ collection: LISTS, id, body, when: "always", nowMs: 0 }) as const);
  await store.commit([{ puts }]);
  const first = await readLists(store, { pattern: "a.*.needle", after: null, limit: 10 });
  assert.deepEqual([first.lists, first.next], [[], ids.at(-1)]);
  const second = await readLists(store, { pattern: "a.*.needle", after: first.next, limit: 10 });
  assert.deepEqual([second.lists.map(({ id }) => id), second.next], [["a.z.needle"], null]);
});
