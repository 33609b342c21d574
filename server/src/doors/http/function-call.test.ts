import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { type HttpCall, HttpFeeder, sameRoutes } from "#functions/feeders/http.ts";
import { RESERVED_SEGMENTS } from "#functions/http-routes.ts";
import { INVOCATIONS } from "#functions/invocation-log.ts";
import type { Invoker, Ran, Work } from "#functions/invoker.ts";
import type { FunctionDesk } from "#functions/desk.ts";
import { registerAll } from "#doors/http/routes/all.ts";
import { FULL_KEY, givenHouse, READ_KEY, SEND_KEY } from "../../../test/given-http.ts";

type Declared = Partial<Omit<DeclaredFunction, "on">> & {
  readonly on?: {
    readonly method?: string;
    readonly path?: string;
    readonly auth?: "key" | "none";
    readonly cors?: readonly string[];
  };
};

function declared({ on = {}, ...given }: Declared = {}): DeclaredFunction {
  const { method = "POST", path = "/api/customers/:id", auth = "key", cors } = on;
  if (method !== "GET" && method !== "POST" && method !== "PUT" && method !== "PATCH" && method !== "DELETE")
    throw new Error(method);
  return {
    name: "customers",
    file: "functions/customers.ts",
    line: 4,
    on: { kind: "http", method, path, auth, ...(cors === undefined ? {} : { cors }) },
    timeoutMs: 30_000,
    concurrency: 10,
    attempts: 5,
    memoryMb: 128,
    ...given,
  };
}

const done = (output: unknown, effects: Ran["effects"] = {}): Ran => ({
  kind: "done",
  output: output === undefined ? null : JSON.stringify(output),
  effects,
});

const event = (type: string) => ({ type, subject: "s", timeMs: 1, data: "{}", traceparent: null });

/** A door with functions behind it that do what a test says. */
async function given(...functions: readonly DeclaredFunction[]) {
  const works: Work[] = [];
  const state: { answer: (work: Work, signal: AbortSignal) => Ran | Promise<Ran> } = { answer: () => done(undefined) };
  const invoker: Invoker = {
    run: async (work, signal) => {
      works.push(work);
      const ran = await state.answer(work, signal);
      const bad = ran.kind === "done" ? (work.judge?.(ran.output) ?? null) : null;
      // As the real one does.
      return bad === null
        ? ran
        : { kind: "failed", error: { name: "BadOutput", says: bad, at: null, stack: null }, effects: {} };
    },
  };
  let feeder: HttpFeeder | null = null;
  const house = await givenHouse({
    functions: {
      desk: NO_DESK,
      routes: { find: (method, segments) => feeder?.routes.find(method, segments) ?? { kind: "none" } },
      seen: () => new Map(),
    },
  });
  const { engine, store } = house.house;
  feeder = new HttpFeeder(engine, invoker);
  const feeds = await Promise.all(functions.map((one) => feeder.start(one)));
  const call = async (method: string, url: string, more: { headers?: object; payload?: string } = {}) => {
    const answer = await house.app.inject({
      method: method as "GET",
      url,
      headers: { authorization: `Bearer ${SEND_KEY}`, ...more.headers },
      ...(more.payload === undefined ? {} : { payload: more.payload }),
    });
    return { status: answer.statusCode, headers: answer.headers, text: answer.body };
  };
  return {
    works,
    state,
    feeder,
    feeds,
    call,
    app: house.app,
    engine,
    store,
    input: (at = 0) => JSON.parse(works.at(at)?.input ?? "null"),
    events: async () => (await store.readJournal({ after: 0, limit: 1_000 })).events.map(({ type }) => type),
    [Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
  };
}

const notAsked = () => Promise.reject(new Error("is not asked"));
const NO_DESK: FunctionDesk = {
  list: notAsked,
  describe: notAsked,
  invocations: notAsked,
  invocation: notAsked,
  invoke: notAsked,
  reload: notAsked,
};

const JSON_TYPE = { "content-type": "application/json" };

test("a call reaches the handler with everything decoded once, and the answer is what it returned", async () => {
  await using door = await given(declared());
  door.state.answer = () => done({ status: 201, headers: { "X-Total": "3" }, body: { ok: true } });
  const answer = await door.call("POST", "/api/customers/a%2Fb%2525?x=1%2B1&x=2&name=Ada+L&__proto__=p", {
    headers: { ...JSON_TYPE, cookie: "session=1", "X-Mine": "yes" },
    payload: '{"name":"Ada"}',
  });
  assert.deepEqual([answer.status, answer.text, answer.headers["x-total"]], [201, '{"ok":true}', "3"]);
  assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
  assert.ok(answer.headers["x-request-id"]);
  const { method, path, params, query, body, text, caller, headers } = door.input();
  assert.deepEqual([method, path, params], ["POST", "/api/customers/a%2Fb%2525", { id: "a/b%25" }]);
  assert.equal(JSON.stringify(query), '{"x":"1+1,2","name":"Ada L","__proto__":"p"}');
  assert.deepEqual([body, text, caller], [{ name: "Ada" }, '{"name":"Ada"}', "send"]);
  assert.deepEqual([headers["x-mine"], headers.authorization, headers.cookie], ["yes", undefined, undefined]);
});

test("a page of another origin may call what says so, also when it fails, and a preflight is answered for it", async () => {
  await using door = await given(declared({ on: { auth: "none", cors: ["https://shop.example"] } }));
  door.state.answer = () => done({ status: 201, headers: { vary: "accept" }, body: 1 });
  const call = async (origin: string) => {
    const { headers } = await door.call("POST", "/api/customers/1", { headers: { origin } });
    return [headers["access-control-allow-origin"], headers["vary"]];
  };
  assert.deepEqual(await call("https://shop.example"), ["https://shop.example", "accept, origin"]);
  assert.deepEqual(await call("https://evil.example"), [undefined, "accept, origin"]);
  door.state.answer = () => ({ kind: "failed", error: { name: "E", says: "x", at: null, stack: null }, effects: {} });
  assert.deepEqual(await call("https://shop.example"), ["https://shop.example", "origin"]);
  const ask = async (origin: string, method: string, names = "content-type, x-mine") => {
    const { status, headers } = await door.call("OPTIONS", "/api/customers/1", {
      headers: { origin, "access-control-request-method": method, "access-control-request-headers": names },
    });
    const [from, what, which] = ["origin", "methods", "headers"].map((name) => headers[`access-control-allow-${name}`]);
    return [status, from, what, which];
  };
  assert.deepEqual(await ask("https://shop.example", "POST"), [
    ...[204, "https://shop.example", "POST"],
    "content-type, x-mine",
  ]);
  assert.deepEqual(await ask("https://evil.example", "POST"), [204, undefined, "POST", "content-type, x-mine"]);
  // A method that is not there is no question about CORS.
  assert.deepEqual(await ask("https://shop.example", "DELETE"), [204, undefined, undefined, undefined]);
  assert.deepEqual((await ask("https://shop.example", "POST", "x".repeat(2_000))).at(-1), undefined);
});

test("a path that says nothing of other origins tells browsers nothing, and one for all tells everybody", async () => {
  await using closed = await given(declared({ on: { auth: "none" } }));
  const origin = "https://shop.example";
  const asking = { origin, "access-control-request-method": "POST" };
  const none = await closed.call("OPTIONS", "/api/customers/1", { headers: asking });
  assert.deepEqual([none.status, none.headers["access-control-allow-origin"]], [204, undefined]);
  await using open = await given(declared({ on: { auth: "key", cors: ["*"] } }));
  const asked = await open.call("OPTIONS", "/api/customers/1", { headers: asking });
  assert.deepEqual([asked.headers["access-control-allow-origin"], asked.headers["vary"]], ["*", undefined]);
  const refused = await open.call("POST", "/api/customers/1", { headers: { origin, authorization: "Bearer wrong" } });
  assert.deepEqual([refused.status, refused.headers["access-control-allow-origin"]], [401, "*"]);
});

test("an answer without a body says that it has none", async () => {
  await using door = await given(declared());
  door.state.answer = () => done({ status: 201, headers: { location: "/api/customers/1" } });
  const made = await door.call("POST", "/api/customers/1");
  assert.deepEqual([made.status, made.text, made.headers["content-length"]], [201, "", "0"]);
  assert.equal(made.headers["location"], "/api/customers/1");
  door.state.answer = () => done(undefined);
  const nothing = await door.call("POST", "/api/customers/1");
  assert.deepEqual([nothing.status, nothing.headers["content-length"]], [204, undefined]);
});

test("a body that is not said to be JSON is text, and an empty one is null or nothing", async () => {
  await using door = await given(declared());
  await door.call("POST", "/api/customers/1", { headers: { "content-type": "text/csv" }, payload: "a,b" });
  await door.call("POST", "/api/customers/1", { headers: JSON_TYPE });
  await door.call("POST", "/api/customers/1", {
    headers: { "content-type": "application/vnd.x+json" },
    payload: "[1]",
  });
  assert.deepEqual(
    [0, 1, 2].map((at) => [door.input(at).body, door.input(at).text]),
    [
      ["a,b", "a,b"],
      [null, ""],
      [[1], "[1]"],
    ],
  );
});

test("JSON that would harm, bytes that are no text, and what is packed or too large do not reach the handler", async () => {
  await using door = await given(declared());
  const refused = async (payload: string | Buffer, headers: object = JSON_TYPE) => {
    const answer = await door.app.inject({
      method: "POST",
      url: "/api/customers/1",
      headers: { authorization: `Bearer ${SEND_KEY}`, ...headers },
      payload,
    });
    return `${answer.statusCode} ${answer.json().code}`;
  };
  assert.equal(await refused('{"__proto__":{}}'), "400 request.malformed");
  assert.equal(await refused("[".repeat(100) + "]".repeat(100)), "400 request.malformed");
  assert.equal(await refused("{"), "400 request.malformed");
  assert.equal(await refused(Buffer.from([0xff, 0xfe]), { "content-type": "text/plain" }), "400 request.malformed");
  assert.equal(await refused("x", { "content-encoding": "gzip" }), "415 request.unsupported_type");
  assert.equal(await refused(`"${"x".repeat(6 * 1024 * 1024)}"`), "413 request.too_large");
  assert.equal((await door.call("POST", "/api/customers/a%00b")).status, 400);
  assert.equal((await door.call("POST", "/api/customers/1?x=%00")).status, 400);
  assert.equal((await door.call("POST", "/api/customers/%zz")).status, 400);
  assert.deepEqual(door.works, []);
});

test("a key that may send is asked for, unless the function is open; then a key that comes along is not handed on", async () => {
  await using door = await given(
    declared(),
    declared({ name: "open", on: { method: "GET", path: "/api/open", auth: "none" } }),
  );
  const code = async (authorization?: string) => {
    const answer = await door.app.inject({
      method: "POST",
      url: "/api/customers/1",
      headers: authorization === undefined ? {} : { authorization },
    });
    return `${answer.statusCode} ${answer.body === "" ? "" : answer.json().code}`;
  };
  assert.equal(await code(), "401 auth.missing");
  assert.equal(await code("Bearer nonsense"), "401 auth.invalid");
  assert.equal(await code(`Bearer ${READ_KEY}`), "403 auth.scope");
  assert.equal(door.works.length, 0);
  assert.equal(await code(`Bearer ${FULL_KEY}`), "204 ");
  await door.app.inject({ url: "/api/open", headers: { authorization: `Bearer ${FULL_KEY}`, cookie: "a=1" } });
  await door.app.inject({ url: "/api/open", headers: { authorization: "Basic abc", cookie: "a=1" } });
  const [, keyed, stranger] = [0, 1, 2].map((at) => door.input(at));
  assert.deepEqual([keyed.caller, keyed.headers.authorization, keyed.headers.cookie], ["full", undefined, undefined]);
  assert.deepEqual(
    [stranger.caller, stranger.headers.authorization, stranger.headers.cookie],
    [null, "Basic abc", "a=1"],
  );
});

test("paths appear and go while the door is open; what is not there is said in the door's usual form", async () => {
  await using door = await given();
  assert.equal((await door.call("POST", "/api/customers/1")).status, 404);
  const feed = await door.feeder.start(declared());
  assert.equal((await door.call("POST", "/api/customers/1")).status, 204);
  assert.equal((await door.call("POST", "/api/customers/1/")).status, 204);
  const wrong = await door.call("GET", "/api/customers/1");
  assert.deepEqual(
    [wrong.status, JSON.parse(wrong.text).code, wrong.headers.allow],
    [405, "route.method", "POST, OPTIONS"],
  );
  const options = await door.call("OPTIONS", "/api/customers/1");
  assert.deepEqual([options.status, options.headers.allow], [204, "POST, OPTIONS"]);
  feed.update(declared({ on: { method: "GET", path: "/api/people/:who" } }));
  assert.equal((await door.call("POST", "/api/customers/1")).status, 404);
  assert.equal((await door.call("GET", "/api/people/ada")).status, 204);
  const head = await door.call("HEAD", "/api/people/ada");
  assert.deepEqual([head.status, head.text, door.input(-1).method], [204, "", "HEAD"]);
  await feed.stop();
  assert.equal((await door.call("GET", "/api/people/ada")).status, 404);
});

test("none of our own paths can be taken, and no path twice", async () => {
  await using door = await given(declared());
  const first = new Set<string>();
  const note = (path: string) => void first.add(path.split("/")[1] ?? "");
  registerAll({ add: ({ path }) => note(path), raw: ({ path }) => note(path) }, await houseOf(door), () => "");
  assert.ok(first.size > 20);
  for (const segment of first) assert.ok(RESERVED_SEGMENTS.has(segment), `/${segment} must be reserved`);
  for (const path of ["/send", "/health", "/lists/:x", "/aws/x", "/console", "/docs", "/events"])
    assert.match(door.feeder.faultOf(declared({ on: { path } })) ?? "", /is Tidings' own/);
  const same = declared({ name: "other", file: "functions/other.ts", on: { path: "/api/customers/:name" } });
  assert.deepEqual(
    [...sameRoutes([same, declared(), declared({ name: "third", on: { path: "/api/customers" } })])],
    [
      [
        "other",
        "POST /api/customers/:name is declared in functions/customers.ts:4 already; give one of them another path.",
      ],
    ],
  );
});

async function houseOf(door: Awaited<ReturnType<typeof given>>) {
  await using other = await givenHouse();
  return { ...other.house, engine: door.engine };
}

test("whoever is answered finds what the handler emitted, and of what failed there is nothing but the log", async () => {
  await using door = await given(declared());
  door.state.answer = () => done({ body: 1 }, { events: [event("made")] });
  assert.equal((await door.call("POST", "/api/customers/1")).status, 200);
  assert.deepEqual(await door.events(), ["made"]);
  const put = { collection: INVOCATIONS, id: "customers/1", body: "{}", when: "always" as const, nowMs: 1 };
  const error = { name: "TypeError", says: "secret detail", at: null, stack: null };
  door.state.answer = () => ({ kind: "failed", error, effects: { puts: [put] } });
  const keyed = await door.call("POST", "/api/customers/1");
  assert.deepEqual([keyed.status, JSON.parse(keyed.text).code], [500, "function.failed"]);
  assert.match(JSON.parse(keyed.text).message, /TypeError: secret detail/);
  assert.match(JSON.parse(keyed.text).message, new RegExp(String(keyed.headers["x-request-id"])));
  assert.deepEqual(await door.events(), ["made"]);
  assert.equal((await door.store.documents([put]))[0]?.body, "{}");
});

test("open callers are not told what went wrong inside", async () => {
  await using door = await given(declared({ on: { auth: "none" } }));
  const error = { name: "TypeError", says: "secret detail", at: null, stack: "secret stack" };
  door.state.answer = () => ({ kind: "failed", error, effects: {} });
  const answer = await door.app.inject({ method: "POST", url: "/api/customers/1" });
  assert.equal(answer.statusCode, 500);
  assert.doesNotMatch(answer.body, /secret|TypeError/);
  door.state.answer = () => ({ kind: "failed", error: { ...error, name: "Timeout" }, effects: {} });
  const late = await door.app.inject({ method: "POST", url: "/api/customers/1" });
  assert.deepEqual([late.statusCode, late.json().code], [504, "function.late"]);
  assert.doesNotMatch(late.body, /secret/);
});

test("what is no answer is a failure: nothing is committed", async () => {
  await using door = await given(declared());
  door.state.answer = () => done({ headers: { "x-a": "a\r\nset-cookie: b" } }, { events: [event("made")] });
  const answer = await door.call("POST", "/api/customers/1");
  assert.equal(answer.status, 500);
  assert.match(answer.text, /BadOutput: It returned the header/);
  assert.deepEqual(await door.events(), []);
});

test("an Idempotency-Key gets the first answer whole, and commits nothing twice", async () => {
  await using door = await given(declared());
  door.state.answer = () =>
    done(
      { status: 201, headers: { "x-n": "1", "content-type": "text/csv" }, body: "a,b" },
      { events: [event("made")] },
    );
  const headers = { "idempotency-key": "k1", "content-type": "text/plain" };
  const first = await door.call("POST", "/api/customers/1", { headers, payload: "x" });
  const again = await door.call("POST", "/api/customers/1", { headers, payload: "x" });
  assert.deepEqual(
    [again.status, again.text, again.headers["x-n"], again.headers["content-type"]],
    [first.status, first.text, "1", "text/csv"],
  );
  assert.equal(door.works.length, 1);
  assert.deepEqual(await door.events(), ["made"]);
  const other = await door.call("POST", "/api/customers/1", { headers, payload: "y" });
  assert.deepEqual([other.status, JSON.parse(other.text).code], [422, "idempotency.mismatch"]);
  const asked = await door.call("POST", "/api/customers/1?x=1", { headers, payload: "x" });
  assert.equal(asked.status, 422);
});

test("two calls with one key at the same moment commit one answer, also on two nodes", async () => {
  await using door = await given(declared());
  const both = Promise.withResolvers<void>();
  let begun = 0;
  door.state.answer = async () => {
    begun += 1;
    if (begun === 2) both.resolve();
    await both.promise;
    return done({ body: begun }, { events: [event("made")] });
  };
  const [route] = [door.feeder.routes.find("POST", ["api", "customers", "1"])];
  assert.ok(route.kind === "found");
  const key = { key: "/api/customers/1 k", fingerprint: "f", expiresMs: Date.now() + 60_000 };
  const call: HttpCall = { input: "{}", id: "c", traceparent: null, once: key, signal: new AbortController().signal };
  const called = await Promise.all([route.route.call(call), route.route.call(call)]);
  assert.deepEqual(called.map(({ kind }) => kind).toSorted(), ["answered", "repeated"]);
  assert.deepEqual(await door.events(), ["made"]);
});

test("a document that has changed runs the handler anew; one that never rests is a conflict", async () => {
  await using door = await given(declared());
  const expect = [{ collection: "doc:a", id: "1", version: 1 }];
  const put = { collection: "doc:a", id: "1", body: "{}", when: "always" as const, nowMs: 1 };
  door.state.answer = async () => {
    if (door.works.length === 3) await door.engine.commit({ puts: [put] });
    return done({ body: door.works.length }, { events: [event("made")], expect });
  };
  const answer = await door.call("POST", "/api/customers/1");
  assert.deepEqual([answer.status, answer.text], [200, "3"]);
  assert.deepEqual(await door.events(), ["made"]);
  door.state.answer = () => done({ body: 1 }, { expect: [{ ...expect[0], collection: "doc:b", id: "1", version: 9 }] });
  const conflict = await door.call("POST", "/api/customers/1");
  assert.deepEqual([conflict.status, JSON.parse(conflict.text).code], [409, "conflict.changed"]);
  assert.equal(door.works.length, 3 + 16);
});

test("a call that was not to blame is made again alone, and after three the caller is told to come later", async () => {
  await using door = await given(declared());
  const innocent: Ran = {
    kind: "innocent",
    error: { name: "Exit", says: "another's", at: null, stack: null },
    effects: {},
  };
  door.state.answer = () => (door.works.length === 1 ? innocent : done({ body: "fine" }));
  assert.equal((await door.call("POST", "/api/customers/1")).text, "fine");
  assert.deepEqual(
    door.works.map(({ alone }) => alone),
    [false, true],
  );
  door.state.answer = () => innocent;
  const busy = await door.call("POST", "/api/customers/1");
  assert.deepEqual([busy.status, JSON.parse(busy.text).code, busy.headers["retry-after"]], [503, "function.busy", "1"]);
});

test("an open function has so many calls under way and no more", async () => {
  await using door = await given(declared({ concurrency: 2, on: { auth: "none" } }));
  const open = Promise.withResolvers<void>();
  door.state.answer = async () => {
    await open.promise;
    return done(undefined);
  };
  let turnedAway = 0;
  const calls = Array.from({ length: 12 }, async () => {
    const answer = await door.call("POST", "/api/customers/1");
    if (answer.status === 503) turnedAway += 1;
    // Eight are under way: two at work, six before them.
    if (turnedAway === 4) open.resolve();
    return answer;
  });
  assert.equal((await Promise.race(calls)).headers["retry-after"], "1");
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  assert.deepEqual([statuses.filter((status) => status === 204).length, door.works.length], [8, 8]);
  assert.equal((await door.call("POST", "/api/customers/1")).status, 204);
});

test("a caller who hangs up is told to the handler, and what it emits is kept all the same", async () => {
  await using door = await given(declared({ on: { auth: "none", method: "GET", path: "/api/slow" } }));
  const gone = Promise.withResolvers<void>();
  const kept = Promise.withResolvers<void>();
  door.engine.onCommitted(({ events }) => void (events?.[0]?.type === "made" && kept.resolve()));
  door.state.answer = async (_work, signal) => {
    if (!signal.aborted) await once(signal, "abort");
    gone.resolve();
    return done(undefined, { events: [event("made")] });
  };
  await door.app.listen({ port: 0, host: "127.0.0.1" });
  const address = door.app.server.address();
  assert.ok(address !== null && typeof address === "object");
  const socket = connect(address.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET /api/slow HTTP/1.1\r\nhost: x\r\n\r\n");
  while (door.works.length === 0) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  await gone.promise;
  await kept.promise;
  assert.deepEqual(await door.events(), ["made"]);
});

test("calls are counted by the path that was declared", async () => {
  await using door = await given(declared());
  await door.call("POST", "/api/customers/1");
  await door.call("POST", "/api/customers/2");
  const { body } = await door.app.inject("/metrics");
  assert.match(body, /tidings_http_requests_total\{method="POST",route="\/api\/customers\/:id",status="204"\} 2/);
});
