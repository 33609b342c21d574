import type { Json } from "#domain/json.ts";
import type { Evaluate, Frame, Loop } from "./frame.ts";
import { VARIABLE_CHARS_MAX } from "./limits.ts";
import type { Scope } from "./scope.ts";
import { follow } from "./value.ts";

/**
 * A variable: `name`, `order.lines[0].title`, `$.item.price`, `../name`, `@index`.
 * `up` counts the `../` before it.
 */
export type Path = { readonly head: string; readonly keys: readonly string[]; readonly up: number };

const HEAD = /(?:\$|@[a-z]+|[\p{L}_][\p{L}\p{N}_-]*)/uy;
const KEY = /\.([\p{L}\p{N}_][\p{L}\p{N}_-]*)|\.?\[(?:(\d+)|"([^"\]]*)"|'([^'\]]*)'|([\p{L}_][^\]"'[]*))\]/uy;

/** Reads a whole text as a variable; null when it is none. */
export function parsePath(source: string): Path | null {
  if (source.length > VARIABLE_CHARS_MAX) return null;
  let at = 0;
  while (source.startsWith("../", at)) at += 3;
  const up = at / 3;
  HEAD.lastIndex = at;
  const head = HEAD.exec(source)?.[0];
  if (head === undefined) return null;
  at += head.length;
  const keys: string[] = [];
  while (at < source.length) {
    KEY.lastIndex = at;
    const match = KEY.exec(source);
    if (match === null) return null;
    keys.push(match[1] ?? match[2] ?? match[3] ?? match[4] ?? match[5] ?? "");
    at += match[0].length;
  }
  if (head === "$" && keys.length === 0) return null;
  return { head, keys, up };
}

/** The path as its author knows it: what an error message calls it. */
export function pathName(path: Path): string {
  return [path.head, ...path.keys].join(".");
}

/**
 * Compiles a path to the reading of it.
 *
 * An explicit root (`data.`, `profile.`, `tenant.`, `brand.`, `refs.`, `$.…`) is looked at first and then, as for
 * every bare path: the item of an `{{#each}}`, the element's own `data`, the message's data, the built-ins, the profile.
 * Someone whose data has a `recipient` of its own means that one.
 */
export function compilePath(path: Path): Evaluate {
  const { head, keys, up } = path;
  if (head === "$") return compilePath({ head: keys[0] ?? "", keys: keys.slice(1), up: 0 });
  if (head === "this") return (frame) => follow(contextOf(frame, up), keys, 0);
  if (up > 0) return (frame) => follow(contextOf(frame, up), [head, ...keys], 0);
  if (head.startsWith("@")) return compileAt(head, keys);
  const anywhere = compileBare([head, ...keys]);
  const rooted = compileRooted(head, keys);
  if (rooted === null) return anywhere;
  return (frame) => {
    const found = rooted(frame);
    return found === undefined ? anywhere(frame) : found;
  };
}

function compileRooted(head: string, keys: readonly string[]): Evaluate | null {
  switch (head) {
    // `$.item` and `$.index`; without the dollar they are ordinary names unless nothing else bears them.
    case "item":
      return (frame) => (frame.loop === null ? undefined : follow(frame.loop.item, keys, 0));
    case "index":
      return keys.length > 0 ? null : (frame) => frame.loop?.index;
    case "refs":
      return (frame) => follow(frame.refs?.get(keys[0] ?? ""), keys, 1);
    case "data":
      return keys.length === 0 ? (frame) => frame.scope.data : (frame) => fromData(frame, keys);
    case "profile":
    case "tenant":
    case "brand":
      return keys.length === 0 ? null : (frame) => follow(frame.scope[head], keys, 0);
    default:
      return null;
  }
}

function compileBare(keys: readonly string[]): Evaluate {
  const builtin = BUILTINS.get(keys.join("."));
  const only = keys.length === 1 ? keys[0] : undefined;
  const root = only === "profile" || only === "tenant" || only === "brand" ? only : null;
  return (frame) => {
    if (frame.loop !== null) {
      const local = fromLoops(frame.loop, keys);
      if (local !== undefined) return local;
    }
    const found = fromData(frame, keys);
    if (found !== undefined) return found;
    if (builtin !== undefined) return builtin(frame.scope.builtins);
    return root === null ? follow(frame.scope.profile, keys, 0) : frame.scope[root];
  };
}

function fromData(frame: Frame, keys: readonly string[]): Json | undefined {
  for (let over = frame.overlay; over !== null; over = over.below) {
    const found = follow(over.data, keys, 0);
    if (found !== undefined) return found;
  }
  return follow(frame.scope.data, keys, 0);
}

function fromLoops(innermost: Loop, keys: readonly string[]): Json | undefined {
  for (let loop: Loop | null = innermost; loop !== null; loop = loop.outer) {
    const found = loop.bare ? follow(loop.item, keys, 0) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function contextOf(frame: Frame, up: number): Json | undefined {
  let loop = frame.loop;
  for (let steps = up; steps > 0 && loop !== null; steps -= 1) loop = loop.outer;
  return loop === null ? frame.scope.data : loop.item;
}

function compileAt(head: string, keys: readonly string[]): Evaluate {
  switch (head) {
    case "@index":
      return (frame) => frame.loop?.index;
    case "@key":
      return (frame) => frame.loop?.key ?? frame.loop?.index;
    case "@first":
      return (frame) => frame.loop?.index === 0;
    case "@last":
      return (frame) => frame.loop !== null && frame.loop.index === frame.loop.size - 1;
    case "@root":
      return (frame) => follow(frame.scope.data, keys, 0);
    default:
      return () => undefined;
  }
}

type Builtin = (builtins: Scope["builtins"]) => Json;

/** The names Courier reserves. Those whose meaning needs a tracker are known and empty. */
const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["messageId", (is) => is.messageId],
  ["recipient", (is) => is.recipient],
  ["event", (is) => is.event],
  ["template", (is) => is.template],
  ["courier.environment", (is) => is.environment],
  ["courier.scope", () => "published"],
  ["urls.unsubscribe", (is) => is.unsubscribeUrl],
  ["urls.preferences", (is) => is.preferencesUrl],
  ["urls.opened", () => null],
  ["datetime.year", (is) => is.year],
  ["openTrackingId", () => null],
  ["unsubscribeTrackingId", () => null],
  ["subscriptionTopicId", () => null],
]);
