import { number, object, text } from "#cli/json.ts";
import { type Cell, type Column, grouped, span, type Style } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import type { JsonObject } from "#domain/json.ts";

/** Readers of the journal, as commands show them: one line for each partition. */

/** Where the server stops counting. */
const BEHIND_MAX = 100_000;

export const READER_COLUMNS: readonly Column[] = [
  { title: "reader", cut: "middle", min: 12 },
  { title: "state" },
  { title: "behind", align: "right" },
  { title: "lag", align: "right", drop: 1 },
  { title: "dead", align: "right" },
  { title: "position", align: "right", drop: 2 },
];

export function readerCells(reader: JsonObject, isDivided: boolean): readonly Cell[] {
  const behind = number(reader, "lagEvents") ?? 0;
  const lagMs = number(reader, "lagMs") ?? 0;
  const dead = number(reader, "dead") ?? 0;
  return [
    clean(text(reader, "consumer")) + (isDivided ? `/${text(reader, "partition")}` : ""),
    stateCell(reader),
    behind >= BEHIND_MAX ? `${grouped(BEHIND_MAX)}+` : grouped(behind),
    lagMs === 0 ? "" : span(lagMs),
    dead === 0 ? "" : { text: grouped(dead), style: "red" },
    grouped(number(reader, "position") ?? 0),
  ];
}

/** Whose name is there more than once. */
export function dividedIn(readers: readonly JsonObject[]): ReadonlySet<string> {
  const names = readers.map((reader) => text(reader, "consumer"));
  return new Set(names.filter((name, at) => names.indexOf(name) !== at));
}

function stateCell(reader: JsonObject): Cell {
  const failing = object(reader["failing"]);
  const attempts = number(failing, "attempts");
  if (attempts !== null) {
    const times = attempts === 1 ? "once" : `${grouped(attempts)} times`;
    return { text: `failed ${times} at ${grouped(number(failing, "position") ?? 0)}`, style: "red" };
  }
  const [says, style] = STATES[text(reader, "state")] ?? [clean(text(reader, "state")), "dim"];
  return { text: says, style };
}

const STATES: Readonly<Record<string, readonly [says: string, style: Style]>> = {
  working: ["at work", "green"],
  free: ["waits for a worker", "yellow"],
  parked: ["held back", "yellow"],
  gone: ["not running", "red"],
};
