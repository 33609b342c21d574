import { skipBlanks, skipValue } from "#rules/json-cut.ts";
import { readNumber, type Scalar } from "./scalar.ts";

/** A place in a JSON text, and the small steps that events and patterns are read by. Numbers keep their digits. */
export class JsonReader {
  readonly text: string;
  at: number;

  constructor(text: string) {
    this.text = text;
    this.at = skipBlanks(text, 0);
  }

  /** The code of the character that comes next; NaN at the end. */
  code(): number {
    return this.text.charCodeAt(this.at);
  }

  /** Goes behind one character and the blanks after it. */
  step(): void {
    this.at = skipBlanks(this.text, this.at + 1);
  }

  /** Goes behind a value and the blanks after it without looking into it; false where there is none. */
  skip(): boolean {
    const end = skipValue(this.text, this.at);
    if (end === this.at) return false;
    this.at = skipBlanks(this.text, end);
    return true;
  }

  /** Reads the name of a member and goes to its value; undefined where there is none. */
  name(): string | undefined {
    if (this.code() !== QUOTE) return undefined;
    const name = this.#string();
    if (name === undefined || this.code() !== COLON) return undefined;
    this.step();
    return name;
  }

  /** Reads what is neither object nor array; undefined where that is not JSON. */
  scalar(): Scalar | undefined {
    const code = this.code();
    if (code === QUOTE) return this.#string();
    const start = this.at;
    if (!this.skip()) return undefined;
    const word = this.text.slice(start, this.at).trimEnd();
    if (word === "true") return true;
    if (word === "false") return false;
    if (word === "null") return null;
    return readNumber(word) ?? undefined;
  }

  #string(): string | undefined {
    const start = this.at;
    const end = skipValue(this.text, start);
    this.at = skipBlanks(this.text, end);
    if (end - 1 === start || this.text.charCodeAt(end - 1) !== QUOTE) return undefined;
    const inside = this.text.slice(start + 1, end - 1);
    if (!inside.includes("\\")) return inside;
    try {
      // A JSON string gives a string.
      return JSON.parse(this.text.slice(start, end)) as string;
    } catch {
      return undefined;
    }
  }
}

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BRACE = 0x7b;
export const BRACE_END = 0x7d;
export const BRACKET = 0x5b;
export const BRACKET_END = 0x5d;

/** Whether a text is JSON at all, as RFC 8259 has it. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
