import type { FormField } from "#doors/aws/form.ts";
import type { Json } from "#domain/json.ts";

/**
 * What an action takes and gives, said once and read from both protocols: JSON by the members' names, a form (the Query
 * protocol) by the same names, where lists and maps have names of their own and are numbered (`Attribute.1.Name=…`).
 */
export type Shape<Given = unknown, Put = unknown> = Form & Types<Given, Put>;
export type Structure<Given = unknown, Put = unknown> = StructureForm & Types<Given, Put>;

/** What TypeScript knows of a shape, and nobody else: what is read by it, and what may be answered by it. */
type Types<Given, Put> = { readonly [GIVEN]?: Given; readonly [PUT]?: Put; readonly required?: true };
declare const GIVEN: unique symbol;
declare const PUT: unique symbol;

type Form = ScalarForm | ListForm | MapForm | StructureForm;
type ScalarForm = { readonly kind: "string" | "integer" | "boolean" | "blob" | "moment" | "json" };
/** `form`: the name of one item in forms and XML. */
type ListForm = { readonly kind: "list"; readonly form: string; readonly of: Shape };
/** `form`, `key`, `item`: the names of an entry, its key and its value in forms and XML. */
type MapForm = {
  readonly kind: "map";
  readonly form: string;
  readonly key: string;
  readonly item: string;
  readonly of: Shape;
};
type StructureForm = { readonly kind: "structure"; readonly members: Members };
type Members = Readonly<Record<string, Shape>>;

/** What a shape is once it was read. */
export type Value<S extends Shape> = NonNullable<S[typeof GIVEN]>;
/** What an action answers with; absent values are left out. */
export type Put<S extends Shape> = NonNullable<S[typeof PUT]>;

export const text: Shape<string, string> = { kind: "string" };
export const whole: Shape<number, number> = { kind: "integer" };
export const truth: Shape<boolean, boolean> = { kind: "boolean" };
/** Base64, checked and left as it is. */
export const blob: Shape<string, string> = { kind: "blob" };
/** JSON only: read as Unix ms from seconds or RFC 3339; answered in seconds. */
export const moment: Shape<number, number> = { kind: "moment" };
/** JSON only: kept as it is. */
export const anyJson: Shape<Json, Json> = { kind: "json" };

export function list<Given, Put>(
  form: string,
  of: Shape<Given, Put>,
): ListForm & Types<readonly Given[], readonly Put[]> {
  return { kind: "list", form, of };
}

export function map<Given, Put>(
  form: string,
  key: string,
  item: string,
  of: Shape<Given, Put>,
): MapForm & Types<ReadonlyMap<string, Given>, Readonly<Record<string, Put>>> {
  return { kind: "map", form, key, item, of };
}

export function structure<const M extends Members>(
  members: M,
): Structure<
  { readonly [K in keyof M]: M[K] extends { readonly required: true } ? Value<M[K]> : Value<M[K]> | undefined },
  { readonly [K in keyof M]?: Put<M[K]> | undefined }
> {
  return { kind: "structure", members };
}

/** Must be there; what that means is checked before the action runs. */
export function required<const S extends Shape>(shape: S): S & { readonly required: true } {
  return { ...shape, required: true };
}

/** Why input is not of its shape, and where: `Entries.1.Id`. */
export type Trouble = { readonly trouble: "missing" | "type"; readonly at: string; readonly says: string };
export type Given<S extends Shape> = { readonly value: Value<S> } | Trouble;

/** A reader either gives a value or leaves a word on the slate; undefined: nothing was given. */
type Slate = { trouble: { kind: Trouble["trouble"]; says: string; at: string } | null };
type ReadJson = (value: unknown, slate: Slate) => unknown;
type ReadForm = (field: FormField | undefined, slate: Slate) => unknown;

/** Compiles the reader of a JSON body. Unknown members are ignored, and null is as good as absent. */
export function jsonReader<S extends Structure>(shape: S): (value: unknown) => Given<S> {
  const read = jsonOf(shape);
  return (value) => {
    const slate: Slate = { trouble: null };
    // The reader follows the shape from which the type is made.
    return given(read(value, slate) as Value<S>, slate);
  };
}

/** Compiles the reader of a form. */
export function formReader<S extends Structure>(shape: S): (fields: FormField) => Given<S> {
  const read = formOf(shape);
  return (fields) => {
    const slate: Slate = { trouble: null };
    // As above.
    return given(read(fields, slate) as Value<S>, slate);
  };
}

function given<S extends Shape>(value: Value<S>, { trouble }: Slate): Given<S> {
  return trouble === null ? { value } : { trouble: trouble.kind, at: trouble.at, says: trouble.says };
}

function wrong(slate: Slate, says: string): undefined {
  slate.trouble ??= { kind: "type", says, at: "" };
  return undefined;
}

/** Readers name the place on their way back, so that good input pays nothing for it. */
function within(slate: Slate, name: string | number): void {
  const { trouble } = slate;
  if (trouble !== null) trouble.at = trouble.at === "" ? String(name) : `${name}.${trouble.at}`;
}

function lacking(slate: Slate, name: string | number): void {
  slate.trouble ??= { kind: "missing", says: "is required", at: "" };
  within(slate, name);
}

function jsonOf(shape: Shape): ReadJson {
  switch (shape.kind) {
    case "string":
      return (value, slate) => (typeof value === "string" ? value : wrong(slate, "must be a string"));
    case "integer":
      return (value, slate) => (Number.isSafeInteger(value) ? value : wrong(slate, "must be an integer"));
    case "boolean":
      return (value, slate) => (typeof value === "boolean" ? value : wrong(slate, "must be true or false"));
    case "blob":
      return (value, slate) => (isBase64(value) ? value : wrong(slate, "must be base64"));
    case "moment":
      return (value, slate) => momentOf(value) ?? wrong(slate, "must be a time");
    case "json":
      return (value) => value;
    case "list":
      return jsonListOf(shape);
    case "map":
      return jsonMapOf(shape);
    case "structure":
      return jsonStructureOf(shape);
  }
}

function jsonListOf({ of }: ListForm): ReadJson {
  const item = jsonOf(of);
  return (value, slate) => {
    if (!Array.isArray(value)) return wrong(slate, "must be a list");
    const items: unknown[] = [];
    for (const [index, one] of value.entries()) {
      items.push(item(one, slate));
      if (slate.trouble !== null) return within(slate, index + 1);
    }
    return items;
  };
}

function jsonMapOf({ of }: MapForm): ReadJson {
  const item = jsonOf(of);
  return (value, slate) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(slate, "must be a map");
    const entries = new Map<string, unknown>();
    for (const [key, one] of Object.entries(value)) {
      entries.set(key, item(one, slate));
      if (slate.trouble !== null) return within(slate, key);
    }
    return entries;
  };
}

function jsonStructureOf({ members }: StructureForm): ReadJson {
  const readers = Object.entries(members).map(([name, shape]) => ({
    name,
    read: jsonOf(shape),
    isRequired: shape.required === true,
  }));
  return (value, slate) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(slate, "must be an object");
    const from = value as Readonly<Record<string, unknown>>;
    const into: Record<string, unknown> = {};
    for (const { name, read, isRequired } of readers) {
      // Names of members are ours, so none of them is found in the prototype.
      const inner = from[name] ?? undefined;
      if (inner !== undefined) {
        into[name] = read(inner, slate);
        if (slate.trouble !== null) return within(slate, name);
      } else if (isRequired) return lacking(slate, name);
      else into[name] = undefined;
    }
    return into;
  };
}

function formOf(shape: Shape): ReadForm {
  switch (shape.kind) {
    case "string":
      return (field) => field?.value;
    case "integer":
      return scalarOf((value, slate) =>
        /^-?\d{1,15}$/.test(value) ? Number(value) : wrong(slate, "Must be an integer."),
      );
    case "boolean":
      return scalarOf((value, slate) =>
        value === "true" ? true : value === "false" ? false : wrong(slate, "Must be true or false."),
      );
    case "blob":
      return scalarOf((value, slate) => (isBase64(value) ? value : wrong(slate, "Must be base64.")));
    case "moment":
      return scalarOf((value, slate) => momentOf(value) ?? wrong(slate, "Must be a time."));
    case "json":
      return (field) => field?.value;
    case "list":
      return formListOf(shape);
    case "map":
      return formMapOf(shape);
    case "structure":
      return formStructureOf(shape);
  }
}

function scalarOf(read: (value: string, slate: Slate) => unknown): ReadForm {
  return (field, slate) => (field?.value === undefined ? undefined : read(field.value, slate));
}

function formListOf({ of }: ListForm): ReadForm {
  const item = formOf(of);
  return (field, slate) => {
    if (field === undefined) return undefined;
    const items: unknown[] = [];
    for (const [number, one] of field.numbered()) {
      const value = item(one, slate);
      if (slate.trouble !== null) return within(slate, number);
      if (value === undefined) return lacking(slate, number);
      items.push(value);
    }
    // The bare name stands for a list without items.
    return items.length === 0 && field.value === undefined ? undefined : items;
  };
}

function formMapOf({ key: keyName, item: itemName, of }: MapForm): ReadForm {
  const item = formOf(of);
  return (field, slate) => {
    if (field === undefined) return undefined;
    const entries = new Map<string, unknown>();
    for (const [number, one] of field.numbered()) {
      const key = one.child(keyName)?.value;
      if (key === undefined) return lacking(slate, `${number}.${keyName}`);
      const value = item(one.child(itemName), slate);
      if (slate.trouble !== null) return within(slate, `${number}.${itemName}`);
      if (value === undefined) return lacking(slate, `${number}.${itemName}`);
      entries.set(key, value);
    }
    return entries;
  };
}

function formStructureOf({ members }: StructureForm): ReadForm {
  const readers = Object.entries(members).map(([name, shape]) => ({
    name,
    form: "form" in shape ? shape.form : name,
    read: formOf(shape),
    isRequired: shape.required === true,
  }));
  return (field, slate) => {
    if (field === undefined) return undefined;
    const into: Record<string, unknown> = {};
    for (const { name, form, read, isRequired } of readers) {
      const value = read(field.child(form), slate);
      if (slate.trouble !== null) return within(slate, form);
      if (value === undefined && isRequired) return lacking(slate, form);
      into[name] = value;
    }
    return into;
  };
}

/** RFC 4648 §4, with its padding. */
function isBase64(value: unknown): value is string {
  return typeof value === "string" && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}

/** ±: what a `Date` can hold, ECMA-262 §21.4.1.1. */
const MOMENT_MS_MAX = 8.64e15;

function momentOf(value: unknown): number | null {
  const ms =
    typeof value === "number" ? Math.round(value * 1000) : typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) && Math.abs(ms) <= MOMENT_MS_MAX ? ms : null;
}
