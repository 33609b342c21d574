import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Home, type Program } from "../support/program.ts";
import { type TestDatabase, testDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

/** Functions over three nodes on one Postgres: who serves doors calls the paths, who works does the rest, each thing once. */

const ORDERS = 400;
const CALLERS = 8;
/** A lease, the wait for the next look, and both cores taken. */
const TAKEN_OVER_MS_MAX = 90_000;

const FUNCTIONS = {
  // The path: answered by the node that is called.
  "order.ts": `
import { defineFunction, http } from "tidings";
export default defineFunction({
  on: http("POST", "/api/orders/:id", { auth: "none" }),
  handler({ params }, { queues }) {
    queues.send("work", { id: params.id });
    return { status: 202, body: { pid: process.pid } };
  },
});`,
  // Each order once, and whoever counts with somebody else at the same time does it anew.
  "work.ts": `
import { collection, defineFunction, queue } from "tidings";
const counters = collection("counters");
const orders = collection("orders");
export default defineFunction({
  on: queue("work", { batchSize: 10 }),
  async handler(batch, { documents, events }) {
    const known = await documents.get(counters, "worked");
    documents.put(counters, "worked", { count: (known?.value.count ?? 0) + batch.length }, { version: known?.version ?? 0 });
    for (const { body } of batch) {
      documents.put(orders, body.id, { pid: process.pid }, { version: 0 });
      events.raise({ type: "worked", subject: body.id, data: { id: body.id } });
    }
  },
});`,
  "tell.ts": `
import { collection, defineFunction, event } from "tidings";
const told = collection("told");
export default defineFunction({
  on: event({ "detail-type": ["worked"] }),
  handler: ({ data }, { documents }) => documents.put(told, data.id, { pid: process.pid }, { version: 0 }),
});`,
  "read.ts": `
import { collection, defineFunction, stream } from "tidings";
const counters = collection("counters");
export default defineFunction({
  on: stream({ startFrom: "earliest", filter: { "detail-type": ["worked"] } }),
  async handler(batch, { documents }) {
    const known = await documents.get(counters, "read");
    documents.put(counters, "read", { count: (known?.value.count ?? 0) + batch.length }, { version: known?.version ?? 0 });
  },
});`,
  "tick.ts": `
import { collection, defineFunction, schedule } from "tidings";
const ticks = collection("ticks");
export default defineFunction({
  on: schedule("rate(1 second)"),
  // The same time twice would fail for ever.
  handler: ({ scheduledMs }, { documents }) => documents.put(ticks, String(scheduledMs), { pid: process.pid }, { version: 0 }),
});`,
  "file.ts": `
import { blob, collection, defineFunction } from "tidings";
const files = collection("files");
export default defineFunction({
  on: blob("in/"),
  handler: async (file, { documents }) => documents.put(files, file.sha256, { text: await file.text(), pid: process.pid }),
});`,
} as const;

type Stored = { readonly id: string; readonly value: { readonly pid: number; readonly text?: string } };
type Page = { readonly results: readonly Stored[]; readonly paging: { readonly cursor: string | null } };

let database: TestDatabase;
const home = new Home();
let api: Program;
let workers: readonly [Program, Program];

before(async () => {
  database = await testDatabase();
  const folder = join(home.dataDir, "functions");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(FUNCTIONS)) writeFileSync(join(folder, name), text);
  home.env({
    TIDINGS_DATABASE_URL: database.url,
    TIDINGS_DATABASE_SCHEMA: database.schema("functions"),
    TIDINGS_FUNCTIONS_DIR: folder,
  });
  const [one, two, three] = await Promise.all([
    home.start({ TIDINGS_ROLE: "api" }),
    home.start({ TIDINGS_ROLE: "worker" }),
    home.start({ TIDINGS_ROLE: "worker" }),
  ]);
  api = one;
  workers = [two, three];
});
after(async () => {
  await home[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function documents(collection: string): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await api.get(`/documents/${collection}?limit=100${cursor === null ? "" : `&cursor=${cursor}`}`);
    found.push(...page.results);
    ({ cursor } = page.paging);
  } while (cursor !== null);
  return found;
}

async function counted(id: string): Promise<number> {
  const answer = await api.call("GET", `/documents/counters/${id}`);
  if (answer.status === 404) return 0;
  // The functions above write it.
  return ((await answer.json()) as { readonly value: { readonly count: number } }).value.count;
}

test("paths are called where they are served, all else by those that work, and the death of one of them doubles and loses nothing", async () => {
  let next = 0;
  const pids = new Set<number>();
  const order = async (): Promise<void> => {
    while (next < ORDERS) {
      const answer = await api.call("POST", `/api/orders/o-${next++}`);
      assert.equal(answer.status, 202);
      pids.add(((await answer.json()) as { pid: number }).pid);
    }
  };
  const ordering = Promise.all(Array.from({ length: CALLERS }, order));
  await until("it is under way", async () => (await counted("worked")) > ORDERS / 10);
  await workers[0].kill();
  await ordering;
  assert.deepEqual([...pids], [api.pid]);
  await until("all are read", async () => (await counted("read")) >= ORDERS, TAKEN_OVER_MS_MAX);
  await until("all are told", async () => (await documents("told")).length >= ORDERS, TAKEN_OVER_MS_MAX);
  assert.deepEqual([await counted("worked"), await counted("read")], [ORDERS, ORDERS]);
  const wanted = Array.from({ length: ORDERS }, (_, n) => `o-${n}`).toSorted();
  for (const collection of ["orders", "told"]) {
    const found = await documents(collection);
    assert.deepEqual(found.map(({ id }) => id).toSorted(), wanted);
    assert.ok(
      found.every(({ value: { pid } }) => workers.some((worker) => worker.pid === pid)),
      "workers did it",
    );
  }
  const letters = await api.get<{ readonly results: readonly object[] }>("/admin/dead-letters");
  assert.deepEqual(letters.results, []);
});

test("a schedule is kept by one node at each time, also after the one that kept it has died", async () => {
  const before = (await documents("ticks")).length;
  const ticks = await until("time goes on", async () => {
    const found = await documents("ticks");
    return found.length >= before + 3 ? found : null;
  });
  assert.ok(ticks.every(({ value: { pid } }) => pid !== api.pid));
});

test("a file that one node takes is read by another", async () => {
  const answer = await api.call("PUT", "/blobs/in/a.txt", "a file", { "content-type": "text/plain" });
  assert.equal(answer.status, 201, await answer.text());
  const [file] = await until("it was read", async () => {
    const found = await documents("files");
    return found.length > 0 ? found : null;
  });
  assert.deepEqual([file?.value.text, file?.value.pid], ["a file", workers[1].pid]);
});
