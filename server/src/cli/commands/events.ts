import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { object, text } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { paint } from "#cli/output.ts";
import { readText } from "#cli/read-text.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";

export function eventsCommand(world: World, answer: (exit: Exit) => void): Command {
  const events = command(world, "tidings events", "Raise an event, as a service of yours would.");
  const send = command(world, "send", "Send one event; it is safely stored when the command ends.")
    .argument("<type>", "what happened, e.g. order.placed")
    .option("--data <json>", "what there is to say of it")
    .option("--file <data.json>", "the data from a file (- reads standard input)")
    .option("--source <uri>", "where it happened (default: the key's name)")
    .option("--subject <text>", "what it happened to")
    .option("--id <id>", "with the source, what is taken once (default: a new one)")
    .option("--time <time>", "when, as 2026-11-22T14:03:00Z (default: now)")
    .option("--bus <name>", "the bus (default: default)");
  return events
    .addCommand(acting(withServer(send), world, answer, runSend))
    .addHelpText(
      "after",
      examples(
        ["tidings events send order.placed --source /shop --data '{\"total\": 42}'", "an event"],
        ["tidings events send backup.done --id backup-2026-11-22 </dev/null", "without data, and only once"],
        ["jq .order order.json | tidings events send order.placed --file -", "from a program"],
      ),
    );
}

async function runSend(world: World, [type = ""]: readonly string[], options: Options): Promise<Exit> {
  const [file, given] = [options.text("file"), options.text("data")];
  if (file !== null && given !== null) throw new UsageFault("--data and --file are two ways to say the same");
  const data = file === null ? (given ?? "") : await readText(world, file, "--file");
  if (data.trim() !== "" && !isJson(data)) {
    throw new UsageFault(`${file === null ? "--data" : `--file ${file}`} must be JSON`);
  }
  const query = Object.fromEntries(
    ["source", "subject", "id", "time", "bus"].map((name) => [name, options.text(name)] as const),
  );
  using client = await openClient(world, options);
  const { body } = await client.callPatiently(world, "POST", `events/${segment(type)}`, { query, text: data });
  const kept = object(body);
  const why = text(kept, "quarantined");
  if (options.flag("json")) sayJson(world, kept);
  else if (why === "") say(world.out, `${paint(world.out, "green", "✓")} kept  ${clean(text(kept, "id"))}`);
  else {
    say(world.out, `${paint(world.out, "yellow", "!")} quarantined  ${clean(text(kept, "id"))}`);
    say(world.err, clean(why));
  }
  return why === "" ? EXIT.ok : EXIT.no;
}

function isJson(data: string): boolean {
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}
