import { type Static, Type } from "./schema.ts";
import { EpochMs, OrNull, Paging } from "./shared.ts";

const Reason = Type.Union(["hard_bounce", "complaint", "unsubscribe", "manual"].map((reason) => Type.Literal(reason)));

/** An address that must not be written to. */
export const Suppression = Type.Object(
  {
    channel: Type.String({ description: "email, sms, …" }),
    address: Type.String(),
    reason: Reason,
    detail: Type.String({ description: "E.g. what the mail server said" }),
    since: EpochMs,
    messageId: Type.Union([Type.String(), Type.Null()], { description: "The message that led to it, if any" }),
  },
  { title: "Suppression" },
);
export type Suppression = Static<typeof Suppression>;

export const Suppressions = Type.Object(
  { paging: Paging, results: Type.Array(Suppression) },
  { title: "Suppressions" },
);
export type Suppressions = Static<typeof Suppressions>;

export const SuppressionsBody = Type.Object(
  {
    addresses: Type.Array(
      Type.Object({
        address: Type.String(),
        channel: OrNull(Type.String({ description: "Default: email" })),
        reason: OrNull(Reason),
        detail: OrNull(Type.String()),
      }),
    ),
  },
  { title: "SuppressionsBody" },
);
export type SuppressionsBody = Static<typeof SuppressionsBody>;

export const SuppressionsAdded = Type.Object(
  { added: Type.Integer({ description: "How many were not suppressed before" }) },
  { title: "SuppressionsAdded" },
);

export const SuppressionCheck = Type.Object(
  { addresses: Type.Array(Type.Object({ address: Type.String(), channel: OrNull(Type.String()) })) },
  { title: "SuppressionCheck" },
);
export type SuppressionCheck = Static<typeof SuppressionCheck>;

export const SuppressionCheckAnswer = Type.Object(
  { results: Type.Array(Type.Union([Suppression, Type.Null()]), { description: "In the order asked; null: free" }) },
  { title: "SuppressionCheckAnswer" },
);
