import { isJsonObject, type Json } from "#domain/json.ts";
import { ROUTING_DEPTH_MAX, ROUTING_ENTRIES_MAX } from "#domain/limits.ts";
import type { Routing } from "#domain/notification.ts";

/** Where a message may go: entries of `routing`, numbered in the order in which they are written. */
export type RouteTree = { readonly method: "single" | "all"; readonly nodes: readonly (RouteTree | Leaf)[] };

/** `entry` is a channel's name or a provider's key. */
export type Leaf = { readonly index: number; readonly entry: string };

/**
 * What is known of a leaf. `open`: to be tried (again). `held`: handed over without an answer, and nobody may try
 * again until a person decides.
 */
export type LeafState = "open" | "sent" | "failed" | "skipped" | "held";

/** Used when a send names no routing: the first way that reaches the person. */
export const DEFAULT_ROUTING: Routing = {
  method: "single",
  channels: ["email", "push", "sms", "direct_message", "inbox", "webhook"],
};

export function routeTree(routing: Routing): RouteTree {
  let index = 0;
  const build = (at: Routing): RouteTree => ({
    method: at.method,
    nodes: at.channels.map((entry) => (typeof entry === "string" ? { index: index++, entry } : build(entry))),
  });
  return build(routing);
}

/** Null when a routing is one, all the way down, and within its limits; otherwise what is wrong. */
export function routingProblem(routing: Json): string | null {
  let entries = 0;
  const check = (at: Json, depth: number): string | null => {
    if (depth > ROUTING_DEPTH_MAX) return `routing is nested deeper than ${ROUTING_DEPTH_MAX} levels`;
    const channels = isJsonObject(at) && (at["method"] === "single" || at["method"] === "all") ? at["channels"] : null;
    if (!Array.isArray(channels)) {
      return 'an entry of routing is a name, or a routing with a "method" (single or all) and "channels"';
    }
    for (const entry of channels as readonly Json[]) {
      entries += 1;
      if (entries > ROUTING_ENTRIES_MAX) return `routing has more than ${ROUTING_ENTRIES_MAX} entries`;
      const below = typeof entry === "string" ? null : check(entry, depth + 1);
      if (below !== null) return below;
    }
    return null;
  };
  return check(routing, 1);
}

export function leavesOf(tree: RouteTree): readonly Leaf[] {
  return tree.nodes.flatMap((node) => ("entry" in node ? [node] : leavesOf(node)));
}

/** What the whole comes to: `single` is what its first unfailed entry is, `all` is sent when any entry was sent. */
export function stateOf(tree: RouteTree, leaf: (index: number) => LeafState): LeafState {
  const states = tree.nodes.map((node) => ("entry" in node ? leaf(node.index) : stateOf(node, leaf)));
  if (tree.method === "single") {
    const decided = states.find((state) => state === "open" || state === "sent" || state === "held");
    return decided ?? (states.includes("failed") ? "failed" : "skipped");
  }
  for (const state of ["open", "sent", "held", "failed"] as const) if (states.includes(state)) return state;
  return "skipped";
}

/** The leaves to work on now. */
export function openLeaves(tree: RouteTree, leaf: (index: number) => LeafState): readonly number[] {
  const open: number[] = [];
  for (const node of tree.nodes) {
    const state = "entry" in node ? leaf(node.index) : stateOf(node, leaf);
    if (state === "open") {
      if ("entry" in node) open.push(node.index);
      else open.push(...openLeaves(node, leaf));
    }
    if (tree.method === "single" && (state === "open" || state === "sent" || state === "held")) break;
  }
  return open;
}

/** Whether giving this leaf up can open one that would else stay closed. */
export function hasFallback(tree: RouteTree, index: number, leaf: (index: number) => LeafState): boolean {
  const atWorst = (at: number): LeafState => (leaf(at) === "open" ? "failed" : leaf(at));
  for (const [at, node] of tree.nodes.entries()) {
    const inside = "entry" in node ? node.index === index : leavesOf(node).some((below) => below.index === index);
    if (!inside) continue;
    if (!("entry" in node) && hasFallback(node, index, leaf)) return true;
    if (tree.method === "all") return false;
    // What stands beside it may have reached them already; then nothing behind is tried, whatever becomes of it.
    const worst = "entry" in node ? "failed" : stateOf(node, atWorst);
    if (worst === "sent" || worst === "held") return false;
    return tree.nodes.slice(at + 1).some((later) => {
      const state = "entry" in later ? leaf(later.index) : stateOf(later, leaf);
      return state === "open";
    });
  }
  return false;
}
