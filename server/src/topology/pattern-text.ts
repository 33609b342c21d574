import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { PATTERN_CHARS_MAX } from "#topology/limits.ts";

/**
 * An event pattern in a few words: `OrderPlaced, OrderPaid from shop`. One that asks for more says so, and one that is of
 * another kind is shown as it is.
 * @param pattern as an object, or as JSON text.
 */
export function patternText(pattern: JsonObject | string): string {
  const object = typeof pattern === "string" ? parsed(pattern) : pattern;
  const plain = object === null ? null : inWords(object);
  return short(plain ?? (typeof pattern === "string" ? pattern : JSON.stringify(pattern)));
}

/** At most so much of a text as a drawing has room for. */
export function short(text: string): string {
  const characters = Array.from(text);
  return characters.length <= PATTERN_CHARS_MAX ? text : `${characters.slice(0, PATTERN_CHARS_MAX - 1).join("")}…`;
}

function inWords({ source, "detail-type": types, ...others }: JsonObject): string | null {
  const [sources, names] = [texts(source), texts(types)];
  if (sources === null || names === null || sources.length + names.length === 0) return null;
  const from = sources.length === 0 ? "" : `from ${sources.join(", ")}`;
  const more = Object.keys(others).length === 0 ? "" : "where …";
  return [names.length === 0 ? "all" : names.join(", "), from, more].filter((part) => part !== "").join(" ");
}

/** What is asked for, if it is asked for by its name; null: in another way. */
function texts(value: Json | undefined): readonly string[] | null {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return null;
  const names = value.filter((one) => typeof one === "string");
  return names.length === value.length ? names : null;
}

function parsed(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
