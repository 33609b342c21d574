import fc from "fast-check";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** Schemas small enough that two of them are often alike, of the words that most schemas have. */
export function anySchema(): fc.Arbitrary<JsonObject> {
  const name = fc.constantFrom("a", "b", "c");
  const { schema } = fc.letrec<{ schema: JsonObject; object: JsonObject; array: JsonObject }>((tie) => ({
    object: fc
      .record(
        {
          properties: fc.dictionary(name, tie("schema"), { maxKeys: 3 }),
          required: fc.uniqueArray(name, { maxLength: 2 }),
          additionalProperties: fc.option(fc.boolean(), { nil: undefined }),
        },
        { requiredKeys: ["properties"] },
      )
      .map((parts) => plain({ type: "object", ...parts })),
    array: fc
      .record({ items: tie("schema"), maxItems: fc.option(fc.nat(3), { nil: undefined }) }, { requiredKeys: ["items"] })
      .map((parts) => plain({ type: "array", ...parts })),
    schema: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<JsonObject>(
        { type: "string" },
        { type: "number" },
        { type: "integer" },
        { type: "boolean" },
        { type: "null" },
        { type: ["string", "null"] },
        { enum: ["x", "y"] },
        { enum: ["x", 1, null] },
        { const: "x" },
        { type: "string", maxLength: 2 },
        { type: "integer", minimum: 1 },
      ),
      tie("object"),
      tie("array"),
      fc.array(tie("schema"), { minLength: 1, maxLength: 2 }).map((anyOf) => ({ anyOf })),
      tie("schema").map((one) => ({ allOf: [one] })),
    ),
  }));
  return schema;
}

/** What fast-check left undefined is left out. */
function plain(schema: Readonly<Record<string, Json | undefined>>): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject;
}

/** A value that was made to fit such a schema; it may still not. */
export function valueOf(schema: Json, next: () => number): Json {
  if (!isJsonObject(schema)) return schema === false ? null : pick<Json>(["other", 7, null], next);
  const { type, properties, required, items, maxItems, enum: choices, anyOf, allOf } = schema;
  if (schema["const"] !== undefined) return schema["const"];
  if (Array.isArray(choices)) return pick<Json>(choices, next);
  if (Array.isArray(anyOf)) return valueOf(pick<Json>(anyOf, next), next);
  if (Array.isArray(allOf)) return valueOf(allOf[0] ?? true, next);
  switch (Array.isArray(type) ? pick(type.map(String), next) : type) {
    case "string":
      return pick(["", "x", "yy"], next);
    case "integer":
      return next() % 4;
    case "number":
      return (next() % 5) / 2;
    case "boolean":
      return next() % 2 === 0;
    case "array":
      return Array.from({ length: next() % (Number(maxItems ?? 3) + 1) }, () => valueOf(items ?? true, next));
    case "object": {
      const needed = Array.isArray(required) ? required.map(String) : [];
      const known = isJsonObject(properties) ? properties : {};
      const names = [...Object.keys(known), ...needed, ...(schema["additionalProperties"] === false ? [] : ["d"])];
      const there = new Set(names.filter((name) => needed.includes(name) || next() % 2 === 0));
      return Object.fromEntries([...there].map((name) => [name, valueOf(known[name] ?? true, next)]));
    }
    default:
      return null;
  }
}

function pick<Value>(values: readonly Value[], next: () => number): Value {
  const value = values[next() % values.length];
  if (value === undefined) throw new Error("there is nothing to pick from");
  return value;
}
