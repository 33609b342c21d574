import assert from "node:assert/strict";
import { test } from "node:test";
import { type EventLeaves, readEvent, readEventText } from "./event-leaves.ts";
import { EVENT_DEPTH_MAX } from "./limits.ts";
import { LongNumber } from "./scalar.ts";
import { Wanted } from "./wanted.ts";

function valuesOf(leaves: EventLeaves | null): Readonly<Record<string, readonly unknown[]>> | null {
  if (leaves === null) return null;
  return Object.fromEntries(
    [...leaves].map(([path, found]) => [
      path,
      found.map(({ value }) => (value instanceof LongNumber ? value.digits : value)),
    ]),
  );
}

function read(text: string, ...paths: readonly string[]): Readonly<Record<string, readonly unknown[]>> | null {
  return valuesOf(readEventText(text, new Wanted(paths)));
}

test("only what is wanted is kept, by the names that lead to it", () => {
  const text = '{"a":{"b":1,"c":["x",["y"]]},"d":[{"e":true},{"e":false,"f":null}],"z":{"a":"}]\\""}}';
  assert.deepEqual(read(text, "a.b", "a.c", "d.e", "d.f"), {
    "a.b": [1],
    "a.c": ["x", "y"],
    "d.e": [true, false],
    "d.f": [null],
  });
  assert.deepEqual(read(text, "a", "d.g", "q"), {});
  assert.deepEqual(read(` { "a" :\n[ 1 , "\\u0041\\n" ,\t2.50 ] } `, "a"), { a: [1, "A\n", 2.5] });
});

test("digits that a double would lose are kept", () => {
  assert.deepEqual(read('{"a":[12345678901234567890,1e400,1.5,-0]}', "a"), {
    a: ["12345678901234567890", "1e400", 1.5, -0],
  });
});

test("the last of a repeated name counts, wherever it is repeated", () => {
  assert.deepEqual(read('{"a":1,"b":2,"a":3}', "a", "b"), { a: [3], b: [2] });
  assert.deepEqual(read('{"a":{"x":1},"a":{"y":2}}', "a.x", "a.y"), { "a.y": [2] });
  assert.deepEqual(read('{"l":[{"a":1,"a":2},{"a":3}]}', "l.a"), { "l.a": [2, 3] });
  assert.deepEqual(read('{"a":1,"\\u0061":2}', "a"), { a: [2] });
  // One path by two spellings is no repetition, but a spelling may be repeated around the other.
  assert.deepEqual(read('{"a.b":1,"a":{"b":2}}', "a.b"), { "a.b": [1, 2] });
  assert.deepEqual(read('{"a.b":1,"a":{"b":2},"a.b":3}', "a.b"), { "a.b": [3, 2] });
});

test("an envelope that is known stands beside the text of its detail", () => {
  const wanted = new Wanted(["source", "detail-type", "resources", "detail.a", "id"]);
  const envelope = { source: "shop", "detail-type": "made", resources: ["r1", "r2"], region: "x" };
  assert.deepEqual(valuesOf(readEvent(envelope, '{"a":[1],"a":[2,3]}', wanted)), {
    source: ["shop"],
    "detail-type": ["made"],
    resources: ["r1", "r2"],
    "detail.a": [2, 3],
  });
  assert.deepEqual(valuesOf(readEvent({}, '"just text"', new Wanted(["detail"]))), { detail: ["just text"] });
  assert.deepEqual(valuesOf(readEvent({ source: "s" }, "not read at all", new Wanted(["source"]))), { source: ["s"] });
});

test("what is not JSON is told, not thrown", () => {
  for (const text of [
    "",
    "[1]",
    "1",
    "null",
    "{",
    '{"a":1',
    '{"a":}',
    '{"a":1,}',
    '{"a":1}x',
    '{"a":tru}',
    '{"a":01}',
    '{"a":"\\x"}',
    "{a:1}",
  ]) {
    assert.equal(readEventText(text, new Wanted(["a"])), null, text);
    if (!["[1]", "1", "null"].includes(text)) assert.equal(readEvent({}, text, new Wanted(["detail.a"])), null, text);
  }
  assert.equal(readEvent({}, "nul", new Wanted(["detail"])), null);
  for (const text of ['{"a":"\\u00', '{"a":"x', '{"a":[1 2]}', '{"a" 1}', '{"a":[1,]}', '{"a":[', "{]", "[}"]) {
    assert.equal(readEvent({}, text, new Wanted(["detail.a"])), null, text);
  }
});

test("what is nested out of all reason is not walked through, and skipped where nobody wants it", () => {
  const nested = (levels: number) => `{"a":${"[".repeat(levels)}1${"]".repeat(levels)},"b":2}`;
  assert.deepEqual(read(nested(EVENT_DEPTH_MAX - 1), "a"), { a: [1] });
  assert.equal(read(nested(EVENT_DEPTH_MAX), "a"), null);
  assert.deepEqual(read(nested(100_000), "b"), { b: [2] });
});

test("paths that are no longer asked for leave nothing behind", () => {
  const wanted = new Wanted(["a.b.c", "a.b", "a.b"]);
  wanted.remove("a.b");
  assert.deepEqual(valuesOf(readEventText('{"a":{"b":[1,{"c":2}]}}', wanted)), { "a.b": [1], "a.b.c": [2] });
  wanted.remove("a.b.c");
  wanted.remove("a.b");
  assert.equal(wanted.root.children.size, 0);
  assert.throws(() => wanted.remove("a.b"), /broken invariant/);
});
