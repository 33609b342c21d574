/** RFC 5321 §4.5.3.1.5 says 512; servers with a lot to say are forgiven eight times that. */
export const REPLY_LINE_CHARS_MAX = 4_096;
/** EHLO is the longest honest reply, at some twenty lines. */
export const REPLY_LINES_MAX = 100;
/** How much of a server's prose is worth keeping in an outcome. */
const QUOTED_CHARS_MAX = 400;

/** One complete answer of a server (RFC 5321 §4.2). */
export type Reply = {
  /** 200 to 599. */
  readonly code: number;
  /** The text of each line after its code. */
  readonly lines: readonly string[];
};

const ENHANCED = /^[245]\.\d{1,3}\.\d{1,3}(?=\s|$)/;

/** The enhanced status code (RFC 3463) that opens the text, e.g. "5.1.1", or the empty string. */
export function enhancedCode(reply: Reply): string {
  return ENHANCED.exec(reply.lines[0] ?? "")?.[0] ?? "";
}

/** The reply on one line, fit for a log: `550 5.1.1 No such user`. */
export function quoteReply(reply: Reply): string {
  const text = reply.lines.map((line, i) => (i === 0 ? line : line.replace(ENHANCED, "").trim())).join(" ");
  // Servers with SMTPUTF8 may answer in UTF-8 (RFC 6531 §3.7.4); replies are read as one character per byte.
  const readable = Buffer.from(`${reply.code} ${text}`, "latin1").toString("utf8");
  // biome-ignore lint: control characters are exactly what is looked for.
  return readable
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")
    .slice(0, QUOTED_CHARS_MAX)
    .trim();
}

/** Cuts what a server says into replies. */
export class ReplyReader {
  #rest = "";
  #code = 0;
  #lines: string[] = [];

  /** True when part of a reply has been read. */
  get inside(): boolean {
    return this.#rest !== "" || this.#lines.length > 0;
  }

  /**
   * @param chunk one character per byte.
   * @returns the replies that are now complete, or a sentence that says why this is not SMTP.
   */
  read(chunk: string): readonly Reply[] | string {
    const text = this.#rest === "" ? chunk : this.#rest + chunk;
    const replies: Reply[] = [];
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      const wrong = this.#readLine(text, from, text[end - 1] === "\r" && end > from ? end - 1 : end, replies);
      if (wrong !== null) return wrong;
      from = end + 1;
    }
    this.#rest = from === text.length ? "" : text.slice(from);
    return this.#rest.length > REPLY_LINE_CHARS_MAX ? "a reply line without an end" : replies;
  }

  #readLine(text: string, from: number, end: number, replies: Reply[]): string | null {
    if (end - from > REPLY_LINE_CHARS_MAX) return "a reply line without an end";
    const code = readCode(text, from, end);
    const more = text[from + 3] === "-" && end > from + 3;
    if (code === 0 || (end > from + 3 && !more && text[from + 3] !== " ")) return "an answer that is not SMTP";
    if (this.#lines.length > 0 && code !== this.#code) return "a reply whose lines have different codes";
    if (this.#lines.length >= REPLY_LINES_MAX) return `a reply of more than ${REPLY_LINES_MAX} lines`;
    this.#code = code;
    this.#lines.push(text.slice(from + 4, end));
    if (more) return null;
    replies.push({ code, lines: this.#lines });
    this.#lines = [];
    return null;
  }
}

/** Three digits, 200 to 599, or 0. */
function readCode(text: string, from: number, end: number): number {
  if (end - from < 3) return 0;
  const [a, b, c] = [text.charCodeAt(from) - 48, text.charCodeAt(from + 1) - 48, text.charCodeAt(from + 2) - 48];
  return a >= 2 && a <= 5 && b >= 0 && b <= 9 && c >= 0 && c <= 9 ? a * 100 + b * 10 + c : 0;
}
