import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { canonical, resolveRef } from "#schemas/walk.ts";

/** Every value fits, and none does. */
export const ANYTHING: JsonObject = {};
export const NOTHING: JsonObject = { not: {} };

/** References followed one after the other; `check-schema.ts` lets in no loops. */
const HOPS_MAX = 64;
/** Says nothing of which values fit. */
const NOTES = new Set([
  ...["$schema", "$id", "$defs", "definitions", "$anchor", "$comment", "title", "description", "default", "examples"],
  ...["deprecated", "readOnly", "writeOnly"],
]);

/**
 * A schema of one level: references followed, `allOf` merged where that can be said in one schema, notes left out. What
 * cannot be merged stays in `allOf`.
 */
export function flatten(schema: Json, root: Json): JsonObject {
  return flattenAt(schema, root, 0);
}

function flattenAt(schema: Json, root: Json, hops: number): JsonObject {
  if (schema === true) return ANYTHING;
  if (!isJsonObject(schema) || hops > HOPS_MAX) return schema === false ? NOTHING : ANYTHING;
  const own: Record<string, Json> = {};
  const parts: Json[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "$ref" && typeof value === "string") parts.push(resolveRef(root, value) ?? true);
    else if (keyword === "allOf" && Array.isArray(value)) parts.push(...value);
    else if (!NOTES.has(keyword)) own[keyword] = value;
  }
  return parts.reduce<JsonObject>((sum, part) => merge(sum, flattenAt(part, root, hops + 1)), own);
}

function merge(one: JsonObject, other: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...one };
  for (const [keyword, value] of Object.entries(other)) {
    const there = merged[keyword];
    const both = there === undefined || canonical(there) === canonical(value) ? value : together(keyword, there, value);
    // Nothing in one schema says both: the whole of it stays beside.
    if (both === null) return { ...one, allOf: [...(Array.isArray(one["allOf"]) ? one["allOf"] : []), other] };
    merged[keyword] = both;
  }
  // An additionalProperties knows only the properties beside it.
  const closes = (schema: JsonObject): boolean => "additionalProperties" in schema;
  const differ = canonical(one["properties"] ?? {}) !== canonical(other["properties"] ?? {});
  if ((closes(one) || closes(other)) && differ && "properties" in one && "properties" in other) {
    return { ...one, allOf: [...(Array.isArray(one["allOf"]) ? one["allOf"] : []), other] };
  }
  return merged;
}

/** One keyword's two values as one; null when there is none. */
function together(keyword: string, one: Json, other: Json): Json | null {
  switch (keyword) {
    case "required":
      return Array.isArray(one) && Array.isArray(other) ? [...new Set([...one, ...other])] : null;
    case "properties": {
      if (!isJsonObject(one) || !isJsonObject(other)) return null;
      const all: Record<string, Json> = { ...one };
      for (const [name, schema] of Object.entries(other)) {
        const there = all[name];
        all[name] = there === undefined ? schema : { allOf: [there, schema] };
      }
      return all;
    }
    case "items":
      return { allOf: [one, other] };
    case "allOf":
      return Array.isArray(one) && Array.isArray(other) ? [...one, ...other] : null;
    case "type": {
      const types = [one].flat();
      const shared = [other].flat().filter((type) => types.includes(type));
      return shared.length === 0 ? null : shared;
    }
    default: {
      if (typeof one !== "number" || typeof other !== "number") return null;
      if (/^(?:exclusiveM|m)inimum$|^min[A-Z]/.test(keyword)) return Math.max(one, other);
      return /^(?:exclusiveM|m)aximum$|^max[A-Z]/.test(keyword) ? Math.min(one, other) : null;
    }
  }
}
