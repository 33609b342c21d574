import assert from "node:assert/strict";
import { test } from "node:test";
import { collection, type Context, type DefinedFunction, defineFunction, queue, type QueueMessage } from "tidings";
import type { FunctionHost, Invoked } from "#ports/function-host.ts";
import { StoreFault, type Unit } from "#ports/store.ts";
import { altered } from "../../../test/simulation/slow-store.ts";
import { FunctionsWorld } from "../../../test/support/functions-world.ts";

const HOUR_MS = 3_600_000;
const counters = collection<{ readonly count: number }>("queue-counters");

type Batch = readonly QueueMessage<unknown>[];
type Given = {
  readonly batchSize?: number;
  readonly concurrency?: number;
  readonly attempts?: number;
  readonly filter?: { readonly [name: string]: readonly string[] };
};

/** A function on a queue that raises `did` for each message, unless what a test says of the batch returns or throws else. */
function worker(
  name: string,
  say: (batch: Batch, context: Context) => unknown = () => undefined,
  { filter, batchSize = 10, ...options }: Given = {},
): DefinedFunction {
  return defineFunction({
    on: queue(name, { batchSize, ...(filter === undefined ? {} : { filter: { body: filter } }) }),
    ...options,
    async handler(batch: Batch, context: Context) {
      for (const { text } of batch) context.events.raise({ type: "did", subject: text, data: text });
      // Tests return what they like, also what is no answer.
      return (await say(batch, context)) as undefined;
    },
  }) as DefinedFunction;
}

const texts = (batch: Batch): readonly string[] => batch.map(({ text }) => text);

function poisoned(seen: (readonly string[])[] = []) {
  return (batch: Batch): void => {
    seen.push(texts(batch));
    if (batch.some(({ text }) => text === "poison")) throw new RangeError("out of cheese");
  };
}

test("messages come in batches, and what is emitted is there with their end", async () => {
  const sizes: number[] = [];
  const work = worker("orders", (batch) => void sizes.push(batch.length), { batchSize: 4 });
  const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
  await world.put("orders", ..."abcdefghij".split(""));
  await world.reload({ work });
  await world.pass(2_000);
  assert.deepEqual(sizes, [4, 4, 2]);
  assert.deepEqual((await world.said("did")).map(String).toSorted(), "abcdefghij".split(""));
  assert.equal((await world.counts("orders")).visible, 0);
});

for (const form of ["failed", "batchItemFailures"] as const) {
  test(`only those that the handler names in ${form} come again, and with the good ones alone is seen what it emitted`, async () => {
    const seen: (readonly string[])[] = [];
    const work = worker("orders", (batch) => {
      seen.push(texts(batch));
      const bad = batch.filter(({ text, receiveCount }) => text === "b" && receiveCount < 3);
      return form === "failed"
        ? { failed: bad.map(({ id }) => ({ id, reason: "not yet" })) }
        : { batchItemFailures: bad.map(({ id }) => ({ itemIdentifier: id })) };
    });
    const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
    await world.put("orders", "a", "b", "c");
    await world.reload({ work });
    await world.pass(60_000);
    assert.deepEqual(seen, [["a", "b", "c"], ["b"], ["b"]]);
    // Of its second call nothing was done, so nothing was seen.
    assert.deepEqual(await world.said("did"), ["a", "b", "c", "b"]);
    assert.equal((await world.counts("orders")).visible, 0);
  });
}

test("an id that was not in the batch, or a list that is none, means that nothing is done", async () => {
  for (const wrong of [{ failed: ["nobody"] }, { failed: "all" }, { batchItemFailures: [{ itemIdentifier: 7 }] }]) {
    let calls = 0;
    const work = worker("orders", () => ((calls += 1) === 1 ? wrong : undefined));
    const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
    await world.put("orders", "a", "b");
    await world.reload({ work });
    assert.deepEqual(await world.said("did"), []);
    await world.pass(60_000);
    // Each again, by itself.
    assert.equal(calls, 3);
    assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b"]);
  }
});

test("a batch that fails as a whole is tried one by one, and only the poison dies, with the line that threw", async () => {
  const seen: (readonly string[])[] = [];
  const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
  await world.put("orders", "a", "poison", "b");
  await world.reload({ work: worker("orders", poisoned(seen), { attempts: 3 }) });
  await world.pass(5 * 60_000);
  assert.deepEqual(seen[0], ["a", "poison", "b"]);
  assert.ok(seen.slice(1).every((batch) => batch.length === 1));
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b"]);
  const [letter, ...others] = await world.dead();
  assert.equal(others.length, 0);
  assert.match(letter?.error ?? "", /^RangeError: out of cheese/);
  assert.equal(letter?.attempt, 3);

  await world.reload({ work: worker("orders") });
  assert.equal((await world.world.settle(world.of.engine.settleDead(letter?.key ?? "", "revive")))?.kind, "committed");
  await world.pass(2_000);
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b", "poison"]);
});

test("a queue's own redrive policy goes first: the poison lies in its dead-letter queue, and an event tells of it", async () => {
  const redrive = { deadLetterQueue: "orders-dead", receiveMax: 2 };
  const world = await FunctionsWorld.start({}, { attributes: { "orders-dead": {}, orders: { redrive } } });
  await world.put("orders", "a", "poison");
  await world.reload({ work: worker("orders", poisoned(), { attempts: 9 }) });
  await world.pass(5 * 60_000);
  assert.deepEqual(await world.said("did"), ["a"]);
  assert.deepEqual(await world.dead(), []);
  const [dead] = await world.take("orders-dead");
  assert.deepEqual([dead?.body, dead?.receiveCount, dead?.deadLetterSource !== null], ["poison", 3, true]);
  const { events } = await world.store.readJournal({ after: 0, limit: 1_000 });
  const told = events.filter(({ type }) => type === "queue.message.dead_lettered").map(({ data }) => JSON.parse(data));
  assert.deepEqual(
    told.map(({ deadLetterQueue, receives }) => [deadLetterQueue, receives]),
    [["orders-dead", 2]],
  );
});

test("a dead-letter queue that is not there leaves the message with the engine's dead letters", async () => {
  const redrive = { deadLetterQueue: "orders-dead", receiveMax: 1 };
  const world = await FunctionsWorld.start({}, { attributes: { "orders-dead": {}, orders: { redrive } } });
  await world.put("orders", "poison");
  await world.world.settle(world.of.queues.remove("orders-dead"));
  await world.reload({ work: worker("orders", poisoned()) });
  await world.pass(60_000);
  assert.deepEqual(
    (await world.dead()).map(({ error }) => error.slice(0, 12)),
    ["RangeError: "],
  );
});

test("a message that other queues have tried too often takes nobody with it who came in the same batch", async () => {
  const seen: (readonly string[])[] = [];
  const attributes = {
    end: {},
    middle: { redrive: { deadLetterQueue: "end", receiveMax: 2 } },
    orders: { redrive: { deadLetterQueue: "middle", receiveMax: 2 } },
  };
  const world = await FunctionsWorld.start({}, { attributes });
  await world.put("orders", "poison");
  await world.reload({ work: worker("orders", poisoned()) });
  await world.pass(60_000);
  await world.put("middle", "a", "b");
  await world.reload({ second: worker("middle", (batch) => void seen.push(texts(batch))) });
  await world.pass(1_000);
  assert.deepEqual(seen, [["a", "b"]]);
  assert.deepEqual(
    (await world.take("end")).map(({ body }) => body),
    ["poison"],
  );
});

test("what the filter does not let through, and what is too old, is gone unseen", async () => {
  const world = await FunctionsWorld.start({}, { attributes: { orders: { retentionMs: HOUR_MS } } });
  await world.put("orders", '{"kind":"late"}');
  await world.world.pass(2 * HOUR_MS, 600_000);
  await world.put("orders", '{"kind":"a"}', '{"kind":"b"}', "no json");
  const work = worker("orders", undefined, { filter: { kind: ["a", "late"] } });
  await world.reload({ work });
  await world.pass(2_000);
  assert.deepEqual(await world.said("did"), ['{"kind":"a"}']);
  const { visible, inFlight } = await world.counts("orders");
  assert.deepEqual([visible, inFlight], [0, 0]);
});

test("a purge, a deletion and a new queue of the same name are followed", async () => {
  const world = await FunctionsWorld.start({ work: worker("orders") });
  await world.put("orders", "a");
  await world.pass(500);
  await world.stopping(world.of.queues.purge("orders"));
  await world.put("orders", "b");
  await world.pass(3_000);
  assert.deepEqual(await world.said("did"), ["a", "b"]);
  await world.stopping(world.of.queues.remove("orders"));
  await world.pass(3_000);
  assert.equal((await world.world.settle(world.of.queues.get("orders"))).kind, "fault", "nobody makes it again");
  await world.pass(60_000, 1_000);
  await world.queue("orders");
  await world.put("orders", "c");
  await world.pass(3_000);
  assert.deepEqual(await world.said("did"), ["a", "b", "c"]);
});

test("messages of a group come in order; one that fails holds up its own group only", async () => {
  const failures = new Map<string, number>();
  const work = worker("line.fifo", (batch) => {
    const [bad] = batch.filter(({ text }) => text === "g2");
    const tries = failures.get("g2") ?? 0;
    failures.set("g2", tries + 1);
    return { failed: bad !== undefined && tries < 4 ? [bad.id] : [] };
  });
  const world = await FunctionsWorld.start({}, { attributes: { "line.fifo": { fifo: { contentDedup: true } } } });
  const message = (body: string) => ({ body, groupId: body.charAt(0) });
  await world.put("line.fifo", ...["g1", "g2", "g3", "h1", "h2", "h3"].map(message));
  await world.reload({ work });
  await world.quiet(3_000);
  const early = (await world.said("did")).filter((text) => String(text).startsWith("h"));
  assert.deepEqual(early, ["h1", "h2", "h3"]);
  await world.pass(120_000);
  const all = await world.said("did");
  assert.deepEqual(
    all.filter((text) => String(text).startsWith("g")).filter((text, at, list) => list.indexOf(text) === at),
    ["g1", "g2", "g3"],
  );
  assert.equal((await world.counts("line.fifo")).visible, 0);
});

const INNOCENT: Invoked = {
  kind: "innocent",
  error: { name: "Ended", says: "its thread was ended", at: null, stack: null },
  logs: [],
};

test("what is not to blame is called again at once, alone in its thread, and no attempt is counted", async () => {
  const calls: { readonly alone: boolean; readonly attempt: number; readonly messages: number }[] = [];
  const host = (inline: FunctionHost): FunctionHost => ({
    ...inline,
    invoke: (call, reads, signal) => {
      // The host's input is the feeder's text.
      const { messages } = JSON.parse(call.input) as { readonly messages: readonly object[] };
      calls.push({ alone: call.alone, attempt: call.attempt, messages: messages.length });
      return calls.length === 1 ? Promise.resolve(INNOCENT) : inline.invoke(call, reads, signal);
    },
  });
  const world = await FunctionsWorld.start({}, { host, attributes: { orders: {} } });
  await world.put("orders", "a", "b");
  await world.reload({ work: worker("orders", undefined, { attempts: 1 }) });
  await world.quiet(2_000);
  assert.deepEqual(calls.slice(1), [
    { alone: true, attempt: 1, messages: 1 },
    { alone: true, attempt: 1, messages: 1 },
  ]);
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b"]);
  await world.put("orders", "c");
  assert.equal(calls.at(-1)?.alone, false);
});

/** Adds one by what it has read. */
async function count(batch: Batch, { documents }: Context, between: () => void = () => {}): Promise<void> {
  const known = await documents.get(counters, "all");
  between();
  documents.put(counters, "all", { count: (known?.value.count ?? 0) + batch.length }, { version: known?.version ?? 0 });
}

test("many calls that change one document are each counted once", async () => {
  const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
  await world.put("orders", ...Array.from({ length: 12 }, (_, at) => `m${at}`));
  await world.reload({
    work: worker("orders", (batch, context) => count(batch, context), { batchSize: 1, concurrency: 6 }),
  });
  await world.pass(60_000);
  assert.deepEqual(await world.document("queue-counters", "all"), { count: 12 });
  assert.equal((await world.raised("did")).length, 12);
});

test("a document that others change each time makes it fail after sixteen calls, and of none anything is seen", async () => {
  let calls = 0;
  const world = await FunctionsWorld.start({}, { attributes: { orders: {} } });
  const meddle = (): void => {
    calls += 1;
    const put = { collection: "doc:queue-counters", id: "all", body: `{"count":${-calls}}`, when: "always" as const };
    void world.of.engine.commit({ puts: [{ ...put, nowMs: 1 }] });
  };
  await world.put("orders", "a");
  const work = worker("orders", (batch, context) => count(batch, context, meddle), { attempts: 1 });
  await world.reload({ work });
  await world.quiet(5_000);
  assert.equal(calls, 16);
  assert.deepEqual(await world.said("did"), []);
  assert.match((await world.dead())[0]?.error ?? "", /kept changing/);
});

test("wherever the process dies, each message has its effects once", async () => {
  const commits = await lived(null);
  assert.ok(commits >= 8, `${commits} commits are places to die at`);
  for (let commit = 1; commit <= commits; commit += 1)
    for (const isDone of [false, true]) await lived({ commit, isDone });
});

/** Twelve messages, of which one is named as failed at first and one batch throws once; dies at a commit if one is given. */
async function lived(at: { readonly commit: number; readonly isDone: boolean } | null): Promise<number> {
  let threw = false;
  const say = async (batch: Batch, context: Context) => {
    await count(batch, context);
    const all = texts(batch);
    if (all.includes("m5") && !threw) {
      threw = true;
      throw new Error("once");
    }
    return {
      failed: batch.filter(({ text, receiveCount }) => text === "m9" && receiveCount === 1).map(({ id }) => id),
    };
  };
  const world = await FunctionsWorld.start({}, { attributes: { orders: {}, next: {} } });
  await world.put("orders", ...Array.from({ length: 12 }, (_, n) => `m${n}`));
  const before = world.commits;
  world.onCommit = (commit, isDone) => {
    if (at !== null && commit - before === at.commit && isDone === at.isDone) world.die();
  };
  const work = worker("orders", say, { batchSize: 3, concurrency: 2 });
  world.functions = { work };
  void world.book.reload().catch(() => {});
  for (let round = 0; round < 60; round += 1) {
    await world.quiet(60);
    if (!world.world.dead) await world.pass(1_000);
    if (world.world.dead) {
      world.onCommit = () => {};
      await world.restart();
    }
  }
  const commits = world.commits - before;
  const said = await world.said("did");
  const where = `dies at ${JSON.stringify(at)}`;
  // What a handler writes of a message that it names as failed is seen with the good ones: only `m9` may be told of twice.
  const once = said.filter((text) => text !== "m9");
  assert.deepEqual(new Set(said).size, 12, where);
  assert.deepEqual(once.length, 11, `${where}: ${said.join(" ")}`);
  assert.deepEqual(await world.document("queue-counters", "all"), { count: said.length }, where);
  assert.deepEqual(await world.dead(), [], where);
  return commits;
}

test("of a batch of which one lease was lost in the middle nothing is seen, and all its messages come again", async () => {
  let lost: string | null = null;
  const world = await FunctionsWorld.start(
    {},
    {
      attributes: { orders: {} },
      // Somebody else has taken the second message while the handler ran.
      wrap: (store) =>
        altered(store, {
          commit: async (units: readonly Unit[]) => {
            const [unit] = units.filter(({ also = [] }) => also.length > 0);
            if (unit?.also !== undefined && lost === null) {
              lost = unit.also[0]?.key ?? "";
              await store.release([{ key: lost, fence: unit.also[0]?.fence ?? 0 }]);
            }
            return await store.commit(units);
          },
        }),
    },
  );
  await world.put("orders", "a", "b", "c");
  const seen: (readonly string[])[] = [];
  await world.reload({ work: worker("orders", (batch) => void seen.push(texts(batch))) });
  await world.pass(60_000);
  assert.notEqual(lost, null);
  assert.deepEqual(seen[0], ["a", "b", "c"]);
  assert.ok(seen.length > 1, "they came again");
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["a", "b", "c"]);
});

test("a store that cannot answer while something is drafted counts against no message of the batch", async () => {
  let isDown = false;
  const world = await FunctionsWorld.start(
    {},
    {
      attributes: { orders: {}, other: {} },
      wrap: (store) =>
        altered(store, {
          documents: async (keys) => {
            if (isDown && keys.some(({ id }) => id === "other")) throw new StoreFault("store.busy", "the disk is busy");
            return await store.documents(keys);
          },
        }),
    },
  );
  await world.put("orders", "a", "b", "c");
  // A process that does not know the other queue yet looks it up.
  await world.restart();
  const receives: number[] = [];
  isDown = true;
  await world.reload({
    work: worker(
      "orders",
      (batch, { queues }) => {
        receives.push(...batch.map(({ receiveCount }) => receiveCount));
        for (const { text } of batch) queues.send("other", text);
      },
      { attempts: 2 },
    ),
  });
  await world.pass(10_000);
  isDown = false;
  await world.pass(60_000);
  assert.ok(receives.length > 6, "it was tried while the store was down");
  assert.ok(Math.max(...receives) === 1, `no attempt is counted: ${receives.join(" ")}`);
  assert.deepEqual(await world.dead(), []);
  assert.deepEqual((await world.take("other")).map(({ body }) => body).toSorted(), ["a", "b", "c"]);
});
