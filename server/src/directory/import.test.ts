import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IMPORT_ROWS_MAX } from "#directory/import.ts";
import { subscribersPage } from "#directory/readers.ts";
import { readPeople, readSubscriptions } from "../../test/support/read-directory.ts";
import { type GivenDirectory, givenDirectory } from "../../test/given-directory.ts";

const imported = async ({ directory }: GivenDirectory, rows: readonly unknown[], listId = "news") => {
  const answer = await directory.importRows(listId, rows);
  assert.ok(answer.kind === "done");
  return answer.value;
};

test("each row is a person on the list, known by id or else by the address in lower case", async () => {
  const given = givenDirectory();
  const rows = [
    { user_id: "ada", email: "ada@example.com", name: "Ada", data: { plan: "gold" } },
    { email: " Bob@Example.com ", phone_number: "" },
    { user_id: 7, data: '{"n":1}' },
  ];
  assert.deepEqual(await imported(given, rows), { imported: 3, errors: [] });
  assert.deepEqual(await readPeople(given.store, ["ada", "bob@example.com", "7"]), [
    { email: "ada@example.com", name: "Ada" },
    { email: "Bob@Example.com" },
    {},
  ]);
  const found = await readSubscriptions(given.store, [
    ["news", "ada"],
    ["news", "7"],
  ]);
  assert.deepEqual(
    found.map((each) => each?.data),
    [{ plan: "gold" }, { n: 1 }],
  );
});

test("bad rows are told by their number and stop no other", async () => {
  const given = givenDirectory();
  const rows = [
    { email: "ada@example.com" },
    "text",
    { name: "nobody" },
    { email: "not an address" },
    { user_id: "x", email: "x@example.com\r\nBcc: y@example.com" },
    { user_id: "y", data: "plan=gold" },
    { user_id: "z" },
  ];
  const { imported: count, errors } = await imported(given, rows);
  assert.equal(count, 2);
  assert.deepEqual(
    errors.map(({ row }) => row),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    (await subscribersPage(given.store, "news", null, 10)).map(({ userId }) => userId),
    ["ada@example.com", "z"],
  );
  assert.deepEqual(await readPeople(given.store, ["x", "y"]), [null, null]);
});

test("the same call again changes nothing and answers the same", async () => {
  const given = givenDirectory();
  const rows = [{ email: "ada@example.com", name: "Ada" }, { email: "" }];
  const first = await imported(given, rows);
  const before = (await given.happened()).length;
  assert.deepEqual(await imported(given, rows), first);
  assert.equal((await given.happened()).length, before);
});

test("an import adds to what is known and to who is on the list; an empty cell says nothing", async () => {
  const given = givenDirectory();
  await given.directory.profiles.merge("ada", { email: "ada@example.com", name: "Ada" });
  await given.directory.subscriptions.subscribe("news", { userId: "ada", data: { plan: "gold" } });
  await imported(given, [{ user_id: "ada", email: "", name: "Ada L." }]);
  assert.deepEqual(await readPeople(given.store, ["ada"]), [{ email: "ada@example.com", name: "Ada L." }]);
  assert.deepEqual(await readSubscriptions(given.store, [["news", "ada"]]), [
    { preferences: null, data: { plan: "gold" } },
  ]);
});

test("rows of the same person count one after the other", async () => {
  const given = givenDirectory();
  const { imported: count } = await imported(given, [
    { user_id: "ada", name: "A", city: "London" },
    { user_id: "ada", name: "Ada", data: { n: 1 } },
    { user_id: "ada", email: "bad" },
  ]);
  assert.equal(count, 2);
  assert.deepEqual(await readPeople(given.store, ["ada"]), [{ name: "Ada", city: "London" }]);
});

test("who left by the link in a mail is not put back by an old file, but by a call for them alone", async () => {
  const given = givenDirectory();
  const { directory } = given;
  await imported(given, [{ user_id: "ada" }, { user_id: "bob" }]);
  await directory.unsubscribe.leave({ kind: "list", listId: "news", userId: "ada", messageId: null });
  const { imported: count, errors } = await imported(given, [{ user_id: "ada", name: "Ada" }, { user_id: "bob" }]);
  assert.equal(count, 1);
  assert.match(errors[0]?.problem ?? "", /left this list on 2026-01-01/);
  await directory.subscriptions.subscribe("news", { userId: "ada" });
  assert.equal((await imported(given, [{ user_id: "ada", name: "Ada" }])).imported, 1);
});

test("too many rows and a list id that cannot be are refused whole", async () => {
  const { directory, types } = givenDirectory();
  assert.equal(
    (
      await directory.importRows(
        "news",
        Array.from({ length: IMPORT_ROWS_MAX + 1 }, () => ({})),
      )
    ).kind,
    "refused",
  );
  assert.equal((await directory.importRows("a b", [{ user_id: "ada" }])).kind, "refused");
  assert.deepEqual(await types(), []);
});

test("a file of bad rows only makes no list", async () => {
  const given = givenDirectory();
  await imported(given, [{}, null, []]);
  assert.equal(await given.directory.lists.get("news"), null);
});

const cell = fc.oneof(fc.string(), fc.integer(), fc.constantFrom(null, "", "ada@example.com", "{}", { a: 1 }, [1]));
const row = fc.oneof(
  fc.record({ user_id: cell, email: cell, data: cell, preferences: cell, note: cell }, { requiredKeys: [] }),
  cell,
);

test("whatever a file holds, every row is imported or told, and nothing breaks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (rows) => {
      const given = givenDirectory();
      const { imported: count, errors } = await imported(given, rows);
      assert.equal(count + errors.length, rows.length);
      assert.equal(new Set(errors.map((error) => error.row)).size, errors.length);
      assert.ok((await subscribersPage(given.store, "news", null, 100)).length <= count);
    }),
    { numRuns: 200 },
  );
});
