import { type Static, Type } from "./schema.ts";
import { EpochMs, OrNull, Paging } from "./shared.ts";

const KEY = {
  id: Type.String({ description: "No secret; names the key in logs and here" }),
  name: Type.String(),
  prefix: Type.String({ description: "The key's first characters" }),
  scopes: Type.Array(Type.String(), { description: "full, send, read" }),
  created: EpochMs,
};

export const ApiKey = Type.Object(
  { ...KEY, revoked: Type.Union([EpochMs, Type.Null()], { description: "Null: it works" }) },
  { title: "ApiKey" },
);
export type ApiKey = Static<typeof ApiKey>;

export const ApiKeys = Type.Object({ paging: Paging, results: Type.Array(ApiKey) }, { title: "ApiKeys" });
export type ApiKeys = Static<typeof ApiKeys>;

export const ApiKeyBody = Type.Object(
  { name: Type.String(), scopes: OrNull(Type.Array(Type.String(), { description: "Default: full" })) },
  { title: "ApiKeyBody" },
);
export type ApiKeyBody = Static<typeof ApiKeyBody>;

export const ApiKeyMade = Type.Object(
  { ...KEY, key: Type.String({ description: "Shown this once" }) },
  { title: "ApiKeyMade" },
);
export type ApiKeyMade = Static<typeof ApiKeyMade>;
