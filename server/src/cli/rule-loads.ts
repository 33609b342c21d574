import type { Client } from "#cli/client.ts";
import { number, object, rows, text, timeMs } from "#cli/json.ts";
import { ago, type Cell, type Column, count, grouped, span } from "#cli/output.ts";
import type { JsonObject } from "#domain/json.ts";

/** How rules fare, as commands show it. */

/** Where counting stops: the server says so in its reference. */
const WAITING_MAX = 10_000;
const DEAD_MAX = 100;

export const LOAD_COLUMNS: readonly Column[] = [
  { title: "waiting", align: "right" },
  { title: "oldest", align: "right", drop: 1 },
  { title: "dead", align: "right" },
  { title: "failed", align: "right", drop: 2 },
  { title: "matched", align: "right", drop: 3 },
];

/** Of all rules that have something to show, by `bus/name`. */
export async function ruleLoads(client: Client): Promise<ReadonlyMap<string, JsonObject>> {
  const found = rows(await client.get("admin/rules"), "rules");
  return new Map(found.map((load) => [`${text(load, "bus")}/${text(load, "name")}`, load]));
}

export async function ruleLoad(client: Client, bus: string, name: string): Promise<JsonObject> {
  return rows(await client.get("admin/rules", { bus, name }), "rules")[0] ?? {};
}

/** Nothing where there is nothing: what stands in a row is worth a look. */
export function loadCells(load: JsonObject, nowMs: number): readonly Cell[] {
  const oldest = timeMs(load, "oldest");
  const figure = (name: string, max?: number): string => {
    const value = number(load, name) ?? 0;
    return value === 0 ? "" : upTo(value, max);
  };
  const bad = (shown: string): Cell => (shown === "" ? "" : { text: shown, style: "red" });
  return [
    figure("waiting", WAITING_MAX),
    oldest === null ? "" : ago(nowMs, oldest),
    bad(figure("dead", DEAD_MAX)),
    bad(figure("failed")),
    figure("matched"),
  ];
}

/** One sentence or two. */
export function loadText(load: JsonObject, nowMs: number): string {
  const of = (name: string): number => number(load, name) ?? 0;
  const oldest = timeMs(load, "oldest");
  const waiting =
    of("waiting") === 0
      ? "Nothing waits"
      : `${upTo(of("waiting"), WAITING_MAX)} waiting, the oldest for ${span(nowMs - (oldest ?? nowMs))}`;
  const dead = of("dead") === 0 ? "" : `, ${upTo(of("dead"), DEAD_MAX)} dead (tidings dlq list --queue target)`;
  const { matched, delivered, retried, failed } = object(load);
  if ([matched, delivered, retried, failed].every((one) => one === 0)) return `${waiting}${dead}.`;
  return (
    `${waiting}${dead}. On this node since its start: matched ${count(of("matched"), "event")}, ` +
    `${grouped(of("delivered"))} delivered, ${grouped(of("retried"))} retried, ${grouped(of("failed"))} given up.`
  );
}

function upTo(value: number, max = Number.POSITIVE_INFINITY): string {
  return value >= max ? `${grouped(max)}+` : grouped(value);
}
