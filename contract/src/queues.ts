import { type Static, Type } from "./schema.ts";
import { EpochMs, OrNull, Paging } from "./shared.ts";

const Ms = (description: string) => Type.Integer({ minimum: 0, description: `Milliseconds; ${description}` });

const DeadLetter = Type.Object(
  {
    queue: Type.String({ description: "Gets what was received too often" }),
    receive_max: Type.Integer({ minimum: 1, maximum: 1_000, description: "How often a message may be received" }),
  },
  { title: "QueueDeadLetter" },
);

const Fifo = Type.Object(
  {
    content_dedup: Type.Boolean({ description: "Equal bodies within five minutes are one message" }),
    dedup_scope: Type.Union([Type.Literal("queue"), Type.Literal("group")]),
  },
  { title: "QueueFifo" },
);

const ATTRIBUTES = {
  visibility_ms: Ms("how long a received message stays hidden; at most 12 hours"),
  delay_ms: Ms("how long a sent message stays hidden; at most 15 minutes"),
  retention_ms: Ms("older messages are dropped; a minute to 14 days"),
  wait_ms: Ms("how long a receive waits unless it says otherwise; at most 20 seconds"),
  message_bytes_max: Type.Integer({ minimum: 1024, maximum: 1_048_576 }),
};

/** What a queue is to be like; what is not given keeps its value, or gets the default. */
export const QueueBody = Type.Object(
  {
    visibility_ms: Type.Optional(ATTRIBUTES.visibility_ms),
    delay_ms: Type.Optional(ATTRIBUTES.delay_ms),
    retention_ms: Type.Optional(ATTRIBUTES.retention_ms),
    wait_ms: Type.Optional(ATTRIBUTES.wait_ms),
    message_bytes_max: Type.Optional(ATTRIBUTES.message_bytes_max),
    dead_letter: OrNull(DeadLetter),
    fifo: Type.Optional(
      Type.Object({
        content_dedup: Type.Optional(Fifo.properties.content_dedup),
        dedup_scope: Type.Optional(Fifo.properties.dedup_scope),
      }),
    ),
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { title: "QueueBody" },
);
export type QueueBody = Static<typeof QueueBody>;

export const QueueCounts = Type.Object(
  {
    visible: Type.Integer(),
    in_flight: Type.Integer({ description: "Received and not deleted yet" }),
    delayed: Type.Integer(),
    oldest_visible: Type.Union([EpochMs, Type.Null()]),
  },
  { title: "QueueCounts" },
);
export type QueueCounts = Static<typeof QueueCounts>;

const QueueTally = Type.Object(
  {
    sent: Type.Integer(),
    received: Type.Integer(),
    deleted: Type.Integer(),
    dead_lettered: Type.Integer({ description: "Received too often, and moved" }),
    expired: Type.Integer({ description: "Older than `retention_ms`" }),
    moved: Type.Integer({ description: "Moved back by a redrive" }),
  },
  { title: "QueueTally", description: "Messages by what happened to them on the node that answers, since it started" },
);

export const Queue = Type.Object(
  {
    name: Type.String(),
    created: EpochMs,
    modified: EpochMs,
    ...ATTRIBUTES,
    dead_letter: Type.Union([DeadLetter, Type.Null()]),
    fifo: Type.Union([Fifo, Type.Null()], { description: "Null: a standard queue" }),
    tags: Type.Record(Type.String(), Type.String()),
    counts: QueueCounts,
    tally: QueueTally,
  },
  { title: "Queue" },
);
export type Queue = Static<typeof Queue>;

export const Queues = Type.Object({ paging: Paging, results: Type.Array(Queue) }, { title: "Queues" });
export type Queues = Static<typeof Queues>;

export const QueueMessageBody = Type.Object(
  {
    body: Type.String({ minLength: 1 }),
    attributes: OrNull(
      Type.Record(
        Type.String(),
        Type.Object({
          type: Type.String({ description: "String, Number or Binary, perhaps with a suffix (Number.int)" }),
          value: Type.String({ description: "Text; of Binary base64" }),
        }),
        { description: "At most ten" },
      ),
    ),
    delay_ms: OrNull(Type.Integer({ minimum: 0, maximum: 900_000 })),
    group_id: OrNull(Type.String({ description: "Messages of a group are received in order; FIFO queues need it" })),
    dedup_id: OrNull(Type.String({ description: "Sent again within five minutes it is one message; FIFO queues" })),
  },
  { title: "QueueMessageBody" },
);
export type QueueMessageBody = Static<typeof QueueMessageBody>;

export const QueueMessageSent = Type.Object(
  {
    id: Type.String(),
    sequence: Type.Union([Type.String(), Type.Null()], { description: "FIFO queues" }),
    repeated: Type.Boolean({ description: "It was sent before; nothing was stored" }),
  },
  { title: "QueueMessageSent" },
);
export type QueueMessageSent = Static<typeof QueueMessageSent>;

export const QueueRedriveBody = Type.Object(
  {
    to: OrNull(Type.String({ description: "A queue for all; default: each back to where it came from" })),
    per_second_max: OrNull(Type.Integer({ minimum: 1, maximum: 500 })),
  },
  { title: "QueueRedriveBody" },
);
export type QueueRedriveBody = Static<typeof QueueRedriveBody>;

export const QueueMove = Type.Object(
  {
    id: Type.String(),
    status: Type.Union([
      Type.Literal("running"),
      Type.Literal("cancelling"),
      Type.Literal("cancelled"),
      Type.Literal("completed"),
      Type.Literal("failed"),
    ]),
    to: Type.Union([Type.String(), Type.Null()]),
    per_second_max: Type.Union([Type.Integer(), Type.Null()]),
    moved: Type.Integer(),
    to_move: Type.Integer({ description: "What lay there when it began" }),
    started: EpochMs,
    ended: Type.Union([EpochMs, Type.Null()]),
    failure: Type.Union([Type.String(), Type.Null()]),
  },
  { title: "QueueMove" },
);
export type QueueMove = Static<typeof QueueMove>;

export const QueueMoves = Type.Object({ results: Type.Array(QueueMove) }, { title: "QueueMoves" });
export type QueueMoves = Static<typeof QueueMoves>;
