import assert from "node:assert/strict";
import { test } from "node:test";
import { LISTS, PROFILES, subscriptionId, SUBSCRIPTIONS } from "#directory/collections.ts";
import type { Overloaded } from "#engine/engine.ts";
import type { DocumentPut, Term } from "#domain/document.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import type { HeldCursor, HeldSelection, HeldStep } from "#pipeline/held-desk.ts";
import { restoredPut } from "#pipeline/restored.ts";
import { World } from "../../test/support/world.ts";

const content = { title: "Hi", body: "Hello" };
const HOUR_MS = 3_600_000;

/** The store comes out of a backup, made at this moment, and another process starts on it. */
async function restore(world: World): Promise<void> {
  await world.restart(async (store) => {
    const backupMadeMs = world.clock.nowMs();
    const parked = await store.park(1_000_000);
    await store.commit([{ puts: [restoredPut({ backupMadeMs, restoredMs: backupMadeMs + 1, parked })] }]);
  });
}

async function send(world: World, to: Json, more: { readonly [name: string]: Json } = {}): Promise<RequestId> {
  const accepted = await world.send({ to, content, ...more });
  assert.ok(accepted.kind === "accepted");
  return accepted.requestId;
}

async function list(world: World, id: string, subscribers: number): Promise<void> {
  const put = (collection: string, key: string, body: JsonObject, terms: readonly Term[] = []): DocumentPut => ({
    collection,
    id: key,
    body: JSON.stringify(body),
    terms,
    when: "always",
    nowMs: world.clock.nowMs(),
  });
  const users = Array.from({ length: subscribers }, (_, n) => `${id}-${String(n).padStart(4, "0")}`);
  const puts = users.flatMap((user) => [
    put(PROFILES, user, { email: `${user}@example.com` }),
    put(SUBSCRIPTIONS, subscriptionId(id, user), { preferences: null, data: null }, [["user", user]]),
  ]);
  await world.put(LISTS, id, { name: id, preferences: null, deletedMs: null });
  await world.settle(world.engine.commit({ puts }));
}

/** Decides until there is no more; returns how many, and in how many steps. */
async function decide(world: World, then: "release" | "drop", selection: HeldSelection = {}, by = "ada") {
  let next: HeldCursor | null = null;
  let [done, steps] = [0, 0];
  do {
    const step: HeldStep | Overloaded = await world.settle(world.pipeline.held.decide(then, selection, next, by));
    assert.ok("done" in step);
    done += step.done;
    steps += 1;
    next = step.next;
  } while (next !== null);
  return { done, steps };
}

const statusOf = async (world: World, id: string) =>
  (await world.settle(world.store.messages([id as MessageId])))[0]?.status;
const whyOf = async (world: World, id: string) => {
  const why = await world.settle(world.pipeline.desk.why(id as MessageId));
  assert.ok(why !== null);
  return why;
};
const sentTo = (world: World): string[] =>
  world.provider.seen.map(({ content: words }) => (words.channel === "email" ? words.to : ""));

/** A world with one message that waits for its time, restored. */
async function withDelayed(): Promise<{ world: World; id: RequestId }> {
  const world = await World.start();
  const id = await send(world, { email: "ada@example.com" }, { delay: { duration: HOUR_MS } });
  await restore(world);
  return { world, id };
}

test("after a restore nothing is sent by itself, however long one waits, and new sends flow beside it", async () => {
  const { world, id } = await withDelayed();
  await world.pass(5 * HOUR_MS, 60_000);
  const fresh = await send(world, { email: "new@example.com" });
  await world.pass(10);
  assert.deepEqual(sentTo(world), ["new@example.com"]);
  assert.deepEqual([await statusOf(world, id), await statusOf(world, fresh)], ["DELAYED", "SENT"]);
});

test("why says that it is held back since the restore, and what to do", async () => {
  const { world, id } = await withDelayed();
  const { answer, rule } = await whyOf(world, id);
  assert.match(answer, /held back when the backup of .* was restored.*tidings held release --request 1-.*held drop/);
  assert.equal(rule, `held back when the backup of ${new Date(world.clock.nowMs()).toISOString()} was restored`);
});

test("what is released keeps its time, is sent once, and why names who decided", async () => {
  const { world, id } = await withDelayed();
  assert.deepEqual(await decide(world, "release"), { done: 1, steps: 1 });
  assert.deepEqual(await decide(world, "release"), { done: 0, steps: 1 });
  await world.pass(HOUR_MS - 60_000, 60_000);
  assert.deepEqual(sentTo(world), []);
  await world.pass(120_000, 1_000);
  assert.deepEqual(sentTo(world), ["ada@example.com"]);
  const { steps } = await whyOf(world, id);
  assert.ok(steps.some(({ type, sentence }) => type === "job.released" && sentence.endsWith("released by ada.")));
});

test("what is dropped has its one outcome, with the rule, and is never sent", async () => {
  const { world, id } = await withDelayed();
  await decide(world, "drop", {}, "bo");
  await world.pass(5 * HOUR_MS, 60_000);
  assert.deepEqual([sentTo(world), await statusOf(world, id)], [[], "CANCELED"]);
  const { answer, rule, record } = await whyOf(world, id);
  assert.match(answer, /^No: it was held back after a restore, .* given up by an operator\.$/);
  assert.match(rule ?? "", /^held back when the backup of \d{4}-.*Z was restored, dropped by bo$/);
  assert.equal(typeof record.canceledMs, "number");
});

test("a held-back message can be cancelled like any other, and is then no longer there to decide on", async () => {
  const { world, id } = await withDelayed();
  assert.equal((await world.settle(world.pipeline.desk.cancel(id as string as MessageId))).kind, "canceled");
  assert.equal((await world.settle(world.pipeline.held.summary())).jobs, 0);
  assert.match((await whyOf(world, id)).rule ?? "", /cancel$/);
});

test("the outcome of a message that one of its ways had reached stays when the rest is dropped", async () => {
  const world = await World.start();
  const id = await send(world, { email: "ada@example.com" }, { delay: { duration: HOUR_MS } });
  const patch = { id: id as string as MessageId, status: "SENT", sentMs: world.clock.nowMs() } as const;
  await world.settle(world.engine.commit({ patches: [patch] }));
  await restore(world);
  await decide(world, "drop");
  assert.equal(await statusOf(world, id), "SENT");
  assert.equal((await world.settle(world.pipeline.held.summary())).jobs, 0);
});

test("the summary tells of queues, times and lists, and each selection takes exactly what it says", async () => {
  const world = await World.start();
  await list(world, "news", 3);
  await list(world, "shop", 2);
  const delay = { duration: HOUR_MS };
  const news = await send(world, { list_id: "news" }, { delay });
  await world.pass(10);
  const shop = await send(world, { list_id: "shop" }, { delay });
  const one = await send(world, { email: "ada@example.com" }, { delay });
  await world.pass(10);
  await restore(world);
  const held = world.pipeline.held;
  const summary = await world.settle(held.summary());
  assert.deepEqual([summary.jobs, summary.listsComplete], [6, true]);
  assert.deepEqual(
    summary.lists.toSorted((a, b) => (a.list ?? "").localeCompare(b.list ?? "")),
    [
      { list: null, messages: 1, fanOuts: 0 },
      { list: "news", messages: 3, fanOuts: 0 },
      { list: "shop", messages: 2, fanOuts: 0 },
    ],
  );
  const count = async (selection: HeldSelection) => (await world.settle(held.page(selection, null, 100))).jobs.length;
  assert.equal(await count({ queue: "message" }), 6);
  assert.equal(await count({ queue: "expand" }), 0);
  assert.equal(await count({ list: "news" }), 3);
  assert.equal(await count({ list: "never" }), 0);
  const firstMs = Math.min(...summary.places.map(({ firstEnqueuedMs }) => firstEnqueuedMs));
  assert.equal(await count({ beforeMs: firstMs + 1 }), 3);
  assert.equal(await count({ fromMs: firstMs + 1 }), 3);
  const dueMs = Math.max(...summary.places.map(({ lastDueMs }) => lastDueMs));
  assert.deepEqual([await count({ dueBeforeMs: dueMs }), await count({ dueFromMs: dueMs })], [3, 3]);
  assert.deepEqual(await decide(world, "drop", { request: news }), { done: 3, steps: 1 });
  assert.deepEqual(await decide(world, "drop", { request: one }), { done: 1, steps: 1 });
  assert.deepEqual(await decide(world, "release", { list: "shop" }), { done: 2, steps: 1 });
  assert.equal((await world.settle(held.summary())).jobs, 0);
  await world.pass(2 * HOUR_MS, 60_000);
  assert.deepEqual(sentTo(world).toSorted(), ["shop-0000@example.com", "shop-0001@example.com"]);
  const outcomes = await Promise.all([news, shop, one].map((id) => world.store.countOutcomes(id)));
  assert.deepEqual(outcomes, [{ CANCELED: 3 }, { SENT: 2 }, { CANCELED: 1 }]);
});

test("what was dropped makes nothing give way that would have collapsed into it", async () => {
  const world = await World.start();
  world.provider.answer = () => ({ kind: "retry", reason: "busy" });
  const deadline = { in: "PT1M", late: "collapse", collapse_key: "price" };
  const older = await send(world, { email: "ada@example.com" }, { deadline });
  await world.pass(1_000);
  const newer = await send(world, { email: "ada@example.com" }, { deadline });
  await world.pass(1_000);
  await restore(world);
  world.provider.answer = () => ({ kind: "sent", reference: {} });
  await decide(world, "drop", { request: newer });
  await world.pass(HOUR_MS, 60_000);
  await decide(world, "release");
  await world.pass(60_000);
  assert.deepEqual([await statusOf(world, newer), await statusOf(world, older)], ["CANCELED", "SENT"]);
});

test("a fan-out that was under way goes on where it stood when it is released: nobody twice, nobody left out", async () => {
  const { world, id } = await halfExpanded();
  const born = Object.values(await world.store.countOutcomes(id)).reduce((sum, count) => sum + count, 0);
  assert.equal(born, 500);
  await world.pass(HOUR_MS, 60_000);
  assert.deepEqual(sentTo(world), []);
  await decide(world, "release", { list: "big" });
  await world.pass(60_000, 1_000);
  assert.deepEqual(await world.store.countOutcomes(id), { SENT: 700 });
  assert.equal(new Set(sentTo(world)).size, 700);
  assert.equal(sentTo(world).length, 700);
});

test("a fan-out that is dropped reaches nobody else, the journal says so, and its messages are decided on by themselves", async () => {
  const { world, id } = await halfExpanded();
  assert.deepEqual(await decide(world, "drop", { queue: "expand" }), { done: 1, steps: 1 });
  const events = await world.store.eventsOf(id, 99);
  const dropped = events.find(({ type }) => type === "request.dropped");
  assert.match(dropped?.data ?? "", /"recipients":500.*held back after a restore.*dropped by ada/);
  await decide(world, "release");
  await world.pass(60_000, 1_000);
  assert.deepEqual(await world.store.countOutcomes(id), { SENT: 500 });
});

/** A fan-out to 700 that died after its first page, before any message went out; restored. */
async function halfExpanded(): Promise<{ world: World; id: RequestId }> {
  let id: RequestId | null = null;
  const world = await World.start({
    faults: {
      after: (units) => {
        // The backup is made at the moment when the first page was committed.
        if (id === null && units.some(({ messages }) => (messages?.length ?? 0) > 100)) {
          id = units.flatMap(({ messages }) => messages ?? [])[0]?.message.requestId ?? null;
          world.die();
        }
      },
    },
  });
  await list(world, "big", 700);
  await send(world, { list_id: "big" });
  while (id === null) await world.pass(1);
  await restore(world);
  return { world, id };
}
