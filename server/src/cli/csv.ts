/**
 * CSV (RFC 4180) read from bytes as they come, with the place of every record, so that an import can go on where it
 * stopped. Separators, quotes and line breaks are single bytes in UTF-8 and never part of another character, so records
 * are told apart before anything is decoded.
 */

/** Longest record: a quote that never closes must not swallow the file into memory. */
export const RECORD_BYTES_MAX = 1024 * 1024;

export type CsvRecord = {
  readonly fields: readonly string[];
  /** The line on which it begins, counting from 1. */
  readonly line: number;
  /** Byte offset in the file just after its line break. */
  readonly end: number;
  /** Why it cannot be read; then `fields` is what could be made of it. */
  readonly problem: string | null;
};

/** The file as a whole cannot be read on. */
export class CsvFault extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "CsvFault";
  }
}

const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const lenient = new TextDecoder("utf-8");

/** Where the scan stands: at the start of a field, in a bare one, in quotes, or just behind a quote inside quotes. */
type Place = "start" | "bare" | "quoted" | "behind";

export class CsvReader {
  readonly #separator: string;
  readonly #separatorByte: number;
  #pending: Uint8Array = new Uint8Array(0);
  #scanned = 0;
  #place: Place = "start";
  /** Byte offset in the file of `#pending[0]`. */
  #offset: number;
  #line: number;
  #quotes = false;

  /** @param from where the bytes begin that will be pushed, if not at the start of the file. */
  constructor(separator: string, from: { readonly offset: number; readonly line: number } = { offset: 0, line: 1 }) {
    this.#separator = separator;
    this.#separatorByte = separator.charCodeAt(0);
    this.#offset = from.offset;
    this.#line = from.line;
  }

  /** The line on which the next record begins. */
  get line(): number {
    return this.#line;
  }

  /** @returns the records that are whole now. Blank lines are none. @throws {CsvFault} when a record is too long. */
  push(chunk: Uint8Array): readonly CsvRecord[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const records: CsvRecord[] = [];
    const bytes = this.#pending;
    let begin = 0;
    for (let at = this.#scanned; at < bytes.length; at += 1) {
      if (!this.#step(bytes[at] ?? 0)) continue;
      this.#take(records, bytes.subarray(begin, at + 1));
      begin = at + 1;
    }
    this.#pending = bytes.subarray(begin);
    this.#scanned = this.#pending.length;
    if (this.#scanned > RECORD_BYTES_MAX) throw new CsvFault(this.#tooLong());
    return records;
  }

  /** The last record, which may lack its line break. */
  end(): readonly CsvRecord[] {
    const records: CsvRecord[] = [];
    if (this.#place === "quoted") throw new CsvFault(`the quote in the record on line ${this.#line} is never closed`);
    if (this.#pending.length > 0) this.#take(records, this.#pending);
    this.#pending = new Uint8Array(0);
    return records;
  }

  /** True when `byte` ends a record. */
  #step(byte: number): boolean {
    if (this.#place === "quoted") {
      if (byte === QUOTE) this.#place = "behind";
      return false;
    }
    if (byte === LF) {
      this.#place = "start";
      return true;
    }
    if (byte === this.#separatorByte) this.#place = "start";
    else if (byte === QUOTE && this.#place !== "bare") {
      this.#place = "quoted";
      this.#quotes = true;
    } else if (this.#place === "start") this.#place = "bare";
    return false;
  }

  #take(records: CsvRecord[], bytes: Uint8Array): void {
    const end = this.#offset + bytes.length;
    const body = bytes.subarray(0, bodyLength(bytes));
    const breaks = this.#quotes ? countBreaks(bytes) : 1;
    if (body.length > RECORD_BYTES_MAX) throw new CsvFault(this.#tooLong());
    if (body.length > 0) {
      const { text, problem } = decode(body);
      const read = this.#quotes
        ? splitQuoted(text, this.#separator)
        : { fields: text.split(this.#separator), problem: null };
      records.push({ fields: read.fields, line: this.#line, end, problem: problem ?? read.problem });
    }
    this.#offset = end;
    this.#line += breaks;
    this.#quotes = false;
    this.#place = "start";
  }

  #tooLong(): string {
    return `the record on line ${this.#line} is longer than ${RECORD_BYTES_MAX} bytes: is a quote not closed?`;
  }
}

/** Without its line break, CRLF or LF. */
function bodyLength(bytes: Uint8Array): number {
  let length = bytes.length;
  if (bytes[length - 1] === LF) length -= 1;
  if (length < bytes.length && bytes[length - 1] === CR) length -= 1;
  return length;
}

function countBreaks(bytes: Uint8Array): number {
  let breaks = 0;
  for (const byte of bytes) if (byte === LF) breaks += 1;
  return breaks;
}

function decode(bytes: Uint8Array): { readonly text: string; readonly problem: string | null } {
  try {
    return { text: utf8.decode(bytes), problem: null };
  } catch {
    return { text: lenient.decode(bytes), problem: "is not valid UTF-8; save the file as UTF-8" };
  }
}

function splitQuoted(text: string, separator: string): { readonly fields: string[]; readonly problem: string | null } {
  const fields: string[] = [];
  let problem: string | null = null;
  for (let at = 0; at <= text.length; at += 1) {
    if (text[at] !== '"') {
      const end = endOf(text, separator, at);
      fields.push(text.slice(at, end));
      at = end;
      continue;
    }
    let field = "";
    for (at += 1; ; at += 2) {
      const quote = text.indexOf('"', at);
      // Only in a record that was cut by invalid bytes: the scan saw the quote closed.
      const end = quote === -1 ? text.length : quote;
      field += text.slice(at, end);
      at = end;
      if (text[at + 1] !== '"' || quote === -1) break;
      field += '"';
    }
    at += 1;
    const end = endOf(text, separator, at);
    if (end > at) {
      problem ??= `has text after a closing quote: ${JSON.stringify(text.slice(at, Math.min(end, at + 20)))}`;
      field += text.slice(at, end);
    }
    fields.push(field);
    at = end;
  }
  return { fields, problem };
}

function endOf(text: string, separator: string, from: number): number {
  const at = text.indexOf(separator, from);
  return at === -1 ? text.length : at;
}

/** One line of CSV with its line break; quotes only what needs them. */
export function csvLine(fields: readonly string[], separator: string): string {
  const quoted = fields.map((field) =>
    /["\r\n]|^\s|\s$/.test(field) || field.includes(separator) ? `"${field.replaceAll('"', '""')}"` : field,
  );
  // A record of one empty field would be a blank line.
  return `${quoted.length === 1 && quoted[0] === "" ? '""' : quoted.join(separator)}\r\n`;
}

/** The separator that a header line uses: the most frequent of comma, semicolon and tab outside quotes. */
export function guessSeparator(header: string): string {
  const bare = header.replaceAll(/"(?:[^"]|"")*"/g, "");
  const [best] = [",", ";", "\t"]
    .map((separator) => ({ separator, times: bare.split(separator).length }))
    .toSorted((one, other) => other.times - one.times);
  return best?.separator ?? ",";
}

/** What the first bytes of a file say about it: how many of them are a mark, and whether it cannot be UTF-8. */
export function readMark(head: Uint8Array): { readonly bytes: number; readonly problem: string | null } {
  const [a, b, c] = head;
  if (a === 0xef && b === 0xbb && c === 0xbf) return { bytes: 3, problem: null };
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    return { bytes: 0, problem: "the file is UTF-16; save it as UTF-8" };
  }
  if (a === 0x50 && b === 0x4b)
    return { bytes: 0, problem: "the file is a spreadsheet or an archive; export it as CSV" };
  return { bytes: 0, problem: null };
}
