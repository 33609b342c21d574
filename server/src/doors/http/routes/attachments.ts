import { AttachmentAnswer, Type } from "@tidings/contract";
import { json, refusal } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { ATTACHMENT_BYTES_MAX } from "#domain/limits.ts";

/** Longest file name: what common file systems take. */
const FILENAME_CHARS_MAX = 255;
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(?:\s*;[ -~]*)?$/;

/**
 * `POST /attachments`: large files go first, and messages name them by id (claim check). Each message takes a copy, so
 * an upload itself is named by no commit, and upkeep collects it after an hour like every blob that is nobody's.
 */
export function registerAttachments(routes: Routes, { blobs, dice }: Pick<HttpHouse, "blobs" | "dice">): void {
  routes.add({
    method: "POST",
    path: "/attachments",
    tag: "send",
    scope: "send",
    summary: "Upload a file to attach to messages",
    description:
      "The body is the file itself, of any content type. Then name it in a message: `channels.email.override.attachments: [{ filename, contentType, id }]`, as often as you like within an hour; then the upload is forgotten.",
    query: Type.Object({ filename: Type.Optional(Type.String({ description: "How the file is called" })) }),
    rawBytesMax: ATTACHMENT_BYTES_MAX,
    answers: { 201: { says: "Kept", body: AttachmentAnswer } },
    handle: async ({ query, bytes, headers }) => {
      const filename = query.filename ?? "attachment";
      // oxlint-disable-next-line no-control-regex -- control characters are what is refused
      if (filename.length > FILENAME_CHARS_MAX || /[\u0000-\u001f\u007f/\\]/.test(filename)) {
        return refusal(
          "request.invalid",
          `"filename" may have ${FILENAME_CHARS_MAX} characters, without slashes or controls.`,
        );
      }
      if (bytes.length === 0) return refusal("request.invalid", "The body must be the file; it was empty.");
      const declared = headers["content-type"];
      const contentType = declared !== undefined && MEDIA_TYPE.test(declared) ? declared : "application/octet-stream";
      const id = `upload-${dice.hex(16)}`;
      await blobs.put(id, bytes);
      return json(201, { id, bytes: bytes.length, filename, contentType });
    },
  });
}
