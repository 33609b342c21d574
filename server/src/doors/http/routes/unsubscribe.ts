import { Type } from "@tidings/contract";
import type { Directory } from "#directory/directory.ts";
import type { Farewell } from "#directory/unsubscribe.ts";
import { type Answer, overloaded } from "#doors/http/answer.ts";
import { decodeText } from "#doors/http/body.ts";
import { denied } from "#doors/http/commit-answer.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { unknownLinkPage, unsubscribePage } from "#doors/http/routes/unsubscribe-page.ts";

/** The form has two words; a mail client may wrap them in multipart. */
const FORM_BYTES_MAX = 16 * 1024;

const OF_TOKEN = Type.Object({ token: Type.String() });

/**
 * Where the link in a list's mail leads (RFC 8058). A mail client's POST takes effect at once, without login, cookie
 * or redirect. Looking (GET) changes nothing, because scanners look at every link; a person gets a button.
 */
export function registerUnsubscribe(routes: Routes, { unsubscribe }: Pick<Directory, "unsubscribe">): void {
  routes.add({
    method: "GET",
    path: "/u/:token",
    tag: "lists",
    scope: "open",
    hidden: true,
    summary: "The page behind the unsubscribe link",
    params: OF_TOKEN,
    answers: { 200: { says: "A page with a button", type: "text/html" } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const farewell = unsubscribe.read(params.token);
      return farewell === null ? unknownLinkPage() : unsubscribePage(await unsubscribe.look(farewell), "asked");
    },
  });

  routes.add({
    method: "POST",
    path: "/u/:token",
    tag: "lists",
    scope: "open",
    summary: "Unsubscribe with one click (RFC 8058)",
    description:
      "The URL stands in the header List-Unsubscribe of mail to a list. Takes `List-Unsubscribe=One-Click`, form-encoded or as multipart/form-data, and takes effect at once.",
    params: OF_TOKEN,
    rawBytesMax: FORM_BYTES_MAX,
    answers: {
      200: { says: "Unsubscribed", type: "text/html" },
      404: { says: "A page for a link that is none of ours", type: "text/html" },
    },
    handle: async (call) => {
      const farewell = unsubscribe.read(call.params.token);
      return farewell === null ? unknownLinkPage() : await act(unsubscribe, farewell, call);
    },
  });
}

async function act(
  unsubscribe: Directory["unsubscribe"],
  farewell: Farewell,
  call: Pick<Call, "bytes" | "traceparent">,
): Promise<Answer> {
  const origin = { once: null, traceparent: call.traceparent };
  // Whatever else was posted, it was posted by someone who wants to leave: a "no" is never refused for its form.
  const wish = wantsBack(call.bytes) ? "rejoin" : "leave";
  const done = await unsubscribe[wish](farewell, origin);
  if (done.kind === "overloaded") return overloaded(done.retryAfterMs);
  if (done.kind !== "done") return denied({ once: null }, done);
  return unsubscribePage(await unsubscribe.look(farewell), wish === "leave" ? "left" : "returned");
}

/** Our own page's second button, form-encoded as browsers do. */
function wantsBack(bytes: Uint8Array): boolean {
  const text = decodeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return text !== null && new URLSearchParams(text).get("action") === "resubscribe";
}
