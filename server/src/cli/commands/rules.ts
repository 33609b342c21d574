import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { EXIT, type Exit, Refusal, UsageFault } from "#cli/exit.ts";
import { object, rows, text } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { count, paint, table } from "#cli/output.ts";
import { readText } from "#cli/read-text.ts";
import { ruleBody } from "#cli/rule-files.ts";
import { applyRules } from "#cli/rules-apply.ts";
import { LOAD_COLUMNS, loadCells, loadText, ruleLoad, ruleLoads } from "#cli/rule-loads.ts";
import { allRules, pathOf } from "#cli/rules-client.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { Json, JsonObject } from "#domain/json.ts";

export function rulesCommand(world: World, answer: (exit: Exit) => void): Command {
  const rules = command(world, "tidings rules", "Which events are given to whom: send, queue, webhook, another bus.");
  const named = (name: string, says: string): Command =>
    command(world, name, says).argument("<name>", "the rule; with a bus other than default: BUS/NAME");
  const list = command(world, "list", "List rules (the default).").option("--bus <name>", "only of this bus");
  const put = command(
    world,
    "put",
    "Make or replace one rule from a file. The events that come in behind it are given to its targets.",
  )
    .summary("make or replace one rule from a file")
    .argument("<name>", "the rule; with a bus other than default: BUS/NAME")
    .argument("<file.json>", "pattern and targets; - reads standard input");
  const test = command(
    world,
    "test",
    "Tell whether a pattern matches an event, and if not, what does not hold. Exit code 1 when it does not.",
  )
    .summary("does a pattern match an event, and why not?")
    .argument("<pattern.json>", "a file with a pattern, or a rule that has one")
    .argument("<event.json>", "a file with a whole event; - reads standard input");
  rules
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(named("show", "Show one rule with its targets.")), world, answer, runShow))
    .addCommand(acting(withServer(put), world, answer, runPut))
    .addCommand(acting(withServer(named("enable", "Let a rule match again.")), world, answer, switching(true)))
    .addCommand(acting(withServer(named("disable", "Let a rule match nothing.")), world, answer, switching(false)))
    .addCommand(acting(withServer(named("delete", "Delete a rule with its targets.")), world, answer, runDelete))
    .addCommand(acting(withServer(test), world, answer, runTest))
    .addCommand(acting(withServer(applying(world)), world, answer, applyRules))
    .addCommand(acting(withServer(exporting(world)), world, answer, runExport))
    .addHelpText(
      "after",
      examples(
        ["tidings rules put welcome welcome.json", "from now on"],
        ["tidings rules apply rules/ --dry-run", "what would change"],
        ["tidings rules apply rules/ --prune", "make it so, and delete what is in no file"],
        ["tidings rules test rules/welcome.json event.json", "would it match?"],
      ),
    );
  return rules;
}

function applying(world: World): Command {
  return command(
    world,
    "apply",
    "Make rules what files say: one rule or an array of rules in each JSON file. Applying again changes nothing.",
  )
    .summary("make rules what files say")
    .argument("<path>", "a file, or a folder with .json files")
    .option("--prune", "delete the rules of the same buses that no file has")
    .option("--dry-run", "only tell what would change; exit code 1 if anything would");
}

function exporting(world: World): Command {
  return command(world, "export", "Write all rules as JSON that apply takes.").option(
    "--bus <name>",
    "only of this bus",
  );
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found = await allRules(client, options.text("bus"));
  const loads = options.flag("json") || found.length === 0 ? new Map() : await ruleLoads(client);
  if (options.flag("json")) {
    sayJson(world, found);
    return EXIT.ok;
  }
  if (found.length === 0) {
    say(world.err, "There are no rules. Make one: tidings rules put NAME FILE.json");
    return EXIT.ok;
  }
  const nowMs = world.clock.nowMs();
  const lines = found.map((rule) => {
    const path = `${text(rule, "bus")}/${text(rule, "name")}`;
    return [
      clean(path),
      rule["enabled"] === true ? "on" : "off",
      clean(rows(rule["targets"]).map(targetTitle).join(", ")),
      ...loadCells(loads.get(path) ?? {}, nowMs),
      clean(JSON.stringify(rule["pattern"] ?? null)),
    ];
  });
  const columns = [
    { title: "rule" },
    { title: "state" },
    { title: "targets", cut: "end" as const, min: 10 },
    ...LOAD_COLUMNS,
    { title: "pattern", cut: "end" as const, min: 12, drop: 5 },
  ];
  for (const line of table(world.out, columns, lines)) say(world.out, line);
  return EXIT.ok;
}

async function runShow(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const rule = object(await client.get(pathOf(name)));
  if (options.flag("json")) {
    sayJson(world, rule);
    return EXIT.ok;
  }
  say(world.out, fileText([rule], false));
  // What stands above is a file that can be applied again; how it fares is said beside it.
  const load = await ruleLoad(client, text(rule, "bus"), text(rule, "name"));
  say(world.err, paint(world.err, "dim", loadText(load, world.clock.nowMs())));
  return EXIT.ok;
}

async function runPut(world: World, [name = "", file = ""]: readonly string[], options: Options): Promise<Exit> {
  const given = await readText(world, file, "the file");
  const body = ruleBody(object(readJson(file, given)), given);
  using client = await openClient(world, options);
  const put = object((await client.callPatiently(world, "PUT", pathOf(name), { body })).body);
  if (options.flag("json")) sayJson(world, put);
  else say(world.out, `${paint(world.out, "green", "✓")} ${clean(name)} ${CHANGES[text(put, "was")] ?? "is so"}.`);
  return EXIT.ok;
}

const CHANGES: Readonly<Record<string, string>> = {
  absent: "is there now",
  same: "was so already",
  different: "is changed",
};

function switching(enabled: boolean) {
  return async (world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> => {
    using client = await openClient(world, options);
    const rule = (await client.callPatiently(world, "PUT", `${pathOf(name)}/enabled`, { body: { enabled } })).body;
    if (options.flag("json")) sayJson(world, rule);
    else say(world.out, `${paint(world.out, "green", "✓")} ${clean(name)} is ${enabled ? "on" : "off"}.`);
    return EXIT.ok;
  };
}

async function runDelete(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  try {
    await client.callPatiently(world, "DELETE", pathOf(name), {});
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "thing.unknown") throw error;
    say(world.err, `There is no rule ${clean(name)}.`);
    return EXIT.no;
  }
  if (options.flag("json")) sayJson(world, { deleted: name });
  else say(world.out, `${paint(world.out, "green", "✓")} ${clean(name)} is deleted.`);
  return EXIT.ok;
}

async function runTest(world: World, [file = "", eventFile = ""]: readonly string[], options: Options): Promise<Exit> {
  const given = await readText(world, file, "the file");
  const read = object(readJson(file, given));
  const event = await readText(world, eventFile, "the event");
  readJson(eventFile, event);
  using client = await openClient(world, options);
  // A file with a rule has its pattern inside.
  const isRule = typeof read["pattern"] === "string" || read["targets"] !== undefined || read["name"] !== undefined;
  const pattern = isRule ? (ruleBody(read, given)["pattern"] ?? "") : given;
  const told = object((await client.callPatiently(world, "POST", "rules/test", { body: { pattern, event } })).body);
  const matches = told["matches"] === true;
  if (options.flag("json")) sayJson(world, told);
  else if (matches) say(world.out, `${paint(world.out, "green", "✓")} It matches.`);
  else say(world.out, `${paint(world.out, "yellow", "✗")} It does not match: ${clean(text(told, "why"))}.`);
  return matches ? EXIT.ok : EXIT.no;
}

async function runExport(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found = (await allRules(client, options.text("bus"))).filter((rule) => (rule["managedBy"] ?? null) === null);
  say(world.out, fileText(found, true));
  if (!options.flag("json")) say(world.err, count(found.length, "rule"));
  return EXIT.ok;
}

/** Rules as `apply` takes them: what the server adds is left out. */
function fileText(found: readonly JsonObject[], isList: boolean): string {
  const shown = found.map(({ bus, name, pattern, patternText, enabled, description, schedule, tags, targets }) => ({
    bus: bus ?? null,
    name: name ?? null,
    ...((description ?? null) === null ? {} : { description: description ?? null }),
    ...((pattern ?? null) === null ? {} : { pattern: patternText ?? pattern ?? null }),
    ...((schedule ?? null) === null ? {} : { schedule: schedule ?? null }),
    ...(enabled === false ? { enabled } : {}),
    ...(Object.keys(object(tags)).length === 0 ? {} : { tags: object(tags) }),
    targets: targets ?? [],
  }));
  return JSON.stringify(isList ? shown : shown[0], null, 2);
}

function targetTitle(target: JsonObject): string {
  for (const kind of ["queue", "webhook", "bus"]) {
    if (typeof target[kind] === "string") return `${kind} ${target[kind]}`;
  }
  return target["send"] === undefined ? text(target, "arn", "id") : "send";
}

function readJson(file: string, given: string): Json {
  try {
    // JSON.parse gives what JSON can say and nothing else.
    return JSON.parse(given) as Json;
  } catch (error) {
    throw new UsageFault(`${file} is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
}
