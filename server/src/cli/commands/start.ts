import type { Command } from "commander";
import type { Exit } from "#cli/exit.ts";
import { functionsTeller } from "#cli/functions-news.ts";
import { loadSettings, withSettings } from "#cli/load-settings.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { paint } from "#cli/output.ts";
import {
  carriersLine,
  exposureWarning,
  firstCall,
  heldBackLine,
  type Running,
  runRealServer,
  sayNotes,
  serveUntilStopped,
} from "#cli/serve.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { Role } from "#domain/role.ts";

export function startCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings start",
    "Serve every door and work the queues, on one port. Ctrl-C finishes what is in hand and stops; twice stops at once. " +
      "With TIDINGS_DATABASE_URL it is one of any number of nodes, and --role says what it does.\n\n" +
      "Every option is a setting too: `tidings settings` shows them, docs/settings.md explains them. Secrets are given " +
      "in the environment only.",
  ).addHelpText(
    "after",
    examples(
      ["tidings start", "on http://127.0.0.1:3300, data in ./.tidings"],
      ["TIDINGS_SMTP_URL=smtp://user:pass@mail.example:587 tidings start", "send mail for real"],
      ["TIDINGS_DATABASE_URL=file:/run/secrets/database tidings start --role worker", "one more hand, on Postgres"],
    ),
  );
  return acting(withJson(withSettings(built, "all")), world, answer, (its, _args, options) => start(its, options));
}

/** @param run starts the server; handed in by tests. */
export async function start(world: World, options: Options, run = runRealServer): Promise<Exit> {
  // On a terminal somebody reads along; the JSON is for collectors.
  const { settings, notes, functions } = await loadSettings(world, options, world.err.isTty ? { log: "pretty" } : {});
  const json = options.flag("json");
  const onFunctions = functionsTeller(world, json);
  const server = await run(settings, { dev: false, writeLog: world.err.write, functions, onFunctions });
  const warning = exposureWarning(settings);
  if (json) {
    const { url, role, nodeId, store, firstKey, carriers, heldBack } = server;
    const held = heldBack === null ? {} : { heldBack };
    sayJson(world, {
      event: "ready",
      url,
      role,
      node: nodeId,
      store,
      dataDir: settings.dataDir,
      firstKey,
      carriers,
      ...held,
    });
  } else greet(world, server);
  const told = [warning, heldBackLine(server)].filter((line) => line !== null);
  sayNotes(world, [...notes, ...told]);
  return serveUntilStopped(world, server, settings, json);
}

const ROLES: Readonly<Record<Role, string>> = {
  all: "all: serves every door and works the queues",
  api: "api: serves every door; nodes with the role worker or all send",
  worker: "worker: works the queues; answers /health, /ready and /metrics only",
};

function greet(world: World, server: Running): void {
  const { out } = world;
  const label = (name: string): string => paint(out, "dim", name.padEnd(9));
  say(out, `${paint(out, ["bold", "green"], "Tidings")} listens on ${paint(out, "bold", server.url)}`);
  say(out);
  say(out, `  ${label("role")}${ROLES[server.role]}`);
  say(out, `  ${label("store")}${server.store}`);
  if (server.role !== "api") say(out, `  ${label("sends")}${carriersLine(server)}`);
  if (server.role !== "worker") say(out, `  ${label("docs")}${server.url}/docs`);
  if (server.firstKey !== null) {
    say(out);
    say(out, "  Your first API key, shown this once, and a first notification:");
    say(out);
    say(out, `  KEY=${paint(out, ["bold", "yellow"], server.firstKey)}`);
    for (const line of firstCall(server.url, "$KEY")) say(out, `  ${line}`);
    say(out);
    say(out, "  What became of it: npx tidings mailbox show last");
  }
  say(out);
  if (out.isTty) say(out, paint(out, "dim", "Ctrl-C stops."));
}
