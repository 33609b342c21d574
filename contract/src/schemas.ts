import { type Static, Type } from "./schema.ts";
import { EpochMs, JsonMap, OrNull, Paging } from "./shared.ts";

const HEAD = {
  type: Type.String({ description: "The event type" }),
  source: OrNull(Type.String({ description: "Only for events of this source; null: for all" })),
  state: Type.Union([Type.Literal("active"), Type.Literal("off")]),
  latest: Type.Integer({ description: "The newest version, from 1" }),
  created: EpochMs,
  updated: EpochMs,
};

export const EventSchema = Type.Object(HEAD, { title: "EventSchema" });
export type EventSchema = Static<typeof EventSchema>;

export const EventSchemas = Type.Object(
  { paging: Paging, results: Type.Array(EventSchema) },
  { title: "EventSchemas" },
);
export type EventSchemas = Static<typeof EventSchemas>;

export const WholeEventSchema = Type.Object({ ...HEAD, schema: JsonMap }, { title: "WholeEventSchema" });
export type WholeEventSchema = Static<typeof WholeEventSchema>;

export const SchemaStateBody = Type.Object(
  { state: Type.Union([Type.Literal("active"), Type.Literal("off")], { description: "off: nothing is judged by it" }) },
  { title: "SchemaStateBody" },
);
export type SchemaStateBody = Static<typeof SchemaStateBody>;

export const SchemaFinding = Type.Object(
  {
    kind: Type.Union([Type.Literal("breaking"), Type.Literal("compatible"), Type.Literal("unsure")]),
    at: Type.String({ description: "A JSON pointer into the data; `*` for each entry" }),
    says: Type.String(),
  },
  { title: "SchemaFinding" },
);

export const SchemaReader = Type.Object(
  {
    field: Type.String({ description: "A JSON pointer into the data" }),
    what: Type.String({ description: "pattern, path or words" }),
    bus: Type.String(),
    rule: Type.String(),
    target: OrNull(Type.String()),
    reads: Type.String(),
  },
  { title: "SchemaReader" },
);

export const SchemaCheck = Type.Object(
  {
    type: Type.String(),
    against: OrNull(Type.Integer({ description: "The version that it was compared with; null: there is none" })),
    verdict: Type.Union([Type.Literal("breaking"), Type.Literal("compatible"), Type.Literal("unsure")]),
    findings: Type.Array(SchemaFinding),
    readers: Type.Array(SchemaReader, { description: "Rules that read a field that goes away or changes" }),
  },
  { title: "SchemaCheck" },
);
export type SchemaCheck = Static<typeof SchemaCheck>;

const Choice = Type.Union([Type.Literal("ignore"), Type.Literal("quarantine"), Type.Literal("reject")]);

export const SchemaPolicyBody = Type.Object(
  { unfit: Type.Optional(Choice), unknown: Type.Optional(Choice) },
  { title: "SchemaPolicyBody" },
);
export type SchemaPolicyBody = Static<typeof SchemaPolicyBody>;

export const SchemaPolicies = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        source: Type.String({ description: "`*`: all that have no policy of their own" }),
        unfit: Type.String({ description: "What becomes of an event that does not fit the schema of its type" }),
        unknown: Type.String({ description: "What becomes of an event whose type has no schema" }),
      }),
    ),
  },
  { title: "SchemaPolicies" },
);
export type SchemaPolicies = Static<typeof SchemaPolicies>;

export const QuarantinedEvents = Type.Object(
  {
    paging: Paging,
    results: Type.Array(
      Type.Object({
        key: Type.String({ description: "Names it in calls" }),
        says: Type.String({ description: "Why it waits" }),
        since: EpochMs,
        event: JsonMap,
      }),
    ),
  },
  { title: "QuarantinedEvents" },
);
export type QuarantinedEvents = Static<typeof QuarantinedEvents>;
