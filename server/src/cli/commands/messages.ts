import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import type { Client } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, rows } from "#cli/json.ts";
import { type MessageView, viewOf, wayOf } from "#cli/message-view.ts";
import { acting, command, examples, type Options, repeated, withServer } from "#cli/options.ts";
import { ago, type Column, paint, statusStyle, table } from "#cli/output.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { durationMs } from "#config/kinds.ts";
import type { JsonObject } from "#domain/json.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100_000;
/** Rows asked for at once; more than the server's page size is cut by it. */
const PAGE_MAX = 100;
const REQUEST_ID_COLUMNS = 36;

export function messagesCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(world, "tidings messages", "List messages, newest first.")
    .option("--status <status>", "only of this status, e.g. SENT or UNDELIVERABLE (repeatable)", repeated)
    .option("--recipient <id>", "only to this user id or address")
    .option("--list <id>", "only those sent to this list")
    .option("--request <id>", "only those of one send")
    .option("--event <name>", "only of this event")
    .option("--tag <tag>", "only with this tag (repeatable)", repeated)
    .option("--provider <name>", "only through this provider (repeatable)", repeated)
    .option("--since <time>", "only accepted since: 15m, 2h, 7d or an ISO time")
    .option("--limit <n>", `how many at most (default: ${LIMIT_DEFAULT})`)
    .addHelpText(
      "after",
      examples(
        ["tidings messages --status UNDELIVERABLE --since 2h", "what did not arrive in the last two hours"],
        ["tidings messages --json --limit 1000 | jq -r .recipient", "the last thousand recipients"],
      ),
    );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const limit = options.whole("limit", 1, LIMIT_MAX) ?? LIMIT_DEFAULT;
  const since = options.text("since");
  const sinceMs = since === null ? null : sinceOf(since, world.clock.nowMs());
  const query = {
    status: options.many("status").map((status) => status.toUpperCase()),
    recipient: options.text("recipient"),
    list: options.text("list"),
    traceId: options.text("request"),
    event: options.text("event"),
    tag: options.many("tag"),
    provider: options.many("provider"),
    enqueued_after: sinceMs === null ? null : new Date(sinceMs).toISOString(),
  };
  using client = await openClient(world, options);
  const found: JsonObject[] = [];
  for await (const message of pages(client, query, limit)) {
    if (options.flag("json")) sayJson(world, message);
    else found.push(message);
  }
  if (!options.flag("json")) show(world, found.map(viewOf));
  return EXIT.ok;
}

/** Up to `limit` messages, page after page. */
async function* pages(
  client: Client,
  query: Readonly<Record<string, string | readonly string[] | null>>,
  limit: number,
): AsyncGenerator<JsonObject> {
  let cursor: string | null = null;
  for (let left = limit; left > 0; ) {
    const body = await client.get("messages", { ...query, cursor, limit: Math.min(left, PAGE_MAX) });
    const page = rows(body).slice(0, left);
    yield* page;
    left -= page.length;
    cursor = nextCursor(body);
    if (cursor === null) return;
  }
}

function show(world: World, views: readonly MessageView[]): void {
  if (views.length === 0) {
    say(world.err, "No messages match.");
    return;
  }
  const columns: readonly Column[] = [
    { title: "when", align: "right" },
    { title: "status" },
    { title: "recipient", cut: "middle", min: 12 },
    { title: "way", drop: 2, cut: "end" },
    { title: "reason", drop: 1, cut: "end" },
    // A message to one of many has the recipient in its id; that may be cut, the request may not.
    { title: "message", cut: "end", min: REQUEST_ID_COLUMNS },
  ];
  const nowMs = world.clock.nowMs();
  const lines = views.map((view) => [
    view.enqueuedMs === null ? "" : ago(nowMs, view.enqueuedMs),
    { text: view.status, style: statusStyle(view.status) },
    view.recipient,
    wayOf(view),
    view.reason,
    { text: view.id, style: "dim" as const },
  ]);
  for (const line of table(world.out, columns, lines)) say(world.out, line);
  const [failed] = views.filter(({ status }) => status.startsWith("UN"));
  if (failed !== undefined && world.out.isTty)
    say(world.err, paint(world.err, "dim", `\nWhy not: tidings why ${failed.id}`));
}

/** `15m` ago, or a point in time. */
export function sinceOf(given: string, nowMs: number): number {
  const backMs = durationMs(given);
  if (backMs !== null) return nowMs - backMs;
  const at = Date.parse(given);
  if (Number.isFinite(at)) return at;
  throw new UsageFault(`--since must be a duration such as 15m or 2h, or an ISO time, not ${JSON.stringify(given)}`);
}
