import { object, text, timeMs } from "#cli/json.ts";
import { wayOf } from "#cli/message-view.ts";
import { paint, timeOfDay, type Style } from "#cli/output.ts";
import { clean, fit, widthOf } from "#cli/text.ts";
import type { Screen } from "#cli/world.ts";
import type { Json, JsonObject } from "#domain/json.ts";

/** Wide enough for most types, so that what follows lines up. */
const TYPE_COLUMNS = 21;
/** From this width on there is room for whole ids. */
const WIDE_COLUMNS = 120;
/** What tells most, first; anything else follows in its own order. */
const FIRST = ["status", "outcome", "reason", "error"];
/** Said in other words or elsewhere on the line, or only machines read it. */
const TOLD = ["recipient", "channel", "provider", "messageId", "requestId", "message", "request", "id", "traceparent"];

/** A CloudEvent as one line that fits the screen: time, type, which message, and what its data says. */
export function eventLine(screen: Screen, event: JsonObject): string {
  const atMs = timeMs(event, "time") ?? Number.NaN;
  const type = clean(text(event, "type"));
  const subject = clean(text(event, "subject"));
  const wide = screen.columns >= WIDE_COLUMNS;
  const which = wide ? subject : shortOf(subject);
  const details = clean(detailsOf(event["data"]));
  const head = `${timeOfDay(atMs, wide)}  ${type.padEnd(TYPE_COLUMNS)}  ${which}`;
  const room = screen.columns - widthOf(head) - 2;
  const tail = details === "" || room < 8 ? "" : `  ${fit(details, room)}`;
  return [
    paint(screen, "dim", timeOfDay(atMs, wide)),
    paint(screen, styleOf(type), type.padEnd(TYPE_COLUMNS)),
    `${paint(screen, "dim", which)}${tail}`,
  ]
    .join("  ")
    .trimEnd();
}

/** The last part of a message id is enough to see which lines belong together; other subjects are short. */
function shortOf(subject: string): string {
  const [, tail] = /^1-[0-9a-f]{8}-[0-9a-f]{16}([0-9a-f]{8})/.exec(subject) ?? [];
  return tail === undefined ? fit(subject, 20, "middle") : `…${tail}`;
}

function detailsOf(data: Json | undefined): string {
  const fields = object(data);
  const way = wayOf({ channel: text(fields, "channel"), provider: text(fields, "provider") });
  const names = [...FIRST, ...Object.keys(fields).filter((name) => !FIRST.includes(name) && !TOLD.includes(name))];
  const rest = names.flatMap((name) => {
    const value = fields[name];
    if (value === undefined || value === null || value === "" || typeof value === "object") return [];
    return [`${name}=${typeof value === "string" && value.includes(" ") ? JSON.stringify(value) : value}`];
  });
  return [text(fields, "recipient"), way, ...rest].filter((part) => part !== "").join(" ");
}

function styleOf(type: string): Style {
  if (/\.(sent|delivered|opened|clicked)$/.test(type)) return "green";
  if (/(failed|undeliverable|bounced|dead|unroutable|refused)/.test(type)) return "red";
  if (/(retry|canceled|filtered|throttled|paused|unknown|suppress)/.test(type)) return "yellow";
  return "cyan";
}
