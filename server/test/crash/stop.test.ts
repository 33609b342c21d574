import assert from "node:assert/strict";
import { test } from "node:test";
import { allMessages, isIdle, type Promised, repeatedMails, sendAlways } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

/** A mail server that takes its time, so that at any moment mails are under way and more wait. */
const SLOW_MS = 100;
/** Mails under way take `SLOW_MS`; the rest is for a machine that runs other tests as well. */
const STOP_MS_MAX = 4_000;

test("stopped by SIGTERM under load it ends with 0; afterwards every accepted send has arrived, and none twice", async (t) => {
  await using mailHost = await MailHost.open();
  mailHost.thinksMs = SLOW_MS;
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const promised: Promised = new Map();
  const first = await home.start();
  const load = sendAlways(first, promised, { name: "s", inFlight: 32 });
  await until("hundreds are accepted and some have arrived", () => promised.size > 500 && mailHost.mails.length > 20);
  const startMs = performance.now();
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  const tookMs = performance.now() - startMs;
  await load;
  assert.deepEqual(first.events, ["ready", "stopping", "stopped"]);
  const left = promised.size - mailHost.mails.length;
  assert.ok(left > 0, "it did not wait for all that was accepted: that may be millions");

  mailHost.thinksMs = 0;
  const second = await home.start();
  await until("the program has nothing left to do", () => isIdle(second));
  const arrived = new Set(mailHost.mails.map(({ to }) => to));
  for (const address of promised.values()) assert.ok(arrived.has(address), `${address} got its mail`);
  assert.deepEqual(repeatedMails(mailHost), [], "none came twice");
  const unsent = (await allMessages(second)).filter(({ status }) => status !== "SENT");
  assert.deepEqual(unsent, []);
  t.diagnostic(
    `${promised.size} accepted, ${left} of them sent by the next process; it took ${tookMs.toFixed(0)} ms to stop`,
  );
  assert.ok(tookMs < STOP_MS_MAX, "nothing keeps it when it is done");
});

test("a second signal ends it at once, and what was in hand is sent by the next process", async (t) => {
  await using mailHost = await MailHost.open();
  mailHost.thinksMs = 60_000;
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url, TIDINGS_SHUTDOWN_GRACE_MS: "60000" });
  const first = await home.start();
  await first.send({ to: { email: "ada@example.com" }, content: { title: "T", body: "B" } });
  await until("the mail is under way", () => mailHost.mails.length > 0);
  first.signal("SIGTERM");
  await until("it says that it stops", () => first.events.includes("stopping"));
  const startMs = performance.now();
  first.signal("SIGTERM");
  assert.deepEqual(await first.ended, { code: 130, signal: null });
  const tookMs = performance.now() - startMs;
  t.diagnostic(`it ended ${tookMs.toFixed(0)} ms after the second signal`);
  assert.ok(tookMs < 2_000);

  mailHost.thinksMs = 0;
  await home.start();
  const [before, after] = await until("the mail comes", () => (mailHost.mails.length > 1 ? mailHost.mails : null));
  assert.equal(before?.messageId, after?.messageId, "a mailbox that got it twice can tell");
});
