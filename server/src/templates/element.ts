import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { drawColumn, drawColumns, drawGroup, type Inside } from "./container.ts";
import { compileControl, localeVariants, localized } from "./control.ts";
import { spendSteps } from "./frame.ts";
import { drawAction } from "./action.ts";
import { drawDivider, drawHtml, drawImage, drawMeta } from "./leaf.ts";
import { drawQuote, drawText } from "./paragraph.ts";
import { ELEMENT_DEPTH_MAX } from "./limits.ts";
import { drawList } from "./list.ts";
import { checkSize, type Draw } from "./out.ts";
import type { Palette } from "./palette.ts";

/** Where an element stands. */
export type Place = {
  readonly palette: Palette;
  readonly depth: number;
  /** The `channel` element around it, if there is one. */
  readonly channel: string | null;
  /** What holds it: columns hold only columns, and columns stand nowhere else. */
  readonly holder: "document" | "columns";
};

/** Compiles elements in their order. */
export function compileElements(build: Build, elements: readonly JsonObject[], path: string, place: Place): Draw {
  if (place.depth > ELEMENT_DEPTH_MAX) {
    build.fault(path, `elements are nested deeper than ${ELEMENT_DEPTH_MAX}`);
    return nothing;
  }
  const draws = elements.map((element, at) => compileElement(build, element, `${path}[${at}]`, place));
  const [only] = draws;
  if (draws.length === 1 && only !== undefined) return only;
  return (out, frame) => {
    for (const draw of draws) draw(out, frame);
  };
}

const nothing: Draw = () => {};

/** Which fields of a type a locale may replace. */
const TRANSLATED: Readonly<Record<string, readonly string[]>> = {
  meta: ["title"],
  text: ["content", "elements"],
  action: ["content", "href"],
  image: ["src", "href", "alt_text"],
  quote: ["content", "elements"],
  group: ["elements"],
  list: ["elements"],
  html: ["content"],
};

function compileElement(build: Build, element: JsonObject, path: string, place: Place): Draw {
  if (!build.countElement(path)) return nothing;
  const type = String(element["type"]);
  const draw = drawOf(build, element, path, type, place);
  if (draw === nothing) return nothing;
  const fields = Object.hasOwn(TRANSLATED, type) ? (TRANSLATED[type] ?? []) : [];
  const variants = localeVariants(build, element, path, fields);
  const all = new Map(variants.map((each) => [each.locale, drawOf(build, each.element, each.path, type, place)]));
  const choose = all.size === 0 ? null : localized(all, draw);
  const drawOnce: Draw = choose === null ? draw : (out, frame) => choose(frame)(out, frame);
  const control = compileControl(build, element, path);
  const drawPaid: Draw = (out, frame) => {
    spendSteps(frame, 1);
    checkSize(out);
    drawOnce(out, frame);
  };
  if (control === null) return drawPaid;
  return (out, frame) => {
    spendSteps(frame, 1);
    control(frame, () => drawPaid(out, frame));
  };
}

function drawOf(build: Build, element: JsonObject, path: string, type: string, place: Place): Draw {
  const { palette } = place;
  const within =
    (holder: Place["holder"]): Inside =>
    (elements, at, ground) =>
      compileElements(build, elements, at, { ...place, palette: ground, depth: place.depth + 1, holder });
  if (place.holder === "columns") {
    return type === "column" ? drawColumn(build, element, path, palette, within("document")) : nothing;
  }
  switch (type) {
    case "meta":
      return drawMeta(build, element, path);
    case "text":
      return drawText(build, element, path, palette);
    case "action":
      return drawAction(build, element, path, palette);
    case "image":
      return drawImage(build, element, path);
    case "divider":
      return drawDivider(build, element, path, palette);
    case "quote":
      return drawQuote(build, element, path, palette);
    case "group":
      return drawGroup(build, element, path, palette, within("document"));
    case "columns":
      return drawColumns(build, element, path, palette, within("columns"));
    case "list":
      return drawList(build, element, path, palette);
    case "html":
      return drawHtml(build, element, path);
    case "comment":
      return nothing;
    case "jsonnet":
      return refuseJsonnet(build, path, place);
    // Words that stand on their own are a paragraph.
    case "string":
    case "link":
    case "img":
      return drawText(build, { type: "text", elements: [withoutControl(element)] }, path, palette);
    case "channel":
      build.fault(path, "a channel element stands only at the top, and then only among channel elements");
      return nothing;
    case "column":
      build.fault(path, "a column stands only inside columns");
      return nothing;
    case "list-item":
      build.fault(path, "a list-item stands only inside a list");
      return nothing;
    default:
      build.fault(
        `${path}.type`,
        element["type"] === undefined ? "an element needs a type" : `there is no element type "${type.slice(0, 40)}"`,
      );
      return nothing;
  }
}

/** Jsonnet makes JSON for chat providers we do not reach yet: harmless there, wrong anywhere else. */
function refuseJsonnet(build: Build, path: string, place: Place): Draw {
  if (place.channel === null || place.channel === "email") {
    build.fault(path, "jsonnet is not supported; use elements, or raw in a channel element");
  }
  return nothing;
}

/** The element around it has them already. */
function withoutControl(element: JsonObject): JsonObject {
  const kept = Object.entries(element).filter(([field]) => !["channels", "if", "loop", "ref", "data"].includes(field));
  return Object.fromEntries(kept);
}
