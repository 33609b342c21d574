import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { allMessages } from "../support/load.ts";
import { type Mail, MailHost } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/** What a mail server can do to us, each on an address of its own, and what becomes of the message. */

const mailHost = await MailHost.open();
const home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
let program: Program;

before(async () => {
  program = await home.start();
});
after(async () => {
  await home[Symbol.asyncDispose]();
  await mailHost[Symbol.asyncDispose]();
});

const content = { title: "Hello", body: "World" };

type Message = { readonly status: string; readonly reason?: string; readonly error?: string | null };

const settles = (id: string, status: string) =>
  until(`${id} becomes ${status}`, async () => {
    const message = await program.get<Message>(`/messages/${id}`);
    return message.status === status ? message : null;
  });

test("a mail that is put off with 451 is tried again and arrives", async () => {
  let refusals = 2;
  mailHost.onMail = ({ to }: Mail) =>
    to === "busy@example.com" && refusals-- > 0 ? { code: 451, says: "4.3.2 too busy, come back" } : null;
  const id = await program.send({ to: { email: "busy@example.com" }, content });
  await settles(id, "SENT");
  assert.equal(mailHost.to("busy@example.com").length, 1);
  const { results } = await program.get<{ results: { answer: string; steps: { sentence: string }[] }[] }>(
    `/admin/why?message=${id}`,
  );
  assert.equal(results[0]?.steps.filter(({ sentence }) => sentence.includes("too busy")).length, 2);
});

test("an address that does not exist bounces, is suppressed, and is not tried again until someone lifts that", async () => {
  let asked = 0;
  mailHost.onRecipient = (address) => {
    if (address !== "gone@example.com") return null;
    asked += 1;
    return { code: 550, says: "5.1.1 no such user here" };
  };
  const first = await program.send({ to: { email: "gone@example.com" }, content });
  const bounced = await settles(first, "UNDELIVERABLE");
  assert.equal(bounced.reason, "BOUNCED");
  assert.match(bounced.error ?? "", /5\.1\.1 no such user here/);
  type Suppressions = { results: { channel: string; address: string; reason: string; detail: string }[] };
  const { results } = await program.get<Suppressions>("/suppressions");
  assert.deepEqual(
    results.map(({ channel, address, reason }) => ({ channel, address, reason })),
    [{ channel: "email", address: "gone@example.com", reason: "hard_bounce" }],
  );
  const second = await program.send({ to: { email: "Gone@Example.com" }, content });
  assert.equal((await settles(second, "UNDELIVERABLE")).reason, "BOUNCED");
  assert.equal(asked, 1, "the mail server was not asked again");

  mailHost.onRecipient = () => null;
  const lifted = await program.call("DELETE", "/suppressions/email/gone@example.com");
  assert.equal(lifted.status, 204);
  await settles(await program.send({ to: { email: "gone@example.com" }, content }), "SENT");
});

test("while the mail server is down sends are accepted, and when it is back all of them arrive once", async (t) => {
  mailHost.onMail = () => null;
  await mailHost.down();
  const addresses = Array.from({ length: 100 }, (_, at) => `down${at}@example.com`);
  await Promise.all(addresses.map((email) => program.send({ to: { email }, content, metadata: { tags: ["down"] } })));
  // Long enough that the breaker has learned it.
  await wait(500);
  await mailHost.up();
  const startMs = performance.now();
  await until("all are sent", async () => {
    const found = await allMessages(program, "&tag=down");
    return found.length === 100 && found.every(({ status }) => status === "SENT");
  });
  t.diagnostic(`all had arrived ${(performance.now() - startMs).toFixed(0)} ms after it was back`);
  for (const address of addresses) assert.equal(mailHost.to(address).length, 1, `${address} got it once`);
});

test("when nobody knows whether it arrived, the usual way is to send it again, with the same Message-ID", async () => {
  let silent = true;
  mailHost.onMail = ({ to }) => {
    if (to !== "maybe@example.com" || !silent) return null;
    silent = false;
    return "hangUp";
  };
  await settles(await program.send({ to: { email: "maybe@example.com" }, content }), "SENT");
  const [first, second, ...more] = mailHost.to("maybe@example.com");
  assert.deepEqual([first?.messageId, more], [second?.messageId, []]);
});

test("with timeout.unknown = hold it waits for a person, as a dead letter; `tidings dlq redrive` sends it", async () => {
  let silent = true;
  mailHost.onMail = ({ to }) => {
    if (to !== "held@example.com" || !silent) return null;
    silent = false;
    return "hangUp";
  };
  const id = await program.send({ to: { email: "held@example.com" }, content, timeout: { unknown: "hold" } });
  const held = await settles(id, "UNDELIVERABLE");
  assert.match(held.error ?? "", /unknown whether it arrived/);
  const listed = await home.run(["dlq", "list", "--json"]);
  assert.equal(listed.code, 0, listed.err);
  const letters = listed.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    letters.map(({ key, queue }) => [key, queue]),
    [[id, "message"]],
  );
  const shown = await home.run(["dlq", "show", id]);
  assert.match(shown.out, /unknown whether it arrived/);
  assert.equal(mailHost.to("held@example.com").length, 1, "nothing was sent without being asked");

  const redriven = await home.run(["dlq", "redrive", id]);
  assert.deepEqual([redriven.code, redriven.out], [0, "1 job will be tried again.\n"]);
  await settles(id, "SENT");
  const [first, second, ...more] = mailHost.to("held@example.com");
  assert.deepEqual([first?.messageId, more], [second?.messageId, []]);
  const emptied = await home.run(["dlq", "list", "--json"]);
  assert.deepEqual([emptied.code, emptied.out], [0, ""]);
});
