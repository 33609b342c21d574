import { join } from "node:path";
import type { Command } from "commander";
import { DEV_FOLDER } from "#cli/access.ts";
import { caughtBlock, LIVE_LINES_MAX } from "#cli/caught-view.ts";
import { Client, segment } from "#cli/client.ts";
import { followEvents } from "#cli/event-stream.ts";
import { eventLine } from "#cli/event-view.ts";
import type { Exit } from "#cli/exit.ts";
import { object, rows, text, timeMs } from "#cli/json.ts";
import { functionsTeller } from "#cli/functions-news.ts";
import { loadSettings, withSettings } from "#cli/load-settings.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { paint } from "#cli/output.ts";
import { firstCall, heldBackLine, runRealServer, sayNotes, serveUntilStopped } from "#cli/serve.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { SETTINGS } from "#config/table.ts";
import { OperatorFault } from "#domain/faults.ts";
import type { JsonObject } from "#domain/json.ts";
import { isLoopback } from "#domain/loopback.ts";

/** The same on every laptop, so that examples can be pasted; it opens only what listens on loopback. */
export const DEV_KEY = "tk_dev_local";
/** When we are so far behind what happens, messages are named and not shown: a flood is not read anyway. */
const BEHIND_MS_MAX = 3_000;

export function devCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings dev",
    `Start with the fixed key ${DEV_KEY} and show every message that would have been sent, as it happens. ` +
      "Nothing leaves this machine. Data lies in ./.tidings/dev, apart from that of `start`.",
  )
    .option("--quiet", "show caught messages only, not the events that led to them")
    .addHelpText("after", examples(["tidings dev --quiet", "the messages, without the events that led to them"]));
  return acting(withJson(withSettings(built, "usual")), world, answer, (its, _args, options) => dev(its, options));
}

/** @param run starts the server; handed in by tests. */
export async function dev(world: World, options: Options, run = runRealServer): Promise<Exit> {
  const loaded = await loadSettings(world, options, {
    apiKey: DEV_KEY,
    dataDir: join(SETTINGS.dataDir.default, DEV_FOLDER),
    log: "pretty",
    webhooks: "catch",
  });
  // With a key that everybody knows, on a database that others share? Never.
  const { notes } = loaded;
  const settings = { ...loaded.settings, databaseUrl: null, role: "all" } as const;
  if (!isLoopback(settings.host)) {
    throw new OperatorFault(
      "config.invalid",
      `HOST is ${settings.host}: dev has a key that everybody knows and stays on loopback\n`,
    );
  }
  const json = options.flag("json");
  const onFunctions = functionsTeller(world, json);
  const server = await run(settings, {
    dev: true,
    writeLog: world.err.write,
    functions: loaded.functions,
    onFunctions,
  });
  const key = settings.apiKey ?? DEV_KEY;
  if (json) sayJson(world, { event: "ready", url: server.url, dataDir: settings.dataDir, key });
  else {
    say(
      world.out,
      `${paint(world.out, ["bold", "green"], "Tidings")} for development, on ${paint(world.out, "bold", server.url)}`,
    );
    say(world.out, "Nothing leaves this machine; what would be sent is shown here. A first one:");
    say(world.out);
    for (const line of firstCall(server.url, key)) say(world.out, `  ${line}`);
    say(world.out);
  }
  const unused = (["smtpUrl", "databaseUrl"] as const)
    .filter((name) => loaded.settings[name] !== null)
    .map((name) => `${SETTINGS[name].env} is not used in dev`);
  sayNotes(world, [...notes, ...unused, ...[heldBackLine(server)].filter((line) => line !== null)]);
  const showing = showLive(world, { url: server.url, key, from: "dev" }, { json, quiet: options.flag("quiet") });
  const exit = await serveUntilStopped(world, server, settings, json);
  await showing;
  return exit;
}

type Live = { readonly json: boolean; readonly quiet: boolean };

/** Follows the events of our own server and shows what was caught, until interrupted. A fault here ends the view only. */
async function showLive(world: World, target: { url: string; key: string; from: string }, live: Live): Promise<void> {
  using client = await Client.open(target);
  try {
    for await (const event of followEvents(world, client, {})) await showEvent(world, client, event, live);
  } catch (error) {
    if (world.signal.aborted) return;
    say(world.err, `! The live view ended (${error instanceof Error ? error.message : "?"}); the server goes on.`);
  }
}

async function showEvent(world: World, client: Client, event: JsonObject, { json, quiet }: Live): Promise<void> {
  if (json) {
    sayJson(world, event);
    return;
  }
  if (!quiet) say(world.out, eventLine(world.out, event));
  const data = object(event["data"]);
  if (text(event, "type") !== "message.sent" || text(data, "provider") !== "mailbox") return;
  const behindMs = world.clock.nowMs() - (timeMs(event, "time") ?? 0);
  if (behindMs > BEHIND_MS_MAX) return;
  const query = { message: text(event, "subject"), channel: text(data, "channel"), limit: 1 };
  const [item] = rows(await client.get("mailbox", query));
  if (item === undefined) return;
  const caught = object(await client.get(`mailbox/${segment(text(item, "id"))}`));
  for (const line of caughtBlock(world.out, caught, LIVE_LINES_MAX)) say(world.out, line);
}
