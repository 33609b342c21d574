import { type Static, Type } from "./schema.ts";
import { MessageDetails } from "./messages.ts";
import { EpochMs, JsonMap, Paging } from "./shared.ts";

export const WhyDeadline = Type.Object(
  {
    at: EpochMs,
    late: Type.String({ description: "What happens when it is late: drop, send or collapse" }),
    lateBy: Type.Union([Type.Integer(), Type.Null()], {
      description: "Milliseconds by which it was late when that was decided; null: it was in time so far",
    }),
    rule: Type.Union([Type.String(), Type.Null()], { description: "What was decided, and who asked for it" }),
  },
  { title: "WhyDeadline", description: "null: it has none" },
);

export const WhyReport = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        message: MessageDetails,
        answer: Type.String({ description: "Did it arrive, and if not, why not: one sentence" }),
        rule: Type.Union([Type.String(), Type.Null()], { description: "What decided it" }),
        deadline: Type.Union([WhyDeadline, Type.Null()]),
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
    subject: Type.Optional(Type.String()),
    time: Type.String(),
    datacontenttype: Type.Optional(Type.String()),
    dataschema: Type.Optional(Type.String()),
    traceparent: Type.Optional(Type.String()),
    bus: Type.Optional(Type.String({ description: "Left out: the bus `default`" })),
    sequence: Type.String({ description: "Position in the journal" }),
    data: Type.Optional(Type.Unknown()),
    data_base64: Type.Optional(Type.String()),
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
        parked: Type.Integer({ description: "Held back since a backup was restored; see `/admin/held`" }),
        dead: Type.Integer(),
        oldestReady: Type.Union([EpochMs, Type.Null()]),
      }),
    ),
  },
  { title: "QueueReport" },
);

export const NodeReport = Type.Object(
  {
    workers: Type.Integer({ description: "Nodes that work the queues; each keeps to its part of rates and places" }),
    nodes: Type.Array(
      Type.Object({
        id: Type.String({ description: "Made anew at each start; also in `application_name` of its connections" }),
        role: Type.String({ description: "all, api or worker" }),
        version: Type.String(),
        started: EpochMs,
        seen: EpochMs,
        live: Type.Boolean({ description: "False: not heard of for ten seconds; its part has been taken over" }),
        self: Type.Boolean({ description: "The node that answers" }),
      }),
    ),
  },
  { title: "NodeReport" },
);
export type NodeReport = Static<typeof NodeReport>;

export const HeldReport = Type.Object(
  {
    restored: Type.Union(
      [
        Type.Object({
          backupMade: EpochMs,
          restored: EpochMs,
          parked: Type.Integer({ description: "Jobs that were held back then" }),
        }),
        Type.Null(),
      ],
      { description: "The last restore; null when there was none" },
    ),
    jobs: Type.Integer({ description: "Jobs that are held back now" }),
    queues: Type.Array(
      Type.Object({
        queue: Type.String(),
        lane: Type.String(),
        jobs: Type.Integer(),
        firstEnqueued: EpochMs,
        lastEnqueued: EpochMs,
        firstDue: Type.Integer({ description: "Unix epoch, milliseconds; 0: at once" }),
        lastDue: Type.Integer({ description: "Unix epoch, milliseconds; 0: at once" }),
      }),
    ),
    lists: Type.Array(
      Type.Object({
        list: Type.Union([Type.String(), Type.Null()], { description: "Null: to no list, or to several" }),
        messages: Type.Integer(),
        fanOuts: Type.Integer({ description: "Sends whose recipients are not all known yet" }),
      }),
    ),
    listsComplete: Type.Boolean({ description: "False: there is more than was looked at for `lists`" }),
  },
  { title: "HeldReport", description: "What is held back since a backup was restored" },
);
export type HeldReport = Static<typeof HeldReport>;

export const HeldJobPage = Type.Object(
  {
    paging: Paging,
    results: Type.Array(
      Type.Object({
        key: Type.String({ description: "A message's job has the message's id" }),
        queue: Type.String(),
        lane: Type.String(),
        list: Type.Union([Type.String(), Type.Null()]),
        recipient: Type.Union([Type.String(), Type.Null()]),
        attempts: Type.Integer(),
        enqueued: EpochMs,
        due: Type.Integer({ description: "Unix epoch, milliseconds; in the past: at once" }),
      }),
    ),
  },
  { title: "HeldJobPage" },
);

export const HeldDecision = Type.Object(
  {
    all: Type.Optional(Type.Boolean({ description: "Everything that is held back" })),
    queue: Type.Optional(Type.String({ description: "Of this queue" })),
    list: Type.Optional(
      Type.String({ description: "Messages that came of this list, and sends that go to nobody else" }),
    ),
    request: Type.Optional(Type.String({ description: "Of this request" })),
    enqueuedFrom: Type.Optional(Type.Integer({ description: "Enqueued then or later; Unix epoch, milliseconds" })),
    enqueuedBefore: Type.Optional(Type.Integer({ description: "Enqueued earlier; Unix epoch, milliseconds" })),
    dueFrom: Type.Optional(Type.Integer({ description: "Due then or later; Unix epoch, milliseconds" })),
    dueBefore: Type.Optional(Type.Integer({ description: "Due earlier, or at once; Unix epoch, milliseconds" })),
    cursor: Type.Optional(Type.String({ description: "`paging.cursor` of the step before, with the same choice" })),
  },
  { title: "HeldDecision", description: "Which of what is held back; what is given must all be so" },
);
export type HeldDecision = Static<typeof HeldDecision>;

export const HeldStepReport = Type.Object(
  {
    done: Type.Integer({ description: "Jobs that were decided on in this step" }),
    gone: Type.Integer({ description: "Jobs that somebody else had decided on before" }),
    paging: Paging,
  },
  { title: "HeldStepReport", description: "A call goes one bounded step; while `paging.more`, call again" },
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
        lagEvents: Type.Integer({ description: "Events it has not seen yet; counting stops at 100 000" }),
        lagMs: Type.Integer({ description: "Age of the oldest event it has not seen (the iterator age)" }),
        state: Type.Union(
          [Type.Literal("working"), Type.Literal("free"), Type.Literal("parked"), Type.Literal("gone")],
          {
            description:
              "Whether a worker holds the partition; `free`: none does; `parked`: held back by a restore; `gone`: no node runs this reader",
          },
        ),
        failing: Type.Union(
          [
            Type.Object({
              position: Type.Integer({ description: "The event that fails, or the first of the batch" }),
              attempts: Type.Integer(),
            }),
            Type.Null(),
          ],
          { description: "What it cannot handle and tries again; null: nothing" },
        ),
        dead: Type.Integer({ description: "Dead letters of the whole reader" }),
      }),
    ),
  },
  { title: "ConsumerReport" },
);
export type ConsumerReport = Static<typeof ConsumerReport>;

export const RuleReport = Type.Object(
  {
    since: EpochMs,
    rules: Type.Array(
      Type.Object({
        bus: Type.String(),
        name: Type.String(),
        waiting: Type.Integer({ description: "Deliveries that are not done yet; counting stops at 10 000" }),
        oldest: Type.Union([EpochMs, Type.Null()], { description: "Since when the oldest of them waits" }),
        dead: Type.Integer({ description: "Deliveries that became dead letters here; counting stops at 100" }),
        matched: Type.Integer({ description: "Events; this and what follows: on the node that answers, `since`" }),
        delivered: Type.Integer(),
        retried: Type.Integer({ description: "Tries that failed and are repeated" }),
        failed: Type.Integer({ description: "Deliveries that were given up" }),
      }),
    ),
  },
  { title: "RuleReport", description: "Rules that have something to show, by bus and name" },
);
export type RuleReport = Static<typeof RuleReport>;

export const Health = Type.Object({ status: Type.String(), version: Type.String() }, { title: "Health" });
export const Readiness = Type.Object(
  { status: Type.String(), reason: Type.Optional(Type.String()) },
  { title: "Readiness" },
);
