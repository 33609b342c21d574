import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Json } from "#domain/json.ts";
import { compileSchema } from "#schemas/compile.ts";
import type { SchemaVersion } from "#schemas/schema.ts";
import { anySchema, valueOf } from "../../test/support/any-schema.ts";
import { writeTypes } from "#schemas/write-types.ts";

const TSC = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));

function version(type: string, schema: Json, source: string | null = null): SchemaVersion {
  return { type, source, version: 1, text: JSON.stringify(schema), createdMs: 0 };
}

/** What the compiler says of a module, strictly; "" when nothing. */
function compiled(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tidings-types-"));
  try {
    writeFileSync(join(folder, "events.ts"), text);
    const flags = [
      "--noEmit",
      "--strict",
      "--exactOptionalPropertyTypes",
      "--ignoreConfig",
      "--types",
      "",
      "events.ts",
    ];
    const { stdout, stderr } = spawnSync(process.execPath, [TSC, ...flags], { cwd: folder, encoding: "utf8" });
    return stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("TypeScript types of event types", () => {
  test("read as somebody would have written them, and compile", (t) => {
    const order = {
      description: "An order was placed.",
      type: "object",
      required: ["id", "lines", "strange name"],
      properties: {
        id: { type: "string", format: "uuid", description: "Its number */ in the shop" },
        state: { enum: ["open", "paid", null] },
        total: { anyOf: [{ type: "number" }, { $ref: "#/$defs/money" }] },
        lines: { type: "array", items: { $ref: "#/$defs/line" } },
        place: { type: "array", prefixItems: [{ type: "number" }, { type: "number" }], minItems: 1, items: false },
        extra: { type: "object", additionalProperties: { type: "string" } },
        strange: true,
      },
      additionalProperties: false,
      $defs: {
        money: { type: "object", required: ["cents"], properties: { cents: { type: "integer" } } },
        line: {
          type: "object",
          properties: { sku: { type: "string" }, parts: { type: "array", items: { $ref: "#/$defs/line" } } },
        },
      },
    };
    const text = writeTypes([
      version("order.placed", order),
      version("order.placed", { type: "object" }, "/kiosk"),
      version("9-lives", { const: [1, { a: "b" }] }),
    ]);
    t.assert.fileSnapshot(text, `${import.meta.dirname}/../../test/golden/events.d.ts.txt`, { serializers: [String] });
    assert.equal(compiled(text), "");
  });

  test("every value that fits a schema fits its type", () => {
    const lines: string[] = [];
    fc.assert(
      fc.property(anySchema(), fc.infiniteStream(fc.nat(1_000)), (schema, dice) => {
        const name = `Case${lines.length}`;
        const value = valueOf(schema, () => dice.next().value);
        const check = compileSchema(JSON.stringify(schema), schema);
        assert.ok(check.ok);
        if (check.validate(value) !== null) return;
        const types = writeTypes([version(name, schema)]).replaceAll(/EventTypes|EventOf/g, (word) => `${word}${name}`);
        lines.push(
          `namespace N${name} {\n${types.replaceAll("export ", "")}\nconst value: ${name} = ${JSON.stringify(value)};\n}`,
        );
      }),
      { numRuns: 300 },
    );
    assert.ok(lines.length > 100, "enough values fit");
    assert.equal(compiled(lines.join("\n")), "");
  });

  test("no schemas make a module too", () => {
    assert.equal(compiled(writeTypes([])), "");
  });
});
