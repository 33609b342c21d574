import { type Static, Type } from "./schema.ts";
import { CursorQuery, EpochMs, JsonMap, OrNull, Paging } from "./shared.ts";

/** Courier's statuses; a message's only moves forward. */
export const MessageStatus = Type.String({
  title: "MessageStatus",
  enum: [
    "ENQUEUED",
    "DELAYED",
    "ROUTED",
    "SENT",
    "DELIVERED",
    "OPENED",
    "CLICKED",
    "CANCELED",
    "FILTERED",
    "THROTTLED",
    "DIGESTED",
    "SIMULATED",
    "UNDELIVERABLE",
    "UNMAPPED",
    "UNROUTABLE",
  ],
});

const details = {
  id: Type.String(),
  status: MessageStatus,
  enqueued: EpochMs,
  event: Type.String({ description: 'The name given in `metadata.event`; "" without one' }),
  notification: Type.String({ description: 'Template id; "" for inline content' }),
  recipient: Type.String({ description: "User id, or the address of someone who has none" }),
  requestId: Type.String({ description: "The call that it comes from" }),
  sent: Type.Optional(EpochMs),
  delivered: Type.Optional(EpochMs),
  opened: Type.Optional(EpochMs),
  clicked: Type.Optional(EpochMs),
  canceledAt: Type.Optional(EpochMs),
  reason: Type.Optional(
    Type.String({
      description:
        "Why it was not sent: UNSUBSCRIBED, OPT_IN_REQUIRED, FILTERED, NO_CHANNELS, NO_PROVIDERS, PROVIDER_ERROR, UNPUBLISHED, BOUNCED, FAILED",
    }),
  ),
  error: Type.Optional(Type.String({ description: "What the provider or the rule said" })),
  listId: Type.Optional(Type.String({ description: "The list that it was sent to" })),
  listMessageId: Type.Optional(Type.String({ description: "The request that was sent to the list" })),
  tags: Type.Optional(Type.Array(Type.String())),
  archived: Type.Optional(EpochMs),
};

export const MessageDetails = Type.Object(details, { title: "MessageDetails" });
export type MessageDetails = Static<typeof MessageDetails>;

export const MessageProvider = Type.Object(
  {
    provider: Type.String(),
    channel: Type.Object({ key: Type.String(), name: Type.String(), template: Type.String() }),
    status: Type.String(),
    sent: Type.Optional(EpochMs),
    delivered: Type.Optional(EpochMs),
    opened: Type.Optional(EpochMs),
    clicked: Type.Optional(EpochMs),
    error: Type.Optional(Type.String()),
    reference: Type.Optional(JsonMap),
  },
  { title: "MessageProvider", description: "One provider that was tried" },
);
export type MessageProvider = Static<typeof MessageProvider>;

export const MessageWithProviders = Type.Object(
  { ...details, providers: Type.Array(MessageProvider) },
  { title: "MessageWithProviders" },
);
export type MessageWithProviders = Static<typeof MessageWithProviders>;

export const MessagePage = Type.Object(
  { paging: Paging, results: Type.Array(MessageDetails) },
  { title: "MessagePage" },
);
export type MessagePage = Static<typeof MessagePage>;

/** Filters of the listing: AND between parameters, OR inside an array. */
export const MessageQuery = Type.Object({
  archived: Type.Optional(Type.Boolean({ description: "true: archived ones too" })),
  cursor: CursorQuery,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 10, description: "Messages on a page" })),
  enqueued_after: Type.Optional(Type.String({ description: "Epoch milliseconds, or ISO 8601" })),
  event: Type.Optional(Type.String()),
  list: Type.Optional(Type.String({ description: "List id" })),
  messageId: Type.Optional(Type.String()),
  notification: Type.Optional(Type.String({ description: "Template id" })),
  provider: Type.Optional(Type.Array(Type.String(), { description: "Provider keys" })),
  recipient: Type.Optional(Type.String({ description: "User id, or the address of someone who has none" })),
  status: Type.Optional(Type.Array(Type.String())),
  tag: Type.Optional(Type.Array(Type.String(), { description: "Has any of these" })),
  tags: Type.Optional(Type.Array(Type.String(), { description: "The same as `tag`" })),
  tenant_id: Type.Optional(Type.String()),
  traceId: Type.Optional(Type.String({ description: "`metadata.trace_id`, or a request id" })),
});

/** Kinds of history rows, as Courier names them; HELD is ours. */
export const HISTORY_TYPES = [
  "ENQUEUED",
  "MAPPED",
  "UNMAPPED",
  "PROFILE_LOADED",
  "FILTERED",
  "DELAYED",
  "DIGESTED",
  "ROUTED",
  "RENDERED",
  "DELIVERING",
  "RETRY",
  "PROVIDER_ERROR",
  "SENT",
  "DELIVERED",
  "OPENED",
  "CLICKED",
  "UNDELIVERABLE",
  "UNROUTABLE",
  "CANCELED",
  "THROTTLED",
  "SIMULATED",
  "HELD",
] as const;
export type HistoryType = (typeof HISTORY_TYPES)[number];

export const HistoryRow = Type.Object(
  { type: Type.String({ enum: [...HISTORY_TYPES] }), ts: EpochMs },
  { title: "HistoryRow", description: "Further fields depend on `type`" },
);

export const MessageHistory = Type.Object({ results: Type.Array(HistoryRow) }, { title: "MessageHistory" });

export const MessageOutput = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        channel: Type.String(),
        channel_id: Type.String(),
        content: Type.Object({
          html: Type.String(),
          title: Type.String(),
          body: Type.String(),
          subject: Type.String(),
          text: Type.String(),
          blocks: Type.Array(Type.Object({ type: Type.String(), text: Type.String() })),
        }),
      }),
    ),
  },
  { title: "MessageOutput" },
);
export type MessageOutput = Static<typeof MessageOutput>;

export const ResendAnswer = Type.Object({ messageId: Type.String() }, { title: "ResendAnswer" });

export const RequestReport = Type.Object(
  {
    requestId: Type.String(),
    accepted: EpochMs,
    archived: OrNull(EpochMs),
    messages: Type.Integer({ description: "How many messages it has become so far" }),
    outcomes: Type.Unsafe<Readonly<Record<string, number>>>({
      type: "object",
      additionalProperties: { type: "integer" },
      description: "How many messages are in each status",
    }),
    settled: Type.Integer({ description: "Those that have their one outcome" }),
    pending: Type.Integer({ description: "Those that are still on their way" }),
    complete: Type.Boolean({ description: "Nothing more comes: every recipient is known and every message settled" }),
    heldBack: Type.Boolean({ description: "Some of it waits for a decision since a backup was restored" }),
    dropped: OrNull(
      Type.Integer({
        description: "When the rest of its recipients was given up after a restore: they get no message; epoch, ms",
      }),
    ),
  },
  { title: "RequestReport", description: "Was everybody told?" },
);
export type RequestReport = Static<typeof RequestReport>;

export const AttachmentAnswer = Type.Object(
  {
    id: Type.String({ description: "Name it in a message's attachments" }),
    bytes: Type.Integer(),
    filename: Type.String(),
    contentType: Type.String(),
  },
  { title: "AttachmentAnswer" },
);
