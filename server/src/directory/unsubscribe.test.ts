import assert from "node:assert/strict";
import { test } from "node:test";
import { readSubscriptions, readSuppressions } from "../../test/support/read-directory.ts";
import { type Farewell, farewellToken } from "#directory/unsubscribe.ts";
import { givenDirectory } from "../../test/given-directory.ts";

const LIST: Farewell = {
  kind: "list",
  listId: "news",
  userId: "ada/ü",
  messageId: "1-65f240a0-47a6a120c8374de9bcf9f22a",
};
const ALL: Farewell = { kind: "address", channel: "email", address: "Ada@Example.com", messageId: null };

test("a token tells what it stands for, and a forged one nothing", () => {
  const { directory, secrets } = givenDirectory();
  for (const farewell of [LIST, ALL]) {
    const token = farewellToken(secrets, farewell);
    assert.deepEqual(directory.unsubscribe.read(token), farewell);
    assert.equal(directory.unsubscribe.read(`x${token}`), null);
    assert.match(token, /^[\w.-]+$/);
  }
  assert.equal(directory.unsubscribe.read(""), null);
});

test("leaving a list by the link takes effect at once, and again does nothing", async () => {
  const { directory, store, happened } = givenDirectory();
  await directory.subscriptions.subscribe("news", { userId: "ada/ü" });
  await directory.subscriptions.subscribe("other", { userId: "ada/ü" });
  await directory.unsubscribe.leave(LIST);
  await directory.unsubscribe.leave(LIST);
  const found = await readSubscriptions(store, [
    ["news", "ada/ü"],
    ["other", "ada/ü"],
  ]);
  assert.deepEqual(
    found.map((each) => each !== null),
    [false, true],
  );
  assert.deepEqual(
    (await happened()).filter(({ type }) => type === "subscription.removed"),
    [
      {
        type: "subscription.removed",
        subject: "list:news",
        data: { userId: "ada/ü", listId: "news", by: "unsubscribe" },
      },
    ],
  );
  assert.deepEqual(await directory.unsubscribe.look(LIST), {
    farewell: LIST,
    name: "news",
    subscribed: false,
    mayReturn: true,
  });
});

test("coming back by the same page finds everything as it was", async () => {
  const { directory, store } = givenDirectory();
  const subscription = { preferences: { categories: {} }, data: { plan: "gold" } };
  await directory.subscriptions.subscribe("news", { userId: "ada/ü", ...subscription });
  await directory.unsubscribe.leave(LIST);
  await directory.unsubscribe.rejoin(LIST);
  await directory.unsubscribe.rejoin(LIST);
  assert.deepEqual(await readSubscriptions(store, [["news", "ada/ü"]]), [subscription]);
});

test("a link does not put anyone on a list who did not leave it by the link", async () => {
  const { directory, store } = givenDirectory();
  await directory.subscriptions.subscribe("news", { userId: "ada/ü" });
  await directory.subscriptions.unsubscribe("news", "ada/ü");
  await directory.unsubscribe.rejoin(LIST);
  assert.deepEqual(await readSubscriptions(store, [["news", "ada/ü"]]), [null]);
});

test("coming back to a deleted list does not revive the list", async () => {
  const { directory } = givenDirectory();
  await directory.subscriptions.subscribe("news", { userId: "ada/ü" });
  await directory.unsubscribe.leave(LIST);
  await directory.lists.remove("news");
  await directory.unsubscribe.rejoin(LIST);
  assert.equal(await directory.lists.get("news"), null);
});

test("leaving everything suppresses the address, whatever its case, and can be undone", async () => {
  const { directory, store, types } = givenDirectory();
  await directory.unsubscribe.leave(ALL);
  await directory.unsubscribe.leave(ALL);
  const [found] = await readSuppressions(store, ["email:ada@example.com"]);
  assert.equal(found?.reason, "unsubscribe");
  assert.equal((await directory.unsubscribe.look(ALL)).subscribed, false);
  await directory.unsubscribe.rejoin(ALL);
  assert.deepEqual(await readSuppressions(store, ["email:ada@example.com"]), [null]);
  assert.deepEqual(await types(), ["suppression.added", "suppression.removed"]);
});

test("an address that bounced is not freed by its owner's click", async () => {
  const { directory } = givenDirectory();
  const bounce = {
    channel: "email",
    address: "ada@example.com",
    reason: "hard_bounce",
    detail: "550 5.1.1",
    messageId: null,
  } as const;
  await directory.suppressions.add([bounce]);
  await directory.unsubscribe.leave(ALL);
  await directory.unsubscribe.rejoin(ALL);
  const [found] = await directory.suppressions.check([ALL]);
  assert.equal(found?.reason, "hard_bounce");
});
