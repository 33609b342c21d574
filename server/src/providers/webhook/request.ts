import type { WebhookContent } from "#domain/content.ts";
import type { Envelope } from "#ports/provider.ts";
import type { Sign } from "#providers/webhook/signature.ts";

/** Most headers that a sender may add, and the longest of them: below what common servers take in all (8 KiB). */
export const HEADERS_MAX = 50;
export const HEADER_CHARS_MAX = 4096;
/** Names that a sender may not set: they frame the request, or say who we are. */
const RESERVED = new Set([
  "host",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "traceparent",
  "tracestate",
]);
const RESERVED_FAMILIES = /^(webhook|proxy)-/;
/** RFC 9110 §5.6.2 and §5.5: no line ends, hence no second header and no second request. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export type Call = {
  readonly origin: string;
  readonly path: string;
  readonly method: "POST" | "PUT";
  /** Name, value, name, value, … */
  readonly headers: string[];
  readonly body: Buffer;
};

/** Makes the HTTP call of an envelope, or says why there can be none. */
export function callOf(
  envelope: Envelope,
  content: WebhookContent,
  nowMs: number,
  sign: Sign | null,
): Call | { readonly refused: string } {
  const url = readUrl(content.url);
  if (typeof url === "string") return { refused: url };

  const sent = sentHeaders(content.headers, authorizationOf(content.authentication));
  if (typeof sent === "string") return { refused: sent };
  const body = Buffer.from(content.body);
  const timestampSeconds = Math.floor(nowMs / 1000);
  sent.set("webhook-id", envelope.messageId);
  sent.set("webhook-timestamp", String(timestampSeconds));
  if (sign !== null) sent.set("webhook-signature", sign(envelope.messageId, timestampSeconds, body));
  if (envelope.traceparent !== null) sent.set("traceparent", envelope.traceparent);
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    method: content.method,
    headers: [...sent].flat(),
    body,
  };
}

/** An address that may be called, or a sentence. */
export function readUrl(text: string): URL | string {
  const url = URL.parse(text);
  if (url === null) return "the address is not a URL";
  if (url.protocol !== "http:" && url.protocol !== "https:") return `${url.protocol} is not http or https`;
  if (url.username !== "" || url.password !== "") return "credentials belong into authentication, not into the URL";
  return url;
}

/** Ours, overridden by the sender's, or a sentence about the first that cannot be sent. */
export function sentHeaders(
  wanted: Readonly<Record<string, string>>,
  authorization: string | null,
): Map<string, string> | string {
  const headers = new Map([
    ["content-type", "application/json"],
    ["user-agent", "tidings"],
  ]);
  const given = Object.entries(wanted);
  if (given.length > HEADERS_MAX) return `${given.length} headers are more than ${HEADERS_MAX}`;
  for (const [written, value] of given) {
    const name = written.toLowerCase();
    if (!NAME.test(name)) return `${JSON.stringify(written.slice(0, 80))} is not a header's name`;
    if (RESERVED.has(name) || RESERVED_FAMILIES.test(name)) return `the header ${name} cannot be set`;
    if (!VALUE.test(value) || value.length > HEADER_CHARS_MAX) return `the value of the header ${name} cannot be sent`;
    headers.set(name, value);
  }
  if (authorization !== null) headers.set("authorization", authorization);
  return VALUE.test(authorization ?? "") ? headers : "the bearer token cannot be sent in a header";
}

function authorizationOf(authentication: WebhookContent["authentication"]): string | null {
  switch (authentication.mode) {
    case "none":
      return null;
    case "basic":
      return `Basic ${Buffer.from(`${authentication.username}:${authentication.password}`).toString("base64")}`;
    case "bearer":
      return `Bearer ${authentication.token}`;
  }
}
