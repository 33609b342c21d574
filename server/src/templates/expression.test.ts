import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "#domain/json.ts";
import { compileCondition } from "./condition.ts";
import { compileExpression } from "./expression.ts";
import { newFrame } from "./frame.ts";
import { EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX } from "./limits.ts";
import { scopeOf } from "./scope.testing.ts";
import { isTruthy } from "./value.ts";

const target = { channel: "email", provider: "smtp" } as const;

function holds(source: Json, data: JsonObject = {}): boolean {
  const compiled = compileCondition(source);
  assert.ok(compiled.ok, compiled.ok ? "" : compiled.problem);
  return isTruthy(compiled.evaluate(newFrame(scopeOf(data, { profile: { age: 20 } }), target, false)));
}

function problemOf(source: string): string {
  const compiled = compileExpression(source);
  return compiled.ok ? "" : compiled.problem;
}

test("an expression reads variables, compares and combines", () => {
  const data = { tier: "premium", items: [{ n: 1 }, { n: 2 }], n: 3, off: false, i: 1, "odd key": 1 };
  for (const source of [
    "data.tier === 'premium'",
    'tier == "premium"',
    "!data.missing",
    "data.items && data.items.length > 0",
    "data.items[1].n == 2",
    "data.items[data.i].n === 2",
    "profile.age >= 18 && (off || n < 4)",
    "!(n > 4) && !off",
    "'10' == 10",
    "n !== '3'",
    "n != 4",
    "missing == null",
    "data['odd key'] === 1",
    "-1 < n",
    "!!n",
    "true",
    "{{data.tier}}",
    "$.data.n == 3",
    "off || tier",
    "(n)",
  ]) {
    assert.equal(holds(source, data), true, source);
  }
  for (const source of [
    "off",
    "missing.deep.er",
    "n > 3",
    "n < 'x'",
    "items.length > 2",
    "tier === n",
    "null",
    "''",
    "'1' === 1",
  ]) {
    assert.equal(holds(source, data), false, source);
  }
});

test("it cannot reach what an object inherits", () => {
  const data = { a: {}, k: "constructor" };
  for (const source of [
    "a.constructor",
    "a['__proto__']",
    "a[k]",
    "a[k].name",
    "'x'.constructor",
    "constructor",
    "__proto__",
  ]) {
    assert.equal(holds(source, data), false, source);
  }
});

test("what it does not know is refused with a sentence", () => {
  assert.match(problemOf("data.items.filter(x)"), /cannot call functions/);
  assert.match(problemOf("alert(1)"), /cannot call functions/);
  assert.match(problemOf("a = 1"), /something unknown at "= 1"/);
  assert.match(problemOf("a + 1"), /something unknown/);
  assert.match(problemOf("a &&"), /ends too early/);
  assert.match(problemOf("(a"), /misses a "\)"/);
  assert.match(problemOf("a b"), /does not expect "b"/);
  assert.match(problemOf("1 < 2 < 3"), /compares twice/);
  assert.match(problemOf("`x`"), /something unknown/);
});

test("long and deep ones are refused before they cost anything", () => {
  assert.match(problemOf(`a${" ".repeat(EXPRESSION_CHARS_MAX)}`), /longer than/);
  assert.match(problemOf(`${"(".repeat(EXPRESSION_DEPTH_MAX + 1)}a`), /deeper than/);
  assert.match(problemOf(`${"a[".repeat(900)}`), /deeper than/);
  assert.equal(holds(`${"!".repeat(1_000)}true`), true);
  assert.equal(holds(`${"true && ".repeat(200)}true`), true);
});

test("the editor's groups: a group is joined by its operator, all groups must hold", () => {
  const group = (logical_operator: string, ...conditions: [string, string, Json?][]): Json => ({
    logical_operator,
    conditions: conditions.map(([property, operator, value]) => ({ property, operator, value: value ?? null })),
  });
  const data = { tier: "gold", n: 5, tags: ["a"], empty: [], yes: true };
  assert.equal(holds([group("and", ["data.tier", "equals", "gold"], ["n", "greater_than", "4"])], data), true);
  assert.equal(holds([group("or", ["tier", "equals", "silver"], ["n", "less_than_or_equals", 5])], data), true);
  assert.equal(
    holds([group("and", ["tags", "contains", "a"]), group("and", ["tier", "not_contains", "old"])], data),
    false,
  );
  assert.equal(
    holds([group("and", ["empty", "is_empty"], ["none", "is_empty"], ["tier", "is_not_empty"])], data),
    true,
  );
  assert.equal(holds([group("and", ["{{data.yes}}", "equals", "true"], ["n", "not_equals", 4])], data), true);
  const unknown = compileCondition([group("and", ["tier", "matches", "x"])]);
  assert.ok(!unknown.ok && /operator is one of equals/.test(unknown.problem));
});

test("any text at all is either understood or refused, never thrown at", () => {
  const pieces = fc.constantFrom(
    "a",
    ".",
    "[",
    "]",
    "(",
    ")",
    "!",
    "&&",
    "||",
    "==",
    "===",
    "<",
    "1",
    "'x'",
    "$",
    "-",
    " ",
    "length",
    "data",
  );
  const source = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(source, fc.json(), (text, json) => {
      const compiled = compileExpression(text);
      if (compiled.ok) compiled.evaluate(newFrame(scopeOf({ a: JSON.parse(json) as Json }), target, false));
    }),
    { numRuns: 500 },
  );
});
