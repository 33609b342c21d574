import { Command, CommanderError } from "commander";
import type { Exit } from "#cli/exit.ts";
import { EXIT, UsageFault } from "#cli/exit.ts";
import { paint } from "#cli/output.ts";
import type { World } from "#cli/world.ts";
import { durationMs } from "#config/kinds.ts";

/** Width of help where there is no terminal; what a reader's mail or an 80-column screen can take. */
const HELP_COLUMNS = 80;
/** Lines longer than this are hard to follow with the eyes. */
const HELP_COLUMNS_MAX = 100;

/** What was given on the command line, read by name and checked. */
export type Options = {
  readonly text: (name: string) => string | null;
  readonly flag: (name: string) => boolean;
  /** Of an option that may be repeated. */
  readonly many: (name: string) => readonly string[];
  /** @throws {UsageFault} when it is not a whole number from `min` to `max`. */
  readonly whole: (name: string, min: number, max: number) => number | null;
  /** In ms. @throws {UsageFault} when it has no unit. */
  readonly duration: (name: string) => number | null;
};

/** One of the program's commands: how it looks from outside, and what it does. */
export type CommandModule = {
  /** `answer` is called once with how it ended. */
  readonly build: (world: World, answer: (exit: Exit) => void) => Command;
};

type Run = (world: World, args: readonly string[], options: Options) => Promise<Exit>;

/** A command with our help, errors as exceptions, and writing only to the screens of `world`. */
export function command(world: World, name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .exitOverride()
    .allowExcessArguments(false)
    .showSuggestionAfterError(true)
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => world.out.write(text),
      writeErr: (text) => world.err.write(text),
      // The complaint is written by main, with everything else that can go wrong.
      outputError: () => {},
      getOutHelpWidth: () => helpColumns(world),
      getErrHelpWidth: () => helpColumns(world),
      getOutHasColors: () => world.out.colours,
      getErrHasColors: () => world.err.colours,
    })
    .configureHelp({
      styleTitle: (title) => paint(world.out, "bold", title),
      styleOptionTerm: (term) => paint(world.out, "cyan", term),
      styleSubcommandTerm: (term) => paint(world.out, "cyan", term),
    });
}

function helpColumns(world: World): number {
  return Number.isFinite(world.out.columns) ? Math.min(world.out.columns, HELP_COLUMNS_MAX) : HELP_COLUMNS;
}

/** Examples below the options: each a command and what it does. */
export function examples(...pairs: readonly (readonly [command: string, does: string])[]): string {
  return `\nExamples:\n${pairs.map(([line, does]) => `  # ${does}\n  ${line}`).join("\n\n")}\n`;
}

/** Makes `run` the command's action, and its end the program's. */
export function acting(built: Command, world: World, answer: (exit: Exit) => void, run: Run): Command {
  return built.action(async () => {
    answer(await run(world, built.args, optionsOf(built)));
  });
}

/** `--json`, and where the server is. */
export function withServer(built: Command): Command {
  return withJson(built)
    .option("--url <url>", "the server (default: TIDINGS_URL, else the one running on the data folder)")
    .option("--key <key>", "API key (default: TIDINGS_API_KEY, else the running server's own)")
    .option("--data-dir <folder>", "data folder in which to look for a running server (default: ./.tidings)");
}

export function withJson(built: Command): Command {
  return built.option("--json", "print JSON for programs instead of text for people");
}

/** Collects an option that may be repeated. */
export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function optionsOf(built: Command): Options {
  // Commander's own type is `any`; each reader below looks before it trusts.
  const values: Readonly<Record<string, unknown>> = built.optsWithGlobals();
  const text = (name: string): string | null => {
    const value = values[name];
    return typeof value === "string" ? value : null;
  };
  return {
    text,
    flag: (name) => values[name] === true,
    many: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
    },
    whole: (name, min, max) => {
      const given = text(name);
      if (given === null) return null;
      const number = /^\d{1,12}$/.test(given) ? Number(given) : Number.NaN;
      if (number >= min && number <= max) return number;
      throw new UsageFault(
        `--${dashed(name)} must be a whole number from ${min} to ${max}, not ${JSON.stringify(given)}`,
      );
    },
    duration: (name) => {
      const given = text(name);
      if (given === null) return null;
      const ms = durationMs(given);
      if (ms !== null) return ms;
      throw new UsageFault(`--${dashed(name)} must be a duration such as 30s, 15m or 2h, not ${JSON.stringify(given)}`);
    },
  };
}

export function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** How commander ended by itself: help and version are fine, everything else is a wrong command line. */
export function exitOfCommander(error: CommanderError): { readonly exit: Exit; readonly says: string | null } {
  if (error.exitCode === 0 || error.code === "commander.help") return { exit: EXIT.ok, says: null };
  return { exit: EXIT.usage, says: error.message.replace(/^error: /, "") };
}

export { CommanderError };
