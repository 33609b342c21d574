import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { ordered, own, Receiver, WebhooksWorld } from "../../test/support/webhooks-world.ts";
import { value } from "../../test/support/rules-world.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { DELIVERIES, PAYLOADS } from "#webhooks/delivery.ts";
import { tidyLogs } from "#webhooks/keeping.ts";
import { LOG_AGE_MS_MAX, LOG_DELIVERIES_MAX, RETRY_WAITS_MS } from "#webhooks/limits.ts";

test("an event that fits is posted once, signed so that the reference package accepts it", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { secret } = await world.endpoint(receiver.url);
  await world.append(ordered("1", { price: 12345678901234567890n.toString() }), own("message.sent", "1-x"));
  await world.told("webhook.delivered");
  const [call, ...more] = receiver.received;
  assert.ok(call !== undefined && more.length === 0);
  assert.equal(
    call.body,
    '{"type":"OrderPlaced","timestamp":"2024-05-06T07:08:09.123Z","source":"shop","data":{"price":"12345678901234567890"}}',
  );
  assert.equal(call.headers["content-type"], "application/json");
  assert.match(call.headers["traceparent"] as string, /^00-4bf92f3577b34da6a3ce929d0e0e4736-/);
  verify(secret, call, world.clock.nowMs());
  assert.throws(() => verify(`whsec_${Buffer.alloc(32, 1).toString("base64")}`, call, world.clock.nowMs()));
});

test("numbers come as they were written, however long", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  await world.endpoint(receiver.url);
  await world.append({ ...ordered("1"), data: '{"n":12345678901234567890.10,"a":[1e400]}' });
  await world.told("webhook.delivered");
  assert.match(receiver.received[0]?.body ?? "", /"data":\{"n":12345678901234567890\.10,"a":\[1e400\]\}\}$/);
});

test("a failed call is tried again over three days, each with a signature of its time, then it is a dead letter", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(500).end("no\nway"));
  const { secret } = await world.endpoint(receiver.url);
  const beganMs = world.clock.nowMs();
  const atMs: number[] = [];
  receiver.answer = (response, call) => {
    verify(secret, call, world.clock.nowMs());
    atMs.push(world.clock.nowMs());
    response.writeHead(500).end("no\nway");
  };
  await world.append(ordered("1"));
  const [dead] = await world.until("it is given up", async () => nonEmpty(await world.dead()), 60_000);
  assert.equal(dead?.error, "it answered 500: no way");
  assert.equal(atMs.length, RETRY_WAITS_MS.length + 1);
  for (const [at, waitMs] of RETRY_WAITS_MS.entries()) {
    const waited = (atMs[at + 1] ?? 0) - (atMs[at] ?? 0);
    // A minute is the step of this test; an endpoint that keeps failing rests up to ten.
    assert.ok(waited >= waitMs * 0.9 && waited <= waitMs * 1.1 + 11 * 60_000, `wait ${at}: ${waited} of ${waitMs}`);
  }
  const days = ((atMs.at(-1) ?? 0) - beganMs) / 86_400_000;
  assert.ok(days > 2.7 && days < 3.6, `${days} days`);
  assert.equal(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size, 1);
  assert.equal(new Set(receiver.received.map(({ headers }) => headers["webhook-timestamp"])).size, atMs.length);
  const failed = await world.events("webhook.failed");
  assert.equal(failed.length, atMs.length);
  const last = JSON.parse(failed.at(-1)?.data ?? "{}");
  assert.deepEqual([last.try, last.status, last.answer, last.givenUp], [10, 500, "no way", "it answered 500: no way"]);
  assert.match(await world.registry.text(), /deliveries_total\{webhook="wh_\w+",outcome="failed"\} 10\n/);
});

test("a dead letter that is redriven is delivered under the id that it had", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(410).end());
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  const [dead] = await world.until("it is given up", async () => nonEmpty(await world.dead()));
  receiver.answer = (response) => void response.writeHead(204).end();
  value(await world.desk.endpoints.setEnabled(endpoint.id, true));
  assert.equal((await world.engine.settleDead(dead?.key ?? "", "revive"))?.kind, "committed");
  await world.told("webhook.delivered");
  const [first, second] = receiver.received;
  assert.equal(second?.headers["webhook-id"], first?.headers["webhook-id"]);
  const { items } = value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 10 }));
  assert.deepEqual(
    items.map(({ state, tries }) => [state, tries.map(({ status }) => status)]),
    [["delivered", [410, 204]]],
  );
});

test("410 disables the endpoint; what comes then is a dead letter at once, and can be replayed when it is enabled", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(410).end());
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  const [disabled] = await world.told("webhook.disabled");
  assert.equal(JSON.parse(disabled?.data ?? "{}").disabledBy, "410");
  await world.append(ordered("2"));
  const dead = await world.until("both are given up", async () =>
    (await world.dead()).length === 2 ? world.dead() : null,
  );
  assert.deepEqual(dead.map(({ error }) => error).toSorted(), [
    "it answered 410",
    "the webhook is disabled: it answered 410 Gone",
  ]);
  assert.equal(receiver.received.length, 1);
  receiver.answer = (response) => void response.end();
  const refused = await world.desk.deliveries.replay(endpoint.id, "any");
  assert.equal(refused.kind, "fault");
  value(await world.desk.endpoints.setEnabled(endpoint.id, true));
  const { items } = value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 10 }));
  for (const { id } of items) value(await world.desk.deliveries.replay(endpoint.id, id));
  await world.told("webhook.delivered", 2);
  assert.deepEqual(await world.dead(), []);
  assert.deepEqual(receiver.received.map(({ body }) => String(JSON.parse(body).data.order)).toSorted(), [
    "1",
    "1",
    "2",
  ]);
});

test("Retry-After of a 429 is kept, also for what else waits for the endpoint", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open(
    (response) => void response.writeHead(429, { "retry-after": "1800" }).end("slowly"),
  );
  await world.endpoint(receiver.url);
  const beganMs = world.clock.nowMs();
  await world.append(ordered("1"));
  await world.told("webhook.failed");
  receiver.answer = (response) => void response.end();
  await world.append(ordered("2"));
  await world.until("the second came", () => receiver.received.length >= 2, 1_000);
  assert.ok(world.clock.nowMs() - beganMs >= 1_800_000);
  await world.until("both came", () => receiver.received.length === 3, 1_000);
});

test("redirects are not followed, and the failure says so", async () => {
  await using world = await WebhooksWorld.start();
  await using elsewhere = await Receiver.open();
  await using receiver = await Receiver.open(
    (response) => void response.writeHead(302, { location: elsewhere.url }).end(),
  );
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  await world.told("webhook.failed");
  const job = await world.store.jobs([await jobKey(world, endpoint.id)]);
  assert.equal(job[0]?.error, "it answered 302: redirects are not followed");
  assert.equal(elsewhere.received.length, 0);
});

test("an endpoint that accepts and never answers delays no other", async () => {
  await using world = await WebhooksWorld.start();
  await using stalled = await Receiver.open(() => {});
  await using healthy = await Receiver.open();
  await world.endpoint(stalled.url, {}, "stalled");
  await world.endpoint(healthy.url, {}, "healthy");
  const orders = Array.from({ length: 400 }, (_, at) => ordered(String(at)));
  await world.append(...orders);
  // Virtual time passes only a little: no call to the stalled one has run into its timeout.
  const beganMs = world.clock.nowMs();
  await world.until("the healthy one has all", () => healthy.received.length === orders.length, 1);
  assert.ok(world.clock.nowMs() - beganMs < 15_000, `${world.clock.nowMs() - beganMs} ms`);
  assert.ok(stalled.received.length <= 8, `${stalled.received.length} calls to the stalled one`);
  assert.deepEqual(await world.events("webhook.failed"), []);
});

test("an endpoint that is down is left alone, tried by one call now and then, and gets everything when it is back", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(503).end());
  await world.endpoint(receiver.url);
  const orders = Array.from({ length: 60 }, (_, at) => ordered(String(at)));
  await world.append(...orders);
  // Ten minutes.
  const untilMs = world.clock.nowMs() + 600_000;
  await world.until("time has passed", () => world.clock.nowMs() >= untilMs, 500);
  const whileDown = receiver.received.length;
  assert.ok(whileDown >= 6 && whileDown < 20, `${whileDown} calls while it was down`);
  receiver.answer = (response) => void response.end();
  await world.until("all came", async () => (await world.events("webhook.delivered")).length === orders.length, 5_000);
  assert.deepEqual(await world.dead(), []);
});

test("two secrets sign while they are exchanged, and the old one ends at its time", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint, secret: old } = await world.endpoint(receiver.url);
  const { secret: fresh } = value(await world.desk.endpoints.rotate(endpoint.id, 60_000));
  assert.notEqual(fresh, old);
  await world.append(ordered("1"));
  await world.told("webhook.delivered");
  const [both] = receiver.received;
  assert.ok(both !== undefined);
  for (const secret of [old, fresh]) verify(secret, both, world.clock.nowMs());
  world.clock.advance(60_000);
  await world.append(ordered("2"));
  await world.told("webhook.delivered", 2);
  const late = receiver.received[1];
  assert.ok(late !== undefined);
  verify(fresh, late, world.clock.nowMs());
  assert.throws(() => verify(old, late, world.clock.nowMs()));
});

test("no secret and no value of a header is kept in a journal, a log or an endpoint's document", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { secret, endpoint } = await world.endpoint(receiver.url, { headers: { authorization: "Bearer hush" } });
  await world.append(ordered("1"));
  await world.told("webhook.delivered");
  assert.equal(receiver.received[0]?.headers.authorization, "Bearer hush");
  const journal = JSON.stringify(await world.events(""));
  const [document] = await world.store.documents([{ collection: "webhooks", id: endpoint.id }]);
  assert.ok(!journal.includes(secret) && !journal.includes("hush"));
  assert.ok(document?.body.includes(secret) === false);
});

test("a courier endpoint gets Courier's form and signature; what happens to a message is message:updated", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const pattern = '{"source":["tidings"]}';
  const subscription = { bus: "tidings", pattern };
  const { secret } = await world.endpoint(receiver.url, { format: "courier", subscription });
  const id = "1-69557a80-0123456789abcdef01234567";
  await world.append(own("message.sent", id, { provider: "smtp" }));
  await world.until("it came", () => receiver.received.find(({ body }) => body.includes("message:")));
  const call = receiver.received.find(({ body }) => body.includes("message:"));
  assert.ok(call !== undefined);
  assert.deepEqual(JSON.parse(call.body), { type: "message:updated", data: { id, status: "SENT" } });
  const [, t = "", signature] =
    /^t=(\d+),signature=([0-9a-f]{64})$/.exec(String(call.headers["courier-signature"])) ?? [];
  assert.equal(Number(t), world.clock.nowMs());
  assert.equal(signature, createHmac("sha256", secret).update(`${t}.${call.body}`).digest("hex"));
});

test("what tells of webhooks never goes to one, or each call would cause the next", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const subscription = { bus: "tidings", pattern: '{"source":["tidings"]}' };
  await world.endpoint(receiver.url, { subscription });
  await world.append(own("message.sent", "a"));
  await world.told("webhook.delivered");
  for (let times = 0; times < 50; times += 1) await world.until("a turn passed", () => true, 10);
  const types = receiver.received.map(({ body }) => JSON.parse(body).type);
  assert.ok(types.includes("message.sent"));
  assert.ok(
    types.every((type: string) => !type.startsWith("webhook.")),
    types.join(),
  );
});

test("two rules that give an endpoint the same event give it once", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url);
  const arn = `arn:tidings:webhook:::${endpoint.id}`;
  const rule = { bus: "default", name: "more", pattern: '{"detail-type":["OrderPlaced"]}', schedule: null };
  value(await world.rules.desk.rules.put({ ...rule, state: "ENABLED", description: null, roleArn: null, tags: null }));
  const at = { bus: "default", name: "more" };
  value(
    await world.rules.desk.targets.put(
      at,
      [
        { Id: "a", Arn: arn },
        { Id: "b", Arn: arn, InputPath: "$.detail.order" },
      ],
      5,
    ),
  );
  await world.append(ordered("1"));
  await world.told("webhook.delivered", 2);
  const data = receiver.received.map(({ body }) => JSON.stringify(JSON.parse(body).data));
  assert.deepEqual(data.toSorted(), ['"1"', '{"order":"1"}']);
});

test("an endpoint and its rule come and go together, and nobody else changes the rule", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url, {}, "shop");
  const at = { bus: "default", name: "webhook-shop" };
  assert.equal(value(await world.rules.desk.rules.describe(at)).managedBy, "webhooks");
  const foreign = await world.rules.desk.rules.remove(at, true);
  assert.equal(foreign.kind === "fault" ? foreign.code : "", "managed");
  const twice = await world.desk.endpoints.create("shop", { ...endpoint });
  assert.equal(twice.kind === "fault" ? twice.code : "", "exists");
  const pattern = '{"source":["other"]}';
  value(await world.desk.endpoints.change("shop", { subscription: { bus: "default", pattern } }));
  assert.equal(value(await world.rules.desk.rules.describe(at)).pattern, pattern);
  value(await world.desk.endpoints.change("shop", { subscription: null }));
  assert.equal((await world.rules.desk.rules.describe(at)).kind, "fault");
  value(await world.desk.endpoints.change("shop", { subscription: { bus: "default", pattern } }));
  value(await world.desk.endpoints.remove("shop"));
  assert.equal((await world.rules.desk.rules.describe(at)).kind, "fault");
  assert.equal((await world.desk.endpoints.describe("shop")).kind, "fault");
  // A pattern that is none: neither is made.
  const wrong = await world.desk.endpoints.create("shop", {
    ...endpoint,
    subscription: { bus: "default", pattern: "{}" },
  });
  assert.equal(wrong.kind, "fault");
  assert.equal((await world.desk.endpoints.describe("shop")).kind, "fault");
});

test("the events of a time are delivered again under the ids that they had", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url);
  const at = (id: string, timeMs: number) => ({ ...ordered(id), timeMs });
  await world.append(at("1", 1_000), at("2", 2_000), at("3", 3_000), { ...at("4", 2_500), source: "else" });
  await world.told("webhook.delivered", 3);
  const first = new Map(
    receiver.received.map(({ body, headers }) => [JSON.parse(body).data.order, headers["webhook-id"]]),
  );
  receiver.received.length = 0;
  const wish = { fromMs: 2_000, untilMs: 3_001, pattern: null, bus: null };
  value(await world.desk.deliveries.replayRange(endpoint.id, wish));
  assert.equal((await world.desk.deliveries.replayRange(endpoint.id, wish)).kind, "fault");
  const [ended] = await world.told("webhook.replayed");
  assert.equal(JSON.parse(ended?.data ?? "{}").replayed, 2);
  await world.until("both came", () => receiver.received.length === 2);
  for (const { body, headers } of receiver.received) {
    assert.equal(headers["webhook-id"], first.get(JSON.parse(body).data.order));
  }
  assert.equal((await world.desk.deliveries.lastReplay(endpoint.id))?.state, "done");
});

test("what waits for its next try is delivered at once when it is replayed", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(500).end());
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  await world.told("webhook.failed");
  receiver.answer = (response) => void response.end();
  const { items } = value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 10 }));
  value(await world.desk.deliveries.replay(endpoint.id, items[0]?.id ?? ""));
  await world.told("webhook.delivered");
  const shown = value(await world.desk.deliveries.describe(endpoint.id, items[0]?.id ?? ""));
  assert.deepEqual(
    shown.delivery.tries.map(({ status }) => status),
    [500, 200],
  );
  assert.equal(JSON.parse(shown.body ?? "{}").data.order, "1");
});

test("a test sends a sample now and tells what came back", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(418).end("teapot"));
  const { endpoint, secret } = await world.endpoint(receiver.url);
  const answer = value(await world.desk.endpoints.test(endpoint.id, AbortSignal.timeout(5_000)));
  assert.ok(answer.kind === "answered");
  assert.deepEqual([answer.status, answer.body], [418, "teapot"]);
  const [call] = receiver.received;
  assert.ok(call !== undefined);
  verify(secret, call, world.clock.nowMs());
  assert.equal(JSON.parse(call.body).type, "webhook.test");
});

test("on SQLite as well: a failure, a dead letter, a replay of one and of a time", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "tidings-webhooks-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  await using world = await WebhooksWorld.start((clock) =>
    openSqliteStore({ path: join(dir, "tidings.db"), clock, layout: "inline" }),
  );
  await using receiver = await Receiver.open((response) => void response.writeHead(410).end());
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"), ordered("2"));
  await world.until("both are given up", async () => (await world.dead()).length === 2);
  receiver.answer = (response) => void response.end();
  value(await world.desk.endpoints.setEnabled(endpoint.id, true));
  const { items } = value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 1 }));
  value(await world.desk.deliveries.replay(endpoint.id, items[0]?.id ?? ""));
  await world.told("webhook.delivered");
  assert.equal((await world.dead()).length, 1);
  const time = { fromMs: 0, untilMs: world.clock.nowMs(), pattern: null, bus: null };
  value(await world.desk.deliveries.replayRange(endpoint.id, time));
  await world.told("webhook.delivered", 3);
});

test("the log keeps the newest deliveries of each endpoint, and forgets what is old or of nobody", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url);
  const other = await world.endpoint(receiver.url, { subscription: null });
  const line = (webhook: string, at: number) =>
    [DELIVERIES, PAYLOADS].map((collection) => ({
      collection,
      id: `${webhook}/${String(at).padStart(9, "0")}`,
      body: "{}",
      when: "always" as const,
      nowMs: world.clock.nowMs(),
    }));
  const many = LOG_DELIVERIES_MAX + 300;
  await world.engine.commit({ puts: Array.from({ length: many }, (_, at) => line(endpoint.id, at)).flat() });
  await world.engine.commit({ puts: line(other.endpoint.id, 1) });
  await tidyLogs(world.engine);
  const kept = async (collection: string, prefix: string) =>
    (await world.store.listDocuments({ collection, prefix, limit: 5_000 })).map(({ id }) => id);
  for (const collection of [DELIVERIES, PAYLOADS]) {
    const ids = await kept(collection, `${endpoint.id}/`);
    assert.equal(ids.length, LOG_DELIVERIES_MAX);
    assert.equal(ids[0], `${endpoint.id}/000000300`);
  }
  value(await world.desk.endpoints.remove(other.endpoint.id));
  await tidyLogs(world.engine);
  assert.deepEqual(await kept(DELIVERIES, `${other.endpoint.id}/`), []);
  world.clock.advance(LOG_AGE_MS_MAX + 1);
  await tidyLogs(world.engine);
  assert.deepEqual(await kept(PAYLOADS, ""), []);
});

test("a delivery to a webhook that is not there is a dead letter that says so", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url);
  await world.store.commit([{ deletes: [{ collection: "webhooks", id: endpoint.id }] }]);
  await world.append(ordered("1"));
  const [dead] = await world.until("it is given up", async () => nonEmpty(await world.dead()));
  assert.equal(dead?.error, `there is no webhook ${endpoint.id}`);
});

function nonEmpty<Item>(items: readonly Item[]): readonly Item[] | null {
  return items.length === 0 ? null : items;
}

async function jobKey(world: WebhooksWorld, webhook: string): Promise<string> {
  const { items } = value(await world.desk.deliveries.list(webhook, { after: null, limit: 1 }));
  return `webhook:${webhook}/${items[0]?.messageId ?? ""}`;
}

/** By the reference package, at the time of the test. */
function verify(secret: string, { headers, body }: { headers: object; body: string }, nowMs: number): void {
  const realNow = Date.now;
  Date.now = () => nowMs;
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
  } finally {
    Date.now = realNow;
  }
}
