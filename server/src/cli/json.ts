import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** Reading what a server answered without trusting its shape: what is missing or of another kind reads as absent. */

export function text(object: JsonObject, ...names: readonly string[]): string {
  for (const name of names) {
    const value = object[name];
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
  }
  return "";
}

export function number(object: JsonObject, ...names: readonly string[]): number | null {
  for (const name of names) {
    const value = object[name];
    if (typeof value === "number" && Number.isFinite(value)) return value;
  }
  return null;
}

/** A time in ms, given as epoch ms or in ISO 8601. */
export function timeMs(object: JsonObject, ...names: readonly string[]): number | null {
  for (const name of names) {
    const value = object[name];
    const ms = typeof value === "string" ? Date.parse(value) : value;
    if (typeof ms === "number" && Number.isFinite(ms) && ms > 0) return ms;
  }
  return null;
}

export function object(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** The rows of a listing, under whichever of these names they are. */
export function rows(value: Json | undefined, ...names: readonly string[]): readonly JsonObject[] {
  if (Array.isArray(value)) return value.filter((one) => isJsonObject(one));
  const body = object(value);
  for (const name of [...names, "results", "items"]) {
    const found = body[name];
    if (Array.isArray(found)) return found.filter((one) => isJsonObject(one));
  }
  return [];
}

/** Where the next page begins; null at the end (Courier's paging). */
export function nextCursor(value: Json | undefined): string | null {
  const paging = object(object(value)["paging"]);
  const cursor = text(paging, "cursor");
  return paging["more"] === true && cursor !== "" ? cursor : null;
}
