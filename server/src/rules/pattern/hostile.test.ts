import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "./matches.ts";
import { CONSISTENCY_STEPS_MAX } from "./limits.ts";
import { check, leavesFor, patternOf } from "./matching.testing.ts";

/** How many elements were looked at to bring conditions on arrays together, and the answer. */
function stepsOf(said: unknown, event: unknown): { readonly steps: number; readonly matched: boolean } {
  const pattern = patternOf(said);
  const steps = { left: CONSISTENCY_STEPS_MAX };
  const matched = judge(pattern, leavesFor(pattern, event), steps);
  return { steps: CONSISTENCY_STEPS_MAX - steps.left, matched };
}

const NAMES = "abcdefgh".split("");

test("conditions that never meet in one element cost a look at each element, not at each combination of them", () => {
  const pattern = { l: Object.fromEntries(NAMES.map((name) => [name, [1]])) };
  // Every condition holds in thousands of elements, all eight together in none.
  const l = Array.from({ length: 8000 }, (_, n) =>
    Object.fromEntries(NAMES.filter((_name, at) => at !== n % 8).map((name) => [name, 1])),
  );
  const { steps, matched } = stepsOf(pattern, { l });
  assert.equal(matched, false);
  assert.ok(steps <= l.length, `${steps} steps`);
  const last = stepsOf(pattern, { l: [...l, Object.fromEntries(NAMES.map((name) => [name, 1]))] });
  assert.equal(last.matched, true);
});

test("arrays in arrays cost a look at each element too", () => {
  const pattern = { g: { a: [1], b: [2], h: { c: [3], d: [4] } } };
  const inner = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? { c: 3 } : { d: 4 }));
  const row = Array.from({ length: 40 }, (_, n) => ({ a: 1, h: inner, ...(n % 2 === 0 ? { b: 2 } : {}) }));
  const g = Array.from({ length: 40 }, () => row);
  const { steps, matched } = stepsOf(pattern, { g });
  assert.equal(matched, false);
  assert.ok(steps <= 40 + 40 * 40 + 40 * 40 * 40, `${steps} steps`);
});

test("a thousand combinations of $or cost at most a thousand times one of them", () => {
  const branch = (name: string) => Array.from({ length: 10 }, (_, n) => ({ [`${name}${n}`]: [1] }));
  const pattern = { l: { x: { $or: branch("p") }, y: { $or: branch("q") }, z: { $or: branch("r") } } };
  const element = (of: string, name: string) => ({
    [of]: Object.fromEntries(
      branch(name)
        .flatMap((one) => Object.keys(one))
        .map((key) => [key, 1]),
    ),
  });
  const l = Array.from({ length: 900 }, (_, n) => [element("x", "p"), element("y", "q"), element("z", "r")][n % 3]);
  const { steps, matched } = stepsOf(pattern, { l });
  assert.equal(matched, false);
  assert.ok(steps <= 1000 * 300, `${steps} steps`);
});

test("dots that put many arrays at one path cannot make the search endless", () => {
  // Sixteen ways to write a path with dots or nesting, each with an array of its own that can fulfil any one condition.
  const names = ["p", "q", "r", "s", "t"];
  const conditions = Array.from({ length: 20 }, (_, n) => `c${n}`);
  const elements = conditions.map((name) => ({ [name]: 1 }));
  const merge = (from: number): unknown => {
    const ways = names.slice(from).map((_, at) => names.slice(from, from + at + 1).join("."));
    const members = ways.map((name, at) => [name, from + at + 1 === names.length ? elements : merge(from + at + 1)]);
    return Object.fromEntries(members);
  };
  const pattern = { [names.join(".")]: Object.fromEntries(conditions.map((name) => [name, [1]])) };
  const { steps, matched } = stepsOf(pattern, merge(0));
  assert.equal(matched, false);
  assert.ok(steps <= CONSISTENCY_STEPS_MAX + conditions.length, `${steps} steps`);
});

test("wildcards look at a value once from left to right, however many stars", () => {
  const stars = `${"*a".repeat(2000)}*b`;
  check([
    {
      pattern: { v: [{ wildcard: stars }] },
      no: [{ v: "a".repeat(500_000) }],
      yes: [{ v: `${"a".repeat(500_000)}b` }],
    },
    { pattern: { v: [{ wildcard: `*${"a".repeat(2000)}b*` }] }, no: [{ v: "a".repeat(500_000) }] },
    { pattern: { v: [{ wildcard: `*b${"a".repeat(2000)}*` }] }, no: [{ v: "a".repeat(500_000) }] },
  ]);
});

test("numbers of a million digits and strings of a million escapes are read", () => {
  const zeros = "0".repeat(1_000_000);
  check([
    {
      pattern: { v: [1] },
      yes: [`{"v":1.${zeros}}`],
      no: [`{"v":1${zeros}}`, `{"v":1.${zeros}1}`, `{"v":1e${zeros}1}`],
    },
    {
      pattern: { v: [{ suffix: "\\" }] },
      yes: [`{"v":"${"\\\\".repeat(1_000_000)}"}`],
      no: [`{"v":"${'\\"'.repeat(1_000_000)}"}`],
    },
  ]);
});
