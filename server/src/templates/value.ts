import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { type Frame, RenderStop, spendChars, spendSteps } from "./frame.ts";

/** How a value reads: text as it is, numbers plainly, nothing as "", objects and arrays as JSON. */
export function textOf(value: Json | undefined, frame: Frame): string {
  switch (typeof value) {
    case "string":
      spendChars(frame, value.length);
      return value;
    case "number":
    case "boolean":
      return String(value);
    case "undefined":
      return "";
    default:
      return value === null ? "" : jsonOf(value, frame);
  }
}

function jsonOf(value: Json, frame: Frame): string {
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch {
    // Nested deeper than the engine can follow, or longer than its longest string.
    throw new RenderStop("a value is too large or too deep to be written as JSON");
  }
  spendChars(frame, text.length);
  return text;
}

/** The own member of an object or array, or a string's length. What an object inherits does not exist here. */
export function member(value: Json | undefined, key: string): Json | undefined {
  // An array's own keys are its indexes and "length", so it reads like an object of them.
  if (typeof value === "object" && value !== null) {
    return Object.hasOwn(value, key) ? (value as JsonObject)[key] : undefined;
  }
  return typeof value === "string" && key === "length" ? value.length : undefined;
}

export function follow(value: Json | undefined, keys: readonly string[], from: number): Json | undefined {
  let found = value;
  for (let at = from; at < keys.length && found !== undefined; at += 1) found = member(found, keys[at] ?? "");
  return found;
}

/** JavaScript's idea of truth, but an empty array is empty (as in Handlebars). */
export function isTruthy(value: Json | undefined): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** Null, missing, "", [] and {}. */
export function isEmptyValue(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

export function isStrictlyEqual(left: Json | undefined, right: Json | undefined, frame: Frame): boolean {
  payToCompare(left, frame);
  return left === right;
}

/** JavaScript's `==` for what JSON can say: null equals missing, 1 equals "1", objects only themselves. */
export function isLooselyEqual(left: Json | undefined, right: Json | undefined, frame: Frame): boolean {
  if (left === undefined || left === null || right === undefined || right === null) {
    return (left ?? null) === (right ?? null);
  }
  if (typeof left === typeof right || typeof left === "object" || typeof right === "object") {
    return isStrictlyEqual(left, right, frame);
  }
  payToCompare(left, frame);
  payToCompare(right, frame);
  return Number(left) === Number(right);
}

/** Below zero, zero or above; NaN when the two have no order. Two texts by code unit, all else as numbers. */
export function compare(left: Json | undefined, right: Json | undefined, frame: Frame): number {
  payToCompare(left, frame);
  payToCompare(right, frame);
  if (typeof left === "string" && typeof right === "string") return left === right ? 0 : left < right ? -1 : 1;
  return numberOf(left) - numberOf(right);
}

export function contains(holder: Json | undefined, wanted: Json | undefined, frame: Frame): boolean {
  if (typeof holder === "string") {
    payToCompare(holder, frame);
    return holder.includes(textOf(wanted, frame));
  }
  if (!Array.isArray(holder)) return false;
  spendSteps(frame, holder.length);
  return holder.some((item: Json) => isLooselyEqual(item, wanted, frame));
}

export function numberOf(value: Json | undefined): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}

/** Comparing megabytes is work, too: a step per KiB. */
function payToCompare(value: Json | undefined, frame: Frame): void {
  if (typeof value === "string") spendSteps(frame, (value.length >> 10) + 1);
}
