import assert from "node:assert/strict";
import { test } from "node:test";
import { type DefinedFunction, defineFunction, event, type EventInput } from "tidings";
import { StoreFault } from "#ports/store.ts";
import { altered } from "../../../test/simulation/slow-store.ts";
import { FunctionsWorld } from "../../../test/support/functions-world.ts";
import { foreign } from "../../../test/support/rules-world.ts";

type Order = { readonly kind: string };

function listener(
  kinds: readonly string[] = ["a"],
  say: (input: EventInput<Order>) => unknown = () => undefined,
  { attempts = 3, bus = "default" }: { readonly attempts?: number; readonly bus?: string } = {},
): DefinedFunction {
  return defineFunction({
    on: event<Order>({ detail: { kind: kinds } }, { bus }),
    attempts,
    async handler(input, { events }) {
      events.raise({ type: "heard", data: input.id });
      return await say(input);
    },
  }) as DefinedFunction;
}

async function rulesOf(world: FunctionsWorld): Promise<readonly string[]> {
  const { items } = await world.world.settle(
    world.of.rules.desk.rules.listAll({ prefix: null, after: null, limit: 100 }),
  );
  return items.map(({ bus, name }) => `${bus}/${name}`);
}

test("each event that matches is heard once, as it was raised", async () => {
  const seen: EventInput<Order>[] = [];
  const world = await FunctionsWorld.start({ listen: listener(["a"], (input) => void seen.push(input)) });
  await world.append(foreign("1", { kind: "a" }), foreign("2", { kind: "b" }), foreign("3", { kind: "a", more: [1] }));
  await world.pass(1_000);
  assert.deepEqual(await world.said("heard"), ["1", "3"]);
  assert.deepEqual(seen[1], {
    ...{ id: "3", source: "shop.orders", type: "OrderPlaced", subject: null, time: "2024-05-06T07:08:09.123Z" },
    data: { kind: "a", more: [1] },
  });
});

test("a rule is put for a function and goes with it; one whose file is faulty keeps its own", async () => {
  const world = await FunctionsWorld.start({ listen: listener(), other: listener(["b"], undefined, { bus: "side" }) });
  assert.deepEqual((await rulesOf(world)).toSorted(), ["default/fn.listen", "side/fn.other"]);
  const [, wrong] = [listener(), { ...listener(), attempts: -1 }];
  await world.reload({ listen: wrong });
  assert.deepEqual(await rulesOf(world), ["default/fn.listen"]);
  await world.append(foreign("1", { kind: "a" }));
  await world.pass(1_000);
  await world.reload({});
  assert.deepEqual(await rulesOf(world), []);
});

test("events that came while nothing of it ran are heard at the next start", async () => {
  const world = await FunctionsWorld.start({ listen: listener() });
  await world.append(foreign("1", { kind: "a" }));
  await world.pass(1_000);
  world.world.die();
  await world.world.store.commit([{ events: [foreign("2", { kind: "a" }), foreign("3", { kind: "b" })] }]);
  await world.restart();
  await world.pass(2_000);
  assert.deepEqual(await world.said("heard"), ["1", "2"]);
});

test("one that fails is tried again with the same key, then kept with what was wrong, and can be re-driven", async () => {
  let fails = true;
  let calls = 0;
  const listen = listener(["a"], () => {
    calls += 1;
    if (fails) throw new RangeError("out of cheese");
  });
  const world = await FunctionsWorld.start({ listen });
  await world.append(foreign("1", { kind: "a" }));
  await world.pass(60_000);
  assert.equal(calls, 3);
  assert.deepEqual(await world.said("heard"), []);
  const [letter] = await world.dead("function:listen");
  assert.match(letter?.error ?? "", /RangeError: out of cheese/);
  fails = false;
  await world.world.settle(world.of.engine.settleDead(letter?.key ?? "", "revive"));
  await world.pass(1_000);
  assert.deepEqual(await world.said("heard"), ["1"]);
});

test("a store that cannot say yes while its rule is put delays the function, and it starts all the same", async () => {
  let isDown = true;
  const wrap = (store: FunctionsWorld["store"]) =>
    altered(store, {
      commit: async (units) => {
        const isRule = units.some(({ puts = [] }) => puts.some(({ id }) => id.includes("fn.listen")));
        if (isDown && isRule) throw new StoreFault("store.failed", "the disk says no");
        return await store.commit(units);
      },
    });
  const world = await FunctionsWorld.start({ listen: listener() }, { wrap });
  assert.deepEqual(
    (await world.of.functions.desk.list()).functions.map(({ state }) => state),
    ["stopped"],
  );
  await world.pass(5_000);
  isDown = false;
  await world.pass(3_000);
  assert.deepEqual(
    (await world.of.functions.desk.list()).functions.map(({ state }) => state),
    ["running"],
  );
  await world.append(foreign("1", { kind: "a" }));
  await world.pass(1_000);
  assert.deepEqual(await world.said("heard"), ["1"]);
});

test("wherever the process dies, each event is heard once", async () => {
  const commits = await lived(null);
  assert.ok(commits >= 6, `${commits} commits are places to die at`);
  for (let commit = 1; commit <= commits; commit += 1)
    for (const isDone of [false, true]) await lived({ commit, isDone });
});

async function lived(at: { readonly commit: number; readonly isDone: boolean } | null): Promise<number> {
  let threw = false;
  const listen = listener(["a"], ({ id }) => {
    if (id !== "2" || threw) return;
    threw = true;
    throw new Error("once");
  });
  const world = await FunctionsWorld.start({ listen });
  const before = world.commits;
  world.onCommit = (commit, isDone) => {
    if (at !== null && commit - before === at.commit && isDone === at.isDone) world.die();
  };
  const ids = ["1", "2", "3"];
  for (const id of ids) {
    // Whoever raises it sends it again until he is told that it is kept.
    if (world.world.dead) await world.restart();
    const raised = world.of.engine.commit({ events: [foreign(id, { kind: "a" })] });
    raised.catch(() => {});
    await world.quiet();
    if (!world.world.dead) continue;
    await world.restart();
    await world.append(foreign(id, { kind: "a" }));
  }
  for (let round = 0; round < 10; round += 1) {
    if (world.world.dead) await world.restart();
    await world.pass(1_000);
  }
  assert.deepEqual((await world.said("heard")).map(String).toSorted(), ids, JSON.stringify(at));
  return world.commits - before;
}
