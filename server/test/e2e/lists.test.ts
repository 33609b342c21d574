import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { header, type Mail, MailHost, read } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/**
 * Mailing lists as StockZoomAI wants them (seeds/stockzoom-email-lists.txt): many lists without configuration, joining
 * and leaving with ease, data of each subscription, an address that stands in one place.
 */

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

async function done(method: string, path: string, body?: unknown): Promise<void> {
  const response = await program.call(method, path, body);
  assert.ok(response.ok, `${method} ${path} answered ${response.status}: ${await response.clone().text()}`);
  await response.text();
}

async function join(person: string, email: string, list: string, data?: object): Promise<void> {
  await done("PUT", `/profiles/${person}`, { profile: { email, name: person } });
  await done("PUT", `/lists/${list}/subscriptions/${person}`, data === undefined ? {} : { data });
}

type Balance = { readonly complete: boolean; readonly messages: number; readonly outcomes: object };

/** Sends to a list, waits until everybody was told, and says who got which words. */
async function issue(list: string, title: string): Promise<{ readonly mails: Mail[]; readonly balance: Balance }> {
  const body = "{{name}}: {{ticker}} moves";
  const id = await program.send({ to: { list_id: list }, content: { title, body }, data: { ticker: "the market" } });
  const balance = await until(`the send to ${list} is complete`, async () => {
    const now = await program.get<Balance>(`/requests/${id}`);
    return now.complete ? now : null;
  });
  const subject = `Subject: ${title}`;
  return { mails: mailHost.mails.filter(({ raw }) => raw.includes(subject)), balance };
}

const names = (mails: readonly Mail[]): string[] => mails.map(({ to }) => to).toSorted();

test("a list exists as soon as the first person joins it, and data of the subscription are in the words", async () => {
  assert.equal((await program.call("GET", "/lists/alerts.acme")).status, 404);
  await join("ann", "ann@example.com", "alerts.acme", { ticker: "ACME" });
  await join("bob", "bob@example.com", "alerts.acme");
  assert.equal((await program.call("GET", "/lists/alerts.acme")).status, 200);
  const { mails, balance } = await issue("alerts.acme", "First");
  assert.deepEqual(names(mails), ["ann@example.com", "bob@example.com"]);
  assert.deepEqual([balance.messages, balance.outcomes], [2, { SENT: 2 }]);
  const words = await Promise.all(mails.map(async (mail) => [mail.to, (await read(mail)).text?.trim()]));
  const byAddress = Object.fromEntries(words);
  assert.match(byAddress["ann@example.com"], /^ann: ACME moves/);
  assert.match(byAddress["bob@example.com"], /^bob: the market moves/);
});

test("an address that changed in the profile is used by the next mail of every list", async () => {
  await join("cat", "cat@old.example", "daily.one");
  await join("cat", "cat@old.example", "daily.two");
  assert.deepEqual(names((await issue("daily.one", "Before")).mails), ["cat@old.example"]);
  await done("PATCH", "/profiles/cat", { patch: [{ op: "replace", path: "/email", value: "cat@new.example" }] });
  assert.deepEqual(names((await issue("daily.one", "After one")).mails), ["cat@new.example"]);
  assert.deepEqual(names((await issue("daily.two", "After two")).mails), ["cat@new.example"]);
});

test("looking at the unsubscribe link changes nothing; one POST, and the next mail of this list leaves them out", async () => {
  await join("dan", "dan@example.com", "leave.this");
  await join("eve", "eve@example.com", "leave.this");
  await join("dan", "dan@example.com", "stay.that");
  const { mails } = await issue("leave.this", "Leave me");
  const mine = mails.find(({ to }) => to === "dan@example.com");
  assert.ok(mine);
  const url = /^<(.*)>$/.exec(header(await read(mine), "list-unsubscribe") ?? "")?.[1] ?? "";

  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(await page.text(), /<form[^>]*method="post"/i);
  assert.deepEqual(names((await issue("leave.this", "Still here")).mails), ["dan@example.com", "eve@example.com"]);

  // As RFC 8058 §3.2 has it: no cookie, no login, no redirect.
  const click = {
    method: "POST",
    body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }),
    redirect: "error" as const,
  };
  assert.equal((await fetch(url, click)).status, 200);
  assert.equal((await fetch(url, click)).status, 200, "a second click does no harm");
  const { mails: left, balance } = await issue("leave.this", "Without Dan");
  assert.deepEqual(names(left), ["eve@example.com"]);
  assert.deepEqual([balance.messages, balance.outcomes], [1, { SENT: 1 }]);
  assert.deepEqual(names((await issue("stay.that", "Other list")).mails), ["dan@example.com"]);
  const lists = await program.get<{ results: { id: string }[] }>("/profiles/dan/lists");
  assert.deepEqual(
    lists.results.map(({ id }) => id),
    ["stay.that"],
  );

  // A table that still has them does not put them back; they themselves can come back.
  await done("POST", "/lists/leave.this/import", { rows: [{ user_id: "dan", email: "dan@example.com" }] });
  assert.deepEqual(names((await issue("leave.this", "After import")).mails), ["eve@example.com"]);
  await join("dan", "dan@example.com", "leave.this");
  assert.deepEqual(names((await issue("leave.this", "Back")).mails), ["dan@example.com", "eve@example.com"]);
});

test("who leaves between accept and sending gets nothing more", async () => {
  await join("fay", "fay@example.com", "slow.list");
  await join("gus", "gus@example.com", "slow.list");
  const message = { to: { list_id: "slow.list" }, content: { title: "Slow", body: "B" }, delay: { duration: 400 } };
  const id = await program.send(message);
  await done("DELETE", "/lists/slow.list/subscriptions/fay");
  await until("the send is complete", async () => (await program.get<Balance>(`/requests/${id}`)).complete);
  assert.deepEqual([mailHost.to("fay@example.com").length, mailHost.to("gus@example.com").length], [0, 1]);
});

test("a pattern reaches everyone on any list that matches, once; a deleted list comes back with its people", async () => {
  await join("hal", "hal@example.com", "eu.de");
  await join("hal", "hal@example.com", "eu.fr");
  await join("ivy", "ivy@example.com", "eu.fr");
  const message = { to: { list_pattern: "eu.*" }, content: { title: "Europe", body: "B" } };
  const id = await program.send(message);
  await until("the send is complete", async () => (await program.get<Balance>(`/requests/${id}`)).complete);
  assert.deepEqual(names(mailHost.mails.filter(({ raw }) => raw.includes("Subject: Europe"))), [
    "hal@example.com",
    "ivy@example.com",
  ]);
  await done("DELETE", "/lists/eu.fr");
  assert.equal((await program.call("GET", "/lists/eu.fr")).status, 404);
  await done("PUT", "/lists/eu.fr/restore", {});
  assert.deepEqual(names((await issue("eu.fr", "Restored")).mails), ["hal@example.com", "ivy@example.com"]);
});

test("one person is written to as somebody on a list: with its data and its link, and not once they have left", async () => {
  await join("jan", "jan@example.com", "stocks", { ticker: "ACME" });
  const to = { user_id: "jan", context: { list_id: "stocks" } };
  const content = { title: "Yours", body: "{ticker} moves" };
  const status = async (id: string) => {
    const seen = await program.get<{ status: string; reason?: string }>(`/messages/${id}`);
    return ["SENT", "UNDELIVERABLE"].includes(seen.status) ? seen : null;
  };
  const first = await program.send({ to, content });
  assert.equal((await until("it is sent", () => status(first))).status, "SENT");
  const mail = mailHost.to("jan@example.com")[0];
  assert.ok(mail);
  const words = await read(mail);
  assert.match(words.text ?? "", /^ACME moves/);
  const url = /^<(.*)>$/.exec(header(words, "list-unsubscribe") ?? "")?.[1] ?? "";
  await fetch(url, { method: "POST", body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }) });
  const second = await program.send({ to: [to, { user_id: "ivy", context: { list_id: "eu.fr" } }], content });
  await until("the send is complete", async () => (await program.get<Balance>(`/requests/${second}`)).complete);
  assert.equal(mailHost.to("jan@example.com").length, 1);
  assert.equal(
    mailHost.mails.filter(({ to: one, raw }) => one === "ivy@example.com" && raw.includes("Subject: Yours")).length,
    1,
  );
  for (const [wrong, says] of [
    [{ email: "x@example.com", context: { list_id: "stocks" } }, /has a user_id/],
    [{ user_id: "jan", context: { list_id: 7 } }, /must be a string/],
    [{ user_id: "jan", context: { list_id: "a b" } }, /context\.list_id/],
  ] as const) {
    const answer = await program.call("POST", "/send", { message: { to: wrong, content } });
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), says);
  }
});
