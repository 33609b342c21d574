export const BLOB_NAME_CHARS_MAX = 512;

/** A sentence when a file cannot be called so; null when it can. */
export function nameFlaw(name: string): string | null {
  const parts = name.split("/");
  const fits =
    name.length >= 1 &&
    name.length <= BLOB_NAME_CHARS_MAX &&
    name.isWellFormed() &&
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    !/[\u0000-\u001f\u007f\\]/.test(name) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..");
  return fits
    ? null
    : `A file's name has 1 to ${BLOB_NAME_CHARS_MAX} characters in parts between slashes, none of them empty, "." or "..".`;
}
