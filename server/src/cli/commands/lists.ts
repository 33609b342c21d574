import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { segment } from "#cli/client.ts";
import { CsvFault } from "#cli/csv.ts";
import { type Imported, importCsv, type Rejected } from "#cli/csv-import.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { number, rows, text } from "#cli/json.ts";
import { acting, command, examples, type Options, repeated, withServer } from "#cli/options.ts";
import { count, grouped, paint, span } from "#cli/output.ts";
import { ProgressLine } from "#cli/progress.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { Json } from "#domain/json.ts";

export function listsCommand(world: World, answer: (exit: Exit) => void): Command {
  const lists = command(world, "tidings lists", "Import subscribers from a CSV file.");
  lists.addCommand(acting(importOptions(world), world, answer, runImport));
  return lists;
}

function importOptions(world: World): Command {
  const built = command(
    world,
    "import",
    "Import subscribers from a CSV file (UTF-8, header in the first line).\n\n" +
      "Columns: user_id or email says who it is; data.x goes to the subscription; every other column is a key of " +
      "the person's profile (email, phone_number, locale, custom.city). Importing twice changes nothing.\n\n" +
      "Interrupted? The same command goes on where it stopped. Bad rows are written to NAME.rejected.csv beside it with the " +
      "reason; correct them there and import that file.",
  )
    .summary("import a CSV file; goes on where it was interrupted")
    .argument("<file.csv>", "the file")
    .requiredOption("--list <id>", "the list; it is made if there is none of this id")
    .option("--map <column=key>", "read a column as another key, or leave it out (repeatable)", repeated)
    .option("--separator <char>", "what separates fields (default: guessed from the header)")
    .option("--restart", "begin at the first row although a part was imported before")
    .addHelpText(
      "after",
      examples(
        ["tidings lists import people.csv --list newsletter", "import everybody"],
        ["tidings lists import people.csv --list news --map E-Post=email --map Notes=", "headings of another language"],
      ),
    );
  return withServer(built);
}

async function runImport(world: World, args: readonly string[], options: Options): Promise<Exit> {
  const [file = ""] = args;
  const list = options.text("list") ?? "";
  const maps = readMaps(options.many("map"));
  const separator = readSeparator(options.text("separator"));
  using client = await openClient(world, options);
  const json = options.flag("json");
  const line = new ProgressLine(world, clean(list));
  const startMs = world.clock.monotonicMs();
  let first: { share: number; done: number } | null = null;
  const path = `lists/${segment(list)}/import`;
  try {
    const result = await importCsv({
      file: resolve(world.cwd, file),
      list,
      maps,
      separator,
      restart: options.flag("restart"),
      signal: world.signal,
      send: async (batch) =>
        refusedRows((await client.callPatiently(world, "POST", path, { body: { rows: batch } })).body),
      onProgress: ({ imported, rejected, bytes, bytesTotal, before }) => {
        const share = bytesTotal === 0 ? 1 : bytes / bytesTotal;
        if (first === null && before > 0) say(world.err, `Going on after ${count(before, "row")} of an earlier run.`);
        first ??= { share, done: imported + rejected };
        const done = imported + rejected;
        const note = rejected === 0 ? count(done, "row") : `${count(done, "row")}, ${grouped(rejected)} rejected`;
        line.show({ share, before: first.share, done: done - first.done, note });
      },
    });
    line.end();
    if (json) sayJson(world, { list, file, ...result });
    else tellResult(world, list, file, result, world.clock.monotonicMs() - startMs);
    if (!result.whole) return EXIT.interrupted;
    return result.rejected === 0 ? EXIT.ok : EXIT.no;
  } catch (error) {
    line.end();
    if (error instanceof CsvFault) throw new UsageFault(`${file}: ${error.message}`);
    if (isMissing(error)) throw new UsageFault(`${file} cannot be read (${error.code})`);
    throw error;
  }
}

function tellResult(world: World, list: string, file: string, result: Imported, ms: number): void {
  if (!result.whole) {
    say(
      world.err,
      `Stopped after ${count(result.imported + result.rejected, "row")}; the same command goes on from here.`,
    );
    return;
  }
  const rate =
    ms < 1 ? "" : ` (${grouped(Math.round(((result.imported + result.rejected - result.before) * 1000) / ms))}/s)`;
  const tick = paint(world.out, "green", "✓");
  say(world.out, `${tick} ${clean(list)}: ${count(result.imported, "row")} of ${file} imported in ${span(ms)}${rate}`);
  if (result.rejectedFile === null) return;
  const cross = paint(world.out, "yellow", "!");
  const where = relative(world.cwd, result.rejectedFile);
  say(world.out, `${cross} ${count(result.rejected, "row")} rejected, with reasons: ${where}`);
}

/** Which rows the server refused, as it counts them: from 0 within the batch. */
function refusedRows(body: Json): readonly Rejected[] {
  return rows(body, "errors").flatMap((error) => {
    const row = number(error, "row", "index");
    return row === null ? [] : [{ row, problem: clean(text(error, "problem", "message")) }];
  });
}

function readMaps(pairs: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    pairs.map((pair) => {
      const equals = pair.lastIndexOf("=");
      if (equals < 1) throw new UsageFault(`--map must be COLUMN=KEY, not ${JSON.stringify(pair)}`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

function readSeparator(given: string | null): string | null {
  const separator = given === "\\t" || given === "tab" ? "\t" : given;
  if (separator === null || /^[ -!#-~\t]$/.test(separator)) return separator;
  throw new UsageFault("--separator must be one character other than a quote, or tab");
}

function isMissing(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && "code" in error && ["ENOENT", "EACCES", "EISDIR", "EPERM"].includes(String(error.code))
  );
}
