import type { Attachment } from "#domain/content.ts";
import type { RequestId } from "#domain/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX } from "#domain/limits.ts";
import type { SendMessage } from "#domain/notification.ts";
import { type Problem, problem } from "#domain/problem.ts";

/** A file that came inside a request, to be written to the blob store before the request is committed. */
export type InlineFile = { readonly blob: string; readonly bytes: Uint8Array };

export type Extracted =
  | { readonly kind: "none" }
  | {
      readonly kind: "files";
      /** The message with each file replaced by its name in the blob store. */
      readonly message: SendMessage;
      readonly files: readonly InlineFile[];
      /** Uploads that it names, and the blobs that its copies of them are to be. */
      readonly uploads: readonly Upload[];
    }
  | { readonly kind: "refused"; readonly problem: Problem };

export type Upload = { readonly upload: string; readonly blob: string };

/**
 * Takes the files out of `channels.email.override.attachments` (and `providers.<key>.override.attachments`):
 * `{filename, contentType, data}` with base64 in `data`, or `{filename, id}` of an upload (`POST /attachments`).
 */
export function extractAttachments(message: SendMessage, blobId: (index: number) => string): Extracted {
  if (!mentionsAttachments(message)) return { kind: "none" };
  const files: InlineFile[] = [];
  const uploads: Upload[] = [];
  let wrong: Problem | null = null;
  const take = (value: Json, path: string): Json => {
    if (wrong !== null) return value;
    const taken = takeOne(value, path, () => blobId(files.length + uploads.length));
    if ("code" in taken) {
      wrong = taken;
      return value;
    }
    if ("upload" in taken.from) uploads.push(taken.from);
    else files.push(taken.from);
    return { ...taken.attachment };
  };
  const replaced = replaceAttachments(message, take);
  if (wrong !== null) return { kind: "refused", problem: wrong };
  if (files.length + uploads.length > ATTACHMENTS_MAX) {
    return {
      kind: "refused",
      problem: problem("request.invalid", `a message has at most ${ATTACHMENTS_MAX} attachments`),
    };
  }
  return { kind: "files", message: replaced, files, uploads };
}

/** The blob of a request's n-th file. */
export function fileBlob(owner: RequestId, index: number): string {
  return `${owner}-a${index}`;
}

/**
 * The attachments of an override after accept: every file is a blob of that request. What names any other blob was not
 * written by accept (`override.body` is free for all), and another request's files are nobody's business.
 */
export function attachmentsOf(override: JsonObject, owner: RequestId): readonly Attachment[] {
  const list = override["attachments"];
  if (!Array.isArray(list)) return [];
  const found: Attachment[] = [];
  for (const entry of list as readonly Json[]) {
    if (!isJsonObject(entry)) continue;
    const { filename, contentType, blob, bytes } = entry;
    if (typeof filename !== "string" || typeof contentType !== "string" || typeof blob !== "string") continue;
    if (blob.startsWith(fileBlob(owner, 0).slice(0, -1))) {
      found.push({ filename, contentType, blob, bytes: typeof bytes === "number" ? bytes : 0 });
    }
  }
  return found;
}

/** The blobs that hold a message's attachments, after accept. */
export function readBlobNames(message: SendMessage, owner: RequestId): readonly string[] {
  const options = [...Object.values(message.channels ?? {}), ...Object.values(message.providers ?? {})];
  return options.flatMap(({ override }) => attachmentsOf(override ?? {}, owner).map(({ blob }) => blob));
}

/** The same message with its attachments in other blobs. */
export function renameBlobs(message: SendMessage, rename: (blob: string) => string): SendMessage {
  const renamed = (value: Json): Json => {
    const blob = isJsonObject(value) ? value["blob"] : undefined;
    return isJsonObject(value) && typeof blob === "string" ? { ...value, blob: rename(blob) } : value;
  };
  return replaceAttachments(message, renamed);
}

function mentionsAttachments(message: SendMessage): boolean {
  const options = [...Object.values(message.channels ?? {}), ...Object.values(message.providers ?? {})];
  return options.some((option) => option.override !== undefined && "attachments" in option.override);
}

function replaceAttachments(message: SendMessage, replace: (value: Json, path: string) => Json): SendMessage {
  const { channels, providers } = message;
  return {
    ...message,
    ...(channels === undefined ? {} : { channels: inOverrides(channels, "message.channels", replace) }),
    ...(providers === undefined ? {} : { providers: inOverrides(providers, "message.providers", replace) }),
  };
}

function inOverrides<T extends JsonObject>(
  options: Readonly<Record<string, T>>,
  path: string,
  take: (value: Json, path: string) => Json,
): Readonly<Record<string, T>> {
  const entries = Object.entries(options).map(([name, option]) => {
    const override = option["override"];
    const list = isJsonObject(override) ? override["attachments"] : undefined;
    if (!isJsonObject(override) || !Array.isArray(list)) return [name, option] as const;
    const attachments = (list as readonly Json[]).map((value, at) =>
      take(value, `${path}.${name}.override.attachments[${at}]`),
    );
    return [name, { ...option, override: { ...override, attachments } }] as const;
  });
  return Object.fromEntries(entries);
}

/** What ids of uploads begin with; another request's files are nobody's business. */
const UPLOAD_PREFIX = "upload-";

type Taken = { readonly attachment: Attachment; readonly from: InlineFile | Upload };

function takeOne(value: Json, path: string, blobId: () => string): Taken | Problem {
  if (!isJsonObject(value))
    return problem("request.invalid", `${path} must be an object {filename, contentType, data}`);
  const filename = value["filename"];
  const contentType = value["contentType"] ?? value["content_type"] ?? "application/octet-stream";
  if (typeof filename !== "string" || filename === "")
    return problem("request.invalid", `${path}.filename is required`);
  if (typeof contentType !== "string" || !/^[\w.+-]+\/[\w.+-]+(\s*;[ -~]*)?$/.test(contentType)) {
    return problem("request.invalid", `${path}.contentType is not a media type like application/pdf`);
  }
  const upload = value["id"];
  if (typeof upload === "string" && !upload.startsWith(UPLOAD_PREFIX)) {
    return problem("request.invalid", `${path}.id is not the id of an upload (POST /attachments)`);
  }
  if (typeof upload === "string") {
    const blob = blobId();
    return { attachment: { filename, contentType, blob, bytes: 0 }, from: { upload, blob } };
  }
  const data = value["data"];
  const bytes = typeof data === "string" ? fromBase64(data) : null;
  if (bytes === null) {
    return problem("request.invalid", `${path}.data must be base64, or give the id of an upload (POST /attachments)`);
  }
  if (bytes.length > ATTACHMENT_BYTES_MAX) return problem("request.too_large", `${path} is larger than 20 MB`);
  const blob = blobId();
  return { attachment: { filename, contentType, blob, bytes: bytes.length }, from: { blob, bytes } };
}

/** Null when it is not base64. White space is passed over, because many tools wrap lines. */
function fromBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "loose" });
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
