import type { IncomingHttpHeaders } from "node:http";
import { NO_CONTENT, type TextAnswer } from "#doors/http/answer.ts";

/** What a browser may remember of a preflight: two hours, the most that Chromium takes. */
const REMEMBER_S = 7_200;
/** Names of headers that a page asks for, as they come. */
const HEADER_NAMES = /^[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1000}$/;

/**
 * What a browser is told beside the answer to a page of another origin. No cookies or other credentials of the browser are
 * ever asked for: a key in a header is the page's own.
 *
 * Knowledge: https://fetch.spec.whatwg.org/#http-cors-protocol
 * @param cors origins that may read it; absent: nobody is told anything.
 */
export function corsHeaders(
  cors: readonly string[] | undefined,
  { origin }: IncomingHttpHeaders,
): Readonly<Record<string, string>> {
  if (cors === undefined) return {};
  const allowed = cors.includes("*") ? "*" : origin !== undefined && cors.includes(origin) ? origin : null;
  // A cache must not give one origin's answer to another.
  const vary = cors.includes("*") ? {} : { vary: "origin" };
  if (allowed === null) return vary;
  return { "access-control-allow-origin": allowed, "access-control-expose-headers": "*", ...vary };
}

/** The method that a browser asks about before it lets a page call; null when this is no such question. */
export function preflightMethod(method: string | undefined, headers: IncomingHttpHeaders): string | null {
  return method === "OPTIONS" && headers.origin !== undefined
    ? (headers["access-control-request-method"] ?? null)
    : null;
}

/** The answer to that question: what may be sent. Without `access-control-allow-origin` the browser does not let the page call. */
export function preflightAnswer(cors: readonly string[], method: string, headers: IncomingHttpHeaders): TextAnswer {
  const asked = headers["access-control-request-headers"] ?? "";
  return {
    ...NO_CONTENT,
    headers: {
      ...corsHeaders(cors, headers),
      "access-control-allow-methods": method,
      ...(HEADER_NAMES.test(asked) ? { "access-control-allow-headers": asked } : {}),
      "access-control-max-age": String(REMEMBER_S),
    },
  };
}
