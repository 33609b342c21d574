import assert from "node:assert/strict";
import { test } from "node:test";
import { functionDesk } from "#functions/desk.ts";
import { invocationPut } from "#functions/invocation-log.ts";
import type { Invoker, Ran, Work } from "#functions/invoker.ts";
import { TalliedInvoker } from "#functions/tallies.ts";
import type { DeclaredFunction, LoadFault } from "#ports/function-host.ts";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY, SEND_KEY } from "../../../../test/given-http.ts";

type TriggerSpec = DeclaredFunction["on"];
const HTTP: TriggerSpec = { kind: "http", method: "GET", path: "/api/x", auth: "none" };

function declared(name: string, on: TriggerSpec = HTTP): DeclaredFunction {
  const limits = { timeoutMs: 30_000, concurrency: 10, attempts: 5, memoryMb: 128 };
  return { name, file: `functions/${name}.ts`, line: 3, on, ...limits };
}

const ERROR = { name: "TypeError", says: "no", at: "functions/a.ts:5:3", stack: null };
const FAULT: LoadFault = { name: "broken", file: "functions/broken.ts", line: 7, says: "Unexpected token" };

/** A door with a desk over functions that a test names; calls log one line, and fail when the input says so. */
async function given(...functions: readonly DeclaredFunction[]) {
  let calls = 0;
  let loads = 0;
  let loaded = functions;
  const works: Work[] = [];
  const plain: Invoker = {
    run: async (work): Promise<Ran> => {
      works.push(work);
      calls += 1;
      const input = JSON.parse(work.input);
      const isFine = input?.fail !== true;
      const put = invocationPut({
        ...{ callId: `c${calls}`, function: work.declared.name, key: work.key, attempt: 1 },
        ...{ startedMs: Date.now(), tookMs: 3, outcome: isFine ? "done" : "failed", error: isFine ? null : ERROR },
        ...{ logs: [{ atMs: 5, level: "info", text: "hello", fields: '{"n":1}' }], traceparent: null },
      });
      const puts = put === null ? [] : [put];
      if (!isFine) return { kind: "failed", error: ERROR, effects: { puts } };
      const event = { type: "made", subject: "s", timeMs: 1, data: work.input, traceparent: null };
      return { kind: "done", output: JSON.stringify({ got: input }), effects: { puts, events: [event] } };
    },
  };
  let desk: ReturnType<typeof functionDesk> | null = null;
  const now = () => {
    if (desk === null) throw new Error("the desk is not open yet");
    return desk;
  };
  const house = await givenHouse({
    functions: {
      desk: {
        list: () => now().list(),
        describe: (name) => now().describe(name),
        invocations: (name, ask) => now().invocations(name, ask),
        invocation: (name, id) => now().invocation(name, id),
        invoke: (name, input, by) => now().invoke(name, input, by),
        reload: () => now().reload(),
      },
      routes: { find: () => ({ kind: "none" }) },
      seen: () => new Map(),
    },
  });
  const { engine, clock, store } = house.house;
  const invoker = new TalliedInvoker(plain, clock);
  desk = functionDesk({
    engine,
    invoker,
    entries: () =>
      loaded.map((one) =>
        one.name === "faulty"
          ? { declared: one, state: "faulty", fault: "There is no time zone Mars." }
          : { declared: one, state: "running", fault: null },
      ),
    faults: () => [FAULT],
    tallyOf: (name) => invoker.of(name),
    waitingFor: async ({ on }) => (on.kind === "queue" ? 7 : null),
    reload: async () => {
      loads += 1;
      loaded = loaded.toReversed();
    },
  });
  const call = async (method: "GET" | "POST", url: string, body?: unknown, headers: object = {}) => {
    const given = body === undefined ? AUTH : JSON_HEADERS;
    const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
    const answer = await house.app.inject({ method, url, headers: { ...given, ...headers }, ...payload });
    return { status: answer.statusCode, body: answer.body === "" ? null : answer.json() };
  };
  return {
    call,
    works,
    store,
    loads: () => loads,
    [Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
  };
}

test("functions are listed by name, with what starts them, how they do, and what could not be loaded", async () => {
  const every: TriggerSpec = { kind: "schedule", when: { kind: "rate", everyMs: 300_000 }, timeZone: "UTC" };
  const queue: TriggerSpec = { kind: "queue", queue: "orders", batchSize: 10, filter: null };
  await using door = await given(declared("b", queue), declared("a"), declared("faulty", every));
  const { status, body } = await door.call("GET", "/functions");
  assert.equal(status, 200);
  assert.deepEqual(
    body.results.map(({ name, trigger, state, fault, waiting }: never) => [
      name,
      trigger["says"],
      state,
      fault,
      waiting,
    ]),
    [
      ["a", "GET /api/x (open)", "running", null, null],
      ["b", "orders", "running", null, 7],
      ["faulty", "every 5 minutes", "faulty", "There is no time zone Mars.", null],
    ],
  );
  assert.deepEqual(body.faults, [
    { name: "broken", file: "functions/broken.ts", line: 7, message: "Unexpected token" },
  ]);
  const one = await door.call("GET", "/functions/b");
  assert.deepEqual(one.body, body.results[1]);
  assert.deepEqual((await door.call("GET", "/functions/nobody")).body.code, "thing.unknown");
});

test("a function is called by hand; what it emits is kept, what it says is answered", async () => {
  await using door = await given(declared("a"));
  const { status, body } = await door.call("POST", "/functions/a/invoke", { input: { n: [1, "x"] } });
  assert.equal(status, 200);
  assert.deepEqual([body.outcome, body.output, body.error], ["done", { got: { n: [1, "x"] } }, null]);
  assert.deepEqual(body.logs, [{ at: 5, level: "info", text: "hello", fields: { n: 1 } }]);
  const { events } = await door.store.readJournal({ after: 0, limit: 10 });
  assert.deepEqual(
    events.map(({ type }) => type),
    ["made"],
  );
  const failed = await door.call("POST", "/functions/a/invoke", { input: { fail: true } });
  assert.deepEqual([failed.status, failed.body.outcome, failed.body.error.message], [200, "failed", "no"]);
  assert.equal((await door.store.readJournal({ after: 0, limit: 10 })).events.length, 1);
  const found = await door.call("GET", `/functions/a/invocations/${failed.body.id}`);
  assert.deepEqual([found.status, found.body.outcome], [200, "failed"]);
  assert.equal((await door.call("POST", "/functions/a/invoke", {})).body.output.got, null);
  const shown = (await door.call("GET", "/functions/a")).body;
  assert.deepEqual([shown.calls, shown.last_error.name], [{ done: 2, failed: 1 }, "TypeError"]);
  assert.notEqual(shown.last_run, null);
});

test("what does not run cannot be called by hand, and is not called", async () => {
  await using door = await given(declared("faulty"));
  const refused = await door.call("POST", "/functions/faulty/invoke", {});
  assert.equal(refused.status, 409);
  assert.match(refused.body.message, /no time zone Mars/);
  assert.equal((await door.call("POST", "/functions/nobody/invoke", {})).status, 404);
  assert.equal(door.works.length, 0);
});

test("calls are listed newest first, in pages, and failed ones by themselves", async () => {
  await using door = await given(declared("a"));
  for (const fail of [false, true, false]) await door.call("POST", "/functions/a/invoke", { input: { fail } });
  const first = await door.call("GET", "/functions/a/invocations?limit=2");
  const next = await door.call("GET", `/functions/a/invocations?limit=2&cursor=${first.body.paging.cursor}`);
  const all = [...first.body.results, ...next.body.results];
  assert.deepEqual([all.length, next.body.paging.more], [3, false]);
  assert.deepEqual(
    all.map(({ id }: { id: string }) => id),
    all
      .map(({ id }: { id: string }) => id)
      .toSorted()
      .toReversed(),
  );
  const failed = await door.call("GET", "/functions/a/invocations?failed=true");
  assert.deepEqual(
    failed.body.results.map(({ outcome }: { outcome: string }) => outcome),
    ["failed"],
  );
  assert.equal((await door.call("GET", "/functions/nobody/invocations")).status, 404);
  assert.equal((await door.call("GET", "/functions/a/invocations?cursor=%3F")).status, 400);
  assert.equal((await door.call("GET", "/functions/a/invocations/zzz")).status, 404);
});

test("reading is for keys that may read, calling and reloading for those that may do everything", async () => {
  await using door = await given(declared("a"));
  const reader = { authorization: `Bearer ${READ_KEY}` };
  const sender = { authorization: `Bearer ${SEND_KEY}` };
  assert.equal((await door.call("GET", "/functions", undefined, reader)).status, 200);
  assert.equal((await door.call("GET", "/functions", undefined, sender)).status, 403);
  for (const key of [reader, sender]) {
    assert.equal((await door.call("POST", "/functions/a/invoke", {}, key)).status, 403);
    assert.equal((await door.call("POST", "/functions/reload", undefined, key)).status, 403);
  }
  assert.equal(door.loads(), 0);
  const reloaded = await door.call("POST", "/functions/reload");
  assert.deepEqual([reloaded.status, reloaded.body.results.length, door.loads()], [200, 1, 1]);
});

test("a server without a folder of functions has none, and says so", async () => {
  await using house = await givenHouse();
  const ask = async (method: "GET" | "POST", url: string) => {
    const answer = await house.app.inject({ method, url, headers: AUTH });
    return `${answer.statusCode} ${answer.body}`;
  };
  assert.equal(await ask("GET", "/functions"), '200 {"results":[],"faults":[]}');
  assert.match(await ask("POST", "/functions/reload"), /^404 .*no folder of functions/);
  assert.match(await ask("GET", "/functions/a/invocations"), /^404 /);
});
