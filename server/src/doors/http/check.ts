import { invariant } from "#domain/invariant.ts";

/** Null when the value fits, otherwise a sentence that names the field and what it should be. */
export type Check = (value: unknown) => string | null;

/**
 * A schema as a check, made of closures over the part of JSON Schema (2020-12) that our contract uses. What a schema
 * does not declare is allowed and kept. TypeBox has a compiler too; it is another 10 MB of memory and 80 ms at each
 * start, for schemas as simple as ours.
 *
 * @throws for a keyword that is not known here: a schema must not promise what nobody checks.
 */
export function compileCheck(schema: object): Check {
  const flawOf = compile(schema);
  return (value) => {
    const flaw = flawOf(value);
    return flaw === null ? null : `${fieldName(flaw.path)} ${flaw.wants}.`;
  };
}

/** What does not fit, and where: names and indexes, the outermost first. */
type Flaw = { readonly path: readonly (string | number)[]; readonly wants: string };
type FlawOf = (value: unknown) => Flaw | null;
type Schema = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, unknown>>;

function compile(schema: object): FlawOf {
  const read = schema as Schema;
  // Whoever must be one of a few values need not hear of their type.
  const exact = "const" in read || "enum" in read;
  const rules = Object.keys(read).flatMap((keyword) => (exact && keyword === "type" ? [] : ruleOf(keyword, read)));
  const [only] = rules;
  if (rules.length === 1 && only !== undefined) return only;
  return (value) => {
    for (const rule of rules) {
      const flaw = rule(value);
      if (flaw !== null) return flaw;
    }
    return null;
  };
}

/** One keyword of a schema. Those about one type of value let every other type pass, as JSON Schema has it. */
function ruleOf(keyword: string, schema: Schema): readonly FlawOf[] {
  const said = schema[keyword];
  switch (keyword) {
    case "type":
      return [wants(`be ${TYPES[String(said)]?.name}`, typeTest(String(said)))];
    case "const":
      return [wants(`be ${JSON.stringify(said)}`, (value) => value === said)];
    case "enum":
      return [
        wants(
          `be one of ${listOf(said)
            .map((one) => JSON.stringify(one))
            .join(", ")}`,
          (value) => listOf(said).includes(value),
        ),
      ];
    case "anyOf":
      return [anyOf(listOf(said).map((one) => compile(Object(one))))];
    case "required":
      return listOf(said).map(required);
    case "properties":
      return [properties(Object(said))];
    case "items":
      return [items(compile(Object(said)))];
    case "additionalProperties":
      return said === true ? [] : [everyValue(compile(Object(said)))];
    case "patternProperties": {
      // TypeBox writes a record this way, with one pattern that every name fits.
      const [inner] = Object.values(Object(said) as Fields);
      return [everyValue(compile(Object(inner)))];
    }
    case "minLength":
      return [bound("string", `have at least ${Number(said)} characters`, (length) => length >= Number(said))];
    case "maxLength":
      return [bound("string", `have at most ${Number(said)} characters`, (length) => length <= Number(said))];
    case "minItems":
      return [bound("array", `have at least ${Number(said)} entries`, (length) => length >= Number(said))];
    case "maxItems":
      return [bound("array", `have at most ${Number(said)} entries`, (length) => length <= Number(said))];
    case "minimum":
      return [bound("number", `be at least ${Number(said)}`, (value) => value >= Number(said))];
    case "maximum":
      return [bound("number", `be at most ${Number(said)}`, (value) => value <= Number(said))];
    case "title":
    case "description":
    case "default":
      return [];
    default:
      invariant(false, `the door checks no keyword "${keyword}" of a schema`);
  }
}

const TYPES: Readonly<Record<string, { readonly name: string; readonly test: (value: unknown) => boolean }>> = {
  string: { name: "a string", test: (value) => typeof value === "string" },
  number: { name: "a number", test: (value) => typeof value === "number" },
  integer: { name: "a whole number", test: (value) => Number.isInteger(value) },
  boolean: { name: "true or false", test: (value) => typeof value === "boolean" },
  null: { name: "null", test: (value) => value === null },
  array: { name: "an array", test: (value) => Array.isArray(value) },
  object: { name: "an object", test: isFields },
};

function typeTest(type: string): (value: unknown) => boolean {
  const known = TYPES[type];
  invariant(known !== undefined, `the door knows no type "${type}" of a schema`);
  return known.test;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(said: unknown): readonly unknown[] {
  invariant(Array.isArray(said), "this keyword of a schema holds a list");
  return said;
}

function wants(what: string, holds: (value: unknown) => boolean): FlawOf {
  const flaw: Flaw = { path: [], wants: `must ${what}` };
  return (value) => (holds(value) ? null : flaw);
}

/** Measures strings and arrays by their length, numbers by themselves; everything else passes. */
function bound(of: "string" | "array" | "number", what: string, holds: (measure: number) => boolean): FlawOf {
  return wants(what, (value) => {
    if (of === "array") return !Array.isArray(value) || holds(value.length);
    if (of === "string") return typeof value !== "string" || holds(value.length);
    return typeof value !== "number" || holds(value);
  });
}

function required(name: unknown): FlawOf {
  return wants(`have ${JSON.stringify(name)}`, (value) => !isFields(value) || Object.hasOwn(value, String(name)));
}

function properties(schemas: Fields): FlawOf {
  const checks = Object.entries(schemas).map(([name, schema]) => [name, compile(Object(schema))] as const);
  return (value) => {
    if (!isFields(value)) return null;
    for (const [name, check] of checks) {
      if (!Object.hasOwn(value, name)) continue;
      const flaw = check(value[name]);
      if (flaw !== null) return under(name, flaw);
    }
    return null;
  };
}

function everyValue(check: FlawOf): FlawOf {
  return (value) => {
    if (!isFields(value)) return null;
    for (const name of Object.keys(value)) {
      const flaw = check(value[name]);
      if (flaw !== null) return under(name, flaw);
    }
    return null;
  };
}

function items(check: FlawOf): FlawOf {
  return (value) => {
    if (!Array.isArray(value)) return null;
    for (let at = 0; at < value.length; at += 1) {
      const flaw = check(value[at]);
      if (flaw !== null) return under(at, flaw);
    }
    return null;
  };
}

/** Of the forms that a value may have, the one that fits best tells: it was meant. */
function anyOf(checks: readonly FlawOf[]): FlawOf {
  return (value) => {
    for (const check of checks) if (check(value) === null) return null;
    const flaws = checks.map((check) => check(value)).filter((flaw) => flaw !== null);
    const depth = Math.max(...flaws.map(({ path }) => path.length));
    const deepest = flaws.filter(({ path }) => path.length === depth);
    return { path: deepest[0]?.path ?? [], wants: inOneSentence(deepest.map((flaw) => flaw.wants)) };
  };
}

function inOneSentence(all: readonly string[]): string {
  const [first = "", ...others] = [...new Set(all)].filter(
    (want, _, { length }) => want !== "must be null" || length === 1,
  );
  const beings = first.startsWith("must be ") && others.every((want) => want.startsWith("must be "));
  return [first, ...others.map((want) => (beings ? want.slice("must be ".length) : want))].join(" or ");
}

function under(name: string | number, { path, wants: what }: Flaw): Flaw {
  return { path: [name, ...path], wants: what };
}

/** Longest name from outside that is repeated in an answer. */
const NAME_CHARS_MAX = 80;

/** `message.to[0].email`. */
function fieldName(path: readonly (string | number)[]): string {
  if (path.length === 0) return "The body";
  return path
    .map((part, at) =>
      typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${part.slice(0, NAME_CHARS_MAX)}`,
    )
    .join("");
}
