import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ApiKeyMade,
  ApiKeys,
  ImportAnswer,
  MailList,
  MailLists,
  ProfileAnswer,
  ProfileLists,
  Subscriptions,
  Success,
  Suppressions,
} from "@tidings/contract";
import Courier from "@trycourier/courier";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { type Farewell, farewellToken } from "#directory/unsubscribe.ts";
import { type HttpDoor, openHttpDoor } from "#doors/http/door.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { soleNode } from "#engine/nodes.ts";
import { HeldDesk } from "#pipeline/held-desk.ts";
import { Plans } from "#pipeline/plan.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { openQueues } from "#queues/queues.ts";
import { EventDesk } from "#rules/event-desk.ts";
import { Shelf } from "#blobs/shelf.ts";
import { DocumentDesk } from "#documents/desk.ts";
import { openRules } from "#rules/open-desk.ts";
import { SchemaDesk } from "#schemas/schema-desk.ts";
import { openWebhooks } from "#webhooks/open.ts";
import { type GivenDirectory, givenDirectory } from "../../../../test/given-directory.ts";

/** The door on a directory of its own; nothing can be sent through it. */
async function givenDoor(): Promise<GivenDirectory & { readonly door: HttpDoor; readonly key: string }> {
  const given = givenDirectory();
  const made = await given.directory.keys.create({ name: "test", scopes: ["full"] });
  assert.ok(made.kind === "done");
  const unused = () => Promise.reject(new Error("not in this test"));
  const blobs = openMemoryBlobStore({ clock: given.clock });
  const queues = openQueues(given.engine, given.secrets).desk;
  const rules = openRules({
    engine: given.engine,
    secrets: given.secrets,
    queues,
    kinds: [],
    region: "us-east-1",
  }).desk;
  const house: HttpHouse = {
    ...given,
    nodes: soleNode({ id: "test", role: "all", version: "0.1.0" }, 0),
    held: new HeldDesk(given.engine, new Plans(given.store, blobs)),
    accept: { accept: unused },
    events: new EventDesk(given.engine, given.secrets),
    schemas: new SchemaDesk(given.engine),
    queues,
    rules,
    webhooks: openWebhooks({
      engine: given.engine,
      secrets: given.secrets,
      caller: { post: unused, flaw: () => null, [Symbol.asyncDispose]: unused },
      showMessage: unused,
      rules: () => rules,
    }).desk,
    documents: new DocumentDesk(given.engine),
    shelf: new Shelf({ engine: given.engine, blobs, sha256: () => "" }),
    desk: { cancel: unused, resend: unused, archive: unused, output: unused, why: unused },
    blobs,
    dice: seededDice(7),
    log: silentLog,
    meter: silentMeter,
    started: () => true,
    metrics: { text: unused },
    settings: {
      version: "test",
      publicUrl: "http://localhost",
      localTokenDigest: null,
      metricsNeedKey: false,
      aws: { region: "us-east-1", publicUrl: null, anyKey: false },
    },
  };
  const door = await openHttpDoor(house, { port: 0, host: "127.0.0.1" });
  return { ...given, door, key: made.value.secret };
}

let given: Awaited<ReturnType<typeof givenDoor>>;
before(async () => {
  given = await givenDoor();
});
after(async () => {
  await given.door[Symbol.asyncDispose]();
});

type Said = { readonly status: number; readonly body: unknown; readonly headers: Headers };

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Said> {
  const response = await fetch(given.door.url + path, {
    method,
    headers: {
      authorization: `Bearer ${given.key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text), headers: response.headers };
}

/** As the contract promises it. */
function fits(schema: TSchema, value: unknown): void {
  const check = Compile(schema);
  assert.ok(check.Check(value), JSON.stringify([...check.Errors(value)]));
}

const courier = () => new Courier({ apiKey: given.key, baseURL: given.door.url, maxRetries: 0 });

describe("profiles over HTTP", () => {
  test("live through Courier's own client", async () => {
    const client = courier();
    assert.deepEqual(
      await client.profiles.create("user/1 ü", { profile: { email: "a@example.com", custom: { n: 1 } } }),
      { status: "SUCCESS" },
    );
    await client.profiles.create("user/1 ü", { profile: { custom: { m: 2 } } });
    await client.profiles.update("user/1 ü", { patch: [{ op: "add", path: "/name", value: "Ada" }] });
    assert.deepEqual((await client.profiles.retrieve("user/1 ü")).profile, {
      email: "a@example.com",
      custom: { n: 1, m: 2 },
      name: "Ada",
    });
    assert.deepEqual(await client.profiles.replace("user/1 ü", { profile: { name: "A" } }), { status: "SUCCESS" });
    assert.deepEqual((await client.profiles.retrieve("user/1 ü")).profile, { name: "A" });
    assert.deepEqual(
      await client.profiles.lists.subscribe("user/1 ü", { lists: [{ listId: "p.one" }, { listId: "p.two" }] }),
      { status: "SUCCESS" },
    );
    const lists = await client.profiles.lists.retrieve("user/1 ü");
    fits(ProfileLists, lists);
    assert.deepEqual(
      lists.results.map(({ id, name }) => [id, name]),
      [
        ["p.one", "p.one"],
        ["p.two", "p.two"],
      ],
    );
    assert.deepEqual(await client.profiles.lists.delete("user/1 ü"), { status: "SUCCESS" });
    assert.deepEqual((await client.profiles.lists.retrieve("user/1 ü")).results, []);
    await client.profiles.delete("user/1 ü");
    await assert.rejects(client.profiles.retrieve("user/1 ü"), Courier.NotFoundError);
  });

  test("answer as the contract says", async () => {
    const made = await call("POST", "/profiles/c1", { profile: { email: "c@example.com" } });
    assert.equal(made.status, 200);
    fits(Success, made.body);
    fits(ProfileAnswer, (await call("GET", "/profiles/c1")).body);
    assert.equal((await call("DELETE", "/profiles/c1")).status, 204);
    assert.equal((await call("DELETE", "/profiles/c1")).status, 204);
  });

  const bad: readonly (readonly [why: string, method: string, body: unknown])[] = [
    ["no profile", "POST", {}],
    ["a profile that is a list", "PUT", { profile: [] }],
    ["a header in an address", "POST", { profile: { email: "a@example.com\r\nBcc: b@example.com" } }],
    ["an unknown operation", "PATCH", { patch: [{ op: "frobnicate", path: "/a" }] }],
    ["a test that fails", "PATCH", { patch: [{ op: "test", path: "/a", value: 1 }] }],
    ["an unknown user's replacement that is too large", "PUT", { profile: { note: "x".repeat(70_000) } }],
  ];
  for (const [why, method, body] of bad) {
    test(`refuse ${why} with 400 and keep nothing`, async () => {
      const said = await call(method, "/profiles/bad", body);
      assert.equal(said.status, 400, JSON.stringify(said.body));
      assert.equal((said.body as { type: string }).type, "invalid_request_error");
      assert.equal((await call("GET", "/profiles/bad")).status, 404);
    });
  }

  test("are merged once per Idempotency-Key", async () => {
    const once = { "idempotency-key": "k1" };
    await call("POST", "/profiles/once", { profile: { n: 1 } }, once);
    await call("PUT", "/profiles/once", { profile: { n: 2 } });
    const again = await call("POST", "/profiles/once", { profile: { n: 1 } }, once);
    assert.deepEqual([again.status, again.body], [200, { status: "SUCCESS" }]);
    assert.deepEqual((await call("GET", "/profiles/once")).body, { profile: { n: 2 } });
    assert.equal((await call("POST", "/profiles/once", { profile: { n: 3 } }, once)).status, 422);
  });
});

describe("lists over HTTP", () => {
  test("live through Courier's own client", async () => {
    const client = courier();
    await client.lists.update("sdk.news", {
      name: "News",
      preferences: { categories: { promo: { status: "OPTED_IN" } } },
    });
    const list = await client.lists.retrieve("sdk.news");
    fits(MailList, list);
    assert.equal(list.name, "News");
    await client.lists.subscriptions.subscribe("sdk.news", {
      recipients: [{ recipientId: "a" }, { recipientId: "b" }],
    });
    await client.lists.subscriptions.add("sdk.news", { recipients: [{ recipientId: "c" }] });
    await client.lists.subscriptions.subscribeUser("d", { list_id: "sdk.news" });
    await client.lists.subscriptions.unsubscribeUser("b", { list_id: "sdk.news" });
    const subscribers = await client.lists.subscriptions.list("sdk.news");
    fits(Subscriptions, subscribers);
    assert.deepEqual(
      subscribers.items.map(({ recipientId }) => recipientId),
      ["a", "c", "d"],
    );
    await client.lists.delete("sdk.news");
    await assert.rejects(client.lists.retrieve("sdk.news"), Courier.NotFoundError);
    await client.lists.restore("sdk.news", {});
    assert.equal((await client.lists.subscriptions.list("sdk.news")).items.length, 3);
    const found = await client.lists.list({ pattern: "sdk.*" });
    fits(MailLists, found);
    assert.deepEqual(
      found.items.map(({ id }) => id),
      ["sdk.news"],
    );
  });

  test("page with cursors that only we can read", async () => {
    const recipients = ["a", "b/c", "d e", "ü"].map((recipientId) => ({ recipientId, data: { n: 1 } }));
    assert.equal((await call("PUT", "/lists/paged/subscriptions", { recipients })).status, 204);
    const seen: unknown[] = [];
    for (let cursor = ""; ; ) {
      const { body } = await call(
        "GET",
        `/lists/paged/subscriptions?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      const page = body as { paging: { more: boolean; cursor: string | null }; items: { recipientId: string }[] };
      fits(Subscriptions, page);
      seen.push(...page.items.map(({ recipientId }) => recipientId));
      if (!page.paging.more || page.paging.cursor === null) break;
      cursor = page.paging.cursor;
    }
    assert.deepEqual(seen, ["a", "b/c", "d e", "ü"]);
    for (const path of ["/lists", "/lists/paged/subscriptions", "/profiles/a/lists"]) {
      assert.equal((await call("GET", `${path}?cursor=nonsense!`)).status, 400, path);
    }
  });

  const wrong: readonly (readonly [method: string, path: string, body: unknown, status: number])[] = [
    ["PUT", "/lists/a..b", { name: "x" }, 400],
    ["PUT", "/lists/a.b", {}, 400],
    ["PUT", "/lists/bad*/subscriptions/u", {}, 400],
    ["POST", "/lists/a%20b/subscriptions", { recipients: [] }, 400],
    ["POST", "/lists/fine/subscriptions", { recipients: [{ recipientId: "a" }, { recipientId: "" }] }, 400],
    ["GET", "/lists?pattern=**", undefined, 400],
    ["GET", "/lists/none", undefined, 404],
    ["GET", "/lists/none/subscriptions", undefined, 404],
    ["DELETE", "/lists/none", undefined, 404],
    ["PUT", "/lists/none/restore", {}, 404],
    ["DELETE", "/lists/none/subscriptions/u", undefined, 404],
  ];
  for (const [method, path, body, status] of wrong) {
    test(`${method} ${path} is ${status}`, async () => {
      assert.equal((await call(method, path, body)).status, status);
      assert.equal((await call("GET", "/lists/fine")).status, 404);
    });
  }

  test("a body of nothing at all is enough to join", async () => {
    assert.equal((await call("PUT", "/lists/joined/subscriptions/ada")).status, 204);
    assert.equal((await call("GET", "/lists/joined")).status, 200);
  });

  test("take rows of a table and tell what became of each", async () => {
    const said = await call("POST", "/lists/imported/import", {
      rows: [{ email: "A@example.com" }, { email: "bad" }, 7],
    });
    fits(ImportAnswer, said.body);
    const { imported, errors } = said.body as ImportAnswer;
    assert.deepEqual([said.status, imported, errors.map(({ row }) => row)], [200, 1, [1, 2]]);
  });
});

describe("suppressions over HTTP", () => {
  test("are added, asked for and lifted", async () => {
    const added = await call("PUT", "/suppressions", {
      addresses: [{ address: "S@example.com", reason: "complaint" }, { address: "t@example.com" }],
    });
    assert.deepEqual([added.status, added.body], [200, { added: 2 }]);
    const listed = await call("GET", "/suppressions?channel=email");
    fits(Suppressions, listed.body);
    const { body } = await call("POST", "/suppressions/check", {
      addresses: [{ address: "s@EXAMPLE.com" }, { address: "free@example.com" }],
    });
    assert.deepEqual(
      (body as { results: ({ reason: string } | null)[] }).results.map((each) => each?.reason ?? null),
      ["complaint", null],
    );
    assert.equal((await call("GET", "/suppressions/email/s@example.com")).status, 200);
    assert.equal((await call("DELETE", "/suppressions/email/s@example.com")).status, 204);
    assert.equal((await call("DELETE", "/suppressions/email/s@example.com")).status, 404);
    assert.equal((await call("GET", "/suppressions/email/s@example.com")).status, 404);
    assert.equal(
      (await call("PUT", "/suppressions", { addresses: [{ address: "x@example.com\nBcc: y" }] })).status,
      400,
    );
  });
});

describe("keys over HTTP", () => {
  test("work when made, are never shown again, and stop working when revoked", async () => {
    const made = await call("POST", "/admin/keys", { name: "reader", scopes: ["read"] });
    fits(ApiKeyMade, made.body);
    const { id, key = assert.fail("a bearer key is told") } = made.body as ApiKeyMade;
    assert.deepEqual([made.status, made.headers.get("cache-control")], [201, "no-store"]);
    const asReader = { authorization: `Bearer ${key}` };
    assert.equal((await call("GET", "/lists", undefined, asReader)).status, 200);
    assert.equal((await call("PUT", "/lists/x", { name: "x" }, asReader)).status, 403);
    assert.equal((await call("GET", "/admin/keys", undefined, asReader)).status, 403);
    const listed = await call("GET", "/admin/keys");
    fits(ApiKeys, listed.body);
    assert.ok(!JSON.stringify(listed.body).includes(key));
    assert.equal((await call("DELETE", `/admin/keys/${id}`)).status, 204);
    assert.equal((await call("GET", "/lists", undefined, asReader)).status, 401);
    assert.equal((await call("DELETE", "/admin/keys/000000000000")).status, 404);
    assert.equal((await call("POST", "/admin/keys", { name: "x", scopes: ["god"] })).status, 400);
  });
});

describe("the link in a mail", () => {
  const post = (token: string, body: string | FormData, type?: string) =>
    fetch(`${given.door.url}/u/${token}`, {
      method: "POST",
      body,
      headers: type === undefined ? {} : { "content-type": type },
      redirect: "manual",
    });
  const FORM = "application/x-www-form-urlencoded";
  const tokenOf = async (userId: string, listId = "tidings.weekly") => {
    await given.directory.subscriptions.subscribe(listId, { userId });
    const farewell: Farewell = { kind: "list", listId, userId, messageId: null };
    return farewellToken(given.secrets, farewell);
  };
  const isOn = async (userId: string, listId = "tidings.weekly") =>
    (await given.directory.subscriptions.ofUser(userId, null, 10)).items.some(({ list }) => list.id === listId);

  test("takes one click of a mail client, without key, cookie or redirect", async () => {
    const token = await tokenOf("one");
    const said = await post(token, "List-Unsubscribe=One-Click", FORM);
    assert.deepEqual([said.status, said.headers.get("set-cookie"), said.headers.get("location")], [200, null, null]);
    assert.equal(await isOn("one"), false);
    assert.equal((await post(token, "List-Unsubscribe=One-Click", FORM)).status, 200);
  });

  test("takes it as multipart too, as RFC 8058 allows", async () => {
    const form = new FormData();
    form.set("List-Unsubscribe", "One-Click");
    assert.equal((await post(await tokenOf("multi"), form)).status, 200);
    assert.equal(await isOn("multi"), false);
  });

  test("takes a no in whatever form it comes", async () => {
    const wishes: readonly (readonly [string, string])[] = [
      ["", "text/plain"],
      ["{}", "application/json"],
      ["\u0000\ufffd", "x/y"],
    ];
    for (const [at, [body, type]] of wishes.entries()) {
      assert.equal((await post(await tokenOf(`form${at}`), body, type)).status, 200);
      assert.equal(await isOn(`form${at}`), false, type);
    }
  });

  test("does nothing when it is only looked at", async () => {
    const token = await tokenOf("scanner");
    const said = await fetch(`${given.door.url}/u/${token}`);
    const html = await said.text();
    assert.equal(said.status, 200);
    assert.match(html, /<form method="post" action="">/);
    assert.match(html, /tidings\.weekly/);
    assert.equal(await isOn("scanner"), true);
  });

  test("lets a person come back by the page's second button", async () => {
    const token = await tokenOf("returning");
    const left = await (await post(token, "action=unsubscribe", FORM)).text();
    assert.match(left, /You are unsubscribed/);
    assert.match(left, /value="resubscribe"/);
    const back = await (await post(token, "action=resubscribe", FORM)).text();
    assert.match(back, /Welcome back/);
    assert.equal(await isOn("returning"), true);
  });

  test("runs no script, loads nothing, and shows a list's name as text", async () => {
    await given.directory.lists.put("evil", { name: '<script>alert("x")</script>' });
    const said = await fetch(`${given.door.url}/u/${await tokenOf("curious", "evil")}`);
    const policy = said.headers.get("content-security-policy") ?? "";
    assert.match(
      policy,
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
    assert.doesNotMatch(await said.text(), /<script|https?:/);
  });

  test("says kindly when it is cut or forged, and changes nothing", async () => {
    const token = await tokenOf("forged");
    for (const broken of [token.slice(0, -1), `${token}x`, "nonsense"]) {
      for (const said of [
        await fetch(`${given.door.url}/u/${broken}`),
        await post(broken, "List-Unsubscribe=One-Click", FORM),
      ]) {
        assert.equal(said.status, 404);
        assert.match(await said.text(), /This link does not work/);
      }
    }
    assert.equal(await isOn("forged"), true);
  });

  test("works for the longest ids that there can be", async () => {
    const [userId, listId] = ["😀".repeat(128), `${"l".repeat(60)}.${"m".repeat(190)}`];
    await given.directory.subscriptions.subscribe(listId, { userId });
    const token = farewellToken(given.secrets, {
      kind: "list",
      listId,
      userId,
      messageId: `1-65f240a0-47a6a120c8374de9bcf9f22a:${userId}`,
    });
    assert.equal((await post(token, "List-Unsubscribe=One-Click", FORM)).status, 200);
    assert.equal(await isOn(userId, listId), false);
  });

  test("can stop all mail to an address, and shows it only to who knows it", async () => {
    const farewell: Farewell = { kind: "address", channel: "email", address: "ada@example.com", messageId: null };
    const token = farewellToken(given.secrets, farewell);
    const left = await (await post(token, "List-Unsubscribe=One-Click", FORM)).text();
    assert.match(left, /a•••@example\.com/);
    assert.doesNotMatch(left, /ada@/);
    assert.equal((await given.directory.suppressions.check([farewell]))[0]?.reason, "unsubscribe");
  });
});
