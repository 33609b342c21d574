import type { Term } from "#domain/document.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** Longer texts are not found by an index. */
export const INDEXED_CHARS_MAX = 256;

export type Scalar = string | number | boolean;

/** By which terms a document is found: one for each index whose field holds a text, a number or a truth value. */
export function termsOf(value: JsonObject, indexes: readonly string[]): readonly Term[] {
  return indexes.flatMap((path) => {
    const found = valueAt(value, path);
    const term = isScalar(found) ? termOf(path, found) : null;
    return term === null ? [] : [term];
  });
}

/** Null for a text that is too long to be found. `1` and `"1"` are different terms. */
export function termOf(path: string, value: Scalar): Term | null {
  if (typeof value === "string" && value.length > INDEXED_CHARS_MAX) return null;
  return [path, `${(typeof value)[0]}:${String(value)}`];
}

export function valueAt(value: JsonObject, path: string): Json | undefined {
  let at: Json | undefined = value;
  for (const name of path.split(".")) at = isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  return at;
}

export function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
  );
}
