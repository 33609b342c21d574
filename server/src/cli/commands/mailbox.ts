import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { segment } from "#cli/client.ts";
import { caughtBlock } from "#cli/caught-view.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { ago, table } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100_000;
const PAGE_MAX = 100;

export function mailboxCommand(world: World, answer: (exit: Exit) => void): Command {
  const mailbox = command(
    world,
    "tidings mailbox",
    "Read what was caught instead of sent: no provider is configured for it.",
  );
  const list = command(world, "list", "List caught messages, newest first (the default).")
    .option("--channel <name>", "only of this channel: email, sms, push, inbox, webhook")
    .option("--to <recipient>", "only to this user id or address")
    .option("--limit <n>", `how many at most (default: ${LIMIT_DEFAULT})`);
  const show = command(world, "show", "Show one caught message as its recipient would have read it.")
    .argument("<id>", "its id, or `last` for the newest")
    .option("--html", "print the mail's HTML and nothing else");
  const clear = command(world, "clear", "Forget everything that was caught.").option("--yes", "do not ask");
  mailbox
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(show), world, answer, runShow))
    .addCommand(acting(withServer(clear), world, answer, runClear))
    .addHelpText(
      "after",
      examples(
        ["tidings mailbox", "what was caught"],
        ["tidings mailbox show last", "the newest, in words"],
        ["tidings mailbox show last --html > mail.html", "as a mail program would draw it"],
      ),
    );
  return mailbox;
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const limit = options.whole("limit", 1, LIMIT_MAX) ?? LIMIT_DEFAULT;
  using client = await openClient(world, options);
  const query = { channel: options.text("channel"), recipient: options.text("to") };
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const body = await client.get("mailbox", { ...query, cursor, limit: Math.min(PAGE_MAX, limit - found.length) });
    found.push(...rows(body).slice(0, limit - found.length));
    cursor = nextCursor(body);
  } while (cursor !== null && found.length < limit);
  if (options.flag("json")) for (const item of found) sayJson(world, item);
  else if (found.length === 0) say(world.err, "The mailbox is empty.");
  else showList(world, found);
  return EXIT.ok;
}

function showList(world: World, items: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const lines = items.map((item) => [
    ago(nowMs, timeMs(item, "caught") ?? nowMs),
    clean(text(item, "channel")),
    clean(text(item, "to")),
    clean(text(item, "title")),
    { text: clean(text(item, "id")), style: "dim" as const },
  ]);
  const columns = [
    { title: "when", align: "right" as const },
    { title: "channel" },
    { title: "to", cut: "middle" as const, min: 12 },
    { title: "title", cut: "end" as const, min: 12 },
    // Long and only needed by programs: people say `last` or look at --json.
    { title: "id", drop: 1 },
  ];
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

async function runShow(world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  let wanted = id;
  if (id === "last") {
    const [newest] = rows(await client.get("mailbox", { limit: 1 }));
    if (newest === undefined) {
      say(world.err, "The mailbox is empty.");
      return EXIT.no;
    }
    wanted = text(newest, "id");
  }
  const caught = object(await client.get(`mailbox/${segment(wanted)}`));
  if (options.flag("json")) sayJson(world, caught);
  else if (options.flag("html")) return showHtml(world, caught);
  else for (const line of caughtBlock(world.out, caught)) say(world.out, line);
  return EXIT.ok;
}

function showHtml(world: World, caught: JsonObject): Exit {
  const html = text(object(caught["content"]), "html");
  if (html === "") {
    say(world.err, `This is a message by ${clean(text(caught, "channel"))}; it has no HTML.`);
    return EXIT.no;
  }
  world.out.write(html.endsWith("\n") ? html : `${html}\n`);
  return EXIT.ok;
}

async function runClear(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  if (!options.flag("yes")) {
    const sure = await world.confirm("Forget everything that was caught?");
    if (sure === null) throw new UsageFault("mailbox clear forgets everything; say --yes");
    if (!sure) return EXIT.no;
  }
  await client.call("DELETE", "mailbox");
  if (options.flag("json")) sayJson(world, { cleared: true });
  else say(world.out, "The mailbox is empty now.");
  return EXIT.ok;
}
