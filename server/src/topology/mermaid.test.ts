import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "node:test";
import { fold } from "#topology/fold.ts";
import { type Edge, type Graph, NODE_KINDS, type NodeKind, ordered, plainNode } from "#topology/graph.ts";
import { mermaidOf } from "#topology/mermaid.ts";

/**
 * The lines that Mermaid's grammar (flow.jison of 11) takes, narrower than it: a label holds nothing that ends a string, begins
 * another shape, or is Markdown or HTML, but for our own line breaks.
 */
const LABEL = String.raw`"(?:[\p{L}\p{N} .,+/=%?…'–-]|#\d+;|<br/>)*"`;
const NODE = new RegExp(
  String.raw`^  n\d+(?:\(\[${LABEL}\]\)|\{\{${LABEL}\}\}|\[\(${LABEL}\)\]|\{${LABEL}\}|\[\[${LABEL}\]\]|\[${LABEL}\]|\(${LABEL}\)|\[/${LABEL}/\])$`,
  "u",
);
const EDGE = new RegExp(String.raw`^  (n\d+) (?:-->|==>|-\.->)(?:\|${LABEL}\|)? (n\d+)$`, "u");
const REST = /^(?:flowchart LR|  classDef [a-z]+ [a-z0-9:#,. -]+|  class n\d+(?:,n\d+)* [a-z]+)$/;
const NOTE = /^%% (?:[\p{L}\p{N} .,+/=%?…'–-]|#\d+;)*$/u;
/** Mermaid takes the last semicolon of what this finds, and lexes a whole line by the other. */
const STYLED = /style.*:\S*#.*;/;
const DIRECTION = /direction\s+(?:TB|BT|RL|LR)/;

const nasty = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      "]",
      "[",
      "(",
      ")",
      "{",
      "}",
      "|",
      "`",
      "#",
      ";",
      ":",
      "<",
      ">",
      "&",
      "@",
      "\n",
      "%",
      "-",
      "a",
    ),
    maxLength: 80,
  }),
  fc.constantFrom(
    "end",
    "direction TB",
    "style:(x)",
    '"]\n  click n0 "https://x"',
    "%%{init: {}}%%",
    "<br/>",
    "\ud800",
    "#quot;",
  ),
);

const graphs: fc.Arbitrary<Graph> = fc
  .record({
    nodes: fc.uniqueArray(
      fc.record({ kind: fc.constantFrom(...NODE_KINDS), name: nasty, says: fc.option(nasty), state: stateOf() }),
      { maxLength: 30, selector: ({ kind, name }) => `${kind}:${name}` },
    ),
    notes: fc.array(nasty, { maxLength: 2 }),
  })
  .chain(({ nodes: given, notes }) => {
    const nodes = given.map(({ kind, name, says, state }) => plainNode(kind, name, { says, state }));
    // Of nothing there are no edges.
    const place = fc.constantFrom("", ...nodes.map(({ id }) => id)).filter((id) => id !== "");
    const edge: fc.Arbitrary<Edge> = fc.record({
      ...{ from: place, to: place, kind: fc.constantFrom("gives", "starts", "dead", "emits") },
      ...{ label: fc.option(nasty), isOff: fc.boolean(), many: fc.integer({ min: 1, max: 2_000 }) },
    });
    const edges = nodes.length === 0 ? fc.constant([]) : fc.array(edge, { maxLength: 40 });
    return edges.map((all): Graph => ({ atMs: 1, nodes, edges: all, shared: [], notes }));
  });

function stateOf() {
  return fc.constantFrom("fine" as const, "off" as const, "faulty" as const, "missing" as const);
}

test("whatever things are called, the chart is one that Mermaid takes", () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const chart = mermaidOf(ordered(graph));
      assert.ok(chart.endsWith("\n"));
      const all = chart.slice(0, -1).split("\n");
      const ids = new Set(all.flatMap((line) => (NODE.test(line) ? [line.trim().replace(/\W.*/u, "")] : [])));
      assert.equal(ids.size, graph.nodes.length);
      assert.equal(all.filter((line) => EDGE.test(line)).length, graph.edges.length);
      for (const line of all) {
        const [, from, to] = EDGE.exec(line) ?? [];
        if (from !== undefined && to !== undefined) assert.ok(ids.has(from) && ids.has(to), line);
        else assert.ok(NODE.test(line) || REST.test(line) || NOTE.test(line), line);
        assert.doesNotMatch(line, STYLED);
        assert.doesNotMatch(line, DIRECTION);
      }
    }),
    { numRuns: 300 },
  );
});

test("however much is folded, every edge leads from a node to a node, and nothing is lost", () => {
  // Each kind is there.
  const few = Object.fromEntries(NODE_KINDS.map((kind) => [kind, 2])) as Record<NodeKind, number>;
  fc.assert(
    fc.property(graphs, fc.subarray([...NODE_KINDS]), (graph, cut) => {
      const folded = ordered(fold(graph, new Set(cut), few));
      const ids = new Set(folded.nodes.map(({ id }) => id));
      assert.equal(ids.size, folded.nodes.length, "each id once");
      for (const { from, to } of folded.edges) assert.ok(ids.has(from) && ids.has(to));
      const many = folded.nodes.reduce((sum, node) => sum + node.many, 0);
      assert.equal(many, graph.nodes.length);
      for (const kind of NODE_KINDS) assert.ok(folded.nodes.filter((node) => node.kind === kind).length <= 3);
    }),
    { numRuns: 300 },
  );
});

test("a small chart reads the way it should", (t) => {
  const load = { waiting: 12, inHand: 1, dead: 2, oldestMs: 61_000 };
  const line = { label: null, isOff: false, many: 1 };
  const graph: Graph = {
    atMs: 1,
    nodes: [
      plainNode("door", "SQS and POST /queues"),
      plainNode("queue", "orders", { load }),
      plainNode("function", "fulfil", { says: "queue orders", calls: { done: 990, failed: 10 } }),
      plainNode("queue", 'orders"dead', { state: "missing", why: "There is no such queue." }),
      plainNode("webhook", "wh_1", { says: "https://example.com", state: "off" }),
      plainNode("rule", "default/big", { says: '{"source":["shop"]}' }),
    ],
    edges: [
      { ...line, from: "door:SQS and POST /queues", to: "queue:orders", kind: "gives" },
      { ...line, from: "queue:orders", to: "function:fulfil", kind: "starts" },
      { ...line, from: "queue:orders", to: 'queue:orders"dead', kind: "dead", label: "after 3 receives" },
      { ...line, from: "function:fulfil", to: "webhook:wh_1", kind: "emits", isOff: true },
      { ...line, from: "rule:default/big", to: "queue:orders", kind: "gives", many: 2 },
    ],
    shared: [],
    notes: ["1,850 queues are drawn as one."],
  };
  t.assert.fileSnapshot(mermaidOf(ordered(graph)), `${import.meta.dirname}/../../test/golden/topology.mmd`, {
    serializers: [String],
  });
});
