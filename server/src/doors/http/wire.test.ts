import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { refusal } from "#doors/http/answer.ts";
import { type HttpDoor, openHttpDoor } from "#doors/http/door.ts";
import type { FaultCode } from "#domain/problem.ts";
import { FULL_KEY, givenHouse } from "../../../test/given-http.ts";

/**
 * Calls that no HTTP library would write, as bytes on a connection: how long a body is can be said in two ways, lines
 * are folded, hosts are two. Whatever can be read in two ways is refused and the connection ends, so that nothing that a
 * proxy took for a body is ever taken for a call. What is fine leaves the connection in step: one more call is answered.
 */
type Case = {
  readonly name: string;
  readonly bytes: string | Buffer;
  /** Every answer, in order: a status alone when it is a good one; a refusal word for word. */
  readonly answers: readonly (number | readonly [FaultCode, string])[];
  readonly then: "closed" | "open";
};

let house: Awaited<ReturnType<typeof givenHouse>>;
let door: HttpDoor;
/** Another door of the same house, which soon gives up on who is slow. */
let hasty: HttpDoor;
before(async () => {
  house = await givenHouse();
  const listen = { port: 0, host: "127.0.0.1" };
  door = await openHttpDoor(house.house, listen);
  hasty = await openHttpDoor(house.house, { ...listen, patience: { headMs: 50, requestMs: 100, checkMs: 25 } });
});
after(async () => {
  await hasty[Symbol.asyncDispose]();
  await door[Symbol.asyncDispose]();
  await house[Symbol.asyncDispose]();
});

const HOST = "Host: x\r\n";
const KEY = `${HOST}Authorization: Bearer ${FULL_KEY}\r\n`;
const JSON_TYPE = "Content-Type: application/json\r\n";
const BODY = '{"message":{"to":{"email":"a@b.c"},"content":{"title":"t","body":"b"}}}';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const HEALTH = `GET /health HTTP/1.1\r\n${HOST}\r\n`;

/** `POST /send` with these headers beside key and type, and this behind them. */
const send = (headers: string, body: string) => `POST /send HTTP/1.1\r\n${KEY}${JSON_TYPE}${headers}\r\n${body}`;
const get = (target: string, headers = KEY) => `GET ${target} HTTP/1.1\r\n${headers}\r\n`;
const chunks = (text: string) => send("Transfer-Encoding: chunked\r\n", text);

const NOISE = ["http.malformed", "This is not a call that HTTP/1.1 knows, or it can be read in two ways."] as const;
const NO_HOST = ["http.malformed", "A call in HTTP/1.1 names one host."] as const;
const NOWHERE = ["route.unknown", "There is nothing at this path."] as const;
const BAD_KEY = ["auth.invalid", "This API key is not known here."] as const;
const NO_MESSAGE = ["request.invalid", 'The body must have "message".'] as const;
const TOO_LONG = ["http.head_too_large", "Path and headers of this call are too long."] as const;
const TOO_SLOW = ["http.too_slow", "This call took too long to arrive."] as const;

/** One answer, and the connection ends. */
const refused = (name: string, bytes: string | Buffer, answer: readonly [FaultCode, string] = NOISE): Case => ({
  name,
  bytes,
  answers: [answer],
  then: "closed",
});
/** Read as HTTP; the connection goes on. */
const read = (name: string, bytes: string | Buffer, ...answers: Case["answers"]): Case => ({
  name,
  bytes,
  answers,
  then: "open",
});

const CASES: readonly Case[] = [
  // How long is the body?
  refused("a length and chunks", send("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
  refused("chunks and a length", send("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n")),
  refused("two lengths", send("Content-Length: 4\r\nContent-Length: 5\r\n", "abcde")),
  refused("two lengths, the same", send(LENGTH + LENGTH, BODY)),
  refused("a list of lengths", send("Content-Length: 4, 4\r\n", "abcd")),
  refused("a negative length", send("Content-Length: -1\r\n", "")),
  refused("a length with a plus", send("Content-Length: +4\r\n", "abcd")),
  refused("a length in hexadecimal", send("Content-Length: 0x4\r\n", "abcd")),
  refused("a length beyond every number", send("Content-Length: 99999999999999999999999\r\n", "")),
  refused("an empty length", send("Content-Length:\r\n", "")),
  refused("a coding that is nearly chunked", send("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
  refused("chunked, but not at the end", send("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")),
  refused("chunked twice", send("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
  refused("a coding that is none", send("Transfer-Encoding: identity\r\n", "{}")),
  refused("a blank before the colon", send("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
  read("compressed on the way", send("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), [
    "request.unsupported_type",
    "Compressed bodies are not accepted; Transfer-Encoding may be chunked.",
  ]),

  // Chunks
  refused("a chunk's size that is none", chunks("zz\r\n{}\r\n0\r\n\r\n")),
  refused("a negative chunk", chunks("-2\r\n{}\r\n0\r\n\r\n")),
  refused("a chunk beyond every number", chunks("fffffffffffffffff\r\n{}")),
  refused("a chunk longer than its size", chunks("2\r\n{}x\r\n0\r\n\r\n")),
  refused("a line feed in a chunk's extension", chunks("2;a=\nb\r\n{}\r\n0\r\n\r\n")),
  refused("a chunk's extension without end", chunks(`2;a=${"b".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`)),
  read("a chunk's extension", chunks("2;a=b\r\n{}\r\n0\r\n\r\n"), NO_MESSAGE),
  read("a key behind the chunks opens nothing", chunks(`2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n`), NO_MESSAGE),
  read(
    "a chunk for every byte",
    chunks(
      `${BODY.split("")
        .map((byte) => `1\r\n${byte}\r\n`)
        .join("")}0\r\n\r\n`,
    ),
    202,
  ),

  // Lines and headers
  refused("a folded line", get("/health", `${HOST}X-A: b\r\n c\r\n`)),
  refused("a blank before the first header", get("/health", ` X-A: b\r\n${HOST}`)),
  refused("line feeds only", get("/health").replaceAll("\r", "")),
  refused("a carriage return inside a header", get("/health", `${HOST}X-A: b\rc\r\n`)),
  refused("a zero byte inside a header", get("/health", `${HOST}X-A: b\0c\r\n`)),
  refused("a header without a colon", get("/health", `${HOST}XA\r\n`)),
  refused("a header without a name", get("/health", `${HOST}: x\r\n`)),
  refused("a bracket in a header's name", get("/health", `${HOST}X(A: x\r\n`)),
  refused("a header of 20 KB", get("/health", `${HOST}X: ${"a".repeat(20_000)}\r\n`), TOO_LONG),
  refused("two thousand headers", get("/health", `${HOST}${"a: bcd\r\n".repeat(2_100)}`), TOO_LONG),
  refused("a path of 20 KB", get(`/${"a".repeat(20_000)}`), TOO_LONG),
  refused("no host", get("/health", ""), NO_HOST),
  refused("two hosts", get("/health", "Host: a\r\nHost: b\r\n"), NO_HOST),
  refused("two hosts, and nothing at the path", get("/nowhere", "Host: a\r\nHost: b\r\n"), NO_HOST),
  read("two keys, the good one last", get("/messages", `${HOST}Authorization: Bearer x\r\n${KEY.slice(9)}`), BAD_KEY),
  read("two keys, the good one first", get("/messages", `${KEY}Authorization: Bearer x\r\n`), BAD_KEY),
  read("two types", send(`${JSON_TYPE}${LENGTH}`, BODY), [
    "request.unsupported_type",
    "This path takes application/json in UTF-8.",
  ]),
  read("empty lines before the call", `\r\n\r\n${HEALTH}`, 200),

  // The first line
  refused("a method with a sign", HEALTH.replace("GET", "G@T")),
  refused("a method that nobody knows", HEALTH.replace("GET", "FROB")),
  refused("a method in small letters", HEALTH.replace("GET", "get")),
  read("TRACE", HEALTH.replace("GET", "TRACE"), ["route.method", "This path answers GET, HEAD, OPTIONS."]),
  refused("CONNECT", `CONNECT example.com:443 HTTP/1.1\r\n${HOST}\r\n`, [
    "route.method",
    "This is no proxy; its paths answer GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.",
  ]),
  refused("HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  refused("HTTP/3", HEALTH.replace("1.1", "3.0")),
  refused("HTTP/1.2", HEALTH.replace("1.1", "1.2")),
  refused("HTTP/0.9", "GET /health\r\n\r\n", NO_HOST),
  refused("a greeting in TLS", Buffer.from("160301020001000001fc0303", "hex")),
  refused("a greeting in SSH", "SSH-2.0-OpenSSH_9.9\r\n"),
  refused("a blank in the path", get("/hea lth")),
  refused("a zero byte in the path", get("/hea\0lth")),
  refused("a byte beyond ASCII in the path", Buffer.from(get("/messages/\u00ff"), "latin1")),
  read("a whole address for a path", get("http://elsewhere.example:80/health"), 200),
  read("a whole address with a name and a password", get("http://u:p@elsewhere.example/health"), 200),
  read("two slashes", get("//health"), NOWHERE),
  read("a dot", get("/./health"), NOWHERE),
  read("two dots", get("/lists/../health"), NOWHERE),
  read("two dots, encoded", get("/lists/%2e%2e/health"), NOWHERE),
  read("large letters", get("/HEALTH"), NOWHERE),
  read("a parameter behind a semicolon", get("/health;v=1"), NOWHERE),
  read("an encoded letter is that letter", get("/%68ealth"), 200),
  read("a star", get("*"), NOWHERE),
  read("OPTIONS for everything", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 204),

  // Other wishes
  read("a WebSocket", get("/health", `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n`), 200),
  read("HTTP/2 by upgrade", get("/health", `${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n`), 200),
  read("waiting for 100 Continue", send(`Expect: 100-continue\r\n${LENGTH}`, BODY), 100, 202),
  read("an expectation that nobody knows", send(`Expect: fries\r\n${LENGTH}`, BODY), 202),
  read("a body where none is read", get("/health", `${HOST}Content-Length: 31\r\n`) + HEALTH.slice(0, 31), 200),

  // One behind the other
  read(
    "a good call behind a bad one",
    send("Content-Length: 1\r\n", "{") + HEALTH,
    ["request.malformed", "The body ends before its JSON does."],
    200,
  ),
  read(
    "a call inside a body that nobody may send",
    `POST /send HTTP/1.1\r\n${HOST}${JSON_TYPE}Content-Length: ${HEALTH.length}\r\n\r\n${HEALTH}`,
    ["auth.missing", "This path needs an API key."],
  ),
  { name: "noise behind a send", bytes: `${send(LENGTH, BODY)}NOISE\r\n\r\n`, answers: [202, NOISE], then: "closed" },
  {
    name: "noise behind two sends",
    bytes: `${send(LENGTH, BODY).repeat(2)}NOISE\r\n\r\n`,
    answers: [202, 202, NOISE],
    then: "closed",
  },

  // Slowly
  refused("a head that never ends", "GET /health HTTP/1.1\r\nX-A: b\r\n", TOO_SLOW),
  refused("a body that never comes", send("Content-Length: 40\r\n", "{"), TOO_SLOW),
  refused("chunks that never end", chunks("2\r\n{}\r\n"), TOO_SLOW),
];

for (const { name, bytes, answers, then } of CASES) {
  test(`${name} → ${answers.map((each) => (typeof each === "number" ? each : each[0])).join(", ")}, ${then}`, async () => {
    const { port } = new URL(answers.includes(TOO_SLOW) ? hasty.url : door.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => {});
    const said = answersOf(socket);
    socket.write(bytes);
    for (const expected of answers) {
      const { value } = await said.next();
      assert.ok(value !== undefined, "the connection ended before this answer");
      if (typeof expected === "number") {
        assert.equal(value.status, expected, value.body);
        continue;
      }
      const { status, body } = refusal(...expected);
      assert.deepEqual(value, { status, body });
    }
    if (then === "open") {
      socket.write(HEALTH);
      assert.deepEqual((await said.next()).value, { status: 200, body: '{"status":"ok","version":"0.1.0"}' });
    } else {
      assert.deepEqual((await said.next()).done, true, "the connection ends");
    }
    socket.destroy();
  });
}

/** The answers on a connection, each as soon as it is whole, until the other side closes it. */
async function* answersOf(socket: Socket): AsyncGenerator<{ readonly status: number; readonly body: string }> {
  let text = "";
  let closed = false;
  socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
  socket.on("end", () => (closed = true));
  for (;;) {
    const match = /^HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/.exec(text);
    const bytes = Number(/content-length: (\d+)/i.exec(match?.[0] ?? "")?.[1] ?? 0);
    if (match !== null && text.length >= match[0].length + bytes) {
      yield { status: Number(match[1]), body: text.slice(match[0].length, match[0].length + bytes) };
      text = text.slice(match[0].length + bytes);
    } else if (closed) return;
    else await Promise.race([once(socket, "data"), once(socket, "end")]);
  }
}
