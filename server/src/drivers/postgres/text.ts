/**
 * Postgres has no U+0000 in its texts. Where a text holds one, or the escape itself, it is stored with U+0001 U+0001 for
 * U+0000 and U+0001 U+0002 for U+0001: different texts stay different, and their order by code points stays the same.
 */
export function toStored(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(ESCAPED, (char) => (char === "\0" ? "\x01\x01" : "\x01\x02")) : text;
}

export function fromStored(text: string): string {
  return text.includes("\x01") ? text.replace(STORED, (pair) => (pair[1] === "\x01" ? "\0" : "\x01")) : text;
}

// The two characters that this is about.
// oxlint-disable-next-line no-control-regex
const NEEDS_ESCAPE = /[\0\x01]/;
// oxlint-disable-next-line no-control-regex
const ESCAPED = /[\0\x01]/g;
// oxlint-disable-next-line no-control-regex
const STORED = /\x01[\x01\x02]/g;

/** The same of a column that may be null. */
export function maybeFromStored(stored: string | null): string | null {
  return stored === null ? null : fromStored(stored);
}
