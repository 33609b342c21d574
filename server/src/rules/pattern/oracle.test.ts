import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Compiled, compilePattern } from "./compile.ts";
import { leavesFor } from "./matching.testing.ts";
import { matches } from "./matches.ts";
import { oracle } from "./oracle.testing.ts";
import { RuleIndex } from "./rule-index.ts";
import { readEventText } from "./event-leaves.ts";

/** @param leastShare of the events that must match, so that agreeing means something. */
function agrees(patterns: fc.Arbitrary<object>, events: fc.Arbitrary<object>, leastShare: number): void {
  let [matched, told] = [0, 0];
  fc.assert(
    fc.property(patterns, fc.array(events, { minLength: 1, maxLength: 6 }), (said, some) => {
      const pattern = compilePattern(JSON.stringify(said));
      // All that is made is valid, unless it is too much.
      if (pattern.kind === "invalid") return assert.match(pattern.reason, /too complex|longer|deeper/);
      for (const event of some) {
        const expected = oracle(said, event);
        assert.equal(matches(pattern, leavesFor(pattern, event)), expected, JSON.stringify(event));
        told += 1;
        if (expected) matched += 1;
      }
      return undefined;
    }),
    { numRuns: 500 },
  );
  assert.ok(matched >= told * leastShare, `only ${matched} of ${told} matched`);
}

test("a pattern matches exactly what its description says, chosen leaf by leaf", () => {
  agrees(aPattern, anEvent, 0.01);
});

test("so it is where elements of arrays must go together", () => {
  agrees(aPatternOnArrays, anEventOfArrays, 0.1);
});

test("an index finds what trying every pattern finds, while patterns come and go in any order", () => {
  const aChange = fc.record({ id: fc.nat(12), pattern: fc.option(aPattern) });
  fc.assert(
    fc.property(fc.array(fc.tuple(aChange, anEvent), { minLength: 1, maxLength: 40 }), (steps) => {
      const index = new RuleIndex<number>();
      const known = new Map<number, Compiled>();
      for (const [{ id, pattern: said }, event] of steps) {
        const pattern = said === null ? null : compilePattern(JSON.stringify(said));
        if (pattern === null || pattern.kind === "invalid") assert.equal(index.remove(id), known.delete(id));
        else {
          index.add(id, pattern);
          known.set(id, pattern);
        }
        assert.equal(index.size, known.size);
        const expected = [...known].filter(([, one]) => matches(one, leavesFor(one, event))).map(([one]) => one);
        const leaves = readEventText(JSON.stringify(event), index.wanted);
        assert.ok(leaves !== null);
        assert.deepEqual(new Set(index.match(leaves)), new Set(expected));
        assert.equal(index.match(leaves).length, expected.length);
      }
      for (const id of known.keys()) index.remove(id);
      assert.equal(index.wanted.root.children.size, 0);
    }),
    { numRuns: 100 },
  );
});

// Patterns and events of few names and values, so that they meet. The oracle knows all that these patterns say.

const NAMES = ["a", "b", "c", "a.b"];
const STRINGS = [
  "",
  "x",
  "xy",
  "xyx",
  "X",
  "yx",
  "10.0.0.1",
  "10.0.1.9",
  "xxxyyy",
  "a long text xyz",
  "a long text XYZ",
];
const NUMBERS = [-1, 0, 1.5, 10];

const name = fc.constantFrom(...NAMES);
const string = fc.constantFrom(...STRINGS);
const number = fc.constantFrom(...NUMBERS);
const scalar = fc.oneof(string, number, fc.boolean(), fc.constant(null));
const wildcard = fc.constantFrom(
  "*",
  "x*",
  "*x",
  "x*x",
  "*y*",
  "x*y*x",
  "xy",
  "*long text*",
  "a*text*z",
  "",
  "xxx*yyy",
  "*xx*xy*",
);
const listOf = <Item>(item: fc.Arbitrary<Item>) => fc.array(item, { minLength: 1, maxLength: 4 });

const numeric = fc.oneof(
  fc.tuple(fc.constantFrom("=", "<", "<=", ">", ">="), number),
  fc
    .tuple(fc.constantFrom(">", ">="), number, fc.constantFrom("<", "<="), number)
    .filter(([, low, , high]) => low < high),
);
const some = STRINGS.filter((text) => text !== "");
const anythingBut = fc.oneof(
  string,
  number,
  listOf(string),
  listOf(number),
  fc.record({ prefix: fc.oneof(fc.constantFrom(...some), listOf(fc.constantFrom(...some))) }),
  fc.record({ suffix: fc.oneof(fc.constantFrom(...some), listOf(fc.constantFrom(...some))) }),
  fc.record({ "equals-ignore-case": fc.oneof(string, listOf(string)) }),
  fc.record({ wildcard: fc.oneof(wildcard, listOf(wildcard)) }),
);
const end = fc.oneof(string, fc.record({ "equals-ignore-case": string }));
const condition = fc.oneof(
  { arbitrary: scalar, weight: 6 },
  fc.record({ prefix: end }),
  fc.record({ suffix: end }),
  fc.record({ "equals-ignore-case": string }),
  fc.record({ wildcard }),
  fc.record({ numeric }),
  fc.record({ "anything-but": anythingBut }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ cidr: fc.constantFrom("10.0.0.0/8", "10.0.1.7/24", "10.0.0.0/31") }),
);

const aPattern: fc.Arbitrary<object> = fc.letrec<{ pattern: object; node: unknown }>((tie) => ({
  pattern: fc
    .tuple(
      fc.dictionary(name, tie("node"), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
      fc.option(fc.array(tie("pattern"), { minLength: 2, maxLength: 3 }), {
        freq: 3,
        nil: undefined,
        maxDepth: 2,
        depthSize: "small",
      }),
    )
    .map(([fields, or]) => (or === undefined ? fields : { ...fields, $or: or })),
  node: fc.oneof({ maxDepth: 3, depthSize: "small" }, listOf(condition), tie("pattern")),
})).pattern;

const aValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown; object: object }>((tie) => ({
  object: fc.dictionary(name, tie("value"), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof(
    { maxDepth: 4, depthSize: "medium" },
    scalar,
    tie("object"),
    fc.array(tie("object"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }),
  ),
})).value;

const anEvent: fc.Arbitrary<object> = fc.dictionary(name, aValue, {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
});

// About elements of arrays in arrays, where only some choices of elements go together.
const digits = fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 2 });
const list = fc.oneof(
  { arbitrary: digits, weight: 5 },
  fc.constant([{ exists: true }]),
  fc.constant([0, { exists: false }]),
);
const inner = fc.dictionary(fc.constantFrom("x", "y"), list, { minKeys: 1, noNullPrototype: true });
const outer = fc.dictionary(fc.constantFrom("x", "y", "z"), list, { noNullPrototype: true });
const aPatternOnArrays: fc.Arbitrary<object> = fc
  .tuple(
    outer,
    inner,
    fc.option(
      fc.tuple(
        inner,
        outer.map((fields) => ({ ...fields, z: [1] })),
      ),
    ),
  )
  .map(([fields, m, or]) => ({ l: { ...fields, m: or === null ? m : { ...m, $or: or } } }));

const cell = fc.dictionary(fc.constantFrom("x", "y"), fc.nat(2), { minKeys: 1, noNullPrototype: true });
const cells = fc.array(fc.oneof(cell, fc.array(cell, { maxLength: 3 })), { maxLength: 4 });
const row = fc
  .tuple(fc.dictionary(fc.constantFrom("x", "y", "z"), fc.nat(2), { noNullPrototype: true }), cells)
  .map(([fields, m]) => ({ ...fields, m }));
const anEventOfArrays: fc.Arbitrary<object> = fc
  .tuple(fc.array(fc.oneof(row, fc.array(row, { maxLength: 3 })), { maxLength: 4 }), fc.option(row))
  .map(([l, dotted]) => (dotted === null ? { l } : { l, "l.m": dotted.m }));
