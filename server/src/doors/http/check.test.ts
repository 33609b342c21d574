import assert from "node:assert/strict";
import { test } from "node:test";
import { SendRequest } from "@tidings/contract";
import fc from "fast-check";
import { type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { compileCheck } from "#doors/http/check.ts";

const SCHEMAS: readonly TSchema[] = [
  SendRequest,
  Type.Object({
    to: Type.Union([Type.String({ minLength: 2, maxLength: 3 }), Type.Null()]),
    message: Type.Optional(Type.Array(Type.Integer({ minimum: 0, maximum: 3 }), { minItems: 1, maxItems: 2 })),
    content: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.Literal("x"), Type.Literal(1)])),
    ),
    method: Type.Optional(Type.String({ enum: ["single", "all"] })),
  }),
];

test("what TypeBox's own compiler lets through is let through, and nothing else", () => {
  const leaf = fc.constantFrom(null, true, 0, 1, 2.5, -1, 9, "", "x", "all", "single", "long text");
  const name = fc.constantFrom(
    "message",
    "to",
    "content",
    "elements",
    "routing",
    "method",
    "channels",
    "metadata",
    "tags",
    "data",
    "email",
    "x",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(name, tie("value"), { maxKeys: 6 }),
    ),
  }));
  for (const schema of SCHEMAS) {
    const theirs = Compile(schema);
    const ours = compileCheck(schema);
    fc.assert(
      fc.property(
        fc.oneof(
          value,
          fc.record({ message: value }),
          fc.record({ to: leaf, message: value, content: value, method: leaf }),
        ),
        (given) => {
          assert.equal(ours(given) === null, theirs.Check(given), `${JSON.stringify(given)}: ${ours(given)}`);
        },
      ),
      { numRuns: 2_000 },
    );
  }
});

test("a sentence names the field and what it should be; between forms, the one that was nearly met", () => {
  const says = compileCheck(SCHEMAS[1] ?? Type.Null());
  assert.equal(says([]), "The body must be an object.");
  assert.equal(says({}), 'The body must have "to".');
  assert.equal(says({ to: 3 }), "to must be a string.");
  assert.equal(says({ to: "x" }), "to must have at least 2 characters.");
  assert.equal(says({ to: null, message: [1, 2.5] }), "message[1] must be a whole number.");
  assert.equal(says({ to: null, message: [] }), "message must have at least 1 entries.");
  assert.equal(
    says({ to: null, content: { ["k".repeat(200)]: "y" } }),
    `content.${"k".repeat(80)} must be true or false or "x" or 1.`,
  );
  assert.equal(says({ to: null, method: "some" }), 'method must be one of "single", "all".');
});

test("a keyword that nobody checks is a bug in the schema", () => {
  assert.throws(() => compileCheck(Type.Object({ a: Type.String({ pattern: "^x" }) })), /"pattern"/);
});
