import assert from "node:assert/strict";
import { test } from "node:test";
import { collection, type Context, type DefinedFunction, defineFunction, queue } from "tidings";
import type { RecordedEvent } from "#domain/event.ts";
import { FunctionsWorld } from "../../test/support/functions-world.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const things = collection<{ readonly n: number }>("outbox-things");

/** A function on the queue `in`. */
function emits(say: (context: Context, text: string) => unknown, attempts = 1): DefinedFunction {
  return defineFunction({
    on: queue("in", { batchSize: 1 }),
    attempts,
    async handler(batch, context) {
      for (const { text } of batch) await say(context, text);
    },
  }) as DefinedFunction;
}

async function journal(world: FunctionsWorld, type: string): Promise<readonly RecordedEvent[]> {
  const { events } = await world.store.readJournal({ after: 0, limit: 100_000 });
  return events.filter((event) => event.type === type);
}

/** What the log of the engine's dead letters says of the only one that there is. */
async function onlyError(world: FunctionsWorld): Promise<string> {
  const letters = await world.dead();
  assert.equal(letters.length, 1, JSON.stringify(letters));
  return letters[0]?.error ?? "";
}

test("what a handler emits is there with the end of its job, each with the trace of its message", async () => {
  const ids: string[] = [];
  const work = emits(({ events, send, queues, documents }) => {
    events.raise({ type: "order.placed", data: { n: 1 }, subject: "o1" });
    ids.push(send({ to: { email: "ada@example.com" }, content: { title: "Hi", body: "There" } }));
    queues.send("out", { n: 2 }, { attributes: { kind: "x" } });
    documents.put(things, "a", { n: 3 });
  });
  const world = await FunctionsWorld.start({ work }, { attributes: { in: {}, out: {} } });
  await world.put("in", { body: "1", traceparent: TRACE });
  await world.pass(2_000);
  const [event] = await journal(world, "order.placed");
  assert.deepEqual([event?.source, event?.data, event?.traceparent], ["/functions/work", '{"n":1}', TRACE]);
  const [message] = await world.take("out");
  assert.deepEqual(
    [message?.body, message?.attributes["kind"]?.value, message?.sender, message?.traceparent],
    [...['{"n":2}', "x", "function:work", TRACE]],
  );
  assert.deepEqual(await world.document("outbox-things", "a"), { n: 3 });
  const [request = null] = await world.store.requests(ids as never);
  assert.equal(request?.traceparent, TRACE);
  assert.equal(world.world.provider.seen.length, 1);
});

test("of a call of which one thing cannot be, nothing is seen, and its error says which", async () => {
  const good = ({ events, documents }: Context): void => {
    events.raise({ type: "order.placed" });
    documents.put(things, "a", { n: 1 });
  };
  const bad: readonly (readonly [RegExp, (context: Context) => void])[] = [
    [/send: /, ({ send }) => void send({ to: { email: "ada@example.com" } })],
    [/send: /, ({ send }) => void send({ content: { title: "x", body: "y" } })],
    [/events\.raise\("a b c"\): /, ({ events }) => events.raise({ type: "a b c", source: "\u0000" })],
    [/there is no queue nowhere; create it/, ({ queues }) => queues.send("nowhere", "x")],
    [/queues\.send\("out"\): .*empty/, ({ queues }) => queues.send("out", "")],
    [/queues\.send\("out"\): .*1,?024/, ({ queues }) => queues.send("out", "x".repeat(2_000))],
    [/queues\.send\("out"\): .*delay/i, ({ queues }) => queues.send("out", "x", { delayMs: 86_400_000 })],
    [/queues\.send\("out"\): .*dedup/i, ({ queues }) => queues.send("out", "x", { dedupId: "d" })],
    [/queues\.send\("out"\): .*aws\.x/, ({ queues }) => queues.send("out", "x", { attributes: { "aws.x": "1" } })],
    [/queues\.send\("line\.fifo"\): .*groupId/, ({ queues }) => queues.send("line.fifo", "x")],
    [
      /queues\.send\("line\.fifo"\): .*delay/i,
      ({ queues }) => queues.send("line.fifo", "x", { groupId: "g", delayMs: 5 }),
    ],
    [/documents: /, ({ documents }) => documents.put(collection<object>("no/name"), "a", {})],
  ];
  for (const [says, emit] of bad) {
    const work = emits((context) => {
      good(context);
      emit(context);
    });
    const attributes = { in: {}, out: { messageBytesMax: 1_024 }, "line.fifo": {} };
    const world = await FunctionsWorld.start({ work }, { attributes });
    await world.put("in", "1");
    await world.pass(2_000);
    const error = await onlyError(world);
    assert.match(error, says);
    assert.match(error, /^Refused: /);
    assert.deepEqual(await journal(world, "order.placed"), [], error);
    assert.equal(await world.document("outbox-things", "a"), null);
    assert.deepEqual(await world.take("line.fifo"), []);
  }
});

test("messages for a FIFO queue keep the order of their group, over many calls", async () => {
  const work = emits(({ queues }, text) => {
    for (const part of ["a", "b", "c"]) queues.send("line.fifo", text + part, { groupId: "g" });
  });
  const world = await FunctionsWorld.start({ work }, { attributes: { in: {}, "line.fifo": {} } });
  for (const text of ["1", "2"]) {
    await world.put("in", text);
    await world.pass(1_000);
  }
  const bodies: string[] = [];
  for (let look = 0; look < 10; look += 1) {
    for (const { body, receipt } of await world.take("line.fifo")) {
      bodies.push(body);
      await world.world.settle(world.of.queues.delete("line.fifo", receipt));
    }
  }
  assert.deepEqual(bodies, ["1a", "1b", "1c", "2a", "2b", "2c"]);
});

test("a FIFO queue that knows messages by their content knows a handler's as well", async () => {
  const work = emits(({ queues }) => {
    queues.send("line.fifo", "same", { groupId: "g" });
    queues.send("line.fifo", "same", { groupId: "h" });
    queues.send("line.fifo", "other", { groupId: "h" });
    queues.send("line.fifo", "same", { groupId: "i", dedupId: "mine" });
  });
  const attributes = { in: {}, "line.fifo": { fifo: { contentDedup: true } } };
  const world = await FunctionsWorld.start({ work }, { attributes });
  await world.put("in", "1", "2");
  await world.pass(2_000);
  const bodies: string[] = [];
  for (let look = 0; look < 6; look += 1) {
    for (const { body, groupId, receipt } of await world.take("line.fifo")) {
      bodies.push(`${groupId} ${body}`);
      await world.world.settle(world.of.queues.delete("line.fifo", receipt));
    }
  }
  assert.deepEqual(
    bodies.toSorted((a, b) => a.localeCompare(b)),
    ["g same", "h other", "i same"],
  );
});

test("two messages that say the same are two, in a FIFO queue that knows them by their ids", async () => {
  const work = emits(({ queues }) => {
    queues.send("line.fifo", "same", { groupId: "g" });
    queues.send("line.fifo", "same", { groupId: "h" });
  });
  const world = await FunctionsWorld.start({ work }, { attributes: { in: {}, "line.fifo": {} } });
  await world.put("in", "1");
  await world.pass(2_000);
  assert.equal((await world.take("line.fifo")).length, 2);
});

test("wherever the process dies, messages for a FIFO queue are there once, in order", async () => {
  const commits = await lived(null);
  assert.ok(commits >= 3, `${commits} commits are places to die at`);
  for (let commit = 1; commit <= commits; commit += 1) {
    for (const isDone of [false, true]) await lived({ commit, isDone });
  }
});

async function lived(at: { readonly commit: number; readonly isDone: boolean } | null): Promise<number> {
  const work = emits(({ queues, events }, text) => {
    events.raise({ type: "seen", data: text });
    for (const part of ["a", "b", "c"]) queues.send("line.fifo", text + part, { groupId: "g" });
  }, 3);
  const world = await FunctionsWorld.start({}, { attributes: { in: {}, "line.fifo": {} } });
  await world.put("in", "1");
  const before = world.commits;
  world.onCommit = (commit, isDone) => {
    if (at !== null && commit - before === at.commit && isDone === at.isDone) world.die();
  };
  world.functions = { work };
  void world.book.reload().catch(() => {});
  for (let round = 0; round < 50; round += 1) {
    if (world.world.dead) {
      world.onCommit = () => {};
      await world.restart();
    } else await world.pass(1_000);
  }
  const commits = world.commits - before;
  const where = `dies at ${JSON.stringify(at)}`;
  assert.deepEqual(await world.said("seen"), ["1"], where);
  const bodies: string[] = [];
  for (let look = 0; look < 5; look += 1) {
    for (const { body, receipt } of await world.take("line.fifo")) {
      bodies.push(body);
      await world.world.settle(world.of.queues.delete("line.fifo", receipt));
    }
  }
  assert.deepEqual(bodies, ["1a", "1b", "1c"], where);
  assert.deepEqual(await world.dead(), [], where);
  return commits;
}

test("a handler that fails leaves nothing of what it emitted, whatever it was", async () => {
  const work = emits(({ events, send, queues, documents }) => {
    events.raise({ type: "order.placed" });
    send({ to: { email: "ada@example.com" }, content: { title: "Hi", body: "x".repeat(100_000) } });
    queues.send("out", "1");
    queues.send("line.fifo", "1", { groupId: "g" });
    documents.put(things, "a", { n: 1 });
    throw new Error("changed my mind");
  });
  const world = await FunctionsWorld.start({ work }, { attributes: { in: {}, out: {}, "line.fifo": {} } });
  await world.put("in", "1");
  await world.pass(5_000);
  assert.match(await onlyError(world), /^Error: changed my mind/);
  assert.deepEqual(await journal(world, "order.placed"), []);
  assert.deepEqual([...(await world.take("out")), ...(await world.take("line.fifo"))], []);
  assert.equal(await world.document("outbox-things", "a"), null);
  assert.deepEqual(world.world.provider.seen, []);
});
