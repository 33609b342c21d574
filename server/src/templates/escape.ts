/**
 * Escapes a text for HTML content (WHATWG HTML §13.3) and for attribute values in double or single quotes;
 * line breaks become `<br>`.
 */
export function escapeText(text: string): string {
  return /[&<>"'\r\n]/.test(text) ? text.replace(/[&<>"']|\r\n|[\r\n]/g, replaceInText) : text;
}

/** Escapes a text for an attribute value in quotes. */
export function escapeAttribute(text: string): string {
  return /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, reference) : text;
}

/** As `escapeAttribute`, also safe where the template's author forgot the quotes: whatever could end it is a reference. */
export function escapeBareAttribute(text: string): string {
  return /[&<>"'`=\s]/.test(text) ? text.replace(/[&<>"'`=\s]/g, reference) : text;
}

/** Folds a text into one line: what subjects, titles and other header fields need (RFC 5322 §2.2). */
export function oneLine(text: string): string {
  // No pattern with a star next to a star: data may hold a million spaces.
  return BREAK.test(text) ? text.replace(BREAKS, " ").trim() : text.trim();
}

const BREAK = /[\r\n\u2028\u2029\u0085\0\v\f]/;
const BREAKS = /[\r\n\u2028\u2029\u0085\0\v\f]+/g;

/** Trims each line's end, the text's ends, and leaves at most one empty line between two others. */
export function tidyText(text: string): string {
  const trimmed = text.trim();
  if (!UNTIDY.test(trimmed)) return trimmed;
  const lines = trimmed.split(/\r?\n|\r/).map((line) => line.trimEnd());
  return lines.join("\n").replace(/\n{3,}/g, "\n\n");
}

const UNTIDY = /[ \t\r\f\v]\n|\n\n\n|\r/;

function replaceInText(found: string): string {
  return found === "\n" || found === "\r" || found === "\r\n" ? "<br>" : reference(found);
}

function reference(character: string): string {
  switch (character) {
    case "&":
      return "&amp;";
    case "<":
      return "&lt;";
    case ">":
      return "&gt;";
    case '"':
      return "&quot;";
    default:
      return `&#${character.charCodeAt(0)};`;
  }
}
