import type { Log } from "../context.ts";
import { LOG_CHARS_MAX, LOG_LINES_MAX, SECRET_CHARS_MIN } from "./limits.ts";

/** `fields`: JSON text of an object, null for none. */
export type LogLine = {
  readonly atMs: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields: string | null;
};

/** Takes the values of secrets out of texts. */
export type Blank = (text: string) => string;

export function blankOf(secrets: Readonly<Record<string, string>>): Blank {
  const values = Object.values(secrets)
    .flatMap((value) => [value, JSON.stringify(value).slice(1, -1)])
    .filter((value) => value.length >= SECRET_CHARS_MIN)
    // The longest first: one may be a part of another.
    .toSorted((one, other) => other.length - one.length);
  if (values.length === 0) return (text) => text;
  return (text) => values.reduce((blanked, value) => blanked.replaceAll(value, "***"), text);
}

/** The log lines of one call, bounded. */
export class CallLog {
  readonly #lines: LogLine[] = [];
  readonly #nowMs: () => number;
  readonly #blank: Blank;
  #chars = 0;
  #isFull = false;

  constructor(nowMs: () => number, blank: Blank) {
    this.#nowMs = nowMs;
    this.#blank = blank;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  readonly log: Log = {
    debug: (text, fields) => this.add("debug", text, fields),
    info: (text, fields) => this.add("info", text, fields),
    warn: (text, fields) => this.add("warn", text, fields),
    error: (text, fields) => this.add("error", text, fields),
  };

  add(level: LogLine["level"], text: unknown, fields?: unknown): void {
    if (this.#isFull) return;
    const line = {
      atMs: this.#nowMs(),
      level,
      text: this.#blank(String(text)),
      fields: fields === undefined ? null : this.#blank(fieldsText(fields)),
    };
    this.#chars += line.text.length + (line.fields?.length ?? 0);
    if (this.#lines.length < LOG_LINES_MAX && this.#chars <= LOG_CHARS_MAX) {
      this.#lines.push(line);
      return;
    }
    this.#isFull = true;
    const says = `More was logged; a call keeps ${LOG_LINES_MAX} lines and ${LOG_CHARS_MAX / 1024} KiB.`;
    this.#lines.push({ atMs: line.atMs, level: "warn", text: says, fields: null });
  }
}

function fieldsText(fields: unknown): string {
  try {
    return JSON.stringify(fields) ?? "{}";
  } catch {
    return '{"fields":"no JSON"}';
  }
}
