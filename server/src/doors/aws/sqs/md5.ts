import { hash } from "node:crypto";
import { isBinary, type MessageAttribute } from "#queues/message.ts";

/** Of the body's UTF-8 bytes, in hexadecimal; SDKs compare it. */
export function md5OfText(text: string): string {
  return hash("md5", text, "hex");
}

/**
 * Of message attributes, by ascending name in bytes: name, full type, one byte for the kind of value, value, each text with
 * its length before it (aws-ingest.md §5.2). Undefined when there are none.
 */
export function md5OfAttributes(attributes: readonly (readonly [string, MessageAttribute])[]): string | undefined {
  if (attributes.length === 0) return undefined;
  const parts: Buffer[] = [];
  const put = (bytes: Buffer): void => {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  };
  const sorted = attributes.length === 1 ? attributes : attributes.toSorted(([one], [other]) => (one < other ? -1 : 1));
  for (const [name, { type, value }] of sorted) {
    put(Buffer.from(name));
    put(Buffer.from(type));
    const binary = isBinary(type);
    parts.push(binary ? BINARY : TEXT);
    put(Buffer.from(value, binary ? "base64" : "utf8"));
  }
  return hash("md5", Buffer.concat(parts), "hex");
}

const TEXT = Buffer.from([1]);
const BINARY = Buffer.from([2]);
