import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { brokenAt, readJson } from "#doors/http/json-text.ts";

test("whatever JSON can say is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      if (/__proto__|constructor/.test(text)) return;
      assert.deepEqual(readJson(text), { ok: true, value: JSON.parse(text) });
    }),
  );
});

test("where text stops being JSON is where no text that begins so can be JSON", () => {
  const pieces = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"\\u0041"',
    "1",
    "-0.5e3",
    "true",
    "null",
    " ",
    "\n",
    "x",
    "01",
    '"',
    "\\",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      try {
        JSON.parse(text);
        return;
      } catch {
        const at = brokenAt(text);
        assert.ok(at >= 0 && at <= text.length);
        // Cut there, it breaks exactly at its end: nothing before was wrong.
        assert.equal(brokenAt(text.slice(0, at)), at);
      }
    }),
    { numRuns: 500 },
  );
});

test("the place is told by position, line and column", () => {
  assert.deepEqual(readJson('{"a": 1,\n  "b" 2}'), {
    ok: false,
    says: "The body is not JSON at position 15 (line 2, column 7).",
  });
  assert.deepEqual(readJson('{"a": "never closed'), {
    ok: false,
    says: "The body is not JSON at position 6 (line 1, column 7).",
  });
  assert.deepEqual(readJson("[1, 2"), { ok: false, says: "The body ends before its JSON does." });
});

test("a key that would change a prototype is refused however it is spelled, and values are not touched", () => {
  for (const text of [
    '{"__proto__":1}',
    '{"\\u005f_proto__":1}',
    '[{"a":{"__pr\\u006fto__"\n:{}}}]',
    '{"constructor":{"prototype":{}}}',
    '{"c\\u006fnstructor": {"prototype":0}}',
  ]) {
    assert.equal(readJson(text).ok, false, text);
  }
  for (const text of [
    '{"proto":1}',
    '"__proto__"',
    '{"a":"\\"__proto__\\": 1"}',
    '{"constructor":"Acme"}',
    '{"constructor":{"name":"prototype"}}',
    '{"prototype":{"constructor":1}}',
  ]) {
    assert.equal(readJson(text).ok, true, text);
  }
});
