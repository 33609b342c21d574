import type { Json, JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { escapeAttribute, escapeText } from "./escape.ts";
import type { Frame } from "./frame.ts";
import { COLORS, FONT, NIGHT, type Palette, paletteOn } from "./palette.ts";
import { cssValue } from "./style.ts";
import { safeUrl } from "./url.ts";
import { follow } from "./value.ts";

/** The document around a mail's body. */
export type Shell = {
  readonly palette: Palette;
  readonly wrap: (body: string, title: string, frame: Frame, footer: boolean) => string;
};

/**
 * Prepares the document: a 600 px column of tables with inline styles (what old Outlooks read), a style sheet in the head
 * for what only newer clients know (dark mode, phones), nothing loaded from elsewhere.
 *
 * @param styles the document styles of an e-mail `channel` element
 */
export function compileShell(build: Build, styles: JsonObject, path: string): Shell {
  const style = (field: string, look: "color" | "length" | "lengths" | "ratio" | "family"): string => {
    const value = styles[field];
    if (value === undefined || value === null) return "";
    const css = typeof value === "string" || typeof value === "number" ? cssValue(look, String(value)) : "";
    if (css === "") build.fault(`${path}.${field}`, "is not a CSS value we can use");
    return css;
  };
  const page = style("background_color", "color");
  const card = style("content_body_color", "color");
  const palette: Palette = card === "" ? "page" : paletteOn(card);
  const look: Look = {
    page: page || "#f3f4f6",
    pageClass: page === "" ? ' class="pg"' : "",
    card: card || "#ffffff",
    cardClass: card === "" ? "cd" : "cp",
    text: COLORS[palette].text,
    muted: page === "" ? COLORS.page.muted : COLORS[paletteOn(page)].muted,
    mutedClass: page === "" ? ' class="mu"' : "",
    font: (style("font_family", "family") || FONT).replaceAll('"', "'"),
    size: style("font_size", "length") || "16px",
    height: style("line_height", "ratio") || "1.5",
    padding: style("padding", "lengths") || "32px 32px 16px",
  };
  const leftToRight = compilePage(look, "ltr");
  const rightToLeft = compilePage(look, "rtl");
  return {
    palette,
    wrap: (body, title, frame, footer) => {
      const lang = langOf(frame.locale);
      const parts = RIGHT_TO_LEFT.has(lang.split("-", 1)[0] ?? "") ? rightToLeft : leftToRight;
      const header = headerHtml(frame.scope.brand);
      const end = footer ? footerHtml(frame, look) : "";
      return `${parts.beforeLang}${lang}${parts.beforeTitle}${escapeText(title)}${parts.beforeHeader}${header}${parts.beforeBody}${body}${parts.afterBody}${end}${parts.end}`;
    },
  };
}

type Look = Readonly<
  Record<
    | "page"
    | "pageClass"
    | "card"
    | "cardClass"
    | "text"
    | "muted"
    | "mutedClass"
    | "font"
    | "size"
    | "height"
    | "padding",
    string
  >
>;
type Page = Readonly<
  Record<"beforeLang" | "beforeTitle" | "beforeHeader" | "beforeBody" | "afterBody" | "end", string>
>;

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(["ar", "fa", "he", "iw", "ur", "ps", "ckb", "dv", "yi"]);

/** BCP 47, or English if it is nothing of the kind: screen readers need some language to speak in. */
function langOf(locale: string | null): string {
  return locale !== null && /^[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}$/.test(locale) ? locale : "en";
}

const SHEET = `:root{color-scheme:light dark;supported-color-schemes:light dark}
body{-webkit-text-size-adjust:100%;-ms-text-size-adjust:100%;word-break:break-word}
@media (max-width:600px){.ou{padding:12px 8px!important}.cd,.cp{padding:24px 20px 8px!important}.co{display:block!important;width:auto!important;padding-left:0!important;padding-right:0!important}}
@media (prefers-color-scheme:dark){.pg{background-color:${NIGHT.page}!important}.cd{background-color:${NIGHT.card}!important;color:${NIGHT.text}!important}.tx{color:${NIGHT.text}!important}.mu{color:${NIGHT.muted}!important}.lk{color:${NIGHT.link}!important}.ln{border-color:${NIGHT.line}!important}}`;

function compilePage(look: Look, direction: "ltr" | "rtl"): Page {
  const align = direction === "ltr" ? "left" : "right";
  const table = 'role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"';
  return {
    beforeLang: '<!DOCTYPE html>\n<html lang="',
    beforeTitle: `" dir="${direction}">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width,initial-scale=1">\n<meta name="color-scheme" content="light dark">\n<meta name="supported-color-schemes" content="light dark">\n<meta name="format-detection" content="telephone=no,date=no,address=no">\n<title>`,
    beforeHeader: `</title>\n<style>\n${SHEET}\n</style>\n<!--[if mso]><style>table,td,p,h1,h2,h3,a,li{font-family:Arial,sans-serif!important}</style><![endif]-->\n</head>\n<body${look.pageClass} style="margin:0;padding:0;background-color:${look.page};">\n<table ${table}${look.pageClass} style="background-color:${look.page};"><tr><td class="ou" align="center" style="padding:24px 12px;">\n<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->\n<table ${table} style="max-width:600px;">\n`,
    beforeBody: `<tr><td class="${look.cardClass}" style="padding:${look.padding};border-radius:8px;background-color:${look.card};color:${look.text};font-family:${look.font};font-size:${look.size};line-height:${look.height};text-align:${align};">\n`,
    afterBody: "</td></tr>\n",
    end: "</table>\n<!--[if mso]></td></tr></table><![endif]-->\n</td></tr></table>\n</body>\n</html>\n",
  };
}

/** The brand's logo and bar above the body. */
function headerHtml(brand: JsonObject): string {
  const logo = textAt(brand, ["email", "header", "logo", "image"]);
  const bar = cssValue("color", textAt(brand, ["email", "header", "barColor"]));
  if (logo === "" && bar === "") return "";
  const line =
    bar === ""
      ? ""
      : `<tr><td style="height:4px;line-height:4px;font-size:0;background-color:${bar};">&nbsp;</td></tr>\n`;
  const src = safeUrl(logo, "picture");
  if (src === "") return line;
  const href = safeUrl(textAt(brand, ["email", "header", "logo", "href"]), "link");
  const picture = `<img src="${escapeAttribute(src)}" alt="" height="40" style="display:inline-block;height:40px;width:auto;max-width:100%;border:0;">`;
  const linked = href === "" ? picture : `<a href="${escapeAttribute(href)}">${picture}</a>`;
  return `${line}<tr><td align="center" style="padding:8px 0 20px;">${linked}</td></tr>\n`;
}

/** What stands below list mail: how not to get it again. */
function footerHtml(frame: Frame, look: Look): string {
  const words = footerLinks(frame);
  const note = brandNote(frame.scope.brand);
  if (words.length === 0 && note === "") return "";
  const links = words.map(
    ({ label, url }) =>
      `<a href="${escapeAttribute(url)}"${look.mutedClass} style="color:${look.muted};text-decoration:underline;">${label}</a>`,
  );
  const lines = [note === "" ? "" : escapeText(note), links.join(" &nbsp;·&nbsp; ")].filter((line) => line !== "");
  return `<tr><td align="center"${look.mutedClass} style="padding:20px 32px 8px;color:${look.muted};font-family:${look.font};font-size:13px;line-height:1.5;text-align:center;">${lines.join("<br>\n")}</td></tr>\n`;
}

/** The same, as plain text; "" when there is nothing to leave. */
export function footerText(frame: Frame): string {
  const note = brandNote(frame.scope.brand);
  const lines = footerLinks(frame).map(({ label, url }) => `${label}: ${url}`);
  const all = [...(note === "" ? [] : [note]), ...lines];
  return all.length === 0 ? "" : `\n\n-- \n${all.join("\n")}`;
}

function footerLinks(frame: Frame): readonly { readonly label: string; readonly url: string }[] {
  const { unsubscribeUrl, preferencesUrl } = frame.scope.builtins;
  const links = [
    { label: "Unsubscribe", url: safeUrl(unsubscribeUrl ?? "", "link") },
    { label: "Preferences", url: safeUrl(preferencesUrl ?? "", "link") },
  ];
  // Preferences alone are no reason for a footer: a login code needs none.
  return unsubscribeUrl === null ? [] : links.filter(({ url }) => url !== "");
}

function brandNote(brand: JsonObject): string {
  const footer = ["email", "footer"] as const;
  return (textAt(brand, [...footer, "content"]) || textAt(brand, [...footer, "markdown"])).trim();
}

function textAt(brand: JsonObject, keys: readonly string[]): string {
  const value: Json | undefined = follow(brand, keys, 0);
  return typeof value === "string" ? value : "";
}
