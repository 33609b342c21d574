/**
 * Whether those who were made for an old schema can read everything that a new one allows.
 *
 * | of the new schema | finding |
 * | --- | --- |
 * | a field is gone, may be left out now, or is new where none were allowed | breaking |
 * | a type, a value of an enum, a smaller or larger number, a longer or shorter text or list is allowed now | breaking |
 * | a format, pattern or other condition is given up | breaking |
 * | a field is new, a condition is new or narrower | compatible |
 * | another pattern, another `not`, `if`, `contains`, alternatives that fit none of the old | unsure |
 *
 * What cannot be decided by looking is called unsure rather than compatible. Sets of values are compared, not examples.
 */
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { ANYTHING, flatten, NOTHING } from "#schemas/flatten.ts";
import { canonical } from "#schemas/walk.ts";

export type Finding = {
  readonly kind: "breaking" | "compatible" | "unsure";
  /** Of the value, from the root of the data: `/lines/0/price`, with a star for each entry; empty: the whole. */
  readonly at: string;
  readonly says: string;
  /** The field that goes away, may be left out, or changes its type: whoever reads it is to be asked. */
  readonly lost?: readonly string[];
};

/** Deepest place that is compared; recursive schemas are the same below. */
const DEPTH_MAX = 12;
/** Most findings that are told. */
const FINDINGS_MAX = 500;

/** Findings in the order of the old schema; none at all: they allow the same. */
export function compareSchemas(older: Json, newer: Json): readonly Finding[] {
  const compare = new Compare(older, newer);
  compare.values(older, newer, []);
  return compare.findings;
}

/** The worst of some findings. */
export function overall(findings: readonly Finding[]): Finding["kind"] {
  if (findings.some(({ kind }) => kind === "breaking")) return "breaking";
  return findings.some(({ kind }) => kind === "unsure") ? "unsure" : "compatible";
}

type Path = readonly string[];
/** Stands for every entry of a list, or every other member. */
export const EVERY = "*";

class Compare {
  readonly findings: Finding[] = [];
  readonly #olderRoot: Json;
  readonly #newerRoot: Json;
  /** Pairs that are being compared further out: a recursive schema is the same inside. */
  readonly #open = new Set<string>();

  constructor(olderRoot: Json, newerRoot: Json) {
    this.#olderRoot = olderRoot;
    this.#newerRoot = newerRoot;
  }

  values(older: Json, newer: Json, at: Path): void {
    if (at.length > DEPTH_MAX || this.findings.length >= FINDINGS_MAX) return;
    const was = flatten(older, this.#olderRoot);
    const is = flatten(newer, this.#newerRoot);
    const pair = `${canonical(was)}\n${canonical(is)}`;
    if (this.#open.has(pair)) return;
    this.#open.add(pair);
    this.#flat(was, is, at);
    this.#open.delete(pair);
  }

  #flat(was: JsonObject, is: JsonObject, at: Path): void {
    if (isNothing(is)) {
      if (!isNothing(was)) this.#tell("compatible", at, "nothing is allowed here any more");
      return;
    }
    if (isNothing(was)) return this.#tell("breaking", at, "is allowed now, and was not");
    if (this.#eachAlternative(was, is, at)) return;
    this.#types(was, is, at);
    this.#choices(was, is, at);
    this.#bounds(was, is, at);
    this.#conditions(was, is, at);
    this.#members(was, is, at);
    this.#entries(was, is, at);
    this.#alternatives(was, is, at);
  }

  #types(was: JsonObject, is: JsonObject, at: Path): void {
    const [before, now] = [typesOf(was), typesOf(is)];
    const added = [...now].filter((type) => !before.has(type) && !(type === "integer" && before.has("number")));
    if (added.length > 0) {
      const says = now.size === ALL_TYPES.length ? "may be of any type now" : `may be ${added.join(" or ")} now`;
      return this.#tell("breaking", at, `${says}; it was ${[...before].join(" or ")}`, at);
    }
    const gone = [...before].filter((type) => !now.has(type) && !(type === "number" && now.has("integer")));
    const narrows = before.has("number") && !now.has("number") && now.has("integer");
    if (before.size < ALL_TYPES.length && (gone.length > 0 || narrows)) {
      this.#tell("compatible", at, `is only ${[...now].join(" or ")} now`);
    }
  }

  #choices(was: JsonObject, is: JsonObject, at: Path): void {
    const [before, now] = [choicesOf(was), choicesOf(is)];
    if (before === null) {
      if (now !== null) this.#tell("compatible", at, "is one of a few values now");
      return;
    }
    if (now === null) return this.#tell("breaking", at, "may have any value now; it was one of a few");
    const added = [...now].filter((value) => !before.has(value));
    if (added.length > 0) this.#tell("breaking", at, `may be ${added.slice(0, 5).join(", ")} now`);
    else if (now.size < before.size) this.#tell("compatible", at, "has fewer values to be");
  }

  #bounds(was: JsonObject, is: JsonObject, at: Path): void {
    for (const [keyword, side] of Object.entries(BOUNDS)) {
      const [before, now] = [was[keyword], is[keyword]];
      if (before === now) continue;
      if (typeof before !== "number") {
        if (typeof now === "number") this.#tell("compatible", at, `has ${keyword} ${now} now`);
        continue;
      }
      const wider = typeof now !== "number" || (side === "lower" ? now < before : now > before);
      const says = `has ${keyword} ${typeof now === "number" ? now : "no more"}; it was ${before}`;
      this.#tell(wider ? "breaking" : "compatible", at, says);
    }
  }

  /** What can only be the same, be given up or be added. */
  #conditions(was: JsonObject, is: JsonObject, at: Path): void {
    for (const keyword of CONDITIONS) {
      const [before, now] = [was[keyword], is[keyword]];
      if (before === undefined && now === undefined) continue;
      if (before !== undefined && now !== undefined && canonical(before) === canonical(now)) continue;
      if (before === undefined) this.#tell("compatible", at, `has the condition ${keyword} now`);
      else if (now === undefined || now === false) {
        this.#tell("breaking", at, `gives up its ${keyword} ${shown(before)}`);
      } else if (keyword === "format" || keyword === "uniqueItems") {
        this.#tell("breaking", at, `has another ${keyword}: ${shown(now)}; it was ${shown(before)}`);
      } else this.#tell("unsure", at, `has another ${keyword}, and whether it allows more cannot be told`);
    }
  }

  #members(was: JsonObject, is: JsonObject, at: Path): void {
    if (!typesOf(was).has("object") || !typesOf(is).has("object")) return;
    const [before, now] = [mapOf(was["properties"]), mapOf(is["properties"])];
    const [needed, needs] = [namesOf(was["required"]), namesOf(is["required"])];
    const [others, othersNow] = [was["additionalProperties"] ?? true, is["additionalProperties"] ?? true];
    const patterned = was["patternProperties"] !== undefined || is["patternProperties"] !== undefined;
    for (const [name, schema] of Object.entries(before)) {
      const path = [...at, name];
      const next = now[name];
      if (next === undefined && !patterned) {
        if (!isFalse(schema)) this.#tell("breaking", path, "goes away", path);
      } else if (next !== undefined) {
        this.values(schema, next, path);
        if (needed.has(name) && !needs.has(name)) this.#tell("breaking", path, "may be left out now", path);
        else if (!needed.has(name) && needs.has(name)) this.#tell("compatible", path, "is always there now");
      }
    }
    for (const name of needed) {
      if (before[name] === undefined && !needs.has(name)) {
        this.#tell("breaking", [...at, name], "may be left out now", [...at, name]);
      }
    }
    if (patterned) {
      if (canonical(was["patternProperties"] ?? {}) === canonical(is["patternProperties"] ?? {})) return;
      return this.#tell("unsure", at, "has other patternProperties, and whether they allow more cannot be told");
    }
    for (const [name, schema] of Object.entries(now)) {
      if (before[name] !== undefined || isFalse(schema)) continue;
      const path = [...at, name];
      if (isFalse(others)) this.#tell("breaking", path, "is new, and the old schema allows no other fields");
      else if (others === true) this.#tell("compatible", path, "is new");
      else this.values(others, schema, path);
    }
    if (isFalse(others)) {
      if (!isFalse(othersNow)) this.#tell("breaking", at, "may have fields that are not named now");
    } else this.values(others, othersNow, [...at, EVERY]);
  }

  #entries(was: JsonObject, is: JsonObject, at: Path): void {
    if (!typesOf(was).has("array") || !typesOf(is).has("array")) return;
    const [before, now] = [listOf(was["prefixItems"]), listOf(is["prefixItems"])];
    const [others, othersNow] = [was["items"] ?? true, is["items"] ?? true];
    for (let index = 0; index < Math.max(before.length, now.length); index += 1) {
      this.values(before[index] ?? others, now[index] ?? othersNow, [...at, String(index)]);
    }
    this.values(others, othersNow, [...at, EVERY]);
  }

  /** Where only the new schema has alternatives, each is compared with the old schema; false when it is not so. */
  #eachAlternative(was: JsonObject, is: JsonObject, at: Path): boolean {
    const keyword = ALTERNATIVES.find((one) => is[one] !== undefined && was[one] === undefined);
    if (keyword === undefined) return false;
    const rest = without(is, keyword);
    for (const one of listOf(is[keyword])) this.values(was, { allOf: [rest, one] }, at);
    return true;
  }

  /** Each new alternative must fit an old one. */
  #alternatives(was: JsonObject, is: JsonObject, at: Path): void {
    for (const keyword of ALTERNATIVES) {
      const [before, now] = [listOf(was[keyword]), listOf(is[keyword])];
      if (before.length === 0 || canonical(before) === canonical(now)) continue;
      const newer = now.length === 0 ? [is] : now;
      for (const [index, one] of newer.entries()) {
        const found = before.map((old) => this.#tryOut(old, one, at));
        if (found.some((findings) => overall(findings) === "compatible")) continue;
        const name = now.length === 0 ? "what is allowed now" : `alternative ${index + 1}`;
        const sure = found.every((findings) => overall(findings) === "breaking");
        this.#tell(sure ? "breaking" : "unsure", at, `${name} fits none of the old alternatives`);
      }
    }
  }

  #tryOut(older: Json, newer: Json, at: Path): readonly Finding[] {
    const trial = new Compare(this.#olderRoot, this.#newerRoot);
    for (const pair of this.#open) trial.#open.add(pair);
    trial.values(older, newer, at);
    return trial.findings;
  }

  #tell(kind: Finding["kind"], at: Path, says: string, lost?: Path): void {
    if (this.findings.length >= FINDINGS_MAX) return;
    this.findings.push({ kind, at: pointerTo(at), says, ...(lost === undefined || lost.length === 0 ? {} : { lost }) });
  }
}

const ALTERNATIVES = ["anyOf", "oneOf"] as const;
const ALL_TYPES = ["array", "boolean", "null", "number", "object", "string"] as const;

/** Number limits, and which way they get wider. */
const BOUNDS: Readonly<Record<string, "lower" | "upper">> = {
  minimum: "lower",
  exclusiveMinimum: "lower",
  minLength: "lower",
  minItems: "lower",
  minProperties: "lower",
  minContains: "lower",
  maximum: "upper",
  exclusiveMaximum: "upper",
  maxLength: "upper",
  maxItems: "upper",
  maxProperties: "upper",
  maxContains: "upper",
};

const CONDITIONS = [
  ...["format", "pattern", "multipleOf", "uniqueItems", "contains", "propertyNames", "not", "if", "then", "else"],
  ...["dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"],
  ...["contentEncoding", "contentMediaType", "contentSchema", "allOf"],
];

function pointerTo(path: Path): string {
  return path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function typesOf(schema: JsonObject): ReadonlySet<string> {
  const { type } = schema;
  if (typeof type === "string") return new Set([type]);
  if (Array.isArray(type)) return new Set(type.map(String));
  const choices = choicesOf(schema);
  return new Set(choices === null ? ALL_TYPES : [...choices].map((value) => typeOf(JSON.parse(value) as Json)));
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** The values that are allowed, as canonical text; null: it does not say. */
function choicesOf(schema: JsonObject): ReadonlySet<string> | null {
  if (schema["const"] !== undefined) return new Set([canonical(schema["const"])]);
  return Array.isArray(schema["enum"]) ? new Set(schema["enum"].map((value) => canonical(value))) : null;
}

function mapOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function namesOf(value: Json | undefined): ReadonlySet<string> {
  return new Set(listOf(value).map(String));
}

function isNothing(schema: JsonObject): boolean {
  return canonical(schema) === canonical(NOTHING);
}

function isFalse(schema: Json): boolean {
  return schema === false || (isJsonObject(schema) && isNothing(schema));
}

function without(schema: JsonObject, keyword: string): JsonObject {
  const { [keyword]: _, ...rest } = schema;
  return Object.keys(rest).length === 0 ? ANYTHING : rest;
}

function shown(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
