import { Topology, type Topology as TopologyView, type TopologyNode } from "@tidings/contract";
import { json } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { topologyOf } from "#topology/collect.ts";
import { errorRate, type Graph, type Load } from "#topology/graph.ts";
import { mermaidOf } from "#topology/mermaid.ts";

type House = Pick<HttpHouse, "engine" | "queues" | "rules" | "webhooks" | "functions">;

const SAYS =
  "Made of what is loaded at this moment, with what waits, how old it is and what fails. What a function emits is known from what it did since this node was started. Of what is there in great number a part is drawn as one node, and `notes` say so.";

/** The whole system as one graph. */
export function registerTopology(routes: Routes, { engine, queues, rules, webhooks, functions }: House): void {
  const look = topologyOf({ engine, queues, rules, webhooks, functions: functions ?? null });
  routes.add({
    method: "GET",
    path: "/topology.json",
    tag: "admin",
    scope: "read",
    summary: "Doors, queues, buses, rules, functions, webhooks and lists as one graph",
    description: SAYS,
    answers: { 200: { says: "The graph", body: Topology } },
    handle: async () => json(200, viewOf(await look())),
  });

  routes.add({
    method: "GET",
    path: "/topology.mmd",
    tag: "admin",
    scope: "read",
    summary: "The same as a flowchart of Mermaid",
    description: SAYS,
    answers: { 200: { says: "The flowchart", type: "text/plain" } },
    handle: async () => ({
      kind: "text",
      status: 200,
      type: "text/plain; charset=utf-8",
      body: mermaidOf(await look()),
      headers: { "x-content-type-options": "nosniff" },
    }),
  });
}

function viewOf({ atMs, nodes, edges, shared, notes }: Graph): TopologyView {
  return {
    at: atMs,
    nodes: nodes.map(({ load, calls, nextMs, isCut, ...rest }) => ({
      ...rest,
      load: load === null ? null : loadView(load),
      calls: calls === null ? null : { ...calls, error_rate: errorRate(calls) },
      next: nextMs,
      at_least: isCut,
    })),
    edges: edges.map(({ isOff, ...rest }) => ({ ...rest, off: isOff })),
    shared: shared.map(({ name, load }) => ({ name, load: loadView(load) })),
    notes: [...notes],
  };
}

function loadView({ waiting, inHand, dead, oldestMs }: Load): NonNullable<TopologyNode["load"]> {
  return { waiting, in_hand: inHand, dead, oldest_ms: oldestMs };
}
