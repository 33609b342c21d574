import { domainToASCII } from "node:url";

/** RFC 5321 §4.5.3.1.1: octets before the `@`. */
export const LOCAL_BYTES_MAX = 64;
/** RFC 5321 §4.5.3.1.3 (256 with the angle brackets): octets of a whole address. */
export const ADDRESS_BYTES_MAX = 254;
/** Name and address together. Longer is an attack or an accident, and is not worth parsing. */
export const MAILBOX_CHARS_MAX = 1_000;

/** One person's address, checked, in the form that goes on the wire. */
export type Mailbox = {
  /** Display name, any Unicode without control characters; empty when there is none. */
  readonly name: string;
  /** `local@domain`; the domain in A-labels (RFC 5891), the local part as it was written. */
  readonly address: string;
  readonly domain: string;
  /** The local part has non-ASCII characters, so that the server must offer SMTPUTF8 (RFC 6531). */
  readonly utf8: boolean;
};

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-]+";
const ATOM_UTF8 = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\\u00a0-\\u2027\\u202a-\\u{10ffff}]+";
const DOT_ATOM = new RegExp(`^${ATOM}(?:\\.${ATOM})*$`);
const DOT_ATOM_UTF8 = new RegExp(`^${ATOM_UTF8}(?:\\.${ATOM_UTF8})*$`, "u");
/** RFC 5321 §4.1.2, Quoted-string. */
const QUOTED_LOCAL = /^"(?:[ !#-[\]-~]|\\[ -~])*"$/;
const DOMAIN =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const DOMAIN_LITERAL = /^\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\]$/;
// biome-ignore lint: control characters are exactly what is looked for.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
const ASCII = /^[ -~]*$/;

/**
 * Reads `local@domain`, `Name <local@domain>` or `"Name" <local@domain>`: the part of RFC 5322 §3.4 that people use.
 * No groups, comments or lists. Control characters in a quoted name become spaces; elsewhere a line end refuses it all.
 *
 * @returns the mailbox, or a sentence that says what is wrong with the text.
 */
export function parseMailbox(text: string): Mailbox | string {
  if (text.length > MAILBOX_CHARS_MAX) return `longer than ${MAILBOX_CHARS_MAX} characters`;
  if (!text.isWellFormed()) return "not valid Unicode";
  const trimmed = text.trim();
  if (!trimmed.endsWith(">")) return checkAddress(trimmed, "");
  const open = trimmed.lastIndexOf("<");
  if (open < 0) return "a `>` without its `<`";
  const name = readName(trimmed.slice(0, open).trim());
  return name === null
    ? "the name before the address is not readable"
    : checkAddress(trimmed.slice(open + 1, -1), name);
}

/** Undoes quoting (RFC 5322 §3.2.4). Null when it cannot be a name. */
function readName(written: string): string | null {
  let name = written;
  if (name.startsWith('"')) {
    if (!/^"(?:[^"\\]|\\.)*"$/s.test(name)) return null;
    name = name.slice(1, -1).replace(/\\(.)/gs, "$1");
  } else if (/[<>\r\n\0]/.test(name)) return null;
  return name.replace(CONTROLS, " ").trim();
}

function checkAddress(address: string, name: string): Mailbox | string {
  const at = address.lastIndexOf("@");
  if (at < 1) return "not an address: expected local@domain";
  const local = address.slice(0, at);
  const utf8 = !ASCII.test(local);
  if (Buffer.byteLength(local) > LOCAL_BYTES_MAX) return `more than ${LOCAL_BYTES_MAX} bytes before the @`;
  if (!(utf8 ? DOT_ATOM_UTF8 : DOT_ATOM).test(local) && !QUOTED_LOCAL.test(local)) {
    return "characters before the @ that an address cannot have";
  }
  const domain = checkDomain(address.slice(at + 1));
  if (domain === null) return "not a domain after the @";
  const checked = `${local}@${domain}`;
  if (Buffer.byteLength(checked) > ADDRESS_BYTES_MAX) return `more than ${ADDRESS_BYTES_MAX} bytes`;
  return { name, address: checked, domain, utf8 };
}

/** The domain in A-labels, or null. Only non-ASCII goes through `domainToASCII`, which also rewrites odd IPv4 forms. */
function checkDomain(domain: string): string | null {
  const ascii = ASCII.test(domain) ? domain : domainToASCII(domain);
  if (DOMAIN.test(ascii) && !/(?:^|\.)\d+$/.test(ascii)) return ascii;
  return DOMAIN_LITERAL.test(ascii) ? ascii : null;
}
