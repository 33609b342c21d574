import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Tidings, TidingsError } from "tidings/client";
import { writeClient } from "../../../scripts/write-client.ts";
import { Home, KEY, type Program } from "../support/program.ts";

/** Our own client against the whole program: each group that it has, and what it does when the server says no. */

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const home = new Home();
let program: Program;
let client: Tidings;
before(async () => {
  program = await home.start();
  client = new Tidings({ url: program.url, key: KEY, retries: 2 });
});
after(() => home[Symbol.asyncDispose]());

test("what it knows of the API is what the API says of itself (otherwise: npm run client)", async () => {
  const openApi = (await (await program.call("GET", "/openapi.json")).json()) as Parameters<typeof writeClient>[0];
  const generated = "sdk/src/client/generated.ts";
  const biome = spawn(join(ROOT, "node_modules/.bin/biome"), ["format", `--stdin-file-path=${generated}`], {
    cwd: ROOT,
  });
  biome.stdin.end(writeClient(openApi));
  assert.equal(await text(biome.stdout), readFileSync(join(ROOT, generated), "utf8"));
});

test("queues: made, sent to, counted, removed", async () => {
  const params = { name: "orders" };
  await client.call("PUT /queues/{name}", { params, body: { visibility_ms: 1_000 } });
  const { id } = await client.call("POST /queues/{name}/messages", { params, body: { body: "{}" } });
  assert.match(id, /^[0-9a-f-]{36}$/);
  const { counts } = await client.call("GET /queues/{name}", { params });
  // Counted a moment ago at most.
  assert(counts.visible <= 1);
  assert.equal(await client.call("DELETE /queues/{name}", { params }), undefined);
});

test("documents: put, found, changed by version, deleted", async () => {
  const at = { params: { collection: "customers", id: "ada/1" } };
  const first = await client.call("PUT /documents/{collection}/{id}", { ...at, body: { plan: "pro" } });
  assert.equal(first.version, 1);
  const stale = client.call("PUT /documents/{collection}/{id}", { ...at, query: { version: 7 }, body: {} });
  await assert.rejects(stale, (error: unknown) => error instanceof TidingsError && error.code === "conflict.changed");
  const { results } = await client.call("GET /documents/{collection}", { params: { collection: "customers" } });
  assert.deepEqual(
    results.map(({ id, value }) => [id, value]),
    [["ada/1", { plan: "pro" }]],
  );
  await client.call("DELETE /documents/{collection}/{id}", at);
});

test("files: put and read as they are", async () => {
  const bytes = new Uint8Array([0, 1, 255]);
  const params = { name: "in.bin" };
  const put = await client.call("PUT /blobs/{name}", { params, body: bytes });
  assert.equal(put.bytes, 3);
  assert.deepEqual(await client.call("GET /blobs/{name}", { params }), bytes);
});

test("events and rules: raised once under one id, and given to a rule's queue", async () => {
  await client.call("PUT /queues/{name}", { params: { name: "placed" }, body: {} });
  const rule = { pattern: { source: ["/shop"] }, targets: [{ queue: "placed" }] };
  await client.call("PUT /rules/{bus}/{name}", { params: { bus: "default", name: "placed" }, body: rule });
  const raise = () => client.events.raise("order.placed", { n: 1 }, { source: "/shop", id: "1" });
  await Promise.all([raise(), raise()]);
  const { results } = await client.call("GET /functions", {});
  assert.deepEqual(results, []);
});

test("a refusal is an error with code, hint and request id; nothing is repeated that was refused", async () => {
  const error: unknown = await client
    .call("GET /queues/{name}", { params: { name: "nothing" } })
    .catch((fault: unknown) => fault);
  assert(error instanceof TidingsError);
  assert.equal(error.status, 404);
  assert.notEqual(error.hint, null);
  assert.notEqual(error.requestId, null);
});

test("what the server cannot take now is sent again, and after that the refusal is told", async () => {
  let calls = 0;
  const server = createServer((_, response) => {
    calls += 1;
    const isGood = calls === 3 || calls > 10;
    response.writeHead(isGood ? 200 : 503, { "content-type": "application/json", "retry-after-ms": "1" });
    response.end(JSON.stringify(isGood ? { results: [] } : { code: "overloaded", message: "Later." }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const patient = new Tidings({ url: `http://127.0.0.1:${port}`, key: "k", retries: 2 });
  assert.deepEqual(await patient.call("GET /webhooks", {}), { results: [] });
  assert.equal(calls, 3);
  await assert.rejects(patient.call("GET /webhooks", {}), TidingsError);
  assert.equal(calls, 6);
  server.close();
});

test("the compiler knows the data of registered events, and the parts that an operation needs", async () => {
  const folder = mkdtempSync(join(ROOT, "node_modules/.cache-client-"));
  try {
    const file = join(folder, "typed.ts");
    const lines = [
      `import { Tidings } from "tidings/client";`,
      `type Events = { readonly "order.placed": { readonly total: number } };`,
      `const client = new Tidings<Events>();`,
      `void client.events.raise("order.placed", { total: 1 });`,
      `void client.events.raise("order.placed", { total: "1" });`,
      `void client.events.raise("order.lost", {});`,
      `void client.call("GET /queues/{name}", {});`,
      `void new Tidings().events.raise("anything", 1);`,
    ];
    writeFileSync(file, lines.join("\n"));
    const flags =
      "--ignoreConfig --noEmit --strict --module nodenext --target esnext --lib esnext --types node --allowImportingTsExtensions --skipLibCheck";
    const tsc = await run(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc"), ...flags.split(" "), file],
      {
        cwd: ROOT,
      },
    ).catch((error: unknown) => error as { readonly stdout: string });
    const places = Array.from(tsc.stdout.matchAll(/typed\.ts\((\d+),/g), ([, line]) => Number(line));
    assert.deepEqual(places, [5, 6, 7], tsc.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
