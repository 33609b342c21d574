import { type Inline, plainInline } from "./inline.ts";
import { urlProgram } from "./url-program.ts";
import type { BlockNode, TextNode } from "./syntax.ts";

/** A paragraph-like piece of markdown. */
export type MarkdownBlock =
  | { readonly kind: "paragraph" | "quote"; readonly inner: readonly Inline[] }
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly inner: readonly Inline[] }
  | { readonly kind: "list"; readonly ordered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly kind: "rule" }
  | Control;

type Control = {
  readonly kind: "control";
  readonly node: BlockNode;
  readonly body: readonly MarkdownBlock[];
  readonly otherwise: readonly MarkdownBlock[];
};

/**
 * A small, safe markdown: `**bold**`, `*italic*`, `~~struck~~`, `` `code` ``, `[label](url)`, bare http(s) addresses,
 * `\*` escapes, line breaks as written, `#` headings, `-` and `1.` lists, `>` quotes, `---`. No HTML.
 *
 * Variables are opaque: what data holds is never read as markdown. A `{{#each}}` alone on its line may hold whole
 * blocks; elsewhere it is part of its line.
 */
export function parseMarkdown(nodes: readonly TextNode[]): MarkdownBlock[] {
  const source = new Source(nodes);
  const blocks: MarkdownBlock[] = [];
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length > 0) blocks.push({ kind: "paragraph", inner: source.inline(lines.join("\n")) });
    lines = [];
  };
  const all = source.text.split("\n");
  for (let at = 0; at < all.length; at += 1) {
    const line = all[at] ?? "";
    const started = source.controlOf(line) ?? source.startOf(line);
    if (line.trim() === "") flush();
    else if (started === null) lines.push(line);
    else {
      flush();
      if (started.kind === "control" || started.kind === "rule") blocks.push(started);
      else at = source.gather(started, all, at, blocks);
    }
  }
  flush();
  return blocks;
}

// Variables and blocks stand in the text as these two marks around their number; literals lose such characters.
const OPEN = "\u0001";
const CLOSE = "\u0002";
// biome-ignore lint/suspicious/noControlCharactersInRegex: the marks are control characters on purpose
const ATOM = /\u0001(\d+)\u0002/g;

type Started =
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly rest: string }
  | { readonly kind: "item"; readonly ordered: boolean; readonly rest: string }
  | { readonly kind: "quote"; readonly rest: string };

class Source {
  readonly text: string;
  readonly #atoms: readonly TextNode[];

  constructor(nodes: readonly TextNode[]) {
    this.#atoms = nodes;
    this.text = nodes
      .map((node, at) => (node.kind === "literal" ? withoutMarks(node.text) : `${OPEN}${at}${CLOSE}`))
      .join("");
  }

  /** A line that holds nothing but `{{#if}}…{{/if}}` or its like: whole blocks may be inside. */
  controlOf(line: string): Control | null {
    const [only, second] = this.nodes(line.trim());
    if (only?.kind !== "block" || second !== undefined) return null;
    return { kind: "control", node: only, body: parseMarkdown(only.body), otherwise: parseMarkdown(only.otherwise) };
  }

  startOf(line: string): Started | { readonly kind: "rule" } | null {
    const heading = /^ {0,3}(#{1,6}) +(.*)$/s.exec(line);
    if (heading !== null) {
      const depth = heading[1]?.length ?? 1;
      return { kind: "heading", level: depth === 1 ? 1 : depth === 2 ? 2 : 3, rest: heading[2] ?? "" };
    }
    if (/^ {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/.test(line)) return { kind: "rule" };
    const bullet = /^ {0,3}[-*+] +(.*)$/s.exec(line);
    if (bullet !== null) return { kind: "item", ordered: false, rest: bullet[1] ?? "" };
    const number = /^ {0,3}\d{1,9}[.)] +(.*)$/s.exec(line);
    if (number !== null) return { kind: "item", ordered: true, rest: number[1] ?? "" };
    const quote = /^ {0,3}> ?(.*)$/s.exec(line);
    return quote === null ? null : { kind: "quote", rest: quote[1] ?? "" };
  }

  /** Reads on as far as the lines belong together. @returns the last line read */
  gather(started: Started, all: readonly string[], at: number, into: MarkdownBlock[]): number {
    if (started.kind === "heading") {
      into.push({ kind: "heading", level: started.level, inner: this.inline(started.rest) });
      return at;
    }
    const items: string[] = [started.rest];
    let last = at;
    for (let next = at + 1; next < all.length; next += 1) {
      const line = all[next] ?? "";
      if (line.trim() === "" || this.controlOf(line) !== null) break;
      const more = this.startOf(line);
      if (more === null) items[items.length - 1] += `\n${line.trim()}`;
      else if (more.kind === "rule" || more.kind !== started.kind) break;
      else if (more.kind === "item" && started.kind === "item" && more.ordered !== started.ordered) break;
      else items.push(more.rest);
      last = next;
    }
    if (started.kind === "quote") into.push({ kind: "quote", inner: this.inline(items.join("\n")) });
    else into.push({ kind: "list", ordered: started.ordered, items: items.map((item) => this.inline(item)) });
    return last;
  }

  /** Back from marked text to nodes. */
  nodes(marked: string): TextNode[] {
    const nodes: TextNode[] = [];
    let from = 0;
    for (const match of marked.matchAll(ATOM)) {
      if (match.index > from) nodes.push({ kind: "literal", text: marked.slice(from, match.index) });
      const atom = this.#atoms[Number(match[1])];
      if (atom !== undefined) nodes.push(atom);
      from = match.index + match[0].length;
    }
    if (from < marked.length) nodes.push({ kind: "literal", text: marked.slice(from) });
    return nodes;
  }

  inline(marked: string): Inline[] {
    return new Run(this, marked, "").parse();
  }

  /** Text without further decoration; blocks inside are read on their own. */
  plain(marked: string): Inline[] {
    return this.nodes(marked).map((node) =>
      node.kind === "literal"
        ? { kind: "text", text: node.text }
        : node.kind === "value"
          ? node
          : { kind: "block", node, body: inlineOf(node.body), otherwise: inlineOf(node.otherwise) },
    );
  }
}

function withoutMarks(text: string): string {
  return text.replaceAll(OPEN, "").replaceAll(CLOSE, "").replaceAll("\r\n", "\n");
}

function inlineOf(nodes: readonly TextNode[]): Inline[] {
  const source = new Source(nodes);
  return source.inline(source.text);
}

const MARKS = [
  { mark: "**", tag: "strong" },
  { mark: "__", tag: "strong" },
  { mark: "~~", tag: "s" },
  { mark: "*", tag: "em" },
  { mark: "_", tag: "em" },
] as const;

/** Characters that may begin something; everything between two of them is text. */
const SPECIAL = /[\\*_~`[h]/g;
const ADDRESS = /https?:\/\/[^\s<>"'*`]+/y;

/**
 * One paragraph's inline markup. Each kind of mark is looked for ahead at most once in vain, and nothing is nested in
 * itself, so the time grows with the length only.
 */
class Run {
  readonly #source: Source;
  readonly #text: string;
  /** The marks we are inside of. */
  readonly #inside: string;
  readonly #inlines: Inline[] = [];
  readonly #hopeless = new Set<string>();
  #plainFrom = 0;
  /** Where the next `](` stands. */
  #middle = 0;

  constructor(source: Source, text: string, inside: string) {
    this.#source = source;
    this.#text = text;
    this.#inside = inside;
  }

  parse(): Inline[] {
    let at = 0;
    for (;;) {
      SPECIAL.lastIndex = at;
      const found = SPECIAL.exec(this.#text);
      if (found === null) break;
      const next = this.#special(found.index, found[0]);
      at = next ?? found.index + 1;
      if (next !== null) this.#plainFrom = next;
    }
    this.#plain(this.#text.length);
    return this.#inlines;
  }

  /** Takes what begins at `at`. @returns where it ends, or null if it is just a character */
  #special(at: number, character: string): number | null {
    const text = this.#text;
    if (character === "\\") {
      const escaped = text[at + 1] ?? "";
      if (!/[\\*_~`[\]()#>+.!-]/.test(escaped)) return null;
      this.#emit(at, { kind: "text", text: escaped });
      return at + 2;
    }
    if (character === "`") return this.#code(at);
    if (character === "[") return this.#link(at);
    if (character === "h") return this.#address(at);
    for (const { mark, tag } of MARKS) {
      if (text.startsWith(mark, at) && !this.#inside.includes(`${tag} `)) {
        const end = this.#closing(mark, at + mark.length);
        if (end === null) continue;
        const inner = new Run(this.#source, text.slice(at + mark.length, end), `${this.#inside}${tag} `).parse();
        this.#emit(at, { kind: "styled", tag, css: null, inner });
        return end + mark.length;
      }
    }
    return null;
  }

  #closing(mark: string, from: number): number | null {
    const text = this.#text;
    if (this.#hopeless.has(mark) || /^(?:\s|$)/.test(text.slice(from, from + 1))) return null;
    const underscore = mark.startsWith("_");
    if (underscore && /[\p{L}\p{N}]/u.test(text[from - mark.length - 1] ?? "")) return null;
    const sign = mark.charAt(0);
    let at = text.indexOf(sign, from + 1);
    while (at >= 0) {
      let end = at + 1;
      while (text[end] === sign) end += 1;
      const length = end - at;
      const before = text[at - 1] ?? "";
      const after = text[end] ?? "";
      // Of `***`, which closes two kinds at once, the outer takes the end; an even run holds no single sign.
      const fits = mark.length === 2 ? length >= 2 : length % 2 === 1;
      if (fits && !/[\s\\]/.test(before) && !(underscore && /[\p{L}\p{N}]/u.test(after))) return end - mark.length;
      at = text.indexOf(sign, end);
    }
    this.#hopeless.add(mark);
    return null;
  }

  #code(at: number): number | null {
    if (this.#hopeless.has("`")) return null;
    const end = this.#text.indexOf("`", at + 1);
    if (end < 0) this.#hopeless.add("`");
    if (end <= at + 1) return null;
    this.#emit(at, {
      kind: "styled",
      tag: "code",
      css: null,
      inner: this.#source.plain(this.#text.slice(at + 1, end)),
    });
    return end + 1;
  }

  #link(at: number): number | null {
    if (this.#hopeless.has("[") || this.#inside.includes("link ")) return null;
    if (this.#middle <= at) this.#middle = this.#text.indexOf("](", at + 1);
    const middle = this.#middle;
    const other = this.#text.indexOf("[", at + 1);
    // "[not this] but [that](…)": the link begins at the last bracket.
    if (other >= 0 && other < middle) return null;
    const end = middle < 0 ? -1 : this.#text.indexOf(")", middle + 2);
    if (end < 0) {
      this.#hopeless.add("[");
      return null;
    }
    const label = this.#text.slice(at + 1, middle);
    const url = this.#text.slice(middle + 2, end).trim();
    const inner = new Run(this.#source, label, `${this.#inside}link `).parse();
    this.#emit(at, { kind: "link", url: urlProgram(this.#source.nodes(url), "link"), css: null, inner });
    return end + 1;
  }

  #address(at: number): number | null {
    if (this.#inside.includes("link ") || !this.#text.startsWith("http", at)) return null;
    ADDRESS.lastIndex = at;
    const found = ADDRESS.exec(this.#text)?.[0].replace(/[.,;:!?)]{1,8}$/, "");
    if (found === undefined) return null;
    const nodes = this.#source.nodes(found);
    this.#emit(at, { kind: "link", url: urlProgram(nodes, "link"), css: null, inner: plainInline(nodes) });
    return at + found.length;
  }

  #emit(at: number, inline: Inline): void {
    this.#plain(at);
    this.#inlines.push(inline);
  }

  #plain(until: number): void {
    if (until <= this.#plainFrom) return;
    for (const inline of this.#source.plain(this.#text.slice(this.#plainFrom, until))) this.#inlines.push(inline);
  }
}
