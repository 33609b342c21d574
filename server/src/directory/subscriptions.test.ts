import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { subscribersPage } from "#directory/readers.ts";
import { readPeople, readSubscriptions } from "../../test/support/read-directory.ts";
import { type Subscriber, SUBSCRIPTIONS_PER_COMMIT_MAX } from "#directory/subscriptions.ts";
import type { JsonObject } from "#domain/json.ts";
import { SUBSCRIPTIONS_PER_CALL_MAX } from "#domain/limits.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { StoreFault, type Unit } from "#ports/store.ts";
import { type GivenDirectory, givenDirectory } from "../../test/given-directory.ts";

const onList = async ({ store }: Pick<GivenDirectory, "store">, listId: string) =>
  (await subscribersPage(store, listId, null, 100_000)).map(({ userId }) => userId);
const people = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => ({ userId: `user${String(from + at).padStart(6, "0")}` }));

test("a list exists when someone first joins it", async () => {
  const given = givenDirectory();
  const { directory, happened } = given;
  await directory.subscriptions.subscribe("dcf_engine_results", { userId: "ada" });
  assert.equal((await directory.lists.get("dcf_engine_results"))?.name, "dcf_engine_results");
  assert.deepEqual(await onList(given, "dcf_engine_results"), ["ada"]);
  assert.deepEqual(await happened(), [
    { type: "list.created", subject: "list:dcf_engine_results", data: { name: "dcf_engine_results" } },
    {
      type: "subscription.added",
      subject: "list:dcf_engine_results",
      data: { userId: "ada", listId: "dcf_engine_results", by: "api" },
    },
  ]);
});

test("an address lives once: who changes it is reached at the new one through every list", async () => {
  const { directory, store } = givenDirectory();
  await directory.profiles.merge("ada", { email: "old@example.com" });
  await directory.subscriptions.subscribeUser("ada", [{ listId: "a" }, { listId: "b" }]);
  await directory.profiles.merge("ada", { email: "new@example.com" });
  for (const listId of ["a", "b"]) {
    const subscribers = await subscribersPage(store, listId, null, 10);
    const profiles = await readPeople(
      store,
      subscribers.map(({ userId }) => userId),
    );
    assert.deepEqual(
      profiles.map((profile) => profile?.["email"]),
      ["new@example.com"],
    );
  }
});

test("joining twice is joining once, and what is said of a subscription can change", async () => {
  const { directory, types, store } = givenDirectory();
  await directory.subscriptions.subscribe("news", { userId: "ada", data: { plan: "gold" } });
  await directory.subscriptions.subscribe("news", { userId: "ada" });
  assert.deepEqual(await readSubscriptions(store, [["news", "ada"]]), [{ preferences: null, data: { plan: "gold" } }]);
  await directory.subscriptions.subscribe("news", { userId: "ada", preferences: { categories: {} }, data: null });
  assert.deepEqual(await readSubscriptions(store, [["news", "ada"]]), [
    { preferences: { categories: {} }, data: null },
  ]);
  assert.deepEqual(await types(), ["list.created", "subscription.added", "subscription.updated"]);
});

test("leaving takes effect at once; who is not on it, or no such list, is told so", async () => {
  const given = givenDirectory();
  const { directory, types } = given;
  await directory.subscriptions.add("news", people(2));
  assert.equal((await directory.subscriptions.unsubscribe("news", "user000000")).kind, "done");
  assert.deepEqual(await onList(given, "news"), ["user000001"]);
  for (const [listId, userId] of [
    ["news", "user000000"],
    ["none", "user000001"],
    ["a b", "x"],
  ] as const) {
    const refused = await directory.subscriptions.unsubscribe(listId, userId);
    assert.ok(refused.kind === "refused" && refused.problem.code === "thing.unknown", listId);
  }
  assert.deepEqual((await types()).slice(-1), ["subscription.removed"]);
});

test("a list that was deleted is back, with those who were on it, when someone joins it", async () => {
  const given = givenDirectory();
  await given.directory.subscriptions.add("news", people(2));
  await given.directory.lists.remove("news");
  await given.directory.subscriptions.subscribe("news", { userId: "zoe" });
  assert.deepEqual(await onList(given, "news"), ["user000000", "user000001", "zoe"]);
  assert.ok((await given.types()).includes("list.restored"));
});

test("replacing leaves exactly the named on the list and tells who came and who went", async () => {
  const given = givenDirectory();
  const { directory, happened } = given;
  await directory.subscriptions.add("news", [{ userId: "ada", data: { n: 1 } }, { userId: "bob" }]);
  const before = (await happened()).length;
  await directory.subscriptions.replace("news", [{ userId: "ada" }, { userId: "cyd" }]);
  assert.deepEqual(await onList(given, "news"), ["ada", "cyd"]);
  const said = (await happened()).slice(before).map(({ type, data }) => [type, (data as { userId: string }).userId]);
  assert.deepEqual(said, [
    ["subscription.removed", "bob"],
    ["subscription.updated", "ada"],
    ["subscription.added", "cyd"],
  ]);
  await directory.subscriptions.replace("news", []);
  assert.deepEqual(await onList(given, "news"), []);
  assert.notEqual(await directory.lists.get("news"), null);
});

describe("one bad entry keeps the whole call from having an effect", () => {
  const bad: readonly (readonly [why: string, listId: string, subscriber: Subscriber])[] = [
    ["a list id with a blank", "a b", { userId: "ada" }],
    ["no user id", "news", { userId: "" }],
    ["a user id with a line break", "news", { userId: "a\r\nb" }],
    ["too much data", "news", { userId: "ada", data: { text: "x".repeat(70_000) } }],
  ];
  for (const [why, listId, subscriber] of bad) {
    test(why, async () => {
      const given = givenDirectory();
      const subscribers = [{ userId: "good" }, subscriber];
      assert.equal((await given.directory.subscriptions.add(listId, subscribers)).kind, "refused");
      assert.equal((await given.directory.subscriptions.replace(listId, subscribers)).kind, "refused");
      assert.deepEqual(await given.happened(), []);
    });
  }

  test("more than a call may have", async () => {
    const given = givenDirectory();
    const many = people(SUBSCRIPTIONS_PER_CALL_MAX + 1);
    assert.equal((await given.directory.subscriptions.add("news", many)).kind, "refused");
    assert.deepEqual(await given.happened(), []);
  });
});

test("an empty call makes the list and nothing else; a list id that cannot be is refused all the same", async () => {
  const { directory, types } = givenDirectory();
  assert.equal((await directory.subscriptions.add("a b", [])).kind, "refused");
  assert.equal((await directory.subscriptions.add("news", [])).kind, "done");
  assert.deepEqual(await types(), ["list.created"]);
});

test("a large call is done in commits of a bounded size, and a replacement lets go before it takes in", async () => {
  const sizes: number[] = [];
  const kinds: string[] = [];
  const given = givenDirectory(1, (clock) => {
    const before = (units: readonly Unit[]): void => {
      for (const { puts = [], deletes = [] } of units) {
        sizes.push(puts.length + deletes.length);
        kinds.push(deletes.length > 0 ? "leave" : "join");
      }
    };
    return openMemoryStore({ clock, faults: { before } });
  });
  const many = 2 * SUBSCRIPTIONS_PER_COMMIT_MAX + 5;
  await given.directory.subscriptions.add("news", people(many));
  assert.equal((await onList(given, "news")).length, many);
  const others = people(SUBSCRIPTIONS_PER_COMMIT_MAX + 7, many - 3);
  await given.directory.subscriptions.replace("news", others);
  assert.deepEqual(
    await onList(given, "news"),
    others.map(({ userId }) => userId),
  );
  assert.ok(Math.max(...sizes) <= SUBSCRIPTIONS_PER_COMMIT_MAX + 1, `${Math.max(...sizes)}`);
  assert.deepEqual(kinds, ["join", "join", "join", "leave", "leave", "leave", "join", "join"]);
});

test("the answer of a large call is remembered with its last commit, not before", async () => {
  const remembered: boolean[] = [];
  const given = givenDirectory(1, (clock) =>
    openMemoryStore({
      clock,
      faults: { before: (units) => remembered.push(...units.map(({ once }) => once !== undefined)) },
    }),
  );
  const once = { key: "k", fingerprint: "f", status: 204, body: "", expiresMs: Number.MAX_SAFE_INTEGER };
  await given.directory.subscriptions.add("news", people(SUBSCRIPTIONS_PER_COMMIT_MAX + 1), {
    once,
    traceparent: null,
  });
  assert.deepEqual(remembered, [false, true]);
  const again = await given.directory.subscriptions.add("news", people(1, 9_999), { once, traceparent: null });
  assert.equal(again.kind, "repeated");
  assert.equal((await onList(given, "news")).length, SUBSCRIPTIONS_PER_COMMIT_MAX + 1);
});

test("a large call that the store stops part-way says so, and making it again finishes it", async () => {
  let left = 2;
  const given = givenDirectory(1, (clock) => {
    const before = () => {
      left -= 1;
      if (left === -1) throw new StoreFault("store.full", "no room");
    };
    return openMemoryStore({ clock, faults: { before } });
  });
  const many = people(3 * SUBSCRIPTIONS_PER_COMMIT_MAX);
  const once = { key: "k", fingerprint: "f", status: 204, body: "", expiresMs: Number.MAX_SAFE_INTEGER };
  const first = await given.directory.subscriptions.add("news", many, { once, traceparent: null });
  assert.ok(first.kind === "refused" && first.problem.code === "store.unavailable");
  assert.match(first.problem.message, /part of this call is done/);
  assert.equal((await onList(given, "news")).length, 2 * SUBSCRIPTIONS_PER_COMMIT_MAX);
  assert.equal((await given.directory.subscriptions.add("news", many, { once, traceparent: null })).kind, "done");
  assert.equal((await onList(given, "news")).length, many.length);
});

test("a call that the store refuses before anything was done fails as a whole", async () => {
  const given = givenDirectory(1, (clock) => {
    const before = () => {
      throw new StoreFault("store.full", "no room");
    };
    return openMemoryStore({ clock, faults: { before } });
  });
  await assert.rejects(given.directory.subscriptions.add("news", people(3)), StoreFault);
  assert.deepEqual(await onList(given, "news"), []);
});

test("pages show everyone once, in order", async () => {
  const { directory } = givenDirectory();
  await directory.subscriptions.add("news", [...people(7), { userId: "a/b" }, { userId: "ü" }]);
  await directory.subscriptions.add("news.other", people(3, 50));
  const seen: string[] = [];
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof directory.subscriptions.page>> = await directory.subscriptions.page(
      "news",
      after,
      4,
    );
    assert.ok(page !== null);
    seen.push(...page.subscriptions.map(({ userId }) => userId));
    if (page.next === null) break;
    after = page.next;
  }
  assert.deepEqual(seen, ["a/b", ...people(7).map(({ userId }) => userId), "ü"]);
});

test("a person's lists are found by page, and all left at once", async () => {
  const given = givenDirectory();
  const { directory } = given;
  await directory.subscriptions.subscribeUser("ada", [
    { listId: "a" },
    { listId: "b", data: { n: 1 } },
    { listId: "c.d" },
  ]);
  await directory.subscriptions.subscribe("a", { userId: "adam" });
  const first = await directory.subscriptions.ofUser("ada", null, 2);
  assert.deepEqual(
    first.items.map(({ list, data }) => [list.id, data]),
    [
      ["a", null],
      ["b", { n: 1 }],
    ],
  );
  const second = await directory.subscriptions.ofUser("ada", first.next, 2);
  assert.deepEqual([second.items.map(({ list }) => list.id), second.next], [["c.d"], null]);
  await directory.subscriptions.removeUser("ada");
  assert.deepEqual((await directory.subscriptions.ofUser("ada", null, 10)).items, []);
  assert.deepEqual(await onList(given, "a"), ["adam"]);
});

const user = fc.constantFrom("ada", "bob", "cyd", "a/b");
const subscriber = fc.record(
  { userId: user, data: fc.constantFrom<JsonObject | null>(null, { n: 1 }, { n: 2 }) },
  { requiredKeys: ["userId"] },
);
const step = fc.oneof(
  fc.record({ do: fc.constant("add" as const), who: fc.array(subscriber, { maxLength: 4 }) }),
  fc.record({ do: fc.constant("replace" as const), who: fc.array(subscriber, { maxLength: 4 }) }),
  fc.record({ do: fc.constant("unsubscribe" as const), userId: user }),
  fc.record({ do: fc.constant("removeUser" as const), userId: user }),
  fc.record({ do: fc.constant("toggle" as const) }),
);

test("whatever is done, the list holds what a plain map would, and the journal accounts for everyone on it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const given = givenDirectory();
      const { directory, store } = given;
      const model = new Map<string, JsonObject | null>();
      let exists = false;
      for (const each of steps) {
        if (each.do === "add" || each.do === "replace") {
          if (each.do === "replace") model.clear();
          const last = new Map(each.who.map((one) => [one.userId, one]));
          for (const [userId, { data }] of last)
            model.set(userId, data === undefined ? (model.get(userId) ?? null) : data);
          assert.equal((await directory.subscriptions[each.do]("news", each.who)).kind, "done");
          exists = true;
        } else if (each.do === "unsubscribe") {
          const ended = await directory.subscriptions.unsubscribe("news", each.userId);
          const was: boolean = exists && model.delete(each.userId);
          assert.equal(ended.kind, was ? "done" : "refused");
        } else if (each.do === "removeUser") {
          await directory.subscriptions.removeUser(each.userId);
          model.delete(each.userId);
        } else {
          const toggled = exists ? await directory.lists.remove("news") : await directory.lists.restore("news");
          if (toggled.kind === "done") exists = !exists;
        }
      }
      const found = await subscribersPage(store, "news", null, 100);
      assert.deepEqual(new Map(found.map(({ userId, data }) => [userId, data])), model);
      const counted = new Set<string>();
      for (const { type, data } of await given.happened()) {
        const { userId } = data as { userId: string };
        if (type === "subscription.added") assert.ok(!counted.has(userId) && counted.add(userId));
        if (type === "subscription.removed") assert.ok(counted.delete(userId));
      }
      assert.deepEqual([...counted].toSorted(), [...model.keys()].toSorted());
    }),
    { numRuns: 150 },
  );
});
