import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, type DefinedFunction, defineFunction, queue } from "tidings";
import type { FunctionHost } from "#ports/function-host.ts";
import { FunctionsWorld } from "../../test/support/functions-world.ts";

type Say = (text: string, context: Context) => unknown;

function worker(say: Say, { concurrency = 10, attempts = 1 } = {}): DefinedFunction {
  return defineFunction({
    on: queue("in", { batchSize: 1 }),
    concurrency,
    attempts,
    timeoutMs: 60_000,
    async handler([message], context) {
      await say(message?.text ?? "", context);
    },
  }) as DefinedFunction;
}

async function invocations(world: FunctionsWorld) {
  const ask = { after: null, limit: 100, failedOnly: false };
  return (await world.of.functions.desk.invocations("work", ask))?.invocations ?? [];
}

test("never more of one function run at once than it declares, also when a load says otherwise", async () => {
  const open: PromiseWithResolvers<void>[] = [];
  let running = 0;
  let most = 0;
  const say = async (): Promise<void> => {
    most = Math.max(most, (running += 1));
    const one = Promise.withResolvers<void>();
    open.push(one);
    await one.promise;
    running -= 1;
  };
  const world = await FunctionsWorld.start({ work: worker(say, { concurrency: 2 }) });
  await world.put("in", ..."abcdefgh".split(""));
  assert.deepEqual([running, most], [2, 2]);
  const end = async (): Promise<void> => {
    while (open.length > 0) {
      open.shift()?.resolve();
      await world.quiet();
    }
  };
  await end();
  assert.deepEqual([running, most], [0, 2]);
  await world.reload({ work: worker(say, { concurrency: 4 }) });
  await world.put("in", ..."abcdefgh".split(""));
  assert.deepEqual([running, most], [4, 4]);
  await end();
  assert.deepEqual([running, most], [0, 4]);
});

test("of a call that failed or said something a line is kept with its end; one that was quiet is only counted", async () => {
  const world = await FunctionsWorld.start({
    work: worker((text, { log, events }) => {
      if (text === "quiet") return;
      log.info("works on it", { text });
      events.raise({ type: "did" });
      if (text === "bad") throw new RangeError("out of cheese");
    }),
  });
  for (const text of ["quiet", "said", "bad"]) {
    await world.put("in", text);
    await world.pass(1_000);
  }
  const kept = await invocations(world);
  assert.deepEqual(
    kept.map(({ outcome, error, logs }) => [outcome, error?.says ?? null, logs[0]?.text]),
    [
      ["failed", "out of cheese", "works on it"],
      ["done", null, "works on it"],
    ],
  );
  assert.equal((await world.raised("did")).length, 1);
  const [{ tally } = { tally: null }] = (await world.of.functions.desk.list()).functions;
  assert.deepEqual([tally?.done, tally?.failed], [2, 1]);
});

test("what a function was seen to emit is what was drafted, and nothing of calls that failed", async () => {
  const world = await FunctionsWorld.start({
    work: worker((text, { events, queues }) => {
      events.raise({ type: `${text}.raised` });
      if (text === "bad") throw new Error("no");
      queues.send("in-other", text);
    }),
  });
  await world.queue("in-other");
  await world.put("in", "bad", "good");
  await world.pass(1_000);
  assert.deepEqual([...(world.of.functions.seen().get("work") ?? [])].toSorted(), [
    "event:default/good.raised",
    "queue:in-other",
  ]);
});

test("who has gone while he waited for a place is not called for, and loses nothing", async () => {
  const called: string[] = [];
  const first = Promise.withResolvers<void>();
  const host = (inline: FunctionHost): FunctionHost => inline;
  const say = async (text: string, { events }: Context): Promise<void> => {
    called.push(text);
    events.raise({ type: "did", data: text });
    if (called.length === 1) await first.promise;
  };
  const world = await FunctionsWorld.start({ work: worker(say, { concurrency: 1 }) }, { host });
  await world.put("in", "a", "b");
  assert.deepEqual(called, ["a"]);
  const gone = world.book.reload();
  world.functions = {};
  const taken = world.book.reload();
  await world.pass(100);
  first.resolve();
  await world.stopping(Promise.all([gone, taken]));
  assert.deepEqual(called, ["a"]);
  await world.reload({ work: worker(say) });
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["a", "b"]);
});
