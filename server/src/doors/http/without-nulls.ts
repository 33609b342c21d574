import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/**
 * A send without the nulls by which Courier's SDKs say "left out": those of the message's own fields, options,
 * recipients and elements. In `data`, overrides and what we do not know, null is a value and stays.
 */
export function withoutNulls(message: JsonObject): JsonObject {
  return cleaned(message, {
    to: (to) => (Array.isArray(to) ? to.map((one: Json) => shallow(one)) : shallow(to)),
    content,
    metadata: shallow,
    delay: shallow,
    expiry: shallow,
    timeout: shallow,
    context: shallow,
    preferences: shallow,
    routing: shallow,
    channels: options,
    providers: options,
  });
}

type Cleaner = (value: Json) => Json;

function cleaned(object: JsonObject, inner: Readonly<Record<string, Cleaner>>): JsonObject {
  const kept: [string, Json][] = [];
  for (const [name, value] of Object.entries(object)) {
    if (value !== null) kept.push([name, Object.hasOwn(inner, name) ? (inner[name]?.(value) ?? value) : value]);
  }
  return Object.fromEntries(kept);
}

function shallow(value: Json): Json {
  return isJsonObject(value) ? cleaned(value, {}) : value;
}

/** `channels` and `providers`: a map of options, where a whole entry may be null too. */
function options(value: Json): Json {
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(([, option]) => option !== null);
  return Object.fromEntries(
    kept.map(([name, option]) => [name, isJsonObject(option) ? cleaned(option, { timeouts: shallow }) : option]),
  );
}

function content(value: Json): Json {
  return isJsonObject(value) ? cleaned(value, { elements }) : value;
}

function elements(value: Json): Json {
  return Array.isArray(value)
    ? value.map((one: Json) => (isJsonObject(one) ? cleaned(one, { elements }) : one))
    : value;
}
