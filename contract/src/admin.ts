import { type Static, Type } from "./schema.ts";
import { MessageDetails } from "./messages.ts";
import { EpochMs, JsonMap, Paging } from "./shared.ts";

export const WhyReport = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        message: MessageDetails,
        answer: Type.String({ description: "Did it arrive, and if not, why not: one sentence" }),
        rule: Type.Union([Type.String(), Type.Null()], { description: "What decided it" }),
        steps: Type.Array(Type.Object({ at: EpochMs, type: Type.String(), sentence: Type.String() })),
      }),
    ),
  },
  { title: "WhyReport" },
);
export type WhyReport = Static<typeof WhyReport>;

export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal("1.0"),
    id: Type.String(),
    source: Type.String(),
    type: Type.String(),
    subject: Type.String(),
    time: Type.String(),
    datacontenttype: Type.String(),
    traceparent: Type.Optional(Type.String()),
    sequence: Type.String({ description: "Position in the journal" }),
    data: Type.Unknown(),
  },
  { title: "CloudEvent" },
);

export const EventPage = Type.Object(
  {
    events: Type.Array(CloudEvent),
    next: Type.Integer({ description: "Give it back as `after`; everything up to here was looked at" }),
    more: Type.Boolean(),
    last: Type.Integer({ description: "Position of the newest event" }),
  },
  { title: "EventPage" },
);

export const DeadLetter = Type.Object(
  {
    key: Type.String(),
    queue: Type.String(),
    lane: Type.String(),
    error: Type.String(),
    attempts: Type.Integer(),
    enqueued: EpochMs,
    died: EpochMs,
    payload: Type.Unknown(),
    traceparent: Type.Union([Type.String(), Type.Null()]),
  },
  { title: "DeadLetter" },
);
export type DeadLetter = Static<typeof DeadLetter>;

export const DeadLetterPage = Type.Object(
  { paging: Paging, results: Type.Array(DeadLetter) },
  { title: "DeadLetterPage" },
);

export const RedriveRequest = Type.Object(
  {
    keys: Type.Optional(Type.Array(Type.String(), { maxItems: 10_000, description: "These" })),
    queue: Type.Optional(Type.String({ description: "All of this queue" })),
    all: Type.Optional(Type.Boolean({ description: "All there are" })),
    payload: Type.Optional(JsonMap),
  },
  {
    title: "RedriveRequest",
    description: "Which dead letters to try again; with one key, `payload` replaces its payload",
  },
);
export type RedriveRequest = Static<typeof RedriveRequest>;

export const RedriveReport = Type.Object(
  {
    revived: Type.Integer(),
    gone: Type.Integer({ description: "Were not there (any more)" }),
    more: Type.Boolean({ description: "The bound of one call was reached; call again" }),
  },
  { title: "RedriveReport" },
);
export type RedriveReport = Static<typeof RedriveReport>;

export const QueueReport = Type.Object(
  {
    queues: Type.Array(
      Type.Object({
        queue: Type.String(),
        lane: Type.String(),
        waiting: Type.Integer(),
        ready: Type.Integer(),
        held: Type.Integer(),
        dead: Type.Integer(),
        oldestReady: Type.Union([EpochMs, Type.Null()]),
      }),
    ),
  },
  { title: "QueueReport" },
);

export const ConsumerReport = Type.Object(
  {
    last: Type.Integer({ description: "Position of the newest event" }),
    consumers: Type.Array(
      Type.Object({
        consumer: Type.String(),
        partition: Type.Integer(),
        position: Type.Integer(),
        updated: EpochMs,
        lagEvents: Type.Integer(),
        lagMs: Type.Integer({ description: "Age of the oldest event it has not seen (the iterator age)" }),
      }),
    ),
  },
  { title: "ConsumerReport" },
);
export type ConsumerReport = Static<typeof ConsumerReport>;

export const Health = Type.Object({ status: Type.String(), version: Type.String() }, { title: "Health" });
export const Readiness = Type.Object(
  { status: Type.String(), reason: Type.Optional(Type.String()) },
  { title: "Readiness" },
);
