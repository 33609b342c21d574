import assert from "node:assert/strict";
import { test } from "node:test";
import { ATTRIBUTE_DEFAULTS } from "#queues/queue.ts";
import { done, faultOf, QueueBench } from "../../test/given-queues.ts";

async function givenDead(suffix = "") {
  const bench = await new QueueBench().start();
  await bench.make(`dead${suffix}`);
  await bench.make(`q${suffix}`, {
    visibilityMs: 1_000,
    redrive: { deadLetterQueue: `dead${suffix}`, receiveMax: 2 },
  });
  return bench;
}

async function exhaust(bench: QueueBench, queue: string): Promise<void> {
  for (let receive = 0; receive < 2; receive += 1) {
    await bench.receive(queue);
    await bench.pass(1_000);
  }
  assert.deepEqual(await bench.bodies(queue), []);
}

test("dead letters are messages that would be received too often, with all that is known of them", async () => {
  const bench = await givenDead();
  const sentMs = bench.clock.nowMs();
  const id = await bench.send("q", "m", { attributes: { a: { type: "String", value: "v" } } });
  await exhaust(bench, "q");
  const [letter] = await bench.receive("dead", { visibilityMs: 0 });
  assert(letter !== undefined);
  assert.deepEqual([letter.id, letter.body, letter.sentMs, letter.receiveCount], [id, "m", sentMs, 3]);
  assert.deepEqual([letter.deadLetterSource, letter.attributes["a"]?.value], ["q", "v"]);
  assert.equal(letter.firstReceiveMs, sentMs);
  assert.equal((await bench.receive("dead"))[0]?.receiveCount, 4);
  assert((await bench.events()).includes("queue.message.dead_lettered queue:q"));
});

test("dead letters make room: the receive that finds them is filled from behind them", async () => {
  const bench = await givenDead();
  for (const body of ["a", "b"]) await bench.send("q", body);
  for (let receive = 0; receive < 2; receive += 1) {
    await bench.receive("q");
    await bench.pass(1_000);
  }
  await bench.send("q", "c");
  assert.deepEqual(await bench.bodies("q", { max: 1 }), ["c"]);
  assert.deepEqual(await bench.bodies("dead"), ["a", "b"]);
});

test("dead letters leave also when the receive that finds them hides nothing, and so does what is too old", async () => {
  const bench = await givenDead();
  await bench.send("q", "m");
  for (const count of [1, 2]) assert.equal((await bench.receive("q", { visibilityMs: 0 }))[0]?.receiveCount, count);
  assert.deepEqual(await bench.receive("q", { visibilityMs: 0 }), []);
  assert.deepEqual(await bench.bodies("dead", { visibilityMs: 0 }), ["m"]);
  await bench.send("q", "old");
  await bench.pass(ATTRIBUTE_DEFAULTS.retentionMs + 1);
  assert.deepEqual(await bench.bodies("q", { visibilityMs: 0 }), []);
  assert.deepEqual(await bench.counts("q"), [0, 0, 0]);
});

test("dead letters free their group, and bear the message's id for deduplication", async () => {
  const bench = await givenDead(".fifo");
  const id = await bench.send("q.fifo", "a1", { groupId: "a", dedupId: "1" });
  for (let receive = 0; receive < 2; receive += 1) {
    await bench.receive("q.fifo", { max: 1 });
    await bench.pass(1_000);
  }
  await bench.send("q.fifo", "a2", { groupId: "a", dedupId: "2" });
  assert.deepEqual(await bench.bodies("q.fifo", { max: 1 }), ["a2"]);
  const [letter] = await bench.receive("dead.fifo");
  assert.deepEqual([letter?.id, letter?.dedupId, letter?.groupId], [id, id, "a"]);
});

test("dead letters stay where they are when their queue is gone", async () => {
  const bench = await givenDead();
  await bench.send("q", "m");
  done(await bench.wait(bench.desk.remove("dead")));
  for (const count of [1, 2, 3]) {
    assert.equal((await bench.receive("q"))[0]?.receiveCount, count);
    await bench.pass(1_000);
  }
});

test("dead letters go only where they may: an existing queue of the same kind that allows it", async () => {
  const bench = await new QueueBench().start();
  await bench.make("none", { redriveAllow: { allow: "none" } });
  await bench.make("some", { redriveAllow: { allow: "by-queue", sources: ["a"] } });
  await bench.make("other.fifo");
  for (const name of ["a", "b"]) await bench.make(name);
  const set = async (name: string, deadLetterQueue: string) => {
    const changed = await bench.wait(bench.desk.change(name, { redrive: { deadLetterQueue, receiveMax: 1 } }));
    return changed.kind === "done" ? "done" : changed.code;
  };
  assert.equal(await set("a", "none"), "redrive.not_allowed");
  assert.equal(await set("a", "other.fifo"), "redrive.target_type");
  assert.equal(await set("b", "some"), "redrive.not_allowed");
  assert.equal(await set("a", "some"), "done");
});

test("dead letters move back to where they came from, and count from the beginning there", async () => {
  const bench = await givenDead();
  await bench.make("q2", { visibilityMs: 1_000, redrive: { deadLetterQueue: "dead", receiveMax: 2 } });
  await bench.send("q", "m");
  await bench.send("q2", "m2");
  await exhaust(bench, "q");
  await exhaust(bench, "q2");
  await bench.pass(1);
  const ask = { source: "dead", destination: null, messagesPerSecondMax: null };
  const { move } = done(await bench.wait(bench.desk.startMove(ask)));
  assert.deepEqual([move.status, move.toMove], ["running", 2]);
  await bench.pass(10);
  const { moves } = done(await bench.wait(bench.desk.listMoves("dead", 1)));
  assert.deepEqual([moves[0]?.status, moves[0]?.moved, moves[0]?.id], ["completed", 2, move.id]);
  const [m] = await bench.receive("q");
  assert.deepEqual([m?.body, m?.receiveCount, m?.deadLetterSource], ["m", 1, null]);
  assert.deepEqual(await bench.bodies("q2"), ["m2"]);
  assert.deepEqual(await bench.bodies("dead"), []);
});

test("dead letters move at the rate that was asked for, until they are stopped", async () => {
  const bench = await givenDead();
  for (let n = 0; n < 6; n += 1) await bench.send("q", `m${n}`);
  await exhaust(bench, "q");
  await bench.make("into");
  await bench.pass(1);
  const ask = { source: "dead", destination: "into", messagesPerSecondMax: 2 };
  const { move } = done(await bench.wait(bench.desk.startMove(ask)));
  await bench.pass(10);
  assert.deepEqual(await bench.counts("into"), [2, 0, 0]);
  assert.equal(faultOf(await bench.wait(bench.desk.startMove(ask))), "move.running");
  await bench.pass(1_000);
  assert.deepEqual(await bench.counts("into"), [4, 0, 0]);
  assert.equal(done(await bench.wait(bench.desk.cancelMove(move.id))).move.status, "cancelling");
  await bench.pass(1_000);
  const [last] = done(await bench.wait(bench.desk.listMoves("dead", 10))).moves;
  assert.deepEqual([last?.status, last?.moved], ["cancelled", 4]);
  assert.deepEqual(await bench.counts("dead"), [2, 0, 0]);
  assert.equal(faultOf(await bench.wait(bench.desk.cancelMove(move.id))), "move.ended");
  assert.equal(faultOf(await bench.wait(bench.desk.cancelMove("dead/nothing"))), "move.unknown");
});

test("dead letters that nobody can send back fail their move, and stay", async () => {
  const bench = await givenDead();
  await bench.send("dead", "sent here");
  await bench.pass(1);
  const ask = { source: "dead", destination: null, messagesPerSecondMax: null };
  assert.equal(faultOf(await bench.wait(bench.desk.startMove({ ...ask, source: "q" }))), "move.not_dead_letters");
  assert.equal(faultOf(await bench.wait(bench.desk.startMove({ ...ask, destination: "x" }))), "queue.unknown");
  done(await bench.wait(bench.desk.startMove(ask)));
  await bench.pass(10);
  const [move] = done(await bench.wait(bench.desk.listMoves("dead", 1))).moves;
  assert.deepEqual([move?.status, move?.moved], ["failed", 0]);
  assert.equal((await bench.receive("dead"))[0]?.receiveCount, 1);
});

test("dead letters are moved once and completely although the process dies again and again", async () => {
  const bench = await givenDead();
  const bodies = Array.from({ length: 40 }, (_, n) => `m${n}`);
  for (const body of bodies) await bench.send("dead", body);
  await bench.make("into");
  await bench.pass(1);
  const ask = { source: "dead", destination: "into", messagesPerSecondMax: 10 };
  done(await bench.wait(bench.desk.startMove(ask)));
  for (let death = 0; death < 5; death += 1) {
    for (let turn = 0; turn < 7 * death; turn += 1) await Promise.resolve();
    await bench.crash();
    await bench.pass(1_000);
  }
  for (let second = 0; second < 60; second += 1) await bench.pass(1_000);
  const got: string[] = [];
  for (let page; (page = await bench.bodies("into")).length > 0; ) got.push(...page);
  assert.deepEqual(got.toSorted(), bodies.toSorted());
  assert.deepEqual(await bench.counts("dead"), [0, 0, 0]);
});
