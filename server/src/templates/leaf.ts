import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { escapeAttribute, oneLine, tidyText } from "./escape.ts";
import type { Frame } from "./frame.ts";
import { htmlText } from "./html-text.ts";
import { inlineText, plainInline } from "./inline.ts";
import { type Draw, type Out, say } from "./out.ts";
import { COLORS, classOf, type Palette } from "./palette.ts";
import { RULE_TEXT } from "./paragraph.ts";
import { ProgramBuilder } from "./program.ts";
import { rawHtml } from "./raw-html.ts";
import { ALIGNMENTS, alignmentOf, borderOf, cssProgram, cssValue, declaration } from "./style.ts";
import { urlProgram } from "./url-program.ts";

/** The subject, push title or inbox title. The first that is drawn wins. */
export function drawMeta(build: Build, element: JsonObject, path: string): Draw {
  const title = inlineText(plainInline(build.text(element["title"], `${path}.title`)));
  return (out, frame) => {
    if (out.title !== null) return;
    const text = oneLine(title.run(frame));
    if (text !== "") out.title = text;
  };
}

/** A rule between two parts. */
export function drawDivider(build: Build, element: JsonObject, path: string, palette: Palette): Draw {
  const color = element["color"] ?? element["border_color"];
  const css = new ProgramBuilder()
    .literal(`margin:24px 0;border:0;border-top:1px solid ${COLORS[palette].line};`)
    .program(declaration("border-top-color", cssProgram(build, "color", color, `${path}.color`)))
    .program(
      declaration("border-top-width", cssProgram(build, "length", element["border_width"], `${path}.border_width`)),
    )
    .program(declaration("margin", cssProgram(build, "lengths", element["padding"], `${path}.padding`)))
    .build();
  const html = new ProgramBuilder()
    .literal(`<hr${color === undefined ? classOf(palette, "ln") : ""} style="`)
    .program(css)
    .literal('">\n')
    .build();
  return (out, frame) => {
    if (!out.mail) return;
    out.html += html.run(frame);
    say(out, "divider", "", RULE_TEXT);
  };
}

export function drawImage(build: Build, element: JsonObject, path: string): Draw {
  const src = urlProgram(build.text(element["src"], `${path}.src`), "picture");
  const url = urlProgram(build.text(element["href"], `${path}.href`), "link");
  const alt = inlineText(plainInline(build.text(element["alt_text"] ?? element["altText"], `${path}.alt_text`)));
  const alignment = alignmentOf(element["align"]) ?? "center";
  const width = cssValue("length", String(element["width"] ?? ""));
  const css = new ProgramBuilder()
    .literal(
      `display:inline-block;max-width:100%;height:auto;vertical-align:bottom;border:0;${width === "" ? "" : `width:${width};`}`,
    )
    .program(borderOf(build, element, path))
    .build();
  // Outlook for Windows reads the attribute, not the style.
  const attribute = /^\d+px$/.test(width) ? ` width="${width.slice(0, -2)}"` : "";
  if (element["src"] === undefined) build.fault(`${path}.src`, "an image needs a src");
  return (out, frame) => {
    if (!out.mail) return;
    const source = src.run(frame);
    if (source === "") return;
    const href = url.run(frame);
    const words = oneLine(alt.run(frame));
    const picture = `<img src="${escapeAttribute(source)}" alt="${escapeAttribute(words)}"${attribute} style="${css.run(frame)}">`;
    const linked = href === "" ? picture : `<a href="${escapeAttribute(href)}">${picture}</a>`;
    out.html += `<div style="margin:0 0 16px;text-align:${ALIGNMENTS[alignment]};">${linked}</div>\n`;
    const named = words === "" ? "" : `[${words}]`;
    say(out, "image", words, href === "" ? named : `${named} ${href}`.trim());
  };
}

/** The author's own HTML: mail only. */
export function drawHtml(build: Build, element: JsonObject, path: string): Draw {
  const nodes = build.text(element["content"], `${path}.content`);
  const html = rawHtml(nodes);
  const text = htmlText(nodes);
  return (out: Out, frame: Frame) => {
    if (!out.mail) return;
    const turnsLeft = frame.turnsLeft;
    out.html += `${html.run(frame)}\n`;
    frame.turnsLeft = turnsLeft;
    say(out, "html", tidyText(text.run(frame)));
  };
}
