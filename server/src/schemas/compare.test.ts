import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "#domain/json.ts";
import { compareSchemas, overall } from "#schemas/compare.ts";
import { compileSchema } from "#schemas/compile.ts";
import { anySchema, valueOf } from "../../test/support/any-schema.ts";

const ORDER = {
  type: "object",
  required: ["id", "total"],
  properties: {
    id: { type: "string", format: "uuid" },
    total: { type: "number", minimum: 0 },
    state: { enum: ["open", "paid"] },
    note: { type: "string", maxLength: 100 },
    lines: { type: "array", items: { $ref: "#/$defs/line" } },
  },
  $defs: {
    line: {
      type: "object",
      required: ["sku"],
      properties: { sku: { type: "string" }, part: { $ref: "#/$defs/line" } },
    },
  },
} satisfies JsonObject;

const { properties } = ORDER;
const withField = (name: string, schema: Json): JsonObject => ({
  ...ORDER,
  properties: { ...properties, [name]: schema },
});
const { note: _, ...withoutNote } = properties;

describe("comparing a schema with the one before", () => {
  const cases: readonly (readonly [change: string, newer: Json, verdict: string, at: string, says: RegExp])[] = [
    ["a field that goes away", { ...ORDER, properties: withoutNote }, "breaking", "/note", /goes away/],
    ["a field that may be left out", { ...ORDER, required: ["id"] }, "breaking", "/total", /left out/],
    ["another type", withField("total", { type: "string" }), "breaking", "/total", /string now/],
    ["one more type", withField("total", { type: ["number", "null"], minimum: 0 }), "breaking", "/total", /null now/],
    ["no type", withField("note", { maxLength: 100 }), "breaking", "/note", /any type/],
    ["one more value", withField("state", { enum: ["open", "paid", "lost"] }), "breaking", "/state", /"lost"/],
    ["any value", withField("state", { type: "string" }), "breaking", "/state", /any value/],
    ["a format given up", withField("id", { type: "string" }), "breaking", "/id", /format uuid/],
    ["another format", withField("id", { type: "string", format: "email" }), "breaking", "/id", /another format/],
    ["a longer text", withField("note", { type: "string", maxLength: 200 }), "breaking", "/note", /maxLength 200/],
    ["a smaller number", withField("total", { type: "number", minimum: -1 }), "breaking", "/total", /minimum -1/],
    [
      "an alternative",
      withField("note", { anyOf: [{ type: "string", maxLength: 9 }, { type: "null" }] }),
      "breaking",
      "/note",
      /null now/,
    ],
    [
      "a change behind a reference",
      { ...ORDER, $defs: { line: { type: "object", properties: { sku: { type: "string" } } } } },
      "breaking",
      "/lines/*/sku",
      /left out/,
    ],
    ["a new field", withField("vat", { type: "number" }), "compatible", "/vat", /is new/],
    ["a whole number", withField("total", { type: "integer", minimum: 0 }), "compatible", "/total", /integer/],
    [
      "a field that is always there",
      { ...ORDER, allOf: [{ required: ["note"] }] },
      "compatible",
      "/note",
      /always there/,
    ],
    ["fewer values", withField("state", { const: "open" }), "compatible", "/state", /fewer/],
    ["a shorter text", withField("note", { type: "string", maxLength: 50 }), "compatible", "/note", /maxLength 50/],
    [
      "a new condition",
      withField("note", { type: "string", maxLength: 100, pattern: "^a" }),
      "compatible",
      "/note",
      /pattern/,
    ],
  ];
  for (const [change, newer, verdict, at, says] of cases) {
    test(`${change}: ${verdict}`, () => {
      const findings = compareSchemas(ORDER, newer);
      assert.equal(overall(findings), verdict);
      assert.ok(
        findings.some((finding) => finding.at === at && says.test(finding.says)),
        JSON.stringify(findings),
      );
    });
  }

  test("the same says nothing, however its keys and references are written", () => {
    const inline = {
      type: "object",
      required: ["sku"],
      properties: { part: { $ref: "#/$defs/line" }, sku: { type: "string" } },
    };
    const newer = { ...withField("lines", { items: inline, type: "array" }), title: "An order" };
    assert.deepEqual(compareSchemas(ORDER, newer), []);
  });

  test("a new field where none were allowed breaks", () => {
    const closed = { ...ORDER, additionalProperties: false };
    const findings = compareSchemas(closed, { ...closed, properties: { ...properties, vat: { type: "number" } } });
    assert.deepEqual(
      findings.map(({ kind, at }) => [kind, at]),
      [["breaking", "/vat"]],
    );
  });

  test("what cannot be told is unsure", () => {
    assert.equal(overall(compareSchemas({ pattern: "^a" }, { pattern: "^ab" })), "unsure");
    assert.equal(overall(compareSchemas({ not: { type: "string" } }, { not: { type: "number" } })), "unsure");
  });

  test("alternatives may become fewer, and not more", () => {
    const [text, number, nothing] = [{ type: "string" }, { type: "number" }, { type: "null" }];
    assert.equal(overall(compareSchemas({ anyOf: [text, nothing] }, text)), "compatible");
    assert.equal(
      overall(compareSchemas({ oneOf: [text, nothing] }, { oneOf: [nothing, { ...text, maxLength: 3 }] })),
      "compatible",
    );
    assert.equal(overall(compareSchemas({ oneOf: [text, nothing] }, { oneOf: [text, number] })), "breaking");
  });

  test("recursive schemas are compared to an end", () => {
    const tree = (leaf: Json): Json => ({ properties: { left: { $ref: "#" }, right: { $ref: "#" }, leaf } });
    assert.equal(overall(compareSchemas(tree({ type: "string" }), tree({ type: "string" }))), "compatible");
    assert.equal(overall(compareSchemas(tree({ type: "string" }), tree({ type: "number" }))), "breaking");
  });

  test("what is called compatible never allows a value that the old schema refuses", () => {
    fc.assert(
      fc.property(anySchema(), anySchema(), fc.infiniteStream(fc.nat(1_000)), (older, newer, dice) => {
        fc.pre(overall(compareSchemas(older, newer)) === "compatible");
        const value = valueOf(newer, () => dice.next().value);
        const [before, now] = [older, newer].map((schema) => compileSchema(JSON.stringify(schema), schema));
        assert.ok(before?.ok === true && now?.ok === true);
        fc.pre(now.validate(value) === null);
        assert.equal(before.validate(value), null, JSON.stringify({ older, newer, value }));
      }),
      { numRuns: 300, maxSkipsPerRun: 1_000 },
    );
  });
});
