import { BlobsView, BlobView, CursorQuery, Type } from "@tidings/contract";
import { BLOB_BYTES_MAX, type StoredBlob } from "#blobs/shelf.ts";
import { type Answer, FOREIGN_WORDS, json, NO_CONTENT, refusal, unknownThing } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Route, Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import { compressedBody } from "#doors/http/serve.ts";

const PAGE_MAX = 1_000;
const UNKNOWN_TYPE = "application/octet-stream";

type House = Pick<HttpHouse, "shelf">;
type NamedCall = Pick<Call, "bytes" | "headers" | "traceparent" | "once">;

/** Files by name: `PUT` keeps one and starts the functions that wait for it. Names may have slashes. */
export function registerBlobs(routes: Routes, { shelf }: House): void {
  routes.add({
    method: "GET",
    path: "/blobs",
    tag: "blobs",
    scope: "read",
    summary: "Files by name",
    query: Type.Object({
      prefix: Type.Optional(Type.String({ description: "Only names that begin so" })),
      cursor: CursorQuery,
      limit: PageLimit(PAGE_MAX),
    }),
    answers: { 200: { says: "A page", body: BlobsView } },
    handle: async ({ query: { prefix = "", cursor, limit = PAGE_LIMIT } }) => {
      const after = cursor === undefined ? null : decodeCursor(cursor);
      if (cursor !== undefined && after === null) return BAD_CURSOR;
      const { blobs, next } = await shelf.list(prefix, after, limit);
      return json(200, { results: blobs.map(view), paging: paging(next) });
    },
  });
  registerPut(routes, { shelf });
  registerNamed(routes, { shelf });
}

function registerPut(routes: Routes, { shelf }: House): void {
  const put = async (name: string, call: NamedCall): Promise<Answer> => {
    const { bytes, headers, traceparent } = call;
    const ifNoneMatch = headers["if-none-match"];
    if (headers["if-match"] !== undefined || (ifNoneMatch !== undefined && ifNoneMatch !== "*")) return CONDITION;
    // Kept as it is, it would be given back as if it were the file.
    const compressed = compressedBody(headers);
    if (compressed !== null) return compressed;
    const contentType = headers["content-type"] ?? UNKNOWN_TYPE;
    const wish = { only: ifNoneMatch === "*", origin: { once: null, traceparent } };
    const done = await shelf.put({ name, bytes, contentType }, wish);
    if (done.kind !== "done") return denied(call, done);
    const { blob, isNew } = done.value;
    return json(isNew ? 201 : 200, view(blob), { etag: etagOf(blob) });
  };
  addNamed(routes, put, {
    method: "PUT",
    tag: "blobs",
    scope: "send",
    summary: "Keep a file under a name, and start the functions that wait for it",
    description:
      "The body is the file, of any content type, up to 20 MB. The answer comes when it is on disk. `If-None-Match: *` refuses to replace one (409).",
    rawBytesMax: BLOB_BYTES_MAX,
    answers: { 200: { says: "Replaced", body: BlobView }, 201: { says: "New", body: BlobView } },
    faults: ["request.unsupported_type", "conflict.exists", "conflict.changed"],
  });
}

function registerNamed(routes: Routes, { shelf }: House): void {
  const get = async (name: string, call: NamedCall): Promise<Answer> => {
    const found = await shelf.find(name);
    if (found === null) return unknownThing("file");
    const headers = headersOf(found);
    if (isKnown(call.headers["if-none-match"], found))
      return { kind: "text", status: 304, type: "", body: null, headers };
    const bytes = await shelf.read(found);
    if (bytes === null) return unknownThing("file");
    return { kind: "bytes", status: 200, type: found.contentType, body: bytes, headers };
  };
  addNamed(routes, get, {
    method: "GET",
    tag: "blobs",
    scope: "read",
    summary: "A file",
    description:
      "To be saved, not shown: whatever it holds cannot act as a page of ours. `If-None-Match` with its `ETag` asks whether it is another one.",
    answers: {
      200: { says: "The file, with the content type that it was put with", type: "*/*" },
      304: { says: "It is the one that the caller has" },
    },
    faults: ["thing.unknown"],
  });
  const remove = async (name: string, call: NamedCall): Promise<Answer> => {
    const deleted = await shelf.delete(name, { once: null, traceparent: call.traceparent });
    if (deleted.kind !== "done") return denied(call, deleted);
    return deleted.value ? NO_CONTENT : unknownThing("file");
  };
  addNamed(routes, remove, {
    method: "DELETE",
    tag: "blobs",
    scope: "full",
    summary: "Delete a file",
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown", "conflict.changed"],
  });
}

const OF_FILE = Type.Object({ name: Type.String() });
const BELOW = Type.Object({ "*": Type.String() });

type Named = Omit<Route<typeof OF_FILE, never, never>, "path" | "params" | "handle" | "query" | "body">;

/** A name of one part is documented; one with slashes is the same, behind a path that ends in whatever comes. */
function addNamed(routes: Routes, handle: (name: string, call: NamedCall) => Promise<Answer>, named: Named): void {
  routes.add({ ...named, path: "/blobs/:name", params: OF_FILE, handle: (call) => handle(call.params.name, call) });
  routes.add({
    ...named,
    path: "/blobs/*",
    params: BELOW,
    hidden: true,
    handle: (call) =>
      call.params["*"] === ""
        ? refusal("request.invalid", "A file has a name: /blobs/NAME.")
        : handle(call.params["*"], call),
  });
}

const CONDITION = refusal(
  "request.invalid",
  "A put understands `If-None-Match: *`, which keeps a file that is there, and no other condition.",
);

/** Whatever somebody put, it is no page of ours: it is saved, and if it is shown, it may do nothing. */
function headersOf(blob: StoredBlob): Readonly<Record<string, string>> {
  const file = blob.name.slice(blob.name.lastIndexOf("/") + 1);
  return {
    ...FOREIGN_WORDS,
    "content-disposition": `attachment; filename*=UTF-8''${encodeParameter(file)}`,
    etag: etagOf(blob),
    "cache-control": "private, no-cache",
  };
}

/** RFC 8187: what a URI component may hold, without the signs that delimit a parameter. */
function encodeParameter(text: string): string {
  return encodeURIComponent(text).replaceAll(/['()*!]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function etagOf({ sha256 }: StoredBlob): string {
  return `"${sha256}"`;
}

function isKnown(ifNoneMatch: string | undefined, blob: StoredBlob): boolean {
  const tags = (ifNoneMatch ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etagOf(blob));
}

function view({ name, bytes, contentType, sha256, createdMs, updatedMs }: StoredBlob): BlobView {
  return { name, bytes, content_type: contentType, sha256, created: createdMs, updated: updatedMs };
}
