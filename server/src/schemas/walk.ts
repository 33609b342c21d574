import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** Where JSON Schema 2020-12 has schemas in schemas. */
const ONE = new Set([
  ...["additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"],
  ...["unevaluatedItems", "unevaluatedProperties"],
]);
const LIST = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const MAP = new Set(["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"]);
/** Those that look at the same value as the schema that they stand in. */
const IN_PLACE = new Set(["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"]);

export type Subschema = {
  readonly schema: Json;
  /** From the schema that it stands in. */
  readonly path: readonly string[];
  /** Whether it looks at the same value. */
  readonly inPlace: boolean;
};

/** The schemas that stand directly in a schema. */
export function subschemas(schema: JsonObject): readonly Subschema[] {
  const found: Subschema[] = [];
  for (const keyword in schema) {
    const value = schema[keyword];
    const inPlace = IN_PLACE.has(keyword);
    if (ONE.has(keyword) && value !== undefined) found.push({ schema: value, path: [keyword], inPlace });
    else if (LIST.has(keyword) && Array.isArray(value)) {
      for (const [at, one] of value.entries()) found.push({ schema: one, path: [keyword, String(at)], inPlace });
    } else if (MAP.has(keyword) && isJsonObject(value)) {
      for (const [name, one] of Object.entries(value)) found.push({ schema: one, path: [keyword, name], inPlace });
    }
  }
  return found;
}

/** A JSON pointer (RFC 6901) as the fragment of a reference. */
export function pointer(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** What a local reference (`#`, `#/$defs/x`, `#anchor`) leads to; undefined when nothing is there. */
export function resolveRef(root: Json, ref: string): Json | undefined {
  const fragment = decode(ref.slice(1));
  if (fragment === null) return undefined;
  if (fragment !== "" && !fragment.startsWith("/")) return findAnchor(root, fragment);
  let here: Json | undefined = root;
  for (const part of fragment.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(here)) here = here[Number(name)];
    else here = isJsonObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}

function decode(fragment: string): string | null {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return null;
  }
}

function findAnchor(schema: Json, anchor: string): Json | undefined {
  if (!isJsonObject(schema)) return undefined;
  if (schema["$anchor"] === anchor) return schema;
  for (const { schema: inner } of subschemas(schema)) {
    const found = findAnchor(inner, anchor);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** JSON text whose keys are in order: the same for what is the same. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one)).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).toSorted();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(",")}}`;
}
