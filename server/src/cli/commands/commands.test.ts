import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../../test/support/cli-world.ts";

const ID = "1-6901f3c2-5d2f8a94e1b03c7786f0aa12";
const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const nowMs = () => NOW;
const message = (over: object = {}) => ({
  id: ID,
  status: "SENT",
  recipient: "ada@example.com",
  enqueued: NOW - 60_000,
  sent: NOW - 59_000,
  ...over,
});

test("send puts the words of the command line into one message", async () => {
  await using server = await fakeServer({ "POST /send": () => ({ status: 202, body: { requestId: ID } }) });
  const line = [
    "send",
    "--to",
    "ada@example.com",
    "--to",
    "user:bo",
    "--to",
    "list:news",
    "--to",
    "pattern:a.*",
    "--to",
    "+46 70-123",
  ];
  const words = [
    "--title",
    "Hi",
    "--body",
    "Dear {name}",
    "--data",
    "name=Ada",
    "--data",
    "n:=3",
    "--data",
    '{"deep":{"a":1}}',
  ];
  const { exit, out } = await ran([...line, ...words, "--idempotency-key", "k1", ...server.flags]);
  assert.deepEqual({ exit, out }, { exit: EXIT.ok, out: `✓ accepted  ${ID}\n` });
  const [asked] = server.asked;
  assert.equal(asked?.headers["idempotency-key"], "k1");
  assert.deepEqual(asked?.body, {
    message: {
      to: [
        { email: "ada@example.com" },
        { user_id: "bo" },
        { list_id: "news" },
        { list_pattern: "a.*" },
        { phone_number: "+4670123" },
      ],
      content: { title: "Hi", body: "Dear {name}" },
      data: { name: "Ada", n: 3, deep: { a: 1 } },
    },
  });
});

test("send takes a message from standard input, and options go over it", async () => {
  await using server = await fakeServer({ "POST /send": () => ({ status: 202, body: { requestId: ID } }) });
  const stdin = JSON.stringify({
    message: { to: { user_id: "ada" }, content: { title: "A", body: "B" }, metadata: { tags: ["x"] } },
  });
  const { out } = await ran(["send", "--file", "-", "--title", "C", "--json", ...server.flags], { stdin });
  assert.equal(out, `${JSON.stringify({ requestId: ID })}\n`);
  assert.deepEqual(server.asked[0]?.body, {
    message: { to: { user_id: "ada" }, content: { title: "C", body: "B" }, metadata: { tags: ["x"] } },
  });
});

test("send says what is missing or means two things", async () => {
  for (const [line, says] of [
    [["send"], /say whom/],
    [["send", "--to", "a@b.c"], /say what/],
    [["send", "--to", "ada", "--title", "x"], /could be many things: write ada@example\.com, user:ada, list:ada/],
    [["send", "--to", "a@b.c", "--data", "x", "--title", "x"], /--data must be KEY=TEXT/],
    [["send", "--to", "a@b.c", "--title", "x", "--wait", "5"], /--wait must be a duration/],
    [["send", "--to", "a@b.c", "--file", "/nonexistent.json"], /cannot be read/],
  ] as const) {
    const { exit, err } = await ran(line);
    assert.equal(exit, EXIT.usage);
    assert.match(err, says);
  }
});

const balance = (over: object = {}) => ({ messages: 1, settled: 1, outcomes: { SENT: 1 }, complete: true, ...over });

test("send --wait stays until the message is out, and says how", async () => {
  let looks = 0;
  await using server = await fakeServer({
    "POST /send": () => ({ status: 202, body: { requestId: ID } }),
    [`GET /requests/${ID}`]: () => {
      looks += 1;
      return { body: looks < 3 ? balance({ settled: 0, outcomes: { ENQUEUED: 1 }, complete: false }) : balance() };
    },
    "GET /messages": () => ({ body: { results: [message()] } }),
    [`GET /messages/${ID}`]: () => ({
      body: message({ providers: [{ provider: "smtp", channel: { key: "email" } }] }),
    }),
  });
  const { exit, out } = await ran(["send", "--to", "ada@example.com", "--title", "Hi", "--wait", ...server.flags]);
  assert.equal(exit, EXIT.ok);
  assert.match(out, /✓ SENT {7}ada@example\.com {2}email via smtp/);
  assert.equal(looks, 3);
});

test("send --wait ends with 1 when the message did not get out, and tells where to ask", async () => {
  const bounced = message({ status: "UNDELIVERABLE", reason: "BOUNCED", error: "550 5.1.1" });
  await using server = await fakeServer({
    "POST /send": () => ({ status: 202, body: { requestId: ID } }),
    [`GET /requests/${ID}`]: () => ({ body: balance({ outcomes: { UNDELIVERABLE: 1 } }) }),
    "GET /messages": () => ({ body: { results: [bounced] } }),
    [`GET /messages/${ID}`]: () => ({ body: bounced }),
  });
  const { exit, out, err } = await ran(["send", "--to", "a@b.c", "--title", "Hi", "--wait", ...server.flags]);
  assert.equal(exit, EXIT.no);
  assert.match(out, /✗ UNDELIVERABLE {2}ada@example\.com {2}BOUNCED, 550 5\.1\.1/);
  assert.match(err, new RegExp(`tidings why ${ID}`));
});

test("send --wait gives up in time, and says what to ask later", async () => {
  await using server = await fakeServer({
    "POST /send": () => ({ status: 202, body: { requestId: ID } }),
    [`GET /requests/${ID}`]: () => ({ body: balance({ messages: 0, settled: 0, outcomes: {}, complete: false }) }),
  });
  const { exit, err } = await ran(["send", "--to", "list:x", "--title", "Hi", "--wait", "30ms", ...server.flags]);
  assert.equal(exit, EXIT.no);
  assert.match(err, /Nobody to write to was found yet/);
});

test("of a send to many, those that failed are told one by one and the rest is counted; why tells the same later", async () => {
  await using server = await fakeServer({
    "POST /send": () => ({ status: 202, body: { requestId: ID } }),
    [`GET /requests/${ID}`]: () => ({
      body: balance({ messages: 1_200, settled: 1_200, outcomes: { SENT: 1_199, UNROUTABLE: 1 } }),
    }),
    "GET /messages": ({ query }) => {
      assert.deepEqual([query.get("traceId"), query.get("status")], [ID, "UNROUTABLE"]);
      return {
        body: { results: [message({ id: `${ID}:bo`, recipient: "bo", status: "UNROUTABLE", reason: "NO_CHANNELS" })] },
      };
    },
  });
  const sent = await ran(["send", "--to", "list:news", "--title", "Hi", "--wait", ...server.flags]);
  assert.equal(sent.exit, EXIT.no);
  const says = "✗ UNROUTABLE  bo  NO_CHANNELS\n  1,200 messages: 1,199 SENT, 1 UNROUTABLE\n";
  assert.ok(sent.out.endsWith(says), sent.out);
  const why = await ran(["why", ID, ...server.flags]);
  assert.deepEqual({ exit: why.exit, out: why.out }, { exit: EXIT.no, out: says });
});

test("messages fit 80 columns with whole ids, newest first, page after page", async () => {
  await using server = await fakeServer({
    "GET /messages": ({ query }) =>
      query.get("cursor") === null
        ? {
            body: {
              paging: { more: true, cursor: "c2" },
              results: [message({ recipient: "somebody.with.a.very.long.address@department.example.com" })],
            },
          }
        : {
            body: {
              paging: { more: false },
              results: [message({ id: `${ID}:bo`, status: "UNDELIVERABLE", reason: "BOUNCED", recipient: "bo" })],
            },
          },
  });
  const { exit, out, err } = await ran(["messages", "--status", "sent,undeliverable", ...server.flags], {
    columns: 80,
    nowMs,
  });
  assert.equal(exit, EXIT.ok);
  assert.deepEqual(out.split("\n"), [
    "  WHEN  STATUS         RECIPIENT            MESSAGE",
    `1m ago  SENT           somebody.…ample.com  ${ID}`,
    `1m ago  UNDELIVERABLE  bo                   ${ID}…`,
    "",
  ]);
  assert.match(err, new RegExp(`tidings why ${ID}:bo`));
  assert.equal(server.asked[0]?.query.get("status"), "SENT,UNDELIVERABLE");
});

test("messages --json prints one a line and nothing else", async () => {
  await using server = await fakeServer({ "GET /messages": () => ({ body: { results: [message(), message()] } }) });
  const { out, err } = await ran(["messages", "--json", "--limit", "2", ...server.flags]);
  assert.deepEqual(
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [message(), message()],
  );
  assert.equal(err, "");
});

const WHY = {
  message: message({ status: "UNDELIVERABLE", reason: "BOUNCED", sent: undefined, error: "550 5.1.1 no such user" }),
  answer:
    "No (UNDELIVERABLE, BOUNCED): the address does not exist, so nothing more is sent to it until someone lifts the suppression.",
  rule: "suppression: hard bounce of 2026-11-20 (550 5.1.1 no such user)",
  steps: [
    { at: NOW, type: "message.accepted", sentence: "Accepted for ada@example.com." },
    { at: NOW + 40, type: "message.routed", sentence: "Routed: email by smtp." },
    {
      at: NOW + 65_000,
      type: "message.refused",
      sentence: "smtp (email) refused it: 550 5.1.1 no such user, which is a rather long sentence.",
    },
  ],
};

test("why tells outcome, answer, rule and steps within 80 columns, and ends with 1 when it was not sent", async (t) => {
  await using server = await fakeServer({
    "GET /admin/why": ({ query }) =>
      query.get("message") === ID ? { body: { results: [WHY] } } : { status: 404, body: {} },
  });
  const { exit, out } = await ran(["why", ID, ...server.flags], { columns: 80 });
  assert.equal(exit, EXIT.no);
  assert.ok(out.split("\n").every((line) => line.length <= 80));
  // The day and time of the first step are those of the machine's own zone.
  const anywhere = out.replace(/\d{4}-\d\d-\d\d\n/, "DAY\n").replace(/\d\d:\d\d:\d\d\.000/, "TIME........");
  t.assert.fileSnapshot(anywhere, `${import.meta.dirname}/../../../test/golden/cli-why.txt`, { serializers: [String] });
  const unknown = await ran(["why", "nobody@example.com", ...server.flags]);
  assert.equal(unknown.exit, EXIT.no);
  assert.match(unknown.err, /No message was ever sent to nobody@example\.com/);
});

const event = (position: number, over: object = {}) => ({
  specversion: "1.0",
  id: `e${position}`,
  type: "message.sent",
  subject: ID,
  time: new Date(NOW + position).toISOString(),
  sequence: String(position),
  data: { channel: "email", provider: "smtp", attempt: 1 },
  ...over,
});

test("tail follows over a broken connection, from where it was, losing and repeating nothing", async () => {
  const resumed: (string | undefined)[] = [];
  await using server = await fakeServer({
    "GET /admin/events/stream": ({ headers }, response) => {
      resumed.push(headers["last-event-id"]?.toString());
      const from = Number(headers["last-event-id"] ?? 0);
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const position of [from + 1, from + 2])
        response.write(`id: ${position}\ndata: ${JSON.stringify(event(position))}\n\n`);
      if (from < 4) response.end();
      return undefined;
    },
  });
  const { exit, out } = await ran(["tail", "--json", "--count", "6", ...server.flags]);
  assert.equal(exit, EXIT.ok);
  assert.deepEqual(
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).sequence),
    ["1", "2", "3", "4", "5", "6"],
  );
  assert.deepEqual(resumed, [undefined, "2", "4"]);
});

test("a line of tail fits the screen and says which message it is about", async () => {
  await using server = await fakeServer({
    "GET /admin/events/stream": (_asked, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const data = {
        channel: "email",
        provider: "smtp",
        reason: "450 4.7.1 greylisted, come back in a quarter of an hour",
      };
      response.write(`data: ${JSON.stringify(event(1, { type: "message.retrying", data }))}\n\n`);
      return undefined;
    },
  });
  const { out } = await ran(["tail", "--count", "1", ...server.flags], { columns: 80 });
  assert.match(out, /^\d\d:\d\d:\d\d {2}message\.retrying {7}…86f0aa12 {2}email via smtp reason="450 4\.7\.1 gr…\n$/);
  const wide = await ran(["tail", "--count", "1", ...server.flags]);
  assert.ok(wide.out.includes(ID) && wide.out.includes("quarter of an hour"));
});

test("tail --since finds its place by halving the journal", async () => {
  const since = new Date(NOW + 700).toISOString();
  await using server = await fakeServer({
    "GET /admin/events": ({ query }) => {
      const position = Number(query.get("after")) + 1;
      return { body: { events: position <= 1_000 ? [event(position)] : [], next: position, more: true, last: 1_000 } };
    },
    "GET /admin/events/stream": ({ query }, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`data: ${JSON.stringify(event(Number(query.get("after")) + 1))}\n\n`);
      return undefined;
    },
  });
  const { out } = await ran(["tail", "--json", "--count", "1", "--since", since, ...server.flags]);
  assert.equal(JSON.parse(out).sequence, "700");
  assert.ok(server.asked.length < 14);
});

const CAUGHT = {
  id: `000001-${ID}-email`,
  messageId: ID,
  channel: "email",
  caught: NOW - 5_000,
  to: "ada@example.com",
  title: "Hello",
  content: {
    channel: "email",
    from: "Acme <a@acme.example>",
    subject: "Hello",
    text: "Dear Ada,\n\nit works.\n",
    html: "<p>it works</p>",
  },
};

test("the mailbox is listed, and a caught mail is shown as its reader would have seen it", async () => {
  await using server = await fakeServer({
    "GET /mailbox": () => ({ body: { paging: { more: false }, results: [CAUGHT] } }),
    "GET /mailbox/*": () => ({ body: CAUGHT }),
    "DELETE /mailbox": () => ({ status: 204 }),
  });
  const list = await ran(["mailbox", ...server.flags], { columns: 80, nowMs });
  assert.deepEqual(list.out.split("\n").slice(0, 2), [
    "  WHEN  CHANNEL  TO               TITLE",
    "5s ago  email    ada@example.com  Hello",
  ]);
  const shown = await ran(["mailbox", "show", "last", ...server.flags], { columns: 60 });
  assert.match(
    shown.out,
    /│ From {5}Acme <a@acme\.example>\n│ To {7}ada@example\.com\n│ Subject {2}Hello\n│\n│ Dear Ada,\n│\n│ it works\.\n└/,
  );
  assert.equal((await ran(["mailbox", "show", "last", "--html", ...server.flags])).out, "<p>it works</p>\n");
  assert.equal((await ran(["mailbox", "clear", ...server.flags])).exit, EXIT.usage);
  assert.equal((await ran(["mailbox", "clear", ...server.flags], { confirm: false })).exit, EXIT.no);
  assert.equal((await ran(["mailbox", "clear", "--yes", ...server.flags])).exit, EXIT.ok);
  assert.equal(server.asked.filter(({ method }) => method === "DELETE").length, 1);
});

const LETTER = {
  key: `msg:${ID}`,
  queue: "message",
  lane: "bulk",
  error: "TypeError: x is not a function",
  attempts: 5,
  enqueued: NOW - 9e6,
  died: NOW - 6e5,
  payload: { a: 1 },
  traceparent: null,
};

test("dead letters are listed, shown, redriven call after call, and discarded", async () => {
  let calls = 0;
  await using server = await fakeServer({
    "GET /admin/dead-letters": () => ({ body: { paging: { more: false }, results: [LETTER] } }),
    "GET /admin/dead-letters/*": () => ({ body: LETTER }),
    "POST /admin/dead-letters/redrive": () => {
      calls += 1;
      return { body: { revived: 10, gone: 0, more: calls < 3 } };
    },
    "DELETE /admin/dead-letters/*": () => ({ status: 204 }),
  });
  const list = await ran(["dlq", ...server.flags], { columns: 100, nowMs });
  assert.match(list.out, /10m ago {2}message {6}5 {2}TypeError: x is not a function {2}msg:1-/);
  assert.match(
    (await ran(["dlq", "show", LETTER.key, ...server.flags])).out,
    /after 5 tries[\s\S]*TypeError[\s\S]*"a": 1/,
  );
  assert.equal((await ran(["dlq", "redrive", ...server.flags])).exit, EXIT.usage);
  assert.equal((await ran(["dlq", "redrive", "--all", ...server.flags])).exit, EXIT.usage, "many need a yes");
  const redriven = await ran(["dlq", "redrive", "--all", "--yes", ...server.flags]);
  assert.deepEqual(
    { exit: redriven.exit, out: redriven.out },
    { exit: EXIT.ok, out: "30 jobs will be tried again.\n" },
  );
  assert.deepEqual(server.asked.at(-1)?.body, { all: true });
  await ran(["dlq", "discard", "a/b", "--yes", ...server.flags]);
  assert.equal(server.asked.at(-1)?.path, "/admin/dead-letters/a%2Fb");
});

test("redriving a key that is no dead letter ends with 1", async () => {
  await using server = await fakeServer({
    "POST /admin/dead-letters/redrive": () => ({ body: { revived: 0, gone: 1, more: false } }),
  });
  const { exit, err } = await ran(["dlq", "redrive", "k", ...server.flags]);
  assert.equal(exit, EXIT.no);
  assert.match(err, /1 key named no dead letter/);
});

test("a pair for AWS' clients is told as the variables that they read, and needs no name", async () => {
  const pair = { access_key_id: "TKIAAAAAAAAAAAAAAAAA", secret_access_key: "s3cret" };
  await using server = await fakeServer({
    "POST /admin/keys": () => ({ status: 201, body: { id: "TKIAAAAAAAAA", name: "aws", scopes: ["full"], ...pair } }),
    "GET /admin/keys": () => ({
      body: {
        results: [
          { id: "TKIAAAAAAAAA", name: "aws", scopes: ["full"], created: NOW, prefix: pair.access_key_id, aws: true },
        ],
      },
    }),
  });
  const made = await ran(["keys", "create", "--aws", ...server.flags]);
  assert.equal(made.out, "AWS_ACCESS_KEY_ID=TKIAAAAAAAAAAAAAAAAA\nAWS_SECRET_ACCESS_KEY=s3cret\n");
  assert.deepEqual(server.asked[0]?.body, { scopes: ["full"], aws: true });
  assert.match((await ran(["keys", ...server.flags], { nowMs })).out, /TKIAAAAAAAAAAAAAAAAA {2}aws/);
  const nameless = await ran(["keys", "create", ...server.flags]);
  assert.equal(nameless.exit, EXIT.usage);
  assert.match(nameless.err, /--name/);
});

test("a new key stands alone on standard output, so that it can go into a variable", async () => {
  await using server = await fakeServer({
    "POST /admin/keys": () => ({
      status: 201,
      body: { id: "abc", name: "shop", key: "tk_live_secret", scopes: ["send"] },
    }),
    "GET /admin/keys": () => ({
      body: {
        results: [
          { id: "abc", name: "shop", scopes: ["send"], created: NOW, prefix: "tk_live_abcd" },
          { id: "old", name: "x", scopes: ["full"], created: NOW, revoked: NOW },
        ],
      },
    }),
    "DELETE /admin/keys/*": () => ({ status: 204 }),
  });
  const made = await ran(["keys", "create", "--name", "shop", "--scope", "send", ...server.flags]);
  assert.equal(made.out, "tk_live_secret\n");
  assert.deepEqual(server.asked[0]?.body, { name: "shop", scopes: ["send"] });
  assert.equal((await ran(["keys", "create", "--name", "x", "--scope", "admin", ...server.flags])).exit, EXIT.usage);
  const list = await ran(["keys", ...server.flags], { nowMs });
  assert.match(list.out, /abc {2}tk_live_abcd… {2}shop {2}send {3}0s ago/);
  assert.ok(!list.out.includes("old"));
  assert.equal((await ran(["keys", "revoke", "abc", ...server.flags])).exit, EXIT.ok);
});
