import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CHANGE_TRIES_MAX } from "#engine/change.ts";
import { PROFILES } from "#directory/collections.ts";
import { readPeople, readSubscriptions } from "../../test/support/read-directory.ts";
import { type JsonObject, mergeJson } from "#domain/json.ts";
import { PATCH_OPERATIONS_MAX, PROFILE_BYTES_MAX } from "#domain/limits.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { givenDirectory } from "../../test/given-directory.ts";

test("a person becomes known by what is said of them, and more is merged deeply", async () => {
  const { directory, happened } = givenDirectory();
  await directory.profiles.merge("ada", { email: "ada@example.com", custom: { city: "London", tags: ["a"] } });
  await directory.profiles.merge("ada", { name: "Ada", custom: { tags: ["b"] } });
  const found = await directory.profiles.get("ada");
  assert.deepEqual(found?.profile, { email: "ada@example.com", name: "Ada", custom: { city: "London", tags: ["b"] } });
  assert.deepEqual(await happened(), [
    { type: "profile.merged", subject: "user:ada", data: { keys: ["email", "custom"], created: true } },
    { type: "profile.merged", subject: "user:ada", data: { keys: ["custom", "name"], created: false } },
  ]);
});

test("saying again what is known changes nothing and tells nobody", async () => {
  const { directory, types } = givenDirectory();
  await directory.profiles.merge("ada", { email: "ada@example.com" });
  await directory.profiles.merge("ada", { email: "ada@example.com" });
  await directory.profiles.replace("ada", { email: "ada@example.com" });
  await directory.profiles.patch("ada", []);
  assert.equal((await directory.profiles.get("ada"))?.version, 1);
  assert.deepEqual(await types(), ["profile.merged"]);
});

test("the journal names what changed and never shows it", async () => {
  const { directory, happened } = givenDirectory();
  await directory.profiles.replace("ada", { email: "secret@example.com", phone_number: "+4930123456" });
  assert.doesNotMatch(JSON.stringify(await happened()), /secret|4930/);
});

test("replacing forgets what is left out", async () => {
  const { directory } = givenDirectory();
  await directory.profiles.merge("ada", { email: "ada@example.com", name: "Ada" });
  await directory.profiles.replace("ada", { name: "Ada L." });
  assert.deepEqual((await directory.profiles.get("ada"))?.profile, { name: "Ada L." });
});

test("a patch is done whole or not at all, and begins with nothing for someone unknown", async () => {
  const { directory } = givenDirectory();
  assert.equal((await directory.profiles.patch("ada", [{ op: "add", path: "/name", value: "Ada" }])).kind, "done");
  const refused = await directory.profiles.patch("ada", [
    { op: "add", path: "/email", value: "ada@example.com" },
    { op: "test", path: "/name", value: "Bob" },
  ]);
  assert.ok(refused.kind === "refused" && refused.problem.message.startsWith("patch[1]"));
  assert.deepEqual((await directory.profiles.get("ada"))?.profile, { name: "Ada" });
  const whole = await directory.profiles.patch("ada", [{ op: "replace", path: "", value: [1] }]);
  assert.equal(whole.kind, "refused");
});

test("what merely looks wrong is kept, as Courier keeps it: the message to it will say so", async () => {
  const { directory } = givenDirectory();
  for (const profile of [{ email: "ada" }, { email: "a@example.com, b@example.com" }, { phone_number: "call me" }]) {
    assert.equal((await directory.profiles.replace("ada", profile)).kind, "done", JSON.stringify(profile));
  }
});

describe("what could harm is refused where it enters", () => {
  const bad: readonly (readonly [why: string, profile: JsonObject])[] = [
    ["a line break in an address", { email: "ada@example.com\r\nBcc: eve@example.com" }],
    ["a lone newline in an address", { email: "ada@example.com\n" }],
    ["a NUL in an address", { email: "ada\u0000@example.com" }],
    ["an address that is a number", { email: 7 }],
    ["a telephone number with a header in it", { phone_number: "+49 1\r\nX: y" }],
    ["too much", { note: "x".repeat(PROFILE_BYTES_MAX) }],
    ["too much once it is UTF-8", { note: "€".repeat(PROFILE_BYTES_MAX / 2) }],
  ];
  for (const [why, profile] of bad) {
    test(why, async () => {
      const { directory } = givenDirectory();
      assert.equal((await directory.profiles.replace("ada", profile)).kind, "refused");
      assert.equal((await directory.profiles.merge("ada", profile)).kind, "refused");
      assert.equal(await directory.profiles.get("ada"), null);
    });
  }

  test("an id that nobody can have", async () => {
    const { directory } = givenDirectory();
    for (const userId of ["", "a\nb", "\ud800", "x".repeat(257)]) {
      assert.equal((await directory.profiles.merge(userId, {})).kind, "refused", JSON.stringify(userId));
    }
  });

  test("a patch without end", async () => {
    const { directory } = givenDirectory();
    const operations = Array.from({ length: PATCH_OPERATIONS_MAX + 1 }, () => ({ op: "test", path: "", value: {} }));
    assert.equal((await directory.profiles.patch("ada", operations)).kind, "refused");
  });

  test("but unknown keys, missing addresses, odd ids and names before addresses are fine", async () => {
    const { directory } = givenDirectory();
    const profile = { email: "Ada <ada@example.com>", phone_number: null, firebaseToken: ["x"], "": { deep: [null] } };
    assert.equal((await directory.profiles.replace("a/b c%2F@ü", profile)).kind, "done");
    assert.deepEqual((await directory.profiles.get("a/b c%2F@ü"))?.profile, profile);
  });
});

test("many who change one person at the same moment all get their say", async () => {
  const { directory } = givenDirectory();
  const names = Array.from({ length: CHANGE_TRIES_MAX / 2 }, (_, at) => `key${at}`);
  const results = await Promise.all(names.map((name) => directory.profiles.merge("ada", { [name]: true })));
  assert.ok(results.every(({ kind }) => kind === "done"));
  assert.deepEqual(Object.keys((await directory.profiles.get("ada"))?.profile ?? {}).toSorted(), names.toSorted());
});

test("who is beaten every time is told so in the end", async () => {
  let rounds = 0;
  const { directory } = givenDirectory(1, (clock) => {
    const store = openMemoryStore({ clock });
    const commit = store.commit.bind(store);
    // Another node writes the same person just before each commit of ours.
    const rival = { collection: PROFILES, id: "ada", body: "{}", when: "always", nowMs: 0 } as const;
    store.commit = async (units) => {
      rounds += 1;
      await commit([{ puts: [rival] }]);
      return commit(units);
    };
    return store;
  });
  const beaten = await directory.profiles.merge("ada", { mine: true });
  assert.ok(beaten.kind === "refused" && beaten.problem.code === "conflict.changed");
  assert.equal(rounds, CHANGE_TRIES_MAX);
  assert.deepEqual((await directory.profiles.get("ada"))?.profile, {});
});

test("forgetting a person takes them off every list and keeps the others", async () => {
  const { directory, store, types } = givenDirectory();
  await directory.profiles.merge("ada", { email: "ada@example.com" });
  await directory.subscriptions.subscribeUser("ada", [{ listId: "news" }, { listId: "offers" }]);
  await directory.subscriptions.subscribe("news", { userId: "bob" });
  assert.equal((await directory.profiles.remove("ada")).kind, "done");
  assert.deepEqual(await readPeople(store, ["ada"]), [null]);
  const pairs = [
    ["news", "ada"],
    ["offers", "ada"],
    ["news", "bob"],
  ] as const;
  assert.deepEqual(
    (await readSubscriptions(store, pairs)).map((found) => found !== null),
    [false, false, true],
  );
  assert.deepEqual((await types()).slice(-3), ["subscription.removed", "subscription.removed", "profile.deleted"]);
  assert.equal((await directory.profiles.remove("ada")).kind, "done");
});

test("someone on thousands of lists can be forgotten too", async () => {
  const { directory } = givenDirectory();
  await directory.profiles.merge("ada", {});
  await directory.subscriptions.subscribeUser(
    "ada",
    Array.from({ length: 1_001 }, (_, at) => ({ listId: `list${at}` })),
  );
  assert.equal((await directory.profiles.remove("ada")).kind, "done");
  assert.equal(await directory.profiles.get("ada"), null);
  assert.deepEqual((await directory.subscriptions.ofUser("ada", null, 1)).items, []);
});

test("an answer is remembered with the change, and the same key changes nothing again", async () => {
  const { directory } = givenDirectory();
  const once = {
    key: "/profiles/ada k1",
    fingerprint: "f",
    status: 200,
    body: "{}",
    expiresMs: Number.MAX_SAFE_INTEGER,
  };
  const origin = { once, traceparent: null };
  assert.equal((await directory.profiles.merge("ada", { n: 1 }, origin)).kind, "done");
  const again = await directory.profiles.merge("ada", { n: 2 }, origin);
  assert.ok(again.kind === "repeated" && again.record.fingerprint === "f");
  assert.deepEqual((await directory.profiles.get("ada"))?.profile, { n: 1 });
});

const someObject = fc.letrec<{ object: JsonObject }>((tie) => ({
  object: fc.dictionary(
    fc.constantFrom("a", "b", "__proto__"),
    fc.oneof({ maxDepth: 3 }, fc.constantFrom(null, 1, "x"), fc.constant([1]), tie("object")),
    { maxKeys: 3, noNullPrototype: true },
  ),
})).object;

describe("merging", () => {
  const text = (value: JsonObject) => JSON.stringify(sorted(value));
  test("nothing into anything, and anything into nothing, is that", () => {
    fc.assert(
      fc.property(someObject, (one) => {
        assert.equal(text(mergeJson(one, {})), text(one));
        assert.equal(text(mergeJson({}, one)), text(one));
      }),
    );
  });
  test("twice is once", () => {
    fc.assert(
      fc.property(someObject, someObject, (one, other) => {
        const merged = mergeJson(one, other);
        assert.equal(text(mergeJson(merged, other)), text(merged));
      }),
    );
  });
  test("what is said last is there, whatever was below", () => {
    fc.assert(
      fc.property(someObject, someObject, (one, other) => {
        const merged = mergeJson(one, other);
        for (const [key, value] of Object.entries(other)) {
          if (typeof value !== "object" || value === null)
            assert.equal(Object.entries(merged).find(([k]) => k === key)?.[1], value);
        }
      }),
    );
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, child]) => [key, sorted(child)]);
}
