import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import type { Rule, Target } from "#rules/rule.ts";
import { SEND_ARN } from "#domain/arn.ts";
import { type JsonPath, readJsonPath } from "#rules/json-cut.ts";

/** Something that reads a field of an event's data. */
export type Reader = {
  readonly what: "pattern" | "path" | "words";
  readonly bus: string;
  readonly rule: string;
  /** The rule's target; null: its pattern. */
  readonly target: string | null;
  readonly reads: string;
};

/**
 * Which of some rules read a field of the data of events of this type: their patterns, the paths of their targets, and what
 * their sends say.
 */
export function readersOf(field: readonly string[], type: string, rules: readonly Rule[]): readonly Reader[] {
  return rules.flatMap((rule) => {
    const pattern = patternOf(rule);
    if (pattern === null || !mayMatch(pattern, type)) return [];
    const at = { bus: rule.bus, rule: rule.name };
    const found: Reader[] = patternReads(pattern, ["detail", ...field])
      ? [{ ...at, what: "pattern", target: null, reads: `detail.${field.join(".")}` }]
      : [];
    for (const target of rule.targets) {
      for (const { what, reads } of targetReads(target, field)) found.push({ ...at, what, target: target.id, reads });
    }
    return found;
  });
}

function patternOf({ pattern }: Rule): JsonObject | null {
  if (pattern === null) return null;
  // A rule's pattern was compiled when it was put.
  const value = JSON.parse(pattern) as Json;
  return isJsonObject(value) ? value : null;
}

/** Whether events of a type may match; only where it says plainly which types it wants, it may be told that they do not. */
function mayMatch(pattern: JsonObject, type: string): boolean {
  const wanted = pattern["detail-type"];
  return !Array.isArray(wanted) || wanted.some((one) => one === type || typeof one !== "string");
}

/** A pattern reads a field when it says something of it, or of something in it. */
function patternReads(pattern: Json | undefined, path: readonly string[]): boolean {
  if (!isJsonObject(pattern)) return false;
  const [first, ...rest] = path;
  if (first === undefined) return true;
  const choices = pattern["$or"];
  if (Array.isArray(choices) && choices.some((one) => patternReads(one, path))) return true;
  const member = Object.hasOwn(pattern, first) ? pattern[first] : undefined;
  if (member === undefined) return false;
  return rest.length === 0 || patternReads(member, rest.filter(isNamed));
}

/** In patterns a list stands for its entries. */
function isNamed(part: string): boolean {
  return part !== "*" && !/^\d+$/.test(part);
}

type Read = Pick<Reader, "what" | "reads">;

function targetReads({ arn, input }: Target, field: readonly string[]): readonly Read[] {
  if (input.kind === "path") return pathReads(input.path, field) ? [{ what: "path", reads: input.path }] : [];
  if (input.kind !== "transformer") return [];
  const found: Read[] = [];
  for (const path of Object.values(input.paths)) if (pathReads(path, field)) found.push({ what: "path", reads: path });
  if (arn !== SEND_ARN) return found;
  // The whole data, or a part of it, may be handed to a send, whose words name what is in it.
  for (const path of Object.values(input.paths)) {
    const rest = behind(path, field);
    if (rest === null) continue;
    for (const [text, name] of input.template.matchAll(VARIABLE)) {
      if (name !== undefined && startsWith(nameParts(name), rest)) found.push({ what: "words", reads: text });
    }
  }
  return found;
}

/** `{name}`, `{{data.order.total}}` in the words of a send. */
const VARIABLE = /\{\{?\s*([A-Za-z_][\w.[\]-]*)\s*\}?\}/g;

function nameParts(name: string): readonly string[] {
  const parts = name.split(/[.[\]]+/).filter((part) => part !== "" && isNamed(part));
  return parts[0] === "data" && parts.length > 1 ? parts.slice(1) : parts;
}

/** Whether a path leads to the field or into it. */
function pathReads(path: string, field: readonly string[]): boolean {
  const parts = partsOf(path);
  return parts !== null && startsWith(parts, ["detail", ...field.filter(isNamed)]);
}

/** What of the field is left behind a path that leads to something around it; null when it does not. */
function behind(path: string, field: readonly string[]): readonly string[] | null {
  const parts = partsOf(path);
  const whole = ["detail", ...field.filter(isNamed)];
  return parts !== null && parts.length < whole.length && startsWith(whole, parts) ? whole.slice(parts.length) : null;
}

function partsOf(path: string): readonly string[] | null {
  const read: JsonPath | null = readJsonPath(path);
  return read === null ? null : read.filter((part) => typeof part === "string" && isNamed(part)).map(String);
}

function startsWith(parts: readonly string[], first: readonly string[]): boolean {
  return first.length <= parts.length && first.every((part, at) => part === parts[at]);
}
