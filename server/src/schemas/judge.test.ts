import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { NO_ORIGIN } from "#engine/change.ts";
import { Engine } from "#engine/engine.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import type { JudgedEvent } from "#rules/event-desk.ts";
import { EventJudge } from "#schemas/judge.ts";
import { BELIEVED_MS, COMPILED_MAX } from "#schemas/limits.ts";
import { SchemaDesk } from "#schemas/schema-desk.ts";

const TOTAL = { required: ["total"] };
const REJECT = { unfit: "reject", unknown: "ignore" } as const;

function event(type: string, data = "{}"): JudgedEvent {
  return { source: "/s", type, data, attributes: {} };
}

/** Two nodes on one store, which may fail, each with a judge of its own. */
function givenNodes() {
  const clock = new ManualClock(0);
  const memory = openMemoryStore({ clock });
  const trouble = { on: false, asked: 0 };
  const store: Store = new Proxy<Store>(memory, {
    get: (whole, name: keyof Store) => {
      if (name === "can") return { ...whole.can, manyNodes: true };
      const value = whole[name];
      if (typeof value !== "function") return value;
      if (name !== "listDocuments" && name !== "documents") return value.bind(whole);
      return (...args: never[]) => {
        trouble.asked += 1;
        if (trouble.on) return Promise.reject(new StoreFault("store.busy", "not now"));
        return Reflect.apply(value, whole, args);
      };
    },
  });
  const node = () => {
    const engine = new Engine({ store, clock, dice: seededDice(1), log: silentLog, meter: silentMeter });
    const desk = new SchemaDesk(engine);
    return { desk, judge: new EventJudge(engine, desk) };
  };
  return { clock, trouble, here: node(), there: node(), [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose]() };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (await holds()) return;
    await new Promise(setImmediate);
  }
  assert.fail("it did not come about");
}

describe("judging events", () => {
  test("a house without a policy answers at once and asks the store no more", async () => {
    await using given = givenNodes();
    const { judge, desk } = given.here;
    await desk.put({ type: "t", source: null }, JSON.stringify(TOTAL), TOTAL, NO_ORIGIN);
    assert.equal(await judge.judge(event("t")), null);
    const before = given.trouble.asked;
    for (let at = 0; at < 10; at += 1) assert.equal(judge.judge(event("t")), null);
    assert.equal(given.trouble.asked, before);
  });

  test("once compiled, a schema answers at once", async () => {
    await using given = givenNodes();
    const { judge, desk } = given.here;
    await desk.put({ type: "t", source: null }, JSON.stringify(TOTAL), TOTAL, NO_ORIGIN);
    await desk.setPolicy("/s", REJECT, NO_ORIGIN);
    assert.equal((await judge.judge(event("t")))?.kind, "reject");
    assert.equal(judge.judge(event("t", '{"total":1}')), null);
    assert.equal(judge.judge(event("other")), null);
  });

  test("what another node changes is seen when the time of belief is over, and nobody waits for it", async () => {
    await using given = givenNodes();
    const { here, there, clock } = given;
    await there.desk.put({ type: "t", source: null }, JSON.stringify(TOTAL), TOTAL, NO_ORIGIN);
    assert.equal(await here.judge.judge(event("t")), null);
    await there.desk.setPolicy("/s", REJECT, NO_ORIGIN);
    assert.equal((await there.judge.judge(event("t")))?.kind, "reject");
    assert.equal(here.judge.judge(event("t")), null);
    clock.advance(BELIEVED_MS);
    assert.equal(here.judge.judge(event("t")), null);
    await until(async () => (await here.judge.judge(event("t")))?.kind === "reject");
  });

  test("while the store cannot answer, what was known goes on to count, and what was not is the store's fault", async () => {
    await using given = givenNodes();
    const { here, there, clock, trouble } = given;
    await here.desk.put({ type: "t", source: null }, JSON.stringify(TOTAL), TOTAL, NO_ORIGIN);
    await here.desk.setPolicy("/s", REJECT, NO_ORIGIN);
    assert.equal((await here.judge.judge(event("t")))?.kind, "reject");
    trouble.on = true;
    clock.advance(BELIEVED_MS);
    assert.equal((await here.judge.judge(event("t")))?.kind, "reject");
    await assert.rejects(async () => await there.judge.judge(event("t")), StoreFault);
    trouble.on = false;
    assert.equal((await there.judge.judge(event("t")))?.kind, "reject");
  });

  test("of many schemas the ones in use stay compiled, and all are still judged by", async () => {
    await using given = givenNodes();
    const { judge, desk } = given.here;
    await desk.setPolicy("/s", REJECT, NO_ORIGIN);
    const types = Array.from({ length: COMPILED_MAX + 5 }, (_, at) => `t${at}`);
    for (const type of types) await desk.put({ type, source: null }, JSON.stringify(TOTAL), TOTAL, NO_ORIGIN);
    for (const type of types) {
      assert.equal((await judge.judge(event(type)))?.kind, "reject");
      await judge.judge(event("t0"));
    }
    assert.ok(!(judge.judge(event("t0")) instanceof Promise), "used all the time");
    assert.ok(judge.judge(event("t1")) instanceof Promise, "made room");
    assert.equal((await judge.judge(event("t1")))?.kind, "reject");
  });
});
