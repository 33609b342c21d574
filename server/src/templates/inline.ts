import { unreachable } from "#domain/invariant.ts";
import { escapeAttribute, escapeText } from "./escape.ts";
import type { Frame } from "./frame.ts";
import { type Program, ProgramBuilder } from "./program.ts";
import { type Palette, linkAttributes } from "./palette.ts";
import type { BlockNode, TextNode, ValueNode } from "./syntax.ts";

/** A run of text with its decorations, whether it came from plain text, markdown or Elemental's text elements. */
export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | ValueNode
  | {
      readonly kind: "block";
      readonly node: BlockNode;
      readonly body: readonly Inline[];
      readonly otherwise: readonly Inline[];
    }
  | {
      readonly kind: "styled";
      readonly tag: "strong" | "em" | "s" | "u" | "code" | "span";
      readonly css: Program | null;
      /** Its colour is the author's and too dark for dark mode. */
      readonly dark?: boolean;
      readonly inner: readonly Inline[];
    }
  | { readonly kind: "link"; readonly url: Program; readonly css: Program | null; readonly inner: readonly Inline[] }
  | {
      readonly kind: "image";
      readonly src: Program;
      readonly alt: Program;
      readonly url: Program | null;
      readonly width: string;
    }
  | {
      readonly kind: "controlled";
      readonly control: (frame: Frame, once: () => void) => void;
      readonly inner: readonly Inline[];
    };

/** A template as it stands, without decorations. */
export function plainInline(nodes: readonly TextNode[]): Inline[] {
  return nodes.map((node) =>
    node.kind === "block"
      ? { kind: "block", node, body: plainInline(node.body), otherwise: plainInline(node.otherwise) }
      : node.kind === "literal"
        ? { kind: "text", text: node.text }
        : node,
  );
}

/** Compiles a run to HTML. */
export function inlineHtml(run: readonly Inline[], palette: Palette): Program {
  const builder = new ProgramBuilder();
  addHtml(builder, run, palette);
  return builder.build();
}

/** Compiles a run to plain text: decorations fall away, links keep their address. */
export function inlineText(run: readonly Inline[]): Program {
  const builder = new ProgramBuilder();
  addText(builder, run);
  return builder.build();
}

export function addHtml(builder: ProgramBuilder, run: readonly Inline[], palette: Palette): void {
  for (const inline of run) {
    switch (inline.kind) {
      case "text":
        builder.literal(escapeText(inline.text));
        break;
      case "value":
        builder.value(inline, "markup");
        break;
      case "block":
        builder.block(inline.node, inlineHtml(inline.body, palette), inlineHtml(inline.otherwise, palette));
        break;
      case "styled":
        builder.literal(inline.dark === true && palette === "page" ? `<${inline.tag} class="tx"` : `<${inline.tag}`);
        if (inline.css !== null) builder.literal(' style="').program(inline.css).literal('"');
        builder.literal(">");
        addHtml(builder, inline.inner, palette);
        builder.literal(`</${inline.tag}>`);
        break;
      case "link":
        addLinkHtml(builder, inline.url, inline.css, inlineHtml(inline.inner, palette), palette);
        break;
      case "image":
        builder.part(inlineImage(inline, palette));
        break;
      case "controlled":
        builder.part(controlledText(inline.control, inlineHtml(inline.inner, palette)));
        break;
      default:
        unreachable(inline);
    }
  }
}

function addLinkHtml(
  builder: ProgramBuilder,
  url: Program,
  css: Program | null,
  label: Program,
  palette: Palette,
): void {
  const attributes = linkAttributes(palette);
  if (url.constant !== null && url.constant !== "") {
    builder.literal(`<a href="${escapeAttribute(url.constant)}"${attributes.open}`);
    if (css !== null) builder.program(css);
    builder.literal(attributes.close).program(label).literal("</a>");
    return;
  }
  builder.part((frame) => {
    const href = url.run(frame);
    const text = label.run(frame);
    if (href === "") return text;
    return `<a href="${escapeAttribute(href)}"${attributes.open}${css?.run(frame) ?? ""}${attributes.close}${text}</a>`;
  });
}

function inlineImage(image: Inline & { kind: "image" }, palette: Palette): (frame: Frame) => string {
  const attributes = linkAttributes(palette);
  const style = `vertical-align:middle;max-width:100%;border:0${image.width === "" ? "" : `;width:${image.width}`}`;
  return (frame) => {
    const src = image.src.run(frame);
    if (src === "") return "";
    const picture = `<img src="${escapeAttribute(src)}" alt="${escapeAttribute(image.alt.run(frame))}" style="${style}">`;
    const href = image.url?.run(frame) ?? "";
    return href === ""
      ? picture
      : `<a href="${escapeAttribute(href)}"${attributes.open}${attributes.close}${picture}</a>`;
  };
}

export function addText(builder: ProgramBuilder, run: readonly Inline[]): void {
  for (const inline of run) {
    switch (inline.kind) {
      case "text":
        builder.literal(inline.text);
        break;
      case "value":
        builder.value(inline, "text");
        break;
      case "block":
        builder.block(inline.node, inlineText(inline.body), inlineText(inline.otherwise));
        break;
      case "styled":
        addText(builder, inline.inner);
        break;
      case "link": {
        const label = inlineText(inline.inner);
        const { url } = inline;
        builder.part((frame) => linkText(label.run(frame), url.run(frame)));
        break;
      }
      case "image":
        builder.program(inline.alt);
        break;
      case "controlled":
        builder.part(controlledText(inline.control, inlineText(inline.inner)));
        break;
      default:
        unreachable(inline);
    }
  }
}

/** `label (url)`; one of them where the other says nothing new. */
export function linkText(label: string, url: string): string {
  if (url === "" || label === url || `mailto:${label}` === url || `tel:${label}` === url) return label;
  return label === "" ? url : `${label} (${url})`;
}

function controlledText(control: (frame: Frame, once: () => void) => void, inner: Program): (frame: Frame) => string {
  return (frame) => {
    let text = "";
    control(frame, () => {
      text += inner.run(frame);
    });
    return text;
  };
}
