import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { buildIndexes } from "#documents/build-indexes.ts";
import { COLLECTIONS } from "#documents/collections.ts";
import { DocumentDesk } from "#documents/desk.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { NO_ORIGIN } from "#engine/change.ts";
import { Engine } from "#engine/engine.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";

function given() {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock });
  const engine = new Engine({ store, clock, dice: seededDice(1), log: silentLog, meter: silentMeter });
  const desk = new DocumentDesk(engine);
  const put = (id: string, value: JsonObject, version: number | null = null) =>
    desk.put({ collection: "people", id }, value, { version, origin: NO_ORIGIN });
  const find = async (where: JsonObject, more: { limit?: number; after?: string | null; prefix?: string } = {}) =>
    await desk.query({ collection: "people", where, prefix: "", after: null, limit: 100, ...more });
  const ids = async (where: JsonObject) => (await find(where)).documents.map(({ id }) => id);
  return { clock, store, engine, desk, put, find, ids };
}

describe("documents", () => {
  test("are put, read, changed only at the version that was read, and deleted", async () => {
    const { desk, put } = given();
    const at = { collection: "people", id: "ada" };
    assert.deepEqual(await put("ada", { plan: "pro" }, 1), {
      kind: "refused",
      problem: { code: "conflict.changed", message: "There is no such document." },
    });
    const first = await put("ada", { plan: "pro" }, 0);
    assert(first.kind === "done" && first.value.isNew && first.value.document.version === 1);
    const again = await put("ada", {}, 0);
    assert(again.kind === "refused" && again.problem.message.includes("has version 1 by now"));
    const second = await put("ada", { plan: "free" }, 1);
    assert(second.kind === "done" && !second.value.isNew && second.value.document.version === 2);
    assert.equal((await desk.get("people", "ada"))?.body, '{"plan":"free"}');
    assert.equal((await desk.delete(at, { version: 1, origin: NO_ORIGIN })).kind, "refused");
    assert.deepEqual(await desk.delete(at, { version: 2, origin: NO_ORIGIN }), { kind: "done", value: true });
    assert.deepEqual(await desk.delete(at, { version: null, origin: NO_ORIGIN }), { kind: "done", value: false });
  });

  test("are never ours, whatever a collection is called", async () => {
    const { desk, engine, store } = given();
    const ours = { collection: "keys", id: "k", body: '{"secret":1}', when: "always", nowMs: 1 } as const;
    await engine.submit({ puts: [ours] });
    assert.equal(await desk.get("keys", "k"), null);
    const changes = desk.changesOf([{ collection: "keys", id: "k", body: "{}", version: null }], 1);
    assert(changes.kind === "changes");
    await engine.submit({ puts: changes.puts });
    assert.equal((await store.documents([ours]))[0]?.body, ours.body);
    for (const name of ["", "a/b", "doc:keys", "..", "x".repeat(65), "ü"]) {
      const said = desk.changesOf([{ collection: name, id: "k", body: "{}", version: null }], 1);
      assert(said.kind === "refused", name);
      await assert.rejects(desk.read([{ collection: name, id: "k" }]), /A collection's name has/);
    }
  });

  test("are found by an index, with the type of what is asked for, and by several at once", async () => {
    const { desk, put, ids, find } = given();
    await desk.declare([{ name: "people", indexes: ["plan", "address.city"] }]);
    await put("a", { plan: "1", address: { city: "Lisbon" } });
    await put("b", { plan: 1, address: { city: "Lisbon" } });
    await put("c", { plan: true });
    await put("d", { plan: ["1"], address: "Lisbon" });
    assert.deepEqual(await ids({ plan: "1" }), ["a"]);
    assert.deepEqual(await ids({ plan: 1 }), ["b"]);
    assert.deepEqual(await ids({ plan: true }), ["c"]);
    assert.deepEqual(await ids({ "address.city": "Lisbon" }), ["a", "b"]);
    assert.deepEqual(await ids({ "address.city": "Lisbon", plan: 1 }), ["b"]);
    await put("a", { plan: "2" });
    assert.deepEqual(await ids({ plan: "1" }), [], "what is replaced is found by what it is now");
    await assert.rejects(find({ age: 3 }), /people has no index age \(it has plan, address\.city\): declare it with/);
    await assert.rejects(find({ plan: "x".repeat(257) }), /at most 256 characters/);
  });

  test("pages follow each other without a gap or a repetition, also where most do not fit", async () => {
    const { desk, put, find } = given();
    await desk.declare([{ name: "people", indexes: ["even", "third"] }]);
    for (let n = 0; n < 60; n += 1) await put(`p${String(n).padStart(2, "0")}`, { even: n % 2 === 0, third: n % 3 });
    const found: string[] = [];
    let after: string | null = null;
    for (let pages = 0; pages < 50; pages += 1) {
      const page: Awaited<ReturnType<typeof find>> = await find({ even: true, third: 0 }, { limit: 3, after });
      found.push(...page.documents.map(({ id }) => id));
      after = page.next;
      if (after === null) break;
    }
    assert.equal(after, null);
    assert.deepEqual(
      found,
      Array.from({ length: 10 }, (_, n) => `p${String(n * 6).padStart(2, "0")}`),
    );
  });

  test("an index that is declared later is built in the background, in steps that may be interrupted", async () => {
    const { desk, put, ids, find, engine, store } = given();
    for (let n = 0; n < 450; n += 1) await put(`p${n}`, { odd: n % 2 === 1 });
    await desk.declare([{ name: "people", indexes: ["odd"] }]);
    await assert.rejects(find({ odd: true }), /The index odd of people is being built; try again in a moment/);
    await put("new", { odd: true });
    // As by a process that died after its first step.
    const [before] = await store.documents([{ collection: COLLECTIONS, id: "people" }]);
    assert.deepEqual(JSON.parse(before?.body ?? ""), { indexes: ["odd"], built: [], cursor: null });
    await buildIndexes(engine);
    const restarted = new DocumentDesk(engine);
    await restarted.declare([{ name: "people", indexes: ["odd"] }]);
    const all = await restarted.query({
      collection: "people",
      where: { odd: true },
      prefix: "",
      after: null,
      limit: 1_000,
    });
    assert.equal(all.documents.length, 226);
    assert.equal((await ids({ odd: false })).length, 100, "and the first desk knows it too");
  });

  test("whatever is put and deleted, each query finds what a list of all would", async () => {
    const scalar = fc.constantFrom<Json>("a", "1", 1, 2, true, null);
    const step = fc.record({
      id: fc.constantFrom("x", "y", "z", "xy"),
      value: fc.option(fc.record({ a: scalar, b: fc.record({ c: scalar }) }), { freq: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), scalar, scalar, async (steps, a, c) => {
        const { desk, put, ids } = given();
        await desk.declare([{ name: "people", indexes: ["a", "b.c"] }]);
        const model = new Map<string, JsonObject>();
        for (const { id, value } of steps) {
          if (value === null) await desk.delete({ collection: "people", id }, { version: null, origin: NO_ORIGIN });
          else await put(id, value);
          if (value === null) model.delete(id);
          else model.set(id, value);
        }
        const wanted = (fits: (value: JsonObject) => boolean): string[] =>
          [...model]
            .filter(([, value]) => fits(value))
            .map(([id]) => id)
            .toSorted();
        assert.deepEqual(
          await ids({}),
          wanted(() => true),
        );
        if (a === null || c === null) return;
        assert.deepEqual(
          await ids({ a }),
          wanted((value) => value["a"] === a),
        );
        const inner = (value: JsonObject): Json =>
          isJsonObject(value["b"] ?? null) ? (Reflect.get(Object(value["b"]), "c") as Json) : null;
        assert.deepEqual(
          await ids({ a, "b.c": c }),
          wanted((value) => value["a"] === a && inner(value) === c),
        );
      }),
      { numRuns: 100 },
    );
  });
});
