import {
  type AttributeValue,
  type EventData,
  type EventRead,
  invalid,
  quoted,
  readAttributes,
  type Setting,
} from "#doors/http/cloud-events/attributes.ts";
import { dataOf } from "#doors/http/cloud-events/binary.ts";
import { isJsonObject, type Json } from "#domain/json.ts";
import { cut, weave } from "#rules/json-cut.ts";

/**
 * Reads an event in the JSON format (CloudEvents JSON Format §3).
 * @param text of the event as it was written; of it the data is cut out.
 * @param value the same, read.
 */
export function readStructured(text: string, value: Json, setting: Omit<Setting, "spell">): EventRead {
  if (!isJsonObject(value)) return invalid("An event is a JSON object.");
  const given = new Map<string, AttributeValue>();
  for (const name in value) {
    if (name === "data" || name === "data_base64") continue;
    const attribute = value[name];
    // "Unset" may be said as null.
    if (attribute === null || attribute === undefined) continue;
    if (typeof attribute === "object" || (typeof attribute === "number" && !Number.isInteger(attribute))) {
      return invalid(`The attribute ${quoted(name)} must be text, a whole number, true or false.`);
    }
    given.set(name, attribute);
  }
  const data = readData(text, value, given.get("datacontenttype"));
  return "json" in data ? readAttributes(given, data, { ...setting, spell: (name) => `member "${name}"` }) : data;
}

type NoData = Extract<EventRead, { ok: false }>;

function readData(
  text: string,
  { data, data_base64: base64 }: { readonly [name: string]: Json },
  type: AttributeValue | undefined,
): EventData | NoData {
  if (base64 === undefined || base64 === null) {
    return { json: data === undefined ? "null" : (cut(text, DATA, 1)[0] ?? "null") };
  }
  if (data !== undefined) return invalid('An event has "data" or "data_base64", not both.');
  if (typeof base64 !== "string" || !BASE64.test(base64)) return invalid('The member "data_base64" must be base64.');
  // Bytes of no type are just bytes.
  return typeof type === "string"
    ? dataOf(Buffer.from(base64, "base64"), type)
    : { json: JSON.stringify(base64), base64: true };
}

const DATA = weave([["data"]]);
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
