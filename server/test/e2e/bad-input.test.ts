import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { isIdle } from "../support/load.ts";
import { MailHost, read } from "../support/mail-host.ts";
import { Home, KEY, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/**
 * What nobody should send, sent to the real program. Each gets a clear answer in the door's form; afterwards the program
 * is the same process, healthy, without a complaint of its own in its log, and not much larger than before.
 */

const mailHost = await MailHost.open();
const home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
let program: Program;

/** What a process of ours may take at most while others do their worst: the bodies on their way, twice, and itself. */
const RSS_BYTES_MAX = 512 * 1024 * 1024;

before(async () => {
  program = await home.start();
});
after(async () => {
  await home[Symbol.asyncDispose]();
  await mailHost[Symbol.asyncDispose]();
});
afterEach(async () => {
  assert.equal((await program.call("GET", "/ready")).status, 200, "it is ready after whatever came");
  const complaints = program.err.split("\n").filter((line) => line.includes('"level":50'));
  assert.deepEqual(complaints, [], "a caller's mistake is no error of ours");
});

const content = { title: "T", body: "B" };

/** Asserts that a call is refused with this status, a type, and a sentence that says why. */
async function refused(response: Response, status: number, says: RegExp): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  const { type, message } = JSON.parse(text) as { type: string; message: string };
  assert.match(type, /_error$/);
  assert.match(message, says);
}

const send = (message: unknown) => program.call("POST", "/send", { message });

test("bodies that are no JSON, no UTF-8, too large or too deep are refused with a sentence", async () => {
  await refused(await program.call("POST", "/send", "{"), 400, /JSON/);
  await refused(await program.call("POST", "/send", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22])), 400, /UTF-8/);
  await refused(await program.call("POST", "/send", `{"message":"${"x".repeat(7_000_000)}"}`), 413, /6 MB|large/i);
  const deep = `{"message":{"to":{"email":"a@example.com"},"content":{"title":"T","body":"B"},"data":${'{"a":'.repeat(1_000)}1${"}".repeat(1_000)}}}`;
  await refused(await program.call("POST", "/send", deep), 400, /deep|level|nest/i);
  await refused(
    await program.call("POST", "/profiles/deep", deep.replace("message", "profile")),
    400,
    /deep|level|nest/i,
  );
});

test("a wrong key, no key and a key in the wrong place are refused, and no answer tells which keys there are", async () => {
  const sayings = new Set<string>();
  for (const authorization of [
    "Bearer tk_test_whole_hous",
    "Bearer",
    `Basic ${btoa(`x:${KEY}x`)}`,
    "",
    `bearer ${KEY}\u00e9`,
  ]) {
    const response = await program.call("GET", "/messages", undefined, { authorization });
    assert.equal(response.status, 401);
    sayings.add(((await response.clone().json()) as { type: string }).type);
    await response.text();
  }
  assert.equal(sayings.size, 1);
});

test("a line break in an address is refused; in a subject it becomes a space, not a header field", async () => {
  for (const email of [
    "a@example.com\r\nBcc: b@example.com",
    "a@example.com,b@example.com",
    "<a@example.com>\n",
    "a\u0000@example.com",
  ]) {
    await refused(await send({ to: { email }, content }), 400, /mail|address|email/i);
    if (email.includes(",")) continue;
    await refused(await program.call("POST", "/profiles/crlf", { profile: { email } }), 400, /mail|address|email/i);
  }
  await program.send({
    to: { email: "subject@example.com" },
    content: { title: "Hi {{name}}", body: "B" },
    data: { name: "Ada\r\nBcc: evil@example.com\r\n\r\n<h1>x</h1>" },
  });
  const mail = await until("the mail arrives", () => mailHost.to("subject@example.com")[0]);
  const email = await read(mail);
  assert.match(email.subject ?? "", /^Hi Ada Bcc: evil@example\.com/);
  assert.equal(email.bcc, undefined);
  assert.equal(mailHost.to("evil@example.com").length, 0);
});

test("a line break in what becomes a header field is no header field: the mail goes without, or not at all", async () => {
  const evil = "\r\nX-Evil: 1\r\nBcc: evil@example.com\r\n\r\n<h1>x</h1>";
  const overrides = {
    subject: { subject: `S${evil}` },
    from: { from: `us@example.com${evil}` },
    reply: { reply_to: `re@example.com${evil}` },
    cc: { cc: `cc@example.com${evil}` },
    bcc: { bcc: [`bcc@example.com${evil}`] },
    file: { attachments: [{ filename: `f${evil}.txt`, contentType: "text/plain", data: "QUFB" }] },
  };
  const ends: Record<string, string> = {};
  for (const [name, override] of Object.entries(overrides)) {
    const email = `header-${name}@example.com`;
    const id = await program.send({ to: { email }, content, channels: { email: { override } } });
    const { status } = await until(`${name} comes to its end`, async () => {
      const message = await program.get<{ status: string }>(`/messages/${id}`);
      return ["SENT", "UNDELIVERABLE"].includes(message.status) ? message : null;
    });
    ends[name] = status;
    const [mail] = mailHost.to(email);
    assert.equal(mail === undefined, status === "UNDELIVERABLE", name);
    if (mail === undefined) continue;
    const { headers } = await read(mail);
    assert.ok(
      headers.every(({ key }) => !["x-evil", "bcc"].includes(key)),
      name,
    );
  }
  assert.equal(mailHost.to("evil@example.com").length, 0);
  // A name can lose its line break; an address with one is none.
  assert.deepEqual(ends, {
    subject: "SENT",
    from: "UNDELIVERABLE",
    reply: "UNDELIVERABLE",
    cc: "UNDELIVERABLE",
    bcc: "UNDELIVERABLE",
    file: "SENT",
  });
});

test("a profile whose address is two addresses is kept, and a message to it ends with a reason and reaches neither", async () => {
  await program.call("POST", "/profiles/two", { profile: { email: "one@example.com, two@example.com" } });
  const id = await program.send({ to: { user_id: "two" }, content });
  const { error } = await until("it is given up", async () => {
    const message = await program.get<{ status: string; error: string }>(`/messages/${id}`);
    return message.status === "UNDELIVERABLE" ? message : null;
  });
  assert.match(error, /address|mailbox/i);
  assert.equal(mailHost.to("one@example.com").length + mailHost.to("two@example.com").length, 0);
});

test("a template that would loop a billion times is stopped with a reason, and delays nobody", async () => {
  const numbers = Array.from({ length: 1_000 }, (_, at) => at);
  const inner = { type: "group", loop: "data.n", elements: [{ type: "text", content: "{{$.item}}" }] };
  const elements = [
    { type: "group", loop: "data.n", elements: [{ type: "group", loop: "data.n", elements: [inner] }] },
  ];
  const id = await program.send({
    to: { email: "loop@example.com" },
    content: { version: "2022-01-01", elements },
    data: { n: numbers },
  });
  const startMs = performance.now();
  await program.send({ to: { email: "behind@example.com" }, content });
  await until("the mail behind it arrives", () => mailHost.to("behind@example.com").length > 0);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 5_000, `it took ${tookMs} ms`);
  const { error } = await until("it is given up", async () => {
    const message = await program.get<{ status: string; error: string }>(`/messages/${id}`);
    return message.status === "UNDELIVERABLE" ? message : null;
  });
  assert.match(error, /loop|turns|steps/i);
  assert.equal(mailHost.to("loop@example.com").length, 0);
});

test("calls that come while too much is on its way are told when to come again, and later they are served", async () => {
  const body = Buffer.alloc(6 * 1024 * 1024, " ");
  const held: ClientRequest[] = [];
  for (let at = 0; at < 21; at += 1) {
    const call = request(`${program.url}/send`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", "content-length": body.length },
    });
    call.on("error", () => {});
    held.push(call);
    call.write(body.subarray(0, -1_000));
    await once(call, "drain");
  }
  const response = await program.call("POST", "/send", body.toString());
  assert.ok(Number(response.headers.get("retry-after")) >= 1, "it says when, in seconds");
  assert.ok(Number(response.headers.get("retry-after-ms")) >= 1, "and in ms, for Courier's clients");
  await refused(response, 429, /nothing of this call was kept/);
  for (const call of held) call.destroy();
  await until("there is room again", async () => {
    const again = await program.call("POST", "/send", body.toString());
    await again.text();
    return again.status === 400;
  });
});

/** Things that stand where others should. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  "",
  " ",
  "\u0000",
  "\ud800",
  "a".repeat(5_000),
  "__proto__",
  "{{a",
  "{{#each a}}",
  "(((",
  "../..",
  "💥",
  [],
  [[]],
  [null],
  {},
  { "": "" },
  { constructor: 1 },
  { toString: null },
  [1, "a", {}],
  { if: "1 ==" },
  { loop: "data" },
  { type: "text" },
  { type: "list", elements: [{}] },
  { channels: [{}] },
  { method: "single" },
  "2999-01-01",
  "P1D",
  -0.5,
];

const FULL = {
  message: {
    to: { user_id: "u", email: "fuzz@example.com", data: { a: 1 }, preferences: {} },
    content: {
      version: "2022-01-01",
      elements: [
        { type: "meta", title: "{{a}}" },
        { type: "text", content: "{{#if a}}x{{/if}}", if: "data.a == 1", locales: { de: { content: "y" } } },
        { type: "list", elements: [{ type: "list-item", content: "z", loop: "data.list" }] },
        { type: "action", href: "https://example.com/{{a}}", content: "go" },
        {
          type: "columns",
          elements: [{ type: "column", width: "50%", elements: [{ type: "image", src: "https://example.com/x.png" }] }],
        },
      ],
    },
    data: { a: 1, list: [1, 2] },
    routing: { method: "single", channels: ["email", { method: "all", channels: ["sms", "push"] }] },
    channels: {
      email: {
        override: { subject: "s", attachments: [{ filename: "f", contentType: "text/plain", data: "AAAA" }] },
        timeouts: { provider: 1_000 },
      },
    },
    providers: { smtp: { override: { headers: { "X-A": "b" } } } },
    metadata: { tags: ["a"], event: "e", trace_id: "t" },
    delay: { duration: 1 },
    expiry: { expires_in: "PT1H" },
    timeout: { message: 1_000, unknown: "hold" },
    preferences: { subscription_topic_id: "x" },
    context: {},
  },
};

const PROFILE = {
  profile: { email: "a@example.com", phone_number: "+4670123", locale: "en", custom: { a: [1, { b: 2 }] } },
};
const PATCH = {
  patch: [
    { op: "add", path: "/custom/a/0", value: 1 },
    { op: "move", from: "/a", path: "/b" },
  ],
};
const PEOPLE = { recipients: [{ recipientId: "a", preferences: { notifications: {} }, data: { a: 1 } }] };

/** A copy of a value in which something, somewhere, is replaced by something strange, taken away or doubled. */
function bent(value: unknown, next: () => number): unknown {
  if (next() < 0.12 || typeof value !== "object" || value === null) return STRANGE[Math.floor(next() * STRANGE.length)];
  const entries = Object.entries(value);
  const at = Math.floor(next() * entries.length);
  const changed = entries.flatMap(([name, inner], index): [string, unknown][] => {
    if (index !== at) return [[name, inner]];
    if (next() < 0.1) return [];
    return next() < 0.05 ? [[String(STRANGE[Math.floor(next() * 16)]), inner]] : [[name, bent(inner, next)]];
  });
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed);
}

/** Sometimes the text itself is cut or has a byte changed. */
function asBytes(value: unknown, next: () => number): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(value) ?? "");
  if (next() < 0.1) return bytes.subarray(0, Math.floor(next() * bytes.length));
  if (next() < 0.1 && bytes.length > 0) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
  return bytes;
}

const CALLS = 10_000;

test(`${CALLS} random bodies are each accepted or refused, never a failure of ours, and what was accepted is settled`, async (t) => {
  const dice = seededDice(7);
  const next = (): number => dice.next();
  const targets = [
    ["POST", "/send", FULL],
    ["POST", "/send", FULL],
    ["POST", "/profiles/f", PROFILE],
    ["PUT", "/profiles/f", PROFILE],
    ["PATCH", "/profiles/f", PATCH],
    ["POST", "/lists/f/subscriptions", PEOPLE],
  ] as const;
  const counts: Record<number, number> = {};
  let left = CALLS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const [method, path, body] = targets[Math.floor(next() * targets.length)] ?? targets[0];
      const bytes = asBytes(bent(next() < 0.5 ? bent(body, next) : body, next), next);
      const response = await program.call(method, path, new Uint8Array(bytes));
      const answer = await response.text();
      counts[response.status] = (counts[response.status] ?? 0) + 1;
      assert.ok(
        response.status < 500,
        `${method} ${path} answered ${response.status} to ${Buffer.from(bytes).toString()}: ${answer}`,
      );
      if (response.status >= 400) assert.equal(typeof JSON.parse(answer).message, "string");
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  assert.ok(
    (counts[202] ?? 0) > CALLS / 100 && (counts[400] ?? 0) > CALLS / 10,
    `both happened: ${JSON.stringify(counts)}`,
  );
  // Delays of the year 2999 wait for ever; whatever else was accepted comes to its end.
  await until("nothing is ready or in hand", async () => isIdle(program, { mayWait: true }), 30_000);
  t.diagnostic(JSON.stringify(counts));
});

test("after all this it is not much larger than it was", (t) => {
  const status = readFileSync(`/proc/${program.pid}/status`, "utf8");
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]);
  const [now, most] = [kib("VmRSS") * 1024, kib("VmHWM") * 1024];
  t.diagnostic(`${(now / 1e6).toFixed(0)} MB resident, ${(most / 1e6).toFixed(0)} MB at most`);
  assert.ok(most < RSS_BYTES_MAX);
});
