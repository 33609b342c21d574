import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import {
  PATTERNS_MAX,
  SCHEMA_BRANCHES_MAX,
  SCHEMA_BYTES_MAX,
  SCHEMA_DEPTH_MAX,
  SCHEMA_NODES_MAX,
} from "#schemas/limits.ts";
import { pointer, resolveRef, subschemas } from "#schemas/walk.ts";

export const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** Words of other drafts, or of the compiler's own, which would go past the counting below. */
const NOT_TAKEN: Readonly<Record<string, string>> = {
  $dynamicRef: '; use "$ref"',
  $recursiveRef: '; use "$ref"',
  $dynamicAnchor: '; use "$anchor"',
  dependencies: '; use "dependentRequired" or "dependentSchemas"',
  additionalItems: '; use "items" beside "prefixItems"',
  $async: "",
  $data: "",
};

/** What is wrong with a schema before anybody compiles it, in a sentence; null when it may be compiled. */
export function schemaFlaw(text: string, schema: Json): string | null {
  if (!isJsonObject(schema)) return "A schema is a JSON object.";
  if (encoder.encode(text).length > SCHEMA_BYTES_MAX) return `A schema may have ${SCHEMA_BYTES_MAX} bytes.`;
  const dialect = schema["$schema"];
  if (dialect !== undefined && dialect !== DIALECT && dialect !== `${DIALECT}#`) {
    return `Schemas are JSON Schema 2020-12: "$schema" is "${DIALECT}", or left out.`;
  }
  const look: Look = { root: schema, nodes: 0, branches: 0, patterns: 0, edges: new Map(), targets: [] };
  return walkFlaw(schema, [], look) ?? strayFlaw(look) ?? loopFlaw(look);
}

const encoder = new TextEncoder();

type Look = {
  readonly root: JsonObject;
  nodes: number;
  branches: number;
  patterns: number;
  /** From each schema to those that look at the same value, with where it stands. */
  readonly targets: { readonly at: string; readonly target: JsonObject }[];
  readonly edges: Map<JsonObject, { readonly at: string; readonly to: JsonObject[] }>;
};

function walkFlaw(schema: JsonObject, path: readonly string[], look: Look): string | null {
  look.nodes += 1;
  if (look.nodes > SCHEMA_NODES_MAX) return `A schema may have ${SCHEMA_NODES_MAX} schemas in it.`;
  const at = `#${pointer(path)}`;
  const flaw = keywordFlaw(schema, path, at, look);
  if (flaw !== null) return flaw;
  const to: JsonObject[] = [];
  const ref = schema["$ref"];
  if (typeof ref === "string") {
    const target = resolveRef(look.root, ref);
    if (target === undefined) return `The reference ${short(ref)} at ${at} leads nowhere.`;
    if (isJsonObject(target)) {
      to.push(target);
      look.targets.push({ at, target });
    } else if (typeof target !== "boolean") return noSchema(at);
  }
  look.edges.set(schema, { at, to });
  for (const { schema: inner, path: step, inPlace } of subschemas(schema)) {
    if (!isJsonObject(inner)) continue;
    if (inPlace) to.push(inner);
    // Steps through maps and lists are two parts of a path and one level.
    const inside = walkFlaw(inner, [...path, ...step], look);
    if (inside !== null) return inside;
  }
  return null;
}

function keywordFlaw(schema: JsonObject, path: readonly string[], at: string, look: Look): string | null {
  if (path.length > SCHEMA_DEPTH_MAX * 2) return `The schema nests deeper than ${SCHEMA_DEPTH_MAX} levels.`;
  if (path.length > 0 && schema["$id"] !== undefined) return `Only the whole schema may have an "$id", not ${at}.`;
  for (const [name, instead] of Object.entries(NOT_TAKEN)) {
    if (schema[name] !== undefined) return `"${name}" at ${at} is not taken${instead}.`;
  }
  const ref = schema["$ref"];
  if (ref !== undefined && !(typeof ref === "string" && ref.startsWith("#"))) {
    return `The reference at ${at} must lead into the same schema: it begins with "#".`;
  }
  for (const name of ["allOf", "anyOf", "oneOf"]) {
    const list = schema[name];
    if (Array.isArray(list)) look.branches += list.length;
  }
  if (look.branches > SCHEMA_BRANCHES_MAX)
    return `allOf, anyOf and oneOf may have ${SCHEMA_BRANCHES_MAX} entries in all.`;
  look.patterns += schema["pattern"] === undefined ? 0 : 1;
  if (isJsonObject(schema["patternProperties"])) look.patterns += Object.keys(schema["patternProperties"]).length;
  return look.patterns > PATTERNS_MAX ? `A schema may have ${PATTERNS_MAX} patterns.` : null;
}

/** What a reference leads to must be a schema that was looked at, or nobody has counted what is in it. */
function strayFlaw({ edges, targets }: Look): string | null {
  const stray = targets.find(({ target }) => !edges.has(target));
  return stray === undefined ? null : noSchema(stray.at);
}

function noSchema(at: string): string {
  return `The reference at ${at} leads to something that is no schema; "$defs" is the place for them.`;
}

/** A schema that comes back to itself without looking deeper into the value would be checked for ever. */
function loopFlaw({ edges }: Look): string | null {
  const state = new Map<JsonObject, "open" | "done">();
  const visit = (schema: JsonObject): string | null => {
    const known = state.get(schema);
    const edge = edges.get(schema);
    if (known === "done" || edge === undefined) return null;
    if (known === "open") return `The schema at ${edge.at} refers to itself without end.`;
    state.set(schema, "open");
    for (const next of edge.to) {
      const flaw = visit(next);
      if (flaw !== null) return flaw;
    }
    state.set(schema, "done");
    return null;
  };
  for (const schema of edges.keys()) {
    const flaw = visit(schema);
    if (flaw !== null) return flaw;
  }
  return null;
}

function short(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
