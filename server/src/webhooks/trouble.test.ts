import assert from "node:assert/strict";
import { test } from "node:test";
import { value } from "../../test/support/rules-world.ts";
import { ordered, Receiver, WebhooksWorld } from "../../test/support/webhooks-world.ts";
import { REPLAY_STEP_DELIVERIES } from "#webhooks/limits.ts";
import { replayKey } from "#webhooks/replay-stage.ts";

test("a call that had not begun when the server stopped is no try", async () => {
  let asked = 0;
  const world = await WebhooksWorld.start(undefined, () => {
    asked += 1;
    return new Promise(() => {});
  });
  const { endpoint } = await world.endpoint("http://hook.example/");
  await world.append(ordered("1"));
  await world.until("it is being connected to", () => asked === 1);
  const stopping = world.engine.stop(5_000);
  let isOver = false;
  void stopping.then(() => (isOver = true));
  await world.until("it stops", () => isOver, 20);
  assert.deepEqual(await world.events("webhook.failed"), []);
  assert.deepEqual(value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 10 })).items, []);
  const [matched] = await world.store.claim([{ queue: "webhook", lane: "transactional", limit: 10 }], 1_000);
  assert.equal(matched?.attempt, 1, "whoever starts next finds it as if it was never begun");
  await world[Symbol.asyncDispose]();
});

test("of two lines of the log that stand for one message, the one that is replayed takes over", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  await world.told("webhook.delivered");
  const lines = async () => value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 10 })).items;
  const [first] = await lines();
  receiver.answer = (response) => void response.writeHead(500).end();
  world.clock.advance(1_000);
  const all = { fromMs: 0, untilMs: 8.64e15, pattern: null, bus: null };
  value(await world.desk.deliveries.replayRange(endpoint.id, all));
  await world.told("webhook.failed");
  assert.deepEqual(
    (await lines()).map(({ state }) => state),
    ["waiting", "delivered"],
  );
  receiver.answer = (response) => void response.end();
  value(await world.desk.deliveries.replay(endpoint.id, first?.id ?? ""));
  await world.told("webhook.delivered", 2);
  const [newer, older] = await lines();
  assert.deepEqual([newer?.state, newer?.error], ["dead", `delivered by the replay of ${first?.id ?? ""}`]);
  assert.deepEqual([older?.id, older?.state], [first?.id, "delivered"]);
});

test("a replay of a time ends when its endpoint is disabled, and goes on from there when it is redriven", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  const { endpoint } = await world.endpoint(receiver.url, { subscription: null });
  const count = REPLAY_STEP_DELIVERIES * 3;
  await world.append(...Array.from({ length: count }, (_, at) => ordered(String(at))));
  receiver.answer = (response) => void response.writeHead(410).end();
  const wish = { fromMs: 0, untilMs: 8.64e15, pattern: '{"source":["shop"]}', bus: "default" };
  value(await world.desk.deliveries.replayRange(endpoint.id, wish));
  await world.told("webhook.disabled");
  const key = replayKey(endpoint.id);
  const ended = await world.until("it ends", async () => world.store.deadJob(key), 10);
  assert.equal(ended.error, "the webhook is disabled");
  const begun = (await world.desk.deliveries.lastReplay(endpoint.id))?.replayed ?? count;
  assert.ok(begun < count, "what is left did not become dead letters one by one");
  receiver.answer = (response) => void response.end();
  value(await world.desk.endpoints.setEnabled(endpoint.id, true));
  assert.equal((await world.engine.settleDead(key, "revive"))?.kind, "committed");
  await world.until(
    "it is done",
    async () => (await world.desk.deliveries.lastReplay(endpoint.id))?.state === "done",
    10,
  );
  assert.equal((await world.desk.deliveries.lastReplay(endpoint.id))?.replayed, count);
  await world.until(
    "all of the rest came",
    async () => (await world.events("webhook.delivered")).length >= count - begun,
    10,
  );
});

test("410 of an address that was changed meanwhile does not disable the new one", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open();
  let isChanged = false;
  let answer = (): void => {};
  receiver.answer = (response) => (answer = () => void response.writeHead(410).end());
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  await world.until("it is called", () => receiver.received.length === 1);
  void world.desk.endpoints.change(endpoint.id, { url: `${receiver.url}/new` }).then(() => (isChanged = true));
  await world.until("it has another address", () => isChanged);
  answer();
  await world.told("webhook.failed");
  assert.equal(value(await world.desk.endpoints.describe(endpoint.id)).state, "enabled");
});

test("what was held back after a restore and is given up is not shown as waiting", async () => {
  await using world = await WebhooksWorld.start();
  await using receiver = await Receiver.open((response) => void response.writeHead(500).end());
  const { endpoint } = await world.endpoint(receiver.url);
  await world.append(ordered("1"));
  await world.told("webhook.failed");
  await world.store.park(1_000);
  const parked = await world.store.parkedJobs({ after: null, limit: 10 });
  const ours = parked.filter(({ queue }) => queue === "webhook");
  await world.engine.settleParked(ours, { then: "drop", by: "kim", rule: "all" });
  const { items } = value(await world.desk.deliveries.list(endpoint.id, { after: null, limit: 10 }));
  assert.deepEqual(
    items.map(({ state, error }) => [state, error]),
    [["dead", "it was held back after a restore, and given up by kim"]],
  );
});

test("many endpoints that stall together, each with a backlog, leave hands for one that does not", async () => {
  await using world = await WebhooksWorld.start();
  await using stalled = await Receiver.open(() => {});
  await using healthy = await Receiver.open();
  const bus = "default";
  for (let at = 0; at < 40; at += 1)
    await world.endpoint(`${stalled.url}/${at}`, { subscription: { bus, pattern: '{"detail-type":["Slow"]}' } });
  await world.endpoint(healthy.url, { subscription: { bus, pattern: '{"detail-type":["OrderPlaced"]}' } });
  await world.append(...Array.from({ length: 50 }, (_, at) => ({ ...ordered(`s${at}`), type: "Slow" })));
  await world.until("all of them stall", () => stalled.received.length >= 40, 1);
  const beganMs = world.clock.nowMs();
  for (let at = 1; at <= 50; at += 1) {
    await world.append(ordered(String(at)));
    await world.until("the healthy one has it", () => healthy.received.length === at, 1);
  }
  assert.ok(world.clock.nowMs() - beganMs < 10_000, "before any call of the others ran into its time limit");
  assert.equal((await world.events("webhook.failed")).length, 0);
});
