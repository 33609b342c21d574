/** A value that a pattern can ask for. Equal numbers are equal however they were written, unless a double cannot hold them. */
export type Scalar = Plain | LongNumber;
export type Plain = string | number | boolean | null;

/** A number that no double holds, such as 9876543210123456789: equal only to the same digits. */
export class LongNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

/** Reads a number of JSON (RFC 8259 §6) and loses nothing; null when it is none. */
export function readNumber(text: string): number | LongNumber | null {
  const parts = NUMBER.exec(text);
  if (parts === null) return null;
  const number = Number(text);
  // Fifteen digits always fit; an exponent may lead beyond the range.
  if (text.length <= 15 && parts[3] === undefined) return number;
  const short = NUMBER.exec(String(number));
  return short !== null && valueOf(parts) === valueOf(short) ? number : new LongNumber(text);
}

const NUMBER = /^-?(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Magnitude in the one way of writing it that has neither leading nor trailing zeros. */
function valueOf([, whole = "", fraction = "", exponent = "0"]: RegExpExecArray): string {
  const digits = whole + fraction;
  let start = 0;
  let end = digits.length;
  while (start < end && digits.charCodeAt(start) === ZERO) start += 1;
  while (end > start && digits.charCodeAt(end - 1) === ZERO) end -= 1;
  return start === end
    ? "0"
    : `${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

const ZERO = 0x30;

/** The same for texts that differ only in case, outside ASCII too. */
export function foldCase(text: string): string {
  // Down first: Kelvin's sign and the like have a lower form in common with a letter, but not an upper one.
  return text.toLowerCase().toUpperCase();
}
