import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "#drivers/system/clock.ts";
import type { WebCall, WebCaller } from "#ports/web-caller.ts";
import type { Resolve } from "#providers/webhook/guarded-connector.ts";
import { lazyWebCaller } from "#providers/webhook/lazy-web-caller.ts";
import { openWebCaller } from "#providers/webhook/web-caller.ts";

const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const NEVER = new AbortController().signal;

const call = (url: string, given: Partial<WebCall> = {}): WebCall => ({
  url,
  headers: {},
  body: "{}",
  sign: { scheme: "standard", id: "msg_1", secrets: [SECRET] },
  traceparent: null,
  allowPrivate: false,
  timeoutMs: 5_000,
  ...given,
});

function open(t: TestContext, resolve?: Resolve): WebCaller {
  const caller = openWebCaller({ clock: systemClock(), ...(resolve === undefined ? {} : { resolve }) });
  t.after(() => caller[Symbol.asyncDispose]());
  return caller;
}

async function serve(t: TestContext, listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  let connections = 0;
  server.on("connection", () => (connections += 1));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/`, connections: () => connections };
}

/** Ranges of IPv6 that are not public, as their first groups. */
const INSIDE_V6 = [
  "0:0:0:0:0:0:0",
  "fc00",
  "fdff",
  "fe80",
  "febf",
  "fec0",
  "ff02",
  "100:0:0:0",
  "2001:db8",
  "2002:a00",
  "3fff:0",
];
const group = fc.integer({ min: 0, max: 0xffff });
/** An address inside as eight groups. */
const insideV6 = fc
  .tuple(fc.constantFrom(...INSIDE_V6), fc.array(group, { minLength: 8, maxLength: 8 }))
  .map(([start, rest]) => {
    const head = start.split(":").map((part) => Number.parseInt(part, 16));
    return [...head, ...rest.slice(head.length)];
  })
  .filter((groups) => groups.some((one) => one !== 0));

type Spelling = { readonly zeros: boolean; readonly upper: boolean; readonly at: number; readonly dotted: boolean };
const spelling: fc.Arbitrary<Spelling> = fc.record({
  zeros: fc.boolean(),
  upper: fc.boolean(),
  at: fc.nat(7),
  dotted: fc.boolean(),
});

/** One of the many ways in which eight groups may be written: leading zeros, letters, `::` anywhere, an IPv4 tail. */
function spell(groups: readonly number[], { zeros, upper, at, dotted }: Spelling): string {
  const words = groups.map((one) => one.toString(16).padStart(zeros ? 4 : 1, "0"));
  const tail = groups.slice(6).flatMap((one) => [one >>> 8, one & 255]);
  const parts = dotted ? [...words.slice(0, 6), tail.join(".")] : words;
  const from = parts.findIndex((part, index) => index >= at && Number.parseInt(part, 16) === 0 && !part.includes("."));
  let text = parts.join(":");
  if (from !== -1) {
    let to = from;
    while (to < parts.length && /^0+$/.test(parts[to] ?? "")) to += 1;
    text = `${parts.slice(0, from).join(":")}::${parts.slice(to).join(":")}`;
  }
  return upper ? text.toUpperCase() : text;
}

test("no IPv6 address inside is called, however it is written in the URL", async (t) => {
  const caller = open(t, () => Promise.reject(new Error("an address is not looked up")));
  await fc.assert(
    fc.asyncProperty(insideV6, spelling, async (groups, how) => {
      const url = `http://[${spell(groups, how)}]/`;
      assert.ok(URL.canParse(url), url);
      assert.notEqual(caller.flaw(call(url)), null, url);
      assert.equal((await caller.post(call(url), NEVER)).kind, "forbidden", url);
    }),
    { numRuns: 500 },
  );
});

test("no name that leads inside is called, whichever of its addresses it is and however that is written", async (t) => {
  let found: string[] = [];
  const caller = open(t, () => Promise.resolve(found.map((address) => ({ address, family: 6 }))));
  await fc.assert(
    fc.asyncProperty(insideV6, spelling, fc.nat(2), async (groups, how, place) => {
      found = ["2606:4700::1111", "2a00:1450:4001:81b::200e"].toSpliced(place, 0, spell(groups, how));
      assert.equal((await caller.post(call("http://hook.example/"), NEVER)).kind, "forbidden", found.join());
    }),
    { numRuns: 300 },
  );
});

test("a name that led outside and now leads inside is refused, also where a call that may was made before", async (t) => {
  const { port, connections } = await serve(t, (_, response) => response.end());
  const caller = open(t, () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]));
  const url = `http://hook.example:${port}/`;
  assert.equal((await caller.post(call(url, { allowPrivate: true }), NEVER)).kind, "answered");
  // Its connection is still open, and is not this call's.
  assert.equal((await caller.post(call(url), NEVER)).kind, "forbidden");
  assert.equal(connections(), 1);
});

test("a redirect is an answer, wherever it leads", async (t) => {
  const { url, connections } = await serve(t, (request, response) =>
    response.writeHead(307, { location: `http://${request.headers.host}/elsewhere` }).end("moved"),
  );
  const answer = await open(t).post(call(url, { allowPrivate: true }), NEVER);
  assert.ok(answer.kind === "answered");
  assert.deepEqual([answer.status, answer.body, connections()], [307, "moved", 1]);
});

test("an owner's headers can neither frame the call nor pretend to be ours", (t) => {
  const caller = open(t);
  const names = ["Host", "Content-Length", "transfer-encoding", "Connection", "webhook-id", "Webhook-Signature"];
  for (const name of [
    ...names,
    "courier-signature",
    "Content-Type",
    "traceparent",
    "proxy-authorization",
    "a b",
    "a\r\nb",
  ])
    assert.match(caller.flaw(call("https://example.com/", { headers: { [name]: "x" } })) ?? "", /header/, name);
  assert.match(caller.flaw(call("https://example.com/", { headers: { "x-a": "b\r\nc: d" } })) ?? "", /cannot be sent/);
  assert.equal(caller.flaw(call("https://example.com/", { headers: { authorization: "Bearer x" } })), null);
});

test("a call that had not begun when we stopped is withdrawn, one that had is answered", async (t) => {
  const stop = new AbortController();
  const waiting = open(t, () => new Promise(() => {})).post(call("http://hook.example/"), stop.signal);
  const { url } = await serve(t, (_, response) => {
    stop.abort();
    response.end("thanks");
  });
  const begun = await open(t).post(call(url, { allowPrivate: true }), stop.signal);
  assert.equal(begun.kind, "answered");
  assert.equal((await waiting).kind, "withdrawn");
  assert.equal((await open(t).post(call(url, { allowPrivate: true }), stop.signal)).kind, "withdrawn");
});

test("an endpoint that never answers is left at its own time limit, and only the beginning of an answer is read", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.url === "/long") response.end("x".repeat(1_000_000));
  });
  const caller = open(t);
  const silent = await caller.post(call(url, { allowPrivate: true, timeoutMs: 50 }), NEVER);
  assert.ok(silent.kind === "failed");
  assert.match(silent.reason, /no answer within 50 ms/);
  const long = await caller.post(call(`${url}long`, { allowPrivate: true }), NEVER);
  assert.ok(long.kind === "answered");
  assert.deepEqual([long.status, long.body.length <= 4_096], [200, true]);
});

test("the client that is loaded at the first call says and does the same", async (t) => {
  const { url } = await serve(t, (_, response) => response.end("thanks"));
  const caller = lazyWebCaller({ clock: systemClock() });
  t.after(() => caller[Symbol.asyncDispose]());
  assert.equal(caller.flaw(call("http://10.0.0.1/")), "10.0.0.1 is not a public address");
  assert.equal((await caller.post(call("http://10.0.0.1/"), NEVER)).kind, "forbidden");
  assert.equal((await caller.post(call(url, { allowPrivate: true }), NEVER)).kind, "answered");
});
