import { clean } from "#cli/text.ts";
import { EXIT, type Exit, Refusal, UsageFault } from "#cli/exit.ts";
import { paint } from "#cli/output.ts";
import { version } from "#app/version.ts";
import { findCommand, renderHelp, unknownCommand } from "#cli/commands.ts";
import { say, type World } from "#cli/world.ts";
import { OPERATOR_FAULTS, OperatorFault } from "#domain/faults.ts";

/** Runs one command line, `argv` without node and script, and says how it ended. Never throws. */
export async function runCli(world: World, argv: readonly string[]): Promise<Exit> {
  try {
    return await dispatch(world, argv);
  } catch (error) {
    return await explain(world, argv, error);
  }
}

async function dispatch(world: World, argv: readonly string[]): Promise<Exit> {
  const [first, ...rest] = argv;
  if (first === "--version" || first === "-v" || first === "version") {
    say(world.out, version);
    return EXIT.ok;
  }
  if (first === "--help" || first === "-h" || (first === "help" && rest.length === 0)) {
    world.out.write(renderHelp(world.out));
    return EXIT.ok;
  }
  if (first === "help") return dispatch(world, [...rest, "--help"]);
  // Nothing but flags: `tidings` alone serves.
  const [name, args] = first === undefined || first.startsWith("-") ? ["start", argv] : [first, rest];
  const command = findCommand(name);
  if (command === null) throw new UsageFault(unknownCommand(name));
  const { build } = await command.load();
  let ended: Exit = EXIT.ok;
  const built = build(world, (exit) => {
    ended = exit;
  });
  await built.parseAsync([...args], { from: "user" });
  return ended;
}

/** What went wrong, for people on standard error, for programs (`--json`) on standard output. */
async function explain(world: World, argv: readonly string[], error: unknown): Promise<Exit> {
  const told = await tell(world, argv, error);
  if (told.says === null) return told.exit;
  if (argv.includes("--json")) {
    const code = told.code === null ? {} : { code: told.code };
    say(world.out, JSON.stringify({ error: { ...code, message: told.says, exit: told.exit } }));
    return told.exit;
  }
  say(world.err, `${paint(world.err, "red", "tidings:")} ${told.says}`);
  if (told.hint !== null) say(world.err, paint(world.err, "dim", told.hint));
  return told.exit;
}

type Told = {
  readonly exit: Exit;
  readonly says: string | null;
  readonly code: string | null;
  readonly hint: string | null;
};

async function tell(world: World, argv: readonly string[], error: unknown): Promise<Told> {
  if (world.signal.aborted && isAbort(error)) return { exit: EXIT.interrupted, says: null, code: null, hint: null };
  if (error instanceof UsageFault) {
    return { exit: EXIT.usage, says: error.message, code: "usage", hint: `See: tidings ${helpFor(argv)}--help` };
  }
  if (error instanceof OperatorFault) {
    const says = error.message.replace(` [${error.code}]`, "");
    return { exit: exitOf(error), says, code: error.code, hint: OPERATOR_FAULTS[error.code] };
  }
  if (error instanceof Refusal) {
    const exit = error.status === 404 || error.status >= 500 ? EXIT.no : EXIT.refused;
    return { exit, says: clean(error.message), code: error.code, hint: error.hint === null ? null : clean(error.hint) };
  }
  const { CommanderError, exitOfCommander } = await import("#cli/options.ts");
  if (error instanceof CommanderError) {
    const { exit, says } = exitOfCommander(error);
    return { exit, says, code: "usage", hint: `See: tidings ${helpFor(argv)}--help` };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exit: EXIT.no, says: stack, code: "internal", hint: "This is a fault of Tidings itself; please report it." };
}

function exitOf(fault: OperatorFault): Exit {
  switch (fault.code) {
    case "config.invalid":
      return EXIT.usage;
    case "server.unreachable":
      return EXIT.unreachable;
    default:
      return EXIT.no;
  }
}

function helpFor(argv: readonly string[]): string {
  const [name] = argv;
  return name !== undefined && findCommand(name) !== null ? `${name} ` : "";
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || ("code" in error && error.code === "ABORT_ERR"));
}
