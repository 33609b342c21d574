import { inlineText, linkText } from "./inline.ts";
import { type Program, ProgramBuilder } from "./program.ts";
import type { TextNode, ValueNode } from "./syntax.ts";
import { urlProgram } from "./url-program.ts";

/** Compiles an author's HTML to plain text: tags fall away, blocks become lines, links keep their address. */
export function htmlText(nodes: readonly TextNode[]): Program {
  const builder = new ProgramBuilder();
  const marked = nodes
    .map((node, at) => (node.kind === "literal" ? node.text.replaceAll(MARK, "") : `${MARK}${at};`))
    .join("");
  new Reader(nodes, builder).read(marked);
  return builder.build();
}

/** Stands, with a number and a semicolon, for what is no literal. */
const MARK = "\u0001";
const LINE_TAGS = /^\/?(?:p|div|tr|table|ul|ol|h[1-6]|section|header|footer|article|blockquote|hr|pre|address)$/;
const SILENT_TAGS = /^(?:style|script|head|title|noscript)$/;
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ndash: "–",
  mdash: "—",
  copy: "©",
  euro: "€",
  hellip: "…",
};

class Reader {
  readonly #nodes: readonly TextNode[];
  readonly #builder: ProgramBuilder;
  #link: { readonly url: Program; readonly label: ProgramBuilder } | null = null;

  constructor(nodes: readonly TextNode[], builder: ProgramBuilder) {
    this.#nodes = nodes;
    this.#builder = builder;
  }

  read(html: string): void {
    const lower = html.toLowerCase();
    let from = 0;
    for (;;) {
      const open = html.indexOf("<", from);
      const end =
        open < 0 ? -1 : html.startsWith("<!--", open) ? html.indexOf("-->", open) + 2 : html.indexOf(">", open);
      if (end < open || open < 0) break;
      this.#text(html.slice(from, open));
      from = end + 1;
      const inside = html.slice(open + 1, end);
      const name = /^\/?[a-z][a-z0-9]*/i.exec(inside)?.[0].toLowerCase() ?? "";
      if (SILENT_TAGS.test(name)) {
        const close = lower.indexOf(`</${name}`, from);
        from = close < 0 ? html.length : close;
      } else this.#tag(name, inside);
    }
    this.#text(html.slice(from));
    this.#closeLink();
  }

  #tag(name: string, inside: string): void {
    if (name === "br") this.#target().literal("\n");
    else if (name === "li") this.#target().literal("\n- ");
    else if (name === "td" || name === "th") this.#target().literal(" ");
    else if (name === "a") {
      this.#closeLink();
      const href = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(inside);
      const nodes = this.#split(decode(href?.[1] ?? href?.[2] ?? href?.[3] ?? ""));
      this.#link = { url: urlProgram(nodes, "link"), label: new ProgramBuilder() };
    } else if (name === "/a") this.#closeLink();
    else if (LINE_TAGS.test(name)) this.#target().literal(name === "/p" || /^\/h\d/.test(name) ? "\n\n" : "\n");
  }

  #target(): ProgramBuilder {
    return this.#link?.label ?? this.#builder;
  }

  #closeLink(): void {
    if (this.#link === null) return;
    const { url, label } = this.#link;
    const text = label.build();
    this.#builder.part((frame) => linkText(text.run(frame), url.run(frame)));
    this.#link = null;
  }

  #text(html: string): void {
    for (const node of this.#split(html)) {
      if (node.kind === "literal") this.#target().literal(decode(node.text.replace(/\s+/g, " ")));
      else if (node.kind === "value") this.#target().program(inlineText([node satisfies ValueNode]));
      else this.#target().block(node, htmlText(node.body), htmlText(node.otherwise));
    }
  }

  #split(html: string): TextNode[] {
    const nodes: TextNode[] = [];
    for (const [at, piece] of html.split(MARK).entries()) {
      const semicolon = at === 0 ? -1 : piece.indexOf(";");
      const node = this.#nodes[Number(piece.slice(0, Math.max(0, semicolon)))];
      if (semicolon > 0 && node !== undefined) nodes.push(node);
      const rest = piece.slice(semicolon + 1);
      if (rest !== "") nodes.push({ kind: "literal", text: rest });
    }
    return nodes;
  }
}

function decode(html: string): string {
  return html.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, (all, decimal, hex, name) => {
    const code = decimal === undefined ? Number.parseInt(String(hex ?? ""), 16) : Number(decimal);
    if (Number.isFinite(code)) return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code).toWellFormed() : "";
    return ENTITIES[String(name).toLowerCase()] ?? all;
  });
}
