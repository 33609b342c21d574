import { SendRequest } from "@tidings/contract";
import { compileCheck } from "#doors/http/check.ts";
import { readJson } from "#doors/http/json-text.ts";
import { withoutNulls } from "#doors/http/without-nulls.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { ReadSend } from "#rules/targets/send.ts";

/** Checks a text as the door checks the body of `POST /send`, for those who send without a door. */
export function sendReader(): ReadSend {
  const flawOf = compileCheck(SendRequest);
  return (text) => {
    const read = readJson(text);
    if (!read.ok) return { kind: "invalid", says: read.says };
    const says = flawOf(read.value);
    if (says !== null) return { kind: "invalid", says };
    // It is what SendRequest's schema lets through, said in the pipeline's words.
    const body = read.value as { readonly message: SendMessage };
    if (!text.includes("null")) return { kind: "message", text, message: body.message };
    const message = withoutNulls(body.message) as SendMessage;
    return { kind: "message", text: JSON.stringify({ ...body, message }), message };
  };
}
