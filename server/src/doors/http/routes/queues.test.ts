import assert from "node:assert/strict";
import { test } from "node:test";
import type { Queue, QueueMove } from "@tidings/contract";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY, SEND_KEY } from "../../../../test/given-http.ts";

type House = Awaited<ReturnType<typeof givenHouse>>;
type Method = "GET" | "POST" | "PUT" | "DELETE";

async function call(house: House, method: Method, url: string, body?: unknown, headers: object = {}) {
  const given = body === undefined ? AUTH : JSON_HEADERS;
  const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
  const answer = await house.app.inject({ method, url, headers: { ...given, ...headers }, ...payload });
  return { status: answer.statusCode, body: answer.body === "" ? null : answer.json() };
}

test("a queue is made, looked at, changed in what is named, and deleted", async () => {
  await using house = await givenHouse();
  const made = await call(house, "PUT", "/queues/orders", { visibility_ms: 60_000, tags: { team: "shop" } });
  assert.equal(made.status, 201);
  const changed = await call(house, "PUT", "/queues/orders", { delay_ms: 5_000, tags: { env: "test" } });
  assert.equal(changed.status, 200);
  const shown = await call(house, "GET", "/queues/orders");
  assert.deepEqual(shown, changed);
  const queue: Queue = shown.body;
  assert.deepEqual(
    [queue.visibility_ms, queue.delay_ms, queue.tags, queue.fifo],
    [60_000, 5_000, { env: "test" }, null],
  );
  assert.deepEqual(queue.counts, { visible: 0, in_flight: 0, delayed: 0, oldest_visible: null });
  assert.equal((await call(house, "DELETE", "/queues/orders")).status, 204);
  assert.deepEqual((await call(house, "GET", "/queues/orders")).body.code, "thing.unknown");
});

test("queues are listed in pages, by prefix", async () => {
  await using house = await givenHouse();
  for (const name of ["a1", "a2", "b.fifo"]) await call(house, "PUT", `/queues/${name}`, {});
  const first = await call(house, "GET", "/queues?limit=1&prefix=a");
  assert.deepEqual(
    first.body.results.map(({ name }: Queue) => name),
    ["a1"],
  );
  const next = await call(house, "GET", `/queues?limit=1&prefix=a&cursor=${first.body.paging.cursor}`);
  assert.deepEqual([next.body.results.map(({ name }: Queue) => name), next.body.paging.more], [["a2"], false]);
  const [fifo] = (await call(house, "GET", "/queues?prefix=b")).body.results;
  assert.deepEqual(fifo.fifo, { content_dedup: false, dedup_scope: "queue" });
});

test("a message is put in, counted, and purged; whoever may send may do that and no more", async () => {
  await using house = await givenHouse();
  await call(house, "PUT", "/queues/orders", {});
  const asSender = { authorization: `Bearer ${SEND_KEY}` };
  const sent = await call(house, "POST", "/queues/orders/messages", { body: "m" }, asSender);
  assert.equal(sent.status, 202);
  assert.equal(sent.body.repeated, false);
  assert.equal((await call(house, "POST", "/queues/orders/messages", { body: "late", delay_ms: 9_000 })).status, 202);
  const { counts }: Queue = (await call(house, "GET", "/queues/orders")).body;
  assert.deepEqual([counts.visible, counts.delayed], [1, 1]);
  assert.equal((await call(house, "POST", "/queues/orders/purge", undefined, asSender)).status, 403);
  assert.equal((await call(house, "POST", "/queues/orders/purge")).status, 204);
  assert.equal((await call(house, "GET", "/queues/orders")).body.counts.visible, 0);
  assert.equal((await call(house, "POST", "/queues/orders/purge")).body.code, "conflict.exists");
  const asReader = { authorization: `Bearer ${READ_KEY}` };
  assert.equal((await call(house, "GET", "/queues/orders", undefined, asReader)).status, 200);
  assert.equal((await call(house, "DELETE", "/queues/orders", undefined, asReader)).status, 403);
});

test("what lies in a dead-letter queue is moved back, and the move is told", async () => {
  await using house = await givenHouse();
  await call(house, "PUT", "/queues/dead", {});
  await call(house, "PUT", "/queues/orders", { dead_letter: { queue: "dead", receive_max: 1 } });
  await call(house, "POST", "/queues/dead/messages", { body: "m" });
  assert.equal((await call(house, "POST", "/queues/orders/redrive", {})).body.code, "request.invalid");
  await new Promise((resolve) => setTimeout(resolve, 2));
  const started = await call(house, "POST", "/queues/dead/redrive", { to: "orders" });
  assert.deepEqual([started.status, started.body.to_move], [202, 1]);
  let move: QueueMove;
  do [move] = (await call(house, "GET", "/queues/dead/redrive")).body.results;
  while (move.ended === null);
  assert.deepEqual([move.status, move.moved], ["completed", 1]);
  assert.equal((await call(house, "GET", "/queues/orders")).body.counts.visible, 1);
  assert.equal((await call(house, "DELETE", "/queues/dead/redrive")).body.code, "conflict.exists");
});

test("what cannot be is refused in words that say why", async () => {
  await using house = await givenHouse();
  const refused = async (method: Method, url: string, body?: unknown) => {
    const answer = await call(house, method, url, body);
    return `${answer.status} ${answer.body.message}`;
  };
  assert.match(await refused("PUT", "/queues/a%20b", {}), /^400 A queue's name has/);
  assert.match(await refused("PUT", "/queues/q", { retention_ms: 1 }), /^400 retentionMs: 1 is out of range/);
  assert.match(await refused("PUT", "/queues/q", { fifo: { content_dedup: true } }), /^400 contentDedup: only FIFO/);
  assert.match(
    await refused("PUT", "/queues/q", { dead_letter: { queue: "none", receive_max: 3 } }),
    /^400 dead_letter.queue: there is no queue "none"; make it first/,
  );
  assert.match(await refused("POST", "/queues/none/messages", { body: "m" }), /^404 There is no queue "none"/);
  await call(house, "PUT", "/queues/q.fifo", {});
  assert.match(await refused("POST", "/queues/q.fifo/messages", { body: "m" }), /^400 group_id/);
});

test("queues are in the metrics by name, whatever generation they are in", async () => {
  await using house = await givenHouse();
  await call(house, "PUT", "/queues/orders", {});
  await call(house, "POST", "/queues/orders/messages", { body: "m" });
  await call(house, "POST", "/queues/orders/purge");
  await call(house, "POST", "/queues/orders/messages", { body: "m" });
  const metrics = await house.app.inject({ method: "GET", url: "/metrics" });
  const series = metrics.body.split("\n").filter((line) => line.includes('queue="queue:orders"'));
  assert(series.includes('tidings_queue_messages_total{queue="queue:orders",happened="sent"} 2'), series.join("\n"));
});
