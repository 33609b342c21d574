import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FastifyInstance, InjectOptions } from "fastify";
import { refusal } from "#doors/http/answer.ts";
import type { FaultCode } from "#domain/problem.ts";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY, REVOKED_KEY, SEND_KEY } from "../../../test/given-http.ts";

/** What a stranger sends, and the whole of what they hear. */
type Case = {
  readonly name: string;
  readonly call: InjectOptions;
  readonly status: number;
  readonly code: FaultCode | null;
  readonly says?: string;
};

let house: Awaited<ReturnType<typeof givenHouse>>;
let app: FastifyInstance;
before(async () => {
  house = await givenHouse();
  app = house.app;
});
after(() => house[Symbol.asyncDispose]());

const MESSAGE = '{"message":{"to":{"email":"ada@example.com"},"content":{"title":"t","body":"b"}}}';
const send = (payload: string | Buffer, headers: Readonly<Record<string, string>> = {}): InjectOptions => ({
  method: "POST",
  url: "/send",
  headers: { ...JSON_HEADERS, ...headers },
  payload,
});
const get = (url: string, headers: Readonly<Record<string, string>> = AUTH): InjectOptions => ({
  method: "GET",
  url,
  headers,
});
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString("base64")}` });

const CASES: readonly Case[] = [
  // The body's text
  {
    name: "no JSON at all",
    call: send("to=ada"),
    status: 400,
    code: "request.malformed",
    says: "The body is not JSON at position 0 (line 1, column 1).",
  },
  {
    name: "JSON that ends early",
    call: send('{"message":{'),
    status: 400,
    code: "request.malformed",
    says: "The body ends before its JSON does.",
  },
  {
    name: "a comma too many",
    call: send('{"message":\n {"a":1,}}'),
    status: 400,
    code: "request.malformed",
    says: "The body is not JSON at position 20 (line 2, column 9).",
  },
  {
    name: "text behind the JSON",
    call: send(`${MESSAGE} x`),
    status: 400,
    code: "request.malformed",
    says: "The body is not JSON at position 82 (line 1, column 83).",
  },
  {
    name: "a bare word",
    call: send("undefined"),
    status: 400,
    code: "request.malformed",
    says: "The body is not JSON at position 0 (line 1, column 1).",
  },
  {
    name: "a number that JSON does not have",
    call: send('{"message":{"a":NaN}}'),
    status: 400,
    code: "request.malformed",
    says: "The body is not JSON at position 16 (line 1, column 17).",
  },
  {
    name: "a line break inside a string",
    call: send('{"message":"a\nb"}'),
    status: 400,
    code: "request.malformed",
    says: "The body is not JSON at position 11 (line 1, column 12).",
  },
  {
    name: "invalid UTF-8",
    call: send(Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])),
    status: 400,
    code: "request.malformed",
    says: "The body is not valid UTF-8.",
  },
  {
    name: "half a UTF-16 character in bytes",
    call: send(Buffer.from('{"message":"\ud800"}', "utf16le")),
    status: 400,
    code: "request.malformed",
    says: "The body is not valid UTF-8.",
  },
  {
    name: "nesting without end",
    call: send("[".repeat(100_000)),
    status: 400,
    code: "request.malformed",
    says: "The body nests deeper than 64 levels at position 64 (line 1, column 65).",
  },
  {
    name: "65 levels, well-formed",
    call: send(`{"message":${"[".repeat(64)}${"]".repeat(64)}}`),
    status: 400,
    code: "request.malformed",
    says: "The body nests deeper than 64 levels at position 74 (line 1, column 75).",
  },
  {
    name: "brackets inside strings are no nesting",
    call: send(`{"message":{"to":{"email":"a@b.c"},"content":{"title":"${'\\"[{'.repeat(100)}","body":"b"}}}`),
    status: 202,
    code: null,
  },
  {
    name: "__proto__",
    call: send('{"message":{"to":{"email":"a@b.c"},"data":{"__proto__":{"admin":true}}}}'),
    status: 400,
    code: "request.malformed",
    says: 'The body has a key named "__proto__", which is not accepted.',
  },
  {
    name: "__proto__ in disguise",
    call: send('{"message":{"to":{"email":"a@b.c"},"data":{"\\u005f_proto\\u005F_" : {"admin":true}}}}'),
    status: 400,
    code: "request.malformed",
    says: 'The body has a key named "__proto__", which is not accepted.',
  },
  {
    name: "__proto__ as a word is nothing special",
    call: send('{"message":{"to":{"email":"a@b.c"},"data":{"key":"__proto__"}}}'),
    status: 202,
    code: null,
  },
  {
    name: "constructor.prototype",
    call: send('{"message":{"to":{"email":"a@b.c"},"data":{"constructor":{"prototype":{"admin":true}}}}}'),
    status: 400,
    code: "request.malformed",
    says: 'The body has a key "constructor" that holds "prototype", which is not accepted.',
  },
  {
    name: "a constructor is a trade",
    call: send('{"message":{"to":{"email":"a@b.c"},"data":{"constructor":{"name":"Acme Builders"}}}}'),
    status: 202,
    code: null,
  },
  { name: "a byte order mark is skipped", call: send(`\ufeff${MESSAGE}`), status: 202, code: null },
  {
    name: "7 MB",
    call: send(`{"message":"${"x".repeat(7_000_000)}"}`),
    status: 413,
    code: "request.too_large",
    says: "The body is larger than 6 MB (6291456 bytes).",
  },

  // What it says
  {
    name: "an empty body",
    call: send(""),
    status: 400,
    code: "request.invalid",
    says: 'The body must have "message".',
  },
  { name: "null", call: send("null"), status: 400, code: "request.invalid", says: "The body must be an object." },
  { name: "an array", call: send("[]"), status: 400, code: "request.invalid", says: "The body must be an object." },
  {
    name: "a message that is text",
    call: send('{"message":"hello"}'),
    status: 400,
    code: "request.invalid",
    says: "message must be an object.",
  },
  {
    name: "a recipient that is a number",
    call: send('{"message":{"to":7}}'),
    status: 400,
    code: "request.invalid",
    says: "message.to must be an object or an array.",
  },
  {
    name: "one bad recipient of three",
    call: send('{"message":{"to":[{"email":"a@b.c"},{"email":["x"]},{"email":"c@d.e"}]}}'),
    status: 400,
    code: "request.invalid",
    says: "message.to[1].email must be a string.",
  },
  {
    name: "text for elements",
    call: send('{"message":{"to":{},"content":{"elements":"x"}}}'),
    status: 400,
    code: "request.invalid",
    says: "message.content.elements must be an array.",
  },
  {
    name: "an unknown routing method",
    call: send('{"message":{"to":{},"routing":{"method":"some","channels":[]}}}'),
    status: 400,
    code: "request.invalid",
    says: 'message.routing.method must be "single" or "all".',
  },
  {
    name: "tags that are no list",
    call: send('{"message":{"to":{},"metadata":{"tags":"a,b"}}}'),
    status: 400,
    code: "request.invalid",
    says: "message.metadata.tags must be an array.",
  },
  {
    name: "fields that nobody knows are kept",
    call: send('{"message":{"to":{"email":"a@b.c"},"content":{},"sparkle":{"n":1}},"x":2}'),
    status: 202,
    code: null,
  },
  {
    name: "nulls, as the SDK's types allow them",
    call: send('{"message":{"to":{"email":"a@b.c","user_id":null},"template":null,"delay":null,"routing":null}}'),
    status: 202,
    code: null,
  },

  // How it is sent
  {
    name: "a form",
    call: send("a=b", { "content-type": "application/x-www-form-urlencoded" }),
    status: 415,
    code: "request.unsupported_type",
    says: "This path takes application/json in UTF-8.",
  },
  {
    name: "plain text",
    call: send(MESSAGE, { "content-type": "text/plain" }),
    status: 415,
    code: "request.unsupported_type",
    says: "This path takes application/json in UTF-8.",
  },
  {
    name: "another character set",
    call: send(MESSAGE, { "content-type": "application/json; charset=latin1" }),
    status: 415,
    code: "request.unsupported_type",
    says: "This path takes application/json in UTF-8.",
  },
  {
    name: "a content type that is none",
    call: send(MESSAGE, { "content-type": "json" }),
    status: 415,
    code: "request.unsupported_type",
    says: "This path takes application/json in UTF-8.",
  },
  {
    name: "compressed",
    call: send(MESSAGE, { "content-encoding": "gzip" }),
    status: 415,
    code: "request.unsupported_type",
    says: "Compressed bodies are not accepted; leave out Content-Encoding.",
  },
  {
    name: "a vendor's JSON",
    call: send(MESSAGE, { "content-type": 'application/vnd.acme+json; charset="UTF-8"' }),
    status: 202,
    code: null,
  },

  // Who sends it
  {
    name: "no key",
    call: get("/messages", {}),
    status: 401,
    code: "auth.missing",
    says: "This path needs an API key.",
  },
  {
    name: "a key that nobody has",
    call: get("/messages", bearer("guess")),
    status: 401,
    code: "auth.invalid",
    says: "This API key is not known here.",
  },
  {
    name: "a key that was revoked",
    call: get("/messages", bearer(REVOKED_KEY)),
    status: 401,
    code: "auth.invalid",
    says: "This API key is not known here.",
  },
  {
    name: "an empty key",
    call: get("/messages", { authorization: "Bearer " }),
    status: 401,
    code: "auth.invalid",
    says: "This API key is not known here.",
  },
  {
    name: "another scheme",
    call: get("/messages", { authorization: "Digest username=x" }),
    status: 401,
    code: "auth.invalid",
    says: "This API key is not known here.",
  },
  {
    name: "a key that may only read, sending",
    call: send(MESSAGE, bearer(READ_KEY)),
    status: 403,
    code: "auth.scope",
    says: 'This key lacks the scope "send".',
  },
  {
    name: "a key that may only send, reading",
    call: get("/messages", bearer(SEND_KEY)),
    status: 403,
    code: "auth.scope",
    says: 'This key lacks the scope "read".',
  },
  {
    name: "a key that may only read, redriving",
    call: get("/admin/queues", bearer(READ_KEY)),
    status: 403,
    code: "auth.scope",
    says: 'This key lacks the scope "full".',
  },
  {
    name: "a wrong key is told so before its body is read",
    call: send("{", bearer("guess")),
    status: 401,
    code: "auth.invalid",
    says: "This API key is not known here.",
  },
  {
    name: "Basic with the key as password",
    call: get("/messages", basic(`ada@example.com:${READ_KEY}`)),
    status: 200,
    code: null,
  },
  { name: "Basic with the key as user", call: get("/messages", basic(`${READ_KEY}:`)), status: 200, code: null },
  {
    name: "bearer in another spelling",
    call: get("/messages", { authorization: `bEARER   ${READ_KEY}` }),
    status: 200,
    code: null,
  },

  // Where to
  {
    name: "an unknown path",
    call: get("/_stainless_unknown_path"),
    status: 404,
    code: "route.unknown",
    says: "There is nothing at this path.",
  },
  {
    name: "an unknown path with a body of any type",
    call: { method: "POST", url: "/nothing/here", headers: { "content-type": "what/ever" }, payload: "x" },
    status: 404,
    code: "route.unknown",
    says: "There is nothing at this path.",
  },
  {
    name: "a method that the path does not answer",
    call: { method: "DELETE", url: "/send", headers: AUTH },
    status: 405,
    code: "route.method",
    says: "This path answers POST, OPTIONS.",
  },
  {
    name: "a path that is not UTF-8",
    call: get("/messages/%ff%fe"),
    status: 400,
    code: "request.invalid",
    says: "The path is not valid: percent-encoding must be UTF-8, segments short.",
  },
  {
    name: "half a percent sign",
    call: get("/messages/%4"),
    status: 400,
    code: "request.invalid",
    says: "The path is not valid: percent-encoding must be UTF-8, segments short.",
  },
  {
    name: "a zero byte in the path",
    call: get("/messages/a%00b"),
    status: 400,
    code: "request.invalid",
    says: "The path may not contain the character U+0000.",
  },
  {
    name: "a segment without end",
    call: get(`/messages/${"m".repeat(5_000)}`),
    status: 400,
    code: "request.invalid",
    says: "The path is not valid: percent-encoding must be UTF-8, segments short.",
  },
  {
    name: "climbing out",
    call: get("/mailbox/..%2f..%2fetc%2fpasswd"),
    status: 404,
    code: "thing.unknown",
    says: "There is no such caught message.",
  },
  {
    name: "an id that can be none",
    call: get("/messages/message_id"),
    status: 404,
    code: "thing.unknown",
    says: "There is no such message.",
  },
  {
    name: "an id that nothing has",
    call: get("/messages/1-65f240a0-47a6a120c8374de9bcf9f22a"),
    status: 404,
    code: "thing.unknown",
    says: "There is no such message.",
  },
  {
    name: "a request that nobody made",
    call: get("/requests/1-65f240a0-47a6a120c8374de9bcf9f22a"),
    status: 404,
    code: "thing.unknown",
    says: "There is no such request.",
  },
  { name: "a slash at the end", call: get("/messages/"), status: 200, code: null },

  // What is asked
  {
    name: "a cursor of one's own making",
    call: get("/messages?cursor=abc"),
    status: 400,
    code: "request.invalid",
    says: '"cursor" is not one of ours; take it from "paging.cursor".',
  },
  {
    name: "a cursor that is no base64",
    call: get("/messages?cursor=%22%3B--"),
    status: 400,
    code: "request.invalid",
    says: '"cursor" is not one of ours; take it from "paging.cursor".',
  },
  {
    name: "a cursor given twice",
    call: get("/messages?cursor=a&cursor=b"),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "cursor" must be given once, as text without control characters.',
  },
  {
    name: "a page of a million",
    call: get("/messages?limit=1000000"),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "limit" must be a whole number from 1 to 100.',
  },
  {
    name: "half a message",
    call: get("/messages?limit=1.5"),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "limit" must be a whole number from 1 to 100.',
  },
  {
    name: "maybe",
    call: get("/messages?archived=maybe"),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "archived" must be true or false.',
  },
  {
    name: "no time at all",
    call: get("/messages?enqueued_after=yesterday"),
    status: 400,
    code: "request.invalid",
    says: '"enqueued_after" must be epoch milliseconds or ISO 8601.',
  },
  {
    name: "a thousand statuses",
    call: get(`/messages?status=${"SENT,".repeat(1000)}`),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "status" may have at most 100 values.',
  },
  {
    name: "a zero byte in the query",
    call: get("/messages?recipient=a%00b"),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "recipient" must be given once, as text without control characters.',
  },
  { name: "a parameter that nobody knows", call: get("/messages?__proto__[x]=1&sparkle=2"), status: 200, code: null },
  {
    name: "history of an unknown kind",
    call: get("/messages/1-65f240a0-47a6a120c8374de9bcf9f22a/history?type=EATEN"),
    status: 400,
    code: "request.invalid",
    says: '"type" must be one of ENQUEUED, MAPPED, UNMAPPED, PROFILE_LOADED, FILTERED, DELAYED, DIGESTED, ROUTED, RENDERED, DELIVERING, RETRY, PROVIDER_ERROR, SENT, DELIVERED, OPENED, CLICKED, UNDELIVERABLE, UNROUTABLE, CANCELED, THROTTLED, SIMULATED, HELD.',
  },
  {
    name: "why, without whom",
    call: get("/admin/why"),
    status: 400,
    code: "request.invalid",
    says: 'Give either "message" or "recipient".',
  },
  {
    name: "a place in the journal before its beginning",
    call: get("/admin/events?after=-1"),
    status: 400,
    code: "request.invalid",
    says: 'The query parameter "after" must be a whole number of at least 0.',
  },
  {
    name: "resuming a stream from nowhere",
    call: get("/admin/events/stream", { ...AUTH, "last-event-id": "1; drop" }),
    status: 400,
    code: "request.invalid",
    says: "Last-Event-ID must be the id of an event from this stream.",
  },
  {
    name: "redriving by two ways at once",
    call: {
      method: "POST",
      url: "/admin/dead-letters/redrive",
      headers: JSON_HEADERS,
      payload: '{"all":true,"queue":"x"}',
    },
    status: 400,
    code: "request.invalid",
    says: 'Give one of "keys", "queue" or "all": true.',
  },
  {
    name: "an idempotency key without end",
    call: send(MESSAGE, { "idempotency-key": "k".repeat(300) }),
    status: 400,
    code: "request.invalid",
    says: "Idempotency-Key may have at most 256 characters.",
  },
  {
    name: "an upload called like a path",
    call: { method: "POST", url: "/attachments?filename=..%2Fx", headers: AUTH, payload: "x" },
    status: 400,
    code: "request.invalid",
    says: '"filename" may have 255 characters, without slashes or controls.',
  },
  {
    name: "an upload of nothing",
    call: { method: "POST", url: "/attachments?filename=x", headers: AUTH },
    status: 400,
    code: "request.invalid",
    says: "The body must be the file; it was empty.",
  },
  {
    name: "a letter that nobody caught",
    call: get("/mailbox/x"),
    status: 404,
    code: "thing.unknown",
    says: "There is no such caught message.",
  },
];

for (const { name, call, status, code, says } of CASES) {
  test(`${name} → ${status}${code === null ? "" : ` ${code}`}`, async () => {
    const answer = await app.inject(call);
    assert.equal(answer.statusCode, status, answer.body);
    if (code === null) return;
    assert.equal(answer.body, refusal(code, says ?? "").body);
    assert.match(String(answer.headers["content-type"]), /^application\/json/);
  });
}
