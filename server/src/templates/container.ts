import { isJsonObject, type JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import type { Draw } from "./out.ts";
import { COLORS, type Palette } from "./palette.ts";
import { type Program, ProgramBuilder } from "./program.ts";
import { borderOf, cssProgram, cssValue, paletteIn, styleOf } from "./style.ts";

/** How the elements inside are compiled; handed in, because they may be containers again. */
export type Inside = (elements: readonly JsonObject[], path: string, palette: Palette) => Draw;

/** Elements that belong together, on a ground of their own if they have one. */
export function drawGroup(build: Build, element: JsonObject, path: string, outside: Palette, inside: Inside): Draw {
  const palette = paletteIn(element, outside);
  const children = inside(build.objects(element["elements"], `${path}.elements`), `${path}.elements`, palette);
  const css = groundCss(build, element, path, outside);
  if (css.constant === "") return children;
  const open = new ProgramBuilder()
    .literal(
      '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 16px;"><tr><td style="',
    )
    .program(css)
    .literal('">\n')
    .build();
  return wrapped(open, children, "</td></tr></table>\n");
}

function groundCss(build: Build, element: JsonObject, path: string, outside: Palette): Program {
  const palette = paletteIn(element, outside);
  const { border } = element;
  const flat: JsonObject = isJsonObject(border) ? { ...element, ...border } : element;
  const css = new ProgramBuilder()
    .program(styleOf(build, element, path, GROUND_FIELDS))
    .program(borderOf(build, flat, path));
  if (palette !== outside) css.literal(`color:${COLORS[palette].text};`);
  if (palette !== outside && element["padding"] === undefined) css.literal("padding:16px 20px 4px;border-radius:6px;");
  return css.build();
}

const GROUND_FIELDS = [
  ["background_color", "color", "background-color"],
  ["padding", "lengths", "padding"],
] as const;

/** Columns side by side; on a phone one below the other (`shell.ts` has the rule for the class). */
export function drawColumns(build: Build, element: JsonObject, path: string, outside: Palette, inside: Inside): Draw {
  const palette = paletteIn(element, outside);
  const columns = build.objects(element["elements"], `${path}.elements`);
  for (const [at, column] of columns.entries()) {
    if (column["type"] !== "column")
      build.fault(`${path}.elements[${at}].type`, `columns hold column elements, not "${String(column["type"])}"`);
  }
  const gapPx = Math.min(64, Number.parseFloat(cssValue("length", String(element["gap"] ?? "")) || "16"));
  const share = shareOf(columns);
  const arranged = columns.map((column, at) => ({
    ...column,
    width: column["width"] ?? share,
    vertical_align: column["vertical_align"] ?? element["vertical_align"] ?? "top",
    padding: column["padding"] ?? `0 ${at === columns.length - 1 ? 0 : gapPx / 2}px 0 ${at === 0 ? 0 : gapPx / 2}px`,
  }));
  const children = inside(arranged, `${path}.elements`, palette);
  const open = new ProgramBuilder()
    .literal(
      '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 16px;',
    )
    .program(groundCss(build, element, path, outside))
    .literal('"><tr>\n')
    .build();
  return wrapped(open, children, "</tr></table>\n");
}

/** The width of each column that names none: an equal share of what the others leave. */
function shareOf(columns: readonly JsonObject[]): string {
  const given = columns.map((column) => column["width"]).filter((width) => width !== undefined);
  const taken = given.reduce<number>((sum, width) => {
    const percent = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(String(width))?.[1];
    return sum + Number(percent ?? 0);
  }, 0);
  const left = Math.max(0, 100 - taken) / Math.max(1, columns.length - given.length);
  return `${Math.floor(left || 100 / columns.length)}%`;
}

/** One of the columns; its place in the row was decided by `drawColumns`. */
export function drawColumn(build: Build, element: JsonObject, path: string, outside: Palette, inside: Inside): Draw {
  const palette = paletteIn(element, outside);
  const children = inside(build.objects(element["elements"], `${path}.elements`), `${path}.elements`, palette);
  const width = cssProgram(build, "length", element["width"], `${path}.width`);
  const align = String(element["vertical_align"]);
  const valign = align === "middle" || align === "center" ? "middle" : align === "bottom" ? "bottom" : "top";
  const open = new ProgramBuilder()
    .literal(`<td class="co" valign="${valign}" width="`)
    .program(width)
    .literal(`" style="vertical-align:${valign};width:`)
    .program(width)
    .literal(";")
    .program(groundCss(build, element, path, outside))
    .literal('">\n')
    .build();
  return wrapped(open, children, "</td>\n", true);
}

/** `keep`: an empty column still takes its place in the row. */
function wrapped(open: Program, children: Draw, close: string, keep = false): Draw {
  return (out, frame) => {
    if (!out.mail) {
      children(out, frame);
      return;
    }
    const before = out.html;
    const opened = before + open.run(frame);
    out.html = opened;
    children(out, frame);
    out.html = out.html.length === opened.length && !keep ? before : out.html + close;
  };
}
