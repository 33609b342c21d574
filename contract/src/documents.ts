import { type Static, Type } from "./schema.ts";
import { EpochMs, JsonMap, Paging } from "./shared.ts";

/** A stored JSON object of a user's collection. */
export const DocumentView = Type.Object(
  {
    id: Type.String(),
    value: JsonMap,
    version: Type.Integer({ description: "1 at first, one more at each put" }),
    created: EpochMs,
    updated: EpochMs,
  },
  { title: "Document" },
);
export type DocumentView = Static<typeof DocumentView>;

export const DocumentsView = Type.Object({ results: Type.Array(DocumentView), paging: Paging }, { title: "Documents" });
export type DocumentsView = Static<typeof DocumentsView>;

/** What is declared of a collection. */
export const DocumentCollections = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        name: Type.String(),
        indexes: Type.Array(Type.Object({ path: Type.String(), built: Type.Boolean() })),
      }),
    ),
  },
  { title: "DocumentCollections" },
);
export type DocumentCollections = Static<typeof DocumentCollections>;
