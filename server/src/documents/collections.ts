/** Collection of what is known of users' collections: id = name, body = {@link CollectionBody}. */
export const COLLECTIONS = "doc-collections";

export type CollectionBody = {
  /** Paths of fields. */
  readonly indexes: readonly string[];
  /** Those of them that every document has by now. */
  readonly built: readonly string[];
  /** The last id that was gone through for those that are not built; null: from the first. */
  readonly cursor: string | null;
};

/** What is declared now, beside what was: an index that was there and is declared still stays built. */
export function declaredAnew(before: CollectionBody | null, indexes: readonly string[]): CollectionBody | null {
  if (before === null) return { indexes, built: indexes, cursor: null };
  if (before.indexes.join() === indexes.join()) return null;
  const built = before.built.filter((path) => indexes.includes(path));
  return { indexes, built, cursor: null };
}
