import { type Static, Type } from "./schema.ts";
import { JsonMap, OrNull } from "./shared.ts";

export const EventKept = Type.Object(
  {
    id: Type.String({ description: "The event's id, its own or the one that it got" }),
    quarantined: Type.Optional(
      Type.String({ description: "It does not fit its schema, as this says, and waits for somebody's word" }),
    ),
  },
  { title: "EventKept" },
);
export type EventKept = Static<typeof EventKept>;

/** Of a batch, in its order. */
export const EventsKept = Type.Object({ events: Type.Array(EventKept) }, { title: "EventsKept" });
export type EventsKept = Static<typeof EventsKept>;

export const PlainEventQuery = Type.Object({
  source: Type.Optional(Type.String({ description: "Where it happened; default: the API key's name" })),
  id: Type.Optional(Type.String({ description: "With the source, what is kept once; default: the Idempotency-Key" })),
  subject: Type.Optional(Type.String({ description: "What it happened to" })),
  time: Type.Optional(Type.String({ description: "When it happened, as RFC 3339 has it; default: now" })),
  bus: Type.Optional(Type.String({ description: "The bus; default: `default`" })),
});
export type PlainEventQuery = Static<typeof PlainEventQuery>;

export const InboundEvent = Type.Object(
  {
    event: Type.String({ minLength: 1, description: "What happened: the type of the event" }),
    messageId: Type.String({ minLength: 1, description: "Unique for the caller: the id of the event" }),
    properties: JsonMap,
    type: Type.Literal("track"),
    userId: OrNull(Type.String({ description: "Whom it happened to: the subject of the event" })),
  },
  { title: "InboundEvent" },
);
export type InboundEvent = Static<typeof InboundEvent>;

export const InboundAnswer = Type.Object({ messageId: Type.String() }, { title: "InboundAnswer" });
export type InboundAnswer = Static<typeof InboundAnswer>;
