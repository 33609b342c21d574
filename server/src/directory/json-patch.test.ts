import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { applyPatch, jsonEquals } from "#directory/json-patch.ts";
import type { Json } from "#domain/json.ts";

const LIMITS = { charsMax: 10_000, depthMax: 32 };

/** The patched value, or the fault as `{ fault }`. */
function patch(value: Json, ...operations: unknown[]): unknown {
  const patched = applyPatch(value, operations, LIMITS);
  return patched.kind === "patched" ? patched.value : { failedAt: patched.at };
}

const json = (text: string) => JSON.parse(text) as Json;

describe("JSON Patch does what appendix A of RFC 6902 shows", () => {
  const examples: readonly (readonly [name: string, before: string, operations: string, after: string | null])[] = [
    [
      "A.1 adding an object member",
      '{"foo":"bar"}',
      '[{"op":"add","path":"/baz","value":"qux"}]',
      '{"baz":"qux","foo":"bar"}',
    ],
    [
      "A.2 adding an array element",
      '{"foo":["bar","baz"]}',
      '[{"op":"add","path":"/foo/1","value":"qux"}]',
      '{"foo":["bar","qux","baz"]}',
    ],
    ["A.3 removing an object member", '{"baz":"qux","foo":"bar"}', '[{"op":"remove","path":"/baz"}]', '{"foo":"bar"}'],
    [
      "A.4 removing an array element",
      '{"foo":["bar","qux","baz"]}',
      '[{"op":"remove","path":"/foo/1"}]',
      '{"foo":["bar","baz"]}',
    ],
    [
      "A.5 replacing a value",
      '{"baz":"qux","foo":"bar"}',
      '[{"op":"replace","path":"/baz","value":"boo"}]',
      '{"baz":"boo","foo":"bar"}',
    ],
    [
      "A.6 moving a value",
      '{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}',
      '[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]',
      '{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}',
    ],
    [
      "A.7 moving an array element",
      '{"foo":["all","grass","cows","eat"]}',
      '[{"op":"move","from":"/foo/1","path":"/foo/3"}]',
      '{"foo":["all","cows","eat","grass"]}',
    ],
    [
      "A.8 testing a value: success",
      '{"baz":"qux","foo":["a",2,"c"]}',
      '[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]',
      '{"baz":"qux","foo":["a",2,"c"]}',
    ],
    ["A.9 testing a value: error", '{"baz":"qux"}', '[{"op":"test","path":"/baz","value":"bar"}]', null],
    [
      "A.10 adding a nested member object",
      '{"foo":"bar"}',
      '[{"op":"add","path":"/child","value":{"grandchild":{}}}]',
      '{"foo":"bar","child":{"grandchild":{}}}',
    ],
    [
      "A.11 ignoring unrecognized elements",
      '{"foo":"bar"}',
      '[{"op":"add","path":"/baz","value":"qux","xyz":123}]',
      '{"foo":"bar","baz":"qux"}',
    ],
    ["A.12 adding to a nonexistent target", '{"foo":"bar"}', '[{"op":"add","path":"/baz/bat","value":"qux"}]', null],
    ["A.14 tilde escape ordering", '{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":10}]', '{"/":9,"~1":10}'],
    ["A.15 comparing strings and numbers", '{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":"10"}]', null],
    [
      "A.16 adding an array value",
      '{"foo":["bar"]}',
      '[{"op":"add","path":"/foo/-","value":["abc","def"]}]',
      '{"foo":["bar",["abc","def"]]}',
    ],
  ];
  for (const [name, before, operations, after] of examples) {
    test(name, () => {
      const patched = applyPatch(json(before), JSON.parse(operations) as unknown[], LIMITS);
      assert.deepEqual(patched.kind === "patched" ? patched.value : null, after === null ? null : json(after));
    });
  }
});

test("one operation that fails undoes none of the value, because nothing was done to it", () => {
  const before = { a: [1], b: "x" };
  assert.deepEqual(patch(before, { op: "add", path: "/a/-", value: 2 }, { op: "remove", path: "/c" }), { failedAt: 1 });
  assert.deepEqual(before, { a: [1], b: "x" });
});

test("what is not an operation fails instead of being guessed", () => {
  const wrong: unknown[] = [
    null,
    "add",
    [],
    {},
    { op: "add", path: "/a" },
    { op: "add", path: "a", value: 1 },
    { op: "add", path: 1, value: 1 },
    { op: "add", path: "/a~2", value: 1 },
    { op: "add", path: "/a~", value: 1 },
    { op: "ADD", path: "/a", value: 1 },
    { op: "move", path: "/a" },
    { op: "remove", path: "" },
    { op: "add", path: "/list/01", value: 1 },
    { op: "add", path: "/list/3", value: 1 },
    { op: "replace", path: "/list/-", value: 1 },
    { op: "add", path: "/list/x", value: 1 },
    { op: "move", from: "/o", path: "/o/p" },
    { op: "replace", path: "/none", value: 1 },
    { op: "add", path: "/text/0", value: 1 },
  ];
  for (const operation of wrong) {
    assert.deepEqual(patch({ list: [1, 2], o: {}, text: "t" }, operation), { failedAt: 0 }, JSON.stringify(operation));
  }
});

test("the whole can be replaced, tested and copied into itself", () => {
  assert.deepEqual(patch({ a: 1 }, { op: "replace", path: "", value: { b: 2 } }), { b: 2 });
  assert.deepEqual(patch({ a: 1 }, { op: "copy", from: "", path: "/b" }), { a: 1, b: { a: 1 } });
  assert.deepEqual(patch({ a: 1 }, { op: "move", from: "/a", path: "/a" }, { op: "test", path: "", value: { a: 1 } }), {
    a: 1,
  });
});

test("names like __proto__ are names, and nothing of ours is changed by them", () => {
  const patched = applyPatch({}, [{ op: "add", path: "/__proto__", value: { admin: true } }], LIMITS);
  assert.ok(patched.kind === "patched");
  assert.equal(JSON.stringify(patched.value), '{"__proto__":{"admin":true}}');
  assert.equal(({} as { admin?: boolean }).admin, undefined);
  assert.deepEqual(patch({}, { op: "add", path: "/constructor/prototype", value: 1 }), { failedAt: 0 });
});

test("copying a value into itself again and again ends before memory does", () => {
  const doublings = Array.from({ length: 100 }, (_, at) => ({ op: "copy", from: "", path: `/copy${at}` }));
  const patched = applyPatch({ word: "x".repeat(100) }, doublings, LIMITS);
  assert.equal(patched.kind, "failed");
});

const someJson = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(null, true, 0, 1, "", "x"),
    fc.array(tie("json"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "/", "~", "0"), tie("json"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).json;
const somePath = fc
  .array(fc.constantFrom("a", "b", "~1", "~0", "0", "1", "-"), { maxLength: 3 })
  .map((tokens) => tokens.map((token) => `/${token}`).join(""));
const someOperation = fc.oneof(
  fc.record({ op: fc.constantFrom("add", "replace", "test"), path: somePath, value: someJson }),
  fc.record({ op: fc.constantFrom("move", "copy"), path: somePath, from: somePath }),
  fc.record({ op: fc.constant("remove"), path: somePath }),
);

type AnyOperation = { op: string; path: string; from?: string; value?: Json };

/** RFC 6902 word for word, by changing a copy in place: slow, and written without looking at the other. */
function naivePatch(before: Json, operations: readonly AnyOperation[]): { value: Json } | null {
  const root = { whole: structuredClone(before) as unknown };
  const tokensOf = (path: string) => [
    "whole",
    ...path
      .split("/")
      .slice(1)
      .map((token) => token.replace(/~1/g, "/").replace(/~0/g, "~")),
  ];
  const read = (path: string): unknown => {
    let node: unknown = root;
    for (const token of tokensOf(path)) {
      if (typeof node !== "object" || node === null || !Object.hasOwn(node, token)) throw new Error("nothing there");
      if (Array.isArray(node) && !/^\d+$/.test(token)) throw new Error("nothing there");
      node = (node as Record<string, unknown>)[token];
    }
    return node;
  };
  const parentOf = (path: string): readonly [Record<string, unknown> | unknown[], string] => {
    const tokens = tokensOf(path);
    const token = tokens.pop() ?? "";
    let node: unknown = root;
    for (const each of tokens) {
      if (typeof node !== "object" || node === null || !Object.hasOwn(node, each)) throw new Error("nothing there");
      node = (node as Record<string, unknown>)[each];
    }
    if (typeof node !== "object" || node === null) throw new Error("no container");
    return [node as Record<string, unknown>, token];
  };
  const add = (path: string, value: unknown) => {
    const [parent, token] = parentOf(path);
    if (!Array.isArray(parent)) parent[token] = value;
    else {
      const at = token === "-" ? parent.length : Number(token);
      if (!(at >= 0 && at <= parent.length)) throw new Error("out of bounds");
      parent.splice(at, 0, value);
    }
  };
  const remove = (path: string) => {
    if (path === "") throw new Error("the whole cannot be removed");
    read(path);
    const [parent, token] = parentOf(path);
    if (Array.isArray(parent)) parent.splice(Number(token), 1);
    else delete parent[token];
  };
  try {
    for (const { op, path, from = "", value } of operations) {
      const copy = structuredClone(value);
      if (op === "add") add(path, copy);
      else if (op === "remove") remove(path);
      else if (op === "replace") {
        read(path);
        const [parent, token] = parentOf(path);
        (parent as Record<string, unknown>)[token] = copy;
      } else if (op === "test") assert.deepEqual(read(path), value);
      else if (op === "copy") add(path, structuredClone(read(from)));
      else if (from === path) read(from);
      else {
        if (path.startsWith(`${from}/`)) throw new Error("into itself");
        const moved = read(from);
        remove(from);
        add(path, moved);
      }
    }
    return { value: root.whole as Json };
  } catch {
    return null;
  }
}

test("any patch on any value comes out as a naive reading of the RFC says", () => {
  let done = 0;
  fc.assert(
    fc.property(someJson, fc.array(someOperation, { maxLength: 4 }), (before, operations) => {
      const untouched = structuredClone(before);
      const patched = applyPatch(before, operations, LIMITS);
      const expected = naivePatch(before, operations);
      assert.deepEqual(patched.kind === "patched" ? { value: patched.value } : null, expected);
      assert.deepEqual(before, untouched);
      if (expected !== null) done += 1;
    }),
    { numRuns: 2_000 },
  );
  assert.ok(done > 300, `too few of the patches could be done to mean anything: ${done}`);
});

test("values are equal exactly when assert finds them so", () => {
  const equals = (one: Json, other: Json) => {
    try {
      assert.deepEqual(one, other);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(fc.property(someJson, someJson, (one, other) => assert.equal(jsonEquals(one, other), equals(one, other))));
  fc.assert(fc.property(someJson, (one) => assert.ok(jsonEquals(one, structuredClone(one)))));
});
