import type { Json } from "#domain/json.ts";
import { type Frame, spendChars } from "./frame.ts";
import {
  compare,
  contains,
  isEmptyValue,
  isLooselyEqual,
  isStrictlyEqual,
  isTruthy,
  numberOf,
  textOf,
} from "./value.ts";

type Arguments = readonly (Json | undefined)[];

/** What `{{name a b}}` calls. Pure, and it pays for the text it makes. */
export type Helper = {
  readonly argumentsMin: number;
  readonly argumentsMax: number;
  readonly apply: (given: Arguments, frame: Frame) => Json | undefined;
};

const ANY = 32;

function helper(argumentsMin: number, argumentsMax: number, apply: Helper["apply"]): Helper {
  return { argumentsMin, argumentsMax, apply };
}

function textual(change: (text: string) => string): Helper {
  return helper(1, 1, ([value], frame) => change(textOf(value, frame)));
}

function numeric(count: number, compute: (first: number, second: number) => number): Helper {
  return helper(count, count, ([first, second]) => {
    const result = compute(numberOf(first), numberOf(second));
    // A gap says "no number" better than the letters NaN in somebody's invoice.
    return Number.isFinite(result) ? result : null;
  });
}

function concat(given: Arguments, frame: Frame): string {
  let text = "";
  for (const value of given) text += textOf(value, frame);
  spendChars(frame, text.length);
  return text;
}

/** `{{truncate text 20 "…"}}`: whole characters, never half an emoji. */
function truncate([value, limit, suffix]: Arguments, frame: Frame): string {
  const text = textOf(value, frame);
  const charsMax = Math.max(0, Math.floor(numberOf(limit)) || 0);
  return text.length <= charsMax
    ? text
    : text
        .slice(0, charsMax)
        .toWellFormed()
        .replace(/\uFFFD$/, "") + textOf(suffix, frame);
}

/** `{{#if (condition total ">" 10)}}` */
function condition([left, operator, right]: Arguments, frame: Frame): boolean {
  switch (operator) {
    case "==":
      return isLooselyEqual(left, right, frame);
    case "!=":
      return !isLooselyEqual(left, right, frame);
    case "===":
      return isStrictlyEqual(left, right, frame);
    case "!==":
      return !isStrictlyEqual(left, right, frame);
    case "<":
      return compare(left, right, frame) < 0;
    case "<=":
      return compare(left, right, frame) <= 0;
    case ">":
      return compare(left, right, frame) > 0;
    case ">=":
      return compare(left, right, frame) >= 0;
    case "contains":
      return contains(left, right, frame);
    default:
      return false;
  }
}

/** The helpers of Courier's Handlebars that need neither a clock nor a locale. */
export const HELPERS: ReadonlyMap<string, Helper> = new Map([
  ["default", helper(2, 2, ([value, fallback]) => (isEmptyValue(value) ? fallback : value))],
  ["concat", helper(1, ANY, concat)],
  ["capitalize", textual((text) => text.charAt(0).toUpperCase() + text.slice(1))],
  ["uppercase", textual((text) => text.toUpperCase())],
  ["lowercase", textual((text) => text.toLowerCase())],
  ["trim", textual((text) => text.trim())],
  ["trim-left", textual((text) => text.trimStart())],
  ["trim-right", textual((text) => text.trimEnd())],
  ["truncate", helper(2, 3, truncate)],
  ["and", helper(1, ANY, (given) => given.every(isTruthy))],
  ["or", helper(1, ANY, (given) => given.some(isTruthy))],
  ["not", helper(1, 1, ([value]) => !isTruthy(value))],
  ["condition", helper(3, 3, condition)],
  ["abs", numeric(1, (value) => Math.abs(value))],
  ["add", numeric(2, (left, right) => left + right)],
  ["subtract", numeric(2, (left, right) => left - right)],
  ["sub", numeric(2, (left, right) => left - right)],
  ["multiply", numeric(2, (left, right) => left * right)],
  ["divide", numeric(2, (left, right) => left / right)],
  ["mod", numeric(2, (left, right) => left % right)],
  ["ceil", numeric(1, (value) => Math.ceil(value))],
  ["floor", numeric(1, (value) => Math.floor(value))],
  ["round", numeric(1, (value) => Math.round(value))],
  ["inc", numeric(1, (value) => value + 1)],
]);
