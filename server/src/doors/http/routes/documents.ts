import { CursorQuery, DocumentCollections, DocumentsView, DocumentView, JsonMap, Type } from "@tidings/contract";
import { json, jsonText, NO_CONTENT, refusal, type TextAnswer, unknownThing } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import { DOCUMENTS_PAGE_MAX, QueryFault, type StoredDocument } from "#documents/desk.ts";
import { collectionFlaw, idFlaw } from "#documents/names.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Origin } from "#engine/change.ts";

const OF_COLLECTION = Type.Object({ collection: Type.String() });
const OF_DOCUMENT = Type.Object({ collection: Type.String(), id: Type.String() });
const VERSION = Type.Object({
  version: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "The version that it must have; 0: it must not exist. Otherwise 409. Absent: whatever is there",
    }),
  ),
});

/** A small JSON store for users, the same that functions have as `context.documents`. */
export function registerDocuments(routes: Routes, house: Pick<HttpHouse, "documents">): void {
  registerReading(routes, house);
  registerChanging(routes, house);
}

function registerReading(routes: Routes, { documents }: Pick<HttpHouse, "documents">): void {
  routes.add({
    method: "GET",
    path: "/documents",
    tag: "documents",
    scope: "read",
    summary: "Collections that are declared, with their indexes",
    answers: { 200: { says: "The collections", body: DocumentCollections } },
    handle: async () => {
      const known = await documents.collections();
      const results = known.map(({ name, indexes, built }) => ({
        name,
        indexes: indexes.map((path) => ({ path, built: built.includes(path) })),
      }));
      return json(200, { results });
    },
  });

  routes.add({
    method: "GET",
    path: "/documents/:collection",
    tag: "documents",
    scope: "read",
    summary: "Documents of a collection by id, or those that an index finds",
    description:
      'Each `where` is `field:value`, for a field that the collection declares as an index. A value that reads as a number, `true` or `false` is that; quote it for a text: `where=plan:"1"`. A page may be short although there is a next one.',
    params: OF_COLLECTION,
    query: Type.Object({
      where: Type.Optional(Type.Array(Type.String(), { description: "`field:value`; all of them must fit" })),
      prefix: Type.Optional(Type.String({ description: "Only ids that begin so" })),
      cursor: CursorQuery,
      limit: PageLimit(DOCUMENTS_PAGE_MAX),
    }),
    answers: { 200: { says: "A page", body: DocumentsView } },
    handle: async ({ params, query }) => {
      const { cursor, limit = PAGE_LIMIT, prefix = "" } = query;
      const after = cursor === undefined ? null : decodeCursor(cursor);
      if (cursor !== undefined && after === null) return BAD_CURSOR;
      const where = readWhere(query.where ?? []);
      if (typeof where === "string") return refusal("request.invalid", where);
      const ask = { collection: params.collection, where, prefix, after, limit };
      try {
        const page = await documents.query(ask);
        const results = page.documents.map(textOf).join(",");
        return jsonText(200, `{"results":[${results}],"paging":${JSON.stringify(paging(page.next))}}`);
      } catch (fault) {
        if (fault instanceof QueryFault) return refusal("request.invalid", fault.message);
        throw fault;
      }
    },
  });

  routes.add({
    method: "GET",
    path: "/documents/:collection/:id",
    tag: "documents",
    scope: "read",
    summary: "One document",
    params: OF_DOCUMENT,
    answers: { 200: { says: "The document", body: DocumentView } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const flaw = flawOf(params);
      if (flaw !== null) return flaw;
      const found = await documents.get(params.collection, params.id);
      return found === null ? unknownThing("document") : jsonText(200, textOf(found));
    },
  });
}

function registerChanging(routes: Routes, { documents }: Pick<HttpHouse, "documents">): void {
  routes.add({
    method: "PUT",
    path: "/documents/:collection/:id",
    tag: "documents",
    scope: "full",
    summary: "Put a document whole",
    params: OF_DOCUMENT,
    query: VERSION,
    body: JsonMap,
    example: { email: "ada@example.com", plan: "pro" },
    answers: { 200: { says: "Replaced", body: DocumentView }, 201: { says: "New", body: DocumentView } },
    faults: ["conflict.changed"],
    handle: async (call) => {
      const { params, query, body } = call;
      const version = query.version ?? null;
      // The door has read the body as a JSON object.
      const put = await documents.put(params, body as JsonObject, { version, origin: originOf(call) });
      if (put.kind !== "done") return denied(call, put);
      return jsonText(put.value.isNew ? 201 : 200, textOf(put.value.document));
    },
  });

  routes.add({
    method: "DELETE",
    path: "/documents/:collection/:id",
    tag: "documents",
    scope: "full",
    summary: "Delete a document",
    params: OF_DOCUMENT,
    query: VERSION,
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const flaw = flawOf(call.params);
      if (flaw !== null) return flaw;
      const version = call.query.version ?? null;
      const deleted = await documents.delete(call.params, { version, origin: originOf(call) });
      if (deleted.kind !== "done") return denied(call, deleted);
      return deleted.value ? NO_CONTENT : unknownThing("document");
    },
  });
}

function originOf({ traceparent }: Pick<Call, "traceparent">): Origin {
  return { once: null, traceparent };
}

function flawOf({ collection, id }: { readonly collection: string; readonly id: string }): TextAnswer | null {
  const says = collectionFlaw(collection) ?? idFlaw(id);
  return says === null ? null : refusal("request.invalid", says);
}

/** The value's text is JSON already. */
function textOf({ id, body, version, createdMs, updatedMs }: StoredDocument): string {
  return `{"id":${JSON.stringify(id)},"value":${body},"version":${version},"created":${createdMs},"updated":${updatedMs}}`;
}

/** Reads `field:value`, or says what is wrong with one. */
function readWhere(asked: readonly string[]): JsonObject | string {
  const where: Record<string, string | number | boolean> = {};
  for (const one of asked) {
    const colon = one.indexOf(":");
    if (colon < 1) return `"where" is field:value, which ${JSON.stringify(one.slice(0, 100))} is not.`;
    where[one.slice(0, colon)] = readValue(one.slice(colon + 1));
  }
  return where;
}

function readValue(text: string): string | number | boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  } catch {
    // It is a text as it stands.
  }
  return text;
}
