import { type Static, Type } from "./schema.ts";
import { EpochMs, Paging } from "./shared.ts";

/** A file by its name. */
export const BlobView = Type.Object(
  {
    name: Type.String(),
    bytes: Type.Integer(),
    content_type: Type.String(),
    sha256: Type.String({ description: "Hex" }),
    created: EpochMs,
    updated: EpochMs,
  },
  { title: "Blob" },
);
export type BlobView = Static<typeof BlobView>;

export const BlobsView = Type.Object({ results: Type.Array(BlobView), paging: Paging }, { title: "Blobs" });
export type BlobsView = Static<typeof BlobsView>;
