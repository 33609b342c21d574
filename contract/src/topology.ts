import { type Static, Type } from "./schema.ts";
import { EpochMs } from "./shared.ts";

const Load = Type.Object(
  {
    waiting: Type.Integer({ description: "To be done now or later" }),
    in_hand: Type.Integer(),
    dead: Type.Integer({ description: "Dead letters" }),
    oldest_ms: Type.Union([Type.Integer(), Type.Null()], {
      description: "Age of the oldest that could be done now; null: there is none",
    }),
  },
  { title: "TopologyLoad" },
);

const Calls = Type.Object(
  {
    done: Type.Integer(),
    failed: Type.Integer(),
    error_rate: Type.Union([Type.Number(), Type.Null()], { description: "0 to 1; null: nothing was done yet" }),
  },
  { title: "TopologyCalls", description: "On the node that answers, since it was started" },
);

export const TopologyNode = Type.Object(
  {
    id: Type.String({
      description: "`kind:name`, or `more:kind` for all that are not drawn one by one; the same for ever",
    }),
    kind: Type.Union(
      [
        Type.Literal("door"),
        Type.Literal("schedule"),
        Type.Literal("own"),
        Type.Literal("bus"),
        Type.Literal("journal"),
        Type.Literal("rule"),
        Type.Literal("queue"),
        Type.Literal("files"),
        Type.Literal("function"),
        Type.Literal("reader"),
        Type.Literal("send"),
        Type.Literal("webhook"),
        Type.Literal("list"),
        Type.Literal("documents"),
        Type.Literal("other"),
      ],
      { description: "own: what Tidings itself tells; send: the notifications; other: what nobody here delivers to" },
    ),
    name: Type.String(),
    says: Type.Union([Type.String(), Type.Null()], {
      description: "A few words: the trigger, the pattern, the address",
    }),
    state: Type.Union([Type.Literal("fine"), Type.Literal("off"), Type.Literal("faulty"), Type.Literal("missing")], {
      description: "missing: something leads to it, and it is not there",
    }),
    why: Type.Union([Type.String(), Type.Null()], { description: "Why it is not fine" }),
    load: Type.Union([Load, Type.Null()]),
    calls: Type.Union([Calls, Type.Null()]),
    behind: Type.Union([Type.Integer(), Type.Null()], { description: "Of readers: events that they have not read" }),
    next: Type.Union([EpochMs, Type.Null()], { description: "When it starts next" }),
    many: Type.Integer({ description: "How many are drawn as this one" }),
    at_least: Type.Boolean({ description: "There are more than `many` says" }),
  },
  { title: "TopologyNode" },
);
export type TopologyNode = Static<typeof TopologyNode>;

export const TopologyEdge = Type.Object(
  {
    from: Type.String(),
    to: Type.String(),
    kind: Type.Union([Type.Literal("gives"), Type.Literal("starts"), Type.Literal("dead"), Type.Literal("emits")], {
      description: "emits: what a function was seen to do since the node was started",
    }),
    label: Type.Union([Type.String(), Type.Null()]),
    off: Type.Boolean({ description: "Nothing goes along it now" }),
    many: Type.Integer({ description: "How many are drawn as this one" }),
  },
  { title: "TopologyEdge" },
);
export type TopologyEdge = Static<typeof TopologyEdge>;

/** The whole system as one graph. */
export const Topology = Type.Object(
  {
    at: EpochMs,
    nodes: Type.Array(TopologyNode),
    edges: Type.Array(TopologyEdge, { description: "Each leads from a node to a node" }),
    shared: Type.Array(Type.Object({ name: Type.String(), load: Load }), {
      description: "Work that waits in lines which all share",
    }),
    notes: Type.Array(Type.String(), { description: "What is not drawn in full" }),
  },
  { title: "Topology" },
);
export type Topology = Static<typeof Topology>;
