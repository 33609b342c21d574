import { decodeText } from "#doors/http/body.ts";
import { refusal, type TextAnswer } from "#doors/http/answer.ts";

/** Longest cursor that we ever gave out, with room: a message id with its time. */
const CURSOR_CHARS_MAX = 2_048;

/** Makes an opaque cursor of the place where the next page begins. */
export function encodeCursor(place: string): string {
  return Buffer.from(`1:${place}`, "utf8").toString("base64url");
}

/** The place that a cursor of ours stands for; null when it is none of ours. */
export function decodeCursor(cursor: string): string | null {
  if (cursor.length > CURSOR_CHARS_MAX || !/^[\w-]+$/.test(cursor)) return null;
  const text = decodeText(Buffer.from(cursor, "base64url")) ?? "";
  return text.startsWith("1:") ? text.slice(2) : null;
}

/** P1 paging (courier-api.md §1.5). `next`: the place where the next page begins, or null at the end. */
export function paging(next: string | null): { readonly cursor: string | null; readonly more: boolean } {
  return next === null ? { cursor: null, more: false } : { cursor: encodeCursor(next), more: true };
}

export const BAD_CURSOR: TextAnswer = refusal(
  "request.invalid",
  '"cursor" is not one of ours; take it from "paging.cursor".',
);
