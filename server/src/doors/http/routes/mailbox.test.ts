import assert from "node:assert/strict";
import { test } from "node:test";
import { MAILBOX, mailboxId } from "#directory/collections.ts";
import type { Content } from "#domain/content.ts";
import type { Engine } from "#engine/engine.ts";
import { AUTH, givenHouse } from "../../../../test/given-http.ts";

const mail = (to: string): Content => ({
  channel: "email",
  from: null,
  to,
  cc: [],
  bcc: [],
  replyTo: null,
  subject: `For ${to}`,
  html: "<b>hello</b>",
  text: "hello",
  attachments: [],
  unsubscribe: null,
});

async function caught(engine: Engine, n: number, content: Content, recipient = "ada"): Promise<string> {
  const id = mailboxId(n, `m${n}`, content.channel);
  const body = JSON.stringify({
    messageId: `m${n}`,
    channel: content.channel,
    caughtMs: n,
    traceparent: null,
    content,
  });
  await engine.submit({
    puts: [
      {
        collection: MAILBOX,
        id,
        body,
        terms: [
          ["message", `m${n}`],
          ["recipient", recipient],
        ],
        when: "always",
        nowMs: n,
      },
    ],
  });
  return id;
}

test("the mailbox shows what was caught, newest first, by recipient, message and channel, in pages", async () => {
  await using given = await givenHouse();
  const { engine } = given.house;
  for (let n = 1; n <= 5; n += 1) await caught(engine, n, mail(`${n}@example.com`), n % 2 === 0 ? "even" : "odd");
  await caught(engine, 6, { channel: "sms", to: "+49", text: "hi" }, "even");
  const get = async (query: string) =>
    (await given.app.inject({ url: `/mailbox${query}`, headers: AUTH })).json<{
      results: { messageId: string }[];
      paging: { cursor: string | null };
    }>();
  const ids = async (query: string) => (await get(query)).results.map(({ messageId }) => messageId).join();
  assert.equal(await ids(""), "m6,m5,m4,m3,m2,m1");
  assert.equal(await ids("?recipient=even"), "m6,m4,m2");
  assert.equal(await ids("?recipient=even&channel=email"), "m4,m2");
  assert.equal(await ids("?message=m3"), "m3");
  const first = await get("?channel=email&limit=2");
  assert.deepEqual(
    first.results.map(({ messageId }) => messageId),
    ["m5", "m4"],
  );
  const second = await get(`?channel=email&limit=2&cursor=${first.paging.cursor}`);
  const third = await get(`?channel=email&limit=2&cursor=${second.paging.cursor}`);
  assert.deepEqual(
    [second, third].map(({ results }) => results.map(({ messageId }) => messageId).join()),
    ["m3,m2", "m1"],
  );
  assert.equal(third.paging.cursor, null);
});

test("a caught mail is read as JSON, as a mail client would show it without running anything, and as text", async () => {
  await using given = await givenHouse();
  const id = await caught(given.house.engine, 1, mail("ada@example.com"));
  const get = (format: string) =>
    given.app.inject({ url: `/mailbox/${encodeURIComponent(id)}${format}`, headers: AUTH });
  assert.deepEqual((await get("")).json(), {
    id,
    messageId: "m1",
    channel: "email",
    caught: 1,
    to: "ada@example.com",
    title: "For ada@example.com",
    traceparent: null,
    content: mail("ada@example.com"),
  });
  const html = await get("?format=html");
  assert.deepEqual([html.body, html.headers["x-content-type-options"]], ["<b>hello</b>", "nosniff"]);
  assert.match(String(html.headers["content-security-policy"]), /^sandbox; default-src 'none'/);
  assert.equal((await get("?format=text")).body, "hello");
  assert.equal((await get("?format=pdf")).statusCode, 400);
});

test("an emptied mailbox is empty", async () => {
  await using given = await givenHouse();
  await caught(given.house.engine, 1, mail("ada@example.com"));
  assert.equal((await given.app.inject({ method: "DELETE", url: "/mailbox", headers: AUTH })).statusCode, 204);
  assert.deepEqual((await given.app.inject({ url: "/mailbox", headers: AUTH })).json(), {
    paging: { cursor: null, more: false },
    results: [],
  });
});

test("an upload is kept byte for byte until upkeep collects it, because no commit names it; one over 20 MB is refused", async () => {
  await using given = await givenHouse();
  const payload = Buffer.from([0, 255, 10, 13, 0x7b]);
  const upload = (bytes: Buffer) =>
    given.app.inject({
      method: "POST",
      url: "/attachments?filename=bill.pdf",
      headers: { ...AUTH, "content-type": "application/pdf" },
      payload: bytes,
    });
  const answer = await upload(payload);
  const { id, ...rest } = answer.json<{ id: string }>();
  assert.deepEqual(
    [answer.statusCode, rest],
    [201, { bytes: 5, filename: "bill.pdf", contentType: "application/pdf" }],
  );
  assert.deepEqual(Buffer.from((await given.house.blobs.get(id)) ?? []), payload);
  assert.deepEqual(await given.house.store.unnamedBlobs([id]), [id]);
  assert.equal((await upload(Buffer.alloc(20 * 1024 * 1024 + 1))).statusCode, 413);
});
