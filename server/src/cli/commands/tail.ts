import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import type { Client } from "#cli/client.ts";
import { sinceOf } from "#cli/commands/messages.ts";
import { followEvents } from "#cli/event-stream.ts";
import { eventLine } from "#cli/event-view.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { number, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { say, sayJson, type World } from "#cli/world.ts";

const COUNT_MAX = 1_000_000_000;

export function tailCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings tail",
    "Follow events as they happen. Goes on where it was when the connection breaks or the server restarts.",
  )
    .option("--type <prefix>", "only events whose type begins so, e.g. message. or message.sent")
    .option("--subject <id>", "only events of this message, list or person")
    .option("--since <time>", "begin earlier: 15m, 2h, an ISO time, or a position in the journal")
    .option("--count <n>", "stop after so many events")
    .addHelpText(
      "after",
      examples(
        ["tidings tail --type message.", "what happens to messages"],
        ["tidings tail --since 1h --json | jq 'select(.data.reason)'", "with the last hour, for a program"],
      ),
    );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  let left = options.whole("count", 1, COUNT_MAX) ?? Number.POSITIVE_INFINITY;
  const since = options.text("since");
  using client = await openClient(world, options);
  const query = {
    type: options.text("type"),
    subject: options.text("subject"),
    after: since === null ? null : await positionOf(world, client, since),
  };
  for await (const event of followEvents(world, client, query)) {
    if (options.flag("json")) sayJson(world, event);
    else say(world.out, eventLine(world.out, event));
    left -= 1;
    if (left <= 0) return EXIT.ok;
  }
  // Whoever follows for ever ends it by interrupting.
  return EXIT.interrupted;
}

/** The place in the journal behind which to begin. */
function positionOf(world: World, client: Client, since: string): number | Promise<number> {
  return /^\d{1,16}$/.test(since) ? Number(since) : positionBefore(client, sinceOf(since, world.clock.nowMs()));
}

/** The last position before a time, by halving: events stand in the journal in the order of time, or very nearly. */
async function positionBefore(client: Client, sinceMs: number): Promise<number> {
  const newest = number(object(await client.get("admin/events", { after: 0, limit: 1 })), "last") ?? 0;
  let [before, notBefore] = [0, newest];
  while (before < notBefore) {
    const middle = Math.floor((before + notBefore) / 2);
    const [event] = rows(await client.get("admin/events", { after: middle, limit: 1 }), "events");
    const atMs = event === undefined ? null : timeMs(event, "time");
    if (event === undefined || atMs === null || atMs >= sinceMs) notBefore = middle;
    // Positions may be missing; the event found may stand beyond the middle.
    else before = Math.min(notBefore, Math.max(middle + 1, Number(text(event, "sequence"))));
  }
  return before;
}
