import type { Calls } from "#topology/facts.ts";

/** The whole system as one drawing, in a stable order. Every edge leads from a node to a node. */
export type Graph = {
  readonly atMs: number;
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  /** Work that waits in lines which all share, so that it belongs to no single node. */
  readonly shared: readonly { readonly name: string; readonly load: Load }[];
  /** Sentences about what is not drawn in full. */
  readonly notes: readonly string[];
};

export const NODE_KINDS = [
  "door",
  "schedule",
  "own",
  "bus",
  "journal",
  "rule",
  "queue",
  "files",
  "function",
  "reader",
  "send",
  "webhook",
  "list",
  "documents",
  "other",
] as const;

/**
 * `own`: what Tidings itself does, which it tells on a bus of its own. `send`: the notifications, from accepted to their
 * outcome. `other`: what a rule names and nobody here delivers to.
 */
export type NodeKind = (typeof NODE_KINDS)[number];

/** `faulty`: it does not run. `missing`: something leads to it, and it is not there. `off`: somebody wants it so. */
export type NodeState = "fine" | "off" | "faulty" | "missing";

export type Node = {
  /** `kind:name`, or `more:kind` for all that are not drawn one by one; the same for ever. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly name: string;
  /** A few words; null: the name says it. */
  readonly says: string | null;
  readonly state: NodeState;
  /** Why it is not fine. */
  readonly why: string | null;
  /** Null: nothing can wait there. */
  readonly load: Load | null;
  /** Null: nothing is counted there. */
  readonly calls: Calls | null;
  /** Of readers of the journal: events that they have not read. */
  readonly behind: number | null;
  /** When it starts next. */
  readonly nextMs: number | null;
  /** How many things are drawn as this one; `isCut`: at least so many. */
  readonly many: number;
  readonly isCut: boolean;
};

export type Load = {
  /** To be done now or later. */
  readonly waiting: number;
  readonly inHand: number;
  /** Dead letters. */
  readonly dead: number;
  /** Age of the oldest that could be done now; null: there is none. */
  readonly oldestMs: number | null;
};

/**
 * `gives`: from where it comes to where it is told to go. `starts`: a function. `dead`: dead letters. `emits`: what a function
 * was seen to do since this node was started; what it never did is not known.
 */
export type EdgeKind = "gives" | "starts" | "dead" | "emits";

export type Edge = {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  readonly label: string | null;
  /** It is there, but nothing goes along it now. */
  readonly isOff: boolean;
  /** How many are drawn as this one. */
  readonly many: number;
};

export function idOf(kind: NodeKind, name: string): string {
  return `${kind}:${name}`;
}

/** Of the node that stands for the rest of its kind; no kind is called `more`, so nothing else has it. */
export function restId(kind: NodeKind): string {
  return `more:${kind}`;
}

/** A node of which nothing is known but that it is there. */
export function plainNode(kind: NodeKind, name: string, more: Partial<Node> = {}): Node {
  const nothing = {
    says: null,
    state: "fine",
    why: null,
    load: null,
    calls: null,
    behind: null,
    nextMs: null,
  } as const;
  return { id: idOf(kind, name), kind, name, ...nothing, many: 1, isCut: false, ...more };
}

/** Share of calls that failed, from 0 to 1; null when there was none. */
export function errorRate({ done, failed }: Calls): number | null {
  return done + failed === 0 ? null : failed / (done + failed);
}

/** Nodes by kind, in the order in which things flow, and by name; edges by where they begin and end. */
export function ordered(graph: Graph): Graph {
  const nodes = graph.nodes.toSorted(
    (one, other) => NODE_KINDS.indexOf(one.kind) - NODE_KINDS.indexOf(other.kind) || compare(one.id, other.id),
  );
  const places = new Map(nodes.map(({ id }, place) => [id, place]));
  const place = (id: string): number => places.get(id) ?? nodes.length;
  const edges = graph.edges.toSorted(
    (one, other) =>
      place(one.from) - place(other.from) ||
      place(one.to) - place(other.to) ||
      compare(one.kind, other.kind) ||
      compare(one.label ?? "", other.label ?? ""),
  );
  return { ...graph, nodes, edges };
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
