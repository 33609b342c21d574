import assert from "node:assert/strict";
import { test } from "node:test";
import { classify, connectionLost, GREYLIST_RETRY_MS, type Step } from "./classify.ts";
import { quoteReply, type Reply, ReplyReader } from "./reply.ts";

function replyOf(text: string): Reply {
  const replies = new ReplyReader().read(`${text}\r\n`);
  assert.ok(typeof replies !== "string" && replies[0] !== undefined, text);
  return replies[0];
}

/** What providers really answer, at the step where they do. */
const ANSWERS: readonly (readonly [text: string, step: Step, meaning: string])[] = [
  ["550 5.1.1 The email account that you tried to reach does not exist.", "rcpt", "hard"],
  ["550-5.1.1 The email account that you tried to reach does not exist.\r\n550 5.1.1 Please check it", "rcpt", "hard"],
  ["550 No such user here", "rcpt", "hard"],
  ["553 sorry, no mailbox here by that name", "rcpt", "hard"],
  ["550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", "content", "hard"],
  ["550 5.1.2 Host unknown", "rcpt", "hard"],
  ["550 5.1.8 Bad sender's system address", "mail", "refused"],
  ["550 Requested action not taken: mailbox unavailable", "rcpt", "refused"],
  ["552 5.2.2 The email account that you tried to reach is over quota", "rcpt", "refused"],
  ["552 5.3.4 Message size exceeds fixed limit", "mail", "refused"],
  ["554 5.6.0 Message contained invalid data", "content", "refused"],
  ["550 5.7.1 Message contains a virus", "content", "refused"],
  ["550 5.7.124 Sender not in allowed senders list", "rcpt", "refused"],
  ["501 5.5.4 Syntax error", "mail", "refused"],
  ["450 4.2.0 Recipient address rejected: Greylisted", "rcpt", "greylisted"],
  ["450 4.7.1 Greylisting in action, please come back later", "rcpt", "greylisted"],
  ["421 4.3.2 Service shutting down", "mail", "retry"],
  ["421 closing", "content", "retry"],
  ["451 Requested action aborted: local error in processing", "content", "retry"],
  ["452 4.2.2 Mailbox full", "rcpt", "retry"],
  ["421 4.7.0 mx.example.net Error: too many errors", "mail", "retry"],
  ["421 4.7.0 mx.example.net Error: too many connections from 192.0.2.1", "connect", "retry"],
  ["421 4.7.0 Too many concurrent SMTP connections; please try again later.", "connect", "retry"],
  ["450 4.7.1 Error: too much mail from 192.0.2.1", "mail", "policy"],
  ["452 4.5.3 Too many recipients", "rcpt", "retry"],
  ["503 5.5.1 Error: need MAIL command", "rcpt", "retry"],
  ["421-4.7.28 Gmail has detected an unusual rate of mail\r\n421 4.7.28 from your IP", "content", "policy"],
  [
    "550-5.7.26 Your email has been blocked because the sender is unauthenticated.\r\n550 5.7.26 SPF",
    "content",
    "policy",
  ],
  ["550 5.7.515 Access denied, sending domain does not meet the required authentication level.", "content", "policy"],
  ["550 5.7.1 Our system has detected that this message is likely unsolicited mail.", "content", "policy"],
  ["554 5.7.1 <x@y.org>: Relay access denied", "rcpt", "policy"],
  ["451 4.7.650 The mail server has been temporarily rate limited due to IP reputation.", "mail", "policy"],
  ["454 Throttling failure: Maximum sending rate exceeded.", "content", "policy"],
  ["530 5.7.0 Authentication required", "mail", "policy"],
  ["535 5.7.8 Authentication credentials invalid", "auth", "policy"],
  ["554 5.7.1 Blocked, see https://dnsbl.example", "connect", "policy"],
  ["554 No SMTP service here", "connect", "policy"],
];

test("each answer that providers give means what it should", () => {
  for (const [text, step, meaning] of ANSWERS) {
    const outcome = classify(replyOf(text), step);
    const found =
      outcome.kind === "refused" && outcome.bounce === "hard"
        ? "hard"
        : outcome.kind === "retry" && outcome.afterMs === GREYLIST_RETRY_MS
          ? "greylisted"
          : outcome.kind;
    assert.equal(found, meaning, text);
  }
});

test("a policy answer says how long to leave the provider alone, and quotes it", () => {
  const outcome = classify(replyOf("550 5.7.515 Access denied"), "content");
  assert.ok(outcome.kind === "policy" && outcome.pauseMs > 0);
  assert.equal(outcome.reason, "550 5.7.515 Access denied");
});

test("an answer about the server is told apart from one about the message", () => {
  const whole = (text: string, step: Step): boolean => {
    const outcome = classify(replyOf(text), step);
    return outcome.kind === "retry" && outcome.whole === true;
  };
  assert.equal(whole("421 4.3.2 Service shutting down", "mail"), true);
  assert.equal(whole("450 4.3.2 Try again later", "connect"), true);
  assert.equal(whole("450 4.2.0 Mailbox busy", "rcpt"), false);
  assert.equal(whole("451 4.3.0 Local error", "content"), false);
});

test("a lost line is to be retried before the hand-over, and unknown after it", () => {
  assert.equal(connectionLost("gone", false).kind, "retry");
  assert.equal(connectionLost("gone", true).kind, "unknown");
});

test("replies are read across any split, and quoted on one line without control characters", () => {
  const text = "250-first\r\n250-second\r\n250 third\r\n550 5.1.1 n\u0007o\r\n250\r\n";
  for (let at = 0; at <= text.length; at += 1) {
    const reader = new ReplyReader();
    const quoted = [text.slice(0, at), text.slice(at)].flatMap((part) => {
      const replies = reader.read(part);
      return typeof replies === "string" ? [replies] : replies.map(quoteReply);
    });
    assert.deepEqual(quoted, ["250 first second third", "550 5.1.1 n o", "250"]);
    assert.equal(reader.inside, false);
  }
});

test("what is not SMTP, or never ends, is told apart from a reply", () => {
  for (const text of ["hello\r\n", "99\r\n", "199 x\r\n", "600 x\r\n", "250x\r\n", "250-a\r\n251 b\r\n", "\r\n"]) {
    assert.equal(typeof new ReplyReader().read(text), "string", text);
  }
  assert.equal(typeof new ReplyReader().read(`250 ${"x".repeat(5_000)}`), "string");
  assert.equal(typeof new ReplyReader().read("250-x\r\n".repeat(101)), "string");
});
