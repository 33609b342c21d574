import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LeaseBook } from "#drivers/sqlite/leases.ts";

test("a lease is over at its end, whatever its length, and is named once it was not dropped", () => {
  const book = new LeaseBook();
  book.hold("long", 1, 100, 0);
  book.hold("short", 2, 10, 0);
  book.hold("dropped", 3, 10, 0);
  book.drop("dropped");
  book.drop("never");
  assert.equal(book.nextMs, 10);
  assert.deepEqual(book.over(9, 9), []);
  assert.deepEqual(
    book.over(10, 9).map(({ key, fence }) => [key, fence]),
    [["short", 2]],
  );
  book.hold("short", 2, 10, 95);
  assert.deepEqual(
    book.over(104, 9).map(({ key }) => key),
    ["long"],
  );
  assert.deepEqual([book.holds("short", 2), book.holds("short", 1), book.holds("dropped", 3)], [true, false, false]);
});

test("the book agrees with a plain list, whatever is held and dropped in whatever order", () => {
  const change = fc.record({
    key: fc.constantFrom("a", "b", "c", "d", "e"),
    leaseMs: fc.constantFrom(0, 10, 25),
    passMs: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.nat(6), (changes, limit) => {
      const book = new LeaseBook();
      const list = new Map<string, number>();
      let nowMs = 0;
      for (const { key, leaseMs, passMs } of changes) {
        nowMs += passMs;
        if (leaseMs === 0) book.drop(key);
        else book.hold(key, 1, leaseMs, nowMs);
        if (leaseMs === 0) list.delete(key);
        else list.set(key, nowMs + leaseMs);
        const over = [...list]
          .filter(([, untilMs]) => untilMs <= nowMs)
          .map(([name]) => name)
          .sort();
        assert.deepEqual(
          book
            .over(nowMs, 99)
            .map((lease) => lease.key)
            .sort(),
          over,
        );
        assert.equal(book.over(nowMs, limit).length, Math.min(limit, over.length));
        assert.equal(book.nextMs, list.size === 0 ? null : Math.min(...list.values()));
      }
    }),
  );
});
