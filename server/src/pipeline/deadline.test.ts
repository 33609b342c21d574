import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LISTS, PROFILES, SUBSCRIPTIONS, subscriptionId } from "#directory/collections.ts";
import type { LatePolicy } from "#domain/deadline.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import { isSettled } from "#domain/message.ts";
import { COLLAPSING, tidyCollapsing } from "#pipeline/collapse.ts";
import { ScriptedProvider, World, type WorldOptions } from "../../test/support/world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const words = { title: "Your code", body: "123" };
const toAda = { to: { email: "ada@example.com" }, content: words };

/** A message to Ada with a deadline; `code` tells mails apart. */
function late(deadline: JsonObject, code = "Your code", more: JsonObject = {}): JsonObject {
  return { ...toAda, content: { ...words, title: code }, deadline, ...more };
}

async function send(world: World, message: JsonObject): Promise<RequestId> {
  const accepted = await world.send(message);
  assert.ok(accepted.kind === "accepted", JSON.stringify(accepted));
  return accepted.requestId;
}

async function record(world: World, id: string) {
  // The ids are those that the test was given.
  const [found] = await world.settle(world.store.messages([id as MessageId]));
  return found ?? assert.fail(`no message ${id}`);
}

async function why(world: World, id: string) {
  return (await world.settle(world.pipeline.desk.why(id as MessageId))) ?? assert.fail(`no message ${id}`);
}

async function types(world: World, id: string): Promise<readonly string[]> {
  return (await world.settle(world.store.eventsOf(id, 50))).map(({ type }) => type);
}

/** The provider is away: every try fails until it is told otherwise. */
function outage(provider: ScriptedProvider): { end(): void } {
  let over = false;
  provider.answer = () =>
    over ? { kind: "sent", reference: {} } : { kind: "retry", reason: "connection refused", whole: true };
  return {
    end() {
      over = true;
      provider.seen.length = 0;
    },
  };
}

const titles = (provider: ScriptedProvider): string[] =>
  provider.seen.map(({ content }) => (content.channel === "email" ? content.subject : content.channel)).toSorted();

async function joinList(world: World, list: string, users: readonly string[]): Promise<void> {
  await world.put(LISTS, list, { name: list, preferences: null, deletedMs: null });
  for (const user of users) {
    await world.put(PROFILES, user, { email: `${user}@example.com`, name: user });
    await world.put(SUBSCRIPTIONS, subscriptionId(list, user), { preferences: null, data: null }, [["user", user]]);
  }
}

async function collapsing(world: World): Promise<readonly string[]> {
  const found = await world.settle(world.store.listDocuments({ collection: COLLAPSING, limit: 1_000 }));
  return found.map(({ id }) => id);
}

describe("a message that is sent in time", () => {
  test("is like any other, and why names its deadline", async () => {
    const world = await World.start();
    const id = await send(world, late({ in: "PT15M" }));
    const { status, reason, error } = await record(world, id);
    assert.deepEqual({ status, reason, error }, { status: "SENT", reason: null, error: null });
    assert.deepEqual(await types(world, id), [
      "message.accepted",
      "message.routed",
      "message.rendered",
      "message.sent",
    ]);
    const { answer, rule, deadline } = await why(world, id);
    const time = new Date(world.clock.nowMs() + 15 * MINUTE_MS).toISOString();
    assert.match(answer, new RegExp(`In time: its deadline was ${time}\\.$`));
    assert.equal(rule, null);
    assert.deepEqual(deadline, { atMs: Date.parse(time), late: "drop", byMs: null, rule: null });
  });

  test("whatever it says of being late", async () => {
    const world = await World.start();
    for (const policy of ["drop", "send", "collapse"]) {
      await send(world, late({ in: 1_000, late: policy, ...(policy === "collapse" ? { collapse_key: "k" } : {}) }));
    }
    assert.equal(world.provider.seen.length, 3);
  });

  test("leaves nothing behind when it has none: no payload, no document", async () => {
    const world = await World.start();
    outage(world.provider);
    const id = await send(world, { ...toAda, delay: { duration: HOUR_MS } });
    const [job] = await world.settle(world.store.jobs([id]));
    assert.equal(job?.payload, "");
    assert.deepEqual(await collapsing(world), []);
    assert.equal((await why(world, id)).deadline, null);
  });
});

describe("late, and dropped", () => {
  test("ends at its deadline, not at the next try, and tells of the last one", async () => {
    const world = await World.start();
    outage(world.provider);
    const id = await send(world, late({ in: "PT10M", late: "drop" }));
    const acceptedMs = world.clock.nowMs();
    const due = await why(world, id);
    assert.match(due.answer, /Its deadline is .*; then it is dropped\.$/);
    while (!isSettled((await record(world, id)).status) && world.clock.nowMs() < acceptedMs + HOUR_MS) {
      await world.pass(1_000);
    }
    assert.equal(world.clock.nowMs(), acceptedMs + 10 * MINUTE_MS);
    const { status, reason, error } = await record(world, id);
    assert.deepEqual({ status, reason }, { status: "UNDELIVERABLE", reason: "FAILED" });
    assert.match(error ?? "", /^the deadline of \S+Z has passed; the last try: (connection refused|smtp rests.*)$/);
    const { answer, rule, deadline } = await why(world, id);
    assert.match(rule ?? "", /^deadline of \S+Z, late by 0 ms: dropped as asked$/);
    assert.match(answer, /^No \(UNDELIVERABLE, FAILED\): the deadline/);
    assert.deepEqual(deadline, { atMs: acceptedMs + 10 * MINUTE_MS, late: "drop", byMs: 0, rule });
    assert.deepEqual(await world.settle(world.store.deadJobs({ queue: null, after: null, limit: 10 })), []);
  });

  test("when the server itself was away: what waited is not sent when it is back", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    const id = await send(world, late({ in: "PT1H", late: "drop" }));
    world.die();
    away.end();
    world.clock.advance(3 * HOUR_MS);
    await world.restart();
    await world.pass(5_000);
    assert.equal(world.provider.seen.length, 0);
    assert.match((await why(world, id)).rule ?? "", /late by 2 h( \d min)?: dropped as asked$/);
  });

  test("keeps its deadline over a restart, and is sent when there is still time", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    const id = await send(world, late({ in: "PT1H", late: "drop" }));
    world.die();
    away.end();
    world.clock.advance(HOUR_MS / 2);
    await world.restart();
    await world.pass(5_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.equal((await why(world, id)).deadline?.byMs, null);
  });

  test("one that has passed when the call comes is late, not refused: a retried call is treated like a queue", async () => {
    const world = await World.start();
    const at = new Date(world.clock.nowMs() - MINUTE_MS).toISOString();
    const dropped = await send(world, late({ at, late: "drop" }));
    const sent = await send(world, late({ at, late: "send" }));
    assert.equal((await record(world, dropped)).status, "UNDELIVERABLE");
    assert.equal((await record(world, sent)).status, "SENT");
    assert.deepEqual(await types(world, dropped), ["message.accepted", "message.undeliverable"]);
    assert.match((await why(world, dropped)).rule ?? "", /late by 1 min: dropped as asked/);
  });

  test("a send to a list that begins late gives each recipient one outcome, and nobody a mail", async () => {
    const world = await World.start();
    await joinList(world, "codes", ["ada", "grace", "lin"]);
    const at = world.clock.nowMs() - MINUTE_MS;
    const id = await send(world, { to: { list_id: "codes" }, content: words, deadline: { at } });
    await world.pass(1_000);
    assert.deepEqual({ ...(await world.settle(world.store.countOutcomes(id))) }, { UNDELIVERABLE: 3 });
    assert.equal(world.provider.seen.length, 0);
  });

  test("while it waits at the gate: the provider is not called any more", async () => {
    const clogged = new ScriptedProvider();
    const world = await World.start({ providers: [clogged] });
    clogged.answer = async () => {
      await new Promise<void>((done) => void world.clock.after(2_000, done));
      return { kind: "sent", reference: {} };
    };
    const ids: string[] = [];
    for (let at = 0; at < 25; at += 1) ids.push(await send(world, late({ in: 3_000 })));
    await world.pass(10_000, 100);
    const statuses = await Promise.all(ids.map(async (id) => (await record(world, id)).status));
    assert.equal(statuses.filter((status) => status === "SENT").length, clogged.seen.length);
    assert.equal(clogged.seen.length, 20, "two rounds of ten began before the deadline");
    assert.equal(statuses.filter((status) => status === "UNDELIVERABLE").length, 5);
  });

  test("tries what else there is before the deadline, rather than waiting for a try that would be too late", async () => {
    const [smtp, ses] = [new ScriptedProvider("smtp"), new ScriptedProvider("ses")];
    const world = await World.start({ providers: [smtp, ses] });
    smtp.answer = () => ({ kind: "retry", reason: "429", afterMs: HOUR_MS });
    const id = await send(world, late({ in: "PT10M", late: "drop" }));
    assert.deepEqual([smtp.seen.length, ses.seen.length], [1, 1]);
    assert.equal((await record(world, id)).provider, "ses");
  });

  test("gives up the ways that are left when one of several has taken it, and stays sent", async () => {
    const [smtp, texts] = [new ScriptedProvider("smtp"), new ScriptedProvider("texts", ["sms"])];
    const world = await World.start({ providers: [smtp, texts] });
    outage(texts);
    const id = await send(world, {
      ...late({ in: "PT10M", late: "drop" }),
      to: { email: "ada@example.com", phone_number: "+49301234" },
      routing: { method: "all", channels: ["email", "sms"] },
    });
    await world.pass(15 * MINUTE_MS);
    const tried = texts.seen.length;
    await world.pass(HOUR_MS, 10_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.equal(texts.seen.length, tried);
    assert.equal(smtp.seen.length, 1);
    assert.deepEqual(await world.settle(world.store.jobs([id])), [null]);
    assert.match(
      (await why(world, id)).answer,
      /^Yes: .* Other ways were given up \(deadline of .*: dropped as asked\)\.$/,
    );
  });
});

describe("late, with a way that waits for a person", () => {
  test("is given up, and what waits stays a dead letter to decide on", async () => {
    const [smtp, texts] = [new ScriptedProvider("smtp"), new ScriptedProvider("texts", ["sms"])];
    const world = await World.start({ providers: [smtp, texts] });
    smtp.answer = () => ({ kind: "unknown", reason: "no answer" });
    outage(texts);
    const id = await send(world, {
      ...late({ in: "PT10M", late: "drop" }),
      to: { email: "ada@example.com", phone_number: "+49301234" },
      routing: { method: "all", channels: ["email", "sms"] },
      timeout: { unknown: "hold" },
    });
    await world.pass(15 * MINUTE_MS, 10_000);
    assert.match((await record(world, id)).error ?? "", /held until someone decides/);
    assert.notEqual(await world.settle(world.store.deadJob(id)), null);
    assert.equal(smtp.seen.length, 1);
  });
});

describe("a deadline counts", () => {
  test("from the end of the delay, so that a delay makes nobody late", async () => {
    const world = await World.start();
    const id = await send(world, late({ in: "PT5M" }, "Your code", { delay: { duration: 2 * HOUR_MS } }));
    await world.pass(2 * HOUR_MS + 1_000, 10_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.equal((await why(world, id)).deadline?.byMs, null);
  });

  test("from there also when that was missed", async () => {
    const world = await World.start();
    const id = await send(world, late({ in: "PT5M" }, "Your code", { delay: { duration: 2 * HOUR_MS } }));
    world.die();
    world.clock.advance(2 * HOUR_MS + 6 * MINUTE_MS);
    await world.restart();
    await world.pass(5_000);
    assert.match((await why(world, id)).rule ?? "", /late by 1 min( \d s)?: dropped/);
    assert.equal(world.provider.seen.length, 0);
  });

  test("from the recipient's own hours, however long the night", async () => {
    const world = await World.start();
    await world.put(PROFILES, "ada", { email: "ada@example.com", zoneinfo: "UTC" });
    const now = new Date(world.clock.nowMs());
    const opens = new Date(now.getTime() + 3 * HOUR_MS);
    const hour = (date: Date): string => `${String(date.getUTCHours()).padStart(2, "0")}:00`;
    const until = `${hour(opens)}-${hour(new Date(opens.getTime() + HOUR_MS))}`;
    const message = { to: { user_id: "ada" }, content: words, delay: { until } };
    const sent = await send(world, { ...message, deadline: { in: "PT30M" } });
    const closed = await send(world, { ...message, deadline: { at: now.getTime() + MINUTE_MS } });
    await world.pass(2 * MINUTE_MS);
    assert.equal((await record(world, closed)).status, "UNDELIVERABLE", "it could only have been late");
    assert.equal((await record(world, sent)).status, "DELAYED");
    await world.pass(3 * HOUR_MS, 30_000);
    assert.equal((await record(world, sent)).status, "SENT");
    assert.equal((await why(world, sent)).deadline?.byMs, null);
  });
});

describe("late, and sent", () => {
  test("is sent anyway, and the journal says once by how much", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    const id = await send(world, late({ in: "PT5M", late: "send" }));
    await world.pass(2 * HOUR_MS, 10_000);
    away.end();
    await world.pass(3 * HOUR_MS, 10_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.equal(world.provider.seen.length, 1);
    assert.equal((await types(world, id)).filter((type) => type === "message.late").length, 1);
    const { answer, rule, deadline } = await why(world, id);
    assert.match(rule ?? "", /^deadline of \S+Z, late by .*: sent as asked$/);
    assert.match(answer, /^Yes: .* It was late \(deadline of/);
    assert.equal(deadline?.late, "send");
    assert.ok((deadline?.byMs ?? 0) > 0);
  });
});

describe("late, and collapsed", () => {
  const key = { late: "collapse", collapse_key: "price" };

  async function afterOutage(messages: readonly JsonObject[], options: WorldOptions = {}) {
    const world = await World.start(options);
    const away = outage(world.provider);
    const ids: string[] = [];
    for (const message of messages) ids.push(await send(world, message));
    world.die();
    away.end();
    world.clock.advance(HOUR_MS);
    await world.restart();
    await world.pass(30_000);
    return { world, ids, records: await Promise.all(ids.map((id) => record(world, id))) };
  }

  test("becomes the newest of the same key to the same person; the others say into which", async () => {
    const { world, ids, records } = await afterOutage([
      late({ in: "PT5M", ...key }, "10"),
      late({ in: "PT5M", ...key }, "11"),
      late({ in: "PT5M", ...key }, "12"),
    ]);
    assert.deepEqual(titles(world.provider), ["12"]);
    assert.deepEqual(
      records.map(({ status, reason }) => [status, reason]),
      [
        ["FILTERED", "FILTERED"],
        ["FILTERED", "FILTERED"],
        ["SENT", null],
      ],
    );
    const [first = "", , last = ""] = ids;
    assert.match((await why(world, first)).rule ?? "", new RegExp(`late by .*: collapsed into ${last} as asked$`));
    assert.match((await why(world, last)).rule ?? "", /late by .*: sent as the newest of its kind, as asked$/);
  });

  test("two late ones and one in time: the one in time is sent, and stands for the others", async () => {
    const { world, records } = await afterOutage([
      late({ in: "PT5M", ...key }, "10"),
      late({ in: "PT5M", ...key }, "11"),
      late({ in: "PT3H", ...key }, "12"),
    ]);
    assert.deepEqual(titles(world.provider), ["12"]);
    assert.deepEqual(
      records.map(({ status }) => status),
      ["FILTERED", "FILTERED", "SENT"],
    );
  });

  test("an older one in time is sent beside the newest", async () => {
    const { world } = await afterOutage([late({ in: "PT3H", ...key }, "10"), late({ in: "PT5M", ...key }, "11")]);
    assert.deepEqual(titles(world.provider), ["10", "11"]);
  });

  test("other people and other keys are left alone", async () => {
    const { world } = await afterOutage([
      late({ in: "PT5M", ...key }, "10"),
      late({ in: "PT5M", ...key, collapse_key: "weather" }, "rain"),
      { ...late({ in: "PT5M", ...key }, "20"), to: { email: "grace@example.com" } },
      late({ in: "PT5M", ...key }, "11", { to: { email: "ADA@example.com" } }),
    ]);
    assert.deepEqual(titles(world.provider), ["11", "20", "rain"]);
  });

  test("the event's name is the key when none is given", async () => {
    const price = { metadata: { event: "price" } };
    const { world } = await afterOutage([
      late({ in: "PT5M", late: "collapse" }, "10", price),
      late({ in: "PT5M", late: "collapse" }, "rain", { metadata: { event: "weather" } }),
      late({ in: "PT5M", late: "collapse" }, "11", price),
    ]);
    assert.deepEqual(titles(world.provider), ["11", "rain"]);
  });

  test("one that is to come only later does not stand for those whose time has come", async () => {
    const { world } = await afterOutage([
      late({ in: "PT5M", ...key }, "now"),
      late({ in: "PT5M", ...key }, "tomorrow", { delay: { duration: 24 * HOUR_MS } }),
    ]);
    assert.deepEqual(titles(world.provider), ["now"]);
    await world.pass(24 * HOUR_MS, MINUTE_MS);
    assert.deepEqual(titles(world.provider), ["now", "tomorrow"]);
  });

  test("one that was cancelled stands for nobody", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    await send(world, late({ in: "PT5M", ...key }, "10"));
    const taken = await send(world, late({ in: "PT5M", ...key }, "11"));
    await world.pass(2_000);
    const canceled = await world.settle(world.pipeline.desk.cancel(taken as string as MessageId));
    assert.equal(canceled.kind, "canceled");
    world.die();
    away.end();
    world.clock.advance(HOUR_MS);
    await world.restart();
    await world.pass(30_000);
    assert.deepEqual(titles(world.provider), ["10"]);
  });

  test("none collapses into an older one, even where its own document was lost", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    for (const code of ["10", "11"]) await send(world, late({ in: "PT5M", ...key }, code));
    const [, own = ""] = await collapsing(world);
    await world.settle(world.engine.commit({ deletes: [{ collection: COLLAPSING, id: own }] }));
    world.die();
    away.end();
    world.clock.advance(HOUR_MS);
    await world.restart();
    await world.pass(30_000);
    assert.deepEqual(titles(world.provider), ["10", "11"]);
  });

  test("a repeated call is one message", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    const message = late({ in: "PT5M", ...key }, "10");
    const first = await world.send(message, { key: "once" });
    const again = await world.send(message, { key: "once" });
    assert.deepEqual([first.kind, again.kind], ["accepted", "repeated"]);
    assert.equal((await collapsing(world)).length, 1);
    world.die();
    away.end();
    world.clock.advance(HOUR_MS);
    await world.restart();
    await world.pass(30_000);
    assert.deepEqual(titles(world.provider), ["10"]);
  });

  test("of two sends to a list everyone gets the newer one, whichever was expanded first", async () => {
    const world = await World.start();
    await joinList(world, "traders", ["ada", "grace", "lin"]);
    const away = outage(world.provider);
    const older = await send(world, { to: { list_id: "traders" }, content: words, deadline: { in: "PT5M", ...key } });
    const newer = await send(world, {
      to: [{ user_id: "ada" }, { list_id: "traders" }],
      content: { ...words, title: "newer" },
      deadline: { in: "PT5M", ...key },
    });
    await world.pass(1_000);
    world.die();
    away.end();
    world.clock.advance(HOUR_MS);
    await world.restart();
    await world.pass(30_000);
    assert.deepEqual(titles(world.provider), ["newer", "newer", "newer"]);
    assert.deepEqual({ ...(await world.settle(world.store.countOutcomes(older))) }, { FILTERED: 3 });
    assert.deepEqual({ ...(await world.settle(world.store.countOutcomes(newer))) }, { SENT: 3 });
  });
});

describe("the defaults of the server", () => {
  const deadlines = { inMs: 5 * MINUTE_MS, late: "drop" } as const;

  test("hold for a send that says nothing, and why says that they do", async () => {
    const world = await World.start({ deadlines });
    outage(world.provider);
    const id = await send(world, toAda);
    await world.pass(6 * MINUTE_MS);
    assert.match((await why(world, id)).rule ?? "", /^default deadline of \S+, late by 0 ms: dropped by default$/);
  });

  test("fill in what a send leaves open", async () => {
    const world = await World.start({ deadlines });
    const away = outage(world.provider);
    const policy = await send(world, { ...toAda, deadline: { late: "send" } });
    const time = await send(world, { ...toAda, deadline: { in: "PT30M" } });
    await world.pass(HOUR_MS, 10_000);
    away.end();
    await world.pass(2 * HOUR_MS, 10_000);
    assert.match((await why(world, policy)).rule ?? "", /^default deadline of \S+, late by .*: sent as asked$/);
    assert.match((await why(world, time)).rule ?? "", /^deadline of \S+, late by 0 ms: dropped by default$/);
  });

  test("that collapse send what cannot be told apart", async () => {
    const world = await World.start({ deadlines: { inMs: 1_000, late: "collapse" } });
    const away = outage(world.provider);
    for (const code of ["1", "2"]) await send(world, { ...toAda, content: { ...words, title: code } });
    for (const code of ["old", "new"]) {
      await send(world, { ...toAda, content: { ...words, title: code }, metadata: { event: "price" } });
    }
    world.die();
    away.end();
    world.clock.advance(HOUR_MS);
    await world.restart();
    await world.pass(30_000);
    assert.deepEqual(titles(world.provider), ["1", "2", "new"]);
  });
});

describe("a person who sends again means it", () => {
  test("a resend has no deadline", async () => {
    const world = await World.start();
    const id = await send(world, late({ at: new Date(world.clock.nowMs() - MINUTE_MS).toISOString() }));
    assert.equal((await record(world, id)).status, "UNDELIVERABLE");
    const resent = await world.settle(world.pipeline.desk.resend(id as string as MessageId, "key:test"));
    await world.quiet();
    assert.ok(resent.kind === "resent");
    assert.equal((await record(world, resent.messageId)).status, "SENT");
    assert.equal((await why(world, resent.messageId)).deadline, null);
  });

  test("a dead letter that is re-driven past its deadline is sent", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    const id = await send(world, { ...late({ in: "PT2H" }), timeout: { message: 1_000 } });
    await world.pass(10 * MINUTE_MS, 10_000);
    assert.equal((await record(world, id)).status, "UNDELIVERABLE");
    away.end();
    await world.pass(3 * HOUR_MS, 60_000);
    await world.settle(world.engine.settleDead(id, "revive"));
    await world.pass(5_000);
    assert.equal((await record(world, id)).status, "SENT");
    assert.equal((await why(world, id)).deadline, null);
  });
});

describe("what collapsing keeps", () => {
  const key = { in: "PT5M", late: "collapse", collapse_key: "price" };

  test("goes when nothing older waits, and only then", async () => {
    const world = await World.start();
    const away = outage(world.provider);
    for (const code of ["10", "11"]) await send(world, late(key, code));
    world.provider.answer = () => ({ kind: "sent", reference: {} });
    for (const code of ["12", "13"]) await send(world, late(key, code));
    await world.pass(2 * MINUTE_MS, 500);
    outage(world.provider);
    assert.equal((await collapsing(world)).length, 4);
    await world.settle(tidyCollapsing(world.engine));
    assert.equal((await collapsing(world)).length, 0, "all four were sent");
    const old = await send(world, late(key, "14"));
    away.end();
    await world.pass(2 * MINUTE_MS);
    await world.settle(tidyCollapsing(world.engine));
    assert.equal((await collapsing(world)).length, 1, "it waits");
    assert.equal(isSettled((await record(world, old)).status), false);
  });

  test("keeps the newest, though it was sent, while an older one may ask", async () => {
    const world = await World.start();
    let away = true;
    world.provider.answer = ({ content }) =>
      away && content.channel === "email" && content.subject === "old"
        ? { kind: "retry", reason: "busy", afterMs: HOUR_MS }
        : { kind: "sent", reference: {} };
    const old = await send(world, late(key, "old"));
    for (const code of ["1", "2", "3", "4", "5"]) {
      await send(world, late(key, code));
      await world.pass(1_000);
    }
    await world.pass(2 * MINUTE_MS);
    const tidied = tidyCollapsing(world.engine, 2);
    await world.pass(1_000, 30);
    assert.equal(await tidied, 4, "1 to 4 are not needed: 5 stands for them");
    away = false;
    await world.pass(2 * HOUR_MS, 10_000);
    assert.equal((await record(world, old)).status, "FILTERED");
    await world.settle(tidyCollapsing(world.engine));
    assert.deepEqual(await collapsing(world), []);
  });

  test("the mark of a send to many goes when it is expanded", async () => {
    const world = await World.start();
    await joinList(world, "traders", ["ada", "grace"]);
    await send(world, { to: { list_id: "traders" }, content: words, deadline: key });
    await world.pass(2 * MINUTE_MS);
    assert.equal((await collapsing(world)).length, 3);
    await world.settle(tidyCollapsing(world.engine));
    assert.deepEqual(await collapsing(world), []);
  });
});

describe("what is refused", () => {
  const cases: readonly (readonly [deadline: JsonObject, sentence: RegExp, more?: JsonObject])[] = [
    [{}, /neither at nor in/],
    [{ at: "2030-01-01T00:00:00Z", in: 5 }, /both at and in/],
    [{ at: "2030-01-01T00:00:00" }, /deadline\.at must be an ISO 8601 time with its zone/],
    [{ at: "tomorrow" }, /deadline\.at must be/],
    [{ at: 12 }, /more than a year back/],
    [{ at: 9e15 }, /more than a year ahead/],
    [{ in: 0 }, /deadline\.in must be more than 0/],
    [{ in: "P1M" }, /deadline\.in must be more than 0/],
    [{ in: "P3Y" }, /deadline\.in must be/],
    [{ in: "P400D" }, /more than a year/],
    [{ in: 5, late: "later" }, /deadline\.late must be/],
    [{ in: 5, late: "collapse" }, /needs a collapse_key/],
    [{ in: 5, late: "collapse", collapse_key: "" }, /1 to 256 characters/],
    [{ in: 5, late: "collapse", collapse_key: "k".repeat(257) }, /1 to 256 characters/],
    [{ in: 5, late: "drop", collapse_key: "k" }, /goes with late: "collapse"/],
  ];
  for (const [deadline, sentence] of cases) {
    test(JSON.stringify(deadline).slice(0, 80), async () => {
      const world = await World.start();
      const refused = await world.send(late(deadline));
      assert.ok(refused.kind === "refused", refused.kind);
      assert.equal(refused.problem.code, "request.invalid");
      assert.match(refused.problem.message, sentence);
    });
  }

  test("a deadline before the end of the delay", async () => {
    const world = await World.start();
    const at = world.clock.nowMs() + MINUTE_MS;
    const refused = await world.send(late({ at }, "Your code", { delay: { duration: HOUR_MS } }));
    assert.ok(refused.kind === "refused");
    assert.match(refused.problem.message, /before the end of message\.delay/);
  });
});

test("whatever comes together: one outcome each, at most one late one of a key is sent, and it is the newest", async () => {
  const policies: readonly LatePolicy[] = ["drop", "send", "collapse"];
  const sends = fc.array(
    fc.record({
      policy: fc.constantFrom(...policies),
      key: fc.constantFrom("a", "b"),
      inMs: fc.integer({ min: 1, max: 12 }).map((minutes) => minutes * MINUTE_MS),
      delayMs: fc.constantFrom(0, 0, 5 * MINUTE_MS),
      toList: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(sends, fc.integer({ min: 1, max: 16 }), fc.boolean(), async (wishes, awayMinutes, restarts) => {
      const world = await World.start();
      await joinList(world, "one", ["ada"]);
      const away = outage(world.provider);
      const ids: string[] = [];
      for (const [at, { policy, key, inMs, delayMs, toList }] of wishes.entries()) {
        const request = await send(world, {
          to: toList ? { list_id: "one" } : { user_id: "ada" },
          content: { ...words, title: String(at) },
          deadline: { in: inMs, late: policy, ...(policy === "collapse" ? { collapse_key: key } : {}) },
          ...(delayMs === 0 ? {} : { delay: { duration: delayMs } }),
        });
        ids.push(toList ? `${request}:ada` : request);
      }
      await world.pass(1_000);
      if (restarts) {
        world.die();
        world.clock.advance(awayMinutes * MINUTE_MS);
        away.end();
        await world.restart();
      } else {
        await world.pass(awayMinutes * MINUTE_MS, 20_000);
        away.end();
      }
      await world.pass(HOUR_MS, MINUTE_MS);
      const lateSent = new Map<string, number[]>();
      for (const [at, id] of ids.entries()) {
        const wish = wishes[at] ?? assert.fail();
        const events = await types(world, id);
        const ends = events.filter((type) => /sent$|undeliverable$|filtered$/.test(type));
        assert.equal(ends.length, 1, `${id}: ${events.join(" ")}`);
        const isSent = ends[0] === "message.sent";
        const { deadline } = await why(world, id);
        if (deadline?.byMs === null) assert.ok(isSent, "what is in time is sent");
        if (wish.policy === "drop" && deadline?.byMs !== null) assert.ok(!isSent);
        if (wish.policy === "send") assert.ok(isSent);
        if (ends[0] === "message.filtered") {
          const into = ids.findIndex((other) => deadline?.rule?.endsWith(`collapsed into ${other} as asked`));
          const by = wishes[into] ?? assert.fail(`${id} collapsed into nothing: ${deadline?.rule}`);
          assert.ok(by.policy === "collapse" && by.key === wish.key);
          assert.ok(by.delayMs > wish.delayMs || (by.delayMs === wish.delayMs && into > at), "into a newer one");
        }
        const isLate = isSent && deadline?.byMs !== null && wish.policy === "collapse";
        if (isLate) lateSent.set(wish.key, [...(lateSent.get(wish.key) ?? []), at]);
      }
      for (const [key, sent] of lateSent) {
        assert.equal(sent.length, 1, `late ones sent for ${key}: ${sent.join(", ")}`);
      }
      await world.settle(tidyCollapsing(world.engine));
      assert.deepEqual(await collapsing(world), []);
    }),
    { numRuns: 25 },
  );
});
