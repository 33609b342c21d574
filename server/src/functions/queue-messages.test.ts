import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, type DefinedFunction, defineFunction, queue } from "tidings";
import { FunctionsWorld } from "../../test/support/functions-world.ts";

/** Sends what it is given to one group of a FIFO queue. */
const work = defineFunction({
  on: queue("in", { batchSize: 1 }),
  concurrency: 1,
  handler(batch, { queues }: Context) {
    for (const { text } of batch) for (const one of text.split(" ")) queues.send("out.fifo", one, { groupId: "g" });
  },
}) as DefinedFunction;

async function took(world: FunctionsWorld): Promise<readonly string[]> {
  const bodies: string[] = [];
  for (;;) {
    const messages = await world.take("out.fifo");
    if (messages.length === 0) return bodies;
    bodies.push(...messages.map(({ body }) => body));
    const receipts = messages.map(({ receipt }) => receipt);
    await world.world.settle(world.of.queues.deleteBatch("out.fifo", receipts));
  }
}

test("what waits when a process dies comes before what is sent after it, in the order of its group", async () => {
  const world = await FunctionsWorld.start({ work }, { attributes: { in: {}, "out.fifo": {} } });
  const early = Array.from({ length: 40 }, (_, at) => `a${at}`);
  world.onCommit = (_, isDone, units) => {
    if (isDone && units.some(({ jobs = [] }) => jobs.length === early.length)) world.die();
  };
  await world.put("in", early.join(" "));
  assert.ok(world.world.dead, "it died when they were committed");
  world.onCommit = () => {};
  await world.restart();
  await world.put("in", "b0 b1");
  await world.pass(5_000);
  assert.deepEqual(await took(world), [...early, "b0", "b1"]);
});

test("a message that is laid into its queue is there once, however long its process was gone behind the commit", async () => {
  const world = await FunctionsWorld.start({ work }, { attributes: { in: {}, "out.fifo": {} } });
  let deaths = 0;
  world.onCommit = (_, isDone, units) => {
    const isLaid = units.some(({ jobs = [] }) => jobs.some(({ queue: name }) => name.startsWith("queue:out.fifo/")));
    if (isDone && isLaid && (deaths += 1) === 1) world.die();
  };
  await world.put("in", "a b");
  assert.ok(world.world.dead, "it died when the first was laid there");
  // Longer than a deduplication id is remembered.
  world.world.clock.advance(20 * 60_000);
  await world.restart();
  await world.pass(5_000);
  assert.deepEqual(await took(world), ["a", "b"]);
});
