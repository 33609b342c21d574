import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { escapeAttribute, escapeText, oneLine } from "./escape.ts";
import type { Frame } from "./frame.ts";
import { inlineText, plainInline } from "./inline.ts";
import { type Draw, say } from "./out.ts";
import { COLORS, classOf, FONT, lightnessOf, type Palette } from "./palette.ts";
import { ALIGNMENTS, alignmentOf, borderOf, cssProgram, cssValue } from "./style.ts";
import { urlProgram } from "./url-program.ts";
import { follow } from "./value.ts";

/** A button or a link that asks to be pressed. */
export function drawAction(build: Build, element: JsonObject, path: string, palette: Palette): Draw {
  const label = inlineText(plainInline(build.text(element["content"], `${path}.content`)));
  const url = urlProgram(build.text(element["href"], `${path}.href`), "link");
  const html = element["style"] === "link" ? linkHtml(element, palette) : buttonHtml(build, element, path);
  return (out, frame) => {
    const words = oneLine(label.run(frame));
    const href = url.run(frame);
    if (words === "" && href === "") return;
    if (href !== "") out.actions.push({ label: words, url: href });
    if (out.mail) out.html += html(words || href, href, frame);
    const whole = href === "" ? words : words === "" ? href : `${words}: ${href}`;
    say(out, "action", words, out.actionsInText ? whole : "");
  };
}

type ActionHtml = (words: string, href: string, frame: Frame) => string;

function linkHtml(element: JsonObject, palette: Palette): ActionHtml {
  const alignment = alignmentOf(element["align"]) ?? "left";
  const { link } = COLORS[palette];
  return (words, href) => {
    const inner =
      href === ""
        ? escapeText(words)
        : `<a href="${escapeAttribute(href)}"${classOf(palette, "lk")} style="color:${link};font-weight:600;">${escapeText(words)}</a>`;
    return `<p style="margin:0 0 16px;text-align:${ALIGNMENTS[alignment]};">${inner}</p>\n`;
  };
}

/** Used when neither the element nor the brand says which. */
const BUTTON_COLOR = "#2563eb";

/** A table around the link: clients that drop padding from links (Outlook for Windows) still show a button. */
function buttonHtml(build: Build, element: JsonObject, path: string): ActionHtml {
  const alignment = alignmentOf(element["align"]) ?? "center";
  const full = alignment === "full";
  const ground = cssProgram(build, "color", element["background_color"], `${path}.background_color`);
  const ink = cssProgram(build, "color", element["color"], `${path}.color`);
  const radius = cssValue("length", String(element["border_radius"] ?? "6")) || "6px";
  const padding = cssValue("lengths", String(element["padding"] ?? "")) || "12px 24px";
  const size = cssValue("length", String(element["font_size"] ?? "")) || "16px";
  const border = borderOf(build, { ...element, border_radius: null }, path);
  const place = alignment === "full" ? "center" : alignment;
  return (words, href, frame) => {
    const back = ground.run(frame) || brandColor(frame);
    const front = ink.run(frame) || ((lightnessOf(back) ?? 0) > 0.6 ? "#111827" : "#ffffff");
    const css = `display:${full ? "block" : "inline-block"};padding:${padding};border-radius:${radius};background-color:${back};color:${front};font-family:${FONT};font-size:${size};font-weight:600;line-height:1.25;text-align:center;text-decoration:none;${border.run(frame)}`;
    const inner =
      href === ""
        ? `<span style="${css}">${escapeText(words)}</span>`
        : `<a href="${escapeAttribute(href)}" target="_blank" style="${css}">${escapeText(words)}</a>`;
    return (
      `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:8px 0 24px;"><tr><td align="${place}">` +
      `<table role="presentation" cellpadding="0" cellspacing="0" border="0"${full ? ' width="100%"' : ""}><tr>` +
      `<td align="center" bgcolor="${back}" style="border-radius:${radius};background-color:${back};">${inner}</td></tr></table></td></tr></table>\n`
    );
  };
}

function brandColor(frame: Frame): string {
  const primary = follow(frame.scope.brand, ["colors", "primary"], 0);
  return (typeof primary === "string" ? cssValue("color", primary) : "") || BUTTON_COLOR;
}
