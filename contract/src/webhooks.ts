import { type Static, Type } from "./schema.ts";
import { JsonMap, OrNull, Paging } from "./shared.ts";

const Time = (description: string) => Type.String({ format: "date-time", description });

const WISH = {
  description: OrNull(Type.String({ maxLength: 512 })),
  pattern: OrNull(
    Type.Union([Type.String(), JsonMap], {
      description: "Which events it gets, as an event pattern; null: only what other rules give it",
    }),
  ),
  format: Type.Optional(
    Type.Union([Type.Literal("standard"), Type.Literal("courier")], {
      description: "Standard Webhooks, or Courier's event webhooks",
    }),
  ),
  allowPrivate: Type.Optional(Type.Boolean({ description: "Let the URL lead to this machine and its network" })),
  headers: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: "Sent with each call; their values are shown to nobody" }),
  ),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1_000, maximum: 30_000, description: "For a whole call" })),
};

export const WebhookBody = Type.Object(
  {
    id: Type.Optional(Type.String({ description: "Letters, digits, - and _; absent: one is made" })),
    url: Type.String({ maxLength: 2_048 }),
    bus: Type.Optional(Type.String({ description: "Whose events; absent: `tidings`, our own" })),
    ...WISH,
  },
  { title: "WebhookBody" },
);
export type WebhookBody = Static<typeof WebhookBody>;

/** What is left out stays as it is. */
export const WebhookChange = Type.Object(
  { url: Type.Optional(Type.String({ maxLength: 2_048 })), ...WISH },
  { title: "WebhookChange" },
);
export type WebhookChange = Static<typeof WebhookChange>;

const ENDPOINT = {
  id: Type.String(),
  arn: Type.String({ description: "As a rule's target" }),
  url: Type.String(),
  description: OrNull(Type.String()),
  enabled: Type.Boolean(),
  disabledBy: OrNull(Type.Union([Type.Literal("410"), Type.Literal("hand")])),
  format: Type.Union([Type.Literal("standard"), Type.Literal("courier")]),
  bus: OrNull(Type.String()),
  pattern: OrNull(JsonMap),
  allowPrivate: Type.Boolean(),
  headerNames: Type.Array(Type.String()),
  timeoutMs: Type.Integer(),
  secrets: Type.Array(
    Type.Object({
      created: Time("When it was made"),
      until: OrNull(Time("Until when it signs; null: it is the newest")),
    }),
  ),
  created: Time("When it was made"),
  modified: Time("When it was last changed"),
};

const RangeReplay = Type.Object(
  {
    state: Type.Union([Type.Literal("running"), Type.Literal("done")]),
    from: Time("Events of this time and later"),
    to: Time("Events before this time"),
    bus: Type.String(),
    replayed: Type.Integer({ description: "Deliveries begun" }),
    started: Time("When it began"),
    ended: OrNull(Time("When the last delivery was begun")),
  },
  { title: "WebhookReplay" },
);
export { RangeReplay as WebhookReplay };

export const Webhook = Type.Object(ENDPOINT, { title: "Webhook" });
export const WholeWebhook = Type.Object(
  { ...ENDPOINT, replay: OrNull(RangeReplay) },
  { title: "WholeWebhook", description: "With the last replay of a time" },
);
export const WebhookWithSecret = Type.Object(
  { ...ENDPOINT, secret: Type.String({ description: "`whsec_…`; told now and never again" }) },
  { title: "WebhookWithSecret" },
);
export const Webhooks = Type.Object({ paging: Paging, items: Type.Array(Webhook) }, { title: "Webhooks" });

export const WebhookEnabledBody = Type.Object({ enabled: Type.Boolean() }, { title: "WebhookEnabled" });

export const WebhookRotateBody = Type.Object(
  {
    keepOldSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 2_592_000, default: 86_400, description: "How long the old one signs, too" }),
    ),
  },
  { title: "WebhookRotate" },
);
export type WebhookRotateBody = Static<typeof WebhookRotateBody>;

export const WebhookTest = Type.Object(
  {
    delivered: Type.Boolean(),
    status: OrNull(Type.Integer({ description: "Null: no answer came" })),
    says: Type.String({ description: "The beginning of the answer, or why there was none" }),
    tookMs: OrNull(Type.Integer()),
  },
  { title: "WebhookTest" },
);

const DELIVERY = {
  id: Type.String(),
  messageId: Type.String({ description: "`webhook-id`: the same for the same event, however often it is delivered" }),
  type: Type.String(),
  state: Type.Union([Type.Literal("delivered"), Type.Literal("waiting"), Type.Literal("dead")]),
  began: Time("When it began, the last time"),
  next: OrNull(Time("When it is tried again")),
  error: OrNull(Type.String({ description: "Why it was given up" })),
  tries: Type.Array(
    Type.Object({
      at: Time("When it was called"),
      status: OrNull(Type.Integer({ description: "Null: no answer came" })),
      tookMs: Type.Integer(),
      says: Type.String({ description: "The beginning of the answer, or why there was none" }),
    }),
  ),
};
export const WebhookDelivery = Type.Object(DELIVERY, { title: "WebhookDelivery" });
export const WholeWebhookDelivery = Type.Object(
  { ...DELIVERY, payload: OrNull(JsonMap) },
  { title: "WholeWebhookDelivery", description: "With what was posted; null: it was never called" },
);
export const WebhookDeliveries = Type.Object(
  { paging: Paging, items: Type.Array(WebhookDelivery) },
  { title: "WebhookDeliveries" },
);

export const WebhookReplayBody = Type.Object(
  {
    from: Type.String({ description: "Events of this time (ISO 8601) and later" }),
    to: Type.Optional(Type.String({ description: "Events before this time; absent: now" })),
    pattern: Type.Optional(
      Type.Union([Type.String(), JsonMap], { description: "Which events; absent: those that it gets" }),
    ),
    bus: Type.Optional(Type.String({ description: "Whose events; absent: those that it gets" })),
  },
  { title: "WebhookReplayBody" },
);
export type WebhookReplayBody = Static<typeof WebhookReplayBody>;
