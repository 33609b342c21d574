import assert from "node:assert/strict";
import { test } from "node:test";
import { audit, type Evidence, type Findings } from "./audit.ts";

/** Two lives: ada and cy in the first, bo (delayed) in the second; di was cancelled; a list of two. */
function given(change: (evidence: Mutable) => void = () => {}): Evidence {
  const evidence: Mutable = {
    accepted: new Map([
      ["1-ada", { to: "ada", dueMs: 0, canceled: false }],
      ["1-bo", { to: "bo", dueMs: 1_500, canceled: false }],
      ["1-cy", { to: "cy", dueMs: 0, canceled: false }],
      ["1-di", { to: "di", dueMs: 5_000, canceled: true }],
    ]),
    lists: [{ id: "1-list", complete: true, sent: 2, size: 2 }],
    listsUnanswered: 0,
    members: ["u1", "u2"],
    messages: [
      { id: "1-ada", status: "SENT", recipient: "ada" },
      { id: "1-bo", status: "SENT", recipient: "bo" },
      { id: "1-cy", status: "SENT", recipient: "cy" },
      { id: "1-di", status: "CANCELED", recipient: "di" },
      { id: "1-list-u1", status: "SENT", recipient: "u1" },
      { id: "1-list-u2", status: "SENT", recipient: "u2" },
      { id: "1-unanswered", status: "SENT", recipient: "eve" },
    ],
    mails: [
      mail("ada", 500),
      mail("u1", 600),
      mail("u2", 700),
      mail("cy", 990),
      mail("cy", 1_400),
      mail("bo", 1_600),
      mail("eve", 1_700),
    ],
    kills: [{ atMs: 1_000, kept: new Set(["<ada>", "<u1>", "<u2>"]) }],
  };
  change(evidence);
  return evidence;
}

function mail(to: string, atMs: number, messageId = `<${to}>`) {
  return { to, atMs, messageId };
}

type Mutable = { -readonly [K in keyof Evidence]: Evidence[K] extends readonly (infer T)[] ? T[] : Evidence[K] };

function found({ lost, wrong, unexplained }: Findings): string[] {
  return [...lost, ...wrong, ...unexplained];
}

test("what was kept is found to be kept, and a repeat over a kill is told with its gap", () => {
  const findings = audit(given());
  assert.deepEqual(found(findings), []);
  assert.deepEqual(findings.duplicates, [{ kill: 0, gapMs: 10 }]);
});

const PLANTED: Readonly<Record<string, readonly [keyof Findings, RegExp, (evidence: Mutable) => void]>> = {
  "a mail that never came": ["lost", /1-ada to ada was accepted and never came; it is SENT/, drop("ada")],
  "a message that is not known": [
    "lost",
    /1-bo to bo was accepted and is not known/,
    (evidence) => {
      evidence.messages = evidence.messages.filter(({ id }) => id !== "1-bo");
    },
  ],
  "a member of the list who got nothing": ["lost", /u2 got 0 of 1 list sends/, drop("u2")],
  "a list send that is not complete": [
    "lost",
    /of list send 1-list only 1 of 2 were sent/,
    (evidence) => {
      evidence.lists = [{ id: "1-list", complete: false, sent: 1, size: 2 }];
    },
  ],
  "a wrong last state": ["wrong", /1-ada ended as UNDELIVERABLE, not SENT/, status("1-ada", "UNDELIVERABLE")],
  "a message without an end, accepted or not": [
    "wrong",
    /1-unanswered ended as ENQUEUED/,
    status("1-unanswered", "ENQUEUED"),
  ],
  "a cancelled message that came": [
    "wrong",
    /1-di came although its cancellation was answered/,
    (evidence) => evidence.mails.push(mail("di", 5_100)),
  ],
  "a cancelled message that is called sent": ["wrong", /1-di ended as SENT, not CANCELED/, status("1-di", "SENT")],
  "a delayed message that came too early": [
    "wrong",
    /1-bo came 300 ms before its time/,
    (evidence) => {
      evidence.mails = evidence.mails.map((one) => (one.to === "bo" ? mail("bo", 1_200) : one));
    },
  ],
  "one send that became two messages, e.g. by a forgotten idempotency key": [
    "wrong",
    /1-ada to ada was sent as 2 messages/,
    (evidence) => evidence.mails.push(mail("ada", 1_500, "<another>")),
  ],
  "a mail to somebody nobody wrote to": [
    "wrong",
    /zoe got a mail that no message tells of/,
    (evidence) => evidence.mails.push(mail("zoe", 1_500)),
  ],
  "a list send that was expanded twice": [
    "wrong",
    /u1 got 2 mails of 1 list sends/,
    (evidence) => evidence.mails.push(mail("u1", 1_500, "<u1 again>")),
  ],
  "a message that is listed twice": [
    "wrong",
    /a message is listed twice/,
    (evidence) => evidence.messages.push({ id: "1-bo", status: "SENT", recipient: "bo" }),
  ],
  "a repeat without a kill": [
    "unexplained",
    /<bo> came twice to bo and nobody died in between/,
    (evidence) => evidence.mails.push(mail("bo", 1_900)),
  ],
  "a repeat of what the file knew to be sent, however near the kill": [
    "unexplained",
    /<ada> came again to ada although its outcome was kept/,
    (evidence) => {
      evidence.mails = [mail("ada", 999), ...evidence.mails.slice(1), mail("ada", 1_300)];
    },
  ],
  "a repeat whose outcome was kept at a later one of two kills": [
    "unexplained",
    /<cy> came again to cy although its outcome was kept/,
    (evidence) => {
      evidence.kills.push({ atMs: 2_000, kept: new Set(["<cy>"]) });
      evidence.mails.push(mail("cy", 2_500));
    },
  ],
};

for (const [name, [where, says, plant]] of Object.entries(PLANTED)) {
  test(`found: ${name}`, () => {
    const findings = audit(given(plant));
    assert.match(String(findings[where][0]), says);
    assert.equal(found(findings).length, 1, "and nothing else is blamed");
  });
}

test("a list send whose answer was lost may have been accepted, and need not have been", () => {
  const once = given((evidence) => {
    evidence.listsUnanswered = 1;
  });
  assert.deepEqual(found(audit(once)), []);
  const twice = given((evidence) => {
    evidence.listsUnanswered = 1;
    evidence.mails.push(mail("u1", 1_500, "<u1 again>"), mail("u2", 1_500, "<u2 again>"));
  });
  assert.deepEqual(found(audit(twice)), []);
});

test("a cancellation whose answer was lost may have been done or not, but not both", () => {
  const perhaps = (status: string, came: boolean) =>
    found(
      audit(
        given((evidence) => {
          evidence.accepted = new Map([...evidence.accepted, ["1-di", { to: "di", dueMs: 0, canceled: "perhaps" }]]);
          evidence.messages = evidence.messages.map((one) => (one.id === "1-di" ? { ...one, status } : one));
          if (came) evidence.mails.push(mail("di", 1_500));
        }),
      ),
    );
  assert.deepEqual(perhaps("CANCELED", false), []);
  assert.deepEqual(perhaps("SENT", true), []);
  assert.match(String(perhaps("CANCELED", true)), /1-di ended as CANCELED, not SENT/);
  assert.match(String(perhaps("SENT", false)), /1-di to di was accepted and never came/);
});

function drop(to: string): (evidence: Mutable) => void {
  return (evidence) => {
    evidence.mails = evidence.mails.filter((one) => one.to !== to);
  };
}

function status(id: string, becomes: string): (evidence: Mutable) => void {
  return (evidence) => {
    evidence.messages = evidence.messages.map((one) => (one.id === id ? { ...one, status: becomes } : one));
  };
}
