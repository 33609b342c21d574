import type { Command } from "commander";
import {
  checkClock,
  checkDatabase,
  checkDataDir,
  checkExposure,
  checkMail,
  checkNode,
  checkServer,
  type Finding,
} from "#cli/checks.ts";
import { checkPostgres } from "#cli/check-postgres.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { type LoadedSettings, loadSettings, withSettings } from "#cli/load-settings.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { paint } from "#cli/output.ts";
import { wrap } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { OperatorFault } from "#domain/faults.ts";

const PROSE_COLUMNS_MAX = 80;
const ABOUT_COLUMNS = 10;

export function doctorCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings doctor",
    "Look for what is wrong with this installation: settings, disk, database, port, mail server, links, clock. " +
      "Changes nothing.\n\nExit code 0: nothing stands in the way (! may want a look); 1: something is wrong (✗).",
  ).addHelpText("after", examples(["tidings doctor", "before the first start, and whenever something is odd"]));
  return acting(withJson(withSettings(built, "usual")), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  let isBad = false;
  for await (const finding of findings(world, options)) {
    isBad ||= finding.verdict === "bad";
    if (options.flag("json")) sayJson(world, finding);
    else tell(world, finding);
  }
  return isBad ? EXIT.no : EXIT.ok;
}

/** Each finding as soon as it is known: some checks wait for the network. */
async function* findings(world: World, options: Options): AsyncGenerator<Finding> {
  yield checkNode(process.versions.node);
  yield checkClock(world);
  const loaded = await loadOrFind(world, options);
  if ("verdict" in loaded) {
    // Everything below depends on the settings.
    yield loaded;
    return;
  }
  const { settings, notes } = loaded;
  if (notes.length === 0) yield { about: "settings", verdict: "good", says: "every one can be read", fix: null };
  for (const says of notes) yield { about: "settings", verdict: "warning", says, fix: "docs/settings.md has them all" };
  const { databaseUrl } = settings;
  if (databaseUrl === null) {
    yield await checkDataDir(settings);
    yield* await checkDatabase(settings);
  } else yield* await checkPostgres(settings, databaseUrl, world.clock.nowMs());
  yield await checkServer(world, settings);
  yield* await checkMail(settings);
  yield* checkExposure(settings);
}

async function loadOrFind(world: World, options: Options): Promise<LoadedSettings | Finding> {
  try {
    return await loadSettings(world, options);
  } catch (error) {
    if (!(error instanceof OperatorFault)) throw error;
    const says = error.message.replace(` [${error.code}]`, "").trim();
    return { about: "settings", verdict: "bad", says, fix: "docs/settings.md explains each" };
  }
}

function tell(world: World, { about, verdict, says, fix }: Finding): void {
  const { out } = world;
  const mark = { good: paint(out, "green", "✓"), warning: paint(out, "yellow", "!"), bad: paint(out, "red", "✗") }[
    verdict
  ];
  const indent = " ".repeat(ABOUT_COLUMNS + 2);
  const width = Math.min(out.columns, PROSE_COLUMNS_MAX) - indent.length;
  const lines = says.split("\n").flatMap((line) => wrap(line, width));
  for (const [index, line] of lines.entries()) {
    say(out, index === 0 ? `${mark} ${paint(out, "bold", about.padEnd(ABOUT_COLUMNS))}${line}` : `${indent}${line}`);
  }
  if (fix === null) return;
  for (const [index, line] of wrap(fix, width - 2).entries()) {
    say(out, paint(out, "dim", `${indent}${index === 0 ? "→ " : "  "}${line}`));
  }
}
