import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, number, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, repeated, withServer } from "#cli/options.ts";
import { ago, count, grouped, paint, span, table } from "#cli/output.ts";
import { applyQueues } from "#cli/queues-apply.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";

const PAGE_MAX = 100;
const RECEIVE_MAX = 1_000;
const RATE_MAX = 500;

export function queuesCommand(world: World, answer: (exit: Exit) => void): Command {
  const queues = command(
    world,
    "tidings queues",
    "Queues that SQS clients receive from, at /aws. Make them, look into them, move dead letters back.",
  );
  const list = command(world, "list", "List queues and what lies in them (the default).").option(
    "--prefix <text>",
    "only those whose names begin so",
  );
  const show = named(command(world, "show", "Show one queue: how it is set, and what lies in it."));
  const send = named(command(world, "send", "Put a message into a queue."))
    .argument("<body>", "its text")
    .option("--group <id>", "receive it in order with others of its group (FIFO queues need it)")
    .option("--dedup <id>", "the same again within five minutes is one message (FIFO queues)")
    .option("--delay <time>", "hide it first, for instance 30s");
  const purge = named(command(world, "purge", "Delete all messages of a queue, also hidden ones.")).option(
    "--yes",
    "do not ask",
  );
  const remove = named(command(world, "delete", "Delete a queue with its messages.")).option("--yes", "do not ask");
  const apply = command(
    world,
    "apply",
    "Make the queues of a JSON file, and set them as it says: one or an array of { name, visibility_ms, delay_ms, retention_ms, wait_ms, dead_letter: { queue, receive_max }, fifo, tags }. Others are left alone.",
  )
    .summary("make the queues that a file names, and set them")
    .argument("<file.json>", "the file; - reads standard input");
  queues
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(createOptions(world)), world, answer, runCreate))
    .addCommand(acting(withServer(apply), world, answer, applyQueues))
    .addCommand(acting(withServer(show), world, answer, runShow))
    .addCommand(acting(withServer(send), world, answer, runSend))
    .addCommand(acting(withServer(redriveOptions(world)), world, answer, runRedrive))
    .addCommand(acting(withServer(purge), world, answer, runPurge))
    .addCommand(acting(withServer(remove), world, answer, runDelete))
    .addHelpText(
      "after",
      examples(
        ["tidings queues create orders --dead-letters orders-dead", "two queues, the second for what fails"],
        ["tidings queues redrive orders-dead", "the bug is mended: try what failed again"],
        ["tidings keys create --aws", "what an SQS client needs to receive from them"],
      ),
    );
  return queues;
}

function named(built: Command): Command {
  return built.argument("<name>", "the queue's name");
}

function createOptions(world: World): Command {
  return named(
    command(
      world,
      "create",
      "Make a queue, or change one: what you do not name keeps its value. A name that ends in .fifo makes a FIFO queue.",
    ),
  )
    .option("--visibility <time>", "how long a received message stays hidden (default: 30s)")
    .option("--delay <time>", "how long a sent message stays hidden (default: 0)")
    .option("--retention <time>", "how long messages are kept (default: 4d)")
    .option("--wait <time>", "how long a receive waits unless it says otherwise (default: 0)")
    .option("--dead-letters <queue>", "where messages go that are received too often; it is made if there is none")
    .option("--receives <n>", "how often a message may be received before (default: 5)")
    .option("--content-dedup", "FIFO: equal bodies within five minutes are one message")
    .option("--tag <key=value>", "a note (repeatable)", repeated);
}

function redriveOptions(world: World): Command {
  return named(
    command(world, "redrive", "Move what lies in a dead-letter queue back to where it came from, and watch it."),
  )
    .option("--to <queue>", "all of it into this queue")
    .option("--rate <n>", "so many a second at most")
    .option("--stop", "end a move; what is moved stays moved")
    .option("--status", "how the last moves went");
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const body = await client.get("queues", { prefix: options.text("prefix"), cursor, limit: PAGE_MAX });
    found.push(...rows(body));
    cursor = nextCursor(body);
  } while (cursor !== null);
  if (options.flag("json")) for (const queue of found) sayJson(world, queue);
  else if (found.length === 0) {
    say(world.err, "No queues. Make one: tidings queues create NAME (or with an SQS client, at /aws).");
  } else showList(world, found);
  return EXIT.ok;
}

function showList(world: World, queues: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const columns = [
    { title: "queue", cut: "middle" as const, min: 12 },
    { title: "visible", align: "right" as const },
    { title: "in flight", align: "right" as const },
    { title: "delayed", align: "right" as const, drop: 2 },
    { title: "oldest", align: "right" as const, drop: 1 },
    { title: "dead letters to", drop: 3 },
  ];
  const lines = queues.map((queue) => {
    const counts = object(queue["counts"]);
    const oldest = timeMs(counts, "oldest_visible");
    return [
      clean(text(queue, "name")),
      ...["visible", "in_flight", "delayed"].map((name) => grouped(number(counts, name) ?? 0)),
      oldest === null ? "" : ago(nowMs, oldest),
      { text: clean(text(object(queue["dead_letter"]), "queue")), style: "dim" as const },
    ];
  });
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

async function runCreate(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  const deadLetters = options.text("deadLetters");
  const receives = options.whole("receives", 1, RECEIVE_MAX);
  if (receives !== null && deadLetters === null) throw new UsageFault("--receives goes with --dead-letters QUEUE");
  const times = { visibility_ms: "visibility", delay_ms: "delay", retention_ms: "retention", wait_ms: "wait" };
  const given = Object.entries(times).flatMap(([field, option]) => {
    const ms = options.duration(option);
    return ms === null ? [] : [[field, ms] as const];
  });
  const tags = readTags(options.many("tag"));
  const body = {
    ...Object.fromEntries(given),
    ...(deadLetters === null ? {} : { dead_letter: { queue: deadLetters, receive_max: receives ?? 5 } }),
    ...(options.flag("contentDedup") ? { fifo: { content_dedup: true } } : {}),
    ...(tags === null ? {} : { tags }),
  };
  using client = await openClient(world, options);
  const madeToo = deadLetters !== null && (await ensure(client, deadLetters));
  const { status, body: made } = await client.call("PUT", `queues/${segment(name)}`, { body });
  if (options.flag("json")) sayJson(world, made);
  else {
    const tick = paint(world.out, "green", "✓");
    const also = madeToo ? `, and ${clean(deadLetters)} for its dead letters` : "";
    say(world.out, `${tick} ${clean(name)} ${status === 201 ? "made" : "changed"}${also}`);
  }
  return EXIT.ok;
}

/** Makes a queue if there is none; whether it did. */
async function ensure(client: Client, name: string): Promise<boolean> {
  return (await client.call("PUT", `queues/${segment(name)}`, { body: {} })).status === 201;
}

function readTags(pairs: readonly string[]): Readonly<Record<string, string>> | null {
  if (pairs.length === 0) return null;
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 1) throw new UsageFault(`--tag must be KEY=VALUE, not ${JSON.stringify(pair)}`);
      return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
    }),
  );
}

async function runShow(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const queue = object(await client.get(`queues/${segment(name)}`));
  if (options.flag("json")) sayJson(world, queue);
  else showOne(world, queue);
  return EXIT.ok;
}

function showOne(world: World, queue: JsonObject): void {
  const { out } = world;
  const counts = object(queue["counts"]);
  const letters = object(queue["dead_letter"]);
  const oldest = timeMs(counts, "oldest_visible");
  const of = (name: string): string => grouped(number(counts, name) ?? 0);
  const time = (name: string): string => span(number(queue, name) ?? 0);
  const tags = Object.entries(object(queue["tags"])).map(([key, value]) => `${clean(key)}=${clean(String(value))}`);
  const fifo = object(queue["fifo"]);
  const facts: readonly (readonly [string, string])[] = [
    [
      "kind",
      queue["fifo"] === null ? "standard" : `FIFO${fifo["content_dedup"] === true ? ", equal bodies once" : ""}`,
    ],
    ["messages", `${of("visible")} visible, ${of("in_flight")} in flight, ${of("delayed")} delayed`],
    ["oldest", oldest === null ? "" : ago(world.clock.nowMs(), oldest)],
    ["passed", passedText(object(queue["tally"]))],
    ["hidden", `${time("visibility_ms")} after a receive`],
    ["delay", number(queue, "delay_ms") === 0 ? "" : time("delay_ms")],
    ["kept", time("retention_ms")],
    [
      "failures",
      queue["dead_letter"] === null
        ? "stay; give them a place with --dead-letters"
        : `to ${clean(text(letters, "queue"))} after ${count(number(letters, "receive_max") ?? 0, "receive")}`,
    ],
    ["tags", tags.join(" ")],
  ];
  say(out, paint(out, "bold", clean(text(queue, "name"))));
  for (const [title, value] of facts) if (value !== "") say(out, `  ${paint(out, "dim", title.padEnd(9))} ${value}`);
}

/** What happened on the node that answers, since it started; "" when nothing did. */
function passedText(tally: JsonObject): string {
  const happened = ["sent", "received", "deleted", "dead_lettered", "expired", "moved"].flatMap((name) => {
    const messages = number(tally, name) ?? 0;
    return messages === 0 ? [] : [`${grouped(messages)} ${name.replace("_", "-")}`];
  });
  return happened.length === 0 ? "" : `${happened.join(", ")} (this node, since its start)`;
}

async function runSend(world: World, [name = "", body = ""]: readonly string[], options: Options): Promise<Exit> {
  const delay = options.duration("delay");
  const [group, dedup] = [options.text("group"), options.text("dedup")];
  using client = await openClient(world, options);
  const message = {
    body,
    ...(group === null ? {} : { group_id: group }),
    ...(dedup === null ? {} : { dedup_id: dedup }),
    ...(delay === null ? {} : { delay_ms: delay }),
  };
  const sent = object((await client.call("POST", `queues/${segment(name)}/messages`, { body: message })).body);
  if (options.flag("json")) sayJson(world, sent);
  else {
    const again = sent["repeated"] === true ? "  (sent before)" : "";
    say(world.out, `${paint(world.out, "green", "✓")} kept  ${clean(text(sent, "id"))}${again}`);
  }
  return EXIT.ok;
}

async function runRedrive(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  const rate = options.whole("rate", 1, RATE_MAX);
  const to = options.text("to");
  if (options.flag("stop") && options.flag("status")) throw new UsageFault("say --stop or --status, not both");
  using client = await openClient(world, options);
  const path = `queues/${segment(name)}/redrive`;
  if (options.flag("status")) return showMoves(world, rows(await client.get(path)), options);
  const body = { ...(to === null ? {} : { to }), ...(rate === null ? {} : { per_second_max: rate }) };
  const answered = options.flag("stop") ? await client.call("DELETE", path) : await client.call("POST", path, { body });
  const move = object(answered.body);
  if (options.flag("json")) sayJson(world, move);
  else if (options.flag("stop"))
    say(world.out, `The move ends; ${count(number(move, "moved") ?? 0, "message")} moved.`);
  else {
    const where = to === null ? "where they came from" : clean(to);
    say(world.out, `${count(number(move, "to_move") ?? 0, "message")} on the way to ${where}.`);
    say(world.err, paint(world.err, "dim", `How it goes: tidings queues redrive ${clean(name)} --status`));
  }
  return EXIT.ok;
}

function showMoves(world: World, moves: readonly JsonObject[], options: Options): Exit {
  if (options.flag("json")) for (const move of moves) sayJson(world, move);
  else if (moves.length === 0) say(world.err, "Nothing was ever moved out of it.");
  else {
    const columns = [
      { title: "started", align: "right" as const },
      { title: "status" },
      { title: "moved", align: "right" as const },
      { title: "of", align: "right" as const },
      { title: "failure", cut: "end" as const, min: 12, drop: 1 },
    ];
    const nowMs = world.clock.nowMs();
    const lines = moves.map((move) => [
      ago(nowMs, timeMs(move, "started") ?? nowMs),
      clean(text(move, "status")),
      grouped(number(move, "moved") ?? 0),
      grouped(number(move, "to_move") ?? 0),
      { text: clean(text(move, "failure")), style: "red" as const },
    ]);
    for (const line of table(world.out, columns, lines)) say(world.out, line);
  }
  return EXIT.ok;
}

async function runPurge(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  if (!(await isSure(world, options, `Delete all messages of ${clean(name)}?`))) return EXIT.no;
  await client.call("POST", `queues/${segment(name)}/purge`);
  if (options.flag("json")) sayJson(world, { purged: name });
  else say(world.out, `${clean(name)} is empty.`);
  return EXIT.ok;
}

async function runDelete(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  if (!(await isSure(world, options, `Delete the queue ${clean(name)} and all its messages?`))) return EXIT.no;
  await client.call("DELETE", `queues/${segment(name)}`);
  if (options.flag("json")) sayJson(world, { deleted: name });
  else say(world.out, `${clean(name)} is gone.`);
  return EXIT.ok;
}

async function isSure(world: World, options: Options, question: string): Promise<boolean> {
  if (options.flag("yes")) return true;
  const sure = await world.confirm(question);
  if (sure === null) throw new UsageFault("this deletes messages for good; say --yes");
  return sure;
}
