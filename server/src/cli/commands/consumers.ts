import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { number, object, rows, text } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { grouped, paint, table } from "#cli/output.ts";
import { dividedIn, READER_COLUMNS, readerCells } from "#cli/reader-view.ts";
import { say, sayJson, type World } from "#cli/world.ts";

export function consumersCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings consumers",
    "Readers of the journal: how far each one is, how far behind, and whether it goes on. The matcher of rules is one.",
  ).addHelpText(
    "after",
    examples(
      ["tidings consumers", "who is behind?"],
      ["tidings consumers --json | jq '.lagMs'", "for a program: one line for each partition"],
    ),
  );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const report = object(await client.get("admin/consumers"));
  const readers = rows(report, "consumers");
  if (options.flag("json")) for (const reader of readers) sayJson(world, reader);
  else if (readers.length === 0) {
    say(world.err, "Nobody reads the journal. The first rule brings a reader: tidings rules put NAME FILE.json");
  } else {
    const divided = dividedIn(readers);
    const lines = readers.map((reader) => readerCells(reader, divided.has(text(reader, "consumer"))));
    for (const line of table(world.out, READER_COLUMNS, lines)) say(world.out, line);
    say(world.err, paint(world.err, "dim", `The journal is at ${grouped(number(report, "last") ?? 0)}.`));
  }
  return EXIT.ok;
}
