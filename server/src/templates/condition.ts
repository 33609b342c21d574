import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { type Expression, compileExpression } from "./expression.ts";
import { type Evaluate, type Frame, spendSteps } from "./frame.ts";
import { compilePath, parsePath } from "./path.ts";
import { compare, contains, isEmptyValue, isLooselyEqual } from "./value.ts";

/** Most comparisons in the groups of one `if`; the editor shows ten on a screen. */
export const CONDITIONS_MAX = 200;

/**
 * Compiles an element's `if`: an expression, a truth value, or the editor's condition groups
 * `[{ logical_operator, conditions: [{ property, operator, value }] }]`. Within a group its operator joins the
 * conditions (default `and`); all groups must hold.
 */
export function compileCondition(source: Json): Expression {
  if (typeof source === "string") return source.trim() === "" ? always(true) : compileExpression(source);
  if (typeof source === "boolean") return always(source);
  if (!Array.isArray(source)) return { ok: false, problem: "must be an expression or a list of condition groups" };
  const groups: Evaluate[] = [];
  let conditions = 0;
  for (const group of source as readonly Json[]) {
    const compiled = compileGroup(group);
    if (!compiled.ok) return compiled;
    groups.push(compiled.evaluate);
    conditions += compiled.conditions;
    if (conditions > CONDITIONS_MAX) return { ok: false, problem: `has more than ${CONDITIONS_MAX} conditions` };
  }
  return { ok: true, evaluate: (frame) => groups.every((group) => group(frame) === true) };
}

function always(value: boolean): Expression {
  return { ok: true, evaluate: () => value };
}

type Group =
  | { readonly ok: true; readonly evaluate: Evaluate; readonly conditions: number }
  | { readonly ok: false; readonly problem: string };

function compileGroup(group: Json): Group {
  const conditions = isJsonObject(group) ? group["conditions"] : undefined;
  if (!isJsonObject(group) || !Array.isArray(conditions)) {
    return { ok: false, problem: "each group needs a list of conditions" };
  }
  const operator = group["logical_operator"] ?? "and";
  if (operator !== "and" && operator !== "or") return { ok: false, problem: `logical_operator is "and" or "or"` };
  const checks: Evaluate[] = [];
  for (const condition of conditions.slice(0, CONDITIONS_MAX + 1) as readonly Json[]) {
    const compiled = isJsonObject(condition) ? compileOne(condition) : null;
    if (compiled === null) return { ok: false, problem: "a condition is { property, operator, value }" };
    if (!compiled.ok) return compiled;
    checks.push(compiled.evaluate);
  }
  const holds = (frame: Frame) => (check: Evaluate) => check(frame) === true;
  const evaluate: Evaluate = (frame) => {
    spendSteps(frame, checks.length);
    return operator === "and" ? checks.every(holds(frame)) : checks.some(holds(frame));
  };
  return { ok: true, evaluate, conditions: checks.length };
}

type Check = (found: Json | undefined, wanted: Json | undefined, frame: Frame) => boolean;

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["equals", isLooselyEqual],
  ["not_equals", (found, wanted, frame) => !isLooselyEqual(found, wanted, frame)],
  ["greater_than", (found, wanted, frame) => compare(found, wanted, frame) > 0],
  ["less_than", (found, wanted, frame) => compare(found, wanted, frame) < 0],
  ["greater_than_or_equals", (found, wanted, frame) => compare(found, wanted, frame) >= 0],
  ["less_than_or_equals", (found, wanted, frame) => compare(found, wanted, frame) <= 0],
  ["contains", contains],
  ["not_contains", (found, wanted, frame) => !contains(found, wanted, frame)],
  ["is_empty", (found) => isEmptyValue(found)],
  ["is_not_empty", (found) => !isEmptyValue(found)],
]);

function compileOne(condition: JsonObject): Expression {
  const { property, operator, value } = condition;
  const source =
    typeof property === "string"
      ? property
          .trim()
          .replace(/^\{\{?(.*?)\}?\}$/su, "$1")
          .trim()
      : "";
  const path = parsePath(source);
  if (path === null) return { ok: false, problem: "a condition's property must be a variable such as data.tier" };
  const check = CHECKS.get(typeof operator === "string" ? operator : "");
  if (check === undefined)
    return { ok: false, problem: `a condition's operator is one of ${[...CHECKS.keys()].join(", ")}` };
  const read = compilePath(path);
  const wanted = typeof value === "object" && value !== null ? null : value;
  return { ok: true, evaluate: (frame) => check(read(frame), alike(wanted, read(frame)), frame) };
}

/** The editor writes every value as text; against a number or a truth value it means that kind. */
function alike(wanted: Json | undefined, found: Json | undefined): Json | undefined {
  if (typeof wanted !== "string" || typeof found !== "boolean") return wanted;
  return wanted === "true" ? true : wanted === "false" ? false : wanted;
}
