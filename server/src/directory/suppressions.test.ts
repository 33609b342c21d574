import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewSuppression } from "#directory/suppressions.ts";
import { givenDirectory } from "../../test/given-directory.ts";

const manual = (address: string): NewSuppression => ({
  channel: "email",
  address,
  reason: "manual",
  detail: "",
  messageId: null,
});

test("a suppressed address is found whatever its case and the name before it", async () => {
  const { directory, clock } = givenDirectory();
  assert.deepEqual(await directory.suppressions.add([manual("Ada <Ada@Example.com>")]), { kind: "done", value: 1 });
  const asked = ["ada@example.com", "ADA@EXAMPLE.COM", "A. L. <ada@example.com>", "bob@example.com"];
  const found = await directory.suppressions.check(asked.map((address) => ({ channel: "email", address })));
  assert.deepEqual(
    found.map((each) => each !== null),
    [true, true, true, false],
  );
  assert.deepEqual(found[0], {
    channel: "email",
    address: "ada@example.com",
    reason: "manual",
    detail: "",
    sinceMs: clock.nowMs(),
    messageId: null,
  });
});

test("the first reason stays, and only what is new is counted and told", async () => {
  const { directory, types } = givenDirectory();
  await directory.suppressions.add([{ ...manual("ada@example.com"), reason: "hard_bounce", detail: "550" }]);
  const added = await directory.suppressions.add([
    manual("ada@example.com"),
    manual("bob@example.com"),
    manual("Bob@example.com"),
  ]);
  assert.deepEqual(added, { kind: "done", value: 1 });
  const [ada] = await directory.suppressions.check([manual("ada@example.com")]);
  assert.equal(ada?.reason, "hard_bounce");
  assert.deepEqual(await types(), ["suppression.added", "suppression.added"]);
});

test("what is lifted may be written to again", async () => {
  const { directory, types } = givenDirectory();
  await directory.suppressions.add([manual("ada@example.com")]);
  const places = [manual("ADA@example.com"), manual("bob@example.com")];
  assert.deepEqual(await directory.suppressions.remove(places), { kind: "done", value: 1 });
  assert.deepEqual(await directory.suppressions.check(places), [null, null]);
  assert.deepEqual(await types(), ["suppression.added", "suppression.removed"]);
});

test("they are listed by channel, page by page", async () => {
  const { directory } = givenDirectory();
  await directory.suppressions.add(["a", "b", "c"].map((name) => manual(`${name}@example.com`)));
  await directory.suppressions.add([{ ...manual("+4930123"), channel: "sms" }]);
  const first = await directory.suppressions.list({ channel: "email", after: null, limit: 2 });
  const second = await directory.suppressions.list({ channel: "email", after: first.next, limit: 2 });
  const seen = [...first.suppressions, ...second.suppressions].map(({ address }) => address);
  assert.deepEqual([seen, second.next], [["a@example.com", "b@example.com", "c@example.com"], null]);
  assert.equal((await directory.suppressions.list({ channel: null, after: null, limit: 10 })).suppressions.length, 4);
});

test("what is no channel or no address is refused, and then nothing is kept", async () => {
  const { directory, types } = givenDirectory();
  const bad = [
    { ...manual("a@example.com"), channel: "pigeon" },
    manual("a@example.com\r\nBcc: x@example.com"),
    manual("nobody"),
    { ...manual(""), channel: "sms" },
  ];
  for (const one of bad) {
    assert.equal(
      (await directory.suppressions.add([manual("good@example.com"), one])).kind,
      "refused",
      JSON.stringify(one),
    );
  }
  assert.deepEqual(await types(), []);
});
