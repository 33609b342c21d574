import type { Mailbox } from "./address.ts";

/** RFC 2047 §2: a line that holds an encoded word; also the comfortable side of RFC 5322's 78. */
const LINE_CHARS = 76;
/** `=?utf-8?B?` and `?=`. */
const WORD_FRAME_CHARS = 12;
/** RFC 2047 §2: the longest encoded word. */
const WORD_CHARS_MAX = 75;
/** A longer run without a space cannot be folded, and is encoded instead: far below the 998 of RFC 5322 §2.1.1. */
const UNFOLDED_CHARS_MAX = 500;
/** Names up to here stay readable; longer ones become encoded words, which fold. */
const PLAIN_NAME_CHARS_MAX = 60;
/** RFC 2231 §3 continues a parameter over several; so many characters in each keep a line short. */
const PARAMETER_CHARS = 60;

const PRINTABLE = /^[ -~]*$/;
const ATOMS = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]*$/;
/** Printable, without `"` and `\`. */
const QUOTABLE = /^[ !#-[\]-~]*$/;
// biome-ignore lint: control characters are exactly what is looked for.
const CONTROLS = /[\u0000-\u001f\u007f]+/g;

/** A field of free text, e.g. Subject, with its line end. Control characters, CR and LF among them, become spaces. */
export function textField(name: string, value: string): string {
  const plain = PRINTABLE.test(value);
  const text = plain ? value : value.replace(CONTROLS, " ");
  const clean = (plain || PRINTABLE.test(text)) && !text.includes("=?");
  if (clean && name.length + 2 + text.length <= LINE_CHARS) return `${name}: ${text}\r\n`;
  return `${name}: ${(clean && foldWords(text, name.length + 2)) || encodeWords(text, name.length + 2)}\r\n`;
}

/** A field of addresses, e.g. To, with its line end; one address a line. */
export function mailboxField(name: string, mailboxes: readonly Mailbox[]): string {
  let field = `${name}: `;
  for (let i = 0; i < mailboxes.length; i += 1) {
    const mailbox = mailboxes[i];
    if (mailbox === undefined) continue;
    if (i > 0) field += ",\r\n ";
    field += formatMailbox(mailbox, i > 0 ? 1 : name.length + 2);
  }
  return `${field}\r\n`;
}

function formatMailbox(mailbox: Mailbox, column: number): string {
  if (mailbox.name === "") return mailbox.address;
  const name = formatName(mailbox.name, column);
  const used = name.includes("\n") ? name.length - name.lastIndexOf("\n") : column + name.length;
  const gap = used + mailbox.address.length + 3 <= LINE_CHARS ? " " : "\r\n ";
  return `${name}${gap}<${mailbox.address}>`;
}

/**
 * A display name as atoms, as a quoted string (RFC 5322 §3.2.4), or as encoded words. Nothing is escaped with a
 * backslash: OpenSMTPD 6.8 takes a comma behind `\"` for the end of the address, and writes its domain into the name.
 */
function formatName(name: string, column: number): string {
  if (name.length <= PLAIN_NAME_CHARS_MAX && !name.includes("=?")) {
    if (ATOMS.test(name)) return name;
    if (QUOTABLE.test(name)) return `"${name}"`;
  }
  return encodeWords(name, column);
}

/** Folds before single spaces. Empty when the text has none in the right places. */
function foldWords(text: string, column: number): string {
  let folded = "";
  let used = column;
  for (const word of text.split(" ")) {
    if (word === "" || word.length > UNFOLDED_CHARS_MAX) return "";
    if (folded === "") folded = word;
    else if (used + 1 + word.length <= LINE_CHARS) folded += ` ${word}`;
    else {
      folded += `\r\n ${word}`;
      used = 0;
    }
    used += 1 + word.length;
  }
  return folded;
}

/**
 * RFC 2047 encoded words, base64 in UTF-8, folded, none splitting a character.
 *
 * @param column characters already on the first line.
 */
export function encodeWords(text: string, column: number): string {
  const bytes = Buffer.from(text, "utf8");
  let encoded = "";
  let from = 0;
  let used = column;
  while (from < bytes.length) {
    const room = Math.min(WORD_CHARS_MAX, LINE_CHARS - used) - WORD_FRAME_CHARS;
    let end = Math.min(bytes.length, from + Math.max(6, Math.floor(room / 4) * 3));
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    encoded += `${from === 0 ? "" : "\r\n "}=?utf-8?B?${bytes.toString("base64", from, end)}?=`;
    from = end;
    used = 1;
  }
  return encoded;
}

/** `; name="value"`, on a line of its own; RFC 2231 when the value is long or not plain ASCII. */
export function parameter(name: string, value: string): string {
  if (value.length <= PARAMETER_CHARS && PRINTABLE.test(value)) {
    return `;\r\n ${name}="${value.replace(/["\\]/g, "\\$&")}"`;
  }
  const escaped = [
    ...encodeURIComponent(value.toWellFormed())
      .replace(/['()*]/g, percent)
      .matchAll(/%..|./g),
  ];
  const pieces = [""];
  for (const [unit] of escaped) {
    if ((pieces.at(-1) ?? "").length + unit.length > PARAMETER_CHARS) pieces.push("");
    pieces.push((pieces.pop() ?? "") + unit);
  }
  if (pieces.length === 1) return `;\r\n ${name}*=utf-8''${pieces[0] ?? ""}`;
  return pieces.map((piece, i) => `;\r\n ${name}*${i}*=${i === 0 ? "utf-8''" : ""}${piece}`).join("");
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
