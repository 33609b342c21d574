import { isIP } from "node:net";
import type { WebCall } from "#ports/web-caller.ts";
import { isPublicAddress } from "#providers/webhook/public-address.ts";
import { readUrl, sentHeaders } from "#providers/webhook/request.ts";

/** What a receiver cannot be called with, seen without looking up a name. */
export function flawOf({
  url,
  headers,
  allowPrivate,
}: Pick<WebCall, "url" | "headers" | "allowPrivate">): string | null {
  const read = readUrl(url);
  if (typeof read === "string") return read;
  const ours = Object.keys(headers).find((name) => OURS.has(name.toLowerCase()));
  if (ours !== undefined) return `the header ${ours.toLowerCase()} cannot be set`;
  const sent = sentHeaders(headers, null);
  if (typeof sent === "string") return sent;
  const host = read.hostname.replace(/^\[(.*)\]$/, "$1");
  if (allowPrivate || isIP(host) === 0 || isPublicAddress(host)) return null;
  return `${host} is not a public address`;
}

/** Besides those that no sender may set: the body is ours and so is what it is, and nobody else signs for us. */
const OURS: ReadonlySet<string> = new Set(["content-type", "courier-signature"]);
