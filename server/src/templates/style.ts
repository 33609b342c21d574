import type { Json, JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { COLORS, lightnessOf, type Palette, paletteOn } from "./palette.ts";
import { NOTHING, type Program, ProgramBuilder } from "./program.ts";

/** What kinds of CSS values authors may give. Anything that does not look like one is left out, never passed on. */
const LOOKS = {
  color: /^(?:#[0-9a-f]{3,8}|[a-z]{3,30}|(?:rgb|hsl)a?\([\d\s.,%/]{1,60}\))$/i,
  length: /^(?:\d{1,4}(?:\.\d{1,4})?(?:px|em|rem|%|pt)?)$/,
  lengths: /^(?:\d{1,4}(?:\.\d{1,4})?(?:px|em|rem|%|pt)?(?: |$)){1,4}$/,
  ratio: /^\d{1,3}(?:\.\d{1,4})?(?:px|em|rem|%|pt)?$/,
  family: /^[\p{L}\p{N}\s,'-]{1,200}$/u,
} as const;
export type Look = keyof typeof LOOKS;

/** The value as CSS, "" when it is none. Bare numbers are pixels (of a line height: a factor). */
export function cssValue(look: Look, source: string): string {
  const value = source.trim().replaceAll('"', "'");
  if (!LOOKS[look].test(value)) return "";
  if (look === "length" || look === "lengths") return value.replace(/(^| )(\d+(?:\.\d+)?)(?= |$)/g, "$1$2px");
  return value;
}

/** A value that may hold variables (`{brand.colors.primary}`): checked now if fixed, when rendered if not. */
export function cssProgram(build: Build, look: Look, value: Json | undefined, path: string): Program {
  const nodes = build.text(value, path);
  const builder = new ProgramBuilder();
  for (const node of nodes) {
    if (node.kind === "literal") builder.literal(node.text);
    else if (node.kind === "value") builder.value(node, "text");
    else build.fault(path, "a style cannot hold {{#…}} blocks");
  }
  const built = builder.build();
  if (built.constant === null) return { constant: null, run: (frame) => cssValue(look, built.run(frame)) };
  const fixed = cssValue(look, built.constant);
  return { constant: fixed, run: () => fixed };
}

/** `name:value;`, or nothing when the element has no such value. */
export function declaration(name: string, value: Program): Program {
  if (value.constant !== null) {
    return value.constant === "" ? NOTHING : fixed(`${name}:${value.constant};`);
  }
  return {
    constant: null,
    run: (frame) => {
      const text = value.run(frame);
      return text === "" ? "" : `${name}:${text};`;
    },
  };
}

function fixed(text: string): Program {
  return { constant: text, run: () => text };
}

/** One field of an element, as a declaration. Aliases are for the spellings of older versions. */
export function styleOf(
  build: Build,
  element: JsonObject,
  path: string,
  fields: readonly (readonly [field: string, look: Look, css: string])[],
): Program {
  const builder = new ProgramBuilder();
  for (const [field, look, css] of fields) {
    const value = element[field];
    if (value !== undefined) builder.program(declaration(css, cssProgram(build, look, value, `${path}.${field}`)));
  }
  return builder.build();
}

/** Bold, italic and the like: true, and the older "true". */
export function isOn(value: Json | undefined): boolean {
  return value === true || value === "true";
}

/** `text-decoration` and friends from an element's switches. */
export function switches(element: JsonObject): string {
  const lines = [isOn(element["underline"]) ? "underline" : "", isOn(element["strikethrough"]) ? "line-through" : ""];
  const decoration = lines.filter((line) => line !== "").join(" ");
  return (
    (isOn(element["bold"]) ? "font-weight:700;" : "") +
    (isOn(element["italic"]) ? "font-style:italic;" : "") +
    (decoration === "" ? "" : `text-decoration:${decoration};`)
  );
}

export const ALIGNMENTS = { left: "left", center: "center", right: "right", full: "justify" } as const;
export type Alignment = keyof typeof ALIGNMENTS;

export function alignmentOf(value: Json | undefined): Alignment | null {
  return value === "left" || value === "center" || value === "right" || value === "full" ? value : null;
}

/** The palette inside an element: its own background decides, if it has one. */
export function paletteIn(element: JsonObject, outside: Palette): Palette {
  const background = element["background_color"];
  if (typeof background !== "string" || background.trim() === "" || background === "transparent") return outside;
  return paletteOn(background.trim());
}

/** Below it a colour cannot be read on the dark page: black, navy, dark greys. A dark red still can. */
const NIGHT_LIGHTNESS_MIN = 0.25;

/** Is this a colour that dark mode must replace, because nobody could read it on a dark page? */
export function needsNight(color: Json | undefined, palette: Palette): boolean {
  if (palette !== "page" || typeof color !== "string") return false;
  return (lightnessOf(color.trim()) ?? 0) < NIGHT_LIGHTNESS_MIN;
}

/** `border: {…}` is the editor's spelling, flat fields are the document's. */
export function borderOf(build: Build, element: JsonObject, path: string): Program {
  const width = element["border_size"] ?? element["border_width"];
  const color = element["border_color"] ?? element["borderColor"];
  if (width === undefined && color === undefined)
    return styleOf(build, element, path, [["border_radius", "length", "border-radius"]]);
  const size = cssProgram(build, "length", width ?? "1px", `${path}.border_size`);
  const paint = cssProgram(build, "color", color ?? COLORS.page.line, `${path}.border_color`);
  const both = new ProgramBuilder().program(size).literal(" solid ").program(paint).build();
  const whole = both.constant !== null && (size.constant === "" || paint.constant === "") ? "" : both.constant;
  return new ProgramBuilder()
    .program(whole === "" ? NOTHING : declaration("border", both))
    .program(styleOf(build, element, path, [["border_radius", "length", "border-radius"]]))
    .build();
}
