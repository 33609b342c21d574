import assert from "node:assert/strict";
import { test } from "node:test";
import { type DefinedFunction, defineFunction, event, http, queue } from "tidings";
import type { FunctionHost, LoadFault } from "#ports/function-host.ts";
import { StoreFault } from "#ports/store.ts";
import { altered } from "../../test/simulation/slow-store.ts";
import { FunctionsWorld } from "../../test/support/functions-world.ts";

/** A function that raises `did` for each event of a type. */
function listener(type: string, does: () => void = () => {}): DefinedFunction {
  return defineFunction({
    on: event<unknown>({ "detail-type": [type] }),
    handler({ id }, { events }) {
      does();
      events.raise({ type: "did", data: id });
    },
  }) as DefinedFunction;
}

/** A function that raises `did` for each message of a queue. */
function worker(name: string, mark = ""): DefinedFunction {
  return defineFunction({
    on: queue(name),
    handler(batch, { events }) {
      for (const { text } of batch) events.raise({ type: "did", data: mark + text });
    },
  }) as DefinedFunction;
}

const happened = (id: string, type = "thing") => ({
  ...{ type, id, subject: id, source: "shop", timeMs: 1_714_979_289_123, data: "{}", traceparent: null },
});

/** A host that also tells of files that cannot be loaded. */
function withFaults(faults: () => readonly LoadFault[]): (inline: FunctionHost) => FunctionHost {
  return (inline) => ({
    ...inline,
    load: async () => {
      const loaded = await inline.load();
      const broken = faults();
      const functions = loaded.functions.filter(({ name }) => !broken.some((fault) => fault.name === name));
      return { ...loaded, functions, faults: [...loaded.faults, ...broken] };
    },
  });
}

const BROKEN: LoadFault = { name: "work", file: "functions/work.ts", line: 7, says: "Unexpected token" };

function states(world: FunctionsWorld): Record<string, string> {
  return Object.fromEntries(world.book.entries.map(({ declared, state }) => [declared.name, state]));
}

for (const put of ["the rule", "the bus"] as const) {
  test(`a store that could not take ${put} of a function at first takes it later, and the function hears`, async () => {
    let isDown = false;
    const touched = put === "the rule" ? "rules" : "buses";
    const world = await FunctionsWorld.start(
      {},
      {
        wrap: (store) =>
          altered(store, {
            documents: async (keys) => {
              if (isDown && keys.some(({ collection }) => collection === touched))
                throw new StoreFault("store.busy", "the disk is busy");
              return await store.documents(keys);
            },
          }),
      },
    );
    isDown = true;
    await world.reload({ listens: listener("thing") });
    assert.deepEqual(states(world), { listens: "stopped" });
    await world.pass(3_000);
    assert.match(world.book.entries[0]?.fault ?? "", /the disk is busy/);
    isDown = false;
    await world.pass(3_000);
    assert.deepEqual(states(world), { listens: "running" });
    await world.append(happened("1"));
    await world.pass(1_000);
    assert.deepEqual(await world.said("did"), ["1"]);
  });
}

test("a function that is changed while it could not start yet is started once, as it is now", async () => {
  let isDown = true;
  let isSlow = false;
  const waiting: (() => void)[] = [];
  const world = new FunctionsWorld(
    { work: worker("orders", "old ") },
    {
      wrap: (store) =>
        altered(store, {
          documents: async (keys) => {
            if (!keys.some(({ id }) => id === "orders")) return await store.documents(keys);
            if (isDown) throw new StoreFault("store.busy", "the disk is busy");
            if (isSlow) await new Promise<void>((resolve) => waiting.push(resolve));
            return await store.documents(keys);
          },
        }),
    },
  );
  await world.world.start();
  await world.world.settle(world.of.start());
  assert.deepEqual(states(world), { work: "stopped" });
  // The next try of itself is under way when somebody saves the file.
  [isDown, isSlow] = [false, true];
  await world.pass(2_000);
  assert.equal(waiting.length, 1);
  world.functions = { work: worker("orders", "new ") };
  const reloading = world.book.reload();
  await world.quiet();
  isSlow = false;
  for (const go of waiting) go();
  await world.stopping(reloading);
  await world.pass(5_000);
  assert.deepEqual(states(world), { work: "running" });
  await world.put("orders", "a");
  await world.pass(2_000);
  assert.deepEqual(await world.said("did"), ["new a"]);
});

test("two functions on one queue are one too many, and the sentence names the other; the first one works", async () => {
  const world = await FunctionsWorld.start({ a: worker("orders"), b: worker("orders"), c: worker("others") });
  assert.deepEqual(states(world), { a: "running", b: "faulty", c: "running" });
  const [fault] = world.book.faults;
  assert.equal(fault?.file, "functions/b.ts");
  assert.match(fault?.says ?? "", /queue orders .*functions\/a\.ts/);
  await world.put("orders", "1");
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["1"]);
  // Gone, it makes room for the other one.
  await world.reload({ b: worker("orders", "b"), c: worker("others") });
  assert.deepEqual(states(world), { b: "running", c: "running" });
  await world.put("orders", "2");
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["1", "b2"]);
});

test("a file that broke keeps its queue, so that another one on it is told so and does not take its messages", async () => {
  let faults: readonly LoadFault[] = [];
  const world = await FunctionsWorld.start({ work: worker("orders") }, { host: withFaults(() => faults) });
  faults = [BROKEN];
  await world.reload({ work: worker("orders"), zeal: worker("orders", "zeal ") });
  assert.deepEqual(states(world), { work: "running", zeal: "faulty" });
  await world.put("orders", "1");
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["1"]);
});

test("a queue stays with the function that works it, whatever the name of the one that comes", async () => {
  const world = await FunctionsWorld.start({ b: worker("orders", "b ") });
  await world.reload({ a: worker("orders", "a "), b: worker("orders", "new b ") });
  await world.pass(3_000);
  assert.deepEqual(states(world), { b: "running", a: "faulty" });
  await world.put("orders", "1");
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["new b 1"]);
  // Renamed, or gone to another queue, it makes room.
  await world.reload({ a: worker("orders", "a "), b: worker("others", "b ") });
  assert.deepEqual(states(world), { a: "running", b: "running" });
  await world.put("orders", "2");
  await world.put("others", "3");
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["new b 1", "a 2", "b 3"]);
});

test("a load with a fault keeps the version before running, and logs the fault with file and line", async () => {
  const logged: string[] = [];
  const say = (text: string): void => void logged.push(text);
  let faults: readonly LoadFault[] = [];
  const world = await FunctionsWorld.start(
    { work: worker("orders"), listens: listener("thing") },
    { host: withFaults(() => faults), log: { info: say, warn: say, error: say } },
  );
  faults = [BROKEN, { ...BROKEN, name: "listens", file: "functions/listens.ts", line: null, says: "No export." }];
  const news = await world.reload();
  assert.deepEqual(
    news.faults.map(({ name }) => name),
    ["work", "listens"],
  );
  assert.ok(logged.some((line) => line.includes("functions/work.ts:7: Unexpected token.")));
  assert.ok(logged.some((line) => line.includes("functions/listens.ts: No export.")));
  await world.put("orders", "1");
  await world.append(happened("2"));
  await world.pass(1_000);
  assert.deepEqual((await world.said("did")).map(String).toSorted(), ["1", "2"]);
  assert.match(world.book.entries[0]?.fault ?? "", /work\.ts:7: Unexpected token\. The version before it runs\./);
});

test("a house that starts with broken files serves the others, and a broken one still hears when it is mended", async () => {
  let faults: readonly LoadFault[] = [];
  const functions = { listens: listener("thing"), work: worker("orders") };
  const world = await FunctionsWorld.start(functions, { host: withFaults(() => faults) });
  faults = [{ ...BROKEN, name: "listens", file: "functions/listens.ts" }];
  await world.restart();
  assert.deepEqual(states(world), { work: "running" });
  assert.ok(world.book.has("listens"));
  // Its rule is spared: what comes meanwhile waits for it.
  await world.append(happened("1"));
  await world.put("orders", "2");
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["2"]);
  faults = [];
  await world.reload();
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["2", "1"]);
});

test("what is gone stops, its rule with it; what lay in its queue stays there", async () => {
  const world = await FunctionsWorld.start({ listens: listener("thing"), work: worker("orders") });
  await world.reload({});
  assert.deepEqual(world.book.entries, []);
  await world.append(happened("1"));
  await world.put("orders", "2");
  await world.pass(5_000);
  assert.deepEqual(await world.said("did"), []);
  assert.equal((await world.counts("orders")).visible, 1);
  const rules = await world.world.settle(world.of.rules.desk.rules.listAll({ prefix: null, after: null, limit: 10 }));
  assert.deepEqual(rules.items, []);
});

test("another pattern is heard from its place in the journal on, and the former one no more", async () => {
  const world = await FunctionsWorld.start({ listens: listener("thing") });
  await world.append(happened("1"), happened("2", "other"));
  await world.pass(1_000);
  await world.reload({ listens: listener("other") });
  await world.append(happened("3"), happened("4", "other"));
  await world.pass(1_000);
  assert.deepEqual(await world.said("did"), ["1", "4"]);
});

test("loads that are asked for at once come one after the other, and the last one counts", async () => {
  const world = await FunctionsWorld.start({ work: worker("orders", "0 ") });
  const loads = ["1 ", "2 ", "3 "].map((mark) => {
    world.functions = { work: worker("orders", mark) };
    return world.book.reload();
  });
  await world.stopping(Promise.all(loads));
  await world.put("orders", "a");
  await world.pass(1_000);
  assert.deepEqual(states(world), { work: "running" });
  assert.deepEqual(await world.said("did"), ["3 a"]);
});

test("two functions on one path are one too many", async () => {
  const answers = (): DefinedFunction =>
    defineFunction({ on: http("GET", "/api/a/:id"), handler: () => ({ status: 200 }) }) as DefinedFunction;
  const world = await FunctionsWorld.start({ one: answers(), two: answers() });
  assert.deepEqual(states(world), { one: "running", two: "faulty" });
  await world.reload({ first: answers(), one: answers() });
  await world.pass(3_000);
  assert.deepEqual(Object.values(states(world)).toSorted(), ["faulty", "running"]);
});
