import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { EventAttributes } from "#domain/event.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { systemSecrets } from "#drivers/system/secrets.ts";
import { Engine } from "#engine/engine.ts";
import { BACKLOG_BYTES_MAX } from "#engine/limits.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import { EventDesk, type ForeignEvent, type SchemaJudge } from "#rules/event-desk.ts";
import { AHEAD_MS_MAX, EVENT_BYTES_MAX } from "#rules/event-limits.ts";

const NOW = Date.UTC(2026, 0, 1);
const DAY_MS = 24 * 60 * 60 * 1000;
const ORIGIN = { traceparent: "00-11111111111111111111111111111111-2222222222222222-01" };

/** What stands between desk and store may be exchanged for something that misbehaves. */
function givenDesk(judge?: SchemaJudge, over: Partial<Store> = {}) {
  const clock = new ManualClock(NOW);
  const store = openMemoryStore({ clock });
  const troubled: Store = new Proxy<Store>(store, {
    get: (whole, name: keyof Store) => {
      const value = over[name] ?? whole[name];
      return typeof value === "function" ? value.bind(whole) : value;
    },
  });
  const engine = new Engine({ store: troubled, clock, dice: seededDice(1), log: silentLog, meter: silentMeter });
  const desk = new EventDesk(engine, systemSecrets(new Uint8Array(32)), judge);
  return { desk, store, clock, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

function event(over: Partial<ForeignEvent> = {}): ForeignEvent {
  const attributes: EventAttributes = {};
  return {
    id: "1",
    source: "/s",
    type: "t",
    timeMs: NOW,
    data: "{}",
    subject: null,
    traceparent: null,
    attributes,
    ...over,
  };
}

describe("the desk that takes events from all doors", () => {
  let given: ReturnType<typeof givenDesk>;
  before(() => {
    given = givenDesk({
      judge: ({ type }) => {
        if (type === "later") return Promise.resolve({ kind: "reject", says: "it says" });
        return type === "reject" || type === "quarantine" ? { kind: type, says: "it says" } : null;
      },
    });
  });
  after(() => given[Symbol.asyncDispose]());

  test("answers one verdict for each event, in their order, whatever becomes of the others", async () => {
    const verdicts = await given.desk.accept(
      [
        event({ id: "a" }),
        event({ id: "b", type: "reject" }),
        event({ id: "c", type: "quarantine" }),
        event({ id: "d", type: "later" }),
        event({ id: "e", source: "tidings" }),
        event({ id: "a" }),
      ],
      ORIGIN,
    );
    assert.deepEqual(
      verdicts.map((verdict) => [verdict.kind, "id" in verdict ? verdict.id : "code" in verdict ? verdict.code : ""]),
      [
        ["kept", "a"],
        ["refused", "event.unfit"],
        ["quarantined", "c"],
        ["refused", "event.unfit"],
        ["refused", "event.invalid"],
        ["kept", "a"],
      ],
    );
    const { events } = await given.store.readJournal({ after: 0, limit: 100 });
    const told = events.map(({ source, id, type, traceparent }) => [source, source === "/s" ? id : type, traceparent]);
    assert.deepEqual(told, [
      ["/s", "a", ORIGIN.traceparent],
      ["tidings", "event.quarantined", ORIGIN.traceparent],
    ]);
  });

  test("what an event says of itself stands in the journal, and what says nothing is left out", async () => {
    const attributes: EventAttributes = { bus: "night", resources: ["arn:x"], dataschema: "urn:s" };
    await given.desk.accept([event({ id: "all", subject: "order/1", attributes })], ORIGIN);
    await given.desk.accept([event({ id: "none", attributes: { bus: "default", resources: [] } })], ORIGIN);
    const { events } = await given.store.readJournal({ after: 0, limit: 100 });
    const of = (id: string) => events.find((one) => one.id === id);
    assert.deepEqual(JSON.parse(of("all")?.attributes ?? ""), { ...attributes, subject: "order/1" });
    assert.deepEqual([of("none")?.attributes, of("none")?.subject], [null, "none"]);
  });

  test("a repetition is told as one where the event brought a record of it", async () => {
    const once = { key: "courier/1", fingerprint: "", status: 202, body: "", expiresMs: NOW + 1_000 };
    const [first] = await given.desk.accept([event({ id: "o", once })], ORIGIN);
    const [again] = await given.desk.accept([event({ id: "o", once })], ORIGIN);
    assert.deepEqual([first?.kind, again?.kind], ["kept", "repeated"]);
  });

  const wrong: readonly (readonly [why: string, over: Partial<ForeignEvent>])[] = [
    ["an empty source", { source: "" }],
    ["a type that is too long", { type: "é".repeat(300) }],
    ["U+0000 in the id", { id: "a\0b" }],
    ["half a character in the subject", { subject: "\ud800" }],
    ["half a character in the data", { data: '"\ud800"' }],
    ["our own bus", { attributes: { bus: "tidings" } }],
    ["a bus with a space", { attributes: { bus: "a b" } }],
    ["a time far ahead", { timeMs: NOW + AHEAD_MS_MAX + 1 }],
    ["a time before all times", { timeMs: -1 }],
    ["no time", { timeMs: Number.NaN }],
  ];
  for (const [why, over] of wrong) {
    test(`${why} is refused`, async () => {
      const [verdict] = await given.desk.accept([event({ id: "w", ...over })], ORIGIN);
      assert.ok(verdict?.kind === "refused" && verdict.code === "event.invalid", JSON.stringify(verdict));
    });
  }

  test("an event is measured in bytes of UTF-8, with its attributes", async () => {
    const sized = (data: string, attributes: EventAttributes = {}) =>
      given.desk.accept([event({ id: "size", data, attributes })], ORIGIN);
    const full = `"${"x".repeat(EVENT_BYTES_MAX - 100)}"`;
    assert.equal((await sized(full))[0]?.kind, "kept");
    const [wide] = await sized(`"${"é".repeat(EVENT_BYTES_MAX / 2)}"`);
    const [more] = await sized(full, { extensions: { big: "x".repeat(200) } });
    for (const verdict of [wide, more]) assert.ok(verdict?.kind === "refused" && verdict.code === "event.too_large");
  });
});

test("when the store cannot commit, its fault goes to whoever asked", async () => {
  await using given = givenDesk(undefined, { commit: () => Promise.reject(new StoreFault("store.full", "no room")) });
  await assert.rejects(given.desk.accept([event()], ORIGIN), { code: "store.full" });
  await assert.rejects(given.desk.acceptTogether([event()], ORIGIN), { code: "store.full" });
});

test("when too much waits, an event is told to come later", async () => {
  const { promise, resolve } = Promise.withResolvers<never[]>();
  await using given = givenDesk(undefined, { commit: () => promise });
  const data = `"${"x".repeat(EVENT_BYTES_MAX / 4)}"`;
  const many = Math.ceil(BACKLOG_BYTES_MAX / data.length) * 2;
  for (let at = 0; at < many; at += 1) given.desk.accept([event({ id: `${at}`, data })], ORIGIN).catch(() => {});
  const [verdict] = await given.desk.accept([event({ id: "last" })], ORIGIN);
  const together = await given.desk.acceptTogether([event({ id: "last" })], ORIGIN);
  assert.deepEqual([verdict?.kind, together.kind], ["overloaded", "overloaded"]);
  resolve([]);
});

test("what waits for thirty days without a word is forgotten, and what came later is not", async () => {
  await using given = givenDesk({ judge: () => ({ kind: "quarantine", says: "it says" }) });
  const { desk, clock } = given;
  await desk.accept([event({ id: "old" })], ORIGIN);
  clock.advance(29 * DAY_MS);
  await desk.accept([event({ id: "new" })], ORIGIN);
  assert.equal(await desk.quarantine.trim(), 0);
  clock.advance(2 * DAY_MS);
  assert.equal(await desk.quarantine.trim(), 1);
  const { events } = await desk.quarantine.list({ type: null, after: null, limit: 10 });
  assert.deepEqual(
    events.map(({ event: kept }) => kept.id),
    ["new"],
  );
});
