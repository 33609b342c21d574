import { isJsonObject, type Json } from "#domain/json.ts";
import { unreachable } from "#domain/invariant.ts";
import { escapeBareAttribute, escapeText } from "./escape.ts";
import { type Frame, RenderStop, spendChars, spendSteps, spendTurns } from "./frame.ts";
import type { BlockNode, ValueNode } from "./syntax.ts";
import { encodeQueryValue, encodeUrl, safeUrl } from "./url.ts";
import { isTruthy, textOf } from "./value.ts";

/** A compiled text: pieces to be joined. `constant` when nothing in it varies. */
export type Program = {
  readonly constant: string | null;
  readonly run: (frame: Frame) => string;
};

/**
 * What a value must not break out of:
 * - `text`: nothing, it is plain text.
 * - `markup`: HTML content; line breaks become `<br>`.
 * - `attribute`: an HTML attribute.
 * - `json`: JSON; texts lose their quotes (the template has them), everything else is written as JSON.
 * - `url`, `query`: the path of a URL, a value in its query; not yet escaped for HTML.
 * - `attribute-link`, `attribute-picture`: a whole URL in an HTML attribute; `attribute-url`, `attribute-query`: a part of one.
 */
export type Mode =
  | "text"
  | "markup"
  | "attribute"
  | "json"
  | "url"
  | "query"
  | "attribute-link"
  | "attribute-picture"
  | "attribute-url"
  | "attribute-query";

/** Joins literals and moving parts into a program. Neighbouring literals melt together. */
export class ProgramBuilder {
  readonly #literals: string[] = [""];
  readonly #parts: ((frame: Frame) => string)[] = [];

  literal(text: string): this {
    this.#literals[this.#literals.length - 1] += text;
    return this;
  }

  part(run: (frame: Frame) => string): this {
    this.#parts.push(run);
    this.#literals.push("");
    return this;
  }

  value(node: ValueNode, mode: Mode): this {
    return this.part(valuePart(node, mode));
  }

  program(program: Program): this {
    return program.constant === null ? this.part(program.run) : this.literal(program.constant);
  }

  block(node: BlockNode, body: Program, otherwise: Program): this {
    return this.part(blockPart(node, body, otherwise));
  }

  build(): Program {
    const literals = this.#literals;
    const parts = this.#parts;
    const first = literals[0] ?? "";
    if (parts.length === 0) return constant(first);
    const chars = literals.reduce((sum, literal) => sum + literal.length, 0);
    const run = (frame: Frame): string => {
      spendSteps(frame, parts.length);
      spendChars(frame, chars);
      let text = first;
      for (let at = 0; at < parts.length; at += 1) {
        // The arrays are as long as each other, plus one literal: the checks never decide.
        text += (parts[at]?.(frame) ?? "") + (literals[at + 1] ?? "");
      }
      return text;
    };
    return { constant: null, run };
  }
}

export function constant(text: string): Program {
  const run = (frame: Frame): string => {
    spendChars(frame, text.length);
    return text;
  };
  return { constant: text, run };
}

export const NOTHING: Program = { constant: "", run: () => "" };

function valuePart(node: ValueNode, mode: Mode): (frame: Frame) => string {
  const { evaluate, name, raw } = node;
  const write = writerOf(mode, raw);
  return (frame) => {
    const value = evaluate(frame);
    if (value === undefined && frame.strict) throw new RenderStop(`the variable "${name}" has no value`);
    return write(value, frame);
  };
}

type Writer = (value: Json | undefined, frame: Frame) => string;

function writerOf(mode: Mode, raw: boolean): Writer {
  switch (mode) {
    case "text":
      return textOf;
    case "markup":
      return raw ? textOf : (value, frame) => paid(escapeText(textOf(value, frame)), frame);
    case "attribute":
      return raw ? textOf : (value, frame) => paid(escapeBareAttribute(textOf(value, frame)), frame);
    case "json":
      return raw ? textOf : writeJson;
    case "url":
      return (value, frame) => paid(encodeUrl(textOf(value, frame)), frame);
    case "query":
      return (value, frame) => paid((raw ? encodeUrl : encodeQueryValue)(textOf(value, frame)), frame);
    case "attribute-link":
      return (value, frame) =>
        paid(escapeBareAttribute(safeUrl(encodeUrl(textOf(value, frame)), "link") || "#"), frame);
    case "attribute-picture":
      return (value, frame) => paid(escapeBareAttribute(safeUrl(encodeUrl(textOf(value, frame)), "picture")), frame);
    case "attribute-url":
      return (value, frame) => paid(escapeBareAttribute(encodeUrl(textOf(value, frame))), frame);
    case "attribute-query":
      return (value, frame) => paid(escapeBareAttribute(encodeQueryValue(textOf(value, frame))), frame);
    default:
      return unreachable(mode);
  }
}

/** Escaping may grow a text sixfold; the growth is paid for, too. */
function paid(text: string, frame: Frame): string {
  spendChars(frame, text.length);
  return text;
}

function writeJson(value: Json | undefined, frame: Frame): string {
  if (typeof value === "string") return paid(JSON.stringify(textOf(value, frame)).slice(1, -1), frame);
  return value === undefined || value === null ? "null" : textOf(value, frame);
}

function blockPart(node: BlockNode, body: Program, otherwise: Program): (frame: Frame) => string {
  const { verb, subject } = node;
  switch (verb) {
    case "if":
      return (frame) => (isTruthy(subject(frame)) ? body : otherwise).run(frame);
    case "unless":
      return (frame) => (isTruthy(subject(frame)) ? otherwise : body).run(frame);
    case "each":
      return (frame) => eachText(subject(frame), body, otherwise, frame);
    case "with":
      return (frame) => withText(subject(frame), body, otherwise, frame);
    default:
      return unreachable(verb);
  }
}

function eachText(list: Json | undefined, body: Program, otherwise: Program, frame: Frame): string {
  let text = "";
  const turns = eachTurn(frame, list, true, () => {
    text += body.run(frame);
  });
  return turns === 0 ? otherwise.run(frame) : text;
}

function withText(value: Json | undefined, body: Program, otherwise: Program, frame: Frame): string {
  if (!isTruthy(value) || value === undefined) return otherwise.run(frame);
  const outer = frame.loop;
  frame.loop = { item: value, index: 0, size: 1, key: null, bare: true, outer };
  const text = body.run(frame);
  frame.loop = outer;
  return text;
}

/**
 * Calls `turn` once per item with `frame.loop` standing on it, and returns how often. Lists turn over their items;
 * objects over their values, if `bare` (that is `{{#each}}`; Elemental's `loop` knows lists only).
 */
export function eachTurn(frame: Frame, list: Json | undefined, bare: boolean, turn: () => void): number {
  const keys = bare && isJsonObject(list) ? Object.keys(list) : null;
  const items: readonly Json[] = Array.isArray(list)
    ? list
    : isJsonObject(list) && keys !== null
      ? Object.values(list)
      : [];
  const outer = frame.loop;
  for (let index = 0; index < items.length; index += 1) {
    spendTurns(frame, 1);
    frame.loop = { item: items[index] ?? null, index, size: items.length, key: keys?.[index] ?? null, bare, outer };
    turn();
  }
  frame.loop = outer;
  return items.length;
}
