import type { Json } from "#domain/json.ts";
import { type Evaluate, type Frame, spendSteps } from "./frame.ts";
import { EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX } from "./limits.ts";
import { compilePath } from "./path.ts";
import { compare, isLooselyEqual, isStrictlyEqual, isTruthy, member, textOf } from "./value.ts";

export type Expression =
  | { readonly ok: true; readonly evaluate: Evaluate }
  | { readonly ok: false; readonly problem: string };

/**
 * Compiles an element's `if`: `data.tier === 'premium' && !(profile.age < 18)`.
 *
 * Knows variables as templates do, literals, member and index access, `.length`, parentheses and the operators
 * `== === != !== < <= > >= && || !`; nothing else, and nothing that could call or change something. Like JavaScript,
 * except that an empty array counts as false. Braces around the whole (`{{…}}`) are taken off.
 */
export function compileExpression(source: string): Expression {
  if (source.length > EXPRESSION_CHARS_MAX) return fault(`is longer than ${EXPRESSION_CHARS_MAX} characters`);
  const bare = source.trim().replace(/^\{\{(.*)\}\}$/su, "$1");
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < bare.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(bare)?.[1];
    if (token === undefined) {
      if (bare.slice(at).trim() === "") break;
      return fault(`has something unknown at "${bare.slice(at, at + 20).trim()}"`);
    }
    tokens.push(token);
  }
  return new Parser(tokens).parse();
}

const TOKEN =
  /\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\d+(?:\.\d+)?|@?[\p{L}_$][\p{L}\p{N}_]*|===|!==|==|!=|<=|>=|&&|\|\||[-!<>().[\]])/uy;

function fault(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}

/** A syntax mistake on its way out of the recursion below; never leaves this file. */
class Mistake extends Error {}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    try {
      const evaluate = this.#or();
      if (this.#peek() !== undefined) throw new Mistake(`does not expect "${this.#peek() ?? ""}"`);
      return { ok: true, evaluate };
    } catch (mistake) {
      if (mistake instanceof Mistake) return fault(mistake.message);
      throw mistake;
    }
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at += 1;
    return true;
  }

  #needs(token: string): void {
    if (!this.#takes(token)) throw new Mistake(`misses a "${token}"`);
  }

  #or(): Evaluate {
    this.#depth += 1;
    if (this.#depth > EXPRESSION_DEPTH_MAX) throw new Mistake(`is nested deeper than ${EXPRESSION_DEPTH_MAX}`);
    const parts = [this.#and()];
    while (this.#takes("||")) parts.push(this.#and());
    this.#depth -= 1;
    return chain(parts, true);
  }

  #and(): Evaluate {
    const parts = [this.#comparison()];
    while (this.#takes("&&")) parts.push(this.#comparison());
    return chain(parts, false);
  }

  #comparison(): Evaluate {
    const left = this.#unary();
    const compared = COMPARISONS.get(this.#peek() ?? "");
    if (compared === undefined) return left;
    this.#at += 1;
    const right = this.#unary();
    if (COMPARISONS.has(this.#peek() ?? "")) throw new Mistake("compares twice in a row; use && or parentheses");
    return (frame) => compared(left(frame), right(frame), frame);
  }

  #unary(): Evaluate {
    let negations = 0;
    while (this.#takes("!")) negations += 1;
    const operand = this.#postfix();
    if (negations === 0) return operand;
    const wanted = negations % 2 === 0;
    return (frame) => isTruthy(operand(frame)) === wanted;
  }

  #postfix(): Evaluate {
    const token = this.#peek();
    if (token === undefined) throw new Mistake("ends too early");
    this.#at += 1;
    if (token === "(") {
      const inner = this.#or();
      this.#needs(")");
      return this.#members(inner);
    }
    if (token === "-") {
      const digits = this.#peek() ?? "";
      if (!/^\d/.test(digits)) throw new Mistake(`knows "-" only before a number`);
      this.#at += 1;
      return () => -Number(digits);
    }
    const literal = literalOf(token);
    if (literal !== undefined) return this.#members(() => literal);
    if (!/^[@\p{L}_$]/u.test(token)) throw new Mistake(`does not expect "${token}"`);
    return this.#variable(token);
  }

  /** As many fixed keys as possible belong to the variable itself, so that `data.x` knows its root. */
  #variable(head: string): Evaluate {
    const keys: string[] = [];
    for (;;) {
      const [dot, key, end] = this.#tokens.slice(this.#at, this.#at + 3);
      if (dot === "." && key !== undefined && /^[\p{L}_$\d]/u.test(key)) {
        keys.push(key);
        this.#at += 2;
      } else if (dot === "[" && end === "]" && key !== undefined && /^["'\d]/.test(key)) {
        keys.push(String(literalOf(key) ?? ""));
        this.#at += 3;
      } else break;
    }
    if (this.#peek() === "(") throw new Mistake("cannot call functions");
    if (head === "$" && keys.length === 0) throw new Mistake(`misses a name behind "$."`);
    return this.#members(compilePath({ head, keys, up: 0 }));
  }

  #members(base: Evaluate): Evaluate {
    let found = base;
    for (;;) {
      const holder = found;
      if (this.#takes(".")) {
        const key = this.#peek() ?? "";
        if (!/^[\p{L}_$\d]/u.test(key)) throw new Mistake("misses a name behind a full stop");
        this.#at += 1;
        found = (frame) => member(holder(frame), key);
      } else if (this.#takes("[")) {
        const key = this.#or();
        this.#needs("]");
        found = (frame) => member(holder(frame), textOf(key(frame), frame));
      } else if (this.#peek() === "(") {
        throw new Mistake("cannot call functions");
      } else return found;
    }
  }
}

/** `a || b || c` with JavaScript's values: the first that decides, or the last. A loop, so that a long one is not deep. */
function chain(parts: readonly Evaluate[], decidesOn: boolean): Evaluate {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return (frame) => {
    spendSteps(frame, parts.length);
    let value: Json | undefined;
    for (const part of parts) {
      value = part(frame);
      if (isTruthy(value) === decidesOn) return value;
    }
    return value;
  };
}

type Comparison = (left: Json | undefined, right: Json | undefined, frame: Frame) => boolean;

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map<string, Comparison>([
  ["==", isLooselyEqual],
  ["!=", (left, right, frame) => !isLooselyEqual(left, right, frame)],
  ["===", isStrictlyEqual],
  ["!==", (left, right, frame) => !isStrictlyEqual(left, right, frame)],
  ["<", (left, right, frame) => compare(left, right, frame) < 0],
  ["<=", (left, right, frame) => compare(left, right, frame) <= 0],
  [">", (left, right, frame) => compare(left, right, frame) > 0],
  [">=", (left, right, frame) => compare(left, right, frame) >= 0],
]);

function literalOf(token: string): Json | undefined {
  if (/^["']/.test(token)) return token.slice(1, -1).replace(/\\(.)/gsu, "$1");
  if (/^\d/.test(token)) return Number(token);
  switch (token) {
    case "true":
      return true;
    case "false":
      return false;
    case "null":
    case "undefined":
      return null;
    default:
      return undefined;
  }
}
