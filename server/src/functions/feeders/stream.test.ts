import assert from "node:assert/strict";
import { test } from "node:test";
import {
  collection,
  type Context,
  type DefinedFunction,
  defineFunction,
  stream,
  type StreamEvent,
  type StreamOptions,
} from "tidings";
import { FunctionsWorld } from "../../../test/support/functions-world.ts";
import { foreign } from "../../../test/support/rules-world.ts";

type Data = { readonly n: number };
type Batch = readonly StreamEvent<Data>[];
const counts = collection<{ readonly count: number }>("stream-counts");

/** Counts what it reads, in a document that moves with its checkpoint. */
function reader(
  say: (batch: Batch, context: Context) => unknown = () => undefined,
  options: StreamOptions = {},
  attempts = 3,
): DefinedFunction {
  return defineFunction({
    on: stream<Data>({ startFrom: "earliest", filter: { source: ["shop.orders"] }, ...options }),
    attempts,
    async handler(batch, context) {
      const known = await context.documents.get(counts, "all");
      const count = (known?.value.count ?? 0) + batch.length;
      context.documents.put(counts, "all", { count }, { version: known?.version ?? 0 });
      return await say(batch, context);
    },
  }) as DefinedFunction;
}

const orders = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => foreign(String(from + at), { n: from + at }));

const numbers = (batch: Batch): readonly number[] => batch.map(({ data }) => data.n);

test("the journal is read in order and in batches, each with its effects in the commit of the checkpoint", async () => {
  const seen: (readonly number[])[] = [];
  const read = reader((batch) => void seen.push(numbers(batch)), { batchSize: 4 });
  const world = await FunctionsWorld.start({});
  await world.append(...orders(1, 6));
  await world.reload({ read });
  await world.pass(2_000);
  assert.deepEqual(seen.flat(), [1, 2, 3, 4, 5, 6]);
  assert.ok(seen.every((batch) => batch.length <= 4));
  await world.restart();
  await world.append(...orders(7, 8));
  await world.pass(2_000);
  assert.deepEqual(await world.document("stream-counts", "all"), { count: 8 });
});

test("a batch that fails is halved: only the event that is to blame dies, and nothing of a failed try is seen", async () => {
  const read = reader((batch, { events }) => {
    events.raise({ type: "read", data: numbers(batch) });
    if (numbers(batch).includes(3)) throw new RangeError("out of cheese");
  });
  const world = await FunctionsWorld.start({ read });
  await world.append(...orders(1, 6));
  await world.pass(60_000);
  assert.deepEqual(await world.document("stream-counts", "all"), { count: 5 });
  assert.deepEqual((await world.said("read")).flat(), [1, 2, 4, 5, 6]);
  const letters = await world.dead();
  assert.deepEqual(letters.length, 1);
  assert.match(letters[0]?.error ?? "", /RangeError: out of cheese/);
});

test("without halving the whole batch dies with its event", async () => {
  const fails = (batch: Batch): void => {
    if (numbers(batch).includes(2)) throw new Error("no");
  };
  const world = await FunctionsWorld.start({});
  await world.append(...orders(1, 3));
  await world.reload({ read: reader(fails, { bisectOnError: false }) });
  await world.pass(60_000);
  assert.equal((await world.dead()).length, 3);
  assert.equal(await world.document("stream-counts", "all"), null);
});

test("other numbers of attempts count from the next load on", async () => {
  let calls = 0;
  const fails = (): void => {
    calls += 1;
    throw new Error("no");
  };
  const world = await FunctionsWorld.start({ read: reader(fails, {}, 50) });
  await world.reload({ read: reader(fails, {}, 2) });
  await world.append(...orders(1, 1));
  await world.pass(60_000);
  assert.equal(calls, 2);
  assert.equal((await world.dead()).length, 1);
});

test("our own events come only when the filter asks for their source", async () => {
  const seen = new Map<string, string[]>([
    ["all", []],
    ["own", []],
  ]);
  const note =
    (name: string) =>
    (batch: Batch): void =>
      void seen.get(name)?.push(...batch.map(({ source }) => source));
  const watch = (name: string, options: StreamOptions) =>
    defineFunction({ on: stream<Data>({ startFrom: "latest", ...options }), handler: note(name) }) as DefinedFunction;
  const world = await FunctionsWorld.start({
    all: watch("all", {}),
    own: watch("own", { filter: { source: ["tidings"] } }),
  });
  await world.append(...orders(1, 1));
  await world.queue("any");
  await world.pass(3_000);
  assert.deepEqual(seen.get("all"), ["shop.orders"]);
  assert.ok((seen.get("own") ?? []).length > 0 && seen.get("own")?.every((source) => source === "tidings"));
});

test("another parallelization goes on where it stood, and misses nothing", async () => {
  const seen = new Set<number>();
  const note = (batch: Batch): void => numbers(batch).forEach((n) => seen.add(n));
  const world = await FunctionsWorld.start({ read: reader(note) });
  await world.append(...orders(1, 20));
  await world.pass(2_000);
  for (const [at, parallelizationFactor] of [4, 2, 1].entries()) {
    await world.reload({ read: reader(note, { parallelizationFactor }) });
    await world.append(...orders(21 + at * 20, 40 + at * 20));
    await world.pass(5_000);
  }
  assert.deepEqual(
    [...seen].toSorted((a, b) => a - b),
    Array.from({ length: 80 }, (_, at) => at + 1),
  );
});

test("wherever the process dies, each event is counted once", async () => {
  const commits = await lived(null);
  assert.ok(commits >= 4, `${commits} commits are places to die at`);
  for (let commit = 1; commit <= commits; commit += 1)
    for (const isDone of [false, true]) await lived({ commit, isDone });
});

async function lived(at: { readonly commit: number; readonly isDone: boolean } | null): Promise<number> {
  let threw = false;
  const read = reader(
    (batch) => {
      if (!numbers(batch).includes(4) || threw) return;
      threw = true;
      throw new Error("once");
    },
    { batchSize: 3 },
  );
  const world = await FunctionsWorld.start({});
  await world.append(...orders(1, 9));
  world.functions = { read };
  const before = world.commits;
  world.onCommit = (commit, isDone) => {
    if (at !== null && commit - before === at.commit && isDone === at.isDone) world.die();
  };
  void world.book.reload().catch(() => {});
  for (let round = 0; round < 12; round += 1) {
    await world.quiet();
    if (world.world.dead) await world.restart();
    await world.pass(1_000);
  }
  assert.deepEqual(await world.document("stream-counts", "all"), { count: 9 }, JSON.stringify(at));
  return world.commits - before;
}
