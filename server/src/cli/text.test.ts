import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ago, span, table } from "#cli/output.ts";
import { SseReader } from "#cli/sse.ts";
import { clean, cleanLines, fit, widthOf, wrap } from "#cli/text.ts";
import { madeWorld } from "../../test/support/cli-world.ts";

const anyText = fc.string({
  unit: fc.constantFrom("a", "é", "日", "👩‍👩‍👧", "e\u0301", " ", "\u001b", "\u202e", "\n", "🇸🇪"),
});

test("wide characters, flags and families take two columns, combining marks none", () => {
  assert.deepEqual(["abc", "日本", "👩‍👩‍👧", "e\u0301", "🇸🇪", ""].map(widthOf), [3, 4, 2, 1, 2, 0]);
});

test("fitted text is never wider than asked, and untouched when it fits", () => {
  fc.assert(
    fc.property(
      anyText,
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom("end" as const, "middle" as const),
      (text, width, cut) => {
        const fitted = fit(text, width, cut);
        assert.ok(widthOf(fitted) <= width);
        if (widthOf(text) <= width) assert.equal(fitted, text);
      },
    ),
  );
  assert.equal(fit("ada@example.com", 9, "middle"), "ada@….com");
});

test("no control character survives cleaning", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(clean(text), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      for (const line of cleanLines(text)) assert.doesNotMatch(line, /[\p{Cc}\u202a-\u202e]/u);
    }),
  );
});

test("wrapping keeps every word and the width", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 20 }),
      fc.integer({ min: 8, max: 30 }),
      (words, width) => {
        const lines = wrap(words.join(" "), width);
        assert.deepEqual(lines.join(" ").split(" ").filter(Boolean), words);
        assert.ok(lines.every((line) => line.length <= width));
      },
    ),
  );
});

test("a table fits its screen while it can, cuts what may be cut, and leaves out what may be left out", () => {
  const columns = [{ title: "id" }, { title: "name", cut: "end" as const, min: 6 }, { title: "note", drop: 1 }];
  const rows = [
    ["1-abc", "a rather long name", "remarkable"],
    ["1-d", "short", ""],
  ];
  const at = (width: number) => table(madeWorld({ columns: width }).world.out, columns, rows);
  assert.deepEqual(at(40), [
    "ID     NAME                NOTE",
    "1-abc  a rather long name  remarkable",
    "1-d    short",
  ]);
  assert.deepEqual(at(27), ["ID     NAME      NOTE", "1-abc  a rathe…  remarkable", "1-d    short"]);
  assert.deepEqual(at(20), ["ID     NAME", "1-abc  a rather lon…", "1-d    short"]);
  assert.deepEqual(table(madeWorld().world.out, columns, rows), at(200), "a pipe gets everything");
});

test("time is told in the unit that matters", () => {
  assert.deepEqual([999, 2_100, 60_000, 200_000, 3_720_000, 187_200_000].map(span), [
    "999 ms",
    "2.1 s",
    "1 min",
    "3 min 20 s",
    "1 h 2 min",
    "2 d 4 h",
  ]);
  assert.deepEqual(
    [0, 59_000, 60_000, 7_200_000, 432_000_000].map((ms) => ago(ms, 0)),
    ["0s ago", "59s ago", "1m ago", "2h ago", "5d ago"],
  );
});

test("an event stream is read the same however it is cut", () => {
  const stream =
    "\uFEFFid: 7\nevent: e\ndata: one\ndata: two\n\n: beat\n\nid:8\r\ndata:three\r\n\r\nretry: 5\rdata: four\r\rdata: unfinished";
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const reader = new SseReader();
      const messages = places.slice(1).flatMap((end, index) => [...reader.push(stream.slice(places[index], end))]);
      assert.deepEqual(messages, [
        { event: "e", data: "one\ntwo", lastId: "7" },
        { event: "message", data: "three", lastId: "8" },
        { event: "message", data: "four", lastId: "8" },
      ]);
    }),
  );
});
