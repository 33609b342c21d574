import assert from "node:assert/strict";
import { test } from "node:test";
import type { Topology } from "@tidings/contract";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY, SEND_KEY } from "../../../../test/given-http.ts";

type Door = Awaited<ReturnType<typeof givenHouse>>;

async function put(door: Door, url: string, payload: object, method: "PUT" | "POST" = "PUT"): Promise<void> {
  const answer = await door.app.inject({ method, url, headers: JSON_HEADERS, payload });
  assert.ok(answer.statusCode < 300, `${url}: ${answer.statusCode} ${answer.body}`);
}

async function look(door: Door): Promise<Topology> {
  const answer = await door.app.inject({ method: "GET", url: "/topology.json", headers: AUTH });
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json();
}

test("what is made through the doors is drawn, with what waits in it", async () => {
  await using door = await givenHouse();
  await put(door, "/queues/orders-dead", {});
  await put(door, "/queues/orders", { dead_letter: { queue: "orders-dead", receive_max: 2 } });
  await put(door, "/rules/default/big", { pattern: { source: ["shop"] }, targets: [{ queue: "orders" }] });
  await put(door, "/webhooks", { url: "https://example.com/hook/secret", pattern: { source: ["a"] } }, "POST");
  await put(door, "/lists/customers", { name: "Customers" });
  await put(door, "/queues/orders/messages", { body: "one" }, "POST");
  const { nodes, edges, at, notes } = await look(door);
  const orders = nodes.find(({ id }) => id === "queue:orders");
  assert.deepEqual([orders?.load?.waiting, orders?.load?.dead, orders?.calls?.error_rate, notes], [1, 0, null, []]);
  assert.ok((orders?.load?.oldest_ms ?? -1) >= 0 && at > 0);
  const lines = edges.map(({ from, to, kind }) => `${from} ${kind} ${to}`);
  for (const line of [
    "bus:default gives rule:default/big",
    "rule:default/big gives queue:orders",
    "queue:orders dead queue:orders-dead",
    "send:notifications gives list:customers",
    "door:SQS and POST /queues gives queue:orders",
    "journal:journal gives reader:rules",
  ]) {
    assert.ok(lines.includes(line), `${line} in\n${lines.join("\n")}`);
  }
  const hook = nodes.find(({ kind }) => kind === "webhook");
  assert.deepEqual(
    [hook?.says, lines.some((line) => line.endsWith(` gives ${hook?.id}`))],
    ["https://example.com", true],
  );
  assert.doesNotMatch(JSON.stringify(nodes), /secret/);
});

test("the flowchart is text, and both need a key that may read", async () => {
  await using door = await givenHouse();
  const ask = async (url: string, key: string) =>
    await door.app.inject({ method: "GET", url, headers: { authorization: `Bearer ${key}` } });
  const chart = await ask("/topology.mmd", READ_KEY);
  assert.match(
    chart.body,
    /^flowchart LR\n {2}n0\(\["POST #47;events"\]\)|^flowchart LR\n {2}n0\(\["POST \/events"\]\)/,
  );
  assert.equal(chart.headers["content-type"], "text/plain; charset=utf-8");
  for (const url of ["/topology.json", "/topology.mmd"]) {
    assert.equal((await ask(url, SEND_KEY)).statusCode, 403);
    assert.equal((await ask(url, READ_KEY)).statusCode, 200);
  }
});

test("a house with ten thousand rules and queues is drawn at once, and many who look are one look", async () => {
  const store = openMemoryStore({ clock: systemClock() });
  await using door = await givenHouse({ store });
  const names = Array.from({ length: 10_000 }, (_, at) => `r${String(at).padStart(5, "0")}`);
  const given = { schedule: null, state: "ENABLED", description: null, roleArn: null, tags: {}, managedBy: null };
  const target = { arn: "arn:tidings:send:::message", input: { kind: "event" }, deadLetterArn: null, id: "send" };
  await door.house.engine.submit({
    puts: names.map((name) => ({
      ...{ collection: "rules", id: `default/${name}`, when: "always" as const, nowMs: 1 },
      body: JSON.stringify({ bus: "default", name, pattern: "{}", targets: [target], ...given }),
    })),
  });
  let looks = 0;
  const depths = store.depths.bind(store);
  store.depths = async (queues) => {
    looks += 1;
    return await depths(queues);
  };
  const beganMs = performance.now();
  const [first] = await Promise.all(Array.from({ length: 20 }, () => look(door)));
  assert.ok(performance.now() - beganMs < 5_000, "a moment, even on a busy machine");
  assert.equal(looks, 1);
  const rules = first?.nodes.filter(({ kind }) => kind === "rule") ?? [];
  assert.equal(rules.length, 101);
  assert.deepEqual(
    rules.flatMap(({ id, many, at_least: atLeast }) => (id === "more:rule" ? [many, atLeast] : [])),
    [1_900, true],
  );
  assert.deepEqual(first?.notes, [
    "There are more rules than the 2,000 that were looked at.",
    "1,900 rules are drawn as one.",
  ]);
});
