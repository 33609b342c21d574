import { type Static, Type } from "./schema.ts";
import { JsonMap, OrNull, Paging, RecipientPreferences } from "./shared.ts";

export const MailList = Type.Object(
  {
    id: Type.String({ description: "One to four parts joined by dots" }),
    name: Type.String(),
    created: Type.String({ format: "date-time" }),
    updated: Type.String({ format: "date-time" }),
    preferences: OrNull(RecipientPreferences),
  },
  { title: "List" },
);
export type MailList = Static<typeof MailList>;

export const MailLists = Type.Object({ paging: Paging, items: Type.Array(MailList) }, { title: "Lists" });
export type MailLists = Static<typeof MailLists>;

export const MailListBody = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    preferences: Type.Optional(
      Type.Union([RecipientPreferences, Type.Null()], { description: "For everyone on it; absent: as they were" }),
    ),
  },
  { title: "ListBody" },
);
export type MailListBody = Static<typeof MailListBody>;

/** What is said of one person on one list. `data` is ours: merged over the send's data for this person. */
const SUBSCRIPTION = { preferences: OrNull(RecipientPreferences), data: OrNull(JsonMap) };

export const Subscription = Type.Object(
  {
    recipientId: Type.String({ description: "User id" }),
    created: Type.String({ format: "date-time" }),
    ...SUBSCRIPTION,
  },
  { title: "Subscription" },
);
export type Subscription = Static<typeof Subscription>;

export const Subscriptions = Type.Object(
  { paging: Paging, items: Type.Array(Subscription) },
  { title: "Subscriptions" },
);
export type Subscriptions = Static<typeof Subscriptions>;

export const SubscriptionsBody = Type.Object(
  { recipients: Type.Array(Type.Object({ recipientId: Type.String(), ...SUBSCRIPTION })) },
  { title: "SubscriptionsBody" },
);
export type SubscriptionsBody = Static<typeof SubscriptionsBody>;

export const SubscriptionBody = Type.Object(SUBSCRIPTION, { title: "SubscriptionBody" });
export type SubscriptionBody = Static<typeof SubscriptionBody>;

export const ImportBody = Type.Object(
  {
    rows: Type.Array(Type.Unknown(), {
      description:
        "Each an object: `user_id` (or else `email` is the id), keys of the profile, and optionally `data` and `preferences` of the subscription",
    }),
  },
  { title: "ImportBody" },
);
export type ImportBody = Static<typeof ImportBody>;

export const ImportAnswer = Type.Object(
  {
    imported: Type.Integer({ description: "Rows that took effect, or whose effect was there already" }),
    errors: Type.Array(Type.Object({ row: Type.Integer({ description: "From 0" }), problem: Type.String() })),
  },
  { title: "ImportAnswer" },
);
export type ImportAnswer = Static<typeof ImportAnswer>;
