import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LISTS, PROFILES, SUBSCRIPTIONS, SUPPRESSIONS, subscriptionId } from "#directory/collections.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Outcome } from "#domain/outcome.ts";
import { ScriptedProvider, World } from "../../test/support/world.ts";

const hello = { title: "Hello {name}", body: "Good to see you, {{name}}." };
const toAda = { to: { email: "ada@example.com" }, content: hello, data: { name: "Ada" } };

async function requestId(world: World, message: JsonObject): Promise<RequestId> {
  const accepted = await world.send(message);
  assert.ok(accepted.kind === "accepted", JSON.stringify(accepted));
  return accepted.requestId;
}

async function record(world: World, id: string) {
  // The ids are those that the test was given.
  const [found] = await world.settle(world.store.messages([id as MessageId]));
  return found ?? assert.fail(`no message ${id}`);
}

async function outcomes(world: World, request: RequestId): Promise<JsonObject> {
  return { ...(await world.settle(world.store.countOutcomes(request))) };
}

async function joinList(world: World, list: string, users: readonly string[]): Promise<void> {
  await world.put(LISTS, list, { name: list, preferences: null, deletedMs: null });
  for (const user of users) {
    await world.put(PROFILES, user, { email: `${user}@example.com`, name: user });
    await world.put(SUBSCRIPTIONS, subscriptionId(list, user), { preferences: null, data: null }, [["user", user]]);
  }
}

const addresses = (provider: ScriptedProvider): string[] =>
  provider.seen.map(({ content }) => (content.channel === "email" ? content.to : content.channel)).toSorted();

describe("a send to one person", () => {
  test("becomes one mail with the words filled in", async () => {
    const world = await World.start();
    const id = await requestId(world, toAda);
    const [{ content, traceparent } = assert.fail("nothing was sent")] = world.provider.seen;
    assert.equal(world.provider.seen.length, 1);
    assert.ok(content.channel === "email");
    assert.equal(content.subject, "Hello Ada");
    assert.match(content.text, /Good to see you, Ada\./);
    assert.match(traceparent ?? "", /^00-0af7651916cd43dd8448eb211c80319c-/, "the trace goes on to the provider");
    assert.deepEqual(
      { status: (await record(world, id)).status, provider: (await record(world, id)).provider },
      { status: "SENT", provider: "smtp" },
    );
  });

  test("tells its whole way in the journal, in order", async () => {
    const world = await World.start();
    const id = await requestId(world, toAda);
    const events = await world.settle(world.store.eventsOf(id, 10));
    assert.deepEqual(
      events.map(({ type }) => type),
      ["message.accepted", "message.routed", "message.rendered", "message.sent"],
    );
    assert.ok(events.every(({ traceparent }) => traceparent?.startsWith("00-0af7651916cd43dd8448eb211c80319c-")));
  });

  test("uses the address in the profile, and what the send says over it", async () => {
    const world = await World.start();
    await world.put(PROFILES, "ada", { email: "old@example.com", name: "Ada" });
    await requestId(world, { to: { user_id: "ada" }, content: hello });
    await requestId(world, { to: { user_id: "ada", email: "new@example.com" }, content: hello });
    assert.deepEqual(addresses(world.provider), ["new@example.com", "old@example.com"]);
  });

  test("to someone who is not known ends as unroutable, and says why", async () => {
    const world = await World.start();
    const id = await requestId(world, { to: { user_id: "nobody" }, content: hello });
    const { status, reason, error } = await record(world, id);
    assert.deepEqual({ status, reason }, { status: "UNROUTABLE", reason: "NO_CHANNELS" });
    assert.match(error ?? "", /no email|no device token|no phone_number/);
    const why = await world.settle(world.pipeline.desk.why(id as string as MessageId));
    assert.match(why?.answer ?? "", /^No \(UNROUTABLE, NO_CHANNELS\)/);
  });

  test("with a template that does not exist ends as unmapped", async () => {
    const world = await World.start();
    const id = await requestId(world, { to: { email: "ada@example.com" }, template: "welcome" });
    assert.equal((await record(world, id)).status, "UNMAPPED");
  });

  test("with a channel that has no provider ends as unroutable", async () => {
    const world = await World.start();
    const id = await requestId(world, { ...toAda, routing: { method: "single", channels: ["sms"] } });
    const { status, reason } = await record(world, id);
    assert.deepEqual({ status, reason }, { status: "UNROUTABLE", reason: "NO_PROVIDERS" });
  });
});

describe("a provider that does not take it", () => {
  const once = (world: World, outcome: Outcome): void => {
    let first = true;
    world.provider.answer = () => {
      const answer: Outcome = first ? outcome : { kind: "sent", reference: {} };
      first = false;
      return answer;
    };
  };

  test("for now is asked again, and the mail keeps its id", async () => {
    const world = await World.start();
    once(world, { kind: "retry", reason: "451 later" });
    const id = await requestId(world, toAda);
    assert.equal((await record(world, id)).status, "ENQUEUED");
    await world.pass(5_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.deepEqual([...new Set(world.provider.seen.map(({ messageId }) => messageId))], [id]);
    assert.deepEqual(
      world.provider.seen.map(({ attempt }) => attempt),
      [1, 2],
    );
  });

  test("waits as long as it asked for", async () => {
    const world = await World.start();
    once(world, { kind: "retry", reason: "429", afterMs: 60_000 });
    await requestId(world, toAda);
    await world.pass(59_000);
    assert.equal(world.provider.seen.length, 1);
    await world.pass(4_000);
    assert.equal(world.provider.seen.length, 2);
  });

  test("because the address does not exist is not asked again, nor for the next message", async () => {
    const world = await World.start();
    once(world, { kind: "refused", reason: "550 5.1.1 no such user", bounce: "hard" });
    const first = await requestId(world, toAda);
    const second = await requestId(world, toAda);
    await world.pass(5_000);
    assert.equal(world.provider.seen.length, 1);
    assert.deepEqual((await record(world, first)).reason, "BOUNCED");
    const { status, reason, error } = await record(world, second);
    assert.deepEqual({ status, reason }, { status: "UNDELIVERABLE", reason: "BOUNCED" });
    assert.match(error ?? "", /suppression \(hard_bounce\).*550 5\.1\.1/);
  });

  test("because of us is left alone for a while, and nobody is blamed", async () => {
    const world = await World.start();
    once(world, { kind: "policy", reason: "421 4.7.28 rate", pauseMs: 300_000 });
    const first = await requestId(world, toAda);
    const second = await requestId(world, { ...toAda, to: { email: "bob@example.com" } });
    await world.pass(200_000);
    assert.equal(world.provider.seen.length, 1, "nothing more is sent while the lane is stopped");
    await world.pass(200_000);
    assert.deepEqual([(await record(world, first)).status, (await record(world, second)).status], ["SENT", "SENT"]);
  });

  test("and does not say whether it did: the sender chooses to hold, and can re-drive", async () => {
    const world = await World.start();
    once(world, { kind: "unknown", reason: "no answer after DATA" });
    const id = await requestId(world, { ...toAda, timeout: { unknown: "hold" } });
    await world.pass(60_000);
    assert.equal(world.provider.seen.length, 1);
    assert.equal((await record(world, id)).status, "UNDELIVERABLE");
    const [dead] = await world.settle(world.store.deadJobs({ queue: null, after: null, limit: 10 }));
    assert.match(dead?.error ?? "", /unknown whether it arrived/);
    await world.settle(world.engine.settleDead(id, "revive"));
    assert.equal((await record(world, id)).status, "SENT");
  });

  test("and does not say whether it did: otherwise it is sent again with the same id", async () => {
    const world = await World.start();
    once(world, { kind: "unknown", reason: "no answer after DATA" });
    const id = await requestId(world, toAda);
    await world.pass(5_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.deepEqual([...new Set(world.provider.seen.map(({ messageId }) => messageId))], [id]);
  });

  test("for three days makes it a dead letter that can be re-driven", async () => {
    const world = await World.start();
    world.provider.answer = () => ({ kind: "retry", reason: "451 broken", whole: true });
    const id = await requestId(world, toAda);
    await world.pass(71 * 60 * 60 * 1000, 60_000);
    assert.equal((await record(world, id)).status, "ENQUEUED", "channels that cannot reach them cost no patience");
    await world.pass(9 * 60 * 60 * 1000, 60_000);
    assert.deepEqual((await record(world, id)).status, "UNDELIVERABLE");
    assert.match((await record(world, id)).error ?? "", /gave up after \d+ tries; the last: .*451 broken/);
    world.provider.answer = () => ({ kind: "sent", reference: {} });
    await world.settle(world.engine.settleDead(id, "revive"));
    await world.pass(120_000);
    assert.equal((await record(world, id)).status, "SENT");
  });

  test("is passed over for the next provider, and the next channel", async () => {
    const first = new ScriptedProvider("first", ["email"]);
    const second = new ScriptedProvider("second", ["email"]);
    const sms = new ScriptedProvider("texts", ["sms"]);
    first.answer = () => ({ kind: "refused", reason: "554 no" });
    second.answer = first.answer;
    const world = await World.start({ providers: [first, second, sms] });
    const to = { email: "ada@example.com", phone_number: "+4915112345678" };
    const id = await requestId(world, { ...toAda, to, routing: { method: "single", channels: ["email", "sms"] } });
    assert.deepEqual([first.seen.length, second.seen.length, sms.seen.length], [1, 1, 1]);
    assert.equal((await record(world, id)).provider, "texts");
  });

  test("does not keep `all` from using the other channels, and nothing is sent twice", async () => {
    const email = new ScriptedProvider("smtp", ["email"]);
    const sms = new ScriptedProvider("texts", ["sms"]);
    let tries = 0;
    sms.answer = () => (++tries < 3 ? { kind: "retry", reason: "busy" } : { kind: "sent", reference: {} });
    const world = await World.start({ providers: [email, sms] });
    const to = { email: "ada@example.com", phone_number: "+4915112345678" };
    const id = await requestId(world, { ...toAda, to, routing: { method: "all", channels: ["email", "sms"] } });
    assert.equal((await record(world, id)).status, "SENT");
    await world.pass(20_000);
    assert.deepEqual([email.seen.length, sms.seen.length], [1, 3]);
  });
});

describe("a send to many", () => {
  test("reaches everyone on a list, once, with data of their own", async () => {
    const world = await World.start();
    await joinList(world, "news", ["ada", "bob", "eve"]);
    await world.put(SUBSCRIPTIONS, subscriptionId("news", "bob"), { preferences: null, data: { name: "Robert" } });
    const id = await requestId(world, { to: { list_id: "news" }, content: hello, data: { name: "reader" } });
    await world.quiet(500);
    assert.deepEqual(addresses(world.provider), ["ada@example.com", "bob@example.com", "eve@example.com"]);
    const bob = world.provider.seen.find(({ messageId }) => messageId === `${id}:bob`);
    assert.ok(bob?.content.channel === "email");
    assert.equal(bob.content.subject, "Hello Robert");
    assert.match(bob.content.unsubscribe?.url ?? "", /^http:\/\/localhost:3300\/u\//);
    assert.deepEqual(await outcomes(world, id), { SENT: 3 });
  });

  test("reaches the lists of a pattern, and who is on several of them once", async () => {
    const world = await World.start();
    await joinList(world, "stocks.us.tech", ["ada", "bob"]);
    await joinList(world, "stocks.eu.tech", ["bob", "eve"]);
    await joinList(world, "stocks.eu", ["mallory"]);
    const id = await requestId(world, { to: { list_pattern: "stocks.*.tech" }, content: hello });
    await world.quiet(500);
    assert.deepEqual(addresses(world.provider), ["ada@example.com", "bob@example.com", "eve@example.com"]);
    assert.deepEqual(await outcomes(world, id), { SENT: 3 });
  });

  test("reaches each entry of an array once, however often it is named", async () => {
    const world = await World.start();
    await joinList(world, "news", ["ada"]);
    const to = [{ email: "x@example.com" }, { email: "X@example.com" }, { user_id: "ada" }, { list_id: "news" }];
    const id = await requestId(world, { to, content: hello });
    await world.quiet(500);
    assert.deepEqual(addresses(world.provider), ["ada@example.com", "x@example.com"]);
    assert.deepEqual(await outcomes(world, id), { SENT: 2 });
  });

  test("to a list that nobody is on, or that was deleted, reaches nobody and says so", async () => {
    const world = await World.start();
    await joinList(world, "gone", ["ada"]);
    await world.put(LISTS, "gone", { name: "gone", preferences: null, deletedMs: 1 });
    for (const list of ["gone", "unknown"]) {
      const id = await requestId(world, { to: { list_id: list }, content: hello });
      await world.quiet(200);
      const events = await world.settle(world.store.eventsOf(id, 10));
      assert.deepEqual(
        events.map(({ type }) => type),
        ["request.accepted", "request.expanded"],
      );
    }
    assert.equal(world.provider.seen.length, 0);
  });

  test("goes on after a crash in the middle, skipping no one and repeating no one", async () => {
    const users = [...Array(1_700).keys()].map((n) => `user-${n}`);
    const world = await World.start();
    await joinList(world, "news", users);
    let release: () => void = () => {};
    const stalled = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.provider.answer = async () => {
      await stalled;
      return { kind: "sent", reference: {} };
    };
    const id = await requestId(world, { to: { list_id: "news" }, content: hello });
    await world.quiet(30);
    const before = new Set(world.provider.seen.map(({ messageId }) => messageId));
    world.provider.answer = () => ({ kind: "sent", reference: {} });
    await world.restart();
    for (let round = 0; round < 40; round += 1) await world.pass(100, 10);
    release();
    assert.deepEqual(await outcomes(world, id), { SENT: 1_700 });
    const times = new Map<string, number>();
    for (const { messageId } of world.provider.seen) times.set(messageId, (times.get(messageId) ?? 0) + 1);
    assert.equal(times.size, 1_700);
    for (const [messageId, count] of times)
      assert.ok(count === 1 || before.has(messageId), "only what was in a call is repeated");
  });
});

describe("a no", () => {
  test("said while the mail waits for another try is heard", async () => {
    const world = await World.start();
    await joinList(world, "news", ["ada"]);
    world.provider.answer = () => ({ kind: "retry", reason: "busy" });
    const id = await requestId(world, { to: { list_id: "news" }, content: hello });
    await world.quiet(200);
    const tries = world.provider.seen.length;
    assert.equal(tries, 1);
    await world.settle(
      world.engine.commit({ deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId("news", "ada") }] }),
    );
    await world.pass(60_000);
    assert.equal(world.provider.seen.length, tries);
    assert.deepEqual((await record(world, `${id}:ada`)).reason, "UNSUBSCRIBED");
  });

  test("said after one of two channels was reached stops the other, and the outcome stays", async () => {
    const email = new ScriptedProvider("smtp", ["email"]);
    const sms = new ScriptedProvider("texts", ["sms"]);
    sms.answer = () => ({ kind: "retry", reason: "busy" });
    const world = await World.start({ providers: [email, sms] });
    await joinList(world, "news", ["ada"]);
    await world.put(PROFILES, "ada", { email: "ada@example.com", phone_number: "+4915112345678" });
    const routing = { method: "all", channels: ["email", "sms"] };
    const id = await requestId(world, { to: { list_id: "news" }, content: hello, routing });
    await world.quiet(200);
    await world.settle(
      world.engine.commit({ deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId("news", "ada") }] }),
    );
    const tries = sms.seen.length;
    await world.pass(60_000);
    assert.equal(sms.seen.length, tries);
    assert.equal((await record(world, `${id}:ada`)).status, "SENT");
  });

  test("said while the mail stands at the gate is heard: nothing is sent after it was acknowledged", async () => {
    const world = await World.start();
    const open: (() => void)[] = [];
    world.provider.answer = () =>
      new Promise((resolve) => {
        open.push(() => resolve({ kind: "sent", reference: {} }));
      });
    // Ten are in calls, the eleventh waits in line.
    for (let n = 0; n < 10; n += 1) await requestId(world, { ...toAda, to: { email: `u${n}@example.com` } });
    await joinList(world, "news", ["ada"]);
    const id = await requestId(world, { to: { list_id: "news" }, content: hello });
    await world.quiet(300);
    assert.equal(world.provider.seen.length, 10);
    await world.settle(
      world.engine.commit({ deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId("news", "ada") }] }),
    );
    for (const answer of open) answer();
    await world.pass(1_000, 50);
    assert.equal(world.provider.seen.length, 10);
    assert.deepEqual((await record(world, `${id}:ada`)).reason, "UNSUBSCRIBED");
  });

  test("to an address stops every mail to it, however it is written", async () => {
    const world = await World.start();
    await world.put(SUPPRESSIONS, "email:ada@example.com", {
      reason: "unsubscribe",
      detail: "one-click",
      sinceMs: 1,
      messageId: null,
    });
    const id = await requestId(world, { ...toAda, to: { email: "Ada@Example.com" } });
    const { status, reason } = await record(world, id);
    assert.deepEqual({ status, reason }, { status: "UNDELIVERABLE", reason: "UNSUBSCRIBED" });
    assert.equal(world.provider.seen.length, 0);
  });
});

describe("time", () => {
  test("a delay is kept to the millisecond, also over a restart", async () => {
    const world = await World.start();
    const id = await requestId(world, { ...toAda, delay: { duration: 3_600_000 } });
    assert.equal((await record(world, id)).status, "DELAYED");
    await world.pass(1_800_000, 60_000);
    await world.restart();
    await world.pass(1_799_999, 59_999);
    assert.equal(world.provider.seen.length, 0);
    await world.pass(1);
    assert.equal(world.provider.seen.length, 1);
  });

  test("a cancelled message is never sent, and one that was sent cannot be cancelled", async () => {
    const world = await World.start();
    const id = await requestId(world, { ...toAda, delay: { duration: 60_000 } });
    const canceled = await world.settle(world.pipeline.desk.cancel(id as string as MessageId));
    assert.equal(canceled.kind, "canceled");
    await world.pass(120_000, 10_000);
    assert.equal(world.provider.seen.length, 0);
    assert.equal((await record(world, id)).status, "CANCELED");
    const sent = await requestId(world, toAda);
    const refused = await world.settle(world.pipeline.desk.cancel(sent as string as MessageId));
    assert.equal(refused.kind, "refused");
    assert.equal((await record(world, sent)).status, "SENT");
  });

  test("a clock that jumps, forward or back, loses and repeats nothing", async () => {
    const world = await World.start();
    let release: () => void = () => {};
    world.provider.answer = () =>
      new Promise((resolve) => {
        release = () => resolve({ kind: "sent", reference: {} });
      });
    const id = await requestId(world, toAda);
    world.clock.jumpWall(3_600_000);
    await world.pass(20_000, 500);
    world.clock.jumpWall(-7_200_000);
    await world.pass(20_000, 500);
    release();
    await world.pass(20_000, 500);
    assert.equal(world.provider.seen.length, 1, "the lease of a living worker does not end by the wall clock");
    assert.equal((await record(world, id)).status, "SENT");
  });
});

describe("accepting", () => {
  test("the same idempotency key is accepted once, and the first answer comes again", async () => {
    const world = await World.start();
    const first = await world.send(toAda, { key: "POST /send:order-1" });
    const again = await world.send(toAda, { key: "POST /send:order-1" });
    assert.ok(first.kind === "accepted");
    assert.ok(again.kind === "repeated");
    assert.equal(again.record.body, JSON.stringify({ requestId: first.requestId }));
    assert.equal(world.provider.seen.length, 1);
  });

  test("large fields and files go to the blob store and come back whole", async () => {
    const world = await World.start();
    const letters = "x".repeat(100_000);
    const attachments = [
      { filename: "a.txt", contentType: "text/plain", data: Buffer.from("hello").toString("base64") },
    ];
    const channels = { email: { override: { attachments } } };
    const id = await requestId(world, {
      ...toAda,
      content: { title: "t", body: "{{long}}" },
      data: { long: letters },
      channels,
      delay: { duration: 5_000 },
    });
    const [stored] = await world.settle(world.store.requests([id]));
    assert.ok((stored?.body.length ?? 0) < 2_000, "the row holds references");
    await world.restart();
    await world.pass(6_000);
    const [{ content } = assert.fail("nothing was sent")] = world.provider.seen;
    assert.ok(content.channel === "email");
    assert.ok(content.text.includes(letters));
    const [attachment = assert.fail("no attachment")] = content.attachments;
    assert.equal(new TextDecoder().decode((await world.blobs.get(attachment.blob)) ?? new Uint8Array()), "hello");
  });

  test("a message that is sent again has files and fields of its own, and outlives the original", async () => {
    const world = await World.start();
    const attachments = [
      { filename: "a.txt", contentType: "text/plain", data: Buffer.from("hello").toString("base64") },
    ];
    const id = await requestId(world, {
      ...toAda,
      content: { title: "t", body: "{{long}}" },
      data: { long: "x".repeat(100_000) },
      channels: { email: { override: { attachments } } },
    });
    const resent = await world.settle(world.pipeline.desk.resend(id as string as MessageId, "key:test"));
    assert.ok(resent.kind === "resent");
    await world.quiet(300);
    const [, second = assert.fail("it was sent once")] = world.provider.seen;
    assert.ok(second.content.channel === "email");
    const [attachment = assert.fail("no attachment")] = second.content.attachments;
    assert.ok(attachment.blob.startsWith(resent.messageId));
    await world.blobs.delete([`${id}-a0`, `${id}-f0`]);
    await world.restart();
    assert.equal((await world.settle(world.pipeline.desk.output(resent.messageId)))?.length, 1);
  });

  for (const [what, message] of Object.entries({
    "no recipient": { content: hello },
    "neither content nor template": { to: { email: "a@example.com" } },
    "both": { to: { email: "a@example.com" }, content: hello, template: "t" },
    "a line break in the address": { to: { email: "a@example.com\r\nBcc: all@example.com" }, content: hello },
    "an audience": { to: { audience_id: "vip" }, content: hello },
    "a user and a list": { to: { user_id: "a", list_id: "b" }, content: hello },
    "a bad pattern": { to: { list_pattern: "**" }, content: hello },
    "an endless loop of routing": {
      to: { email: "a@example.com" },
      content: hello,
      routing: { method: "all", channels: [] },
    },
    "a timeout that is no number": {
      to: { email: "a@example.com" },
      content: hello,
      channels: { email: { timeouts: { provider: "soon" } } },
    },
    "a delay of a century": { to: { email: "a@example.com" }, content: hello, delay: { duration: 1e13 } },
  })) {
    test(`${what} is refused with a sentence, and nothing is kept`, async () => {
      const world = await World.start();
      const accepted = await world.send(message);
      assert.ok(accepted.kind === "refused", JSON.stringify(accepted));
      assert.match(accepted.problem.message, /message/);
      assert.equal((await world.settle(world.store.journalBounds())).last, 0);
    });
  }
});
