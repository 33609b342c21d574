/** Name and address together; longer is an attack or an accident (a bare mail address has at most 254, RFC 5321). */
const MAILBOX_CHARS_MAX = 1_000;
const MAIL_ADDRESS_CHARS_MAX = 254;
/** E.164 has 15 digits; people write brackets, blanks and extensions. */
const PHONE_CHARS_MAX = 64;

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const MAIL_ADDRESS = /^(?:"[^"]+"|[^\s@<>(),;:\\"[\]]+)@[^\s@<>(),;\\"]+$/;

/** True for text with line breaks or other characters that could end a header early. */
export function hasControls(text: string): boolean {
  return CONTROLS.test(text);
}

/**
 * Null when `text` may stand as a person's mail address, bare or as `Name <local@domain>`; otherwise what is wrong.
 * Plausible, not proven: whether it exists is for the mail server to say.
 */
export function mailAddressProblem(text: string): string | null {
  if (hasControls(text)) return "has a line break or another control character";
  if (text.length > MAILBOX_CHARS_MAX || !text.isWellFormed()) return "is too long or not valid Unicode";
  const address = bareAddress(text);
  if (address.length > MAIL_ADDRESS_CHARS_MAX) return `has more than ${MAIL_ADDRESS_CHARS_MAX} characters`;
  return MAIL_ADDRESS.test(address) ? null : "is not one mail address: expected local@domain";
}

/** Null when `text` may be kept as an address of any kind, otherwise what is wrong: nothing in it may end a header. */
export function addressProblem(text: string): string | null {
  if (hasControls(text)) return "has a line break or another control character";
  return text.length <= MAILBOX_CHARS_MAX && text.isWellFormed() ? null : "is too long or not valid Unicode";
}

/** Null when `text` may stand as a telephone number, otherwise what is wrong. */
export function phoneNumberProblem(text: string): string | null {
  if (hasControls(text)) return "has a line break or another control character";
  if (text.length > PHONE_CHARS_MAX) return `has more than ${PHONE_CHARS_MAX} characters`;
  return /\d/.test(text) ? null : "has no digits";
}

/** `ada@example.com` of `Ada <ada@example.com>`; anything else as it is, without blanks around it. */
export function bareAddress(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.endsWith(">")) return trimmed;
  const open = trimmed.lastIndexOf("<");
  return open === -1 ? trimmed : trimmed.slice(open + 1, -1).trim();
}
