import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LeaseBook } from "#drivers/sqlite/leases.ts";

test("a lease is over at its end, whatever its length, and is named once it was not dropped", () => {
  const book = new LeaseBook();
  book.hold({ key: "long", fence: 1, isLent: false, leaseMs: 100 }, 0);
  book.hold({ key: "short", fence: 2, isLent: false, leaseMs: 10 }, 0);
  book.hold({ key: "dropped", fence: 3, isLent: false, leaseMs: 10 }, 0);
  book.drop("dropped");
  book.drop("never");
  assert.equal(book.nextMs, 10);
  assert.deepEqual(book.over(9, 9), []);
  assert.deepEqual(
    book.over(10, 9).map(({ key, fence }) => [key, fence]),
    [["short", 2]],
  );
  book.hold({ key: "short", fence: 2, isLent: false, leaseMs: 10 }, 95);
  assert.deepEqual(
    book.over(104, 9).map(({ key }) => key),
    ["long"],
  );
  assert.deepEqual(
    [book.held("short", 2) !== null, book.held("short", 1) !== null, book.held("dropped", 3) !== null],
    [true, false, false],
  );
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
        else book.hold({ key, fence: 1, isLent: false, leaseMs }, nowMs);
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

test("loans that were made before are over in the order of their ends, and one that is prolonged is a lease like any", () => {
  const book = new LeaseBook();
  book.adopt([
    { key: "late", fence: 1, untilMs: 900 },
    { key: "soon", fence: 2, untilMs: 100 },
    { key: "later", fence: 3, untilMs: 950 },
  ]);
  book.hold({ key: "new", fence: 4, isLent: false, leaseMs: 500 }, 0);
  assert.equal(book.nextMs, 100);
  assert.equal(book.held("soon", 2)?.isLent, true);
  book.hold({ key: "soon", fence: 2, isLent: true, leaseMs: 1_000 }, 50);
  assert.equal(book.nextMs, 500);
  assert.deepEqual(
    book.over(900, 9).map(({ key }) => key),
    ["late", "new"],
  );
});
