import { invariant } from "#domain/invariant.ts";
import { type CallFault, parseCall } from "./call.ts";
import type { Evaluate } from "./frame.ts";
import { BLOCK_DEPTH_MAX, TAG_CHARS_MAX, TEMPLATE_TAGS_MAX, VARIABLE_CHARS_MAX } from "./limits.ts";
import { compilePath, parsePath, pathName } from "./path.ts";

/** A template's text, taken apart. */
export type TextNode = { readonly kind: "literal"; readonly text: string } | ValueNode | BlockNode;

export type ValueNode = {
  readonly kind: "value";
  readonly evaluate: Evaluate;
  /** As its author wrote it, for messages. */
  readonly name: string;
  /** `{{{name}}}`: the author vouches for it, no escaping. */
  readonly raw: boolean;
};

export type BlockNode = {
  readonly kind: "block";
  readonly verb: "if" | "unless" | "each" | "with";
  readonly subject: Evaluate;
  readonly body: readonly TextNode[];
  readonly otherwise: readonly TextNode[];
};

export type Parsed =
  | { readonly ok: true; readonly nodes: readonly TextNode[] /** Variables and tags. */; readonly tags: number }
  | { readonly ok: false; readonly problem: string };

/**
 * Takes a template apart: `{name}`, `{{name}}`, `{{{name}}}`, `{{helper a "b"}}`, `{{#if}} {{#unless}} {{#each}} {{#with}}
 * … {{else}} … {{/if}}`, `{{! comment}}`. Single braces around anything but a variable are text, so are double braces
 * that nobody closes; `\{` is a brace. Time grows with the length only.
 */
export function parseTemplate(source: string): Parsed {
  if (!source.includes("{"))
    return { ok: true, nodes: source === "" ? [] : [{ kind: "literal", text: source }], tags: 0 };
  return buildTree(withoutEmptyLines(tokenize(source)));
}

type Token =
  | { readonly kind: "literal"; text: string }
  | { readonly kind: "variable"; readonly inner: string }
  | { readonly kind: "tag"; readonly inner: string; readonly raw: boolean; readonly alone: boolean };

/** What stands on a line of its own takes the line with it. */
const BLOCK_TAG = /^(?:[#/^!]|else\b)/;

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const close = { "}": -1, "}}": -1, "}}}": -1, "--}}": -1 };
  /** Where the next such closing stands; each is searched for once along the way. */
  const closing = (of: keyof typeof close, from: number): number => {
    if (close[of] < from) {
      const found = source.indexOf(of, from);
      close[of] = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return close[of];
  };
  let literal = "";
  let from = 0;
  const push = (token: Token, next: number): void => {
    if (literal !== "") tokens.push({ kind: "literal", text: literal });
    literal = "";
    tokens.push(token);
    from = next;
  };
  for (;;) {
    const at = source.indexOf("{", from);
    if (at < 0) break;
    if (at > from && source[at - 1] === "\\") {
      const escaped = !(at - 1 > from && source[at - 2] === "\\");
      literal += source.slice(from, at - 1);
      from = at;
      if (escaped) {
        while (source[from] === "{" && from < at + 3) from += 1;
        literal += source.slice(at, from);
        continue;
      }
    }
    literal += source.slice(from, at);
    from = at;
    const found = readTag(source, at, closing) ?? readVariable(source, at, closing);
    if (found === null) {
      literal += "{";
      from = at + 1;
    } else push(found.token, found.next);
  }
  literal += source.slice(from);
  if (literal !== "") tokens.push({ kind: "literal", text: literal });
  return tokens;
}

type Closing = (of: "}" | "}}" | "}}}" | "--}}", from: number) => number;
type Found = { readonly token: Token; readonly next: number } | null;

function readTag(source: string, at: number, closing: Closing): Found {
  if (!source.startsWith("{{", at)) return null;
  if (source.startsWith("{{!--", at)) {
    const end = closing("--}}", at + 5);
    return end === Number.POSITIVE_INFINITY ? null : { token: tag("!", false), next: end + 4 };
  }
  if (source.startsWith("{{{", at)) {
    const end = closing("}}}", at + 3);
    return end - at > TAG_CHARS_MAX ? null : { token: tag(source.slice(at + 3, end), true), next: end + 3 };
  }
  const end = closing("}}", at + 2);
  return end - at > TAG_CHARS_MAX ? null : { token: tag(source.slice(at + 2, end), false), next: end + 2 };
}

function tag(content: string, raw: boolean): Token {
  const inner = content.replace(/^~/, "").replace(/~$/, "").trim();
  const unescaped = inner.startsWith("&");
  return {
    kind: "tag",
    inner: unescaped ? inner.slice(1).trim() : inner,
    raw: raw || unescaped,
    alone: BLOCK_TAG.test(inner),
  };
}

function readVariable(source: string, at: number, closing: Closing): Found {
  const end = closing("}", at + 1);
  if (end - at > VARIABLE_CHARS_MAX) return null;
  const inner = source.slice(at + 1, end).trim();
  return parsePath(inner) === null ? null : { token: { kind: "variable", inner }, next: end + 1 };
}

/** A block tag alone on its line leaves no empty line behind (as in Handlebars and Mustache). */
function withoutEmptyLines(tokens: Token[]): Token[] {
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== "tag" || !token.alone) continue;
    const before = tokens[at - 1];
    const after = tokens[at + 1];
    // Where the line begins in the text before: behind its last line break, or nowhere if that text follows a tag.
    const lineStart = before?.kind === "literal" ? before.text.lastIndexOf("\n") + 1 : 0;
    const opens =
      before === undefined ||
      (before.kind === "literal" && (lineStart > 0 || at === 1) && before.text.slice(lineStart).trim() === "");
    const ends = after === undefined || (after.kind === "literal" && /^[ \t]*(?:\r?\n|$)/.test(after.text));
    if (!opens || !ends) continue;
    if (before?.kind === "literal") before.text = before.text.slice(0, lineStart);
    if (after?.kind === "literal") after.text = after.text.replace(/^[ \t]*\r?\n?/, "");
  }
  return tokens;
}

type Open = {
  readonly verb: BlockNode["verb"];
  readonly subject: Evaluate;
  readonly body: TextNode[];
  otherwise: TextNode[] | null;
  /** `{{else if}}` opened it: the same `{{/if}}` closes both. */
  readonly chained: boolean;
};

const VERBS = ["if", "unless", "each", "with"] as const;

class Tree {
  readonly root: TextNode[] = [];
  readonly open: Open[] = [];
  here: TextNode[] = this.root;

  add(node: TextNode): void {
    this.here.push(node);
  }

  /** @returns a problem or null */
  tag(inner: string, raw: boolean): string | null {
    if (inner.startsWith("!")) return null;
    if (inner.startsWith("#")) return this.begin(inner.slice(1).trim(), false);
    if (inner.startsWith("/")) return this.end(inner.slice(1).trim());
    if (inner === "^" || /^else(?:\s|$)/.test(inner)) return this.otherwise(inner.replace(/^(?:\^|else)\s*/, ""));
    if (inner.startsWith(">")) return `partials such as {{${inner}}} are not supported`;
    const call = parseCall(inner);
    if (!call.ok) return problemOf(call, inner);
    this.add({ kind: "value", evaluate: call.evaluate, name: inner, raw });
    return null;
  }

  begin(inner: string, chained: boolean): string | null {
    const [name = ""] = inner.split(/\s/, 1);
    const verb = VERBS.find((known) => known === name);
    if (verb === undefined)
      return `{{#${name}}} is not known; there are ${VERBS.map((each) => `{{#${each}}}`).join(", ")}`;
    if (this.open.length >= BLOCK_DEPTH_MAX) return `blocks are nested deeper than ${BLOCK_DEPTH_MAX}`;
    const subject = inner.slice(name.length).trim();
    if (subject === "") return `{{#${verb}}} needs a variable`;
    if (/\sas\s*\|/.test(subject)) return `{{#${inner}}}: block parameters are not supported; use {{this}}`;
    const call = parseCall(subject);
    if (!call.ok) return problemOf(call, `#${inner}`);
    const opened: Open = { verb, subject: call.evaluate, body: [], otherwise: null, chained };
    this.open.push(opened);
    this.here = opened.body;
    return null;
  }

  otherwise(rest: string): string | null {
    const opened = this.open.at(-1);
    if (opened === undefined) return "{{else}} stands outside of a block";
    if (opened.otherwise !== null) return "a block has more than one {{else}}";
    opened.otherwise = [];
    this.here = opened.otherwise;
    return rest === "" ? null : this.begin(rest, true);
  }

  end(name: string): string | null {
    const opened = this.open.at(-1);
    if (opened === undefined) return `{{/${name}}} closes nothing`;
    if (opened.verb !== name && !this.open.some((each) => each.verb === name)) return `{{/${name}}} closes nothing`;
    if (!opened.chained && opened.verb !== name) return `{{/${name}}} stands where {{/${opened.verb}}} is expected`;
    this.open.pop();
    const below = this.open.at(-1);
    this.here = below === undefined ? this.root : (below.otherwise ?? below.body);
    const { verb, subject, body } = opened;
    this.add({ kind: "block", verb, subject, body, otherwise: opened.otherwise ?? [] });
    return opened.chained ? this.end(name) : null;
  }
}

function problemOf(fault: CallFault, inner: string): string {
  return `{{${inner}}}: ${fault.problem}`;
}

function buildTree(tokens: readonly Token[]): Parsed {
  const tags = tokens.filter((token) => token.kind !== "literal").length;
  if (tags > TEMPLATE_TAGS_MAX) return { ok: false, problem: `has more than ${TEMPLATE_TAGS_MAX} variables` };
  const tree = new Tree();
  for (const token of tokens) {
    if (token.kind === "literal") {
      if (token.text !== "") tree.add(token);
    } else if (token.kind === "variable") {
      const path = parsePath(token.inner);
      invariant(path !== null, "the tokenizer read this path");
      tree.add({ kind: "value", evaluate: compilePath(path), name: pathName(path), raw: false });
    } else {
      const problem = tree.tag(token.inner, token.raw);
      if (problem !== null) return { ok: false, problem };
    }
  }
  const unclosed = tree.open.at(-1);
  if (unclosed !== undefined) return { ok: false, problem: `{{#${unclosed.verb}}} is never closed` };
  return { ok: true, nodes: tree.root, tags };
}
