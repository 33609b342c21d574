import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import type { Client } from "#cli/client.ts";
import { EXIT, type Exit, Refusal } from "#cli/exit.ts";
import { object, rows, text, timeMs } from "#cli/json.ts";
import { viewOf, wayOf } from "#cli/message-view.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { dateTime, paint, span, statusStyle, timeOfDay } from "#cli/output.ts";
import { clean, fit, widthOf, wrap } from "#cli/text.ts";
import { balanceOf, firstFailed, isAllGood, tellable, tellBalance } from "#cli/request-balance.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { parseMessageId, parseRequestId } from "#domain/ids.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import { isSettled, MESSAGE_STATUSES } from "#domain/message.ts";

/** Lines of prose longer than this are hard to follow. */
const PROSE_COLUMNS_MAX = 80;

export function whyCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings why",
    "Did they get it, and if not, why not? The outcome, its reason, the rule that decided, and what happened.\n\n" +
      "Exit code 0: it was sent; 1: it was not, or there is no such message.",
  )
    .argument(
      "<message|recipient>",
      "a message id, the id of a send, or a user id or address for the latest messages to them",
    )
    .addHelpText(
      "after",
      examples(
        ["tidings why ada@example.com", "the latest messages to a person"],
        ["tidings why 1-6901f3c2-5d2f8a94e1b03c7786f0aa12", "one message, step by step"],
      ),
    );
  return acting(withServer(built), world, answer, run);
}

async function run(world: World, [asked = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const query = parseMessageId(asked) === null ? { recipient: asked } : { message: asked };
  const answers = await client.get("admin/why", query).then(answersOf, (error: unknown) => {
    if (error instanceof Refusal && error.status === 404) return [];
    throw error;
  });
  const [latest] = answers;
  if (latest === undefined && parseRequestId(asked) !== null) return await whyRequest(world, client, asked, options);
  if (options.flag("json")) for (const answer of answers) sayJson(world, answer);
  if (latest === undefined) {
    const what = "message" in query ? "There is no message" : "No message was ever sent to";
    say(world.err, `${what} ${clean(asked)}.`);
    return EXIT.no;
  }
  if (!options.flag("json")) {
    for (const [index, answer] of answers.entries()) {
      if (index > 0) say(world.out);
      tell(world, answer);
    }
  }
  return wentOut(latest) ? EXIT.ok : EXIT.no;
}

/** A send to many has no message of its own id: then it is the balance that is asked for. */
async function whyRequest(world: World, client: Client, id: string, options: Options): Promise<Exit> {
  const balance = await balanceOf(client, id);
  const told = await tellable(client, id, balance);
  const failed = firstFailed(told);
  if (options.flag("json")) sayJson(world, { requestId: id, ...balance, told });
  else {
    tellBalance(world, balance, told.map(viewOf));
    if (balance.messages === 0)
      say(world.out, balance.complete ? "Nobody to write to." : "Nobody to write to was found yet.");
    if (failed !== null) say(world.err, paint(world.err, "dim", `Why not: tidings why ${failed}`));
  }
  return isAllGood(balance) ? EXIT.ok : EXIT.no;
}

function answersOf(body: Json): readonly JsonObject[] {
  const one = object(body);
  return "answer" in one ? [one] : rows(body, "answers", "messages");
}

function wentOut(answer: JsonObject): boolean {
  const status = viewOf(recordOf(answer)).status;
  return ["SENT", "DELIVERED", "OPENED", "CLICKED"].includes(status);
}

function recordOf(answer: JsonObject): JsonObject {
  const record = object(answer["record"]);
  return Object.keys(record).length === 0 ? object(answer["message"]) : record;
}

function tell(world: World, answer: JsonObject): void {
  const { out } = world;
  const view = viewOf(recordOf(answer));
  const width = Math.min(out.columns, PROSE_COLUMNS_MAX);
  const took =
    view.enqueuedMs !== null && view.sentMs !== null
      ? `, ${span(view.sentMs - view.enqueuedMs)} after it was accepted`
      : "";
  const way = wayOf(view);
  say(
    out,
    `${mark(world, view.status)} ${paint(out, ["bold", ...styles(view.status)], view.status)}  ${fit(view.recipient, width - 20, "middle")}`,
  );
  say(out, `  ${paint(out, "dim", view.id)}`);
  if (way !== "" || took !== "") say(out, `  ${paint(out, "dim", `${way}${took}`.replace(/^, /, ""))}`);
  say(out);
  for (const line of wrap(clean(text(answer, "answer")), width - 2)) say(out, `  ${line}`);
  const rule = clean(text(answer, "rule"));
  if (rule !== "") tellLabelled(world, "Decided by", rule, width);
  const told = `${clean(text(answer, "answer"))}\n${rule}`;
  if (view.error !== "" && !told.includes(view.error)) tellLabelled(world, "Error", view.error, width);
  tellSteps(world, rows(answer["steps"]), width);
}

function tellLabelled(world: World, label: string, words: string, width: number): void {
  say(world.out);
  const indent = label.length + 4;
  for (const [index, line] of wrap(words, width - indent).entries()) {
    say(world.out, index === 0 ? `  ${paint(world.out, "bold", label)}  ${line}` : `${" ".repeat(indent)}${line}`);
  }
}

function tellSteps(world: World, steps: readonly JsonObject[], width: number): void {
  const { out } = world;
  const [first] = steps;
  const startMs = first === undefined ? null : timeMs(first, "atMs", "at", "time");
  if (startMs === null) return;
  say(out);
  say(out, `  ${paint(out, "dim", dateTime(startMs).slice(0, 10))}`);
  const offsets = steps.map((step, index) => {
    const atMs = timeMs(step, "atMs", "at", "time") ?? startMs;
    return index === 0 ? timeOfDay(atMs, true) : `+${span(Math.max(0, atMs - startMs))}`;
  });
  const column = Math.max(...offsets.map(widthOf));
  for (const [index, step] of steps.entries()) {
    const sentence = clean(text(step, "sentence")) || clean(text(step, "type"));
    const [head = "", ...rest] = wrap(sentence, width - column - 4);
    say(out, `  ${paint(out, "dim", (offsets[index] ?? "").padStart(column))}  ${head}`);
    for (const line of rest) say(out, `${" ".repeat(column + 4)}${line}`);
  }
}

function styles(status: string) {
  const style = statusStyle(status);
  return Array.isArray(style) ? style : [style];
}

function mark(world: World, status: string): string {
  const known = MESSAGE_STATUSES.find((one) => one === status);
  if (known === undefined || !isSettled(known)) return paint(world.out, "cyan", "…");
  return statusStyle(status) === "green" ? paint(world.out, "green", "✓") : paint(world.out, statusStyle(status), "✗");
}
