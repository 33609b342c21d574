import assert from "node:assert/strict";
import { test } from "node:test";
import { type DefinedFunction, defineFunction, queue, stream } from "tidings";
import type { FunctionHost, Invocation } from "#ports/function-host.ts";
import { FunctionsWorld } from "../../../test/support/functions-world.ts";

/** Who is blamed for a batch that failed, and by which key a service outside knows a call again. */

function poisoned(seen: (readonly string[])[], attempts = 5): DefinedFunction {
  return defineFunction({
    on: queue("orders"),
    attempts,
    handler(batch, { events }) {
      seen.push(batch.map(({ text }) => text));
      for (const { text } of batch) {
        events.raise({ type: "did", data: text });
        if (text === "poison") throw new RangeError("out of cheese");
      }
    },
  }) as DefinedFunction;
}

test("messages that may be tried once are not blamed for who came with them, and come by themselves although they come at once", async () => {
  const seen: (readonly string[])[] = [];
  const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
  const good = "abcdefghi".split("");
  await world.put("orders", "poison", ...good);
  await world.reload({ work: poisoned(seen, 1) });
  await world.pass(60_000);
  assert.deepEqual(
    seen.map(({ length }) => length),
    [10, ...Array.from({ length: 10 }, () => 1)],
  );
  assert.deepEqual((await world.said("did")).map(String).toSorted(), good);
  // Its payload is the message as its queue keeps it.
  const bodies = (await world.dead()).map(({ payload }) => (JSON.parse(payload) as { readonly body: string }).body);
  assert.deepEqual(bodies, ["poison"]);
});

test("with a redrive policy of one receive, the poison alone lies in the dead-letter queue", async () => {
  const redrive = { deadLetterQueue: "orders-dead", receiveMax: 1 };
  const world = await FunctionsWorld.start({}, { attributes: { "orders-dead": {}, orders: { redrive } } });
  await world.put("orders", "a", "poison", "b");
  await world.reload({ work: poisoned([]) });
  await world.pass(60_000);
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b"]);
  assert.deepEqual(
    (await world.take("orders-dead")).map(({ body }) => body),
    ["poison"],
  );
  assert.deepEqual(await world.dead(), []);
});

test("a process that does not know of the batch any more tries it once more together, and blames nobody for that", async () => {
  const seen: (readonly string[])[] = [];
  const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
  await world.put("orders", "a", "poison", "b");
  world.functions = { work: poisoned(seen, 1) };
  await world.stopping(world.book.reload());
  await world.quiet();
  assert.deepEqual(seen, [["a", "poison", "b"]]);
  await world.restart();
  await world.pass(60_000);
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b"]);
  assert.equal((await world.dead()).length, 1);
});

/** Notes each call: by key, what it was given. */
function noting(calls: Invocation[]): (inline: FunctionHost) => FunctionHost {
  return (inline) => ({
    ...inline,
    invoke: (call, reads, signal) => {
      calls.push(call);
      return inline.invoke(call, reads, signal);
    },
  });
}

function contents(calls: readonly Invocation[]): ReadonlyMap<string, ReadonlySet<string>> {
  const byKey = Map.groupBy(calls, ({ key }) => key);
  return new Map([...byKey].map(([key, ones]) => [key, new Set(ones.map(({ input }) => input))]));
}

const event = (id: string) => ({
  ...{ type: "thing", id, subject: id, source: "shop", timeMs: 1_714_979_289_123, data: "{}", traceparent: null },
});

test("a key of the journal's reader stands for the same events at every try, however they are divided", async () => {
  const calls: Invocation[] = [];
  let isDown = true;
  const read = defineFunction({
    on: stream({ startFrom: "earliest" }),
    attempts: 50,
    handler() {
      if (isDown) throw new Error("the service is down");
    },
  }) as DefinedFunction;
  const world = await FunctionsWorld.start({ read }, { host: noting(calls) });
  await world.append(event("1"), event("2"), event("3"));
  await world.pass(1_000);
  // Another process reads more at once than the one before.
  await world.append(event("4"));
  await world.restart();
  await world.pass(1_000);
  isDown = false;
  await world.pass(60_000);
  const byKey = contents(calls);
  assert.ok(byKey.size > 4, `${byKey.size} batches`);
  for (const [key, inputs] of byKey) assert.equal(inputs.size, 1, `${key}: ${[...inputs].join(" and ")}`);
});

test("a handler of the journal is told how often it was tried", async () => {
  const attempts: number[] = [];
  const read = defineFunction({
    on: stream({ startFrom: "earliest", batchSize: 1 }),
    handler(_, { invocation }) {
      attempts.push(invocation.attempt);
      if (attempts.length % 3 !== 0) throw new Error("not yet");
    },
  }) as DefinedFunction;
  const world = await FunctionsWorld.start({ read });
  await world.append(event("1"), event("2"));
  await world.pass(60_000);
  assert.deepEqual(attempts, [1, 2, 3, 1, 2, 3]);
});
