import assert from "node:assert/strict";
import { test } from "node:test";
import { account, type Evidence } from "./account.ts";

/** A send that came once, and one that a fault in between has made come twice, as it may. */
const GOOD: Evidence = {
  accepted: new Map([
    ["one", { to: "one@x", dueMs: 0, canceled: false }],
    ["two", { to: "two@x", dueMs: 0, canceled: false }],
  ]),
  lists: [],
  members: [],
  messages: [
    { id: "one", status: "SENT", recipient: "one@x" },
    { id: "two", status: "SENT", recipient: "two@x" },
  ],
  mails: [
    { to: "one@x", messageId: "<one@host>", atMs: 1_000 },
    { to: "two@x", messageId: "<two@host>", atMs: 2_000 },
    { to: "two@x", messageId: "<two@host>", atMs: 33_000 },
  ],
  outcomes: new Map([
    ["one", [1_010]],
    ["two", [33_010]],
  ]),
  troubles: [{ fromMs: 2_005, untilMs: 9_000 }],
};

test("what came once is well, and what came again after a fault is explained when nobody could know of the first", () => {
  assert.deepEqual(account(GOOD), {
    lost: [],
    wrong: [],
    unexplained: [],
    explained: [{ messageId: "<two@host>", beforeMs: 5 }],
  });
});

test("what was accepted and never came is lost", () => {
  const { lost } = account({ ...GOOD, mails: GOOD.mails.slice(1) });
  assert.deepEqual(lost, ["one to one@x was accepted and never came; it is SENT"]);
});

test("what came again without a fault in between is not explained", () => {
  for (const troubles of [[], [{ fromMs: 500, untilMs: 1_500 }], [{ fromMs: 33_001, untilMs: 34_000 }]]) {
    const { unexplained } = account({ ...GOOD, troubles });
    assert.deepEqual(unexplained, ["<two@host> came again to two@x, and nothing was wrong in between"]);
  }
});

test("what came again after its outcome was committed is not explained", () => {
  const { unexplained } = account({ ...GOOD, outcomes: new Map([["two", [2_010]]]) });
  assert.deepEqual(unexplained, ["<two@host> came again to two@x 30990 ms after its outcome was committed"]);
});

test("two outcomes of one message are wrong: the late one should have been refused", () => {
  const { wrong } = account({ ...GOOD, outcomes: new Map([["two", [33_010, 45_000]]]) });
  assert.deepEqual(wrong, ["two was committed as sent 2 times"]);
});
