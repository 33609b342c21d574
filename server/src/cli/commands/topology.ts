import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { number, object, rows, text, texts, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { dateTime, paint, type Style } from "#cli/output.ts";
import { clean, cleanLines, fit, widthOf } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";
import { type Edge, idOf, type Load, type Node, NODE_KINDS, type NodeState, plainNode } from "#topology/graph.ts";
import { edgeText, figuresOf, titleOf } from "#topology/words.ts";

export function topologyCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings topology",
    "The whole system as one graph: doors, queues, buses, rules, functions, webhooks and lists, with what waits, how old it is and what fails. It is made of what is loaded at this moment; what a function emits is known once it did.",
  )
    .option("--mermaid", "print a flowchart of Mermaid, for a Markdown page")
    .addHelpText(
      "after",
      examples(
        ["tidings topology", "what leads where, and how does it fare?"],
        ["tidings topology --mermaid > topology.mmd", "a picture of it"],
        ["tidings topology --json | jq '.nodes[] | select(.state != \"fine\")'", "what is not as it should be?"],
      ),
    );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  if (options.flag("json") && options.flag("mermaid")) throw new UsageFault("give --json or --mermaid, not both");
  using client = await openClient(world, options);
  if (options.flag("mermaid")) {
    const chart = await client.get("topology.mmd");
    for (const line of cleanLines(typeof chart === "string" ? chart.trimEnd() : "")) say(world.out, line);
    return EXIT.ok;
  }
  const body = object(await client.get("topology.json"));
  if (options.flag("json")) sayJson(world, body);
  else show(world, body);
  return EXIT.ok;
}

type Drawn = {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly from: ReadonlyMap<string, readonly Edge[]>;
  /** What was drawn already, with all that is behind it. */
  readonly done: Set<string>;
};

function show(world: World, body: JsonObject): void {
  const nodes = new Map(rows(body, "nodes").map((row) => [text(row, "id"), nodeOf(row)]));
  const edges = rows(body["edges"])
    .map(edgeOf)
    .filter(({ from, to }) => nodes.has(from) && nodes.has(to));
  const drawn: Drawn = { nodes, from: Map.groupBy(edges, ({ from }) => from), done: new Set() };
  const inner = new Set(edges.filter(({ from, to }) => from !== to).map(({ to }) => to));
  for (const id of nodes.keys()) if (!inner.has(id)) showTree(world, drawn, id);
  // Those that lead only to each other.
  for (const id of nodes.keys()) if (!drawn.done.has(id)) showTree(world, drawn, id);
  for (const row of rows(body["shared"])) {
    const figures = figuresOf({ load: loadOf(object(row["load"])), calls: null, behind: null });
    sayParts(world, "", [
      [clean(text(row, "name")), null],
      [figures.join(", "), "cyan"],
    ]);
  }
  for (const note of texts(body["notes"])) say(world.err, paint(world.err, "yellow", clean(note)));
}

/** One line for the node, and below it what it leads to; what stands above already is only named. */
function showTree(world: World, drawn: Drawn, root: string): void {
  // A stack instead of calls: a chain may be as long as there are things.
  const stack: {
    readonly id: string;
    readonly edge: Edge | null;
    readonly before: string;
    readonly isLast: boolean;
  }[] = [{ id: root, edge: null, before: "", isLast: true }];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const { id, edge, before, isLast } = place;
    const node = drawn.nodes.get(id);
    if (node === undefined) continue;
    const edges = drawn.from.get(id) ?? [];
    const isAbove = drawn.done.has(id);
    const branch = edge === null ? "" : `${before}${isLast ? "└─ " : "├─ "}`;
    sayParts(world, branch, [...wordsOf(node, edge), ...(isAbove && edges.length > 0 ? ABOVE : [])]);
    if (isAbove) continue;
    drawn.done.add(id);
    const next = edge === null ? "" : `${before}${isLast ? "   " : "│  "}`;
    const places = edges.map((one, at) => ({ id: one.to, edge: one, before: next, isLast: at === edges.length - 1 }));
    stack.push(...places.toReversed());
  }
}

type Part = readonly [words: string, style: Style | null];
const ABOVE: readonly Part[] = [["(see above)", "dim"]];

function wordsOf(node: Node, edge: Edge | null): readonly Part[] {
  const { state, why, load, calls, says, nextMs } = node;
  const isUnwell = (load?.dead ?? 0) > 0 || (calls?.failed ?? 0) > 0;
  const parts: readonly Part[] = [
    [edge === null ? "" : edgeText(edge), "dim"],
    [titleOf(node), state === "missing" || state === "faulty" ? "red" : "bold"],
    [says ?? "", "dim"],
    [state === "fine" ? "" : state, state === "off" ? "yellow" : "red"],
    [why ?? "", "red"],
    [figuresOf(node).join(", "), isUnwell ? "red" : "cyan"],
    [nextMs === null ? "" : `next ${dateTime(nextMs)}`, "dim"],
  ];
  return parts.map(([words, style]): Part => [clean(words), style]).filter(([words]) => words !== "");
}

/** On one line, as much as the screen holds. */
function sayParts({ out }: World, branch: string, parts: readonly Part[]): void {
  let room = out.columns - widthOf(branch);
  let line = paint(out, "dim", branch);
  for (const [at, [words, style]] of parts.entries()) {
    const gap = at === 0 ? "" : "  ";
    const shown = fit(words, room - gap.length);
    if (shown === "") break;
    line += gap + (style === null ? shown : paint(out, style, shown));
    room -= gap.length + widthOf(shown);
  }
  say(out, line);
}

function nodeOf(row: JsonObject): Node {
  const kind = NODE_KINDS.find((one) => one === text(row, "kind")) ?? "other";
  const [load, calls] = [row["load"] ?? null, row["calls"] ?? null];
  const name = text(row, "name");
  return plainNode(kind, name, {
    id: text(row, "id") || idOf(kind, name),
    says: text(row, "says") || null,
    state: STATES.find((one) => one === text(row, "state")) ?? "fine",
    why: text(row, "why") || null,
    load: load === null ? null : loadOf(object(load)),
    calls: calls === null ? null : { done: figure(object(calls), "done"), failed: figure(object(calls), "failed") },
    behind: number(row, "behind"),
    nextMs: timeMs(row, "next"),
    many: number(row, "many") ?? 1,
    isCut: row["at_least"] === true,
  });
}

const STATES: readonly NodeState[] = ["fine", "off", "faulty", "missing"];

function loadOf(load: JsonObject): Load {
  return {
    waiting: figure(load, "waiting"),
    inHand: figure(load, "in_hand"),
    dead: figure(load, "dead"),
    oldestMs: number(load, "oldest_ms"),
  };
}

function figure(row: JsonObject, name: string): number {
  return number(row, name) ?? 0;
}

function edgeOf(row: JsonObject): Edge {
  const kind = (["starts", "dead", "emits"] as const).find((one) => one === text(row, "kind")) ?? "gives";
  const [label, isOff, many] = [text(row, "label") || null, row["off"] === true, number(row, "many") ?? 1];
  return { from: text(row, "from"), to: text(row, "to"), kind, label, isOff, many };
}
