import type { Secrets } from "#ports/secrets.ts";

/** A UUID of version 8 (RFC 9562 §5.8) that is made of a text: the same text gives the same id. */
export function uuidOf(text: string, secrets: Secrets): string {
  const bytes = Buffer.from(secrets.digest(text), "base64url").subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
