import type { Command } from "commander";
import type { BackupWish } from "#app/backup-file.ts";
import { workOnBackup } from "#cli/backup-wish.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { count, dateTime, grouped, paint } from "#cli/output.ts";
import { say, sayJson, type World } from "#cli/world.ts";

export function restoreCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings restore",
    "Make a data folder of a backup. What was not done when the backup was made is held back, because it may have been " +
      "done since: nothing is sent by itself until you decide with `tidings held`. New sends flow as always.",
  )
    .argument("<file>", "a file that `tidings backup` wrote")
    .option("--force", "move a store that is in the folder aside; it is never deleted")
    .option("--data-dir <folder>", "the data folder to make (default: TIDINGS_DATA_DIR, else ./.tidings)")
    .addHelpText(
      "after",
      examples(["tidings restore /backups/monday.tidings", "into ./.tidings, then: tidings start"]),
    );
  return acting(withJson(built), world, answer, run);
}

async function run(world: World, [file = ""]: readonly string[], options: Options): Promise<Exit> {
  const { restoreBackup } = await import("#app/restore.ts");
  const work = async (wish: BackupWish) => ({ dataDir: wish.dataDir, ...(await restoreBackup(wish)) });
  const { dataDir, about, parked, aside } = await workOnBackup(world, file, options, "restore", work);
  if (options.flag("json")) {
    sayJson(world, { dataDir, ...about, parked, aside });
    return EXIT.ok;
  }
  const { out } = world;
  const row = (label: string, value: string): void => say(out, `  ${paint(out, "dim", label.padEnd(9))} ${value}`);
  say(out, `${paint(out, "green", "✓")} ${dataDir} is what it was at ${dateTime(about.madeMs)}`);
  say(out);
  row("messages", grouped(about.messages));
  row("blobs", grouped(about.blobs));
  row("journal", `up to event ${grouped(about.journalLast)}`);
  if (aside !== null) row("before", `what was here is now in ${aside}`);
  say(out);
  if (parked === 0) say(out, "Nothing was waiting to be sent, so nothing is held back. Next: tidings start");
  else {
    say(out, `${count(parked, "job is", "jobs are")} held back: it may have been done after the backup was made.`);
    say(out, "Next: tidings start, then tidings held to see and decide.");
  }
  return EXIT.ok;
}
