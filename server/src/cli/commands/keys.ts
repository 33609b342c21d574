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
    .option("--name <name>", "what it is for: you will want to know when you revoke it")
    .option("--aws", "a key pair for AWS' clients (SQS, EventBridge) instead of a bearer key; needs no name")
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
        ["tidings keys create --aws", "a pair, as the variables that AWS' clients read"],
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
  const aws = options.flag("aws");
  const name = options.text("name");
  if (name === null && !aws) throw new UsageFault("--name says what the key is for, and is needed");
  using client = await openClient(world, options);
  const scopes = asked.length === 0 ? ["full"] : asked;
  const body = { ...(name === null ? {} : { name }), scopes, ...(aws ? { aws } : {}) };
  const made = object((await client.call("POST", "admin/keys", { body })).body);
  if (options.flag("json")) sayJson(world, made);
  else if (aws) showPair(world, made);
  else {
    // The key alone on standard output, so that it can go into a variable or a file.
    say(world.out, text(made, "key", "secret"));
    say(world.err, paint(world.err, "dim", `Key ${clean(text(made, "id"))}. It is not shown again; keep it safe.`));
  }
  return EXIT.ok;
}

/** As the lines of a file of variables, so that it can go into one or be evaluated. */
function showPair(world: World, made: JsonObject): void {
  say(world.out, `AWS_ACCESS_KEY_ID=${text(made, "access_key_id")}`);
  say(world.out, `AWS_SECRET_ACCESS_KEY=${text(made, "secret_access_key")}`);
  say(world.err, paint(world.err, "dim", "The secret is not shown again; keep it safe."));
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
      // An access key id is whole.
      prefix === "" || key["aws"] === true ? prefix : `${prefix}…`,
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
