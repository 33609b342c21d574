/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** True for a JSON object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Merges `over` onto `under`, objects key by key and deeply, everything else by replacement. `null` is a value. */
export function mergeJson(under: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json> = Object.create(null);
  for (const [key, value] of Object.entries(under)) merged[key] = value;
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isJsonObject(below) && isJsonObject(value) ? mergeJson(below, value) : value;
  }
  return { ...merged };
}
