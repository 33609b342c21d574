import assert from "node:assert/strict";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../../test/support/cli-world.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const nowMs = () => NOW;
const CHARGE = {
  name: "billing.charge",
  file: "functions/billing/charge.ts",
  line: 4,
  trigger: { kind: "queue", says: "charges", spec: {} },
  timeout_ms: 30_000,
  concurrency: 10,
  attempts: 5,
  memory_mb: 128,
  state: "running",
  fault: null,
  calls: { done: 1_200, failed: 4 },
  last_run: NOW - 5_000,
  last_error: { at: NOW - 120_000, name: "TypeError", message: "x is\nnot a function" },
  next_run: null,
  waiting: 7,
};
const NIGHTLY = {
  ...CHARGE,
  name: "nightly",
  trigger: { kind: "schedule", says: "0 2 * * * (Europe/Berlin)", spec: {} },
  state: "faulty",
  fault: "There is no time zone Mars.",
  calls: { done: 0, failed: 0 },
  last_error: null,
  next_run: NOW + 3_600_000,
};
const FAULT = { file: "functions/broken.ts", line: 7, message: "Unexpected token" };
const CALL = {
  id: "01abc",
  function: "billing.charge",
  key: "k",
  attempt: 2,
  started: NOW - 5_000,
  took_ms: 1_250,
  outcome: "failed",
  error: { name: "TypeError", message: "x is not a function", at: "functions/billing/charge.ts:9:3", stack: null },
  logs: [{ at: NOW, level: "info", text: "charging\u001b[31m", fields: { order: 17 } }],
  traceparent: null,
};

test("functions are listed with what starts them and how they do, and files that could not be loaded below", async () => {
  await using server = await fakeServer({
    "GET /functions": () => ({ body: { results: [CHARGE, NIGHTLY], faults: [FAULT] } }),
  });
  const { exit, out, err } = await ran(["functions", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.match(out, /billing\.charge +queue charges +running +1,204 +4 +TypeError: x is \(2m ago\)/);
  assert.match(
    out,
    /nightly +schedule 0 2 \* \* \* \(Europe\/Berlin\) +faulty +0 +0 +in 1 h +There is no time zone Mars\./,
  );
  assert.match(err, /✗ functions\/broken\.ts:7 {2}Unexpected token/);
});

test("where there is none, it says what is one", async () => {
  await using server = await fakeServer({ "GET /functions": () => ({ body: { results: [], faults: [] } }) });
  const { exit, err } = await ran(["functions", "list", ...server.flags]);
  assert.equal(exit, EXIT.ok);
  assert.match(err, /No functions\. A file with a default export/);
});

test("a function is shown as somebody would say it", async () => {
  await using server = await fakeServer({ "GET /functions/billing.charge": () => ({ body: CHARGE }) });
  const { out } = await ran(["functions", "show", "billing.charge", ...server.flags], { nowMs });
  assert.match(out, /file +functions\/billing\/charge\.ts:4/);
  assert.match(out, /calls +1,204, 4 failed \(this node, since its start\)/);
  assert.match(out, /limits +30 s a call, 10 at once, 5 attempts, 128 MB/);
  const unknown = await ran(["functions", "show", "nobody", ...server.flags]);
  assert.equal(unknown.exit, EXIT.no);
});

test("logs are shown oldest first, with nothing that a terminal would obey", async () => {
  const newest = { ...CALL, id: "01abd", outcome: "done", error: null, attempt: 1 };
  await using server = await fakeServer({
    "GET /functions/billing.charge/invocations": () => ({
      body: { results: [newest, CALL], paging: { more: false } },
    }),
  });
  const { exit, out } = await ran(["functions", "logs", "billing.charge", "--failed", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.match(out, /✗ 2026-11-20 .* 01abc {2}1\.3 s, attempt 2\n {4}info {2}charging \[31m {2}\{"order":17\}\n/);
  assert.match(out, / {4}TypeError: x is not a function {2}functions\/billing\/charge\.ts:9:3\n✓ .* 01abd/);
  assert.equal(server.asked[0]?.query.get("failed"), "true");
  assert.doesNotMatch(out, /\u001b/);
});

test("following shows each call once, also when pages overlap", async () => {
  const stop = new AbortController();
  let looks = 0;
  const shown: string[] = [];
  await using server = await fakeServer({
    "GET /functions/f/invocations": () => {
      looks += 1;
      const ids = looks === 1 ? ["01"] : ["03", "02", "01"];
      if (looks === 3) stop.abort();
      return { body: { results: ids.map((id) => ({ ...CALL, id, logs: [] })), paging: { more: false } } };
    },
  });
  const { exit } = await ran(["functions", "logs", "f", "--follow", "--json", ...server.flags], {
    nowMs,
    signal: stop.signal,
    onOut: (text) => void shown.push(JSON.parse(text).id),
  });
  assert.deepEqual([exit, shown], [EXIT.interrupted, ["01", "02", "03"]]);
});

test("a function is called by hand with what a file says, and its failure is the exit code", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "tidings-functions-"));
  await writeFile(join(folder.path, "input.json"), '{"a":1}');
  const done = { id: "01", outcome: "done", output: { sum: 2 }, error: null, logs: CALL.logs, took_ms: 12 };
  let answer: object = done;
  await using server = await fakeServer({ "POST /functions/f/invoke": () => ({ body: answer }) });
  const wishes = { nowMs, cwd: folder.path, stdin: "[2]" };
  const first = await ran(["functions", "invoke", "f", "--data", "@input.json", ...server.flags], wishes);
  assert.equal(first.exit, EXIT.ok);
  assert.match(first.out, /^✓ f {2}01 {2}12 ms\n {4}info {2}charging.*\n\{\n {2}"sum": 2\n\}\n$/);
  answer = { ...done, outcome: "failed", output: null, error: CALL.error };
  const failed = await ran(["functions", "invoke", "f", "--data", "-", ...server.flags], wishes);
  assert.equal(failed.exit, EXIT.no);
  assert.match(failed.out, /✗ f .*[\s\S]*TypeError: x is not a function/);
  assert.deepEqual(
    server.asked.map(({ body }) => body),
    [{ input: { a: 1 } }, { input: [2] }],
  );
  for (const wrong of ["{", "@none.json"]) {
    const { exit, err } = await ran(["functions", "invoke", "f", "--data", wrong, ...server.flags], wishes);
    assert.equal(exit, EXIT.usage);
    assert.match(err, /--data/);
  }
  const both = await ran(["functions", "invoke", "f", "--data", "1", "--body", "1", ...server.flags], wishes);
  assert.deepEqual([both.exit, /not both/.test(both.err)], [EXIT.usage, true]);
  assert.equal(server.asked.length, 2);
});

test("of what a handler is given by hand, the part is enough that somebody thinks of", async () => {
  let trigger: object = {};
  await using server = await fakeServer({
    "GET /functions/f": () => ({ body: { ...CHARGE, trigger } }),
    "POST /functions/f/invoke": () => ({ body: { id: "01", outcome: "done", output: null, logs: [], took_ms: 1 } }),
  });
  const given = async (kind: string, spec: object, ...line: readonly string[]) => {
    trigger = { kind, says: "", spec };
    const { exit, err } = await ran(["functions", "invoke", "f", ...line, ...server.flags], { nowMs });
    const body = server.asked.at(-1)?.body as { readonly input: unknown } | undefined;
    return exit === EXIT.ok ? body?.input : err;
  };
  const body = ["--body", '{"n":1}'];
  const time = new Date(NOW).toISOString();
  const event = { id: `by-hand-${NOW}`, source: "shop", type: "by-hand", subject: null, time, data: { n: 1 } };
  assert.deepEqual(await given("queue", { queue: "q" }, ...body), [
    {
      ...{ id: "by-hand", body: { n: 1 }, text: '{"n":1}', attributes: {} },
      ...{ groupId: null, receiveCount: 1, sentMs: NOW },
    },
  ]);
  assert.deepEqual(
    await given("event", { pattern: { source: ["shop"], "detail-type": [{ prefix: "a" }] } }, ...body),
    event,
  );
  assert.deepEqual(await given("stream", { filter: { source: ["shop"] } }, ...body), [{ ...event, position: 0 }]);
  assert.deepEqual(await given("schedule", {}), { scheduled: time, scheduledMs: NOW });
  assert.deepEqual(await given("http", { method: "POST", path: "/api/x/:id" }, ...body), {
    ...{ method: "POST", path: "/api/x/:id", params: { id: "id" }, query: {}, headers: {} },
    ...{ body: { n: 1 }, text: '{"n":1}', caller: null },
  });
  assert.match(String(await given("blob", { prefix: "" }, ...body)), /tidings blobs put/);
});

test("reloading tells how many run, and what does not", async () => {
  let body: object = { results: [CHARGE], faults: [] };
  await using server = await fakeServer({ "POST /functions/reload": () => ({ body }) });
  const fine = await ran(["functions", "reload", ...server.flags]);
  assert.deepEqual([fine.exit, fine.out], [EXIT.ok, "✓ 1 function running\n"]);
  body = { results: [CHARGE, NIGHTLY], faults: [FAULT] };
  const broken = await ran(["functions", "reload", ...server.flags]);
  assert.deepEqual([broken.exit, broken.out], [EXIT.no, "✗ 1 function running, 2 faults\n"]);
  assert.match(
    broken.err,
    /functions\/broken\.ts:7 .*\n✗ functions\/billing\/charge\.ts:4 {2}There is no time zone Mars/,
  );
});
