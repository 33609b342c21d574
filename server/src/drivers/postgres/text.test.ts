import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromStored, toStored } from "#drivers/postgres/text.ts";

/** Rich in what is escaped and in its neighbours. */
const text = fc.string({
  unit: fc.oneof(fc.constantFrom("\0", "\x01", "\x02", "a", "\ud7ff", "\ue000", "\u{10ffff}"), fc.string()),
});

function byCodePoints(a: string, b: string): number {
  return Math.sign(Buffer.compare(Buffer.from(a.toWellFormed()), Buffer.from(b.toWellFormed())));
}

test("a text comes back from what is stored for it, which holds no U+0000", () => {
  fc.assert(
    fc.property(text, (one) => {
      assert.equal(fromStored(toStored(one)), one);
      assert(!toStored(one).includes("\0"));
    }),
  );
});

test("a text without U+0000 and U+0001 is stored as it is", () => {
  fc.assert(
    fc.property(text, (one) => {
      const plain = one.replaceAll("\0", "").replaceAll("\x01", "");
      assert.equal(toStored(plain), plain);
    }),
  );
});

test("texts are stored in the order of their code points, and different ones differ", () => {
  fc.assert(
    fc.property(text, text, text, (common, a, b) => {
      const [one, two] = [common + a, common + b];
      assert.equal(byCodePoints(toStored(one), toStored(two)), byCodePoints(one, two));
    }),
  );
});

test("what begins so is stored to begin so", () => {
  fc.assert(fc.property(text, text, (prefix, rest) => assert(toStored(prefix + rest).startsWith(toStored(prefix)))));
});
