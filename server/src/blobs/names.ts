/** Longest name of a file. */
export const BLOB_NAME_CHARS_MAX = 512;
/** Longest media type: what registries allow for type and subtype together, and room for parameters. */
export const CONTENT_TYPE_CHARS_MAX = 255;

/** A sentence when a file cannot be called so; null when it can. */
export function nameFlaw(name: string): string | null {
  const parts = name.split("/");
  const fits =
    name.length >= 1 &&
    name.length <= BLOB_NAME_CHARS_MAX &&
    name.isWellFormed() &&
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    !/[\u0000-\u001f\u007f-\u009f\\]/.test(name) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..");
  return fits
    ? null
    : `A file's name has 1 to ${BLOB_NAME_CHARS_MAX} characters in parts between slashes, none of them empty, "." or "..", without control characters and backslashes.`;
}

/** A media type such as `application/pdf` or `text/csv; charset=utf-8`, in ASCII. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;[ -~]*)?$/;

/** A sentence when this is no content type; null when it is one. */
export function contentTypeFlaw(contentType: string): string | null {
  return contentType.length <= CONTENT_TYPE_CHARS_MAX && MEDIA_TYPE.test(contentType)
    ? null
    : "Content-Type must be a media type like application/pdf; leave it out for application/octet-stream.";
}
