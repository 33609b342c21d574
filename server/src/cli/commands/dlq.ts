import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, number, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { ago, count, dateTime, paint, table } from "#cli/output.ts";
import { clean, cleanLines, wrap } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 1_000_000;
const PAGE_MAX = 100;
const PROSE_COLUMNS_MAX = 80;

export function dlqCommand(world: World, answer: (exit: Exit) => void): Command {
  const dlq = command(
    world,
    "tidings dlq",
    "Dead letters: jobs that gave up. Read them, try them again, or discard them.",
  );
  const list = command(world, "list", "List dead letters (the default).")
    .option("--queue <name>", "only of this queue")
    .option("--limit <n>", `how many at most (default: ${LIMIT_DEFAULT})`);
  const show = command(world, "show", "Show one dead letter: its error, its history, its payload.").argument(
    "<key>",
    "its key",
  );
  const redrive = command(world, "redrive", "Try dead letters again, from their first attempt.")
    .argument("[keys...]", "their keys")
    .option("--queue <name>", "all of this queue")
    .option("--all", "all there are")
    .option("--yes", "do not ask before more than one is tried again");
  const discard = command(world, "discard", "Give dead letters up for good.")
    .argument("<keys...>", "their keys")
    .option("--yes", "do not ask");
  dlq
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(show), world, answer, runShow))
    .addCommand(acting(withServer(redrive), world, answer, runRedrive))
    .addCommand(acting(withServer(discard), world, answer, runDiscard))
    .addHelpText(
      "after",
      examples(
        ["tidings dlq list --queue message", "what gave up"],
        ["tidings dlq redrive --queue message --yes", "the mail server works again: try all of them"],
        ["tidings dlq list --json | jq -r .key", "their keys, for a program"],
      ),
    );
  return dlq;
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const limit = options.whole("limit", 1, LIMIT_MAX) ?? LIMIT_DEFAULT;
  using client = await openClient(world, options);
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const left = limit - found.length;
    const body = await client.get("admin/dead-letters", {
      queue: options.text("queue"),
      cursor,
      limit: Math.min(PAGE_MAX, left),
    });
    found.push(...rows(body).slice(0, left));
    cursor = nextCursor(body);
  } while (cursor !== null && found.length < limit);
  if (options.flag("json")) for (const letter of found) sayJson(world, letter);
  else if (found.length === 0) say(world.err, "No dead letters.");
  else {
    showList(world, found);
    if (cursor !== null) say(world.err, paint(world.err, "dim", "There are more: --limit."));
  }
  return EXIT.ok;
}

function showList(world: World, letters: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const columns = [
    { title: "died", align: "right" as const },
    { title: "queue" },
    { title: "tries", align: "right" as const, drop: 1 },
    { title: "error", cut: "end" as const, min: 14 },
    { title: "key" },
  ];
  const lines = letters.map((letter) => [
    ago(nowMs, timeMs(letter, "died", "deadMs") ?? nowMs),
    clean(text(letter, "queue")),
    text(letter, "attempts", "attempt"),
    { text: clean(text(letter, "error")), style: "red" as const },
    { text: clean(text(letter, "key")), style: "dim" as const },
  ]);
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

async function runShow(world: World, [key = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const letter = object(await client.get(`admin/dead-letters/${segment(key)}`));
  if (options.flag("json")) sayJson(world, letter);
  else showOne(world, letter);
  return EXIT.ok;
}

function showOne(world: World, letter: JsonObject): void {
  const { out } = world;
  const at = (name: string): string => {
    const ms = timeMs(letter, name);
    return ms === null ? "" : dateTime(ms);
  };
  const width = Math.min(out.columns, PROSE_COLUMNS_MAX);
  say(out, paint(out, "bold", clean(text(letter, "key"))));
  const facts: readonly (readonly [string, string])[] = [
    ["queue", `${clean(text(letter, "queue"))} (${clean(text(letter, "lane"))})`],
    ["enqueued", at("enqueued")],
    ["died", `${at("died")} after ${count(number(letter, "attempts", "attempt") ?? 0, "try", "tries")}`],
    ["trace", clean(text(letter, "traceparent"))],
  ];
  for (const [name, value] of facts) if (value !== "") say(out, `  ${paint(out, "dim", name.padEnd(9))} ${value}`);
  say(out);
  for (const line of cleanLines(text(letter, "error")).flatMap((part) => wrap(part, width - 2))) {
    say(out, `  ${paint(out, "red", line)}`);
  }
  say(out);
  for (const line of cleanLines(JSON.stringify(letter["payload"] ?? null, null, 2))) say(out, `  ${line}`);
}

async function runRedrive(world: World, keys: readonly string[], options: Options): Promise<Exit> {
  const [queue, all] = [options.text("queue"), options.flag("all")];
  if ([keys.length > 0, queue !== null, all].filter(Boolean).length !== 1) {
    throw new UsageFault("say which: keys, --queue NAME, or --all");
  }
  using client = await openClient(world, options);
  if (keys.length !== 1 && !options.flag("yes")) {
    const which =
      keys.length > 1 ? count(keys.length, "dead letter") : all ? "all dead letters" : `all dead letters of ${queue}`;
    const sure = await world.confirm(`Try ${which} again?`);
    if (sure === null) throw new UsageFault("this tries many again; say --yes");
    if (!sure) return EXIT.no;
  }
  const body = keys.length > 0 ? { keys } : all ? { all: true } : { queue };
  const { revived, gone } = await redriveAll(world, client, body);
  if (options.flag("json")) sayJson(world, { revived, gone });
  else {
    say(world.out, `${count(revived, "job")} will be tried again.`);
    if (gone > 0) say(world.err, `${count(gone, "key")} named no dead letter (any more).`);
  }
  return revived === 0 || gone > 0 ? EXIT.no : EXIT.ok;
}

/** Asks again until the server says that nothing is left: one call is bounded. */
async function redriveAll(world: World, client: Client, body: JsonObject | { keys: readonly string[] }) {
  let [revived, gone] = [0, 0];
  for (;;) {
    const report = object((await client.callPatiently(world, "POST", "admin/dead-letters/redrive", { body })).body);
    const now = number(report, "revived") ?? 0;
    revived += now;
    gone += number(report, "gone") ?? 0;
    if (report["more"] !== true || now === 0) return { revived, gone };
  }
}

async function runDiscard(world: World, keys: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  if (!options.flag("yes")) {
    const sure = await world.confirm(`Give ${count(keys.length, "dead letter")} up for good?`);
    if (sure === null) throw new UsageFault("this gives work up for good; say --yes");
    if (!sure) return EXIT.no;
  }
  for (const key of keys) await client.call("DELETE", `admin/dead-letters/${segment(key)}`);
  if (options.flag("json")) sayJson(world, { discarded: keys });
  else say(world.out, `${count(keys.length, "dead letter")} discarded.`);
  return EXIT.ok;
}
