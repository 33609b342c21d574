import { type Static, Type } from "./schema.ts";
import { JsonMap, OrNull, Paging } from "./shared.ts";

export const BusBody = Type.Object(
  {
    description: Type.Optional(Type.String()),
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { title: "BusBody" },
);
export type BusBody = Static<typeof BusBody>;

export const Bus = Type.Object(
  {
    name: Type.String(),
    description: OrNull(Type.String()),
    tags: Type.Record(Type.String(), Type.String()),
    arn: Type.String(),
  },
  { title: "Bus" },
);
export const Buses = Type.Object({ paging: Paging, items: Type.Array(Bus) }, { title: "Buses" });

export const RuleTarget = Type.Object(
  {
    id: Type.Optional(Type.String({ description: "Unique in its rule; absent: made of what it is" })),
    send: Type.Optional(
      Type.Unsafe<Readonly<Record<string, unknown>>>({
        type: "object",
        description: "A body of `POST /send` with `<names>`, and `paths` that say what of the event they stand for",
      }),
    ),
    queue: Type.Optional(Type.String({ description: "A queue's name" })),
    group: Type.Optional(Type.String({ description: "Message group, for FIFO queues" })),
    webhook: Type.Optional(Type.String({ description: "An endpoint's id" })),
    bus: Type.Optional(Type.String({ description: "Another bus, whose rules see the event too" })),
    arn: Type.Optional(Type.String({ description: "Any of these as an ARN" })),
    input: Type.Optional(Type.Unknown({ description: "What it is told instead of the event" })),
    inputPath: Type.Optional(Type.String({ description: "The part of the event that it is told" })),
    transform: Type.Optional(
      Type.Object({
        paths: Type.Optional(Type.Record(Type.String(), Type.String())),
        template: Type.String({ minLength: 1, maxLength: 262_144 }),
      }),
    ),
    retry: Type.Optional(
      Type.Object({
        attempts: Type.Optional(Type.Integer({ minimum: 0, maximum: 185 })),
        ageSeconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 86_400 })),
      }),
    ),
    deadLetterQueue: Type.Optional(
      Type.String({ description: "The queue for what could not be delivered; absent: it becomes a dead letter here" }),
    ),
  },
  { title: "RuleTarget" },
);
export type RuleTarget = Static<typeof RuleTarget>;

export const RuleBody = Type.Object(
  {
    pattern: Type.Optional(
      Type.Union([Type.String(), JsonMap], { description: "An event pattern, as an object or as its text" }),
    ),
    schedule: Type.Optional(Type.String({ description: "Kept and shown; nothing runs by it yet" })),
    enabled: Type.Optional(Type.Boolean({ default: true })),
    description: Type.Optional(Type.String()),
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
    targets: Type.Optional(Type.Array(RuleTarget, { maxItems: 100 })),
  },
  { title: "RuleBody" },
);
export type RuleBody = Static<typeof RuleBody>;

export const Rule = Type.Object(
  {
    bus: Type.String(),
    name: Type.String(),
    arn: Type.String(),
    pattern: OrNull(JsonMap),
    patternText: Type.Optional(
      Type.String({ description: "The pattern's text, only when its numbers do not survive a JSON parser" }),
    ),
    schedule: OrNull(Type.String()),
    enabled: Type.Boolean(),
    description: OrNull(Type.String()),
    tags: Type.Record(Type.String(), Type.String()),
    targets: Type.Array(JsonMap),
    managedBy: OrNull(Type.String({ description: "Who looks after it; nobody else may change it" })),
    created: Type.String({ format: "date-time" }),
    modified: Type.String({ format: "date-time" }),
  },
  { title: "Rule" },
);
export const RulesPage = Type.Object({ paging: Paging, items: Type.Array(Rule) }, { title: "Rules" });

export const RulePut = Type.Object(
  {
    was: Type.Union([Type.Literal("absent"), Type.Literal("same"), Type.Literal("different")], {
      description: "What there was before; `same`: nothing was written",
    }),
    rule: Rule,
  },
  { title: "RulePut" },
);

export const RuleEnabledBody = Type.Object({ enabled: Type.Boolean() }, { title: "RuleEnabled" });

export const RuleTestBody = Type.Object(
  {
    pattern: Type.Union([Type.String(), JsonMap]),
    event: Type.Union([Type.String(), JsonMap], { description: "A whole event, as rules see it" }),
  },
  { title: "RuleTestBody" },
);
export const RuleTest = Type.Object(
  {
    matches: Type.Boolean(),
    why: OrNull(Type.String({ description: "What does not hold; null when it matches" })),
  },
  { title: "RuleTest" },
);
