import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import type { WebhookContent } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { systemClock } from "#drivers/system/clock.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { openWebhookProvider, type WebhookOptions } from "#providers/webhook/provider.ts";

const SECRETS = [`whsec_${Buffer.alloc(32, 1).toString("base64")}`, `whsec_${Buffer.alloc(24, 2).toString("base64")}`];
const MESSAGE_ID = "1-69557a80-0123456789abcdef01234567:ada%40example.com";
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const envelope = (content: Partial<WebhookContent>, traceparent: string | null = null): Envelope => ({
  messageId: MESSAGE_ID,
  attempt: 1,
  acceptedMs: 0,
  traceparent,
  content: {
    channel: "webhook",
    url: "http://127.0.0.1/",
    method: "POST",
    headers: {},
    authentication: { mode: "none" },
    body: `{"a":"ä"}`,
    ...content,
  },
});

function open(t: TestContext, options: Partial<WebhookOptions> = {}): Provider {
  const provider = openWebhookProvider({
    secrets: [],
    allowPrivate: true,
    concurrencyMax: 10,
    clock: new ManualClock(Date.now()),
    ...options,
  });
  t.after(() => provider[Symbol.asyncDispose]());
  return provider;
}

async function serve(
  t: TestContext,
  listener: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<{ readonly url: string; readonly connections: () => number }> {
  const server = createServer((request, response) => void listener(request, response)).listen(0, "127.0.0.1");
  let connections = 0;
  server.on("connection", () => (connections += 1));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}

async function sendAll(provider: Provider, envelopes: readonly Envelope[], signal = new AbortController().signal) {
  const outcomes: Outcome[] = [];
  await provider.send(
    envelopes,
    (index, outcome) => {
      assert.equal(outcomes[index], undefined, "one outcome each");
      outcomes[index] = outcome;
    },
    signal,
  );
  return outcomes;
}

const sendOne = async (provider: Provider, one: Envelope): Promise<Outcome> => {
  const [outcome] = await sendAll(provider, [one]);
  assert.ok(outcome !== undefined);
  return outcome;
};

test("a webhook arrives as JSON, signed so that the official library believes it, and carries the trace", async (t) => {
  const seen: { request: IncomingMessage; body: string }[] = [];
  const { url } = await serve(t, async (request, response) => {
    seen.push({ request, body: await text(request) });
    response.writeHead(204).end();
  });
  const provider = open(t, { secrets: SECRETS });
  const outcome = await sendOne(provider, envelope({ url: `${url}/hooks?x=1` }, TRACEPARENT));
  assert.deepEqual(outcome, { kind: "sent", reference: { status: "204" } });
  const [call] = seen;
  assert.ok(call !== undefined);
  assert.equal(`${call.request.method} ${call.request.url}`, "POST /hooks?x=1");
  const headers = call.request.headers as Record<string, string>;
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["webhook-id"], MESSAGE_ID);
  assert.equal(headers["traceparent"], TRACEPARENT);
  for (const secret of SECRETS) assert.deepEqual(new Webhook(secret).verify(call.body, headers), { a: "ä" });
  assert.throws(() => new Webhook(SECRETS[0] ?? "").verify(`${call.body} `, headers));
});

test("without secrets nothing pretends to be signed; a wrong secret stops the opening and is not repeated", async (t) => {
  let headers: IncomingMessage["headers"] = {};
  const { url } = await serve(t, (request, response) => {
    ({ headers } = request);
    response.end();
  });
  await sendOne(open(t), envelope({ url }));
  assert.equal(headers["webhook-id"], MESSAGE_ID);
  assert.equal(headers["webhook-signature"], undefined);
  for (const secrets of [["geheim"], ["whsec_c2hvcnQ="], ["whsec_!!!"], [...SECRETS, ...SECRETS]]) {
    assert.throws(
      () => open(t, { secrets }),
      (error: Error) => error instanceof RangeError && !error.message.includes("geheim"),
    );
  }
});

test("PUT, the sender's own headers and both kinds of authentication are passed on", async (t) => {
  const seen: string[] = [];
  const { url } = await serve(t, (request, response) => {
    const { authorization, "content-type": type, "x-own": own } = request.headers;
    seen.push([request.method, type, own, authorization].join(" "));
    response.end();
  });
  const headers = { "Content-Type": "application/cloudevents+json", "X-Own": "yes" };
  const [basic, bearer] = [
    { mode: "basic", username: "ada", password: "é:x" } as const,
    { mode: "bearer", token: "t0ken" } as const,
  ];
  const provider = open(t);
  await sendOne(provider, envelope({ url, method: "PUT", headers, authentication: basic }));
  await sendOne(provider, envelope({ url, headers, authentication: bearer }));
  assert.deepEqual(seen, [
    `PUT application/cloudevents+json yes Basic ${Buffer.from("ada:é:x").toString("base64")}`,
    "POST application/cloudevents+json yes Bearer t0ken",
  ]);
});

test("a sender's header can neither pretend to be ours nor smuggle in another one", async (t) => {
  const { url, connections } = await serve(t, (_request, response) => void response.end());
  const provider = open(t, { secrets: SECRETS });
  const bad: readonly Readonly<Record<string, string>>[] = [
    { Host: "evil.example" },
    { "Content-Length": "1" },
    { "transfer-encoding": "chunked" },
    { Connection: "upgrade" },
    { "Webhook-Id": "other" },
    { "webhook-signature": "v1,x" },
    { "proxy-authorization": "x" },
    { traceparent: "x" },
    { "x-a": "1\r\nx-b: 2" },
    { "x-a": "1\n2" },
    { "x-a\r\nx-b": "1" },
    { "x a": "1" },
    { "": "1" },
    { "x-a": "\0" },
    { "x-a": "☃" },
    { "x-a": "y".repeat(5_000) },
    Object.fromEntries(Array.from({ length: 51 }, (_h, at) => [`x-${at}`, "1"])),
  ];
  for (const headers of bad) {
    assert.equal(
      (await sendOne(provider, envelope({ url, headers }))).kind,
      "refused",
      JSON.stringify(headers).slice(0, 60),
    );
  }
  const bearer = { mode: "bearer", token: "x\r\nx-b: 2" } as const;
  assert.equal((await sendOne(provider, envelope({ url, authentication: bearer }))).kind, "refused");
  assert.equal(connections(), 0);
});

test("only http and https are spoken, and a URL holds no credentials", async (t) => {
  const provider = open(t);
  for (const url of [
    "",
    "nonsense",
    "/path",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "http://ada:pw@127.0.0.1/",
    "http://",
  ]) {
    assert.equal((await sendOne(provider, envelope({ url }))).kind, "refused", url);
  }
});

test("an address of our own network is refused without knocking, however it is written", async (t) => {
  const { url, connections } = await serve(t, (_request, response) => void response.end());
  const { port } = new URL(url);
  const provider = open(t, { allowPrivate: false });
  const hosts = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0x7f.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0.0.0.0",
    "[::]",
    "localhost",
    "169.254.169.254",
    "10.0.0.1",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
  ];
  for (const scheme of ["http", "https"]) {
    const outcomes = await sendAll(
      provider,
      hosts.map((host) => envelope({ url: `${scheme}://${host}:${port}/` })),
    );
    for (const [at, outcome] of outcomes.entries()) assert.equal(outcome.kind, "refused", hosts[at] ?? "");
  }
  assert.equal(connections(), 0);
});

test("a name is judged by where it leads at the moment of connecting", async (t) => {
  const { url, connections } = await serve(t, (_request, response) => void response.end());
  const { port } = new URL(url);
  const asked: string[] = [];
  const leads = (...addresses: readonly string[]) => ({
    allowPrivate: false,
    resolve: async (hostname: string) => {
      asked.push(hostname);
      return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
  });
  for (const addresses of [["127.0.0.1"], ["::ffff:127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["169.254.169.254"]]) {
    const outcome = await sendOne(open(t, leads(...addresses)), envelope({ url: `http://rebound.example:${port}/` }));
    assert.equal(outcome.kind, "refused");
    assert.match((outcome as { reason: string }).reason, /rebound\.example \(.*\) is not a public address/);
  }
  assert.equal(connections(), 0);
  assert.equal(asked.length, 4);
  const allowed = open(t, { ...leads("127.0.0.1"), allowPrivate: true });
  assert.equal((await sendOne(allowed, envelope({ url: `http://rebound.example:${port}/` }))).kind, "sent");
  assert.equal((await sendOne(open(t, leads()), envelope({ url: "http://nowhere.example/" }))).kind, "retry");
});

test("redirects are not followed", async (t) => {
  const seen: (string | undefined)[] = [];
  const { url } = await serve(t, (request, response) => {
    seen.push(request.url);
    response.writeHead(307, { location: "/elsewhere" }).end();
  });
  assert.deepEqual(await sendOne(open(t), envelope({ url: `${url}/here` })), {
    kind: "refused",
    reason: "307: redirects are not followed",
  });
  assert.deepEqual(seen, ["/here"]);
});

test("each call of a batch has its own outcome, with the receiver's reason and wish", async (t) => {
  const { url } = await serve(t, (request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 429 ? { "retry-after": "7" } : {}).end(`because ${status}`);
  });
  const outcomes = await sendAll(
    open(t),
    [200, 429, 410, 503].map((status) => envelope({ url: `${url}/${status}` })),
  );
  assert.deepEqual(outcomes, [
    { kind: "sent", reference: { status: "200" } },
    { kind: "retry", reason: "the receiver answered 429: because 429", afterMs: 7_000 },
    { kind: "refused", reason: "the receiver answered 410: because 410" },
    { kind: "retry", reason: "the receiver answered 503: because 503" },
  ]);
});

test("an answer that never ends is not read to its end", async (t) => {
  const { url } = await serve(t, (request, response) => {
    response.writeHead(request.url === "/200" ? 200 : 500);
    const more = () => {
      while (response.write("x".repeat(1024)));
    };
    response.on("drain", more);
    response.on("close", () => response.removeAllListeners("drain"));
    more();
  });
  const [ok, no] = await sendAll(open(t), [envelope({ url: `${url}/200` }), envelope({ url: `${url}/500` })]);
  assert.deepEqual(ok, { kind: "sent", reference: { status: "200" } });
  assert.equal(no?.kind, "retry");
});

test("where nobody listens the call may be tried again", async (t) => {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const outcome = await sendOne(open(t), envelope({ url: `http://127.0.0.1:${port}/` }));
  assert.equal(outcome.kind, "retry");
  assert.match((outcome as { reason: string }).reason, /ECONNREFUSED/);
});

test("a receiver that stays silent leaves the outcome of a POST unknown; a PUT may be repeated", async (t) => {
  const clock = new ManualClock();
  const arrived = Promise.withResolvers<void>();
  let arrivals = 0;
  const { url } = await serve(t, () => {
    arrivals += 1;
    if (arrivals === 2) arrived.resolve();
  });
  const sent = sendAll(open(t, { clock }), [envelope({ url }), envelope({ url, method: "PUT" })]);
  await arrived.promise;
  clock.advance(14_999);
  clock.advance(1);
  assert.deepEqual(await sent, [
    { kind: "unknown", reason: "handed over, but no answer within 15000 ms" },
    { kind: "retry", reason: "no answer within 15000 ms" },
  ]);
  assert.equal(clock.nextInMs(), null, "no timer is left behind");
});

test("a receiver that hangs up without an answer leaves the outcome unknown", async (t) => {
  const { url } = await serve(t, (request) => void request.socket.destroy());
  assert.equal((await sendOne(open(t), envelope({ url }))).kind, "unknown");
});

test("a status line is an answer, although the rest of it never comes", async (t) => {
  const { url } = await serve(t, (request, response) => {
    response.writeHead(Number(request.url?.slice(1)), { "content-length": "100" });
    response.write("so far");
  });
  const provider = open(t, { clock: systemClock(), totalMs: 200 });
  assert.deepEqual(await sendAll(provider, [envelope({ url: `${url}/200` }), envelope({ url: `${url}/500` })]), [
    { kind: "sent", reference: { status: "200" } },
    { kind: "retry", reason: "the receiver answered 500: so far" },
  ]);
});

test("when time is up before a connection stands, the call was never made", async (t) => {
  const clock = new ManualClock();
  const asked = Promise.withResolvers<void>();
  const resolve = () => {
    asked.resolve();
    return new Promise<never>(() => {});
  };
  const sent = sendOne(open(t, { clock, resolve }), envelope({ url: "http://slow.example/" }));
  await asked.promise;
  clock.advance(15_000);
  assert.deepEqual(await sent, { kind: "retry", reason: "no answer within 15000 ms" });
});

test("when stopping, calls not yet begun are given back, and those under way are finished", async (t) => {
  const stop = new AbortController();
  const { url } = await serve(t, (_request, response) => {
    stop.abort();
    setImmediate(() => response.end());
  });
  const resolve = (name: string) =>
    name === "slow.example" ? new Promise<never>(() => {}) : Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
  const provider = open(t, { resolve });
  const batch = [envelope({ url }), envelope({ url: "http://slow.example/" })];
  assert.deepEqual(await sendAll(provider, batch, stop.signal), [
    { kind: "sent", reference: { status: "200" } },
    { kind: "retry", reason: "shutting down" },
  ]);
  assert.deepEqual(await sendAll(provider, [envelope({ url })], stop.signal), [
    { kind: "retry", reason: "shutting down" },
  ]);
});

test("connections are used again, and one receiver sees no more of them than agreed", async (t) => {
  const { url, connections } = await serve(t, (_request, response) => void response.end("thanks"));
  const provider = open(t);
  await sendAll(
    provider,
    Array.from({ length: 100 }, () => envelope({ url })),
  );
  await sendAll(
    provider,
    Array.from({ length: 100 }, () => envelope({ url })),
  );
  assert.ok(connections() <= 16, `${connections()} connections`);
});

test("whatever a server says instead of HTTP, there is one outcome and no crash", async (t) => {
  let babble: Uint8Array = new Uint8Array();
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(babble));
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const provider = open(t);
  const line = fc.constantFrom(
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 099 x\r\n",
    "HTTP/9.9 200\r\n",
    "content-length: -1\r\n",
    "retry-after: x\r\n\r\n",
    "\0\xff",
    "",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 4 }), async (lines) => {
      babble = Buffer.from(lines.join(""), "latin1");
      const { kind } = await sendOne(provider, envelope({ url }));
      assert.ok(["sent", "retry", "refused", "unknown"].includes(kind));
    }),
    { numRuns: 50 },
  );
});
