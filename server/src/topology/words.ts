import { type Edge, errorRate, type Load, type Node, type NodeKind, restId } from "#topology/graph.ts";

/** What a drawing says of nodes and edges, in whatever form it is drawn. Names may be anything: whoever draws makes them harmless. */

/** Kinds whose name alone does not tell what they are. */
const TITLED: ReadonlySet<NodeKind> = new Set<NodeKind>([
  "bus",
  "rule",
  "queue",
  "function",
  "reader",
  "webhook",
  "list",
  "documents",
  "schedule",
]);

/** `queue orders`, `1,900+ more queues`. */
export function titleOf({ kind, name, many, isCut, id }: Node): string {
  if (id === restId(kind)) return many === 0 ? name : `${grouped(many)}${isCut ? "+" : ""} ${name}`;
  return TITLED.has(kind) ? `${kind} ${name}` : name;
}

/** What is to be said of a node in figures, worst last; nothing of what is nothing. */
export function figuresOf({ load, calls, behind }: Pick<Node, "load" | "calls" | "behind">): readonly string[] {
  return [
    ...(load === null ? [] : loadText(load)),
    ...(behind === null || behind === 0 ? [] : [`${grouped(behind)} events behind`]),
    ...(calls === null ? [] : callsText(calls)),
  ];
}

function loadText({ waiting, inHand, dead, oldestMs }: Load): readonly string[] {
  const parts = [
    ...(waiting === 0 ? [] : [`${grouped(waiting)} waiting`]),
    ...(inHand === 0 ? [] : [`${grouped(inHand)} in hand`]),
    ...(waiting === 0 || oldestMs === null ? [] : [`oldest ${age(oldestMs)}`]),
    ...(dead === 0 ? [] : [`${grouped(dead)} dead`]),
  ];
  return parts.length === 0 ? [] : [parts.join(", ")];
}

function callsText(calls: NonNullable<Node["calls"]>): readonly string[] {
  const rate = errorRate(calls);
  if (rate === null) return [];
  const done = `${grouped(calls.done + calls.failed)} done`;
  return [calls.failed === 0 ? done : `${done}, ${percent(rate)} failed`];
}

function percent(rate: number): string {
  const exact = rate * 100;
  return exact < 0.1 ? "under 0.1 %" : `${exact < 10 ? exact.toFixed(1).replace(/\.0$/, "") : Math.round(exact)} %`;
}

function grouped(number: number): string {
  return number.toLocaleString("en");
}

/** In the unit that matters. */
function age(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / 86_400_000)} d`;
}

/** What is to be said of an edge beside whence and where to; "" when that is all. */
export function edgeText({ kind, label, isOff, many }: Pick<Edge, "kind" | "label" | "isOff" | "many">): string {
  const verb = kind === "emits" ? "emits" : kind === "dead" ? "dead letters" : null;
  const first = [verb, label].filter((word) => word !== null).join(" ");
  const rest = [...(many > 1 ? [`${grouped(many)} of them`] : []), ...(isOff ? ["off"] : [])];
  return [first, ...rest].filter((words) => words !== "").join(", ");
}
