import assert from "node:assert/strict";
import { test } from "node:test";
import { MailHost } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const content = { title: "Later", body: "Now" };
/** Late enough that the program has died and is back by then. */
const DELAY_MS = 3_500;
/** What is promised is 100 ms; the rest is for a machine that runs other tests as well. */
const LATE_MS_MAX = 2_000;

/** How late, in ms, the mail came whose message was accepted then and delayed by so much. */
async function lateMs(program: Program, id: string, delayMs: number, mailHost: MailHost, address: string) {
  const [mail] = await until(`the mail to ${address} comes`, () => {
    const mails = mailHost.to(address);
    return mails.length > 0 ? mails : null;
  });
  const { enqueued } = await program.get<{ enqueued: number }>(`/messages/${id}`);
  return performance.timeOrigin + (mail?.atMs ?? 0) - (enqueued + delayMs);
}

test("a delayed send survives a kill and is sent at its time, not before", async (t) => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const first = await home.start();
  const id = await first.send({ to: { email: "ada@example.com" }, content, delay: { duration: DELAY_MS } });
  await first.kill();
  const second = await home.start();
  // This mail server greets each connection only after 100 ms; the first mail opens one.
  await second.send({ to: { email: "warm@example.com" }, content });
  await until("a connection is open", () => mailHost.mails.length > 0);
  assert.equal((await second.get<{ status: string }>(`/messages/${id}`)).status, "DELAYED");
  const late = await lateMs(second, id, DELAY_MS, mailHost, "ada@example.com");
  t.diagnostic(`it arrived ${late.toFixed(0)} ms after its time`);
  // Both clocks are rounded to whole ms somewhere.
  assert.ok(late > -2 && late < LATE_MS_MAX, `${late} ms late`);
});

test("a delayed send whose time came while the program was down is sent when it is back, once", async () => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const first = await home.start();
  const id = await first.send({ to: { email: "bo@example.com" }, content, delay: { duration: 200 } });
  await first.kill();
  assert.equal(mailHost.mails.length, 0);
  const dueMs = Date.now() + 200;
  await until("its time has come", () => Date.now() > dueMs);
  const second = await home.start();
  await until("it is sent", async () => (await second.get<{ status: string }>(`/messages/${id}`)).status === "SENT");
  assert.equal(mailHost.mails.length, 1);
});
