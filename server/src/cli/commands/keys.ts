import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, object, rows, text, texts, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, repeated, withServer } from "#cli/options.ts";
import { ago, paint, table } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";

const SCOPES = ["full", "send", "read"];

export function keysCommand(world: World, answer: (exit: Exit) => void): Command {
  const keys = command(world, "tidings keys", "API keys: create, list, revoke. A key is shown once, when it is made.");
  const create = command(world, "create", "Create a key and print it, this once.")
    .requiredOption("--name <name>", "what it is for: you will want to know when you revoke it")
    .option("--scope <scope>", `what it may do: ${SCOPES.join(", ")} (repeatable; default: full)`, repeated);
  const list = command(world, "list", "List keys (the default).").option("--all", "revoked ones too");
  const revoke = command(world, "revoke", "Revoke a key; who uses it is refused from now on.").argument(
    "<id>",
    "its id",
  );
  keys
    .addCommand(acting(withServer(create), world, answer, runCreate))
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(revoke), world, answer, runRevoke))
    .addHelpText(
      "after",
      examples(
        ["tidings keys create --name shop --scope send", "a key for a service that only sends"],
        ["KEY=$(tidings keys create --name ci --json | jq -r .key)", "into a variable"],
        ["tidings keys revoke 5f0c2a91be47", "when it leaked"],
      ),
    );
  return keys;
}

async function runCreate(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const asked = options.many("scope").flatMap((scope) => scope.split(","));
  const wrong = asked.find((scope) => !SCOPES.includes(scope));
  if (wrong !== undefined)
    throw new UsageFault(`--scope must be one of ${SCOPES.join(", ")}, not ${JSON.stringify(wrong)}`);
  using client = await openClient(world, options);
  const body = { name: options.text("name"), scopes: asked.length === 0 ? ["full"] : asked };
  const made = object((await client.call("POST", "admin/keys", { body })).body);
  if (options.flag("json")) sayJson(world, made);
  else {
    // The key alone on standard output, so that it can go into a variable or a file.
    say(world.out, text(made, "key", "secret"));
    say(world.err, paint(world.err, "dim", `Key ${clean(text(made, "id"))}. It is not shown again; keep it safe.`));
  }
  return EXIT.ok;
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const body = await client.get("admin/keys", { cursor });
    found.push(...rows(body, "keys"));
    cursor = nextCursor(body);
  } while (cursor !== null);
  const shown = found.filter((key) => options.flag("all") || timeMs(key, "revoked", "revokedMs") === null);
  if (options.flag("json")) for (const key of shown) sayJson(world, key);
  else showList(world, shown);
  return EXIT.ok;
}

function showList(world: World, keys: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const columns = [
    { title: "id" },
    { title: "begins", drop: 1 },
    { title: "name", cut: "end" as const, min: 12 },
    { title: "may", cut: "end" as const },
    { title: "created", align: "right" as const },
    { title: "" },
  ];
  const lines = keys.map((key) => {
    const prefix = clean(text(key, "prefix"));
    return [
      clean(text(key, "id")),
      prefix === "" ? "" : `${prefix}…`,
      clean(text(key, "name")),
      clean(texts(key["scopes"]).join(", ")),
      ago(nowMs, timeMs(key, "created", "createdMs") ?? nowMs),
      timeMs(key, "revoked", "revokedMs") === null ? "" : { text: "revoked", style: "red" as const },
    ];
  });
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

async function runRevoke(world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  await client.call("DELETE", `admin/keys/${segment(id)}`);
  if (options.flag("json")) sayJson(world, { revoked: id });
  else say(world.out, `Revoked ${clean(id)}.`);
  return EXIT.ok;
}
