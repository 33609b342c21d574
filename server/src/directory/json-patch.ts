import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** Where a patched value must stay below, looked at after each operation: copying can double it each time. */
export type PatchLimits = { readonly charsMax: number; readonly depthMax: number };

export type Patched =
  | { readonly kind: "patched"; readonly value: Json }
  /** `at` is the index of the operation that could not be done. */
  | { readonly kind: "failed"; readonly at: number; readonly reason: string };

/**
 * Applies a JSON Patch (RFC 6902): all operations or none. `value` is not touched; what did not change is shared with
 * the result. Operations are read as they come: unknown members are ignored, malformed ones fail.
 */
export function applyPatch(value: Json, operations: readonly unknown[], limits: PatchLimits): Patched {
  let patched = value;
  for (const [at, operation] of operations.entries()) {
    const result = isJsonObject(operation) ? applyOne(patched, operation) : fail("an operation is an object");
    if ("fault" in result) return { kind: "failed", at, reason: result.fault };
    patched = result.value;
    if (!jsonFits(patched, limits)) return { kind: "failed", at, reason: "the result grows too large or too deep" };
  }
  return { kind: "patched", value: patched };
}

/** Whether JSON has at most about `charsMax` characters and `depthMax` levels; stops looking where it has more. */
export function jsonFits(value: Json, { charsMax, depthMax }: PatchLimits): boolean {
  let left = charsMax;
  const walk = (node: Json, depth: number): boolean => {
    left -= typeof node === "string" ? node.length + 2 : 1;
    if (left < 0) return false;
    if (typeof node !== "object" || node === null) return true;
    if (depth >= depthMax) return false;
    if (isJsonObject(node)) {
      return Object.entries(node).every(([key, child]) => {
        left -= key.length + 3;
        return walk(child, depth + 1);
      });
    }
    return node.every((child) => walk(child, depth + 1));
  };
  return walk(value, 0);
}

/** Equal as RFC 6902 §4.6 has it: the order of an object's members does not matter. */
export function jsonEquals(one: Json, other: Json): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (isJsonObject(one)) {
    if (!isJsonObject(other)) return false;
    const keys = Object.keys(one);
    return (
      keys.length === Object.keys(other).length &&
      keys.every((key) => {
        const [mine, theirs] = [member(one, key), member(other, key)];
        return mine !== undefined && theirs !== undefined && jsonEquals(mine, theirs);
      })
    );
  }
  if (isJsonObject(other) || one.length !== other.length) return false;
  return one.every((element, at) => {
    const theirs = other[at];
    return theirs !== undefined && jsonEquals(element, theirs);
  });
}

type Result = { readonly value: Json } | { readonly fault: string };

function applyOne(root: Json, operation: JsonObject): Result {
  const path = pointer(operation, "path");
  if ("fault" in path) return path;
  const op = member(operation, "op");
  switch (op) {
    case "add":
    case "replace":
    case "test": {
      const value = member(operation, "value");
      if (value === undefined) return fail(`'${op}' needs a value`);
      if (op === "add") return edit(root, path.tokens, (parent, token) => insert(parent, token, value), value);
      if (op === "replace") return edit(root, path.tokens, (parent, token) => overwrite(parent, token, value), value);
      const found = lookUp(root, path.tokens);
      if ("fault" in found) return found;
      return jsonEquals(found.value, value) ? { value: root } : fail("the test failed");
    }
    case "remove":
      return edit(root, path.tokens, cut, undefined);
    case "move":
    case "copy": {
      const from = pointer(operation, "from");
      if ("fault" in from) return from;
      const found = lookUp(root, from.tokens);
      if ("fault" in found || op === "copy") return "fault" in found ? found : put(root, path.tokens, found.value);
      if (samePlace(from.tokens, path.tokens)) return { value: root };
      if (samePlace(from.tokens, path.tokens.slice(0, from.tokens.length))) return fail("nothing moves into itself");
      const without = edit(root, from.tokens, cut, undefined);
      return "fault" in without ? without : put(without.value, path.tokens, found.value);
    }
    default:
      return fail("'op' is one of add, remove, replace, move, copy, test");
  }
}

function put(root: Json, tokens: readonly string[], value: Json): Result {
  return edit(root, tokens, (parent, token) => insert(parent, token, value), value);
}

/** Rebuilds the way from the root to the parent of the place, where `change` does its work; the root becomes `whole`. */
function edit(
  node: Json,
  tokens: readonly string[],
  change: (parent: JsonObject | readonly Json[], token: string) => Result,
  whole: Json | undefined,
): Result {
  const [token, ...rest] = tokens;
  if (token === undefined) return whole === undefined ? fail("the whole cannot be removed") : { value: whole };
  if (!isContainer(node)) return fail(`there is nothing at '${token}'`);
  if (rest.length === 0) return change(node, token);
  const child = step(node, token);
  if (child === undefined) return fail(`there is nothing at '${token}'`);
  const changed = edit(child, rest, change, whole);
  return "fault" in changed ? changed : overwrite(node, token, changed.value);
}

/** §4.1: sets a member; inserts before an element, "-" behind the last. */
function insert(parent: JsonObject | readonly Json[], token: string, value: Json): Result {
  if (isJsonObject(parent)) return { value: { ...parent, [token]: value } };
  const at = token === "-" ? parent.length : indexOf(token);
  return at === null || at > parent.length
    ? fail(`'${token}' is no place in the array`)
    : { value: parent.toSpliced(at, 0, value) };
}

/** §4.3: like `insert`, but something must be there. */
function overwrite(parent: JsonObject | readonly Json[], token: string, value: Json): Result {
  if (step(parent, token) === undefined) return fail(`there is nothing at '${token}'`);
  return { value: isJsonObject(parent) ? { ...parent, [token]: value } : parent.with(Number(token), value) };
}

/** §4.2 */
function cut(parent: JsonObject | readonly Json[], token: string): Result {
  if (step(parent, token) === undefined) return fail(`there is nothing at '${token}'`);
  if (!isJsonObject(parent)) return { value: parent.toSpliced(Number(token), 1) };
  return { value: Object.fromEntries(Object.entries(parent).filter(([key]) => key !== token)) };
}

function lookUp(root: Json, tokens: readonly string[]): Result {
  let node = root;
  for (const token of tokens) {
    const child = isContainer(node) ? step(node, token) : undefined;
    if (child === undefined) return fail(`there is nothing at '${token}'`);
    node = child;
  }
  return { value: node };
}

function step(parent: JsonObject | readonly Json[], token: string): Json | undefined {
  if (isJsonObject(parent)) return member(parent, token);
  const at = indexOf(token);
  return at === null ? undefined : parent[at];
}

/** An own member, so that `__proto__` and `constructor` are names like any other. */
function member(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** RFC 6901 §4: no leading zeros, no sign. */
function indexOf(token: string): number | null {
  return /^(?:0|[1-9]\d{0,8})$/.test(token) ? Number(token) : null;
}

/** RFC 6901 §3 and §4: `~1` stands for `/`, then `~0` for `~`. */
function pointer(operation: JsonObject, name: "path" | "from"): { tokens: readonly string[] } | { fault: string } {
  const text = member(operation, name);
  if (typeof text !== "string") return fail(`'${name}' is a JSON Pointer`);
  if (text === "") return { tokens: [] };
  if (!text.startsWith("/") || /~(?![01])/.test(text)) return fail(`'${name}' is not a JSON Pointer`);
  const tokens = text.slice(1).split("/");
  return { tokens: tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~")) };
}

function isContainer(node: Json): node is JsonObject | readonly Json[] {
  return typeof node === "object" && node !== null;
}

function samePlace(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((token, at) => token === other[at]);
}

function fail(fault: string): { readonly fault: string } {
  return { fault };
}
