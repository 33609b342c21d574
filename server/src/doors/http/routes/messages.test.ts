import assert from "node:assert/strict";
import { test } from "node:test";
import Courier, { ConflictError, NotFoundError } from "@trycourier/courier";
import { openHttpDoor } from "#doors/http/door.ts";
import type { NewEvent } from "#domain/event.ts";
import { memberMessageId, type MessageId, newRequestId, type RequestId, soleMessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { MessagePatch, NewMessage } from "#domain/message.ts";
import type { Engine } from "#engine/engine.ts";
import type { MessageDesk } from "#pipeline/message-desk.ts";
import { AUTH, emptyDesk, FULL_KEY, givenHouse } from "../../../../test/given-http.ts";

const START_MS = Date.UTC(2026, 10, 22);
const requestId = (n: number): RequestId => newRequestId(START_MS + n * 1000, String(n).padStart(24, "0"));
const messageId = (n: number): MessageId => soleMessageId(requestId(n));

function message(n: number, fields: Partial<NewMessage> = {}): NewMessage {
  return {
    id: messageId(n),
    requestId: requestId(n),
    toIndex: 0,
    recipient: "ada",
    userId: "ada",
    listId: null,
    event: "",
    notification: "",
    traceId: null,
    tags: [],
    status: "ENQUEUED",
    enqueuedMs: START_MS + n * 1000,
    ...fields,
  };
}

function event(id: MessageId, type: string, atMs: number, data: JsonObject = {}): NewEvent {
  return { type, subject: id, timeMs: START_MS + atMs, data: JSON.stringify(data), traceparent: null };
}

async function keep(
  engine: Engine,
  messages: readonly NewMessage[],
  patches: readonly MessagePatch[] = [],
  events: readonly NewEvent[] = [],
) {
  const requests = messages.map(({ requestId: id, enqueuedMs }) => ({
    id,
    body: "{}",
    acceptedMs: enqueuedMs,
    lane: "transactional" as const,
    traceparent: null,
    archivedMs: null,
  }));
  await engine.submit({
    requests: [...new Map(requests.map((one) => [one.id, one])).values()],
    messages: messages.map((one) => ({ message: one, job: null, events: [] })),
    patches,
    events,
  });
}

async function listed(app: Awaited<ReturnType<typeof givenHouse>>["app"], query: string) {
  const answer = await app.inject({ url: `/messages${query}`, headers: AUTH });
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json<{ results: { id: string }[]; paging: { more: boolean; cursor: string | null } }>();
}

test("messages come newest first, ten to a page, each once", async () => {
  await using given = await givenHouse();
  await keep(
    given.house.engine,
    Array.from({ length: 25 }, (_, n) => message(n)),
  );
  const seen: string[] = [];
  const sizes: number[] = [];
  for (let query = ""; ; ) {
    const { results, paging } = await listed(given.app, query);
    seen.push(...results.map(({ id }) => id));
    sizes.push(results.length);
    if (paging.cursor === null) {
      assert.equal(paging.more, false);
      break;
    }
    query = `?cursor=${paging.cursor}`;
  }
  assert.deepEqual(sizes, [10, 10, 5]);
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, n) => messageId(24 - n)),
  );
  assert.equal((await listed(given.app, "?limit=25")).results.length, 25);
});

test("filters narrow down: AND between them, OR inside one, joined by commas or repeated", async () => {
  await using given = await givenHouse();
  await keep(
    given.house.engine,
    [
      message(0, { tags: ["red"], event: "welcome" }),
      message(1, { tags: ["blue"], recipient: "eve@example.com" }),
      message(2, { tags: ["green"], listId: "news", traceId: "t-7" }),
    ],
    [
      { id: messageId(0), status: "SENT" },
      { id: messageId(1), status: "UNROUTABLE" },
    ],
  );
  const found = async (query: string) =>
    (await listed(given.app, query)).results.map(({ id }) =>
      [messageId(0), messageId(1), messageId(2)].indexOf(id as MessageId),
    );
  assert.deepEqual(await found("?status=SENT,UNROUTABLE"), [1, 0]);
  assert.deepEqual(await found("?status=SENT&status=UNROUTABLE"), [1, 0]);
  assert.deepEqual(await found("?status=sent,ENQUEUED&status=UNROUTABLE"), [2, 1, 0]);
  assert.deepEqual(await found("?tag=red&tags=green,blue"), [2, 1, 0]);
  assert.deepEqual(await found("?tag=red&status=UNROUTABLE"), []);
  assert.deepEqual(await found("?recipient=eve%40example.com"), [1]);
  assert.deepEqual(await found("?list=news"), [2]);
  assert.deepEqual(await found("?traceId=t-7"), [2]);
  assert.deepEqual(await found(`?traceId=${requestId(1)}`), [1]);
  assert.deepEqual(await found("?event=welcome"), [0]);
  assert.deepEqual(await found(`?messageId=${messageId(1)}`), [1]);
  assert.deepEqual(await found(`?enqueued_after=${START_MS + 1500}`), [2]);
  assert.deepEqual(
    await found(`?enqueued_after=${encodeURIComponent(new Date(START_MS + 500).toISOString())}`),
    [2, 1],
  );
  assert.deepEqual(await found("?tenant_id=acme"), []);
});

test("a message shows its strings as strings, its times as numbers, and every provider that was tried", async () => {
  await using given = await givenHouse();
  const id = memberMessageId(requestId(1), "ada:b/c%");
  await keep(
    given.house.engine,
    [message(1, { id, listId: "news" })],
    [{ id, status: "SENT", channel: "sms", provider: "twilio", sentMs: START_MS + 9 }],
    [
      event(id, "message.retrying", 1, { channel: "email", provider: "smtp", reason: "451 busy", attempt: 1 }),
      event(id, "message.refused", 5, { channel: "email", provider: "smtp", reason: "550 no such user" }),
      event(id, "message.sent", 9, { channel: "sms", provider: "twilio", reference: { sid: "SM1" }, attempt: 1 }),
    ],
  );
  const answer = await given.app.inject({ url: `/messages/${encodeURIComponent(id)}`, headers: AUTH });
  assert.deepEqual(answer.json(), {
    id,
    status: "SENT",
    enqueued: START_MS + 1000,
    event: "",
    notification: "",
    recipient: "ada",
    requestId: requestId(1),
    sent: START_MS + 9,
    listId: "news",
    listMessageId: requestId(1),
    providers: [
      {
        provider: "smtp",
        channel: { key: "email", name: "email", template: "" },
        status: "UNDELIVERABLE",
        error: "550 no such user",
      },
      {
        provider: "twilio",
        channel: { key: "sms", name: "sms", template: "" },
        status: "SENT",
        sent: START_MS + 9,
        reference: { sid: "SM1" },
      },
    ],
  });
});

test("the history tells in Courier's words what the journal tells in ours", async () => {
  await using given = await givenHouse();
  const id = messageId(1);
  await keep(
    given.house.engine,
    [message(1)],
    [],
    [
      event(id, "message.accepted", 0, { recipient: "ada", event: "welcome", to: { user_id: "ada" } }),
      event(id, "message.delayed", 1, { untilMs: START_MS + 60_000 }),
      event(id, "message.routed", 2, {
        channels: [{ channel: "email", provider: "smtp" }],
        profile: { email: "ada@example.com" },
      }),
      event(id, "message.rendered", 3, { channel: "email", provider: "smtp", title: "Hello", digest: "d" }),
      event(id, "message.retrying", 4, {
        channel: "email",
        provider: "smtp",
        reason: "451",
        nextMs: START_MS + 9,
        attempt: 1,
      }),
      event(id, "message.failed_over", 5, { from: "smtp", to: "twilio", reason: "451" }),
      event(id, "message.unknown", 6, {}),
      event(id, "message.sparkled", 6, { what: "nobody knows" }),
      event(id, "message.undeliverable", 7, {
        reason: "BOUNCED",
        error: "550 gone",
        channel: "email",
        provider: "smtp",
      }),
    ],
  );
  const history = async (query = "") =>
    (await given.app.inject({ url: `/messages/${id}/history${query}`, headers: AUTH })).json<{
      results: JsonObject[];
    }>().results;
  const rows = await history();
  assert.deepEqual(
    rows.map(({ type }) => type),
    [
      "ENQUEUED",
      "DELAYED",
      "PROFILE_LOADED",
      "ROUTED",
      "RENDERED",
      "RETRY",
      "PROVIDER_ERROR",
      "PROVIDER_ERROR",
      "UNDELIVERABLE",
    ],
  );
  assert.deepEqual(rows[0], {
    type: "ENQUEUED",
    ts: START_MS,
    event: "welcome",
    recipient: "ada",
    profile: { user_id: "ada" },
  });
  assert.deepEqual(rows[8], {
    type: "UNDELIVERABLE",
    ts: START_MS + 7,
    channel: { id: "email" },
    integration: { id: "smtp", provider: "smtp" },
    reason: "BOUNCED",
    error_message: "550 gone",
  });
  const output = Object(rows[4]?.["output"]) as JsonObject;
  assert.equal(output["html"], `/messages/${id}/output/email/html`);
  assert.deepEqual(
    (await history("?type=DELAYED")).map(({ until }) => until),
    [START_MS + 60_000],
  );
});

test("the words can be read whole and piece by piece, and HTML of others runs nothing at our address", async () => {
  const desk: MessageDesk = {
    ...emptyDesk(),
    output: async () => [
      {
        channel: "email",
        provider: "smtp",
        title: "Hi",
        html: "<script>alert(1)</script>",
        text: "Hi Ada",
        blocks: [{ type: "text", text: "Hi Ada" }],
        content: null,
      },
    ],
  };
  await using given = await givenHouse({ desk });
  const get = (path: string) => given.app.inject({ url: `/messages/${messageId(1)}/output${path}`, headers: AUTH });
  assert.deepEqual((await get("")).json(), {
    results: [
      {
        channel: "email",
        channel_id: "smtp",
        content: {
          html: "<script>alert(1)</script>",
          title: "Hi",
          body: "Hi Ada",
          subject: "Hi",
          text: "Hi Ada",
          blocks: [{ type: "text", text: "Hi Ada" }],
        },
      },
    ],
  });
  const html = await get("/email/html");
  assert.match(String(html.headers["content-type"]), /^text\/html/);
  assert.match(String(html.headers["content-security-policy"]), /^sandbox; default-src 'none'/);
  assert.deepEqual(
    [(await get("/email/subject")).body, (await get("/email/soul")).statusCode, (await get("/sms/text")).statusCode],
    ["Hi", 404, 404],
  );
});

test("cancelling too late answers 409 with the message and asks for no retry", async () => {
  const record = {
    ...message(1),
    status: "SENT" as const,
    reason: null,
    error: null,
    channel: "email",
    provider: "smtp",
    sentMs: 5,
    deliveredMs: null,
    openedMs: null,
    clickedMs: null,
    canceledMs: null,
    archivedMs: null,
  };
  const desk: MessageDesk = {
    ...emptyDesk(),
    cancel: async (id) =>
      id === messageId(1)
        ? { kind: "refused", record }
        : { kind: "canceled", record: { ...record, status: "CANCELED", canceledMs: 7 } },
  };
  await using given = await givenHouse({ desk });
  const late = await given.app.inject({ method: "POST", url: `/messages/${messageId(1)}/cancel`, headers: AUTH });
  assert.deepEqual(
    [late.statusCode, late.headers["x-should-retry"], late.json<{ status: string }>().status],
    [409, "false", "SENT"],
  );
  const inTime = await given.app.inject({ method: "POST", url: `/messages/${messageId(2)}/cancel`, headers: AUTH });
  assert.deepEqual([inTime.statusCode, inTime.json<{ canceledAt: number }>().canceledAt], [200, 7]);
});

test("a request tells how many of its messages ended how, and whether that is all", async () => {
  await using given = await givenHouse();
  const members = [0, 1, 2].map((n) => message(7, { id: memberMessageId(requestId(7), `u${n}`) }));
  await keep(given.house.engine, members, [
    { id: memberMessageId(requestId(7), "u0"), status: "SENT" },
    { id: memberMessageId(requestId(7), "u1"), status: "UNROUTABLE" },
  ]);
  const report = async () =>
    (await given.app.inject({ url: `/requests/${requestId(7)}`, headers: AUTH })).json<JsonObject>();
  assert.deepEqual(await report(), {
    requestId: requestId(7),
    accepted: START_MS + 7000,
    archived: null,
    messages: 3,
    outcomes: { ENQUEUED: 1, SENT: 1, UNROUTABLE: 1 },
    settled: 2,
    pending: 1,
    complete: false,
    heldBack: false,
    dropped: null,
  });
  const fanOut = {
    key: `expand:${requestId(7)}`,
    queue: "expand",
    lane: "bulk" as const,
    turn: 1,
    dueMs: START_MS * 2,
    payload: "{}",
    traceparent: null,
  };
  await given.house.engine.submit({
    patches: [{ id: memberMessageId(requestId(7), "u2"), status: "SENT" }],
    jobs: [{ job: fanOut, hand: null }],
  });
  assert.deepEqual([(await report())["pending"], (await report())["complete"]], [0, false], "more may come");
  await given.house.engine.submit({ take: fanOut.key });
  assert.equal((await report())["complete"], true);
});

test("Courier's own client sends, lists, reads, is told of conflicts and of what is not there", async () => {
  const refusals = { count: 0 };
  const desk: MessageDesk = {
    ...emptyDesk(),
    cancel: async (id) => {
      refusals.count += 1;
      const [record] = await given.house.store.messages([id]);
      return record == null ? { kind: "unknown" } : { kind: "refused", record };
    },
    resend: async () => ({ kind: "resent", messageId: messageId(99) }),
    archive: async () => true,
  };
  await using given = await givenHouse({ desk });
  await using door = await openHttpDoor(given.house, { port: 0, host: "127.0.0.1" });
  const courier = new Courier({ apiKey: FULL_KEY, baseURL: door.url });
  const { requestId: sent } = await courier.send.message({
    message: {
      to: { email: "ada@example.com" },
      template: null,
      content: { version: "2022-01-01", elements: [{ type: "text", if: null }] },
    },
  });
  const retrieved = await courier.messages.retrieve(sent);
  assert.deepEqual(
    [retrieved.id, retrieved.status, retrieved.recipient, retrieved.providers],
    [sent, "ENQUEUED", "ada@example.com", []],
  );
  const page = await courier.messages.list({
    status: ["ENQUEUED", "SENT"],
    recipient: "ada@example.com",
    archived: false,
  });
  assert.deepEqual([page.results.map(({ id }) => id), page.paging.more], [[sent], false]);
  assert.deepEqual(
    (await courier.messages.history(sent)).results.map(({ type }) => type),
    ["ENQUEUED"],
  );
  await assert.rejects(courier.messages.cancel(sent), ConflictError);
  assert.equal(refusals.count, 1, "the client did not try again");
  assert.equal(await courier.requests.archive(sent), null);
  await assert.rejects(courier.messages.retrieve("message_id"), NotFoundError);
  await assert.rejects(courier.get("/_stainless_unknown_path"), NotFoundError);
  const stranger = new Courier({ apiKey: "guess", baseURL: door.url });
  await assert.rejects(stranger.messages.list(), { status: 401 });
});
