import { added } from "#topology/draw.ts";
import { type Edge, type Graph, type Node, type NodeKind, plainNode, restId } from "#topology/graph.ts";

/** So many of a kind are drawn one by one: more than that, nobody reads. */
export const SHOWN_MAX: Readonly<Record<NodeKind, number>> = {
  door: 10,
  schedule: 50,
  own: 1,
  bus: 50,
  journal: 1,
  rule: 100,
  queue: 150,
  files: 1,
  function: 200,
  reader: 20,
  send: 1,
  webhook: 60,
  list: 10,
  documents: 50,
  other: 20,
};

/**
 * Makes a drawing one that somebody can look at: of a kind that has very many, those stay that need somebody or that others
 * are connected with, and the rest is drawn as one node. Its edges are the edges of all of them, counted.
 * @param cut kinds of which nobody has looked at all.
 */
export function fold(graph: Graph, cut: ReadonlySet<NodeKind>, shown = SHOWN_MAX): Graph {
  const links = linksOf(graph);
  const nodes: Node[] = [];
  const notes: string[] = [];
  const places = new Map<string, string>();
  for (const [kind, all] of Map.groupBy(graph.nodes, (node) => node.kind)) {
    const isCut = cut.has(kind);
    const most = shown[kind];
    if (all.length <= most) {
      nodes.push(...all);
      if (isCut) nodes.push(restOf(kind, [], true));
      continue;
    }
    const byNeed = all.toSorted((one, other) => compare(rankOf(one, links), rankOf(other, links)) || order(one, other));
    const rest = byNeed.slice(most);
    const folded = restOf(kind, rest, isCut);
    for (const { id } of rest) places.set(id, folded.id);
    nodes.push(...byNeed.slice(0, most), folded);
    notes.push(`${rest.length.toLocaleString("en")} ${PLURALS[kind]} are drawn as one.`);
  }
  return { ...graph, nodes, edges: moved(graph.edges, places), notes: [...graph.notes, ...notes] };
}

/** What a kind is called when there are several. */
export const PLURALS: Readonly<Record<NodeKind, string>> = {
  door: "doors",
  schedule: "schedules",
  own: "own",
  bus: "buses",
  journal: "journals",
  rule: "rules",
  queue: "queues",
  files: "files",
  function: "functions",
  reader: "readers",
  send: "notifications",
  webhook: "webhooks",
  list: "lists",
  documents: "collections",
  other: "others",
};

function restOf(kind: NodeKind, rest: readonly Node[], isCut: boolean): Node {
  const loads = rest.flatMap(({ load }) => load ?? []);
  const calls = rest.flatMap((node) => node.calls ?? []);
  const [firstLoad, ...otherLoads] = loads;
  const behind = rest.flatMap((node) => node.behind ?? []);
  const unwell = rest.filter(({ state }) => state === "faulty" || state === "missing").length;
  return plainNode(kind, `more ${PLURALS[kind]}`, {
    id: restId(kind),
    state: unwell > 0 ? "faulty" : "fine",
    why: unwell > 0 ? `${unwell.toLocaleString("en")} of them are not as they should be.` : null,
    load: firstLoad === undefined ? null : otherLoads.reduce(added, firstLoad),
    calls:
      calls.length === 0
        ? null
        : calls.reduce((sum, one) => ({ done: sum.done + one.done, failed: sum.failed + one.failed })),
    behind: behind.length === 0 ? null : Math.max(...behind),
    many: rest.length,
    isCut,
  });
}

/** Edges of what was folded lead to where it is now; those that have become alike are one. */
function moved(edges: readonly Edge[], places: ReadonlyMap<string, string>): readonly Edge[] {
  if (places.size === 0) return edges;
  const kept = new Map<string, Edge>();
  for (const edge of edges) {
    const [from, to] = [places.get(edge.from), places.get(edge.to)];
    const isMoved = from !== undefined || to !== undefined;
    if (from !== undefined && from === to) continue;
    const next: Edge = isMoved ? { ...edge, from: from ?? edge.from, to: to ?? edge.to, label: null } : edge;
    const key = JSON.stringify([next.from, next.to, next.kind, next.label]);
    const known = kept.get(key);
    kept.set(
      key,
      known === undefined ? next : { ...known, many: known.many + next.many, isOff: known.isOff && next.isOff },
    );
  }
  return [...kept.values()];
}

type Links = ReadonlyMap<string, number>;

function linksOf({ edges, nodes }: Graph): Links {
  const kinds = new Map(nodes.map(({ id, kind }) => [id, kind]));
  const links = new Map<string, number>();
  for (const { from, to } of edges) {
    // Everybody has a door.
    if (kinds.get(from) === "door") continue;
    for (const id of [from, to]) links.set(id, (links.get(id) ?? 0) + 1);
  }
  return links;
}

/** The lower, the more it is to be shown. */
function rankOf({ id, state, load, calls, many }: Node, links: Links): number {
  if (many > 1) return 0;
  if (state === "faulty" || state === "missing") return 1;
  if (load !== null && load.dead > 0) return 2;
  if (calls !== null && calls.failed > 0) return 3;
  return links.has(id) ? 4 : 5;
}

function order(one: Node, other: Node): number {
  return one.id < other.id ? -1 : 1;
}

function compare(one: number, other: number): number {
  return one - other;
}
