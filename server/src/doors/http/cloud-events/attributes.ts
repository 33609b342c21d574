import type { EventAttributes } from "#domain/event.ts";
import type { FaultCode } from "#domain/problem.ts";
import type { ForeignEvent } from "#rules/event-desk.ts";
import { parseTraceparent } from "#doors/http/trace.ts";

/** An event, or why there is none. */
export type EventRead =
  | { readonly ok: true; readonly event: ForeignEvent }
  | { readonly ok: false; readonly code: FaultCode; readonly says: string };

/** What the event is about, as the journal keeps it. */
export type EventData = { readonly json: string; readonly base64?: true };

/** What holds for a whole call. */
export type Setting = {
  readonly nowMs: number;
  /** From the query; null: none was named. An event's own attribute `bus` goes before. */
  readonly bus: string | null;
  /** How an attribute is called where it was looked for, e.g. `header ce-id`. */
  readonly spell: (attribute: string) => string;
};

/** Attribute values are text, whole numbers or Booleans (CloudEvents 1.0 §Type System); in headers all are text. */
export type AttributeValue = string | number | boolean;

/** Extension attributes on one event; more is data. */
const EXTENSIONS_MAX = 50;
/** CloudEvents asks for at most twenty characters; some producers use more. */
const EXTENSION_NAME = /^[a-z0-9]{1,64}$/;
/** Longest value of an extension. The head of a call has 16 KB in all. */
const EXTENSION_CHARS_MAX = 8_192;
/** Longest media type and schema address. */
const LINE_CHARS_MAX = 1_024;

/** Makes an event of CloudEvents 1.0 attributes (spec §Required and §Optional Attributes). */
export function readAttributes(
  given: ReadonlyMap<string, AttributeValue>,
  data: EventData,
  setting: Setting,
): EventRead {
  const { nowMs, spell } = setting;
  for (const name of ["specversion", "id", "source", "type"]) {
    const value = given.get(name);
    if (value === undefined) return invalid(`The required attribute "${name}" is missing (${spell(name)}).`);
    if (typeof value !== "string" || value === "") return invalid(`The attribute "${name}" must be text, not empty.`);
  }
  const version = text(given, "specversion");
  if (version !== "1.0") return invalid(`The specversion is "1.0" here, not ${quoted(version ?? "")}.`);
  for (const name of ["subject", "time", "dataschema", "datacontenttype", "bus", "traceparent"]) {
    const value = given.get(name);
    if (value !== undefined && (typeof value !== "string" || value === "")) {
      return invalid(`The attribute "${name}" must be text, not empty.`);
    }
  }
  const source = text(given, "source") ?? "";
  if (!URI_REFERENCE.test(source)) return invalid(`The source must be a URI reference, not ${quoted(source)}.`);
  const time = text(given, "time");
  const timeMs = time === undefined ? nowMs : parseTime(time);
  if (timeMs === null) return invalid(`The time must be as RFC 3339 has it, not ${quoted(time ?? "")}.`);
  const attributes = optionalAttributes(given, setting.bus, data);
  if (typeof attributes === "string") return invalid(attributes);
  const event: ForeignEvent = {
    id: text(given, "id") ?? null,
    source,
    type: text(given, "type") ?? "",
    timeMs,
    data: data.json,
    subject: text(given, "subject") ?? null,
    traceparent: parseTraceparent(text(given, "traceparent")),
    attributes,
  };
  return { ok: true, event };
}

function optionalAttributes(
  given: ReadonlyMap<string, AttributeValue>,
  busOfCall: string | null,
  data: EventData,
): EventAttributes | string {
  const extensions = readExtensions(given);
  if (typeof extensions === "string") return extensions;
  const datacontenttype = text(given, "datacontenttype");
  if (
    datacontenttype !== undefined &&
    !(MEDIA_TYPE.test(datacontenttype) && datacontenttype.length <= LINE_CHARS_MAX)
  ) {
    return `The datacontenttype must be a media type, not ${quoted(datacontenttype)}.`;
  }
  const dataschema = text(given, "dataschema");
  if (dataschema !== undefined && !(URI.test(dataschema) && dataschema.length <= LINE_CHARS_MAX)) {
    return `The dataschema must be a URI, not ${quoted(dataschema)}.`;
  }
  const bus = text(given, "bus") ?? busOfCall;
  return {
    ...(bus === null ? {} : { bus }),
    // What nearly every event has is not written down.
    ...(datacontenttype === undefined || PLAIN_JSON.test(datacontenttype) ? {} : { datacontenttype }),
    ...(dataschema === undefined ? {} : { dataschema }),
    ...(data.base64 === true ? { base64: true } : {}),
    ...(extensions === null ? {} : { extensions }),
  };
}

const KNOWN = new Set([
  ...["specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype"],
  ...["bus", "traceparent"],
]);

function readExtensions(given: ReadonlyMap<string, AttributeValue>): Record<string, AttributeValue> | string | null {
  const extensions: Record<string, AttributeValue> = {};
  let many = 0;
  for (const [name, value] of given) {
    if (KNOWN.has(name)) continue;
    if (!EXTENSION_NAME.test(name))
      return `An attribute's name has lower-case letters and digits, unlike ${quoted(name)}.`;
    if (typeof value === "string" && value.length > EXTENSION_CHARS_MAX) return `The attribute "${name}" is too long.`;
    many += 1;
    extensions[name] = value;
  }
  if (many > EXTENSIONS_MAX) return `An event may have ${EXTENSIONS_MAX} extension attributes.`;
  return many === 0 ? null : extensions;
}

/** RFC 3986's characters, at most one fragment, and percent signs only where they begin an octet. */
const URI_REFERENCE =
  /^(?:[\w\-.~:/?[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?:#(?:[\w\-.~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)?$/;
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[\w\-.~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
/** RFC 2045's tokens, and any parameters. */
const MEDIA_TYPE = /^[\w!#$&^.+*'-]+\/[\w!#$&^.+*'-]+\s*(?:;[\t -~]*)?$/;
const PLAIN_JSON = /^application\/json(?:\s*;\s*charset="?utf-?8"?)?$/i;
const JSON_TYPE = /^[^;]*[/+]json\s*(?:;|$)/i;

/** Whether data of this type is JSON; data of no type is (JSON Format §3.1). */
export function isJsonType(type: string | undefined): boolean {
  return type === undefined || JSON_TYPE.test(type);
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Epoch ms of an RFC 3339 time, its finer digits cut off; null when it is none. A leap second is the one before it. */
export function parseTime(time: string): number | null {
  const match = RFC_3339.exec(time);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHours, offsetMinutes] = match;
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number);
  const [oh, om] = [Number(offsetHours ?? 0), Number(offsetMinutes ?? 0)];
  if (y === undefined || mo === undefined || d === undefined || h === undefined) return null;
  if (mi === undefined || s === undefined || h > 23 || mi > 59 || s > 60 || oh > 23 || om > 59) return null;
  const ms = Number(`${fraction}000`.slice(0, 3));
  const date = new Date(0);
  date.setUTCFullYear(y, mo - 1, d);
  if (date.getUTCMonth() !== mo - 1 || date.getUTCDate() !== d) return null;
  date.setUTCHours(h, mi, Math.min(s, 59), ms);
  return date.getTime() - (sign === "-" ? -1 : 1) * (oh * 60 + om) * 60_000;
}

function text(given: ReadonlyMap<string, AttributeValue>, name: string): string | undefined {
  const value = given.get(name);
  return typeof value === "string" ? value : undefined;
}

export function invalid(says: string): { readonly ok: false; readonly code: FaultCode; readonly says: string } {
  return { ok: false, code: "event.invalid", says };
}

/** Most characters of somebody's text that are repeated to them. */
const SHOWN_CHARS = 80;

export function quoted(said: string): string {
  return JSON.stringify(said.length > SHOWN_CHARS ? `${said.slice(0, SHOWN_CHARS)}…` : said);
}
