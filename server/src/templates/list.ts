import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { type Control, compileControl, localeVariants, localized } from "./control.ts";
import { tidyText } from "./escape.ts";
import type { Frame } from "./frame.ts";
import { inlineHtml, inlineText } from "./inline.ts";
import { drawSaid, ITEM_CSS, LIST_CSS } from "./paragraph.ts";
import { LIST_DEPTH_MAX } from "./limits.ts";
import type { Draw } from "./out.ts";
import { COLORS, type Palette } from "./palette.ts";
import { NOTHING, type Program, ProgramBuilder } from "./program.ts";
import { richChild, richOf, type Said } from "./rich.ts";
import { paletteIn, styleOf } from "./style.ts";

/** Ordered and unordered lists, nested up to Courier's limit. One block of text, however deep. */
export function drawList(build: Build, element: JsonObject, path: string, palette: Palette): Draw {
  return drawSaid("list", sayList(build, element, path, palette, 1), NOTHING, "", "text");
}

type Item = { readonly control: Control | null; readonly choose: (frame: Frame) => Said };

function sayList(build: Build, element: JsonObject, path: string, palette: Palette, depth: number): Said {
  const ordered = element["list_type"] === "ordered";
  if (depth > LIST_DEPTH_MAX) {
    build.fault(path, `lists are nested deeper than ${LIST_DEPTH_MAX}`);
    return EMPTY;
  }
  const items = build.objects(element["elements"], `${path}.elements`).flatMap((item, at) => {
    const itemPath = `${path}.elements[${at}]`;
    if (!build.countElement(itemPath)) return [];
    if (item["type"] !== "list-item") {
      build.fault(`${itemPath}.type`, `a list holds list-item elements, not "${String(item["type"])}"`);
      return [];
    }
    return [compileItem(build, item, itemPath, palette, depth)];
  });
  const tag = ordered ? "ol" : "ul";
  const css = new ProgramBuilder()
    .literal(depth === 1 ? LIST_CSS : "margin:6px 0 0;padding:0 0 0 24px;")
    .program(styleOf(build, element, path, LIST_FIELDS))
    .build();
  const open = new ProgramBuilder().literal(`<${tag} style="`).program(css).literal('">\n').build();
  return {
    html: { constant: null, run: (frame) => listHtml(items, open, tag, frame) },
    text: { constant: null, run: (frame) => listText(items, ordered, frame) },
  };
}

const LIST_FIELDS = [
  ["padding", "lengths", "padding"],
  ["font_size", "length", "font-size"],
  ["line_height", "ratio", "line-height"],
] as const;

function compileItem(build: Build, item: JsonObject, path: string, palette: Palette, depth: number): Item {
  const said = sayItem(build, item, path, palette, depth);
  const variants = localeVariants(build, item, path, ["content", "elements"]);
  const all = new Map(variants.map((each) => [each.locale, sayItem(build, each.element, each.path, palette, depth)]));
  return { control: compileControl(build, item, path), choose: localized(all, said) };
}

/** Words first, then the lists below them. */
function sayItem(build: Build, item: JsonObject, path: string, outside: Palette, depth: number): Said {
  const palette = paletteIn(item, outside);
  const html = new ProgramBuilder();
  const text = new ProgramBuilder();
  const css = styleOf(build, item, path, [["background_color", "color", "background-color"]]);
  html
    .literal(`<li style="${ITEM_CSS}${palette === outside ? "" : `color:${COLORS[palette].text};`}`)
    .program(css)
    .literal('">');
  if (item["content"] !== undefined || item["elements"] === undefined) {
    const run = richOf(build, item, path);
    html.program(inlineHtml(run, palette));
    text.program(inlineText(run));
  } else {
    for (const [at, child] of build.objects(item["elements"], `${path}.elements`).entries()) {
      const said = sayChild(build, child, `${path}.elements[${at}]`, palette, depth);
      html.program(said.html);
      text.literal(child["type"] === "list" ? "\n" : "").program(said.text);
    }
  }
  html.literal("</li>\n");
  return { html: html.build(), text: text.build() };
}

function sayChild(build: Build, child: JsonObject, path: string, palette: Palette, depth: number): Said {
  if (child["type"] === "list") {
    return build.countElement(path) ? sayList(build, child, path, palette, depth + 1) : EMPTY;
  }
  // A text in an item is its line, not a paragraph.
  const run = child["type"] === "text" ? richOf(build, child, path) : richChild(build, child, path);
  return { html: inlineHtml(run, palette), text: inlineText(run) };
}

const EMPTY: Said = { html: NOTHING, text: NOTHING };

function listHtml(items: readonly Item[], open: Program, tag: string, frame: Frame): string {
  let html = "";
  for (const item of items) {
    eachTime(item, frame, (said) => {
      html += said.html.run(frame);
    });
  }
  return html === "" ? "" : `${open.run(frame)}${html}</${tag}>\n`;
}

function listText(items: readonly Item[], ordered: boolean, frame: Frame): string {
  let text = "";
  let number = 0;
  for (const item of items) {
    eachTime(item, frame, (said) => {
      number += 1;
      const mark = ordered ? `${number}. ` : "- ";
      text += `${mark}${tidyText(said.text.run(frame)).replaceAll("\n", `\n${" ".repeat(mark.length)}`)}\n`;
    });
  }
  return text.trimEnd();
}

function eachTime(item: Item, frame: Frame, once: (said: Said) => void): void {
  if (item.control === null) once(item.choose(frame));
  else item.control(frame, () => once(item.choose(frame)));
}
