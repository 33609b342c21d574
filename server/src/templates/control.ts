import type { Json, JsonObject } from "#domain/json.ts";
import { isJsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { compileCondition } from "./condition.ts";
import { type Evaluate, type Frame, normalLocale, spendSteps } from "./frame.ts";
import { compilePath, parsePath } from "./path.ts";
import { eachTurn } from "./program.ts";
import { isTruthy } from "./value.ts";

/** Decides whether and how often something is drawn; calls `once` for each time. */
export type Control = (frame: Frame, once: () => void) => void;

/**
 * Compiles what every element may carry: `channels`, `loop`, `if` (asked anew in each turn of the loop), `ref`, `data`.
 * Null when it carries none of them.
 */
export function compileControl(build: Build, element: JsonObject, path: string): Control | null {
  const channels = channelsOf(build, element["channels"], `${path}.channels`);
  const test = testOf(build, element["if"], `${path}.if`);
  const list = listOf(build, element["loop"], `${path}.loop`);
  const ref = refOf(build, element["ref"], `${path}.ref`);
  const data = isJsonObject(element["data"]) ? element["data"] : null;
  if (channels === null && test === null && list === null && ref === null && data === null) return null;

  const whenTrue: Control = (frame, once) => {
    const visible = test === null || isTruthy(test(frame));
    if (ref !== null) setRef(frame, ref, visible ? shown(element) : hidden(element));
    if (visible) once();
  };
  return (frame, once) => {
    if (channels !== null && !channels.includes(frame.channel) && !channels.includes(frame.provider)) {
      if (ref !== null) setRef(frame, ref, hidden(element));
      return;
    }
    const below = frame.overlay;
    if (data !== null) frame.overlay = { data, below };
    if (list === null) whenTrue(frame, once);
    else {
      const turns = eachTurn(frame, list(frame), false, () => whenTrue(frame, once));
      if (turns === 0 && ref !== null) setRef(frame, ref, hidden(element));
    }
    frame.overlay = below;
  };
}

function shown(element: JsonObject): JsonObject {
  return { ...element, visible: true };
}

function hidden(element: JsonObject): JsonObject {
  return { ...element, visible: false };
}

function setRef(frame: Frame, name: string, element: JsonObject): void {
  frame.refs ??= new Map();
  frame.refs.set(name, element);
}

function channelsOf(build: Build, value: Json | undefined, path: string): readonly string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) {
    build.fault(path, "must be a list of channels or providers");
    return null;
  }
  const names: string[] = value.filter((name: Json) => typeof name === "string");
  if (names.length < value.length) build.fault(path, "must hold texts only");
  return names.length === 0 ? null : names;
}

function testOf(build: Build, value: Json | undefined, path: string): Evaluate | null {
  if (value === undefined || value === null || value === "") return null;
  const condition = compileCondition(value);
  if (condition.ok) return condition.evaluate;
  build.fault(path, condition.problem);
  return null;
}

/** `data.products`, `$.item.parts` or `{{items}}`. */
function listOf(build: Build, value: Json | undefined, path: string): Evaluate | null {
  if (value === undefined || value === null || value === "") return null;
  const bare =
    typeof value === "string"
      ? value
          .trim()
          .replace(/^\{\{?([^{}]*)\}?\}$/, "$1")
          .trim()
      : "";
  const parsed = parsePath(bare);
  if (parsed !== null) return compilePath(parsed);
  build.fault(path, "must be the path of a list, such as data.products");
  return null;
}

function refOf(build: Build, value: Json | undefined, path: string): string | null {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "string" && /^[\p{L}_][\p{L}\p{N}_-]{0,63}$/u.test(value)) return value;
  build.fault(path, "must be a name of letters, digits and underscores");
  return null;
}

/** Chooses by locale: the same, then the same language, then any region of that language, then `otherwise`. */
export function localized<T>(variants: ReadonlyMap<string, T>, otherwise: T): (frame: Frame) => T {
  if (variants.size === 0) return () => otherwise;
  const byLanguage = new Map<string, T>();
  for (const [locale, variant] of variants) {
    const [language = ""] = locale.split("-", 1);
    if (!byLanguage.has(language) || locale === language) byLanguage.set(language, variant);
  }
  return (frame) => {
    spendSteps(frame, 1);
    if (frame.locale === null) return otherwise;
    const [language = ""] = frame.locale.split("-", 1);
    return variants.get(frame.locale) ?? byLanguage.get(language) ?? otherwise;
  };
}

/**
 * The element once per entry of its `locales`, with the fields replaced that its type allows to be translated. `content`
 * and `elements` say the same thing in two ways: whichever the translation gives replaces both.
 */
export function localeVariants(
  build: Build,
  element: JsonObject,
  path: string,
  fields: readonly string[],
): { readonly locale: string; readonly element: JsonObject; readonly path: string }[] {
  const locales = element["locales"];
  if (locales === undefined || locales === null) return [];
  if (!isJsonObject(locales)) {
    build.fault(`${path}.locales`, "must be an object of locales");
    return [];
  }
  const variants: { locale: string; element: JsonObject; path: string }[] = [];
  for (const [locale, over] of Object.entries(locales)) {
    if (!isJsonObject(over)) {
      build.fault(`${path}.locales.${locale}`, "must be an object of replaced fields");
      continue;
    }
    const replaced = Object.entries(over).filter(([field]) => fields.includes(field));
    if (replaced.length === 0) continue;
    const saysAnew = replaced.some(([field]) => field === "content" || field === "elements" || field === "raw");
    const kept = Object.entries(element).filter(
      ([field]) =>
        field !== "locales" && !(saysAnew && (field === "content" || field === "elements" || field === "raw")),
    );
    variants.push({
      locale: normalLocale(locale),
      element: Object.fromEntries([...kept, ...replaced]),
      path: `${path}.locales.${locale}`,
    });
  }
  return variants;
}
