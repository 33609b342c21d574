/** RFC 5322 §2.1.1: characters of a line without its CRLF. */
export const LINE_CHARS_MAX = 998;
/** RFC 2045 §6.8: base64 lines hold 76 characters, which are 57 bytes. */
const BASE64_LINE_BYTES = 57;
/** Quoted-printable triples what it escapes; above this share of other than ASCII, base64 is shorter. */
const DENSE_SHARE = 1 / 6;

export type Encoded = { readonly encoding: "7bit" | "quoted-printable" | "base64"; readonly payload: string };

const PLAIN = /^[\t\r\n -~]*$/;

/**
 * A text in the cheapest encoding that no relay has to touch (RFC 2045 §6): as it is when it is ASCII in short lines,
 * quoted-printable when little of it needs escaping, else base64. Every line ends with CRLF, however it came in.
 */
export function encodeText(text: string): Encoded {
  const lines = withCrlf(text);
  if (PLAIN.test(lines) && !hasLongLine(lines)) return { encoding: "7bit", payload: lines };
  const bytes = Buffer.from(lines, "utf8");
  // A character outside ASCII takes more bytes than UTF-16 units; the difference is a measure that costs nothing.
  const dense = bytes.length - lines.length > bytes.length * DENSE_SHARE;
  return dense
    ? { encoding: "base64", payload: encodeBase64(bytes) }
    : { encoding: "quoted-printable", payload: encodeQuotedPrintable(bytes) };
}

/** Every CR LF, lone CR and lone LF becomes one CRLF. */
function withCrlf(text: string): string {
  if (text.includes("\r")) return text.replace(/\r\n?|\n/g, "\r\n");
  return text.includes("\n") ? text.replaceAll("\n", "\r\n") : text;
}

function hasLongLine(lines: string): boolean {
  let from = 0;
  while (lines.length - from > LINE_CHARS_MAX) {
    const end = lines.indexOf("\r\n", from);
    if (end < 0 || end - from > LINE_CHARS_MAX) return true;
    from = end + 2;
  }
  return false;
}

/** RFC 2045 §6.8, in lines of 76, without a last line end. */
export function encodeBase64(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length <= BASE64_LINE_BYTES) return buffer.toString("base64");
  const lines: string[] = [];
  for (let from = 0; from < buffer.length; from += BASE64_LINE_BYTES) {
    lines.push(buffer.toString("base64", from, Math.min(buffer.length, from + BASE64_LINE_BYTES)));
  }
  return lines.join("\r\n");
}

const HEX = Buffer.from("0123456789ABCDEF", "latin1");
const [TAB, LF, CR, SPACE, DOT, EQUALS, F] = [9, 10, 13, 32, 46, 61, 70] as const;
/** RFC 2045 §6.7 (5): 76 characters, one of them the soft break's `=`. */
const QP_LINE_CHARS = 75;

/** RFC 2045 §6.7 for lines that end with CRLF. Also hides a leading dot and "From ", which old relays mangle. */
function encodeQuotedPrintable(bytes: Buffer): string {
  const out = Buffer.allocUnsafe(bytes.length * 3 + Math.ceil((bytes.length * 3) / (QP_LINE_CHARS - 2)) * 3 + 3);
  let to = 0;
  let column = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte === CR && bytes[i + 1] === LF) {
      out[to++] = CR;
      out[to++] = LF;
      i += 1;
      column = 0;
      continue;
    }
    const literal = isLiteral(bytes, i, byte, column);
    if (column + (literal ? 1 : 3) > QP_LINE_CHARS) {
      out[to++] = EQUALS;
      out[to++] = CR;
      out[to++] = LF;
      column = 0;
    }
    if (literal) {
      out[to++] = byte;
      column += 1;
    } else {
      out[to++] = EQUALS;
      out[to++] = HEX[byte >> 4] ?? 0;
      out[to++] = HEX[byte & 15] ?? 0;
      column += 3;
    }
  }
  return out.toString("latin1", 0, to);
}

function isLiteral(bytes: Buffer, i: number, byte: number, column: number): boolean {
  if (byte === SPACE || byte === TAB) return i + 1 < bytes.length && bytes[i + 1] !== CR;
  if (byte < 33 || byte > 126 || byte === EQUALS) return false;
  if (column === 0 && byte === DOT) return false;
  return !(column === 0 && byte === F && bytes[i + 4] === SPACE);
}
