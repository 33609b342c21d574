import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import type { Client } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { object, text } from "#cli/json.ts";
import { viewOf } from "#cli/message-view.ts";
import { acting, command, examples, type Options, repeated, withServer } from "#cli/options.ts";
import { grouped, paint } from "#cli/output.ts";
import { ProgressLine } from "#cli/progress.ts";
import { readText } from "#cli/read-text.ts";
import {
  type Balance,
  balanceOf,
  firstFailed,
  isAllGood,
  tellable,
  tellBalance,
  TOLD_MAX,
} from "#cli/request-balance.ts";
import { pause, say, sayJson, type World } from "#cli/world.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** How long `--wait` waits: a mail server that greylists answers later, and `why` tells then. */
const WAIT_MS_DEFAULT = 30_000;
/** Between looks: the first are quick because most messages are out within a tenth of a second. */
const LOOK_MS_FIRST = 20;
const LOOK_MS_MAX = 1_000;

export function sendCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings send",
    "Send a notification. The server answers once it is safely stored; --wait stays until it is out.",
  )
    .option(
      "--to <recipient>",
      "whom (repeatable): ada@example.com, user:ada, list:news, pattern:news.*, +4670…, https://… or a JSON object",
      repeated,
    )
    .option("--title <text>", "title; the subject of a mail")
    .option("--body <text>", "body; {name} is filled in from data and profile")
    .option("--template <id>", "a stored template instead of title and body")
    .option("--data <k=v>", "data for the words (repeatable): k=text, k:=json, or a JSON object", repeated)
    .option("--channel <name>", "only by this channel (repeatable)", repeated)
    .option("--file <message.json>", "the message as JSON (- reads standard input); options go over it")
    .option("--idempotency-key <key>", "sends once, however often this is repeated")
    .option("--wait [duration]", `wait until it is out, at most 30s unless told otherwise`)
    .addHelpText(
      "after",
      examples(
        ["tidings send --to ada@example.com --title Hello --body 'Hi {name}' --data name=Ada", "one mail"],
        ["tidings send --to list:news --file issue-12.json --idempotency-key issue-12 --wait 5m", "a list, once"],
        [
          'echo \'{"to":{"user_id":"ada"},"content":{"title":"Hi","body":"…"}}\' | tidings send --file -',
          "from a program",
        ],
      ),
    );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const message = await composeMessage(world, options);
  const waitMs = readWait(options);
  const key = options.text("idempotencyKey");
  using client = await openClient(world, options);
  const headers = key === null ? {} : { "idempotency-key": key };
  const { body } = await client.callPatiently(world, "POST", "send", { body: { message }, headers });
  const requestId = text(object(body), "requestId");
  const json = options.flag("json");
  if (waitMs === null) {
    if (json) sayJson(world, { requestId });
    else say(world.out, `${paint(world.out, "green", "✓")} accepted  ${requestId}`);
    return EXIT.ok;
  }
  if (!json) say(world.out, `${paint(world.out, "green", "✓")} accepted  ${requestId}`);
  const balance = await watch(world, client, requestId, waitMs);
  const told = await tellable(client, requestId, balance);
  if (json) sayJson(world, { requestId, ...balance, told });
  else tell(world, requestId, balance, told);
  if (world.signal.aborted) return EXIT.interrupted;
  return isAllGood(balance) ? EXIT.ok : EXIT.no;
}

/** What goes to the server, from the file and the options over it. */
async function composeMessage(world: World, options: Options): Promise<JsonObject> {
  const file = options.text("file");
  const base = file === null ? {} : messageIn(file, await readText(world, file, "--file"));
  const to = options.many("to").map(recipientOf);
  const [title, body] = [options.text("title"), options.text("body")];
  const given = Object.assign({}, ...options.many("data").map(dataOf)) as JsonObject; // the parts are JSON objects
  const data = { ...object(base["data"]), ...given };
  const [template, channels] = [options.text("template"), options.many("channel")];
  const content = {
    ...object(base["content"]),
    ...(title === null ? {} : { title }),
    ...(body === null ? {} : { body }),
  };
  const [only] = to;
  const message: JsonObject = {
    ...base,
    ...(only === undefined ? {} : { to: to.length === 1 ? only : to }),
    ...(title === null && body === null ? {} : { content }),
    ...(template === null ? {} : { template }),
    ...(Object.keys(data).length === 0 ? {} : { data }),
    ...(channels.length === 0 ? {} : { routing: { method: "all", channels } }),
  };
  if (message["to"] === undefined) throw new UsageFault("say whom: --to ada@example.com, user:ada or list:news");
  if (message["content"] === undefined && message["template"] === undefined) {
    throw new UsageFault("say what: --title and --body, --template, or a message in --file");
  }
  return message;
}

function messageIn(file: string, json: string): JsonObject {
  const parsed = parseJson(json);
  if (!isJsonObject(parsed)) throw new UsageFault(`--file ${file} must hold a JSON object`);
  const inner = parsed["message"];
  return isJsonObject(inner) ? inner : parsed;
}

/** One `--to` in its short form. */
export function recipientOf(given: string): JsonObject {
  if (given.startsWith("{")) {
    const parsed = parseJson(given);
    if (isJsonObject(parsed)) return parsed;
    throw new UsageFault(`--to ${given} is not valid JSON`);
  }
  const [, kind, rest] = /^(user|list|pattern|email|phone):(.+)$/.exec(given) ?? [];
  if (kind === "user" && rest !== undefined) return { user_id: rest };
  if (kind === "list" && rest !== undefined) return { list_id: rest };
  if (kind === "pattern" && rest !== undefined) return { list_pattern: rest };
  if (kind === "email" && rest !== undefined) return { email: rest };
  if (kind === "phone" && rest !== undefined) return { phone_number: rest };
  if (/^https?:\/\//.test(given)) return { webhook: { url: given } };
  if (given.includes("@")) return { email: given };
  if (/^\+[0-9 ()-]{5,}$/.test(given)) return { phone_number: given.replaceAll(/[^+0-9]/g, "") };
  throw new UsageFault(
    `--to ${JSON.stringify(given)} could be many things: write ada@example.com, user:${given}, list:${given} or pattern:${given}.*`,
  );
}

/** One `--data`: `k=text`, `k:=json` or a whole object. Dots in `k` are part of the name. */
function dataOf(given: string): JsonObject {
  if (given.startsWith("{")) {
    const parsed = parseJson(given);
    if (isJsonObject(parsed)) return parsed;
    throw new UsageFault(`--data ${given} is not valid JSON`);
  }
  const equals = given.indexOf("=");
  if (equals < 1) throw new UsageFault(`--data must be KEY=TEXT or KEY:=JSON, not ${JSON.stringify(given)}`);
  if (given[equals - 1] !== ":") return { [given.slice(0, equals)]: given.slice(equals + 1) };
  const parsed = parseJson(given.slice(equals + 1));
  if (parsed === undefined) throw new UsageFault(`--data ${given} has no valid JSON after :=`);
  return { [given.slice(0, equals - 1)]: parsed };
}

function parseJson(json: string): Json | undefined {
  try {
    return JSON.parse(json) as Json;
  } catch {
    return undefined;
  }
}

function readWait(options: Options): number | null {
  if (options.flag("wait")) return WAIT_MS_DEFAULT;
  return options.duration("wait");
}

/** Looks at a send until everybody has their outcome, the time is over, or the user interrupts. */
async function watch(world: World, client: Client, requestId: string, waitMs: number): Promise<Balance> {
  const endMs = world.clock.monotonicMs() + waitMs;
  const line = new ProgressLine(world, "sending");
  for (let lookMs = LOOK_MS_FIRST; ; lookMs = Math.min(LOOK_MS_MAX, lookMs * 1.5)) {
    const balance = await balanceOf(client, requestId);
    const { messages, settled, complete } = balance;
    if (messages > TOLD_MAX && world.err.isTty) {
      // How many there will be is not known before the last recipient is found.
      line.tell(`${grouped(settled)} of ${grouped(messages)} found so far`);
    }
    const leftMs = endMs - world.clock.monotonicMs();
    if (!complete && leftMs > 0 && (await pause(world, Math.min(lookMs, leftMs)))) continue;
    line.end();
    return balance;
  }
}

function tell(world: World, requestId: string, balance: Balance, told: readonly JsonObject[]): void {
  tellBalance(world, balance, told.map(viewOf));
  const failed = firstFailed(told);
  if (balance.messages === 0) say(world.err, `Nobody to write to${balance.complete ? "." : " was found yet."}`);
  else if (!balance.complete) say(world.err, `Not all are out yet; later: tidings why ${requestId}`);
  else if (failed !== null) say(world.err, paint(world.err, "dim", `Why not: tidings why ${failed}`));
}
