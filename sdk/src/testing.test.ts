import assert from "node:assert/strict";
import { test } from "node:test";
import { blob, collection, defineFunction, event, http, queue } from "./index.ts";
import { eventOf, file, httpCall, InvocationFailure, invoke, queueMessage, TestKit } from "./testing.ts";

type Customer = { readonly email: string; readonly orders: number };
const customers = collection<Customer>("customers", { indexes: ["email"] });

const order = defineFunction({
  on: queue<{ customer: string }>("orders"),
  async handler(batch, { documents, events, send, log, nowMs }) {
    for (const { body } of batch) {
      const known = await documents.get(customers, body.customer);
      if (known === null) throw new RangeError(`nobody is called ${body.customer}`);
      const { email, orders } = known.value;
      documents.put(customers, body.customer, { email, orders: orders + 1 }, { version: known.version });
      events.raise({ type: "OrderCounted", data: { atMs: nowMs() } });
      send({ to: { email }, content: { title: "Thanks", body: "We have it." } });
      log.info("counted");
    }
  },
});

test("a call shows what it returned, emitted and logged, and its documents stay for the next", async () => {
  const kit = new TestKit({ now: "2026-03-01T00:00:00Z" });
  kit.put(customers, "ada", { email: "ada@example.com", orders: 0 });
  const first = await kit.invoke(order, [queueMessage({ customer: "ada" })]);
  assert.deepEqual(
    first.sends.map(({ to }) => to),
    [{ email: "ada@example.com" }],
  );
  kit.pass("2 days");
  const second = await kit.invoke(order, [queueMessage({ customer: "ada" })]);
  assert.deepEqual(second.events, [
    {
      ...{ type: "OrderCounted", source: "/functions/test", subject: null, bus: "default" },
      data: { atMs: Date.UTC(2026, 2, 3) },
    },
  ]);
  assert.deepEqual(
    second.logs.map(({ text }) => text),
    ["counted"],
  );
  assert.equal(kit.get(customers, "ada")?.orders, 2);
});

test("a handler that throws is told with its message, and leaves nothing", async () => {
  const kit = new TestKit();
  kit.put(customers, "ada", { email: "ada@example.com", orders: 0 });
  const batch = [queueMessage({ customer: "ada" }), queueMessage({ customer: "eve" })];
  await assert.rejects(kit.invoke(order, batch), (error: unknown) => {
    assert(error instanceof InvocationFailure);
    assert.equal(error.name, "RangeError");
    assert.equal(error.message, "nobody is called eve");
    assert.match(error.at ?? "", /testing\.test\.ts:\d+:\d+$/);
    return true;
  });
  assert.equal(kit.get(customers, "ada")?.orders, 0);
});

test("each kind of input has a builder", async () => {
  const read = defineFunction({ on: blob("in/"), handler: async ({ name, text }) => `${name}: ${await text()}` });
  assert.equal((await invoke(read, file("in/a.txt", "hello"))).output, "in/a.txt: hello");
  const hear = defineFunction({ on: event<{ n: number }>({ source: ["test"] }), handler: ({ data }) => data.n + 1 });
  assert.equal((await invoke(hear, eventOf("counted", { n: 1 }))).output, 2);
  const answer = defineFunction({
    on: http<{ n: number }>("POST", "/api/n"),
    handler: ({ body }, { queues }) => {
      queues.send("next", body, { delayMs: 5 });
      return { status: 202, body };
    },
  });
  const called = await invoke(answer, httpCall({ n: 3 }));
  assert.deepEqual(called.output, { status: 202, body: { n: 3 } });
  assert.deepEqual(called.queued, [{ queue: "next", body: { n: 3 }, delayMs: 5 }]);
});

test("lists, settings and secrets are what the test says", async () => {
  const tell = defineFunction({
    on: event({ source: ["test"] }),
    async handler(_, { lists, settings, secrets, log }) {
      const names: string[] = [];
      for await (const { userId } of lists.subscriptions("news")) names.push(userId);
      log.info(`the key is ${secrets["key"]}`);
      return [settings["shop"], ...names];
    },
  });
  const options = {
    settings: { shop: "Ada's" },
    secrets: { key: "very-secret" },
    lists: { news: [{ userId: "ada" }, { userId: "kim" }] },
  };
  const { output, logs } = await invoke(tell, eventOf("x", {}), options);
  assert.deepEqual(output, ["Ada's", "ada", "kim"]);
  assert.equal(logs[0]?.text, "the key is ***");
});
