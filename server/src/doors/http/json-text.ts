import type { Json } from "#domain/json.ts";
import { JSON_DEPTH_MAX } from "#domain/limits.ts";

/** What was read, or a sentence that says where the text is not JSON as we take it. */
export type JsonRead = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly says: string };

/**
 * Reads JSON that came from outside: RFC 8259, at most `JSON_DEPTH_MAX` deep, and without keys that would change the
 * prototype of whatever it is merged into. The depth is counted before parsing.
 */
export function readJson(text: string): JsonRead {
  const deep = tooDeepAt(text);
  if (deep !== -1) {
    return { ok: false, says: `The body nests deeper than ${JSON_DEPTH_MAX} levels at ${place(text, deep)}.` };
  }
  let value: Json;
  try {
    // JSON.parse gives what JSON can say and nothing else.
    value = JSON.parse(text) as Json;
  } catch {
    const at = brokenAt(text);
    return {
      ok: false,
      says:
        at >= text.trimEnd().length
          ? "The body ends before its JSON does."
          : `The body is not JSON at ${place(text, at)}.`,
    };
  }
  if (PROTO_KEY.test(text)) return { ok: false, says: 'The body has a key named "__proto__", which is not accepted.' };
  if (CONSTRUCTOR_KEY.test(text) && hasConstructorPrototype(value)) {
    return { ok: false, says: 'The body has a key "constructor" that holds "prototype", which is not accepted.' };
  }
  return { ok: true, value };
}

/** `"__proto__":` as a key, with any of its letters escaped. */
const PROTO_KEY =
  /"(?:_|\\u005[Ff]){2}(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006[Ff])(?:t|\\u0074)(?:o|\\u006[Ff])(?:_|\\u005[Ff]){2}"\s*:/;
/** The key `constructor`, perhaps escaped, with an object behind it; looked at closely only then. */
const CONSTRUCTOR_KEY = /"(?:constructor|[a-z]*\\u00[67][0-9A-Fa-f][^"]*)"\s*:\s*\{/;

function hasConstructorPrototype(value: Json): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasConstructorPrototype);
  return Object.entries(value).some(
    ([key, inner]) =>
      (key === "constructor" && typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype")) ||
      hasConstructorPrototype(inner),
  );
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where the nesting first exceeds the limit, or -1. Strings are skipped by `indexOf`, so long ones cost nothing. */
function tooDeepAt(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > JSON_DEPTH_MAX) return at;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return -1;
}

/** The closing quote of the string that opens at `from`; the end of the text if it is never closed. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

const TOKEN =
  // oxlint-disable-next-line no-control-regex -- RFC 8259 §7 forbids control characters in strings
  /[\t\n\r ]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;

/**
 * Where text stops being JSON. Only asked when JSON.parse has refused it, because the engine's own message does not
 * always tell. Walks token by token and keeps what may come next.
 */
export function brokenAt(text: string): number {
  const open: ("{" | "[")[] = [];
  let want: "value" | "valueOrEnd" | "key" | "keyOrEnd" | "colon" | "commaOrEnd" | "nothing" = "value";
  TOKEN.lastIndex = 0;
  for (let at = 0; ; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    const here = at + (/^[\t\n\r ]*/.exec(text.slice(at, at + 1_000))?.[0].length ?? 0);
    if (match === null) return here;
    const [, mark, string, other] = match;
    const wantsValue = want === "value" || want === "valueOrEnd";
    const after = (): "commaOrEnd" | "nothing" => (open.length === 0 ? "nothing" : "commaOrEnd");
    if (mark === "{" || mark === "[") {
      if (!wantsValue) return here;
      open.push(mark);
      want = mark === "{" ? "keyOrEnd" : "valueOrEnd";
    } else if (mark === "}" || mark === "]") {
      const opener = mark === "}" ? "{" : "[";
      const mayEnd = want === "commaOrEnd" || want === (mark === "}" ? "keyOrEnd" : "valueOrEnd");
      if (!mayEnd || open.pop() !== opener) return here;
      want = after();
    } else if (mark === ",") {
      if (want !== "commaOrEnd") return here;
      want = open.at(-1) === "{" ? "key" : "value";
    } else if (mark === ":") {
      if (want !== "colon") return here;
      want = "value";
    } else if (string !== undefined && (want === "key" || want === "keyOrEnd")) want = "colon";
    else if ((string !== undefined || other !== undefined) && wantsValue) want = after();
    else return here;
  }
}

function place(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return `position ${at} (line ${line}, column ${at - before.lastIndexOf("\n")})`;
}
