import { object, text, texts, timeMs } from "#cli/json.ts";
import { paint, timeOfDay } from "#cli/output.ts";
import { clean, cleanLines, fit, wrap } from "#cli/text.ts";
import type { Screen } from "#cli/world.ts";
import type { Json, JsonObject } from "#domain/json.ts";

const BLOCK_COLUMNS_MAX = 80;
/** A mail of many pages is cut in the live view; `mailbox show` has all of it. */
export const LIVE_LINES_MAX = 24;

/** A caught message as its recipient would have read it, in a frame. */
export function caughtBlock(
  screen: Screen,
  caught: JsonObject,
  linesMax = Number.POSITIVE_INFINITY,
): readonly string[] {
  const width = Math.min(screen.columns, BLOCK_COLUMNS_MAX);
  const content = object(caught["content"]);
  const channel = clean(text(caught, "channel"));
  const atMs = timeMs(caught, "caught");
  const when = atMs === null ? "" : ` ${timeOfDay(atMs)}`;
  const head = ` ${channel}${when} `;
  const dim = (line: string): string => paint(screen, "dim", line);
  const fields = fieldsOf(content, caught).map(
    ([name, value]) => `${dim("│")} ${dim(name.padEnd(8))} ${paintField(screen, name, fit(clean(value), width - 11))}`,
  );
  const body = bodyOf(content).flatMap((line) => (line === "" ? [""] : wrapLine(line, width - 2)));
  const shown = body.slice(0, linesMax);
  const more = body.length > shown.length ? [dim(`│ … ${body.length - shown.length} lines more`)] : [];
  return [
    dim(`┌─${head}${"─".repeat(Math.max(0, width - head.length - 2))}`),
    ...fields,
    ...(shown.length === 0 ? [] : [dim("│")]),
    ...shown.map((line) => `${dim("│")} ${line}`.trimEnd()),
    ...more,
    dim(`└${"─".repeat(Math.max(0, width - 1))}`),
  ];
}

function paintField(screen: Screen, name: string, value: string): string {
  return name === "Subject" || name === "Title" ? paint(screen, "bold", value) : value;
}

/** Keeps the indentation of the first line for those that follow it. */
function wrapLine(line: string, width: number): readonly string[] {
  const indent = /^ */.exec(line)?.[0] ?? "";
  return wrap(line, width - indent.length).map((part) => indent + part);
}

function fieldsOf(content: JsonObject, caught: JsonObject): readonly (readonly [string, string])[] {
  const fields: readonly (readonly [string, string])[] = [
    ["From", text(content, "from")],
    ["To", text(caught, "to") || addressOf(content["to"])],
    ["Cc", texts(content["cc"]).join(", ")],
    ["Bcc", texts(content["bcc"]).join(", ")],
    ["Reply-To", text(content, "replyTo")],
    ["Subject", text(content, "subject")],
    ["Title", text(content, "title")],
    ["Call", `${text(content, "method")} ${text(content, "url")}`.trim()],
    ["Files", filesOf(content["attachments"])],
  ];
  return fields.filter(([, value]) => value !== "");
}

function addressOf(to: Json | undefined): string {
  return typeof to === "string" ? to : to === undefined ? "" : JSON.stringify(to);
}

function filesOf(attachments: Json | undefined): string {
  if (!Array.isArray(attachments)) return "";
  return attachments.map((file) => text(object(file), "filename")).join(", ");
}

function bodyOf(content: JsonObject): readonly string[] {
  const words = text(content, "text") || text(content, "body");
  const lines = cleanLines(content["channel"] === "webhook" ? pretty(words) : words);
  const last = lines.findLastIndex((line) => line !== "");
  return lines.slice(0, last + 1);
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
