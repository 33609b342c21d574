import type { Command } from "commander";
import type { Moved } from "#app/move.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { dataFolder, loadSettings } from "#cli/load-settings.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { count, grouped, paint, size, span } from "#cli/output.ts";
import { ProgressLine } from "#cli/progress.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { SETTINGS } from "#config/table.ts";

export function migrateCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings migrate",
    "Move the data folder into Postgres: messages, jobs, journal, people, lists, keys, attachments. The new installation " +
      "goes on where the old one stopped: no job is lost, none is done twice. Stop the server first. If it is interrupted, " +
      "run it again: it goes on where it stood. The old data stay as they are and do not start any more.",
  )
    .option(
      "--to <url>",
      "postgres://user@host:5432/database, or file:PATH that holds it (default: TIDINGS_DATABASE_URL)",
    )
    .option("--database-schema <name>", "the schema to move into; empty, or not there yet (default: tidings)")
    .option("--data-dir <folder>", "the data folder to move (default: TIDINGS_DATA_DIR, else ./.tidings)")
    .addHelpText(
      "after",
      examples(
        ["tidings migrate --to postgres://tidings@db.example/tidings", "from ./.tidings"],
        ["tidings migrate --to file:/run/secrets/database", "when the URL has a password, which others could see"],
      ),
    );
  return acting(withJson(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const { moveToPostgres } = await import("#app/move.ts");
  const { systemDice } = await import("#drivers/system/dice.ts");
  const { url, schema, dataDir } = await wishOf(world, options);
  const { clock, signal } = world;
  const startMs = clock.monotonicMs();
  const progress = new ProgressLine(world, "migrate");
  let rows = 0;
  const moved = await moveToPostgres({
    dataDir,
    url,
    schema,
    clock,
    dice: systemDice(),
    step: ({ doing, share, before, rows: done }) => {
      signal.throwIfAborted();
      rows = done;
      progress.show({ share, before, done, note: doing });
    },
  }).finally(() => progress.end());
  const tookMs = Math.round(clock.monotonicMs() - startMs);
  if (options.flag("json")) sayJson(world, { dataDir, ...moved, tookMs, rowsHandled: rows });
  else tell(world, dataDir, moved, tookMs);
  return moved.blobsMissing.length === 0 ? EXIT.ok : EXIT.no;
}

/** The URL is read as the setting is, so that it may be a file, and is complained about without being shown. */
async function wishOf(world: World, options: Options) {
  const to = options.text("to");
  const env = to === null ? world.env : { ...world.env, [SETTINGS.databaseUrl.env]: to };
  const { settings } = await loadSettings({ ...world, env }, options);
  const { databaseUrl: url, databaseSchema: schema } = settings;
  if (url === null) throw new UsageFault(`where to? --to postgres://user@host:5432/database`);
  return { url, schema, dataDir: await dataFolder(world, options) };
}

function tell(world: World, dataDir: string, moved: Moved, tookMs: number): void {
  const { out, err } = world;
  const { to, schema, tables, journalLast, blobBytes, blobsMissing } = moved;
  const row = (label: string, value: string): void => say(out, `  ${paint(out, "dim", label.padEnd(9))} ${value}`);
  const rowsOf = (name: string): number => tables.find(({ table }) => table === name)?.rows ?? 0;
  const again = moved.resumed ? " (taken up where it stood)" : "";
  say(out, `${paint(out, "green", "✓")} ${dataDir} is in Postgres now, in ${span(tookMs)}${again}`);
  say(out);
  row("place", `${to}, schema ${schema}`);
  if (tables.length > 0) {
    row("messages", grouped(rowsOf("messages")));
    row("jobs", `${grouped(rowsOf("jobs"))} not done yet, ${count(rowsOf("dead_jobs"), "dead letter")}`);
    row("journal", `${grouped(rowsOf("events"))} events, up to ${grouped(journalLast)}`);
    row("blobs", `${grouped(rowsOf("blobs"))}, ${size(blobBytes)}`);
    row("compared", `${count(tables.length, "table")}, every row`);
  }
  say(out);
  say(out, "What is in the folder is left as it is and does not start any more.");
  say(out, paint(out, "dim", `Next, on every node, with ${SETTINGS.databaseUrl.env} set: tidings start`));
  if (blobsMissing.length === 0) return;
  const some = blobsMissing.slice(0, 5).join(", ");
  say(err, `! ${count(blobsMissing.length, "blob is", "blobs are")} missing in the data folder itself: ${some}`);
}
