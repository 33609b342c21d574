import type { TObject } from "typebox";

/** What was asked, or a sentence about the parameter that makes no sense. */
export type QueryRead =
  | { readonly ok: true; readonly query: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly says: string };

/** Most values of one array parameter: more is a program gone wrong. */
const VALUES_MAX = 100;
const NONE = { ok: true, query: {} } as const;

type Kind = "string" | "integer" | "boolean" | "strings";
type Parameter = {
  readonly name: string;
  readonly kind: Kind;
  readonly minimum: number;
  readonly maximum: number;
  readonly required: boolean;
};

/**
 * Makes a reader of query strings for a schema of strings, integers, Booleans and arrays of strings. Arrays come
 * comma-joined, repeated, or both (courier-api.md §1.4). Empty values count as absent, unknown names are ignored.
 */
export function queryReader(schema: TObject | undefined): (raw: Readonly<Record<string, unknown>>) => QueryRead {
  const parameters = schema === undefined ? [] : Object.entries(schema.properties).map(parameterOf(schema));
  if (parameters.length === 0) return () => NONE;
  return (raw) => {
    const query: Record<string, unknown> = {};
    for (const parameter of parameters) {
      const given = raw[parameter.name];
      if (given === undefined || given === "") {
        if (parameter.required) return { ok: false, says: `The query parameter "${parameter.name}" is missing.` };
        continue;
      }
      const read = readValue(parameter, Array.isArray(given) ? given.map(String) : String(given));
      if (read === null) return { ok: false, says: `The query parameter "${parameter.name}" ${wanted(parameter)}.` };
      query[parameter.name] = read.value;
    }
    return { ok: true, query };
  };
}

function parameterOf(schema: TObject) {
  return ([name, property]: [string, object]): Parameter => {
    const { type, minimum, maximum } = property as { type?: unknown; minimum?: number; maximum?: number };
    const kind: Kind =
      type === "array" ? "strings" : type === "integer" ? "integer" : type === "boolean" ? "boolean" : "string";
    return {
      name,
      kind,
      minimum: minimum ?? Number.MIN_SAFE_INTEGER,
      maximum: maximum ?? Number.MAX_SAFE_INTEGER,
      required: schema.required?.includes(name) === true,
    };
  };
}

function readValue(
  { kind, minimum, maximum }: Parameter,
  given: string | readonly string[],
): { value: unknown } | null {
  if (kind === "strings") {
    const values = [given]
      .flat()
      .flatMap((text) => text.split(","))
      .filter((text) => text !== "");
    return values.length > VALUES_MAX || values.some(hasNul) ? null : { value: values };
  }
  if (typeof given !== "string" || hasNul(given)) return null;
  switch (kind) {
    case "string":
      return { value: given };
    case "boolean":
      return given === "true" ? { value: true } : given === "false" ? { value: false } : null;
    case "integer": {
      const value = /^-?\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
      return value >= minimum && value <= maximum ? { value } : null;
    }
  }
}

/** No store of ours can hold U+0000 in text, and no honest id has it. */
function hasNul(text: string): boolean {
  return text.includes("\0");
}

function wanted({ kind, minimum, maximum }: Parameter): string {
  switch (kind) {
    case "string":
      return "must be given once, as text without control characters";
    case "boolean":
      return "must be true or false";
    case "integer":
      return maximum === Number.MAX_SAFE_INTEGER
        ? `must be a whole number of at least ${minimum}`
        : `must be a whole number from ${minimum} to ${maximum}`;
    case "strings":
      return `may have at most ${VALUES_MAX} values`;
  }
}
