import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FastifyInstance } from "fastify";
import { refusal } from "#doors/http/answer.ts";
import type { Json } from "#domain/json.ts";
import type { FaultCode } from "#domain/problem.ts";
import { AUTH, givenHouse, JSON_HEADERS } from "../../../test/given-http.ts";
import { ScriptedProvider } from "../../../test/support/world.ts";

/** Well-formed calls that mean harm, or nothing, over the real pipeline; and the whole of what they hear. */
type Case = readonly [
  name: string,
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  url: string,
  body: Json | undefined,
  /** A refusal word for word, or a good answer's status and, where it tells something, its body. */
  answer: readonly [FaultCode, string] | readonly [status: number, body?: Json],
];

let house: Awaited<ReturnType<typeof givenHouse>>;
let app: FastifyInstance;
before(async () => {
  house = await givenHouse({ providers: [new ScriptedProvider()] });
  app = house.app;
});
after(async () => {
  assert.deepEqual(house.complaints, [], "a caller's mistake is no fault of ours");
  await house[Symbol.asyncDispose]();
});

const content = { title: "t", body: "b" };
const to = { email: "ada@example.com" };

const send = (name: string, message: Json, answer: Case[4]): Case => [name, "POST", "/send", { message }, answer];
const sendTo = (name: string, recipient: Json, answer: Case[4]): Case => send(name, { to: recipient, content }, answer);
const sendWith = (name: string, more: { readonly [key: string]: Json }, answer: Case[4]): Case =>
  send(name, { to, content, ...more }, answer);
const attached = (name: string, file: Json, answer: Case[4]): Case =>
  sendWith(name, { channels: { email: { override: { attachments: [file] } } } }, answer);
const cursor = (place: string | Buffer): string => Buffer.from(place).toString("base64url");

const invalid = (says: string) => ["request.invalid", says] as const;
const ONE_ADDRESS = invalid("message.to.email must be a single address without line breaks");
const NO_ADDRESS = invalid("message.to.email is not a mail address; it should look like ada@example.com");
const BAD_USER = invalid("message.to.user_id must be a string of 1 to 256 characters");
const ODD_USER = invalid("message.to.user_id must be valid Unicode without control characters");
const NOBODY = invalid("message.to names nobody: give user_id, email, phone_number, list_id or a profile key");
const NO_ROUTING = invalid(
  'message.routing: an entry of routing is a name, or a routing with a "method" (single or all) and "channels"',
);
const BAD_CURSOR = invalid('"cursor" is not one of ours; take it from "paging.cursor".');
const BAD_LIMIT = invalid('The query parameter "limit" must be a whole number from 1 to 100.');
const BAD_PATH = invalid("The path is not valid: percent-encoding must be UTF-8, segments short.");
const unknown = (what: string) => ["thing.unknown", `There is no such ${what}.`] as const;
const nested = (levels: number): Json => (levels === 0 ? "email" : { method: "all", channels: [nested(levels - 1)] });
const many = <T extends Json>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const FILE = "message.channels.email.override.attachments[0]";
const ANY_ID = "1-65f240a0-47a6a120c8374de9bcf9f22a";

const CASES: readonly Case[] = [
  // Whom
  sendTo("a line break in an address", { email: "a@example.com\r\nBcc: b@example.com" }, ONE_ADDRESS),
  sendTo("a line break in a name", { email: "A\nB <a@example.com>" }, ONE_ADDRESS),
  sendTo("a zero byte in an address", { email: "a\0@example.com" }, ONE_ADDRESS),
  sendTo("a line separator in an address", { email: "a\u2028@example.com" }, ONE_ADDRESS),
  sendTo("half a character in an address", { email: "\ud800@example.com" }, ONE_ADDRESS),
  sendTo("an address of 3 KB", { email: `${"a".repeat(3_000)}@example.com` }, ONE_ADDRESS),
  sendTo("an empty address", { email: "" }, ONE_ADDRESS),
  sendTo("two addresses in one", { email: "a@example.com, b@example.com" }, NO_ADDRESS),
  sendTo("an address in letters that look alike is an address", { email: "\u0430da@example.com" }, [202]),
  sendTo(
    "a line break in a phone number",
    { phone_number: "+46\r\n1" },
    invalid("message.to.phone_number must be a single address without line breaks"),
  ),
  sendTo("an empty user id", { user_id: "" }, BAD_USER),
  sendTo("a user id of 257 characters", { user_id: "u".repeat(257) }, BAD_USER),
  sendTo("a bell in a user id", { user_id: "a\u0007b" }, ODD_USER),
  sendTo("half a character in a user id", { user_id: "\udc00" }, ODD_USER),
  sendTo("a user called __proto__ is a user", { user_id: "__proto__" }, [202]),
  sendTo(
    "a list with a blank in its name",
    { list_id: "a b" },
    invalid("message.to.list_id: a list id has no spaces, '*', '#' or control characters"),
  ),
  sendTo(
    "a list of five parts",
    { list_id: "a.b.c.d.e" },
    invalid("message.to.list_id: a list id has at most 4 parts"),
  ),
  sendTo(
    "everyone on any list",
    { list_pattern: "**" },
    invalid("message.to.list_pattern: a list pattern names at least one part"),
  ),
  sendTo(
    "a user and a list",
    { user_id: "a", list_id: "b" },
    invalid("message.to mixes user_id, list_id and list_pattern; use one entry of an array for each"),
  ),
  sendTo("nobody", {}, NOBODY),
  sendTo("nobody, with data", { data: { a: 1 }, locale: "de" }, NOBODY),
  sendTo("an empty array", [], invalid("message.to is an empty array: name at least one recipient")),
  sendTo(
    "a hundred thousand and one",
    many(100_001, { user_id: "a" }),
    invalid("message.to has more than 100000 entries; use a list"),
  ),
  sendTo("an audience", { audience_id: "x" }, [
    "recipient.unsupported",
    "message.to.audience_id: audiences come with a later version; use a list_id",
  ]),
  send("no recipient", { content }, invalid("message.to is required: say who should get it")),

  // What
  send("no words", { to }, invalid("message needs either content or template")),
  sendWith("words twice", { template: "x" }, invalid("message has both content and template; send one of them")),
  send("empty words", { to, content: {} }, invalid("message.content: needs a title and a body, or elements")),
  send(
    "a template that reaches for the constructor",
    { to, content: { title: "{{constructor.constructor 'return 1'}}", body: "b" } },
    invalid(
      `message.content.elements[0].title: {{constructor.constructor 'return 1'}}: "constructor.constructor" is neither a variable nor a helper`,
    ),
  ),
  send(
    "an element that nobody knows",
    { to, content: { version: "2022-01-01", elements: [{ type: "script" }] } },
    invalid('message.content.elements[0].type: there is no element type "script"'),
  ),
  send(
    "nothing for an element",
    { to, content: { version: "2022-01-01", elements: [null] } },
    invalid("message.content.elements[0] must be an object."),
  ),
  send("a line break in a subject is no header", { to, content: { title: "a\r\nBcc: b@c.d", body: "b" } }, [202]),
  sendWith("a field that names a blob is a value like any other", { data: { $blob: `${ANY_ID}-f0` } }, [202]),
  attached("a file without a name", { data: "AAAA" }, invalid(`${FILE}.filename is required`)),
  attached(
    "a file that is no base64",
    { filename: "x", contentType: "text/plain", data: "no base64!" },
    invalid(`${FILE}.data must be base64, or give the id of an upload (POST /attachments)`),
  ),
  attached(
    "a line break in a file's type",
    { filename: "x", contentType: "text/plain\r\nBcc: b@c.d", data: "AAAA" },
    invalid(`${FILE}.contentType is not a media type like application/pdf`),
  ),
  attached(
    "a file of the house",
    { filename: "x", contentType: "text/plain", id: "../../etc/passwd" },
    invalid(`${FILE}.id is not the id of an upload (POST /attachments)`),
  ),
  attached(
    "an upload that never was",
    { filename: "x", contentType: "text/plain", id: `upload-${"0".repeat(32)}` },
    invalid(`there is no upload upload-${"0".repeat(32)}; POST /attachments keeps one for an hour`),
  ),
  sendWith(
    "twenty-one files",
    {
      channels: {
        email: { override: { attachments: many(21, { filename: "x", contentType: "text/plain", data: "AAAA" }) } },
      },
    },
    invalid("a message has at most 20 attachments"),
  ),

  // How
  sendWith(
    "no way",
    { routing: { method: "single", channels: [] } },
    invalid("message.routing.channels is empty: name at least one channel"),
  ),
  sendWith(
    "fifty-one ways",
    { routing: { method: "all", channels: many(51, "email") } },
    invalid("message.routing: routing has more than 50 entries"),
  ),
  sendWith(
    "ways within ways",
    { routing: nested(9) },
    invalid("message.routing: routing is nested deeper than 8 levels"),
  ),
  sendWith("a way that is none", { routing: { method: "all", channels: [{ x: 1 }] } }, NO_ROUTING),
  sendWith("a way called __proto__ leads nowhere", { routing: { method: "single", channels: ["__proto__"] } }, [202]),
  sendWith("ten tags", { metadata: { tags: many(10, "t") } }, invalid("message.metadata.tags has more than 9 tags")),
  sendWith(
    "a tag without end",
    { metadata: { tags: ["x".repeat(1_000)] } },
    invalid(`message.metadata.tags: "${"x".repeat(30)}…" is longer than 30 characters`),
  ),
  sendWith("before now", { delay: { duration: -1 } }, invalid("message.delay.duration must be 0 or more milliseconds")),
  sendWith(
    "after everything",
    { delay: { duration: 1e308 } },
    invalid("message.delay.duration is more than 31622400000 ms (a year)"),
  ),
  sendWith(
    "in a thousand years",
    { delay: { until: "3000-01-01T00:00:00Z" } },
    invalid("message.delay.until lies more than a year ahead"),
  ),
  sendWith(
    "soon",
    { delay: { until: "soon" } },
    invalid('message.delay.until: "soon" is neither a date (ISO 8601) nor opening hours such as "Mo-Fr 08:00-18:00"'),
  ),
  sendWith(
    "on Mars",
    { delay: { until: "Mo-Fr 08:00-18:00", timezone: "Mars/Olympus" } },
    invalid('message.delay.until: "Mars/Olympus" is not a time zone'),
  ),
  sendWith(
    "patience below zero",
    { timeout: { message: -1 } },
    invalid("message.timeout.message must be 0 or more milliseconds, or an object of such numbers"),
  ),
  sendWith(
    "a guess at the unknown",
    { timeout: { unknown: "guess" } },
    invalid('message.timeout.unknown must be "retry" or "hold"'),
  ),
  sendWith("an override that is a list", { channels: { email: { override: [] } } }, [
    "request.invalid",
    "message.channels.email.override must be an object.",
  ]),

  // People and lists
  [
    "a line break in a profile's address",
    "POST",
    "/profiles/ada",
    { profile: { email: "a@b.c\r\nX: y" } },
    invalid("profile.email has a line break or another control character"),
  ],
  [
    "a profile of 70 KB",
    "PUT",
    "/profiles/ada",
    { profile: { a: "x".repeat(70_000) } },
    invalid("a profile has at most 65536 bytes and 64 levels"),
  ],
  [
    "a user id with a line break",
    "PUT",
    "/profiles/a%0d%0ab",
    { profile: {} },
    invalid("a user id has no control characters."),
  ],
  ["a slash in a user id is a character", "GET", "/profiles/a%2fb", undefined, unknown("profile")],
  ["a slash in overlong UTF-8", "GET", "/profiles/%c0%af", undefined, BAD_PATH],
  ["encoded twice is decoded once", "GET", "/profiles/%252e", undefined, unknown("profile")],
  [
    "a patch of the prototype",
    "PATCH",
    "/profiles/ada",
    { patch: [{ op: "add", path: "/__proto__/admin", value: true }] },
    invalid("patch[0]: there is nothing at '__proto__'."),
  ],
  [
    "a patch of the constructor",
    "PATCH",
    "/profiles/ada",
    { patch: [{ op: "add", path: "/constructor/prototype", value: 1 }] },
    invalid("patch[0]: there is nothing at 'constructor'."),
  ],
  [
    "a pointer that is none",
    "PATCH",
    "/profiles/ada",
    { patch: [{ op: "remove", path: "/~2" }] },
    invalid("patch[0]: 'path' is not a JSON Pointer."),
  ],
  [
    "moving into oneself",
    "PATCH",
    "/profiles/ada",
    {
      patch: [
        { op: "add", path: "/a", value: {} },
        { op: "move", from: "/a", path: "/a/b" },
      ],
    },
    invalid("patch[1]: nothing moves into itself."),
  ],
  [
    "a hundred and one operations",
    "PATCH",
    "/profiles/ada",
    { patch: many(101, { op: "remove", path: "/a" }) },
    invalid("A patch has at most 100 operations."),
  ],
  [
    "fifty thousand and one subscribers",
    "POST",
    "/lists/news/subscriptions",
    { recipients: many(50_001, { recipientId: "a" }) },
    invalid("One call has at most 50000 subscriptions."),
  ],
  [
    "half a character for a subscriber",
    "POST",
    "/lists/news/subscriptions",
    { recipients: [{ recipientId: "\ud800" }] },
    invalid("a user id is valid Unicode."),
  ],
  [
    "a thousand and one rows",
    "POST",
    "/lists/news/import",
    { rows: many(1_001, {}) },
    invalid("One call has at most 1000 rows."),
  ],
  [
    "rows that are none",
    "POST",
    "/lists/news/import",
    { rows: [null, "x", {}, { email: "a\nb" }] },
    [
      200,
      {
        imported: 0,
        errors: [
          { row: 0, problem: "a row is an object" },
          { row: 1, problem: "a row is an object" },
          { row: 2, problem: "has neither user_id nor email" },
          { row: 3, problem: "a user id has no control characters" },
        ],
      },
    ],
  ],
  [
    "a thousand and one suppressions",
    "PUT",
    "/suppressions",
    { addresses: many(1_001, { address: "a@b.c" }) },
    invalid("One call has at most 1000 addresses."),
  ],
  [
    "a channel of pigeons",
    "PUT",
    "/suppressions",
    { addresses: [{ address: "a@b.c", channel: "pigeon" }] },
    invalid("There is no channel 'pigeon'."),
  ],
  ["a channel called __proto__", "GET", "/suppressions/__proto__/x", undefined, unknown("suppression")],

  // Keys and dead letters
  [
    "a key for everything that is",
    "POST",
    "/admin/keys",
    { name: "x", scopes: ["root"] },
    invalid("A key's scopes are some of full, send, read."),
  ],
  [
    "a key whose name paints a terminal",
    "POST",
    "/admin/keys",
    { name: "a\u001b[31m" },
    invalid("A key's name has 1 to 100 characters on one line."),
  ],
  ["a key by a wild card", "DELETE", "/admin/keys/%25", undefined, unknown("key")],
  [
    "ten thousand and one dead letters",
    "POST",
    "/admin/dead-letters/redrive",
    { keys: many(10_001, "k") },
    invalid("keys must have at most 10000 entries."),
  ],

  // Questions
  [
    "SQL for a cursor is a place like any other",
    "GET",
    `/messages?cursor=${cursor("1:' OR 1=1 --")}`,
    undefined,
    [200, { paging: { cursor: null, more: false }, results: [] }],
  ],
  [
    "a cursor that is no UTF-8",
    "GET",
    `/lists?cursor=${cursor(Buffer.from([0x31, 0x3a, 0xff]))}`,
    undefined,
    BAD_CURSOR,
  ],
  ["a cursor of another version", "GET", `/lists?cursor=${cursor("2:news")}`, undefined, BAD_CURSOR],
  ["a cursor of 3 KB", "GET", `/lists?cursor=${"A".repeat(3_000)}`, undefined, BAD_CURSOR],
  ["a page of 1e2", "GET", "/messages?limit=1e2", undefined, BAD_LIMIT],
  ["a page of 0x10", "GET", "/messages?limit=0x10", undefined, BAD_LIMIT],
  ["a page of a blank", "GET", "/messages?limit=%20", undefined, BAD_LIMIT],
  ["a page of ١", "GET", "/messages?limit=%d9%a1", undefined, BAD_LIMIT],
  ["two pages", "GET", "/messages?limit=1&limit=2", undefined, BAD_LIMIT],
  [
    "a place beyond exact numbers",
    "GET",
    "/admin/events?after=9007199254740993",
    undefined,
    invalid('The query parameter "after" must be a whole number of at least 0.'),
  ],
  ["digits that look alike", "GET", `/messages/%EF%BC%91${ANY_ID.slice(1)}`, undefined, unknown("message")],
  [
    "a channel that every object has",
    "GET",
    `/messages/${ANY_ID}/output/__proto__/html`,
    undefined,
    unknown("message"),
  ],
];

for (const [name, method, url, body, [first, second]] of CASES) {
  test(`${name} → ${first}`, async () => {
    const answer = await app.inject({
      method,
      url,
      headers: body === undefined ? AUTH : JSON_HEADERS,
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    if (typeof first === "number") {
      assert.equal(answer.statusCode, first, answer.body);
      if (second !== undefined) assert.deepEqual(answer.json(), second);
      return;
    }
    const expected = refusal(first, String(second));
    assert.deepEqual([answer.statusCode, answer.body], [expected.status, expected.body]);
  });
}

test("of two keys of the same name the last counts, and what was kept is what was meant", async () => {
  const text = `{"message":{"to":{"email":7},"content":9},"message":${JSON.stringify({ to, content })}}`;
  const answer = await app.inject({ method: "POST", url: "/send", headers: JSON_HEADERS, payload: text });
  assert.equal(answer.statusCode, 202);
  const { requestId } = answer.json<{ requestId: string }>();
  const shown = await app.inject({ url: `/messages/${requestId}`, headers: AUTH });
  assert.equal(shown.json<{ recipient: string }>().recipient, to.email);
});

test("a key of odd shape is a key, or is refused; what is sent twice is accepted once", async () => {
  const call = async (key: string, title = "t") => {
    const answer = await app.inject({
      method: "POST",
      url: "/send",
      headers: { ...JSON_HEADERS, "idempotency-key": key },
      payload: JSON.stringify({ message: { to, content: { title, body: "b" } } }),
    });
    return { status: answer.statusCode, body: answer.body };
  };
  for (const key of ["k".repeat(256), "a, b", "'; DROP TABLE once_records; --", "../../x", "__proto__", '"quoted"']) {
    const first = await call(key);
    assert.equal(first.status, 202, key);
    assert.deepEqual(await call(key), first, key);
    const { status, body } = refusal(
      "idempotency.mismatch",
      "This Idempotency-Key was used before with another body on this path.",
    );
    assert.deepEqual(await call(key, "other"), { status, body }, key);
  }
  const { status, body } = refusal("request.invalid", "Idempotency-Key may have at most 256 characters.");
  assert.deepEqual(await call("k".repeat(257)), { status, body });
  // An empty key is none.
  assert.notDeepEqual(await call(""), await call(""));
});
