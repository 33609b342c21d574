import { basename } from "node:path";
import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { quarantineCommand } from "#cli/commands/quarantine.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { ago, paint, type Style, table } from "#cli/output.ts";
import { readText } from "#cli/read-text.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";

const VERDICTS = ["ignore", "quarantine", "reject"];

export function schemasCommand(world: World, answer: (exit: Exit) => void): Command {
  const schemas = command(
    world,
    "tidings schemas",
    "What events of a type look like, whether a change of that breaks somebody, and what becomes of events that do not fit.",
  );
  const withSource = (built: Command): Command =>
    withServer(built.option("--source <uri>", "the schema of events of this source only"));
  const list = command(world, "list", "List event types that have a schema (the default).");
  const show = command(world, "show", "Print the newest version, or another one.")
    .argument("<type>", "the event type")
    .option("--version <number>", "this version");
  const put = command(world, "put", "Add a version; one that says what the newest says adds nothing.")
    .argument("<file.json>", "a JSON Schema 2020-12 (- reads standard input)")
    .option("--type <type>", "the event type (default: the file's name without .json)");
  const check = command(
    world,
    "check",
    "Compare a schema with the newest version: can those who were made for the old one read the new one, and which rules " +
      "read a field that goes away? Ends with 0 when it is compatible, with 1 when it breaks or nobody can tell.",
  )
    .summary("does a new version break whoever reads the old one?")
    .argument("<file.json>", "a JSON Schema 2020-12 (- reads standard input)")
    .option("--type <type>", "the event type (default: the file's name without .json)")
    .option("--unsure-is-fine", "end with 0 also when nobody can tell");
  const remove = command(world, "remove", "Remove a schema with all its versions.").argument(
    "<type>",
    "the event type",
  );
  const off = command(world, "off", "Judge nothing by a schema for now.").argument("<type>", "the event type");
  const on = command(world, "on", "Judge by a schema again.").argument("<type>", "the event type");
  const policy = command(world, "policy", "Show or set what becomes of a source's events that do not fit.")
    .argument("[source]", "the source, or * for all that have no policy of their own")
    .option("--unfit <what>", `of an event that does not fit the schema of its type: ${VERDICTS.join(", ")}`)
    .option("--unknown <what>", `of an event whose type has no schema: ${VERDICTS.join(", ")}`)
    .option("--remove", "have the policy of * again");
  const types = command(world, "types", "Print TypeScript types of all events that have a schema.");
  return schemas
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withSource(show), world, answer, runShow))
    .addCommand(acting(withSource(put), world, answer, runPut))
    .addCommand(acting(withSource(check), world, answer, runCheck))
    .addCommand(acting(withSource(on), world, answer, (...call) => runState("active", ...call)))
    .addCommand(acting(withSource(off), world, answer, (...call) => runState("off", ...call)))
    .addCommand(acting(withSource(remove), world, answer, runRemove))
    .addCommand(acting(withServer(policy), world, answer, runPolicy))
    .addCommand(quarantineCommand(world, answer))
    .addCommand(acting(withServer(types), world, answer, runTypes))
    .addHelpText(
      "after",
      examples(
        ["tidings schemas put order.placed.json", "the first version, or the next"],
        ["tidings schemas check order.placed.json", "in CI, before the producer is changed"],
        ["tidings schemas policy /shop --unfit quarantine", "keep aside what does not fit"],
        ["tidings schemas types > events.d.ts", "types for consumers"],
      ),
    );
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found = rows(await client.get("schemas"));
  if (options.flag("json")) for (const one of found) sayJson(world, one);
  else if (found.length === 0) say(world.out, "No event type has a schema.");
  else {
    const nowMs = world.clock.nowMs();
    const columns = [
      { title: "type", cut: "middle" as const, min: 16 },
      { title: "source", cut: "end" as const },
      { title: "version", align: "right" as const },
      { title: "changed", align: "right" as const },
      { title: "" },
    ];
    const lines = found.map((one) => [
      clean(text(one, "type")),
      clean(text(one, "source")),
      text(one, "latest"),
      ago(nowMs, timeMs(one, "updated") ?? nowMs),
      text(one, "state") === "off" ? { text: "off", style: "yellow" as const } : "",
    ]);
    for (const line of table(world.out, columns, lines)) say(world.out, line);
  }
  return EXIT.ok;
}

async function runShow(world: World, [type = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const version = options.whole("version", 1, 9_999);
  const query = { source: options.text("source") };
  const at = `schemas/${segment(type)}`;
  const found = version === null ? null : await client.get(`${at}/versions/${version}`, query);
  const schema = found ?? object(await client.get(at, query))["schema"];
  if (options.flag("json")) sayJson(world, schema);
  else say(world.out, JSON.stringify(schema, null, 2));
  return EXIT.ok;
}

async function runPut(world: World, args: readonly string[], options: Options): Promise<Exit> {
  const { type, schema } = await readSchema(world, args, options);
  using client = await openClient(world, options);
  const query = { source: options.text("source") };
  const { status, body } = await client.call("PUT", `schemas/${segment(type)}`, { query, text: schema });
  if (options.flag("json")) sayJson(world, body);
  else {
    const said = status === 201 ? "is here now" : "says so already";
    say(world.out, `${tick(world)} ${clean(type)}: version ${text(object(body), "latest")} ${said}`);
  }
  return EXIT.ok;
}

async function runCheck(world: World, args: readonly string[], options: Options): Promise<Exit> {
  const { type, schema } = await readSchema(world, args, options);
  using client = await openClient(world, options);
  const query = { source: options.text("source") };
  const path = `schemas/${segment(type)}/check`;
  const report = object((await client.call("POST", path, { query, text: schema })).body);
  if (options.flag("json")) sayJson(world, report);
  else tellCheck(world, report);
  const verdict = text(report, "verdict");
  return verdict === "compatible" || (verdict === "unsure" && options.flag("unsureIsFine")) ? EXIT.ok : EXIT.no;
}

const MARKS: Readonly<Record<string, readonly [mark: string, style: Style]>> = {
  breaking: ["✗", "red"],
  unsure: ["?", "yellow"],
  compatible: ["✓", "green"],
};

function tellCheck(world: World, report: JsonObject): void {
  const mark = (kind: string): string => {
    const [sign, style] = MARKS[kind] ?? ["?", "yellow"];
    return paint(world.out, style, sign);
  };
  const [type, against] = [clean(text(report, "type")), text(report, "against")];
  if (against === "")
    return say(world.out, `${mark("compatible")} ${type} has no schema yet: nobody can be disturbed.`);
  const findings = rows(report["findings"]);
  for (const { kind, at, says } of findings.map((one) => ({
    kind: text(one, "kind"),
    at: clean(text(one, "at")),
    says: clean(text(one, "says")),
  }))) {
    say(world.out, `${mark(kind)} ${at === "" ? "the data" : at} ${says}`);
  }
  for (const reader of rows(report["readers"])) {
    const target = text(reader, "target");
    const where = target === "" ? "in its pattern" : `in its target ${clean(target)}`;
    const rule = `${clean(text(reader, "bus"))}/${clean(text(reader, "rule"))}`;
    say(world.out, `  rule ${rule} reads ${clean(text(reader, "reads"))} ${where}`);
  }
  say(world.out, `${mark(text(report, "verdict"))} ${type}: ${SUMS[text(report, "verdict")] ?? ""} version ${against}`);
}

const SUMS: Readonly<Record<string, string>> = {
  breaking: "breaks whoever was made for",
  unsure: "nobody can tell whether it can be read by whoever was made for",
  compatible: "can be read by whoever was made for",
};

async function runState(state: string, world: World, args: readonly string[], options: Options): Promise<Exit> {
  const [type = ""] = args;
  using client = await openClient(world, options);
  const call = { query: { source: options.text("source") }, body: { state } };
  const { body } = await client.call("PUT", `schemas/${segment(type)}/state`, call);
  if (options.flag("json")) sayJson(world, body);
  else say(world.out, `${tick(world)} ${clean(type)} is ${state}`);
  return EXIT.ok;
}

async function runRemove(world: World, [type = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  await client.call("DELETE", `schemas/${segment(type)}`, { query: { source: options.text("source") } });
  if (options.flag("json")) sayJson(world, { removed: type });
  else say(world.out, `Removed ${clean(type)}.`);
  return EXIT.ok;
}

async function runPolicy(world: World, [source]: readonly string[], options: Options): Promise<Exit> {
  const wish = { unfit: verdictOf(options, "unfit"), unknown: verdictOf(options, "unknown") };
  const sets = wish.unfit !== null || wish.unknown !== null;
  using client = await openClient(world, options);
  if (source !== undefined && options.flag("remove"))
    await client.call("DELETE", `schemas/policies/${segment(source)}`);
  else if (source !== undefined && sets) await setPolicy(client, source, wish);
  else if (sets || options.flag("remove")) throw new UsageFault("say which source, or * for all");
  const policies = rows(await client.get("schemas/policies"));
  const shown = source === undefined ? policies : policies.filter((one) => text(one, "source") === source);
  if (options.flag("json")) for (const one of shown) sayJson(world, one);
  else if (shown.length === 0) say(world.out, "Nothing is asked of events: what does not fit is taken as it is.");
  else {
    const columns = [{ title: "source", cut: "end" as const, min: 12 }, { title: "unfit" }, { title: "unknown type" }];
    const lines = shown.map((one) => [clean(text(one, "source")), text(one, "unfit"), text(one, "unknown")]);
    for (const line of table(world.out, columns, lines)) say(world.out, line);
  }
  return EXIT.ok;
}

/** What was not said stays as it is. */
async function setPolicy(client: Client, source: string, wish: Readonly<Record<string, string | null>>): Promise<void> {
  const policies = rows(await client.get("schemas/policies"));
  const before = policies.find((one) => text(one, "source") === source) ?? {};
  const body = Object.fromEntries(
    Object.entries(wish).flatMap(([name, verdict]) => {
      const now = verdict ?? text(before, name);
      return now === "" ? [] : [[name, now]];
    }),
  );
  await client.call("PUT", `schemas/policies/${segment(source)}`, { body });
}

function verdictOf(options: Options, name: string): string | null {
  const given = options.text(name);
  if (given === null || VERDICTS.includes(given)) return given;
  throw new UsageFault(`--${name} must be one of ${VERDICTS.join(", ")}, not ${JSON.stringify(given)}`);
}

async function runTypes(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const written = await client.get("schemas/types.d.ts");
  if (options.flag("json")) sayJson(world, { types: written });
  else world.out.write(String(written));
  return EXIT.ok;
}

type Given = { readonly type: string; readonly schema: string };

async function readSchema(world: World, [file = ""]: readonly string[], options: Options): Promise<Given> {
  const schema = await readText(world, file, "the file");
  const type = options.text("type") ?? (file === "-" ? "" : basename(file).replace(/(?:\.schema)?\.json$/, ""));
  if (type === "") throw new UsageFault("say which event type: --type order.placed");
  return { type, schema };
}

function tick(world: World): string {
  return paint(world.out, "green", "✓");
}
