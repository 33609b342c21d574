import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { compileControl, localeVariants, localized } from "./control.ts";
import { type Inline, inlineHtml, inlineText, plainInline } from "./inline.ts";
import type { Palette } from "./palette.ts";
import { type Program, ProgramBuilder } from "./program.ts";
import { urlProgram } from "./url-program.ts";
import { styleOf, switches, cssValue, needsNight } from "./style.ts";

/** Compiles an element's words: `content`, or else `elements` of strings, links and pictures. */
export function richOf(build: Build, element: JsonObject, path: string): Inline[] {
  if (element["elements"] !== undefined && element["content"] === undefined) {
    const children = build.objects(element["elements"], `${path}.elements`);
    return children.flatMap((child, at) => richChild(build, child, `${path}.elements[${at}]`));
  }
  return plainInline(build.text(element["content"], `${path}.content`));
}

export function richChild(build: Build, child: JsonObject, path: string): Inline[] {
  if (!build.countElement(path)) return [];
  const said = localizedInline(build, child, path);
  const control = compileControl(build, child, path);
  return control === null ? said : [{ kind: "controlled", control, inner: said }];
}

function localizedInline(build: Build, child: JsonObject, path: string): Inline[] {
  const said = inlineOf(build, child, path);
  const variants = localeVariants(build, child, path, ["content", "href", "src"]);
  if (variants.length === 0) return said;
  const all = new Map(variants.map((each) => [each.locale, inlineOf(build, each.element, each.path)]));
  // One `{{#if}}` per variant would do; a choice by control keeps HTML and text in one place.
  const choose = localized(all, said);
  return [...new Set([...all.values(), said])].map((inner) => ({
    kind: "controlled",
    control: (frame, once) => {
      if (choose(frame) === inner) once();
    },
    inner,
  }));
}

function inlineOf(build: Build, child: JsonObject, path: string): Inline[] {
  switch (child["type"]) {
    case "string":
      return decorated(build, child, path, plainInline(build.text(child["content"], `${path}.content`)));
    case "link": {
      const inner = plainInline(build.text(child["content"], `${path}.content`));
      const url = urlProgram(build.text(child["href"], `${path}.href`), "link");
      return [{ kind: "link", url, css: runStyle(build, child, path), inner }];
    }
    case "img":
      return [
        {
          kind: "image",
          src: urlProgram(build.text(child["src"], `${path}.src`), "picture"),
          alt: inlineText(plainInline(build.text(child["alt_text"] ?? child["altText"], `${path}.alt_text`))),
          url: child["href"] === undefined ? null : urlProgram(build.text(child["href"], `${path}.href`), "link"),
          width: cssValue("length", String(child["width"] ?? "")),
        },
      ];
    default:
      build.fault(`${path}.type`, `"${String(child["type"])}" cannot stand inside a text; use string, link or img`);
      return [];
  }
}

function runStyle(build: Build, child: JsonObject, path: string): Program | null {
  const css = new ProgramBuilder()
    .literal(switches(child))
    .program(
      styleOf(build, child, path, [
        ["color", "color", "color"],
        ["highlight", "color", "background-color"],
        ["font_size", "length", "font-size"],
      ]),
    )
    .build();
  return css.constant === "" ? null : css;
}

function decorated(build: Build, child: JsonObject, path: string, inner: Inline[]): Inline[] {
  const css = runStyle(build, child, path);
  // On a highlight of their own, dark letters stay readable.
  const dark = child["highlight"] === undefined && child["color"] !== undefined && needsNight(child["color"], "page");
  return css === null ? inner : [{ kind: "styled", tag: "span", css, dark, inner }];
}

/** HTML and text of a run, compiled side by side. */
export type Said = { readonly html: Program; readonly text: Program };

export function sayInline(run: readonly Inline[], palette: Palette): Said {
  return { html: inlineHtml(run, palette), text: inlineText(run) };
}
