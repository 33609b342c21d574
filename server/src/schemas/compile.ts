import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import { fullFormats } from "ajv-formats/dist/formats.js";
import { RE2JS } from "re2js";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { schemaFlaw } from "#schemas/check-schema.ts";
import { CHECK_STEPS_MAX, FORMAT_CHARS_MAX, PATTERN_CHARS_MAX, PATTERN_PROGRAM_MAX } from "#schemas/limits.ts";
import { canonical, subschemas } from "#schemas/walk.ts";

/** Null when a value fits, else a sentence without a subject: `/total must be number`. Bounded in time. */
export type Validator = (value: Json) => string | null;

export type Compiled =
  | { readonly ok: true; readonly validate: Validator }
  | { readonly ok: false; readonly says: string };

/**
 * Compiles a JSON Schema 2020-12 that came from outside.
 *
 * Neither compiling nor checking can take for ever: the schema's size is bounded before, patterns are RE2's, which never go
 * back, and each subschema counts what it does and gives up when `CHECK_STEPS_MAX` is spent. Ajv makes JavaScript of the
 * schema; what stands in the schema goes into it as quoted text only.
 *
 * @param text the schema as it was written; `schema` the same, read.
 */
export function compileSchema(text: string, schema: Json): Compiled {
  const flaw = schemaFlaw(text, schema);
  if (flaw !== null || !isJsonObject(schema)) return { ok: false, says: flaw ?? "A schema is a JSON object." };
  if (checker.validateSchema(schema) !== true) {
    return { ok: false, says: `The schema is no JSON Schema 2020-12: ${sentence(checker.errors)}.` };
  }
  const steps: Steps = { left: 0 };
  try {
    const { $id: _, $schema: __, ...bare } = schema;
    const check = ajvOf(steps).compile(counted(bare));
    return {
      ok: true,
      validate: (value) => {
        steps.left = CHECK_STEPS_MAX;
        try {
          return check(value) === true ? null : sentence(check.errors);
        } catch (fault) {
          if (fault === SPENT) return "takes too long to check";
          // A value as deep as the door lets in, under a schema that goes along with it.
          if (fault instanceof RangeError) return "nests too deep to check";
          throw fault;
        }
      },
    };
  } catch (fault) {
    if (fault instanceof BadPattern) return { ok: false, says: fault.message };
    const why = fault instanceof Error ? fault.message : String(fault);
    return { ok: false, says: `The schema does not compile: ${why.slice(0, SAYS_CHARS_MAX)}` };
  }
}

/** Longest piece of somebody else's error that is repeated. */
const SAYS_CHARS_MAX = 300;

/** Knows what a schema looks like; is asked for nothing else, so it keeps nothing. */
const checker = new Ajv2020({ logger: false, strict: false, validateFormats: false });

/** What is left of the steps of one check. Checks are synchronous, so one counter serves a compiled schema. */
type Steps = { left: number };

/** Thrown to leave Ajv's code; one is enough. */
const SPENT = new Error("the steps of a check are spent");

function spend(steps: Steps, many: number): void {
  steps.left -= many;
  if (steps.left < 0) throw SPENT;
}

/** Added to each subschema: what one look at a value costs, in nodes. */
const COST = "x-tidings-cost";
/** Keywords that look at each entry or member of what they are about. */
const EACH_ENTRY = ["items", "contains", "uniqueItems", "unevaluatedItems"];
const EACH_MEMBER = ["additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties"];

/** What a branch of anyOf and oneOf costs, or an entry that `contains` does not want, in nodes. */
const BRANCH_COST = 10;

/** Beside the nodes: how many words look at each entry, and at each member. */
type Cost = { readonly nodes: number; readonly perEntry: number; readonly perMember: number };

/** An instance of its own for each schema: Ajv keeps all that an instance has ever compiled. */
function ajvOf(steps: Steps): Ajv2020 {
  const ajv = new Ajv2020({
    // Making the code smaller takes longer than all the rest, and the engine does it anyway.
    code: { regExp: Object.assign((pattern: string) => safePattern(pattern, steps), { code: "re2" }), optimize: false },
    inlineRefs: false,
    logger: false,
    meta: false,
    ownProperties: true,
    strict: false,
    validateSchema: false,
  });
  for (const [name, format] of Object.entries(fullFormats)) {
    const test = testOf(format);
    if (test !== null) ajv.addFormat(name, { type: "string", validate: (text) => isOfFormat(text, test, steps) });
  }
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    error: { message: "must not have the same entry twice" },
    compile: (wanted: boolean) => (value: Json) => !wanted || areUnique(value, steps),
  });
  const first = ajv.RULES.rules.find((group) => group.type === undefined)?.rules[0]?.keyword;
  ajv.addKeyword({
    keyword: COST,
    ...(first === undefined ? {} : { before: first }),
    compile:
      ({ nodes, perEntry, perMember }: Cost) =>
      (value: unknown) => {
        let many = nodes;
        if (perEntry > 0 && Array.isArray(value)) many += perEntry * value.length;
        if (perMember > 0 && typeof value === "object" && value !== null) many += perMember * Object.keys(value).length;
        spend(steps, many);
        return true;
      },
  });
  return ajv;
}

/**
 * The schema with its costs written in. What looks at the same value without a reference is counted with the schema around
 * it, because it may end before it comes to count itself.
 */
function counted(schema: JsonObject): JsonObject {
  const copy = structuredClone(schema) as Record<string, Json>;
  addCosts(copy);
  return copy;
}

function addCosts(schema: Record<string, Json>): number {
  let nodes = 1 + Object.keys(schema).length;
  for (const keyword of ["enum", "const", "required", "properties"]) {
    const value = schema[keyword];
    if (keyword === "enum" || keyword === "const") nodes += value === undefined ? 0 : JSON.stringify(value).length / 8;
    else if (value !== undefined) nodes += Object.keys(Object(value)).length;
  }
  // A branch that does not fit leaves an error behind, which costs more than the look.
  for (const keyword of ["anyOf", "oneOf"]) nodes += BRANCH_COST * Object.keys(Object(schema[keyword])).length;
  for (const { schema: inner, inPlace } of subschemas(schema)) {
    // structuredClone has made plain objects of all of them, which nobody else has.
    const cost = isJsonObject(inner) ? addCosts(inner as Record<string, Json>) : 1;
    if (inPlace) nodes += cost;
  }
  const cost: Cost = {
    nodes: Math.ceil(nodes),
    perEntry: EACH_ENTRY.filter((keyword) => keyword in schema).length + ("contains" in schema ? BRANCH_COST : 0),
    perMember: EACH_MEMBER.filter((keyword) => keyword in schema).length,
  };
  schema[COST] = cost;
  return nodes;
}

type SafePattern = { test(text: string): boolean; toString(): string };

class BadPattern extends Error {}

/** A pattern that takes time in proportion to the text, whatever it says. */
function safePattern(pattern: string, steps: Steps): SafePattern {
  const shown = JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern);
  if (pattern.length > PATTERN_CHARS_MAX) throw new BadPattern(`A pattern may have ${PATTERN_CHARS_MAX} characters.`);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (fault) {
    const why = fault instanceof Error ? fault.message : String(fault);
    throw new BadPattern(
      `The pattern ${shown} is not taken (RE2 syntax, no looking around): ${why.slice(0, SAYS_CHARS_MAX)}.`,
    );
  }
  const size = compiled.programSize();
  if (size > PATTERN_PROGRAM_MAX) throw new BadPattern(`The pattern ${shown} is too large.`);
  // With many states a character costs more.
  const perChar = 1 + size / 100;
  return {
    test: (text) => {
      spend(steps, 10 + text.length * perChar);
      return compiled.test(text);
    },
    toString: () => `re2:${pattern}`,
  };
}

type Test = (text: string) => boolean;

/** Formats of numbers say nothing that JSON Schema's own words do not. */
function testOf(format: (typeof fullFormats)[keyof typeof fullFormats]): Test | null {
  if (format instanceof RegExp) return (text) => format.test(text);
  if (typeof format === "function") return (text) => format(text) === true;
  if (typeof format !== "object" || format === null || !("validate" in format)) return null;
  const { type, validate } = format;
  if (type === "number" || typeof validate !== "function") return null;
  // Of a format that is not of numbers, the test takes text.
  return validate as Test;
}

function isOfFormat(text: string, test: Test, steps: Steps): boolean {
  spend(steps, 10 + Math.min(text.length, FORMAT_CHARS_MAX));
  return text.length <= FORMAT_CHARS_MAX && test(text);
}

function areUnique(value: Json, steps: Steps): boolean {
  if (!Array.isArray(value)) return true;
  const seen = new Set<string>();
  for (const one of value) {
    const text = canonical(one);
    spend(steps, 10 + text.length);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

/** What Ajv found first, in words. */
function sentence(errors: readonly ErrorObject[] | null | undefined): string {
  const [error] = errors ?? [];
  if (error === undefined) return "does not fit";
  const { instancePath, message = "does not fit", params } = error;
  const detail = Object.values(params as Readonly<Record<string, unknown>>)
    .filter((value) => typeof value === "string" || Array.isArray(value))
    .map((value) => JSON.stringify(value));
  const [first] = detail;
  const more =
    first === undefined || message.includes(first) || message.includes(first.slice(1, -1)) ? "" : ` (${first})`;
  return `${instancePath === "" ? "it" : instancePath} ${message}${more}`.slice(0, SAYS_CHARS_MAX);
}
