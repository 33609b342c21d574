import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { keepQueues, sweepQueues } from "#queues/broom.ts";
import { done, faultOf, QueueBench } from "../../test/given-queues.ts";
import { GRAVES } from "#queues/graves.ts";
import { storeQueueOf } from "#queues/queue.ts";

const SECOND_MS = 1_000;

describe("a queue", () => {
  test("is made once: the same again is fine, another attribute is not", async () => {
    const bench = await new QueueBench().start();
    const ask = { name: "orders", fifo: false, attributes: { delayMs: 5_000 }, tags: {} };
    const first = done(await bench.wait(bench.desk.create(ask)));
    const again = done(await bench.wait(bench.desk.create(ask)));
    const plain = done(await bench.wait(bench.desk.create({ ...ask, attributes: {} })));
    assert.deepEqual([first.isNew, again.isNew, plain.isNew], [true, false, false]);
    assert.deepEqual(again.queue, first.queue);
    const other = await bench.wait(bench.desk.create({ ...ask, attributes: { delayMs: 6_000 } }));
    assert.deepEqual(other, { kind: "fault", code: "queue.exists", queue: "orders", attribute: "delayMs" });
    assert.deepEqual(await bench.events(), ["queue.created queue:orders"]);
  });

  test("has a name of few characters, and .fifo at its end or not", async () => {
    const bench = await new QueueBench().start();
    const make = async (name: string, fifo: boolean) =>
      faultOf(await bench.wait(bench.desk.create({ name, fifo, attributes: {}, tags: {} })));
    assert.equal(await make("a b", false), "queue.name");
    assert.equal(await make("a".repeat(81), false), "queue.name");
    assert.equal(await make(`${"a".repeat(76)}.fifo`, true), "queue.name");
    assert.equal(await make("orders.fifo", false), "queue.fifo_name");
    assert.equal(await make("orders", true), "queue.fifo_name");
  });

  test("refuses attributes out of range, and those of FIFO queues on a standard one", async () => {
    const bench = await new QueueBench().start();
    const make = async (attributes: object) =>
      faultOf(await bench.wait(bench.desk.create({ name: "q", fifo: false, attributes, tags: {} })));
    assert.equal(await make({ visibilityMs: 43_201 * SECOND_MS }), "attribute.range");
    assert.equal(await make({ retentionMs: 59 * SECOND_MS }), "attribute.range");
    assert.equal(await make({ messageBytesMax: 1023 }), "attribute.range");
    assert.equal(await make({ delayMs: 1.5 }), "attribute.range");
    assert.equal(await make({ fifo: { contentDedup: true } }), "attribute.fifo_only");
    assert.equal(await make({ redrive: { deadLetterQueue: "dead", receiveMax: 3 } }), "redrive.target_unknown");
    assert.equal(await make({ redrive: { deadLetterQueue: "q", receiveMax: 3 } }), "redrive.same_queue");
  });

  test("is changed in what is named, and remembers tags", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { delayMs: 1_000, visibilityMs: 2_000 });
    await bench.wait(bench.desk.change("q", { delayMs: 0, kept: { Policy: "{}" } }));
    await bench.wait(bench.desk.tag("q", { set: { a: "1", b: "2" }, remove: [] }));
    await bench.wait(bench.desk.tag("q", { set: { b: "3" }, remove: ["a", "nothing"] }));
    const { queue } = done(await bench.wait(bench.desk.get("q")));
    const { delayMs, visibilityMs, kept } = queue.attributes;
    assert.deepEqual([delayMs, visibilityMs, kept, queue.tags], [0, 2_000, { Policy: "{}" }, { b: "3" }]);
    assert.equal(faultOf(await bench.wait(bench.desk.change("nobody", {}))), "queue.unknown");
  });

  test("is listed by name, in pages, and by its dead-letter queue", async () => {
    const bench = await new QueueBench().start();
    for (const name of ["b2", "a", "b1", "dead"]) await bench.make(name);
    for (const name of ["b1", "b2"]) {
      done(await bench.wait(bench.desk.change(name, { redrive: { deadLetterQueue: "dead", receiveMax: 2 } })));
    }
    const names = (page: { readonly queues: readonly { readonly name: string }[] }) =>
      page.queues.map(({ name }) => name);
    const first = await bench.wait(bench.desk.list({ prefix: "b", after: null, limit: 1 }));
    assert.deepEqual([names(first), first.next], [["b1"], "b1"]);
    const second = await bench.wait(bench.desk.list({ prefix: "b", after: "b1", limit: 1 }));
    assert.deepEqual([names(second), second.next], [["b2"], null]);
    const sources = done(await bench.wait(bench.desk.deadLetterSources("dead", { after: null, limit: 10 })));
    assert.deepEqual(names(sources), ["b1", "b2"]);
  });

  test("is gone at once when it is deleted, and a new one of its name is empty", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    await bench.send("q", "old");
    const [old] = await bench.receive("q");
    assert(old !== undefined);
    done(await bench.wait(bench.desk.remove("q")));
    assert.equal(faultOf(await bench.wait(bench.desk.get("q"))), "queue.unknown");
    assert.equal(faultOf(await bench.wait(bench.poll("q"))), "queue.unknown");
    await bench.make("q");
    await bench.pass(60 * SECOND_MS);
    assert.deepEqual(await bench.bodies("q"), []);
    await bench.delete("q", old);
    await bench.wait(sweepQueues(bench.engine));
    assert.deepEqual(await bench.store.depths(), []);
  });

  test("is emptied at once by a purge, also of what is hidden and delayed, but not twice in a minute", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    for (const body of ["hidden", "visible"]) await bench.send("q", body);
    await bench.send("q", "delayed", { delayMs: 5_000 });
    await bench.receive("q", { max: 1 });
    assert.deepEqual(await bench.counts("q"), [1, 1, 1]);
    done(await bench.wait(bench.desk.purge("q")));
    assert.deepEqual(await bench.counts("q"), [0, 0, 0]);
    await bench.send("q", "new");
    assert.equal(faultOf(await bench.wait(bench.desk.purge("q"))), "purge.recent");
    await bench.pass(60 * SECOND_MS);
    assert.deepEqual(await bench.bodies("q"), ["new"]);
    done(await bench.wait(bench.desk.purge("q")));
  });

  test("that was purged or deleted is trimmed by upkeep at once, and its grave is gone after an hour", async () => {
    const bench = await new QueueBench().start();
    const kept = keepQueues(bench.engine, () => true);
    await bench.make("q");
    await bench.send("q", "purged");
    done(await bench.wait(bench.desk.purge("q")));
    await bench.send("q", "deleted");
    done(await bench.wait(bench.desk.remove("q")));
    await bench.quiet();
    assert.deepEqual(await bench.store.depths(), []);
    const graves = () => bench.store.listDocuments({ collection: GRAVES, limit: 10 });
    assert.equal((await graves()).length, 2);
    for (let minute = 0; minute < 62; minute += 1) await bench.pass(60 * SECOND_MS);
    assert.deepEqual(await graves(), []);
    await bench.wait(bench.engine.stop(0));
    await bench.wait(kept);
  });

  test("that another node has changed, emptied or removed is seen as it is", async () => {
    const clock = new ManualClock();
    const store = openMemoryStore({ clock, manyNodes: true });
    const [one, two] = [new QueueBench({ clock, store }), new QueueBench({ clock, store: store.another() })];
    await one.start();
    await two.start();
    await one.make("q");
    await two.send("q", "lost with the purge");
    done(await one.wait(one.desk.purge("q")));
    await two.send("q", "kept");
    assert.deepEqual(await one.bodies("q"), ["kept"]);
    done(await one.wait(one.desk.remove("q")));
    const late = await two.wait(two.desk.send("q", { body: "x", sender: "test" }));
    assert.equal(faultOf(late), "queue.unknown");
    await one.make("q", { delayMs: 1_000 });
    await two.pass(1_000);
    assert.equal(done(await two.wait(two.desk.get("q"))).queue.attributes.delayMs, 1_000);
  });
});

describe("a message", () => {
  test("is received as it was sent, with what is known of it", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    const attributes = { city: { type: "String", value: "Oslo" }, n: { type: "Number.int", value: "7" } };
    const sentMs = bench.clock.nowMs();
    const id = await bench.send("q", "hello\r\n", { attributes, groupId: "g", traceHeader: "Root=1", sender: "AKID" });
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await bench.pass(SECOND_MS);
    const [message] = await bench.receive("q");
    assert(message !== undefined);
    const { receipt, ...rest } = message;
    assert(receipt.length < 1024);
    assert.deepEqual(rest, {
      id,
      body: "hello\r\n",
      attributes,
      sentMs,
      firstReceiveMs: sentMs + SECOND_MS,
      receiveCount: 1,
      sender: "AKID",
      groupId: "g",
      dedupId: null,
      sequence: null,
      traceHeader: "Root=1",
      traceparent: null,
      deadLetterSource: null,
    });
  });

  test("is hidden by a receive for the queue's time, or the receiver's, and comes back with another receipt", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { visibilityMs: 30_000 });
    await bench.send("q", "m");
    const [first] = await bench.receive("q");
    assert.deepEqual(await bench.bodies("q"), []);
    await bench.pass(30_000);
    const [second] = await bench.receive("q", { visibilityMs: 5_000 });
    assert(first !== undefined && second !== undefined);
    assert.notEqual(second.receipt, first.receipt);
    assert.deepEqual([second.receiveCount, second.firstReceiveMs], [2, first.firstReceiveMs]);
    await bench.pass(5_000);
    assert.equal((await bench.receive("q"))[0]?.receiveCount, 3);
  });

  test("stays visible when it is received for no time, and the receive counts", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    await bench.send("q", "m");
    const counts = [];
    for (let n = 0; n < 3; n += 1) counts.push((await bench.receive("q", { visibilityMs: 0 }))[0]?.receiveCount);
    assert.deepEqual(counts, [1, 2, 3]);
  });

  test("is gone when it is deleted, also late or twice, unless another holds it", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { visibilityMs: 1_000 });
    for (const body of ["a", "b", "c"]) await bench.send("q", body);
    const [a, b, c] = await bench.receive("q");
    assert(a !== undefined && b !== undefined && c !== undefined);
    await bench.delete("q", a);
    await bench.delete("q", a);
    await bench.pass(1_000);
    await bench.delete("q", b);
    const [again] = await bench.receive("q");
    assert.equal(again?.body, "c");
    await bench.delete("q", c);
    await bench.pass(1_000);
    assert.deepEqual(await bench.bodies("q"), ["c"]);
    assert.equal(faultOf(await bench.wait(bench.desk.delete("q", "nonsense"))), "receipt.invalid");
  });

  test("can be hidden longer, and shown at once", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { visibilityMs: 1_000 });
    await bench.send("q", "m");
    const [message] = await bench.receive("q");
    assert(message !== undefined);
    const change = (visibilityMs: number) =>
      bench.wait(bench.desk.changeVisibility("q", message.receipt, visibilityMs));
    done(await change(10_000));
    await bench.pass(9_999);
    assert.deepEqual(await bench.bodies("q"), []);
    done(await change(0));
    const [again] = await bench.receive("q");
    assert.equal(again?.receiveCount, 2);
    assert.equal(faultOf(await change(43_201 * SECOND_MS)), "value.range");
    await bench.pass(1_000);
    done(await change(5_000));
    assert.equal((await bench.receive("q")).length, 1);
    await bench.delete("q", message);
    await bench.pass(1_000);
    await bench.delete("q", message);
    assert.equal(faultOf(await change(5_000)), "receipt.not_in_flight");
  });

  test("waits for its delay, its own or the queue's", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { delayMs: 10_000 });
    await bench.send("q", "queue's");
    await bench.send("q", "own", { delayMs: 2_000 });
    await bench.send("q", "none", { delayMs: 0 });
    assert.deepEqual(await bench.bodies("q"), ["none"]);
    await bench.pass(2_000);
    assert.deepEqual(await bench.bodies("q"), ["own"]);
    await bench.pass(8_000);
    assert.deepEqual(await bench.bodies("q"), ["queue's"]);
  });

  test("is refused when it is empty, too large, or of characters that none may have", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { messageBytesMax: 1024 });
    const send = async (body: string, given: object = {}) =>
      faultOf(await bench.wait(bench.desk.send("q", { body, sender: "test", ...given })));
    const attribute = (name: string, type: string, value: string) => ({ attributes: { [name]: { type, value } } });
    assert.equal(await send(""), "message.empty");
    assert.equal(await send("é".repeat(513)), "message.too_long");
    assert.equal(await send("x".repeat(1024), attribute("a", "String", "b")), "message.too_long");
    for (const bad of ["\u0000", "\u001f", "\ufffe", "\ud800"]) assert.equal(await send(bad), "message.characters");
    for (const name of ["", "a b", ".a", "a.", "a..b", "AWS.a", "amazon.b", "x".repeat(257)]) {
      assert.equal(await send("m", attribute(name, "String", "v")), "message.attribute", name);
    }
    for (const [type, value] of [
      ["Text", "v"],
      ["String", ""],
      ["Number", "seven"],
      ["Binary", "%"],
    ] as const) {
      assert.equal(await send("m", attribute("a", type, value)), "message.attribute", type);
    }
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`a${n}`, { type: "String", value: "v" }]));
    assert.equal(await send("m", { attributes: many }), "message.attributes_too_many");
    assert.equal(await send("m", { dedupId: "d" }), "message.dedup_unwanted");
    assert.equal(await send("m", { groupId: "a b" }), "message.group_id");
    assert.equal(await send("m", { delayMs: 901_000 }), "value.range");
    await bench.send("q", "\t\n\r \u{10000}", attribute("n", "Number", "-1.5e10"));
  });

  test("is dropped when it is older than the queue keeps it", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { retentionMs: 60_000 });
    for (let n = 0; n < 25; n += 1) await bench.send("q", "old");
    await bench.pass(59_000);
    await bench.send("q", "young");
    await bench.pass(1_001);
    assert.deepEqual(await bench.bodies("q"), ["young"]);
    await bench.send("q", "nobody asks");
    await bench.pass(61_000);
    await bench.wait(sweepQueues(bench.engine));
    assert.deepEqual(await bench.store.depths(), []);
  });
});

describe("a batch", () => {
  test("keeps its order, and only what is wrong is refused", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { messageBytesMax: 1024 });
    const bodies = ["a", "x".repeat(1025), "b", "\u0000", "c"];
    const messages = bodies.map((body) => ({ body, sender: "test" }));
    const { sent } = done(await bench.wait(bench.desk.sendBatch("q", messages)));
    assert.deepEqual(
      sent.map((one) => (one.kind === "sent" ? "sent" : one.code)),
      ["sent", "message.too_long", "sent", "message.characters", "sent"],
    );
    assert.deepEqual(await bench.bodies("q"), ["a", "b", "c"]);
    const many = Array.from({ length: 11 }, () => ({ body: "m", sender: "test" }));
    assert.equal(faultOf(await bench.wait(bench.desk.sendBatch("q", many))), "batch.too_many");
    assert.equal(faultOf(await bench.wait(bench.desk.sendBatch("q", []))), "batch.empty");
  });

  test("deletes and hides one by one", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    for (const body of ["a", "b"]) await bench.send("q", body);
    const [a, b] = await bench.receive("q");
    assert(a !== undefined && b !== undefined);
    const deleted = done(await bench.wait(bench.desk.deleteBatch("q", [a.receipt, "nonsense"])));
    assert.deepEqual([deleted.results[0]?.kind, deleted.results[1]?.kind], ["done", "fault"]);
    const change = { receipt: b.receipt, visibilityMs: 0 };
    done(await bench.wait(bench.desk.changeVisibilityBatch("q", [change])));
    assert.deepEqual(await bench.bodies("q"), ["b"]);
  });
});

describe("a long poll", () => {
  test("ends with the first message that is there, one message for one poll", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { waitMs: 20_000 });
    const polls = [bench.poll("q", { waitMs: null }), bench.poll("q", { waitMs: null })];
    const bodies: (readonly string[])[] = [];
    const watch = async (poll: (typeof polls)[number]) => {
      const { messages } = done(await poll);
      bodies.push(messages.map(({ body }) => body));
    };
    for (const poll of polls) void watch(poll);
    await bench.quiet();
    await bench.pass(10_000);
    await bench.send("q", "m");
    await bench.quiet();
    assert.deepEqual(bodies, [["m"]]);
    await bench.pass(10_000);
    assert.deepEqual(bodies, [["m"], []]);
  });

  test("takes nothing when its caller has gone", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    const caller = new AbortController();
    const poll = bench.poll("q", { waitMs: 20_000, signal: caller.signal });
    await bench.quiet();
    caller.abort();
    assert.deepEqual(done(await bench.wait(poll)).messages, []);
    await bench.send("q", "m");
    assert.equal((await bench.receive("q"))[0]?.receiveCount, 1);
  });

  test("sees a message whose hiding or delay is over", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q", { visibilityMs: 3_000 });
    await bench.send("q", "m");
    await bench.receive("q");
    const poll = bench.poll("q", { waitMs: 20_000 });
    await bench.pass(3_000);
    assert.equal(done(await bench.wait(poll)).messages[0]?.receiveCount, 2);
  });
});

describe("what rules commit", () => {
  test("is a message like any other, in the store with whatever else was decided", async () => {
    const bench = await new QueueBench().start();
    await bench.make("q");
    const message = { body: "from a rule", sender: "rule" };
    const id = "11111111-1111-4111-8111-111111111111";
    assert.equal(bench.desk.draftMessage("q", message, id), null, "not known here yet");
    await bench.quiet();
    const draft = bench.desk.draftMessage("q", message, id);
    assert(draft?.kind === "draft");
    await bench.wait(bench.engine.commit(draft.effects));
    assert.deepEqual(
      (await bench.receive("q")).map((one) => [one.id, one.body]),
      [[id, "from a rule"]],
    );
    const { queue } = done(await bench.wait(bench.desk.get("q")));
    assert.equal((await bench.store.depths())[0]?.queue, storeQueueOf(queue));
    assert.equal(faultOf(bench.desk.draftMessage("q", { ...message, body: "" }, id) ?? { kind: "" }), "message.empty");
  });
});
