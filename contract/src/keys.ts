import { type Static, Type } from "./schema.ts";
import { EpochMs, OrNull, Paging } from "./shared.ts";

const KEY = {
  id: Type.String({ description: "No secret; names the key in logs and here" }),
  name: Type.String(),
  prefix: Type.String({ description: "The key's first characters; of an AWS pair the whole access key id" }),
  scopes: Type.Array(Type.String(), { description: "full, send, read" }),
  created: EpochMs,
  aws: Type.Optional(Type.Boolean({ description: "A key pair for AWS' clients, see /aws" })),
};

export const ApiKey = Type.Object(
  { ...KEY, revoked: Type.Union([EpochMs, Type.Null()], { description: "Null: it works" }) },
  { title: "ApiKey" },
);
export type ApiKey = Static<typeof ApiKey>;

export const ApiKeys = Type.Object({ paging: Paging, results: Type.Array(ApiKey) }, { title: "ApiKeys" });
export type ApiKeys = Static<typeof ApiKeys>;

export const ApiKeyBody = Type.Object(
  {
    name: OrNull(Type.String({ description: "What it is for; an AWS pair may do without" })),
    scopes: OrNull(Type.Array(Type.String(), { description: "Default: full" })),
    aws: OrNull(Type.Boolean({ description: "Make a key pair for AWS' clients instead of a bearer key" })),
  },
  { title: "ApiKeyBody" },
);
export type ApiKeyBody = Static<typeof ApiKeyBody>;

export const ApiKeyMade = Type.Object(
  {
    ...KEY,
    key: Type.Optional(Type.String({ description: "A bearer key; shown this once" })),
    access_key_id: Type.Optional(Type.String({ description: "Of an AWS pair" })),
    secret_access_key: Type.Optional(Type.String({ description: "Of an AWS pair; shown this once" })),
  },
  { title: "ApiKeyMade" },
);
export type ApiKeyMade = Static<typeof ApiKeyMade>;
