import { type CaughtItem, CaughtMessage, CaughtPage, CursorQuery } from "@tidings/contract";
import { Type } from "@tidings/contract";
import { MAILBOX } from "#directory/collections.ts";
import {
  FOREIGN_WORDS,
  json,
  NO_CONTENT,
  overloaded,
  refusal,
  type TextAnswer,
  unknownThing,
} from "#doors/http/answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { PAGE_ITEMS_MAX } from "#doors/http/limits.ts";
import type { Routes } from "#doors/http/route.ts";
import type { Content } from "#domain/content.ts";
import type { Document, DocumentQuery } from "#domain/document.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Store } from "#ports/store.ts";

/** Caught messages looked at for one page when a filter passes few of them. */
const LOOKED_AT_MAX = 2_000;
const ITEMS_DEFAULT = 20;

/** What the catcher keeps of a message. */
type Caught = {
  readonly messageId: string;
  readonly channel: string;
  readonly caughtMs: number;
  readonly traceparent: string | null;
  readonly content: Content;
};

/** The mailbox: what was caught instead of sent. */
export function registerMailbox(routes: Routes, { store, engine }: Pick<HttpHouse, "store" | "engine">): void {
  routes.add({
    method: "GET",
    path: "/mailbox",
    tag: "mailbox",
    scope: "read",
    summary: "What was caught instead of sent, newest first",
    query: Type.Object({
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ITEMS_MAX, default: ITEMS_DEFAULT })),
      cursor: CursorQuery,
      recipient: Type.Optional(Type.String({ description: "User id, or the address of someone who has none" })),
      message: Type.Optional(Type.String({ description: "Message id" })),
      channel: Type.Optional(Type.String()),
    }),
    answers: { 200: { says: "A page", body: CaughtPage } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const ask: DocumentQuery = {
        collection: MAILBOX,
        order: "descending",
        limit: query.limit ?? ITEMS_DEFAULT,
        after,
        ...(query.recipient !== undefined
          ? { term: ["recipient", query.recipient] }
          : query.message === undefined
            ? {}
            : { term: ["message", query.message] }),
      };
      const { items, next } = await pageOf(store, ask, query.channel, query.message);
      return json(200, { paging: paging(next), results: items });
    },
  });

  routes.add({
    method: "GET",
    path: "/mailbox/:id",
    tag: "mailbox",
    scope: "read",
    summary: "One caught message, word for word",
    params: Type.Object({ id: Type.String() }),
    query: Type.Object({
      format: Type.Optional(
        Type.String({
          enum: ["json", "html", "text"],
          description: "json (default), html as a mail client shows it (mails only), or text",
        }),
      ),
    }),
    answers: { 200: { says: "The message", body: CaughtMessage, also: ["text/html", "text/plain"] } },
    faults: ["thing.unknown"],
    handle: async ({ params, query }) => {
      const [document] = await store.documents([{ collection: MAILBOX, id: params.id }]);
      return document == null ? unknownThing("caught message") : inFormat(document, query.format ?? "json");
    },
  });

  routes.add({
    method: "DELETE",
    path: "/mailbox",
    tag: "mailbox",
    scope: "full",
    summary: "Empty the mailbox",
    answers: { 204: { says: "Empty" } },
    handle: async () => {
      const verdict = await engine.submit({ clear: [{ collection: MAILBOX, prefix: "" }] });
      return verdict.kind === "overloaded" ? overloaded(verdict.retryAfterMs) : NO_CONTENT;
    },
  });
}

/** A page of what passes the filters that are no index; short when it has looked at enough. */
async function pageOf(
  store: Store,
  ask: DocumentQuery,
  channel: string | undefined,
  message: string | undefined,
): Promise<{ readonly items: readonly CaughtItem[]; readonly next: string | null }> {
  const items: CaughtItem[] = [];
  const limit = ask.limit;
  let after = ask.after ?? null;
  for (let looked = 0; looked < LOOKED_AT_MAX; ) {
    // One more than fits, to know whether anything follows.
    const documents = await store.listDocuments({ ...ask, after, limit: limit + 1 });
    for (const document of documents) {
      if (items.length === limit) return { items, next: after };
      const item = itemOf(document);
      const passes =
        (channel === undefined || item.channel === channel) && (message === undefined || item.messageId === message);
      if (passes) items.push(item);
      after = document.id;
    }
    if (documents.length <= limit) return { items, next: null };
    looked += documents.length;
  }
  return { items, next: after };
}

function itemOf({ id, body }: Document): CaughtItem {
  const { messageId, channel, caughtMs, content } = caughtOf(body);
  return { id, messageId, channel, caught: caughtMs, to: addressOf(content), title: titleOf(content) };
}

function caughtOf(body: string): Caught {
  // Only the catcher writes this collection, in this form.
  return JSON.parse(body) as Caught;
}

function inFormat(document: Document, format: string): TextAnswer {
  const { traceparent, content } = caughtOf(document.body);
  switch (format) {
    case "json":
      return json(200, { ...itemOf(document), traceparent, content });
    case "html":
      return content.channel === "email"
        ? { kind: "text", status: 200, type: "text/html; charset=utf-8", body: content.html, headers: FOREIGN_WORDS }
        : refusal("request.invalid", `A caught ${content.channel} message has no HTML; ask for text.`);
    case "text":
      return {
        kind: "text",
        status: 200,
        type: "text/plain; charset=utf-8",
        body: textOf(content),
        headers: FOREIGN_WORDS,
      };
    default:
      return refusal("request.invalid", '"format" must be json, html or text.');
  }
}

/** To whom, in a line. */
function addressOf(content: Content): string {
  switch (content.channel) {
    case "email":
    case "sms":
      return content.to;
    case "push":
    case "direct_message":
      return inWords(content.to);
    case "inbox":
      return content.userId;
    case "webhook":
      return content.url;
  }
}

/** About what, in a line. */
function titleOf(content: Content): string {
  switch (content.channel) {
    case "email":
      return content.subject;
    case "sms":
      return content.text.slice(0, TITLE_CHARS_MAX);
    case "push":
    case "direct_message":
    case "inbox":
      return content.title;
    case "webhook":
      return `${content.method} ${content.url}`;
  }
}

/** As much of a text message as fits into a line of the list. */
const TITLE_CHARS_MAX = 120;

function textOf(content: Content): string {
  switch (content.channel) {
    case "email":
    case "sms":
    case "direct_message":
      return content.text;
    case "push":
    case "inbox":
    case "webhook":
      return content.body;
  }
}

function inWords(to: JsonObject): string {
  return (
    Object.values(to)
      .filter((value) => typeof value === "string")
      .join(" ") || JSON.stringify(to)
  );
}
