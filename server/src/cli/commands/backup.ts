import type { Command } from "commander";
import { workOnBackup } from "#cli/backup-wish.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { count, dateTime, grouped, paint, size, span } from "#cli/output.ts";
import { say, sayJson, type World } from "#cli/world.ts";

export function backupCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings backup",
    "Write a backup of the data folder into one file: messages, jobs, journal, people, lists, keys, attachments. The " +
      "server may be running; it is not held up. The file holds secrets and can be read by its owner alone. Settings " +
      "(environment, tidings.config.ts) are not in it.",
  )
    .argument("<file>", "where to write it; refused if it is there already")
    .option("--force", "replace the file if it is there already")
    .option("--data-dir <folder>", "the data folder (default: TIDINGS_DATA_DIR, else ./.tidings)")
    .addHelpText(
      "after",
      examples(
        ["tidings backup /backups/monday.tidings", "while the server runs"],
        ["tidings restore /backups/monday.tidings --data-dir ./restored", "what it is good for"],
      ),
    );
  return acting(withJson(built), world, answer, run);
}

async function run(world: World, [file = ""]: readonly string[], options: Options): Promise<Exit> {
  const { makeBackup } = await import("#app/backup.ts");
  const startMs = world.clock.monotonicMs();
  const made = await workOnBackup(world, file, options, "backup", makeBackup);
  const { about, blobsForgotten, blobsMissing } = made;
  const tookMs = world.clock.monotonicMs() - startMs;
  if (options.flag("json")) {
    sayJson(world, {
      file: made.file,
      bytes: made.bytes,
      tookMs: Math.round(tookMs),
      ...about,
      blobsForgotten,
      blobsMissing,
    });
    return blobsMissing.length === 0 ? EXIT.ok : EXIT.no;
  }
  const { out, err } = world;
  const row = (label: string, value: string): void => say(out, `  ${paint(out, "dim", label.padEnd(9))} ${value}`);
  say(out, `${paint(out, "green", "✓")} ${made.file}, ${size(made.bytes)}, in ${span(tookMs)}`);
  say(out);
  row("made", dateTime(about.madeMs));
  row("messages", grouped(about.messages));
  row("jobs", `${grouped(about.jobs)} not done yet, ${count(about.deadLetters, "dead letter")}`);
  row("journal", `up to event ${grouped(about.journalLast)}`);
  row("blobs", `${grouped(about.blobs)}, ${size(about.blobBytes)}`);
  say(out);
  say(out, paint(out, "dim", `To restore: tidings restore ${made.file} --data-dir FOLDER`));
  if (blobsForgotten > 0)
    say(err, `! ${count(blobsForgotten, "blob was", "blobs were")} deleted by retention meanwhile.`);
  if (blobsMissing.length === 0) return EXIT.ok;
  say(
    err,
    `! ${count(blobsMissing.length, "blob is", "blobs are")} missing in the data folder itself: ${blobsMissing.slice(0, 5).join(", ")}`,
  );
  return EXIT.no;
}
