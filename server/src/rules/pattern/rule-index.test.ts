import assert from "node:assert/strict";
import { test } from "node:test";
import { readEventText } from "./event-leaves.ts";
import { doesMatch, patternOf } from "./matching.testing.ts";
import { RuleIndex } from "./rule-index.ts";

function found<Id extends string | number>(index: RuleIndex<Id>, event: unknown): readonly Id[] {
  const leaves = readEventText(JSON.stringify(event), index.wanted);
  assert.ok(leaves !== null);
  return index.match(leaves).toSorted(rising);
}

function rising(a: string | number, b: string | number): number {
  return a < b ? -1 : 1;
}

test("every kind of condition leads to its pattern, also among many of its kind", () => {
  const kinds: readonly ((n: number) => readonly [condition: unknown, value: unknown])[] = [
    (n) => [`v${n}`, `v${n}`],
    (n) => [n, n],
    (n) => [`10.0.${n}.1`, `010.0.${n}.001`],
    (n) => [{ prefix: `p${n}/` }, `p${n}/rest`],
    (n) => [{ prefix: "q".repeat(n + 1) }, "q".repeat(n + 1)],
    (n) => [{ suffix: `/${n}.png` }, `some/${n}.png`],
    (n) => [{ prefix: { "equals-ignore-case": `Å${n}-` } }, `å${n}-`],
    (n) => [{ suffix: { "equals-ignore-case": `-Ж${n}` } }, `x-ж${n}`],
    (n) => [{ "equals-ignore-case": `Name${n}` }, `nAME${n}`],
    (n) => [{ wildcard: `*/inner-${n}/*` }, `a/inner-${n}/b`],
    (n) => [{ wildcard: `head-${n}*` }, `head-${n}`],
    (n) => [{ wildcard: `*${n}` }, `x${n}`],
    (n) => [{ numeric: [">=", n * 10 + 0.5, "<", n * 10 + 5] }, n * 10 + 1],
    (n) => [{ cidr: `172.16.${n}.0/24` }, `172.16.${n}.9`],
  ];
  for (const [which, kind] of kinds.entries()) {
    const index = new RuleIndex<number>();
    for (let n = 0; n < 120; n += 1) index.add(n, patternOf({ s: ["all"], f: [kind(n)[0]] }));
    for (let n = 0; n < 120; n += 7) {
      const event = { s: "all", f: kind(n)[1] };
      const expected = Array.from({ length: 120 }, (_, other) => other).filter((other) =>
        doesMatch({ f: [kind(other)[0]] }, event),
      );
      assert.ok(expected.includes(n), `kind ${which}`);
      assert.deepEqual(found(index, event), expected, `kind ${which}`);
      index.remove(n);
      assert.ok(!found(index, event).includes(n));
      index.add(n, patternOf({ s: ["all"], f: [kind(n)[0]] }));
    }
  }
});

test("patterns that nothing leads to are still found", () => {
  const index = new RuleIndex<string>();
  index.add("absent", patternOf({ gone: [{ exists: false }] }));
  index.add("either", patternOf({ $or: [{ a: [1] }, { gone: [{ exists: false }, "x"] }] }));
  index.add("any", patternOf({ a: [{ "anything-but": 2 }] }));
  assert.deepEqual(found(index, {}), ["absent", "either"]);
  assert.deepEqual(found(index, { a: 1, gone: 0 }), ["any", "either"]);
  assert.deepEqual(found(index, { a: 2, gone: "x" }), ["either"]);
});

/** How often a path was looked up in full matching while an event was matched. */
function lookUps(index: RuleIndex<number>, path: string, event: unknown): number {
  const leaves = readEventText(JSON.stringify(event), index.wanted);
  assert.ok(leaves !== null);
  let count = 0;
  const get = (asked: string) => {
    if (asked === path) count += 1;
    return leaves.get(asked);
  };
  index.match(Object.assign(new Map(leaves), { get }));
  return count;
}

test("an event is matched with few patterns, though ten thousand share its source", () => {
  const index = new RuleIndex<number>();
  for (let n = 0; n < 10_000; n += 1) {
    const kinds = [
      { x: [`v${n}`] },
      { y: [{ prefix: `p${n}/` }] },
      { z: [{ numeric: [">=", n, "<", n + 4] }] },
      { w: [{ wildcard: `*-${n}-*` }] },
    ];
    index.add(n, patternOf({ source: ["same"], detail: kinds[n % 4] }));
  }
  const event = { source: "same", detail: { x: "v4000", y: "p4001/a", z: 4002.5, w: "a-4003-b" } };
  assert.deepEqual(found(index, event), [4000, 4001, 4002, 4003]);
  const count = lookUps(index, "source", event);
  assert.ok(count >= 4 && count < 20, `${count} patterns were tried`);
});

test("a pattern that is brought up in vain again and again is placed where it is not", () => {
  const index = new RuleIndex<number>();
  // "abcd" is as rare as "efgh" until others ask for it.
  index.add(0, patternOf({ g: [{ "anything-but": 1 }], f: [{ wildcard: "*abcd*efgh*" }] }));
  for (let n = 1; n < 20; n += 1) index.add(n, patternOf({ f: [{ wildcard: `*abcd*-${n}` }] }));
  const event = { g: 2, f: "abcd" };
  assert.equal(lookUps(index, "g", event), 1);
  for (let again = 0; again < 40; again += 1) lookUps(index, "g", event);
  assert.equal(lookUps(index, "g", event), 0);
  assert.deepEqual(found(index, { g: 2, f: "abcd efgh" }), [0]);
});

test("patterns of the same text are one, and each of their ids is told", () => {
  const index = new RuleIndex<string>();
  for (const id of ["a", "b", "c"]) index.add(id, patternOf({ x: [1] }));
  assert.deepEqual(found(index, { x: 1 }), ["a", "b", "c"]);
  assert.equal(index.remove("b"), true);
  assert.equal(index.remove("b"), false);
  index.add("c", patternOf({ x: [2] }));
  assert.deepEqual(found(index, { x: 1 }), ["a"]);
  assert.deepEqual(found(index, { x: 2 }), ["c"]);
});
