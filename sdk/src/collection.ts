/** A kind of documents, by name, with the fields by which they are found. */
export type Collection<Value> = {
  readonly name: string;
  /** Paths of fields, `address.city`. */
  readonly indexes: readonly string[];
  /** Never there: it carries the type. */
  readonly [VALUE]?: (value: Value) => Value;
};

declare const VALUE: unique symbol;

type Declared = Map<string, { readonly indexes: readonly string[] }>;

/** Under which what was declared in this thread is found, whatever copy of this package did it. */
const REGISTRY = Symbol.for("tidings.collections");

/** What was declared in this thread, for whoever loads the functions. */
export function declaredCollections(): Declared {
  // Only this file writes the property.
  const place = globalThis as { [REGISTRY]?: Declared };
  return (place[REGISTRY] ??= new Map());
}

/**
 * Declares a collection of documents. Two files that declare the same name declare the same indexes.
 *
 *     export const customers = collection<Customer>("customers", { indexes: ["email"] });
 *
 * @throws {TypeError} when the name was declared with other indexes.
 */
export function collection<Value extends object>(
  name: string,
  options: { readonly indexes?: readonly string[] } = {},
): Collection<Value> {
  const indexes = options.indexes ?? [];
  const before = declaredCollections().get(name);
  if (before !== undefined && before.indexes.join() !== indexes.join())
    throw new TypeError(`The collection ${name} is declared with other indexes elsewhere.`);
  declaredCollections().set(name, { indexes });
  return { name, indexes };
}
