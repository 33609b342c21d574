import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Agent, request } from "undici";
import { openHttpDoor } from "#doors/http/door.ts";
import { StoreFault } from "#ports/store.ts";
import { AUTH, FULL_KEY, givenHouse, JSON_HEADERS, LOCAL_TOKEN } from "../../../test/given-http.ts";

const BODY = '{ "message": {"to":{"email":"ada@example.com"},"content":{"title":"t","body":"b"}, "n": 1.0} }';

/** A house whose door listens on a port of its own. */
async function givenDoor(given: Parameters<typeof givenHouse>[0] = {}) {
  const house = await givenHouse(given);
  const door = await openHttpDoor(house.house, { port: 0, host: "127.0.0.1" });
  return {
    ...house,
    url: door.url,
    close: () => door[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]();
      await house[Symbol.asyncDispose]();
    },
  };
}

/** What comes back for bytes that no client library would send. */
async function raw(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(text);
  let answer = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
  await once(socket, "close");
  return answer;
}

test("what is kept of a send is the text exactly as it came", async () => {
  const texts: string[] = [];
  await using given = await givenHouse({
    accept: {
      accept: async ({ text }) => {
        texts.push(text);
        return { kind: "refused", problem: { code: "recipient.unsupported", message: "no." } };
      },
    },
  });
  const answer = await given.app.inject({ method: "POST", url: "/send", headers: JSON_HEADERS, payload: BODY });
  assert.deepEqual(texts, [BODY]);
  assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [400, "recipient.unsupported"]);
});

test("a trace that the caller began goes on; otherwise one begins here, and the answer tells it", async () => {
  const traces: (string | null)[] = [];
  await using given = await givenHouse({
    accept: {
      accept: async ({ traceparent }) => {
        traces.push(traceparent);
        return { kind: "overloaded", retryAfterMs: 1 };
      },
    },
  });
  const ask = async (traceparent?: string) => {
    const headers = { ...JSON_HEADERS, ...(traceparent === undefined ? {} : { traceparent }) };
    const { headers: told } = await given.app.inject({ method: "POST", url: "/send", headers, payload: BODY });
    return String(told["traceparent"]);
  };
  const mine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  assert.equal(await ask(mine), mine);
  assert.equal(await ask(`cc${mine.slice(2)}-and more`), mine, "a later version is read as ours");
  for (const broken of [
    undefined,
    "nonsense",
    `ff${mine.slice(2)}`,
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `${mine}-x`,
  ]) {
    const own = await ask(broken);
    assert.match(own, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.notEqual(own, mine);
  }
  assert.equal(traces.length, 7);
});

test("too much to store is 429 with a time to come back, in both spellings", async () => {
  await using given = await givenHouse({
    accept: { accept: async () => ({ kind: "overloaded", retryAfterMs: 1_500 }) },
  });
  const answer = await given.app.inject({ method: "POST", url: "/send", headers: JSON_HEADERS, payload: BODY });
  assert.equal(answer.statusCode, 429);
  assert.deepEqual([answer.headers["retry-after"], answer.headers["retry-after-ms"]], ["2", "1500"]);
  assert.equal(answer.json<{ type: string }>().type, "rate_limit_error");
});

test("a store that cannot is 503 and says nothing of the machine; a bug is 500, and the log has it under the same id", async () => {
  let fault: Error = new StoreFault("store.full", "ENOSPC /var/lib/secret");
  await using given = await givenHouse({ accept: { accept: () => Promise.reject(fault) } });
  const full = await given.app.inject({ method: "POST", url: "/send", headers: JSON_HEADERS, payload: BODY });
  assert.deepEqual(
    [full.statusCode, full.headers["retry-after"], full.json<{ code: string }>().code],
    [503, "1", "store.unavailable"],
  );
  assert.doesNotMatch(full.body, /secret/);
  fault = new TypeError("secret is not a function");
  const bug = await given.app.inject({ method: "POST", url: "/send", headers: JSON_HEADERS, payload: BODY });
  assert.deepEqual([bug.statusCode, bug.json<{ code: string }>().code], [500, "internal"]);
  assert.doesNotMatch(bug.body, /secret/);
  const [complaint] = given.complaints;
  assert.equal(complaint?.fields["call"], bug.headers["x-request-id"]);
  assert.match(String(complaint?.fields["error"]), /secret is not a function/);
});

test("a key works until it is revoked, and from then on not once more", async () => {
  await using given = await givenHouse();
  const created = await given.app.inject({
    method: "POST",
    url: "/admin/keys",
    headers: JSON_HEADERS,
    payload: { name: "shop", scopes: ["read"] },
  });
  assert.equal(created.statusCode, 201, created.body);
  const { id, key } = created.json<{ id: string; key: string }>();
  const list = () => given.app.inject({ url: "/messages", headers: { authorization: `Bearer ${key}` } });
  assert.equal((await list()).statusCode, 200);
  await given.app.inject({ method: "DELETE", url: `/admin/keys/${id}`, headers: AUTH });
  assert.equal((await list()).statusCode, 401);
});

test("the command line of the same start may do everything", async () => {
  await using given = await givenHouse();
  const answer = await given.app.inject({ url: "/admin/queues", headers: { authorization: `Bearer ${LOCAL_TOKEN}` } });
  assert.equal(answer.statusCode, 200);
});

test("HEAD is GET without words, OPTIONS tells what a path answers", async () => {
  await using given = await givenHouse();
  const head = await given.app.inject({ method: "HEAD", url: "/health" });
  assert.deepEqual([head.statusCode, head.body, Number(head.headers["content-length"]) > 10], [200, "", true]);
  const options = await given.app.inject({ method: "OPTIONS", url: "/messages" });
  assert.deepEqual([options.statusCode, options.headers["allow"]], [204, "GET, HEAD, OPTIONS"]);
  const wrong = await given.app.inject({ method: "PATCH", url: "/messages/x/cancel", headers: AUTH });
  assert.deepEqual([wrong.statusCode, wrong.headers["allow"]], [405, "POST, OPTIONS"]);
});

test("HEAD of an endless stream ends", async () => {
  await using given = await givenDoor();
  const { statusCode } = await request(`${given.url}/admin/events/stream`, { method: "HEAD", headers: AUTH });
  assert.equal(statusCode, 200);
});

test("a body that is far too large is answered 413 while the client is still writing", async () => {
  await using given = await givenDoor();
  const answer = await request(`${given.url}/send`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: Buffer.alloc(16_000_000, 0x20),
  });
  assert.equal(answer.statusCode, 413);
  await answer.body.dump();
  const chunked = await request(`${given.url}/send`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: Readable.from(Array.from({ length: 10 }, () => Buffer.alloc(1_000_000, 0x20))),
  });
  assert.equal(chunked.statusCode, 413);
  await chunked.body.dump();
});

test("what is no HTTP gets an answer too, and the next caller is served", async () => {
  await using given = await givenDoor();
  const noise: readonly (readonly [RegExp, string])[] = [
    [/^HTTP\/1.1 400 Bad Request\r\n/, "\x16\x03\x01 hello\r\n\r\n"],
    [/^HTTP\/1.1 400 Bad Request\r\n/, "GET / HTTP/1.1\r\nhost: x\r\nx-a: b\rc\r\n\r\n"],
    [
      /^HTTP\/1.1 400 Bad Request\r\n/,
      "POST /send HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    [/^HTTP\/1.1 431 /, `GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
  ];
  for (const [expected, text] of noise) {
    const answer = await raw(given.url, text);
    assert.match(answer, expected);
    assert.match(answer, /"code":"http.(malformed|head_too_large)"/);
  }
  assert.equal((await request(`${given.url}/health`)).statusCode, 200);
});

test("a body that breaks off leaves nothing behind", async () => {
  await using given = await givenDoor();
  const socket = connect(Number(new URL(given.url).port), "127.0.0.1");
  socket.write(
    `POST /send HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${FULL_KEY}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"mess`,
  );
  await once(socket, "connect");
  socket.destroy();
  await once(socket, "close");
  const { body } = await request(`${given.url}/messages`, { headers: AUTH });
  assert.deepEqual(((await body.json()) as { results: unknown[] }).results, []);
});

test("closing lets a call under way finish and asks its connection to end", async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const given = await givenDoor({
    accept: {
      accept: async () => {
        begun.resolve();
        await goOn.promise;
        return { kind: "overloaded", retryAfterMs: 1 };
      },
    },
  });
  await using _house = given;
  const agent = new Agent({ connections: 1, pipelining: 1 });
  const sent = request(`${given.url}/send`, { method: "POST", headers: JSON_HEADERS, body: BODY, dispatcher: agent });
  await begun.promise;
  const closed = given.close();
  goOn.resolve();
  const answer = await sent;
  assert.equal(answer.statusCode, 429, "it was answered by what it began");
  assert.equal(answer.headers["connection"], "close");
  await answer.body.dump();
  await closed;
  await agent.close();
  await assert.rejects(request(`${given.url}/health`));
});

test("a port that is taken is a sentence for the operator", async () => {
  await using given = await givenDoor();
  await assert.rejects(openHttpDoor(given.house, { port: Number(new URL(given.url).port), host: "127.0.0.1" }), {
    name: "OperatorFault",
    code: "port.taken",
  });
});
