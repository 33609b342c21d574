import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makePair } from "../clients/aws-home.ts";
import { Home, type Program } from "../support/program.ts";
import { SqsDoor } from "../support/sqs-door.ts";
import { until } from "../support/until.ts";

/** What a handler emitted is there once or not at all, wherever its process is killed: real threads, a store on disk. */

/** A file of the user's: everything that a handler may emit into the house, then perhaps a call of the test. */
const WORK = `import { collection, defineFunction, queue } from "tidings";

const orders = collection<{ n: number }>("orders");

export default defineFunction({
  on: queue<{ n: number; waits?: boolean; poison?: boolean }>("orders", { batchSize: 10 }),
  attempts: 2,
  async handler(batch, { events, documents, queues }) {
    for (const { body } of batch) {
      events.raise({ type: "OrderDone", subject: String(body.n), data: { n: body.n } });
      documents.put(orders, String(body.n), { n: body.n });
      queues.send("shipping", { n: body.n });
      queues.send("ledger.fifo", { n: body.n }, { groupId: "all" });
    }
    if (batch.some(({ body }) => body.waits)) await fetch(process.env.GATE_URL ?? "");
    if (batch.some(({ body }) => body.poison)) throw new RangeError("out of cheese");
  },
});
`;
const THROWS_AT = WORK.split("\n").findIndex((line) => line.includes("throw new")) + 1;

/** By a rule: writes down which orders it heard of, and how often. */
const HEARD = `import { collection, defineFunction, event } from "tidings";

const heard = collection<{ times: number }>("heard");

export default defineFunction({
  on: event<{ n: number }>({ "detail-type": ["OrderDone"] }),
  attempts: 50,
  async handler({ data }, { documents }) {
    const known = await documents.get(heard, String(data.n));
    const version = known?.version ?? 0;
    documents.put(heard, String(data.n), { times: (known?.value.times ?? 0) + 1 }, { version });
  },
});
`;

/** By the journal: the same, in one document for all. */
const READ = `import { collection, defineFunction, stream } from "tidings";

const read = collection<{ seen: readonly number[] }>("read");

export default defineFunction({
  on: stream<{ n: number }>({ filter: { "detail-type": ["OrderDone"] }, startFrom: "earliest", batchSize: 4 }),
  attempts: 50,
  async handler(events, { documents }) {
    const known = await documents.get(read, "all");
    const seen = [...(known?.value.seen ?? []), ...events.map(({ data }) => data.n)];
    documents.put(read, "all", { seen }, { version: known?.version ?? 0 });
  },
});
`;

/** Whom a handler calls when it has emitted everything; while it is shut, the handler waits. */
const waiting: ServerResponse[] = [];
let isOpen = true;
const gate = createServer((_, response) => {
  if (isOpen) response.end();
  else waiting.push(response);
});
before(async () => {
  gate.listen(0, "127.0.0.1");
  await once(gate, "listening");
});
after(() => {
  gate.closeAllConnections();
  gate.close();
});

/** A program with these functions, and the queues into which only the test looks. */
async function given(functions: Readonly<Record<string, string>>) {
  // A server that listens on TCP has an address of this kind.
  const { port } = gate.address() as AddressInfo;
  const home = new Home({ GATE_URL: `http://127.0.0.1:${port}/` });
  const folder = join(home.dataDir, "functions");
  mkdirSync(folder);
  for (const [name, code] of Object.entries(functions)) writeFileSync(join(folder, `${name}.ts`), code);
  try {
    const program = await home.start();
    const pair = await makePair(program);
    const sqs = new SqsDoor(program, pair);
    const urls = { shipping: await sqs.queue("shipping"), ledger: await sqs.queue("ledger.fifo") };
    return { home, folder, program, pair, sqs, urls, orders: await sqs.queue("orders") };
  } catch (fault) {
    await home[Symbol.asyncDispose]();
    throw fault;
  }
}

type Page<T> = { readonly results: readonly { readonly id: string; readonly value: T }[] };

async function documents<T>(program: Program, collection: string): Promise<ReadonlyMap<string, T>> {
  const page = await program.get<Page<T>>(`/documents/${collection}?limit=1000`);
  return new Map(page.results.map(({ id, value }) => [id, value]));
}

async function seen(program: Program): Promise<readonly number[]> {
  return (await documents<{ seen: readonly number[] }>(program, "read")).get("all")?.seen ?? [];
}

/** How many orders the journal tells of. */
async function orderEvents(program: Program): Promise<number> {
  const { events } = await program.get<{ events: readonly { type: string }[] }>("/admin/events?limit=1000");
  return events.filter(({ type }) => type === "OrderDone").length;
}

const numbers = (bodies: readonly string[]): readonly number[] =>
  bodies.map((body) => (JSON.parse(body) as { n: number }).n).toSorted((a, b) => a - b);
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

test("a kill between what a handler emitted and its commit leaves nothing, and the next process does it once", async () => {
  const { home, folder, program, pair, sqs, urls, orders } = await given({ work: WORK, heard: HEARD, read: READ });
  await using _ = home;
  isOpen = false;
  await sqs.send(orders, JSON.stringify({ n: 0, waits: true }));
  await until("the handler has emitted and waits", () => waiting.length > 0);
  await program.kill();
  sqs[Symbol.dispose]();
  for (const response of waiting.splice(0)) response.destroy();
  isOpen = true;

  // Nobody calls functions here, so what is there now is all that was left.
  renameSync(folder, `${folder}-away`);
  const between = await home.start();
  using betweenSqs = new SqsDoor(between, pair);
  assert.equal((await documents(between, "orders")).size, 0);
  assert.deepEqual(await betweenSqs.drain(urls.shipping), []);
  assert.deepEqual(await betweenSqs.drain(urls.ledger), []);
  assert.equal(await orderEvents(between), 0);
  await between.stop();
  renameSync(`${folder}-away`, folder);

  const next = await home.start();
  using nextSqs = new SqsDoor(next, pair);
  await until("it is done", async () => (await seen(next)).length > 0 && (await documents(next, "heard")).size > 0);
  assert.deepEqual(await seen(next), [0]);
  assert.equal(await orderEvents(next), 1);
  assert.deepEqual([...(await documents(next, "heard"))], [["0", { times: 1 }]]);
  assert.deepEqual(numbers(await nextSqs.drain(urls.shipping)), [0]);
  assert.deepEqual(numbers(await nextSqs.drain(urls.ledger)), [0]);
  assert.deepEqual(await nextSqs.drain(orders), []);
});

test("killed again and again among many messages, it does each once, for queues of both kinds, a rule and the journal", async () => {
  const work = WORK.replace("attempts: 2", "attempts: 50");
  const { home, program, pair, sqs, urls, orders } = await given({ work, heard: HEARD, read: READ });
  await using _ = home;
  const count = 120;
  await Promise.all(upTo(count).map((n) => sqs.send(orders, JSON.stringify({ n }))));
  sqs[Symbol.dispose]();
  let running = program;
  for (const share of [0.1, 0.4, 0.7]) {
    await until("some are done", async () => (await documents(running, "orders")).size >= share * count);
    await running.kill();
    running = await home.start();
  }
  await until("all have been heard of and read", async () => {
    return (await documents(running, "heard")).size === count && (await seen(running)).length >= count;
  });
  using door = new SqsDoor(running, pair);
  assert.deepEqual(
    (await seen(running)).toSorted((a, b) => a - b),
    upTo(count),
  );
  const heard = [...(await documents<{ times: number }>(running, "heard")).values()];
  assert.deepEqual(
    heard.filter(({ times }) => times !== 1),
    [],
  );
  assert.deepEqual(numbers(await door.drain(urls.shipping)), upTo(count));
  assert.deepEqual(numbers(await door.drain(urls.ledger)), upTo(count));
});

type Letters = { readonly results: readonly { readonly error: string; readonly key: string }[] };

test("a message without a way to be handled is a dead letter with the line that threw, and is done when that is mended", async () => {
  const { home, folder, program, sqs, orders } = await given({ work: WORK });
  await using _ = home;
  using __ = sqs;
  await sqs.send(orders, JSON.stringify({ n: 0, poison: true }));
  const [letter] = await until("it is dead", async () => {
    const { results } = await program.get<Letters>("/admin/dead-letters");
    return results.length > 0 && results;
  });
  assert.match(
    letter?.error ?? "",
    new RegExp(`^RangeError: out of cheese \\(functions/work\\.ts:${THROWS_AT}:\\d+\\)$`),
  );
  assert.equal((await documents(program, "orders")).size, 0);
  writeFileSync(join(folder, "work.ts"), WORK.replace("throw new RangeError", "void new RangeError"));
  assert.equal((await program.call("POST", "/functions/reload")).status, 200);
  await program.call("POST", "/admin/dead-letters/redrive", { keys: [letter?.key] });
  await until("it is done", async () => (await documents(program, "orders")).size === 1);
  assert.deepEqual((await program.get<Letters>("/admin/dead-letters")).results, []);
});
