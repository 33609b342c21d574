/** Users' collections lie in the store under this prefix, so that no document of theirs is ever one of ours. */
const PREFIX = "doc:";
const COLLECTION = /^[A-Za-z0-9_-]{1,64}$/;
const ID_BYTES_MAX = 512;
const INDEX = /^[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}$/;
/** Indexes of one collection: each is a row more for every document. */
export const INDEXES_MAX = 16;

export function storeCollection(name: string): string {
  return PREFIX + name;
}

/** A sentence when it can be no collection's name; null when it can. */
export function collectionFlaw(name: string): string | null {
  return COLLECTION.test(name)
    ? null
    : `A collection's name has 1 to 64 letters, digits, "-" and "_", which ${JSON.stringify(name.slice(0, 80))} has not.`;
}

/** The same of a document's id. */
export function idFlaw(id: string): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  const fits = id !== "" && new TextEncoder().encode(id).length <= ID_BYTES_MAX && !/[\u0000-\u001f\u007f]/.test(id);
  return fits && id.isWellFormed() ? null : `A document's id has 1 to ${ID_BYTES_MAX} bytes and no control characters.`;
}

/** The same of the indexes of a collection. */
export function indexesFlaw(indexes: readonly string[]): string | null {
  if (indexes.length > INDEXES_MAX) return `A collection has at most ${INDEXES_MAX} indexes.`;
  const wrong = indexes.find((path) => !INDEX.test(path));
  return wrong === undefined ? null : `An index is the path of a field, such as address.city, which ${wrong} is not.`;
}
