import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, number, object, rows, text, texts, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, repeated, withServer } from "#cli/options.ts";
import { ago, count, dateTime, grouped, paint, span, statusStyle, table } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { Json, JsonObject } from "#domain/json.ts";

const PAGE_MAX = 100;
const DELIVERIES_MAX = 1_000;
const DELIVERIES_DEFAULT = 20;

export function webhooksCommand(world: World, answer: (exit: Exit) => void): Command {
  const webhooks = command(
    world,
    "tidings webhooks",
    "Endpoints that are called about what happens. Make them, see what they got and what they answered, deliver again.",
  );
  const one = (name: string, says: string): Command => command(world, name, says).argument("<id>", "the webhook's id");
  const list = command(world, "list", "List webhooks (the default).");
  const remove = one("delete", "Delete a webhook with its rule.").option("--yes", "do not ask");
  const rotate = one(
    "rotate",
    "Make a new secret and show it, once. The old one signs, too, for a time, so that the receiver can change over.",
  )
    .summary("make a new secret; the old one signs, too, for a time")
    .option("--keep-old <time>", "how long the old one still signs (default: 1d)");
  const test = one("test", "Send a sample event now and show what came back. Exit code 1 when it was no yes.").summary(
    "send a sample event now and show what came back",
  );
  webhooks
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(createOptions(world)), world, answer, runCreate))
    .addCommand(acting(withServer(one("show", "Show one webhook.")), world, answer, runShow))
    .addCommand(acting(withServer(rotate), world, answer, runRotate))
    .addCommand(acting(withServer(one("enable", "Call a webhook again.")), world, answer, switching(true)))
    .addCommand(acting(withServer(one("disable", "Do not call a webhook.")), world, answer, switching(false)))
    .addCommand(acting(withServer(remove), world, answer, runDelete))
    .addCommand(acting(withServer(deliveriesOptions(world)), world, answer, runDeliveries))
    .addCommand(acting(withServer(replayOptions(world)), world, answer, runReplay))
    .addCommand(acting(withServer(test), world, answer, runTest))
    .addHelpText(
      "after",
      examples(
        ['tidings webhooks create https://example.com/hook --pattern \'{"detail-type":["OrderPlaced"]}\'', "be called"],
        ["tidings webhooks test wh_1f", "does it answer?"],
        ["tidings webhooks deliveries wh_1f", "what did it get, and what did it say?"],
        ["tidings webhooks replay wh_1f --last 6h", "it was broken: what happened meanwhile, again"],
      ),
    );
  return webhooks;
}

function createOptions(world: World): Command {
  return command(
    world,
    "create",
    "Make a webhook and show its secret, once. With a pattern it gets the events that fit; without, what rules give it.",
  )
    .summary("make a webhook and show its secret, once")
    .argument("<url>", "what is called")
    .option("--pattern <json>", "an event pattern: which events it gets")
    .option("--bus <name>", "whose events (default: tidings, our own)")
    .option("--id <id>", "its id (default: one is made)")
    .option("--description <text>", "for people")
    .option("--format <name>", "standard (Standard Webhooks) or courier")
    .option("--header <name: value>", "sent with each call (repeatable)", repeated)
    .option("--timeout <time>", "for a whole call (default: 15s)")
    .option("--allow-private", "let the URL lead to this machine and its network");
}

function deliveriesOptions(world: World): Command {
  return command(world, "deliveries", "List what a webhook got, newest first; or show one delivery with its payload.")
    .argument("<id>", "the webhook's id")
    .argument("[delivery]", "show this one")
    .option("--limit <n>", `so many (default: ${DELIVERIES_DEFAULT})`);
}

function replayOptions(world: World): Command {
  return command(
    world,
    "replay",
    "Deliver again: one delivery, or the events of a time. Each under the webhook-id that it had.",
  )
    .summary("deliver again: one delivery, or the events of a time")
    .argument("<id>", "the webhook's id")
    .argument("[delivery]", "only this one")
    .option("--last <time>", "the events of so long, for instance 6h")
    .option("--from <time>", "the events since then, for instance 2026-11-22T06:00:00Z")
    .option("--to <time>", "and before then (default: now)")
    .option("--pattern <json>", "only events that fit this pattern (default: those that it gets)")
    .option("--bus <name>", "of this bus (default: the one that it gets events of)");
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const body = await client.get("webhooks", { cursor, limit: PAGE_MAX });
    found.push(...rows(body));
    cursor = nextCursor(body);
  } while (cursor !== null);
  if (options.flag("json")) for (const webhook of found) sayJson(world, webhook);
  else if (found.length === 0) {
    say(world.err, 'No webhooks. Make one: tidings webhooks create URL --pattern \'{"detail-type":["OrderPlaced"]}\'');
  } else {
    const columns = [
      { title: "id" },
      { title: "state" },
      { title: "url", cut: "middle" as const, min: 20 },
      { title: "bus", drop: 2 },
      { title: "pattern", cut: "end" as const, min: 12, drop: 1 },
    ];
    const lines = found.map((webhook) => [
      clean(text(webhook, "id")),
      stateCell(webhook),
      clean(text(webhook, "url")),
      clean(text(webhook, "bus")),
      patternText(webhook),
    ]);
    for (const line of table(world.out, columns, lines)) say(world.out, line);
  }
  return EXIT.ok;
}

function stateCell(webhook: JsonObject) {
  return webhook["enabled"] === true ? "on" : { text: `off (${offReason(webhook)})`, style: "red" as const };
}

function offReason(webhook: JsonObject): string {
  return text(webhook, "disabledBy") === "410" ? "410 Gone" : "by hand";
}

function patternText(webhook: JsonObject): string {
  const pattern = webhook["pattern"] ?? null;
  return pattern === null ? "" : clean(JSON.stringify(pattern));
}

async function runCreate(world: World, [url = ""]: readonly string[], options: Options): Promise<Exit> {
  const pattern = options.text("pattern");
  const timeoutMs = options.duration("timeout");
  const format = options.text("format");
  const [id, bus, description] = [options.text("id"), options.text("bus"), options.text("description")];
  if (bus !== null && pattern === null) throw new UsageFault("--bus goes with --pattern");
  if (format !== null && format !== "standard" && format !== "courier")
    throw new UsageFault("--format must be standard or courier");
  const headers = readHeaders(options.many("header"));
  const body = {
    url,
    ...(id === null ? {} : { id }),
    ...(pattern === null ? {} : { pattern }),
    ...(bus === null ? {} : { bus }),
    ...(description === null ? {} : { description }),
    ...(format === null ? {} : { format }),
    ...(headers === null ? {} : { headers }),
    ...(timeoutMs === null ? {} : { timeoutMs }),
    ...(options.flag("allowPrivate") ? { allowPrivate: true } : {}),
  };
  using client = await openClient(world, options);
  const made = object((await client.call("POST", "webhooks", { body })).body);
  if (options.flag("json")) sayJson(world, made);
  else {
    showSecret(world, made);
    const hint =
      pattern === null
        ? `Give it events: a rule with the target {"webhook":"${clean(text(made, "id"))}"}.`
        : `Try it: tidings webhooks test ${clean(text(made, "id"))}`;
    say(world.err, paint(world.err, "dim", hint));
  }
  return EXIT.ok;
}

function readHeaders(lines: readonly string[]): Readonly<Record<string, string>> | null {
  if (lines.length === 0) return null;
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      if (colon < 1) throw new UsageFault(`--header must be "NAME: VALUE", not ${JSON.stringify(line)}`);
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
    }),
  );
}

function showSecret(world: World, made: JsonObject): void {
  say(world.out, `${paint(world.out, "green", "✓")} ${clean(text(made, "id"))}`);
  say(world.out, `  ${clean(text(made, "secret"))}`);
  say(world.err, paint(world.err, "dim", "The secret is shown once. The receiver verifies each call with it."));
}

async function runShow(world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const webhook = object(await client.get(pathOf(id)));
  if (options.flag("json")) sayJson(world, webhook);
  else showOne(world, webhook);
  return EXIT.ok;
}

function showOne(world: World, webhook: JsonObject): void {
  const { out } = world;
  const nowMs = world.clock.nowMs();
  const secrets = rows(webhook["secrets"]).map((secret) => {
    const until = timeMs(secret, "until");
    const made = `made ${ago(nowMs, timeMs(secret, "created") ?? nowMs)}`;
    return until === null ? made : `${made}, signs until ${dateTime(until)}`;
  });
  const facts: readonly (readonly [string, string])[] = [
    ["url", clean(text(webhook, "url"))],
    ["about", clean(text(webhook, "description"))],
    ["state", webhook["enabled"] === true ? "on" : `off (${offReason(webhook)}); tidings webhooks enable`],
    ["format", clean(text(webhook, "format"))],
    [
      "events",
      webhook["pattern"] === null ? "what rules give it" : `${patternText(webhook)} on ${clean(text(webhook, "bus"))}`,
    ],
    ["secrets", secrets.join("; ")],
    ["headers", clean(texts(webhook["headerNames"]).join(", "))],
    ["timeout", span(number(webhook, "timeoutMs") ?? 0)],
    ["private", webhook["allowPrivate"] === true ? "may lead inside" : ""],
    ["replay", replaySentence(object(webhook["replay"]))],
  ];
  say(out, paint(out, "bold", clean(text(webhook, "id"))));
  for (const [title, value] of facts) if (value !== "") say(out, `  ${paint(out, "dim", title.padEnd(9))} ${value}`);
}

function replaySentence(replay: JsonObject): string {
  const from = timeMs(replay, "from");
  if (from === null) return "";
  const many = count(number(replay, "replayed") ?? 0, "delivery", "deliveries");
  const times = `${dateTime(from)} to ${dateTime(timeMs(replay, "to") ?? from)}`;
  return text(replay, "state") === "running" ? `running: ${many} of ${times}` : `${many} of ${times}`;
}

async function runRotate(world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> {
  const keepMs = options.duration("keepOld");
  const body = keepMs === null ? {} : { keepOldSeconds: Math.floor(keepMs / 1_000) };
  using client = await openClient(world, options);
  const made = object((await client.call("POST", `${pathOf(id)}/rotate`, { body })).body);
  if (options.flag("json")) sayJson(world, made);
  else {
    showSecret(world, made);
    const until =
      rows(made["secrets"])
        .map((secret) => timeMs(secret, "until"))
        .find((ms) => ms !== null) ?? null;
    const says = until === null ? "The old one signs no more." : `The old one signs, too, until ${dateTime(until)}.`;
    say(world.err, paint(world.err, "dim", says));
  }
  return EXIT.ok;
}

function switching(enabled: boolean) {
  return async (world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> => {
    using client = await openClient(world, options);
    const { body } = await client.callPatiently(world, "PUT", `${pathOf(id)}/enabled`, { body: { enabled } });
    if (options.flag("json")) sayJson(world, body);
    else {
      say(world.out, `${paint(world.out, "green", "✓")} ${clean(id)} is ${enabled ? "on" : "off"}.`);
      const hint = enabled
        ? `What it missed: tidings webhooks replay ${clean(id)} --last 1d`
        : "What it would get becomes dead letters meanwhile; they can be replayed.";
      say(world.err, paint(world.err, "dim", hint));
    }
    return EXIT.ok;
  };
}

async function runDelete(world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  if (!options.flag("yes")) {
    const sure = await world.confirm(`Delete the webhook ${clean(id)} and its rule?`);
    if (sure === null) throw new UsageFault("this deletes a webhook for good; say --yes");
    if (!sure) return EXIT.no;
  }
  await client.call("DELETE", pathOf(id));
  if (options.flag("json")) sayJson(world, { deleted: id });
  else say(world.out, `${clean(id)} is gone.`);
  return EXIT.ok;
}

async function runDeliveries(world: World, args: readonly string[], options: Options): Promise<Exit> {
  const [id = "", delivery] = args;
  const limit = options.whole("limit", 1, DELIVERIES_MAX) ?? DELIVERIES_DEFAULT;
  using client = await openClient(world, options);
  if (delivery !== undefined) {
    const found = object(await client.get(`${pathOf(id)}/deliveries/${segment(delivery)}`));
    if (options.flag("json")) sayJson(world, found);
    else showDelivery(world, found);
    return EXIT.ok;
  }
  const found = await deliveriesOf(client, id, limit);
  if (options.flag("json")) for (const one of found) sayJson(world, one);
  else if (found.length === 0) {
    say(world.err, `Nothing was delivered yet. Try it: tidings webhooks test ${clean(id)}`);
  } else listDeliveries(world, found);
  return EXIT.ok;
}

async function deliveriesOf(client: Client, id: string, limit: number): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const page = { cursor, limit: Math.min(PAGE_MAX, limit - found.length) };
    const body: Json = await client.get(`${pathOf(id)}/deliveries`, page);
    found.push(...rows(body));
    cursor = nextCursor(body);
  } while (cursor !== null && found.length < limit);
  return found;
}

function listDeliveries(world: World, found: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const columns = [
    { title: "delivery" },
    { title: "began", align: "right" as const },
    { title: "type", cut: "end" as const, min: 12 },
    { title: "state" },
    { title: "tries", align: "right" as const, drop: 2 },
    { title: "answer", cut: "end" as const, min: 12, drop: 1 },
  ];
  const lines = found.map((one) => {
    const tries = rows(one["tries"]);
    return [
      clean(text(one, "id")),
      ago(nowMs, timeMs(one, "began") ?? nowMs),
      clean(text(one, "type")),
      { text: clean(text(one, "state")), style: stateStyle(text(one, "state")) },
      grouped(tries.length),
      answerText(tries.at(-1)) || clean(text(one, "error")),
    ];
  });
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

function stateStyle(state: string) {
  return statusStyle(state === "delivered" ? "DELIVERED" : state === "dead" ? "UNDELIVERABLE" : "ENQUEUED");
}

function answerText(one: JsonObject | undefined): string {
  if (one === undefined) return "";
  return clean([text(one, "status"), text(one, "says")].filter((part) => part !== "").join(" "));
}

function showDelivery(world: World, found: JsonObject): void {
  const { out } = world;
  const next = timeMs(found, "next");
  say(out, `${paint(out, "bold", clean(text(found, "type")))}  ${clean(text(found, "state"))}`);
  say(out, `  ${paint(out, "dim", "webhook-id".padEnd(10))} ${clean(text(found, "messageId"))}`);
  for (const one of rows(found["tries"])) {
    const took = span(number(one, "tookMs") ?? 0);
    say(out, `  ${paint(out, "dim", dateTime(timeMs(one, "at") ?? 0))} ${answerText(one)} (${took})`);
  }
  if (next !== null) say(out, `  ${paint(out, "dim", "next try".padEnd(10))} ${dateTime(next)}`);
  const error = text(found, "error");
  if (error !== "") say(out, `  ${paint(out, "red", clean(error))}`);
  say(out, JSON.stringify(found["payload"] ?? null, null, 2));
}

async function runReplay(world: World, args: readonly string[], options: Options): Promise<Exit> {
  const [id = "", delivery] = args;
  const lastMs = options.duration("last");
  const from = lastMs === null ? options.text("from") : new Date(world.clock.nowMs() - lastMs).toISOString();
  if ((delivery === undefined) === (from === null))
    throw new UsageFault("say which: a delivery's id, --last TIME, or --from TIME");
  using client = await openClient(world, options);
  if (delivery !== undefined) {
    await client.call("POST", `${pathOf(id)}/deliveries/${segment(delivery)}/replay`);
    if (options.flag("json")) sayJson(world, { replayed: delivery });
    else say(world.out, `${clean(delivery)} is on its way again.`);
    return EXIT.ok;
  }
  const [to, pattern, bus] = [options.text("to"), options.text("pattern"), options.text("bus")];
  const body = {
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...(pattern === null ? {} : { pattern }),
    ...(bus === null ? {} : { bus }),
  };
  const begun = (await client.call("POST", `${pathOf(id)}/replay`, { body })).body;
  if (options.flag("json")) sayJson(world, begun);
  else {
    say(world.out, "The events of that time are on their way again.");
    say(world.err, paint(world.err, "dim", `How far it is: tidings webhooks show ${clean(id)}`));
  }
  return EXIT.ok;
}

async function runTest(world: World, [id = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const came = object((await client.call("POST", `${pathOf(id)}/test`)).body);
  const delivered = came["delivered"] === true;
  if (options.flag("json")) sayJson(world, came);
  else {
    const mark = delivered ? paint(world.out, "green", "✓") : paint(world.out, "red", "✗");
    const tookMs = number(came, "tookMs");
    say(world.out, `${mark} ${answerText(came)}${tookMs === null ? "" : ` (${span(tookMs)})`}`);
  }
  return delivered ? EXIT.ok : EXIT.no;
}

function pathOf(id: string): string {
  return `webhooks/${segment(id)}`;
}
