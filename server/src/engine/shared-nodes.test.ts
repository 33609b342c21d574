import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import type { Role } from "#domain/role.ts";
import { Engine } from "#engine/engine.ts";
import { SharedNodes } from "#engine/shared-nodes.ts";
import type { Clock } from "#ports/clock.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { type Store, StoreFault, type Unit } from "#ports/store.ts";

const TURNS = 40;

/** Nodes of one store, each with its own troubles, on one virtual time. */
class Fleet {
  readonly clock = new ManualClock();
  readonly store = openMemoryStore({ clock: this.clock, manyNodes: true });

  node(id: string, role: Role = "all"): Node {
    return new Node(id, role, this.clock, this.store.another());
  }

  async joined(id: string, role: Role = "all"): Promise<Node> {
    const node = this.node(id, role);
    void node.nodes.join();
    await this.quiet();
    return node;
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
  }

  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await this.quiet();
    }
  }
}

class Node {
  readonly nodes: SharedNodes;
  readonly engine: Engine;
  readonly #clock: ManualClock;
  /** It stands still (SIGSTOP): no timer runs and no answer arrives; time goes by all the same. */
  #still: (() => void)[] | null = null;
  /** It cannot reach the store. */
  cut = false;

  constructor(id: string, role: Role, clock: ManualClock, store: MemoryStore) {
    this.#clock = clock;
    const own: Clock = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, run) => clock.after(delayMs, () => this.#run(run)),
    };
    const commit = async (units: readonly Unit[]) => {
      if (this.cut) throw new StoreFault("store.failed", "cut off");
      const verdicts = await store.commit(units);
      await this.#running();
      return verdicts;
    };
    const listDocuments: Store["listDocuments"] = async (query) => {
      if (this.cut) throw new StoreFault("store.failed", "cut off");
      const documents = await store.listDocuments(query);
      await this.#running();
      return documents;
    };
    const onWake = (): void => {};
    const other = { commit, listDocuments, onWake };
    const troubled: Store = new Proxy(store, {
      get: (target, name) => Reflect.get(name in other ? other : target, name),
    });
    this.engine = new Engine(
      { store: troubled, clock: own, dice: seededDice(1), log: silentLog, meter: silentMeter },
      undefined,
      role,
    );
    this.nodes = new SharedNodes(this.engine, { id, role, version: "1" });
  }

  stop(): void {
    this.#still ??= [];
  }

  goOn(): void {
    const late = this.#still ?? [];
    this.#still = null;
    for (const run of late) this.#clock.after(0, run);
  }

  #run(run: () => void): void {
    if (this.#still === null) run();
    else this.#still.push(run);
  }

  #running(): Promise<void> {
    return new Promise((resolve) => this.#run(resolve));
  }
}

test("a node that is alone has everything at once, and one that comes takes its part when the other has seen it", async () => {
  const fleet = new Fleet();
  const a = await fleet.joined("a");
  assert.deepEqual([a.nodes.share, a.nodes.workers, a.nodes.leads], [1, 1, true]);
  const b = await fleet.joined("b");
  assert.equal(b.nodes.share, 0);
  await fleet.pass(2_100);
  assert.deepEqual([a.nodes.share, b.nodes.share], [0.5, 0]);
  await fleet.pass(4_000);
  assert.deepEqual([a.nodes.share, b.nodes.share], [0.5, 0.5]);
  assert.deepEqual([a.nodes.leads, b.nodes.leads], [true, false]);
});

test("the part of one that goes is free at the next beat, of one that dies after ten seconds", async () => {
  const fleet = new Fleet();
  const [a, b, c] = [await fleet.joined("a"), await fleet.joined("b"), await fleet.joined("c")];
  await fleet.pass(10_000);
  assert.equal(a.nodes.share, 1 / 3);
  void c.engine.stop(0).then(() => c.nodes.leave());
  await fleet.pass(2_200);
  assert.equal(a.nodes.share, 1 / 2);
  a.stop();
  await fleet.pass(7_000);
  assert.deepEqual([b.nodes.share, b.nodes.leads], [1 / 2, false]);
  await fleet.pass(6_000);
  assert.deepEqual([b.nodes.share, b.nodes.leads], [1, true]);
  assert.deepEqual(
    b.nodes.list().map(({ id, isLive }) => [id, isLive]),
    [
      ["a", false],
      ["b", true],
    ],
  );
});

test("a node that has stood still comes anew when it goes on", async () => {
  const fleet = new Fleet();
  const [a, b] = [await fleet.joined("a"), await fleet.joined("b")];
  await fleet.pass(10_000);
  b.stop();
  await fleet.pass(20_000);
  assert.deepEqual([a.nodes.share, b.nodes.share], [1, 0]);
  b.goOn();
  await fleet.pass(2_200);
  assert.deepEqual([a.nodes.share, b.nodes.share], [0.5, 0]);
  await fleet.pass(6_000);
  assert.deepEqual([a.nodes.share, b.nodes.share], [0.5, 0.5]);
});

test("a node that only serves doors takes no part, and leads only where nobody works", async () => {
  const fleet = new Fleet();
  const api = await fleet.joined("a", "api");
  assert.equal(api.nodes.leads, true);
  const worker = await fleet.joined("w", "worker");
  assert.equal(worker.nodes.share, 1, "nobody has to be waited for");
  await fleet.pass(3_000);
  assert.deepEqual([api.nodes.leads, worker.nodes.leads, api.nodes.workers], [false, true, 1]);
});

test("what a node tells, the others know within a beat, and no longer than it lives", async () => {
  const fleet = new Fleet();
  const [a, b] = [await fleet.joined("a"), await fleet.joined("b")];
  const heard: number[] = [];
  b.nodes.onNews(() => heard.push(b.nodes.noticesOf("t").length));
  const untilMs = fleet.clock.nowMs() + 60_000;
  a.nodes.post("t", untilMs, "says");
  await fleet.pass(2_200);
  assert.deepEqual(b.nodes.noticesOf("t"), [{ node: "a", untilMs, says: "says" }]);
  assert.deepEqual(a.nodes.noticesOf("t"), [], "nobody hears himself");
  a.nodes.takeBack("t");
  await fleet.pass(2_200);
  a.nodes.post("t", untilMs, "again");
  await fleet.pass(2_200);
  a.stop();
  await fleet.pass(13_000);
  assert.deepEqual(heard, [1, 0, 1, 0]);
});

test("a node that has just come learns how far the queues are", async () => {
  const fleet = new Fleet();
  const stage = {
    queue: "work",
    inHandMax: { transactional: 1, bulk: 1 },
    batchMax: 1,
    attemptsMax: 1,
    bury: () => ({}),
    run: async () => {},
  };
  const a = fleet.node("a");
  a.engine.addStage(stage);
  a.engine.learnTurns({ "work/bulk": 5_000 });
  void a.nodes.join();
  await fleet.quiet();
  const api = fleet.node("b", "api");
  api.engine.addStage(stage);
  void api.nodes.join();
  await fleet.quiet();
  assert.equal(api.engine.turn("work", "bulk", "somebody"), 5_000);
});

const trouble = fc.record({
  node: fc.nat(3),
  do: fc.constantFrom("stop", "go on", "cut", "mend", "come", "leave"),
  passMs: fc.integer({ min: 0, max: 9_000 }),
});

test("whoever comes, goes, stands still or is cut off: the parts never sum up to more than one, and in peace to one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(trouble, { minLength: 5, maxLength: 25 }), async (troubles) => {
      const fleet = new Fleet();
      const nodes: (Node | null)[] = [null, null, null, null];
      const sum = (): number => nodes.reduce((all, node) => all + (node?.nodes.share ?? 0), 0);
      const watch = async (ms: number): Promise<void> => {
        for (let passed = 0; passed < ms; passed += 100) {
          await fleet.pass(100);
          assert.ok(sum() <= 1 + 1e-9, `${sum()} in all`);
        }
      };
      let born = 0;
      for (const each of troubles) {
        const node = nodes[each.node] ?? null;
        if (node === null) {
          born += 1;
          if (each.do === "come") nodes[each.node] = await fleet.joined(`${9 - (born % 10)} ${born}`);
        } else if (each.do === "stop") node.stop();
        else if (each.do === "go on") node.goOn();
        else if (each.do === "cut") node.cut = true;
        else if (each.do === "mend") node.cut = false;
        else if (each.do === "leave") {
          node.goOn();
          nodes[each.node] = null;
          void node.engine.stop(0).then(() => node.nodes.leave());
        }
        await watch(each.passMs);
      }
      for (const node of nodes) {
        if (node === null) continue;
        node.cut = false;
        node.goOn();
      }
      await watch(30_000);
      const living = nodes.filter((node) => node !== null);
      assert.ok(Math.abs(sum() - (living.length === 0 ? 0 : 1)) < 1e-9, `${sum()} in peace`);
      if (living.length > 0) assert.equal(living.filter(({ nodes: { leads } }) => leads).length, 1);
    }),
    { numRuns: 60 },
  );
});
