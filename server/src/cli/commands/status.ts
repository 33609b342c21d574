import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { number, object, rows, text } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { ago, type Cell, type Column, count, grouped, paint, table } from "#cli/output.ts";
import { dividedIn, READER_COLUMNS, readerCells } from "#cli/reader-view.ts";
import { LOAD_COLUMNS, loadCells } from "#cli/rule-loads.ts";
import { queueSums, type QueueSum, type Reports, type Todo, todosOf } from "#cli/status-view.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";

/** Lines of one table: more is what `queues` and `rules` are for. */
const LINES_MAX = 10;

export function statusCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings status",
    "The whole house on one screen: what waits, who is behind, what gave up, and what to do about it.\n\n" +
      "Exit code 0: nothing needs you; 1: something does.",
  ).addHelpText(
    "after",
    examples(["tidings status", "how is it going?"], ["watch -c tidings status", "the same, over and over"]),
  );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const ask = async (name: string) => object(await client.get(`admin/${name}`));
  const [nodes, queues, consumers, rules] = await Promise.all([
    ask("nodes"),
    ask("queues"),
    ask("consumers"),
    ask("rules"),
  ]);
  const reports: Reports = { nodes, queues, consumers, rules };
  const todos = todosOf(reports, world.clock.nowMs());
  if (options.flag("json")) sayJson(world, { ...reports, todo: todos });
  else show(world, reports, todos, client.target.url);
  return todos.length === 0 ? EXIT.ok : EXIT.no;
}

function show(world: World, reports: Reports, todos: readonly Todo[], url: string): void {
  const { out } = world;
  const nowMs = world.clock.nowMs();
  const live = rows(reports.nodes, "nodes").filter((node) => node["live"] === true);
  say(out, `${paint(out, "bold", clean(url))}  ${count(live.length, "node")}${rolesText(live.map(roleOf))}`);
  const sums = queueSums(reports.queues);
  section(world, QUEUE_COLUMNS, sums.filter(({ isOutside }) => !isOutside).map(queueCells(nowMs)), "");
  const outside = sums.filter(({ isOutside }) => isOutside).toSorted((one, other) => other.ready - one.ready);
  const named = [{ title: "queue", cut: "middle" as const, min: 12 }, ...QUEUE_COLUMNS.slice(1)];
  section(world, named, outside.map(queueCells(nowMs)), "tidings queues");
  const readers = rows(reports.consumers, "consumers");
  const divided = dividedIn(readers);
  const readerLines = readers.map((reader) => readerCells(reader, divided.has(text(reader, "consumer"))));
  section(world, READER_COLUMNS, readerLines, "tidings consumers");
  const loads = rows(reports.rules, "rules").toSorted((one, other) => weightOf(other) - weightOf(one));
  const ruleLines = loads.map((load) => [
    clean(`${text(load, "bus")}/${text(load, "name")}`),
    ...loadCells(load, nowMs),
  ]);
  section(world, [{ title: "rule", cut: "middle", min: 12 }, ...LOAD_COLUMNS], ruleLines, "tidings rules");
  say(out, "");
  if (todos.length === 0) say(out, `${paint(out, "green", "✓")} Nothing needs you.`);
  for (const { says, fix } of todos) {
    say(out, `${paint(out, "yellow", "!")} ${says}  ${paint(out, "cyan", `→ ${fix}`)}`);
  }
}

const QUEUE_COLUMNS: readonly Column[] = [
  { title: "stage" },
  { title: "ready", align: "right" },
  { title: "in hand", align: "right" },
  { title: "later", align: "right", drop: 1 },
  { title: "oldest", align: "right", drop: 2 },
  { title: "dead", align: "right" },
];

function queueCells(nowMs: number) {
  return ({ name, ready, held, waiting, dead, oldestMs }: QueueSum): readonly Cell[] => [
    name,
    grouped(ready),
    grouped(held),
    grouped(waiting),
    oldestMs === null ? "" : ago(nowMs, oldestMs),
    dead === 0 ? "" : { text: grouped(dead), style: "red" },
  ];
}

/** A table with an empty line above; nothing where there is nothing. */
function section(world: World, columns: readonly Column[], lines: readonly (readonly Cell[])[], more: string): void {
  const { out } = world;
  if (lines.length === 0) return;
  say(out, "");
  for (const line of table(out, columns, lines.slice(0, LINES_MAX))) say(out, line);
  const left = lines.length - LINES_MAX;
  if (left > 0) say(out, paint(out, "dim", `and ${grouped(left)} more${more === "" ? "" : `: ${more}`}`));
}

function roleOf(node: Parameters<typeof text>[0]): string {
  return text(node, "role");
}

/** ` (2 api, 3 worker)`; nothing where every node does everything. */
function rolesText(roles: readonly string[]): string {
  const names = [...new Set(roles)].toSorted();
  if (names.length === 0 || (names.length === 1 && names[0] === "all")) return "";
  const each = names.map((name) => `${roles.filter((role) => role === name).length} ${clean(name)}`);
  return ` (${each.join(", ")})`;
}

/** Rules in trouble first. */
function weightOf(load: Parameters<typeof number>[0]): number {
  const of = (name: string): number => number(load, name) ?? 0;
  return (of("dead") + of("failed")) * 1e6 + of("waiting") * 1e3 + Math.min(999, of("matched"));
}
