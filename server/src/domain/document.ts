/**
 * Small things that are kept by name: profiles, lists, subscriptions, suppressions, keys, caught mail. One table holds
 * them all, so that a new kind of thing needs no new storage port. What is hot or counted in billions (jobs, events,
 * messages) has a place of its own.
 */
export type Document = {
  readonly collection: string;
  readonly id: string;
  /** JSON text. */
  readonly body: string;
  /** 1 at first, one more at each put. */
  readonly version: number;
  readonly createdMs: number;
  readonly updatedMs: number;
};

/** By which other names a document can be found, e.g. `["user", "ada"]` on a subscription. */
export type Term = readonly [name: string, value: string];

export type DocumentPut = {
  readonly collection: string;
  readonly id: string;
  readonly body: string;
  readonly terms?: readonly Term[];
  /** `always` overwrites; `absent` leaves what exists as it is. */
  readonly when: "always" | "absent";
  readonly nowMs: number;
};

export type DocumentKey = { readonly collection: string; readonly id: string };

/** A unit commits only if each named document still has this version; 0 means that it must not exist. */
export type DocumentExpectation = DocumentKey & { readonly version: number };

export type DocumentQuery = {
  readonly collection: string;
  /** Only ids that begin so. */
  readonly prefix?: string;
  /** Only documents that carry this term. */
  readonly term?: Term;
  /** Ids strictly behind this one, in the order asked. */
  readonly after?: string | null;
  readonly limit: number;
  /** By id, code point order. Default "ascending". */
  readonly order?: "ascending" | "descending";
};
