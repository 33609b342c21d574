import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY } from "../../../../test/given-http.ts";
import { until } from "../../../../test/support/until.ts";
import { Receiver } from "../../../../test/support/webhooks-world.ts";

type House = Awaited<ReturnType<typeof givenHouse>>;

test("a webhook is made, gets an event, and shows what it got; the secret is told once", async () => {
  await using given = await givenHouse();
  await using receiver = await Receiver.open();
  const pattern = { detail: { price: [{ numeric: [">", 1] }] } };
  const headers = { authorization: "Bearer hush" };
  const made = await call(given, "POST", "/webhooks", {
    url: receiver.url,
    pattern,
    bus: "default",
    allowPrivate: true,
    headers,
  });
  assert.equal(made.status, 201);
  const { id, secret } = made.body;
  assert.match(secret, /^whsec_/);
  assert.deepEqual(
    [made.body.pattern, made.body.headerNames, made.body.arn],
    [pattern, ["authorization"], `arn:tidings:webhook:::${id}`],
  );
  for (const path of ["/webhooks", `/webhooks/${id}`, `/rules/default/webhook-${id}`]) {
    const { text } = await call(given, "GET", path);
    assert.ok(!text.includes(secret) && !text.includes("hush"), path);
  }
  assert.equal((await call(given, "POST", "/events/OrderPlaced", { price: 2 })).status, 202);
  const delivered = await until("it is delivered", async () => {
    const { body } = await call(given, "GET", `/webhooks/${id}/deliveries`);
    return body.items[0]?.state === "delivered" ? body.items[0] : null;
  });
  const [received] = receiver.received;
  assert.ok(received !== undefined);
  // The package takes plain headers.
  new Webhook(secret).verify(received.body, received.headers as Record<string, string>);
  const whole = await call(given, "GET", `/webhooks/${id}/deliveries/${delivered.id}`);
  assert.equal(whole.body.payload.type, "OrderPlaced");
  assert.deepEqual(whole.body.tries[0].status, 200);
  assert.equal((await call(given, "POST", `/webhooks/${id}/deliveries/${delivered.id}/replay`)).status, 202);
  await until("it came again", () => receiver.received.length === 2);
  assert.equal(receiver.received[1]?.headers["webhook-id"], received.headers["webhook-id"]);
});

test("it is tested, rotated, changed, switched and deleted", async () => {
  await using given = await givenHouse();
  await using receiver = await Receiver.open();
  const wish = { id: "shop", url: receiver.url, allowPrivate: true };
  const { body: made } = await call(given, "POST", "/webhooks", wish);
  assert.equal((await call(given, "POST", "/webhooks", wish)).status, 409);
  const tested = await call(given, "POST", "/webhooks/shop/test");
  assert.deepEqual([tested.body.delivered, tested.body.status, tested.body.says], [true, 200, "thanks"]);
  const rotated = await call(given, "POST", "/webhooks/shop/rotate", { keepOldSeconds: 60 });
  assert.notEqual(rotated.body.secret, made.secret);
  assert.equal(rotated.body.secrets.length, 2);
  const pattern = { source: ["shop"] };
  const changed = await call(given, "PATCH", "/webhooks/shop", { pattern, description: "the shop", state: "ignored" });
  assert.deepEqual(
    [changed.body.pattern, changed.body.bus, changed.body.description],
    [pattern, "tidings", "the shop"],
  );
  assert.equal(changed.body.url, receiver.url);
  assert.deepEqual((await call(given, "PATCH", "/webhooks/shop", { pattern: null })).body.pattern, null);
  const off = await call(given, "PUT", "/webhooks/shop/enabled", { enabled: false });
  assert.deepEqual([off.body.enabled, off.body.disabledBy], [false, "hand"]);
  const early = await call(given, "POST", "/webhooks/shop/replay", { from: "2026-01-01T00:00:00Z", pattern });
  assert.match(early.body.message, /enable it first/);
  await call(given, "PUT", "/webhooks/shop/enabled", { enabled: true });
  const begun = await call(given, "POST", "/webhooks/shop/replay", { from: "2026-01-01T00:00:00Z", pattern });
  assert.equal(begun.status, 202);
  await until(
    "the replay ends",
    async () => (await call(given, "GET", "/webhooks/shop")).body.replay?.state === "done",
  );
  assert.equal((await call(given, "DELETE", "/webhooks/shop")).status, 204);
  assert.equal((await call(given, "GET", "/webhooks/shop")).status, 404);
});

test("what could not work is refused with the reason, and nothing is kept of it", async () => {
  await using given = await givenHouse();
  const url = "https://example.com/hook";
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{}, /url/],
    [{ url: "ftp://example.com" }, /http or https/],
    [{ url: "http://169.254.169.254/latest" }, /169\.254\.169\.254 is not a public address/],
    [{ url: "http://[::ffff:7f00:1]:80/" }, /not a public address/],
    [{ url, pattern: { source: "shop" } }, /pattern/i],
    [{ url, pattern: "{" }, /pattern/i],
    [{ url, pattern: { source: ["a"] }, bus: "nowhere" }, /nowhere/],
    [{ url, headers: { "Webhook-Id": "x" } }, /webhook-id cannot be set/],
    [{ url, headers: { connection: "close" } }, /connection cannot be set/],
    [{ url, timeoutMs: 10 }, /timeoutMs/],
    [{ url, format: "xml" }, /format/],
    [{ url, id: "a/b" }, /id/],
  ];
  for (const [body, says] of wrong) {
    const refused = await call(given, "POST", "/webhooks", body);
    assert.ok(refused.status >= 400 && refused.status < 500, JSON.stringify([body, refused.body]));
    assert.match(refused.body.message, says);
  }
  assert.deepEqual((await call(given, "GET", "/webhooks")).body.items, []);
  assert.deepEqual((await call(given, "GET", "/rules")).body.items, []);
  const reader = { authorization: `Bearer ${READ_KEY}`, "content-type": "application/json" };
  const denied = await given.app.inject({ method: "POST", url: "/webhooks", headers: reader, payload: { url } });
  assert.equal(denied.statusCode, 403);
  assert.deepEqual(given.complaints, []);
});

async function call(
  { app }: House,
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  url: string,
  payload?: object,
) {
  const headers = payload === undefined ? AUTH : JSON_HEADERS;
  const answer = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, text: answer.body, body: answer.body === "" ? null : JSON.parse(answer.body) };
}
