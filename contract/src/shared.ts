import { type Static, type TSchema, Type } from "./schema.ts";

/** A JSON object with free keys. */
export const JsonMap = Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object" });

/** Courier's SDKs say null where they mean "left out". */
export function OrNull<Schema extends TSchema>(schema: Schema) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

/** Unix epoch, milliseconds. */
export const EpochMs = Type.Integer({ description: "Unix epoch, milliseconds" });

export const Paging = Type.Object(
  {
    more: Type.Boolean({ description: "Whether another page follows" }),
    cursor: OrNull(Type.String({ description: "Opaque; give it back as `cursor` to read on" })),
  },
  { title: "Paging" },
);
export type Paging = Static<typeof Paging>;

export const CursorQuery = Type.Optional(Type.String({ description: "`paging.cursor` of the page before" }));

/** What every refusal looks like. */
export const ErrorBody = Type.Object(
  {
    type: Type.Union(
      [
        Type.Literal("invalid_request_error"),
        Type.Literal("authentication_error"),
        Type.Literal("authorization_error"),
        Type.Literal("rate_limit_error"),
        Type.Literal("api_error"),
      ],
      { description: "Courier's kind of error" },
    ),
    message: Type.String({ description: "What is wrong and what to do, in a sentence" }),
    code: Type.String({ description: "Stable; `docs/faults.md` explains each" }),
    hint: Type.Optional(Type.String({ description: "What usually helps" })),
  },
  { title: "Error" },
);
export type ErrorBody = Static<typeof ErrorBody>;

export const PreferenceDetail = Type.Object(
  {
    status: Type.String({ description: "OPTED_IN, OPTED_OUT or REQUIRED" }),
    channel_preferences: OrNull(Type.Array(Type.Object({ channel: Type.String() }))),
    rules: OrNull(Type.Array(JsonMap)),
  },
  { title: "PreferenceDetail" },
);

export const RecipientPreferences = Type.Object(
  {
    categories: OrNull(Type.Record(Type.String(), PreferenceDetail)),
    notifications: OrNull(Type.Record(Type.String(), PreferenceDetail)),
  },
  { title: "RecipientPreferences" },
);
export type RecipientPreferences = Static<typeof RecipientPreferences>;
