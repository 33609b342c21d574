import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import {
  type AttributeValue,
  type EventData,
  type EventRead,
  invalid,
  isJsonType,
  readAttributes,
  type Setting,
} from "#doors/http/cloud-events/attributes.ts";
import { decodeText } from "#doors/http/body.ts";
import { readJson } from "#doors/http/json-text.ts";
import type { FaultCode } from "#domain/problem.ts";

/** Whether a call carries an event in its headers (HTTP Binding §3.1), or at least meant to. */
export function isBinaryMode(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (name.startsWith(PREFIX)) return true;
  return false;
}

const PREFIX = "ce-";

/** Reads an event in binary mode: attributes in headers that begin with `ce-`, the body is its data. */
export function readBinary(headers: IncomingHttpHeaders, bytes: Buffer, setting: Omit<Setting, "spell">): EventRead {
  const given = new Map<string, AttributeValue>();
  for (const name in headers) {
    if (!name.startsWith(PREFIX)) continue;
    const value = decodeHeader(String(headers[name]));
    if (value === null) return invalid(`The header ${name.slice(0, 60)} is not percent-encoded UTF-8.`);
    given.set(name.slice(PREFIX.length), value);
  }
  if (given.has("datacontenttype")) return invalid("In binary mode the header content-type says what the data is.");
  const type = headers["content-type"];
  if (type !== undefined) given.set("datacontenttype", type);
  const data = bytes.length === 0 ? NO_DATA : dataOf(bytes, type);
  return "json" in data ? readAttributes(given, data, { ...setting, spell: (name) => `header ce-${name}` }) : data;
}

const NO_DATA: EventData = { json: "null" };

type NoData = { readonly ok: false; readonly code: FaultCode; readonly says: string };

/**
 * What the journal keeps of bytes of some type: JSON as it is, text as a JSON string, and of anything else a JSON string of
 * its base64.
 */
export function dataOf(bytes: Buffer, type: string | undefined): EventData | NoData {
  if (isJsonType(type)) {
    const text = decodeText(bytes);
    if (text === null) return { ok: false, code: "request.malformed", says: "The data is not valid UTF-8." };
    const read = readJson(text);
    return read.ok ? { json: text } : { ok: false, code: "request.malformed", says: read.says };
  }
  const isText = type !== undefined && TEXT_TYPE.test(type) && !OTHER_CHARSET.test(type) && isUtf8(bytes);
  if (isText) return { json: JSON.stringify(bytes.toString("utf8")) };
  return { json: `"${bytes.toString("base64")}"`, base64: true };
}

const TEXT_TYPE = /^(?:text\/|[^;]*[/+](?:xml|yaml|javascript|csv|x-www-form-urlencoded)\s*(?:;|$))/i;
const OTHER_CHARSET = /;\s*charset="?(?!utf-?8|us-ascii)/i;

/**
 * A header's value as HTTP Binding §3.1.3.2 has it: quotes undone, then one round of percent-decoding. What somebody sent
 * as it is, which Node shows byte by byte, is taken too; null when it makes no text.
 */
export function decodeHeader(value: string): string | null {
  const bare = QUOTED.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
  if (PLAIN.test(bare)) return bare;
  const text = ASCII.test(bare) ? bare : rawText(bare);
  try {
    // A percent sign that begins no octet stands for itself.
    return decodeURIComponent(text.replaceAll(/%(?![0-9A-Fa-f]{2})/g, "%25"));
  } catch {
    return null;
  }
}

/** Only visible ASCII without a percent sign: what nearly every value is. */
const PLAIN = /^[ !"#$&-~]*$/;
const ASCII = /^[ -~\t]*$/;
const QUOTED = /^".*"$/;

/** UTF-8, else ISO 8859-1, in which HTTP clients such as Node's send a header that nobody encoded (RFC 9110 §5.5). */
function rawText(value: string): string {
  const bytes = Buffer.from(value, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : value;
}
