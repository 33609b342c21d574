import type { Type as TypeBox } from "typebox";

export type { Static, TObject, TSchema } from "typebox";

/** The constructors that our contract uses. */
type Builder = Pick<
  typeof TypeBox,
  | "Array"
  | "Boolean"
  | "Integer"
  | "Literal"
  | "Null"
  | "Number"
  | "Object"
  | "Optional"
  | "Record"
  | "String"
  | "Union"
  | "Unknown"
  | "Unsafe"
>;

/** Schemas whose property may be left out. */
const optional = new WeakSet<object>();

const builder: { readonly [Name in keyof Builder]: (...args: never[]) => object } = {
  Array: (items: object, options: object = {}) => ({ type: "array", items, ...options }),
  Boolean: (options: object = {}) => ({ type: "boolean", ...options }),
  Integer: (options: object = {}) => ({ type: "integer", ...options }),
  Literal: (value: string | number | boolean, options: object = {}) => ({
    type: typeof value,
    const: value,
    ...options,
  }),
  Null: (options: object = {}) => ({ type: "null", ...options }),
  Number: (options: object = {}) => ({ type: "number", ...options }),
  Object: (properties: Readonly<Record<string, object>>, options: object = {}) => {
    const required = Object.keys(properties).filter((name) => !optional.has(properties[name] ?? {}));
    return { type: "object", ...(required.length === 0 ? {} : { required }), properties, ...options };
  },
  Optional: (schema: object) => {
    const copy = { ...schema };
    optional.add(copy);
    return copy;
  },
  Record: (_key: object, value: object, options: object = {}) => ({
    type: "object",
    patternProperties: { "^.*$": value },
    ...options,
  }),
  String: (options: object = {}) => ({ type: "string", ...options }),
  Union: (anyOf: readonly object[], options: object = {}) => ({ anyOf, ...options }),
  Unknown: (options: object = {}) => ({ ...options }),
  Unsafe: (schema: object) => ({ ...schema }),
};

/**
 * TypeBox's types over builders of our own: a schema is plain JSON Schema, and loading all of TypeBox to write thirteen
 * kinds of object literals took 20 MB and a tenth of a second at every start. `schema.test.ts` holds them together.
 */
// The test compares each builder with TypeBox's own; the types are TypeBox's.
export const Type = builder as unknown as Builder;
