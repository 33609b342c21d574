import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, type Options, withServer } from "#cli/options.ts";
import { ago, count, paint, table } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";

/** Shown at once; who has more narrows it by type. */
const SHOWN_MAX = 1_000;
const PAGE = 100;

/** `tidings schemas quarantine`: events that did not fit and wait for somebody's word. */
export function quarantineCommand(world: World, answer: (exit: Exit) => void): Command {
  const quarantine = command(world, "quarantine", "Events that did not fit and wait: list, release, drop.");
  const ofType = (built: Command): Command => withServer(built.option("--type <type>", "only events of this type"));
  const list = command(world, "list", "List them (the default).");
  const release = command(world, "release", "Accept events now, as they are.")
    .argument("[key...]", "their keys, as list shows them")
    .option("--all", "all of them, or all of a type");
  const drop = command(world, "drop", "Forget events for good.")
    .argument("[key...]", "their keys, as list shows them")
    .option("--all", "all of them, or all of a type");
  return quarantine
    .addCommand(acting(ofType(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(ofType(release), world, answer, (...call) => runSettle("released", ...call)))
    .addCommand(acting(ofType(drop), world, answer, (...call) => runSettle("dropped", ...call)));
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found = await waiting(client, options.text("type"), SHOWN_MAX);
  if (options.flag("json")) for (const one of found) sayJson(world, one);
  else if (found.length === 0) say(world.out, "Nothing is quarantined.");
  else {
    const nowMs = world.clock.nowMs();
    const columns = [
      { title: "key" },
      { title: "type", cut: "middle" as const, min: 12 },
      { title: "source", cut: "end" as const, drop: 1 },
      { title: "since", align: "right" as const },
      { title: "why", cut: "end" as const, min: 20 },
    ];
    const lines = found.map((one) => {
      const event = object(one["event"]);
      return [
        text(one, "key"),
        clean(text(event, "type")),
        clean(text(event, "source")),
        ago(nowMs, timeMs(one, "since") ?? nowMs),
        clean(text(one, "says")),
      ];
    });
    for (const line of table(world.out, columns, lines)) say(world.out, line);
    if (found.length === SHOWN_MAX) say(world.err, `Only the first ${SHOWN_MAX}; --type narrows it.`);
  }
  return EXIT.ok;
}

async function runSettle(
  what: "released" | "dropped",
  world: World,
  args: readonly string[],
  options: Options,
): Promise<Exit> {
  const all = options.flag("all");
  if (all === args.length > 0) throw new UsageFault("name events by their keys, or say --all");
  using client = await openClient(world, options);
  const keys = all ? (await waiting(client, options.text("type"), null)).map((one) => text(one, "key")) : args;
  let done = 0;
  for (const key of keys) {
    if (world.signal.aborted) break;
    const path = `schemas/quarantine/${segment(key)}`;
    await (what === "released" ? client.call("POST", `${path}/release`) : client.call("DELETE", path));
    done += 1;
  }
  if (options.flag("json")) sayJson(world, { [what]: done });
  else say(world.out, `${paint(world.out, "green", "✓")} ${count(done, "event")} ${what}`);
  return world.signal.aborted ? EXIT.interrupted : EXIT.ok;
}

async function waiting(client: Client, type: string | null, most: number | null): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const body = await client.get("schemas/quarantine", { type, cursor, limit: PAGE });
    found.push(...rows(body));
    cursor = nextCursor(body);
  } while (cursor !== null && (most === null || found.length < most));
  return found;
}
