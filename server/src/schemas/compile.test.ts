import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Json } from "#domain/json.ts";
import { compileSchema } from "#schemas/compile.ts";
import { SCHEMA_BRANCHES_MAX, SCHEMA_NODES_MAX } from "#schemas/limits.ts";

/** What is said of a value: null when it fits. */
function said(schema: Json, value: Json): string | null {
  const compiled = compileSchema(JSON.stringify(schema), schema);
  assert.ok(compiled.ok, compiled.ok ? "" : compiled.says);
  return compiled.validate(value);
}

/** Why a schema is not taken. */
function refused(schema: Json): string {
  const compiled = compileSchema(JSON.stringify(schema), schema);
  assert.ok(!compiled.ok, "it should not be taken");
  return compiled.says;
}

const ORDER = {
  type: "object",
  required: ["total"],
  properties: {
    total: { type: "number" },
    mail: { type: "string", format: "email" },
    at: { type: "string", format: "date-time" },
    code: { type: "string", pattern: "^[\\p{Lu}]{2}\\u0041?$" },
    tags: { type: "array", uniqueItems: true },
  },
  additionalProperties: false,
};

describe("a schema of 2020-12", () => {
  const fits: readonly Json[] = [
    { total: 1 },
    { total: 1.5, mail: "ada@example.com", at: "2026-01-02T03:04:05Z", code: "ÄÖA", tags: [1, "1", { a: 1 }] },
  ];
  for (const value of fits) test(`lets pass ${JSON.stringify(value)}`, () => assert.equal(said(ORDER, value), null));

  const wrong: readonly (readonly [value: Json, says: RegExp])[] = [
    [{}, /it must have required property 'total'/],
    [{ total: "1" }, /^\/total must be number/],
    [{ total: 1, x: 1 }, /additional properties \("x"\)/],
    [{ total: 1, mail: "ada" }, /^\/mail must match format/],
    [{ total: 1, at: "tomorrow" }, /^\/at must match format/],
    [{ total: 1, code: "abc" }, /^\/code must match pattern/],
    [
      {
        total: 1,
        tags: [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
      },
      /^\/tags must not have the same entry twice/,
    ],
    [[], /it must be object/],
  ];
  for (const [value, says] of wrong) {
    test(`tells what is wrong with ${JSON.stringify(value)}`, () => assert.match(said(ORDER, value) ?? "", says));
  }

  test("a recursive schema goes along with the value", () => {
    const tree = { type: "object", properties: { child: { $ref: "#" } }, additionalProperties: false };
    assert.equal(said(tree, { child: { child: {} } }), null);
    assert.match(said(tree, { child: { chid: {} } }) ?? "", /chid/);
  });

  test("what every object inherits counts as missing", () => {
    assert.notEqual(said({ required: ["toString"] }, {}), null);
  });

  test("words of JSON Schema 2020-12 work", () => {
    const schema = {
      prefixItems: [{ type: "string" }, { $ref: "#/$defs/n" }],
      items: false,
      $defs: { n: { type: "number", $anchor: "here" } },
      unevaluatedItems: false,
    };
    assert.equal(said(schema, ["a", 1]), null);
    assert.notEqual(said(schema, ["a", 1, 2]), null);
    const object = { allOf: [{ properties: { a: true } }], properties: { b: true }, unevaluatedProperties: false };
    assert.equal(said(object, { a: 1, b: 2 }), null);
    assert.notEqual(said(object, { c: 1 }), null);
    assert.notEqual(said({ dependentRequired: { a: ["b"] } }, { a: 1 }), null);
  });
});

describe("a schema that is not taken", () => {
  const many = (count: number, schema: (at: number) => Json): Json[] =>
    Array.from({ length: count }, (_, at) => schema(at));
  let deep: Json = {};
  for (let level = 0; level < 40; level += 1) deep = { properties: { a: deep } };
  const cases: readonly (readonly [why: string, schema: Json, says: RegExp])[] = [
    ["is no object", [], /JSON object/],
    ["is of another draft", { $schema: "http://json-schema.org/draft-07/schema#" }, /2020-12/],
    ["has a type that there is not", { type: "strin" }, /\/type must be/],
    ["has a malformed word", { required: "total" }, /\/required/],
    ["refers to itself without end", { $ref: "#" }, /without end/],
    [
      "refers to itself in a circle",
      { $ref: "#/$defs/a", $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { not: { $ref: "#/$defs/a" } } } },
      /without end/,
    ],
    ["refers to the network", { $ref: "https://example.com/a.json" }, /same schema/],
    ["refers to nothing", { $ref: "#/$defs/a" }, /leads nowhere/],
    ["refers to what is no schema", { $ref: "#/x", x: { $ref: "#/x" } }, /no schema/],
    ["has dynamic references", { $dynamicRef: "#a" }, /not taken/],
    ["has draft-07 dependencies", { dependencies: { a: { $ref: "#" } } }, /dependentSchemas/],
    ["is asynchronous", { $async: true }, /not taken/],
    ["has a pattern that looks around", { pattern: "(?=a)b" }, /RE2/],
    ["has a broken pattern", { patternProperties: { "(": true } }, /pattern|does not compile|regex/],
    ["has a very long pattern", { pattern: "a".repeat(2_000) }, /1000 characters/],
    ["has a pattern that grows", { pattern: "(\\pL{0,500}){2}\\pL{0,1000}\\pL{0,1000}" }, /too large|RE2/],
    ["nests too deep", deep, /deeper/],
    [
      "has too many parts",
      { properties: Object.fromEntries(many(SCHEMA_NODES_MAX, () => ({})).map((schema, at) => [`p${at}`, schema])) },
      /schemas in it/,
    ],
    ["has too many alternatives", { anyOf: many(SCHEMA_BRANCHES_MAX + 1, () => ({})) }, /anyOf/],
    ["is too large", { description: "x".repeat(70_000) }, /65536 bytes/],
  ];
  for (const [why, schema, says] of cases) test(why, () => assert.match(refused(schema), says));
});

describe("checking cannot take for ever", () => {
  /** Far more than it takes on a slow machine, and far less than what the trap would take. */
  const PATIENCE_MS = 5_000;
  const laughs = (keyword: string): Json => ({
    $ref: "#/$defs/a0",
    $defs: Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [
        `a${at}`,
        at === 39
          ? { type: "number" }
          : { [keyword]: [{ $ref: `#/$defs/a${at + 1}` }, { $ref: `#/$defs/a${at + 1}` }] },
      ]),
    ),
  });
  let deep: Json = {};
  for (let level = 0; level < 60; level += 1) deep = { a: deep };
  const numbers = Array.from({ length: 200_000 }, (_, at) => at);
  const traps: readonly (readonly [name: string, schema: Json, value: Json])[] = [
    ["references that double at every step", laughs("allOf"), 5],
    ["alternatives that double at every step", laughs("anyOf"), "x"],
    ["a recursion that doubles with the value", { properties: { a: { allOf: [{ $ref: "#" }, { $ref: "#" }] } } }, deep],
    [
      "many searches in a long list",
      { allOf: Array.from({ length: 90 }, () => ({ contains: { const: -1 }, minContains: 0 })) },
      numbers,
    ],
    [
      "a long enum for each entry of a long list",
      { items: { not: { enum: Array.from({ length: 9_000 }, (_, at) => -1 - at) } } },
      numbers,
    ],
    ["entries that are all compared with each other", { uniqueItems: true }, numbers.map((n) => ({ n }))],
    [
      "many patterns on a long text",
      { allOf: Array.from({ length: 50 }, (_, at) => ({ not: { pattern: `^(x{0,${at + 9}}a?){9}!` } })) },
      "a".repeat(1_000_000),
    ],
  ];
  for (const [name, schema, value] of traps) {
    test(name, () => {
      const beganMs = performance.now();
      assert.match(said(schema, value) ?? "", /takes too long to check/);
      assert.ok(performance.now() - beganMs < PATIENCE_MS);
    });
  }

  test("a pattern that would go back for ever in JavaScript answers", () => {
    assert.match(said({ pattern: "^(a+)+$" }, `${"a".repeat(100_000)}!`) ?? "", /pattern/);
  });

  test("a full event of ordinary entries is checked to its end", () => {
    const line = { type: "object", required: ["sku"], properties: { sku: { type: "string" }, n: { type: "integer" } } };
    const lines = Array.from({ length: 30_000 }, (_, n) => ({ sku: `sku-${n}`, n }));
    assert.equal(said({ properties: { lines: { items: line } } }, { lines }), null);
  });
});
