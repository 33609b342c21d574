import type { Json } from "#domain/json.ts";
import { type Evaluate, type Frame, spendSteps } from "./frame.ts";
import { HELPERS } from "./helpers.ts";
import { BLOCK_DEPTH_MAX } from "./limits.ts";
import { compilePath, parsePath } from "./path.ts";

export type CallFault = { readonly ok: false; readonly problem: string };
export type Call = { readonly ok: true; readonly evaluate: Evaluate } | CallFault;

/** Compiles the inside of `{{…}}`: a variable, a literal, or a helper with arguments, nested in parentheses. */
export function parseCall(source: string): Call {
  const tokens = source.match(TOKEN) ?? [];
  const reader = { tokens, at: 0 };
  const call = readCall(reader, 0);
  if (call.ok && reader.at < tokens.length) return fault(`"${tokens[reader.at] ?? ""}" is not expected`);
  return call;
}

// A text in quotes, a parenthesis, or anything up to a space or parenthesis; brackets may hold spaces.
const TOKEN = /"[^"]*"|'[^']*'|[()]|(?:\[[^\]]*\]|[^\s()"'[])+|\S/g;
const NUMBER = /^-?\d+(?:\.\d+)?$/;

type Reader = { readonly tokens: readonly string[]; at: number };

function fault(problem: string): CallFault {
  return { ok: false, problem };
}

function readCall(reader: Reader, depth: number): Call {
  if (depth > BLOCK_DEPTH_MAX) return fault(`helpers are nested deeper than ${BLOCK_DEPTH_MAX}`);
  const name = reader.tokens[reader.at];
  const next = reader.tokens[reader.at + 1];
  if (name === undefined) return fault("it is empty");
  if (next === undefined || next === ")" || name === "(") return readOperand(reader, depth);
  reader.at += 1;
  const helper = HELPERS.get(name);
  if (helper === undefined) {
    if (/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name))
      return fault(`there is no helper "${name}"; there are ${[...HELPERS.keys()].join(", ")}`);
    return fault(`"${name}" is neither a variable nor a helper`);
  }
  const given: Evaluate[] = [];
  for (let token = reader.tokens[reader.at]; token !== undefined && token !== ")"; token = reader.tokens[reader.at]) {
    const operand = readOperand(reader, depth);
    if (!operand.ok) return operand;
    given.push(operand.evaluate);
  }
  if (given.length < helper.argumentsMin || given.length > helper.argumentsMax) {
    const { argumentsMin: min, argumentsMax: max } = helper;
    return fault(`"${name}" takes ${min === max ? min : `${min} to ${max}`} arguments, not ${given.length}`);
  }
  return { ok: true, evaluate: (frame) => helper.apply(evaluateAll(given, frame), frame) };
}

function evaluateAll(given: readonly Evaluate[], frame: Frame): (Json | undefined)[] {
  spendSteps(frame, given.length);
  return given.map((evaluate) => evaluate(frame));
}

function readOperand(reader: Reader, depth: number): Call {
  const token = reader.tokens[reader.at] ?? "";
  reader.at += 1;
  if (token === "(") {
    const call = readCall(reader, depth + 1);
    if (!call.ok) return call;
    if (reader.tokens[reader.at] !== ")") return fault("a parenthesis is not closed");
    reader.at += 1;
    return call;
  }
  if (/^["']/.test(token) && token.length > 1) return constant(token.slice(1, -1));
  if (NUMBER.test(token)) return constant(Number(token));
  if (token === "true" || token === "false") return constant(token === "true");
  if (token === "null" || token === "undefined") return constant(null);
  // Handlebars' older spelling of `this`.
  const path = parsePath(token === "." ? "this" : token.startsWith("./") ? token.slice(2) : token);
  if (path !== null) return { ok: true, evaluate: compilePath(path) };
  if (/^[\w-]+=/.test(token)) return fault(`named arguments such as "${token}" are not supported`);
  return fault(`"${token}" is not a variable`);
}

function constant(value: Json): Call {
  return { ok: true, evaluate: () => value };
}
