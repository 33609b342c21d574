import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { tidyText } from "./escape.ts";
import { inlineHtml, inlineText } from "./inline.ts";
import { type MarkdownBlock, parseMarkdown } from "./markdown.ts";
import { type Draw, say } from "./out.ts";
import { COLORS, classOf, type Palette } from "./palette.ts";
import { NOTHING, type Program, ProgramBuilder } from "./program.ts";
import { richOf, type Said, sayInline } from "./rich.ts";
import { ALIGNMENTS, alignmentOf, borderOf, needsNight, paletteIn, styleOf, switches } from "./style.ts";

/** Paragraphs and headings. */
export function drawText(build: Build, element: JsonObject, path: string, outside: Palette): Draw {
  const palette = paletteIn(element, outside);
  const style = textStyleOf(build, element, path);
  const open = openText(build, element, path, style, palette, outside);
  const { tag } = TEXT_STYLES[style];
  if (element["format"] === "markdown" && element["content"] !== undefined) {
    const blocks = parseMarkdown(build.text(element["content"], `${path}.content`));
    const [only] = blocks;
    if (blocks.length !== 1 || only?.kind !== "paragraph") return drawMarkdown(blocks, open, palette);
    return drawSaid("text", sayInline(only.inner, palette), open(tag), `</${tag}>`, style);
  }
  return drawSaid("text", sayInline(richOf(build, element, path), palette), open(tag), `</${tag}>`, style);
}

export function drawQuote(build: Build, element: JsonObject, path: string, outside: Palette): Draw {
  const palette = paletteIn(element, outside);
  const alignment = alignmentOf(element["align"]);
  const style = textStyleOf(build, element, path);
  const border = element["border_color"] ?? element["borderColor"];
  const { muted, line } = COLORS[palette];
  const ground = element["background_color"] === undefined ? "" : "padding:12px 16px;";
  const sized = style === "text" ? "" : TEXT_STYLES[style].css.replace(/^margin:[^;]*;/, "");
  const css = new ProgramBuilder()
    .literal(`margin:0 0 16px;padding:4px 0 4px 16px;border-left:3px solid ${line};color:${muted};${ground}${sized}`)
    .literal(alignment === null ? "" : `text-align:${ALIGNMENTS[alignment]};`)
    .program(styleOf(build, element, path, QUOTE_FIELDS))
    .build();
  const open = new ProgramBuilder()
    .literal(`<blockquote${classOf(palette, border === undefined ? "mu ln" : "mu")} style="`)
    .program(css)
    .literal('">')
    .build();
  const said = sayInline(richOf(build, element, path), palette);
  const text: Program = { constant: null, run: (frame) => quoted(tidyText(said.text.run(frame))) };
  return drawSaid("quote", { html: said.html, text }, open, "</blockquote>", "text");
}

const QUOTE_FIELDS = [
  ["border_color", "color", "border-left-color"],
  ["borderColor", "color", "border-left-color"],
  ["background_color", "color", "background-color"],
  ["font_size", "length", "font-size"],
  ["line_height", "ratio", "line-height"],
] as const;

/** A leaf whose words stand between an opening and a closing tag; without words there is no tag either. */
export function drawSaid(type: string, said: Said, open: Program, close: string, style: TextStyle): Draw {
  return (out, frame) => {
    const turnsLeft = frame.turnsLeft;
    if (out.mail) {
      const html = said.html.run(frame);
      if (html !== "") out.html += `${open.run(frame)}${html}${close}\n`;
      // The text repeats the turns that the HTML has paid for.
      frame.turnsLeft = turnsLeft;
    }
    const text = tidyText(said.text.run(frame));
    say(out, type, text, out.mail ? underlined(text, style) : text);
  };
}

export const TEXT_STYLES = {
  text: { tag: "p", css: "margin:0 0 16px;" },
  h1: { tag: "h1", css: "margin:0 0 16px;font-size:26px;line-height:1.25;font-weight:700;" },
  h2: { tag: "h2", css: "margin:8px 0 12px;font-size:20px;line-height:1.3;font-weight:700;" },
  h3: { tag: "h3", css: "margin:4px 0 8px;font-size:17px;line-height:1.4;font-weight:700;" },
  subtext: { tag: "p", css: "margin:0 0 16px;font-size:13px;line-height:1.5;" },
} as const;
export type TextStyle = keyof typeof TEXT_STYLES;

export function textStyleOf(build: Build, element: JsonObject, path: string): TextStyle {
  const style = element["text_style"];
  if (style === undefined || style === null) return "text";
  if (typeof style === "string" && Object.hasOwn(TEXT_STYLES, style)) return style as TextStyle; // just checked
  build.fault(`${path}.text_style`, `is one of ${Object.keys(TEXT_STYLES).join(", ")}`);
  return "text";
}

type Open = (tag: string) => Program;

function openText(
  build: Build,
  element: JsonObject,
  path: string,
  style: TextStyle,
  palette: Palette,
  outside: Palette,
): Open {
  const alignment = alignmentOf(element["align"]);
  const ownColor = element["color"] !== undefined;
  const ownGround = palette !== outside || element["background_color"] !== undefined;
  const css = new ProgramBuilder().literal(TEXT_STYLES[style].css);
  if (alignment !== null) css.literal(`text-align:${ALIGNMENTS[alignment]};`);
  if (style === "subtext" && !ownColor) css.literal(`color:${COLORS[palette].muted};`);
  else if (ownGround && !ownColor) css.literal(`color:${COLORS[palette].text};`);
  css
    .literal(switches(element))
    .program(styleOf(build, element, path, TEXT_FIELDS))
    .program(borderOf(build, element, path));
  if (ownGround && element["padding"] === undefined) css.literal("padding:12px 16px;border-radius:6px;");
  const night = ownColor ? needsNight(element["color"], palette) : false;
  const className = night ? ' class="tx"' : style === "subtext" && !ownColor ? classOf(palette, "mu") : "";
  const declarations = css.build();
  return (tag) =>
    new ProgramBuilder().literal(`<${tag}${className} style="`).program(declarations).literal('">').build();
}

const TEXT_FIELDS = [
  ["color", "color", "color"],
  ["background_color", "color", "background-color"],
  ["padding", "lengths", "padding"],
  ["font_size", "length", "font-size"],
  ["line_height", "ratio", "line-height"],
] as const;

/** Headings in the mail's plain text stand on a line. */
function underlined(text: string, style: TextStyle): string {
  if (text === "" || (style !== "h1" && style !== "h2")) return text;
  const lengthMax = text.split("\n").reduce((longest, line) => Math.max(longest, line.length), 0);
  return `${text}\n${(style === "h1" ? "=" : "-").repeat(Math.min(lengthMax, 60))}`;
}

function drawMarkdown(blocks: readonly MarkdownBlock[], open: Open, palette: Palette): Draw {
  const html = markdownHtml(blocks, open("p"), palette);
  const text = markdownText(blocks, "\n\n");
  return drawSaid("text", { html, text }, NOTHING, "", "text");
}

function markdownHtml(blocks: readonly MarkdownBlock[], paragraph: Program, palette: Palette): Program {
  const builder = new ProgramBuilder();
  for (const block of blocks) {
    switch (block.kind) {
      case "paragraph":
        builder.program(paragraph).program(inlineHtml(block.inner, palette)).literal("</p>\n");
        break;
      case "quote":
        builder.literal(quoteOpen(palette)).program(inlineHtml(block.inner, palette)).literal("</blockquote>\n");
        break;
      case "heading": {
        const { tag, css } = TEXT_STYLES[`h${block.level}`];
        builder.literal(`<${tag} style="${css}">`).program(inlineHtml(block.inner, palette)).literal(`</${tag}>\n`);
        break;
      }
      case "list": {
        const tag = block.ordered ? "ol" : "ul";
        builder.literal(`<${tag} style="${LIST_CSS}">\n`);
        for (const item of block.items)
          builder.literal(`<li style="${ITEM_CSS}">`).program(inlineHtml(item, palette)).literal("</li>\n");
        builder.literal(`</${tag}>\n`);
        break;
      }
      case "rule":
        builder.literal(ruleHtml(palette));
        break;
      case "control":
        builder.block(
          block.node,
          markdownHtml(block.body, paragraph, palette),
          markdownHtml(block.otherwise, paragraph, palette),
        );
        break;
    }
  }
  return builder.build();
}

/** Blocks are set apart by an empty line; where a loop repeats list items, they stand close together. */
function markdownText(blocks: readonly MarkdownBlock[], between: string): Program {
  const builder = new ProgramBuilder();
  for (const block of blocks) {
    switch (block.kind) {
      case "paragraph":
      case "heading":
        builder.program(inlineText(block.inner));
        break;
      case "quote": {
        const inner = inlineText(block.inner);
        builder.part((frame) => quoted(inner.run(frame)));
        break;
      }
      case "list":
        for (const [at, item] of block.items.entries()) {
          if (at > 0) builder.literal("\n");
          builder.literal(block.ordered ? `${at + 1}. ` : "- ").program(inlineText(item));
        }
        break;
      case "rule":
        builder.literal(RULE_TEXT);
        break;
      case "control": {
        const tight = block.body.every((inner) => inner.kind === "list") ? "\n" : "\n\n";
        builder.block(block.node, markdownText(block.body, tight), markdownText(block.otherwise, tight));
        break;
      }
    }
    builder.literal(between);
  }
  return builder.build();
}

export const LIST_CSS = "margin:0 0 16px;padding:0 0 0 24px;";
export const ITEM_CSS = "margin:0 0 6px;";
export const RULE_TEXT = "-".repeat(32);

function quoteOpen(palette: Palette): string {
  const { muted, line } = COLORS[palette];
  return `<blockquote${classOf(palette, "mu ln")} style="margin:0 0 16px;padding:4px 0 4px 16px;border-left:3px solid ${line};color:${muted};">`;
}

function ruleHtml(palette: Palette): string {
  return `<hr${classOf(palette, "ln")} style="margin:24px 0;border:0;border-top:1px solid ${COLORS[palette].line};">\n`;
}

/** `> ` before each line. */
export function quoted(text: string): string {
  return text === "" ? "" : `> ${text.trim().replaceAll("\n", "\n> ")}`;
}
