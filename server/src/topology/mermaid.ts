import type { Edge, EdgeKind, Graph, Node, NodeKind } from "#topology/graph.ts";
import { edgeText, figuresOf, titleOf } from "#topology/words.ts";

/** Characters of a label's line; a longer one makes boxes that no page holds. */
const LINE_CHARS_MAX = 60;

/**
 * The drawing as a flowchart of Mermaid. Ids are `n0`, `n1` …, and every label stands in quotation marks with all that could
 * mean something to Mermaid, Markdown or HTML written as a character code, so names may be anything.
 */
export function mermaidOf({ nodes, edges, notes }: Graph): string {
  const ids = new Map(nodes.map(({ id }, at) => [id, `n${at}`]));
  const drawn = edges.flatMap((edge) => {
    const [from, to] = [ids.get(edge.from), ids.get(edge.to)];
    return from === undefined || to === undefined ? [] : [`  ${from} ${arrowOf(edge)} ${to}`];
  });
  const classes = new Map<string, string[]>();
  for (const { id, ...node } of nodes) {
    const own = ids.get(id) ?? "";
    for (const name of classesOf(node)) classes.set(name, [...(classes.get(name) ?? []), own]);
  }
  return `${[
    ...notes.map((note) => `%% ${escapeLine(note)}`),
    "flowchart LR",
    ...nodes.map((node) => `  ${ids.get(node.id)}${boxOf(node)}`),
    ...drawn,
    ...Object.entries(STYLES).flatMap(([name, style]) =>
      classes.has(name) ? [`  classDef ${name} ${style}`, `  class ${classes.get(name)?.join(",")} ${name}`] : [],
    ),
  ].join("\n")}\n`;
}

/** The shape of each kind: what stands before and behind its label. */
const SHAPES: Readonly<Record<NodeKind, readonly [before: string, behind: string]>> = {
  door: ["([", "])"],
  schedule: ["([", "])"],
  own: ["([", "])"],
  bus: ["{{", "}}"],
  journal: ["[(", ")]"],
  rule: ["{", "}"],
  queue: ["[(", ")]"],
  files: ["[(", ")]"],
  function: ["[[", "]]"],
  reader: ["[", "]"],
  send: ["(", ")"],
  webhook: ["[/", "/]"],
  list: ["[", "]"],
  documents: ["[(", ")]"],
  other: ["[", "]"],
};

const STYLES = {
  missing: "stroke:#d33,stroke-dasharray:4 3,color:#d33",
  faulty: "stroke:#d33,color:#d33",
  off: "stroke:#999,color:#999",
  dead: "stroke:#d33,stroke-width:2px",
} as const;

function classesOf({ state, load }: Omit<Node, "id">): readonly (keyof typeof STYLES)[] {
  if (state !== "fine") return [state];
  return load !== null && load.dead > 0 ? ["dead"] : [];
}

function boxOf(node: Node): string {
  const [before, behind] = SHAPES[node.kind];
  const lines = [titleOf(node), node.says, node.state === "fine" ? null : node.state, ...figuresOf(node)];
  const label = lines.flatMap((line) => (line === null ? [] : [escapeLine(line)])).join("<br/>");
  return `${before}"${label}"${behind}`;
}

const ARROWS: Readonly<Record<EdgeKind, string>> = { gives: "-->", starts: "==>", dead: "-.->", emits: "-->" };

function arrowOf(edge: Edge): string {
  const says = edgeText(edge);
  const arrow = edge.isOff ? "-.->" : ARROWS[edge.kind];
  return says === "" ? arrow : `${arrow}|"${escapeLine(says)}"|`;
}

/**
 * Letters and digits of any script, and the few signs that mean nothing in Mermaid, Markdown and HTML. A colon is none of them:
 * where "style" stands before it, Mermaid takes the next entity's semicolon away.
 */
const PLAIN = /^[\p{L}\p{N} .,+/=%?…'–-]$/u;
/** Mermaid's lexer looks for this word in the whole of a line, quoted or not. */
const DIRECTION = /direction(?= )/g;

function escapeLine(text: string): string {
  const characters = Array.from(text.replaceAll(/\s+/g, " ").trim());
  const cut = characters.length > LINE_CHARS_MAX ? [...characters.slice(0, LINE_CHARS_MAX - 1), "…"] : characters;
  const escaped = cut.map((character) => (PLAIN.test(character) ? character : codeOf(character))).join("");
  return escaped.replaceAll(DIRECTION, "#100;irection");
}

/** What no page can show: controls, halves of characters, marks that turn the direction of writing. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

/** Mermaid's entities: a number sign, the decimal code, a semicolon. */
function codeOf(character: string): string {
  return UNSEEN.test(character) ? " " : `#${character.codePointAt(0)};`;
}
