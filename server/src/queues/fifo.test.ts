import assert from "node:assert/strict";
import { test } from "node:test";
import { done, faultOf, QueueBench } from "../../test/given-queues.ts";

const group = (groupId: string, dedupId: string) => ({ groupId, dedupId });

test("a FIFO queue gives a group's messages in order, and no other one while one is in flight", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo", { visibilityMs: 1_000 });
  for (const n of [1, 2, 3]) await bench.send("q.fifo", `a${n}`, group("a", `a${n}`));
  for (const n of [1, 2]) await bench.send("q.fifo", `b${n}`, group("b", `b${n}`));
  const [a1, a2] = await bench.receive("q.fifo", { max: 2 });
  assert(a1 !== undefined && a2 !== undefined);
  assert.deepEqual([a1.body, a2.body], ["a1", "a2"]);
  assert(BigInt(a2.sequence ?? 0) > BigInt(a1.sequence ?? 0));
  assert.deepEqual(await bench.bodies("q.fifo", { visibilityMs: 60_000 }), ["b1", "b2"]);
  assert.deepEqual(await bench.bodies("q.fifo"), []);
  await bench.delete("q.fifo", a1);
  assert.deepEqual(await bench.bodies("q.fifo"), []);
  await bench.pass(1_000);
  assert.deepEqual(await bench.bodies("q.fifo"), ["a2", "a3"]);
});

test("a FIFO queue goes on with a group at once when all that was in flight is deleted", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo");
  for (const n of [1, 2]) await bench.send("q.fifo", `a${n}`, group("a", `a${n}`));
  const [a1] = await bench.receive("q.fifo", { max: 1 });
  assert(a1 !== undefined);
  const poll = bench.poll("q.fifo", { waitMs: 20_000 });
  await bench.quiet();
  await bench.delete("q.fifo", a1);
  assert.deepEqual(
    done(await bench.wait(poll)).messages.map(({ body }) => body),
    ["a2"],
  );
});

test("a FIFO queue gives the messages of one group to one of many polls", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo");
  const polls = [bench.poll("q.fifo", { waitMs: 20_000, max: 1 }), bench.poll("q.fifo", { waitMs: 20_000, max: 1 })];
  await bench.quiet();
  const messages = ["a1", "a2", "b1"].map((body) => ({ body, sender: "t", ...group(body.slice(0, 1), body) }));
  done(await bench.wait(bench.desk.sendBatch("q.fifo", messages)));
  const got = await bench.wait(Promise.all(polls));
  assert.deepEqual(
    got.map((poll) => done(poll).messages.map(({ body }) => body)),
    [["a1"], ["b1"]],
  );
});

test("a FIFO queue knows a deduplication id for five minutes, also after the message is gone, until it is purged", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo");
  const send = (body: string, groupId = "a") =>
    bench.wait(bench.desk.send("q.fifo", { body, sender: "t", groupId, dedupId: "d" }));
  const first = await send("first");
  const [message] = await bench.receive("q.fifo");
  assert(first.kind === "sent" && message !== undefined && !first.isRepeated);
  await bench.delete("q.fifo", message);
  assert.deepEqual(await send("again", "b"), { ...first, isRepeated: true });
  await bench.pass(299_999);
  assert.deepEqual(await send("again"), { ...first, isRepeated: true });
  done(await bench.wait(bench.desk.purge("q.fifo")));
  assert.equal((await send("purged")).kind, "sent");
  assert.deepEqual(await bench.bodies("q.fifo"), ["purged"]);
  await bench.pass(300_001);
  await send("later");
  assert.equal((await bench.receive("q.fifo", { visibilityMs: 0 })).length, 2);
});

test("a FIFO queue can take the body for its id, and each group by itself", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo", { fifo: { contentDedup: true, dedupScope: "group" } });
  for (const groupId of ["a", "a", "b"]) await bench.send("q.fifo", "same", { groupId });
  const messages = await bench.receive("q.fifo");
  assert.deepEqual(
    messages.map(({ groupId }) => groupId),
    ["a", "b"],
  );
  // SHA-256 of "same".
  assert.match(messages[0]?.dedupId ?? "", /^0967115f2813a3541eaef77de9d9d577/);
});

test("a FIFO queue needs a group and an id, and no delay of its own; a batch without them is refused whole", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo", { delayMs: 2_000 });
  const send = async (given: object) =>
    faultOf(await bench.wait(bench.desk.send("q.fifo", { body: "m", sender: "t", ...given })));
  assert.equal(await send({ dedupId: "d" }), "message.group_missing");
  assert.equal(await send({ groupId: "g" }), "message.dedup_missing");
  assert.equal(await send({ ...group("g", "d"), delayMs: 1_000 }), "message.delay_on_fifo");
  const batch = [
    { body: "ok", sender: "t", ...group("g", "d") },
    { body: "m", sender: "t", groupId: "g" },
  ];
  assert.equal(faultOf(await bench.wait(bench.desk.sendBatch("q.fifo", batch))), "message.dedup_missing");
  await bench.send("q.fifo", "m", { ...group("g", "d"), delayMs: 0 });
  assert.deepEqual(await bench.bodies("q.fifo"), []);
  await bench.pass(2_000);
  assert.deepEqual(await bench.bodies("q.fifo"), ["m"]);
});

test("a FIFO queue tells a receipt whose time is over, unless the message is gone", async () => {
  const bench = await new QueueBench().start();
  await bench.make("q.fifo", { visibilityMs: 1_000 });
  await bench.send("q.fifo", "m", group("g", "d"));
  const [message] = await bench.receive("q.fifo");
  assert(message !== undefined);
  done(await bench.wait(bench.desk.changeVisibility("q.fifo", message.receipt, 5_000)));
  await bench.pass(4_000);
  assert.deepEqual(await bench.counts("q.fifo"), [0, 1, 0]);
  await bench.pass(1_000);
  assert.equal(faultOf(await bench.wait(bench.desk.delete("q.fifo", message.receipt))), "receipt.expired");
  const [again] = await bench.receive("q.fifo");
  assert(again !== undefined);
  assert.equal(faultOf(await bench.wait(bench.desk.delete("q.fifo", message.receipt))), "receipt.expired");
  await bench.delete("q.fifo", again);
  await bench.delete("q.fifo", again);
  await bench.delete("q.fifo", message);
});
