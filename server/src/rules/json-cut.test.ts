import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cut, cutOne, type JsonPath, readJsonPath, weave } from "#rules/json-cut.ts";

test("what is cut out of a text is what its parser finds there, whatever the blanks", () => {
  const blanks = fc.constantFrom(undefined, 1, "\t", " \n");
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), blanks, fc.nat(), (json, indent, dice) => {
      const path = somePath(json, dice);
      const text = ` ${JSON.stringify(json, null, indent)} `;
      const found = cutOne(text, path);
      assert.ok(found !== undefined, path.join("."));
      assert.deepEqual(JSON.parse(found), JSON.parse(JSON.stringify(at(json, path))));
    }),
    { numRuns: 500 },
  );
});

test("many paths are cut in one walk as one by one", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.array(fc.nat(), { maxLength: 6 }), (json, dice) => {
      const text = JSON.stringify(json);
      const paths = dice.map((one) => somePath(json, one));
      assert.deepEqual(
        cut(text, weave(paths), paths.length),
        paths.map((path) => cutOne(text, path)),
      );
    }),
  );
});

test("numbers and strings stay as they were written", () => {
  const text = '{"n":12345678901234567890.10,"s":"a\\u0041\\/","e":1E5}';
  assert.equal(cutOne(text, ["n"]), "12345678901234567890.10");
  assert.equal(cutOne(text, ["s"]), '"a\\u0041\\/"');
  assert.equal(cutOne(text, ["e"]), "1E5");
});

test("of a member that is written twice the last one counts, with all that is in it", () => {
  const text = '{"a":{"b":1,"c":2},"a":{"b":3}}';
  assert.deepEqual(cut(text, weave([["a", "b"], ["a", "c"], ["a"]]), 3), ["3", undefined, '{"b":3}']);
});

test("what is not there is not found, and names of the language's own objects are no members", () => {
  for (const path of [["x"], ["a", "x"], ["a", 0], ["l", 2], ["l", "length"], ["constructor"], ["__proto__"]]) {
    assert.equal(cutOne('{"a":{"b":1},"l":[1,2]}', path), undefined, path.join("."));
  }
});

test("escaped names are the names that they mean", () => {
  assert.equal(cutOne('{"\\u0061":1}', ["a"]), "1");
});

test("paths are read as EventBridge writes them", () => {
  const cases: readonly (readonly [string, JsonPath | null])[] = [
    ["$", []],
    ["$.detail-type", ["detail-type"]],
    ["$.detail.items[0].sku", ["detail", "items", 0, "sku"]],
    ["$['a b'][\"c.d\"]", ["a b", "c.d"]],
    ["detail", null],
    ["$.", null],
    ["$..a", null],
    ["$.a[", null],
    ["$.a[-1]", null],
    ["", null],
  ];
  for (const [text, path] of cases) assert.deepEqual(readJsonPath(text), path, text);
});

function somePath(json: unknown, dice: number): JsonPath {
  const path: (string | number)[] = [];
  let value = json;
  for (let rest = dice; rest % 5 !== 0 && typeof value === "object" && value !== null; rest = Math.floor(rest / 5)) {
    const keys = Object.keys(value);
    const key = keys[rest % Math.max(1, keys.length)];
    if (key === undefined) break;
    path.push(Array.isArray(value) ? Number(key) : key);
    value = at(value, path.slice(-1));
  }
  return path;
}

function at(json: unknown, path: JsonPath): unknown {
  return path.reduce<unknown>((value, step) => Object.getOwnPropertyDescriptor(value, step)?.value, json);
}
