import assert from "node:assert/strict";
import { test } from "node:test";
import { collection, type DefinedFunction, defineFunction, http, type HttpInput, queue, schedule } from "tidings";
import { openDirectory } from "#directory/directory.ts";
import { buildHttpApp } from "#doors/http/door.ts";
import { soleNode } from "#engine/nodes.ts";
import { inlineHost } from "#drivers/inline/host.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { openFunctions } from "#functions/open.ts";
import { StoreFault } from "#ports/store.ts";
import { sendReader } from "#app/read-send.ts";
import { AUTH, givenHouse } from "./given-http.ts";

/**
 * A door, and behind it functions as they are in the program, but for the threads: what handlers emit goes by the outbox into
 * a store in memory that fails when a test says so.
 */
async function given(functions: Readonly<Record<string, DefinedFunction>>) {
  const clock = systemClock();
  const state: { before: () => void; after: () => void } = { before: () => {}, after: () => {} };
  const store = openMemoryStore({ clock, faults: { before: () => state.before(), after: () => state.after() } });
  const inner = await givenHouse({ store, clock });
  const { engine, secrets, queues, events, rules, documents, blobs } = inner.house;
  const open = openFunctions({
    ...{ engine, secrets, queues, events, rules: () => rules, documents, blobs, readSend: sendReader() },
    host: inlineHost({ functions, clock }),
    send: { draft: () => Promise.reject(new Error("nothing is sent here")) },
    subscriptions: openDirectory(engine, secrets).subscriptions,
    region: "us-east-1",
  });
  const news = await open.book.reload();
  assert.deepEqual(news.faults, []);
  const { app, close } = await buildHttpApp({
    ...inner.house,
    functions: { desk: open.desk, routes: open.routes, seen: open.seen },
  });
  const call = async (method: string, url: string, body?: unknown, headers: object = {}) => {
    const answer = await app.inject({
      method: method as "GET",
      url,
      headers: { ...AUTH, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, body: answer.body === "" ? null : answer.json(), headers: answer.headers };
  };
  return {
    ...{ call, state, store, engine, open, house: inner.house },
    raised: async () =>
      (await store.readJournal({ after: 0, limit: 1_000 })).events.filter(({ source }) =>
        source.startsWith("/functions/"),
      ),
    [Symbol.asyncDispose]: async () => {
      await close();
      await open.book.stop();
      await inner[Symbol.asyncDispose]();
    },
  };
}

type Customer = { readonly name: string; readonly visits: number };
const customers = collection<Customer>("path-customers");

const visit = defineFunction({
  on: http<{ readonly name: string }>("POST", "/api/customers/:id/visits"),
  async handler({ params, body, caller }: HttpInput<{ readonly name: string }>, { documents, events, log }) {
    const { id = "" } = params;
    const known = await documents.get(customers, id);
    const visits = (known?.value.visits ?? 0) + 1;
    documents.put(customers, id, { name: body.name, visits }, { version: known?.version ?? 0 });
    events.raise({ type: "customer.visited", subject: id, data: { visits, caller } });
    log.info("a visit", { visits });
    return { status: 201, headers: { "x-visits": String(visits) }, body: { visits } };
  },
});

test("a path of a function is called, and what it emitted is there when its caller is answered", async () => {
  await using door = await given({ visit });
  const first = await door.call("POST", "/api/customers/ada/visits", { name: "Ada" });
  assert.deepEqual([first.status, first.body, first.headers["x-visits"]], [201, { visits: 1 }, "1"]);
  const [event] = await door.raised();
  assert.deepEqual([event?.type, JSON.parse(event?.data ?? "")], ["customer.visited", { visits: 1, caller: "full" }]);
  const { body } = await door.call("GET", "/functions/visit/invocations");
  assert.deepEqual([body.results[0].logs[0].text, body.results[0].outcome], ["a visit", "done"]);
  assert.equal((await door.call("GET", "/functions/visit")).body.calls.done, 1);
});

test("many calls that change one document at once are each counted, and none twice", async () => {
  await using door = await given({ visit });
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => door.call("POST", "/api/customers/ada/visits", { name: "Ada" })),
  );
  assert.deepEqual(
    answers.map(({ body }) => Number(body.visits)).toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.equal((await door.raised()).length, 8);
});

test("when the commit fails the caller is told, and nothing is there; when only its answer was lost, the key finds it", async () => {
  await using door = await given({ visit });
  const headers = { "idempotency-key": "k1" };
  const visits = () => door.call("POST", "/api/customers/ada/visits", { name: "Ada" }, headers);
  door.state.before = () => {
    throw new StoreFault("store.failed", "died before it was written");
  };
  const before = await visits();
  assert.deepEqual([before.status, before.body.code], [503, "store.unavailable"]);
  assert.deepEqual(await door.raised(), []);
  door.state.before = () => {};
  door.state.after = () => {
    throw new StoreFault("store.failed", "died when it was written");
  };
  assert.equal((await visits()).status, 503);
  door.state.after = () => {};
  const again = await visits();
  assert.deepEqual([again.status, again.body, again.headers["x-visits"]], [201, { visits: 1 }, "1"]);
  assert.equal((await door.raised()).length, 1);
});

test("a handler that throws leaves nothing but its log, with the line that threw", async () => {
  const broken = defineFunction({
    on: http("POST", "/api/broken", { auth: "none" }),
    handler(_input, { events, log }) {
      events.raise({ type: "never.seen" });
      log.warn("about to fail");
      throw new RangeError("out of cheese");
    },
  });
  await using door = await given({ broken });
  const answer = await door.call("POST", "/api/broken", {});
  assert.deepEqual([answer.status, answer.body.code], [500, "function.failed"]);
  assert.deepEqual(await door.raised(), []);
  const { body } = await door.call("GET", "/functions/broken/invocations?failed=true");
  const [kept] = body.results;
  assert.deepEqual(
    [kept.error.name, kept.error.message, kept.logs[0].text],
    ["RangeError", "out of cheese", "about to fail"],
  );
  assert.match(kept.key, new RegExp(String(answer.headers["x-request-id"])));
});

test("a function that is too slow is given up, and its caller is told so", async () => {
  const slow = defineFunction({
    on: http("GET", "/api/slow"),
    timeoutMs: 50,
    async handler(_input, { signal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return await new Promise<never>(() => {});
    },
  });
  await using door = await given({ slow });
  const answer = await door.call("GET", "/api/slow");
  assert.deepEqual([answer.status, answer.body.code], [504, "function.late"]);
});

test("what two functions declare runs for one of them, and the other says where the first is", async () => {
  const one = defineFunction({ on: http("GET", "/api/x/:a"), handler: () => ({ body: "one" }) });
  const two = defineFunction({ on: http("GET", "/api/x/:b"), handler: () => ({ body: "two" }) });
  const ours = defineFunction({ on: http("POST", "/send"), handler: () => ({ body: "ours" }) });
  const late = defineFunction({ on: schedule("0 8 * * *", "Mars/Base"), handler: () => {} });
  const fine = defineFunction({ on: queue("path-orders"), handler: () => {} });
  const clock = systemClock();
  await using inner = await givenHouse({ clock });
  const { engine, secrets, queues, events, rules, documents, blobs } = inner.house;
  const open = openFunctions({
    ...{ engine, secrets, queues, events, rules: () => rules, documents, blobs, readSend: sendReader() },
    host: inlineHost({ functions: { one, two, ours, late, fine }, clock }),
    send: { draft: () => Promise.reject(new Error("nothing is sent here")) },
    subscriptions: openDirectory(engine, secrets).subscriptions,
    region: "us-east-1",
  });
  await open.book.reload();
  const { functions } = await open.desk.list();
  assert.deepEqual(
    functions.map(({ declared: { name }, state }) => `${name} ${state}`),
    ["fine running", "late faulty", "one running", "ours faulty", "two faulty"],
  );
  const says = (name: string) => functions.find(({ declared }) => declared.name === name)?.fault ?? "";
  assert.match(says("two"), /functions\/two\.ts:\d+: GET \/api\/x\/:b is declared in functions\/one\.ts:\d+ already/);
  assert.match(says("ours"), /functions\/ours\.ts:\d+: The path "\/send" is Tidings' own/);
  assert.match(says("late"), /functions\/late\.ts:\d+: There is no time zone "Mars\/Base"/);
  await open.book.stop();
});

test("a node that only works the queues serves no function's path", async () => {
  await using door = await given({ visit });
  const nodes = soleNode({ id: "w", role: "worker", version: "0.1.0" }, 0);
  const { app, close } = await buildHttpApp({
    ...door.house,
    nodes,
    functions: door.open,
  });
  const answer = await app.inject({ method: "POST", url: "/api/customers/ada/visits", headers: AUTH });
  assert.equal(answer.statusCode, 404);
  await close();
});
