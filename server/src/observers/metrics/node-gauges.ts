import type { Nodes } from "#engine/nodes.ts";
import type { Meter } from "#ports/meter.ts";

/** Shows how many nodes live, as this one sees them, and which part of all rates is its own. */
export function gaugeNodes(meter: Meter, nodes: Nodes): void {
  meter.gauge("tidings_nodes", "Nodes that live, as this one sees them, by role.", () => {
    const roles = nodes.list().flatMap(({ isLive, role }) => (isLive ? [role] : []));
    return [...new Set(roles)].map((role) => ({ labels: { role }, value: roles.filter((one) => one === role).length }));
  });
  meter.gauge("tidings_node_share", "This node's part of what all nodes may send together, 0 to 1.", () => [
    { labels: {}, value: nodes.share },
  ]);
  meter.gauge("tidings_node_leads", "1 on the node that does what one node is enough for, such as retention.", () => [
    { labels: {}, value: nodes.leads ? 1 : 0 },
  ]);
}
