import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { allMessages, isIdle, sendAlways } from "../support/load.ts";
import { header, type Mail, MailHost, read } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/**
 * A restored copy sends nothing twice by itself, says what it holds back, and lets one decide. The real program under
 * load is backed up, goes on, and is stopped; its backup becomes another house that writes to the same mail server.
 */

const folder = mkdtempSync(join(tmpdir(), "tidings-backups-"));
after(() => rmSync(folder, { recursive: true }));

const HOUR_MS = 3_600_000;
const SUBSCRIBERS = 40;
const content = (title: string) => ({ title, body: "Hello" });

type Held = {
  readonly jobs: number;
  readonly restored: { readonly backupMade: number } | null;
  readonly lists: readonly { readonly list: string | null; readonly messages: number }[];
};

const heldBy = (program: Program) => program.get<Held>("/admin/held");
const statusOf = async (program: Program, id: string) =>
  (await program.get<{ status: string }>(`/messages/${id}`)).status;

async function subscribe(program: Program, list: string): Promise<void> {
  const rows = Array.from({ length: SUBSCRIBERS }, (_, n) => ({ user_id: `u${n}`, email: `u${n}@${list}.example` }));
  assert.equal((await program.call("POST", `/lists/${list}/import`, { rows })).status, 200);
}

/** Path and query of the one-click link of a mail. */
async function leavingLink(mail: Mail): Promise<string> {
  const [link] = /<(http[^>]+)>/.exec(header(await read(mail), "list-unsubscribe") ?? "")?.slice(1) ?? [];
  const { pathname, search } = new URL(link ?? "");
  return pathname + search;
}

test("a restored house sends nothing by itself, whatever was waiting, and what one decides happens once", async () => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  await using other = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const original = await home.start();
  const isFull = (address: string): boolean => address.includes("later") || address.endsWith("busy.example");
  mailHost.onRecipient = (address) => (isFull(address) ? { code: 451, says: "come again" } : null);

  // What was sent before the backup.
  await subscribe(original, "calm");
  await original.send({ to: { list_id: "calm" }, content: content("Calm") });
  const once = { "idempotency-key": "order-1" };
  const first = await original.send({ to: { email: "once@example.com" }, content: content("Once") }, once);
  await until("they are sent", () => mailHost.mails.length === SUBSCRIBERS + 1);

  // What waits when it is made: tries again, for its time, for a mail server that takes nothing.
  await subscribe(original, "busy");
  await original.send({ to: { list_id: "busy" }, content: content("Busy") });
  const file = Buffer.from(seededDice(7).hex(100_000), "hex");
  const attachments = [{ filename: "a.bin", contentType: "application/octet-stream", data: file.toString("base64") }];
  const large = await original.send({
    to: { email: "later-large@example.com" },
    content: content("Large"),
    channels: { email: { override: { attachments } } },
  });
  const delayed = await original.send({
    to: { email: "delayed@example.com" },
    content: content("Delayed"),
    delay: { duration: HOUR_MS },
  });
  const retried = await original.send({ to: { email: "later@example.com" }, content: content("Later") });
  await until("all of them were tried", async () => {
    const tried = await original.get<{ events: readonly object[] }>("/admin/events?type=message.retrying&limit=100");
    return tried.events.length >= SUBSCRIBERS + 2;
  });

  const promised = new Map<string, string>();
  const load = sendAlways(original, promised, { name: "during", inFlight: 8, wanted: 200 });
  const backup = join(folder, "under-load.tidings");
  const made = await home.run(["backup", backup, "--json"]);
  assert.deepEqual({ code: made.code, err: made.err }, { code: 0, err: "" });
  await load;
  assert.equal(promised.size, 200, "every send during the backup was accepted");

  // What happens after it: the mail server recovers, so what waited is sent.
  mailHost.onRecipient = () => null;
  await original.send({ to: { email: "after@example.com" }, content: content("After") });
  await until("the original has sent all but what is delayed", () => isIdle(original, { mayWait: true }));
  await until("what was tried again arrives", () => mailHost.to("later@example.com").length === 1, 30_000);
  await until("everything arrives", () => mailHost.mails.length === 2 * SUBSCRIBERS + 1 + 2 + 200 + 1, 30_000);
  await original.stop();
  const before = mailHost.mails.length;

  // The restored house.
  const restored = await other.run(["restore", backup, "--json"]);
  assert.deepEqual({ code: restored.code, err: restored.err }, { code: 0, err: "" });
  const { parked } = JSON.parse(restored.out) as { parked: number };
  assert.equal(parked, (JSON.parse(made.out) as { jobs: number }).jobs);
  const program = await other.start();
  await until("the start tells of it", () =>
    /held back since the backup of .* was restored; to decide: tidings held/.test(program.err),
  );

  // A new send goes through; nothing else does, and nothing else could.
  await program.send({ to: { email: "fresh@example.com" }, content: content("Fresh") });
  await until("the new mail arrives", () => mailHost.to("fresh@example.com").length === 1);
  await until("nothing is left that would be worked on", () => isIdle(program));
  assert.deepEqual(
    mailHost.mails.slice(before).map(({ to }) => to),
    ["fresh@example.com"],
  );

  // It says what it holds back.
  const held = await heldBy(program);
  assert.equal(held.jobs, parked);
  assert.ok(parked >= SUBSCRIBERS + 3, `${parked} jobs`);
  assert.equal(held.lists.find(({ list }) => list === "busy")?.messages, SUBSCRIBERS);
  assert.match((await other.run(["held"])).out, new RegExp(`^${parked} jobs are held back since the backup of`));
  const why = await other.run(["why", retried]);
  assert.match(why.out.replaceAll(/\s+/g, " "), /held back when the backup of .* `tidings held release --request/);
  assert.match(await (await program.call("GET", "/metrics")).text(), /tidings_queue_jobs\{[^}]*state="parked"\} \d\d/);
  assert.match((await other.run(["doctor"])).out, /! held +\d+ jobs are held back since a backup was restored/);

  // Keys and links of the original work.
  const again = await program.send({ to: { email: "once@example.com" }, content: content("Once") }, once);
  assert.equal(again, first);
  assert.equal(mailHost.to("once@example.com").length, 1);
  const [calm] = mailHost.to("u1@calm.example");
  assert.ok(calm !== undefined);
  const left = await program.call("POST", await leavingLink(calm), "List-Unsubscribe=One-Click", {
    "content-type": "application/x-www-form-urlencoded",
  });
  assert.ok(left.ok, await left.text());
  const calmNow = await (await program.call("GET", "/lists/calm/subscriptions?limit=100")).text();
  assert.ok(calmNow.includes('"u2"') && !calmNow.includes('"u1"'), calmNow);

  // It lets one decide: one request with a large attachment, a list, the rest.
  const released = await other.run(["held", "release", "--request", large]);
  assert.deepEqual([released.code, released.out], [0, "1 job released.\n"]);
  const mail = await until("the attachment arrives", () => mailHost.to("later-large@example.com")[1], 30_000);
  const [attachment] = (await read(mail)).attachments;
  assert.ok(Buffer.from(attachment?.content as ArrayBuffer).equals(file), "byte for byte");
  const dropped = await other.run(["held", "drop", "--list", "busy", "--yes", "--json"]);
  assert.deepEqual(JSON.parse(dropped.out), { dropped: SUBSCRIBERS, gone: 0 });
  assert.equal((await other.run(["held", "drop", "--request", delayed])).code, 2, "nobody was there to ask");
  assert.equal((await other.run(["held", "drop", "--request", delayed, "--yes"])).code, 0);
  assert.equal((await other.run(["held", "release", "--all"])).code, 0);
  assert.match((await other.run(["held"])).out, /^Nothing is held back\.$/m);
  await until("all that was released is done", () => isIdle(program), 30_000);

  // Every message has one outcome, and was sent again only if somebody said so.
  const messages = await allMessages(program);
  assert.deepEqual(
    messages.filter(({ status }) => status !== "SENT" && status !== "CANCELED"),
    [],
  );
  const canceled = messages.filter(({ status }) => status === "CANCELED");
  assert.equal(canceled.length, SUBSCRIBERS + 1);
  assert.equal(await statusOf(program, delayed), "CANCELED");
  assert.equal(mailHost.mails.filter(({ to }) => to.endsWith("busy.example")).length, SUBSCRIBERS);
  assert.equal(mailHost.to("delayed@example.com").length, 0);
  assert.equal(mailHost.to("later@example.com").length, 2, "released by --all");
});

test("a backup that stands still in the middle of the store holds up nobody", async () => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const program = await home.start();
  const body = "x".repeat(60_000);
  for (let n = 0; n < 20; n += 1) {
    const sends = Array.from({ length: 25 }, (_, m) =>
      program.send({ to: { email: `fill-${n}-${m}@example.com` }, content: { title: "Fill", body } }),
    );
    await Promise.all(sends);
  }
  const { child, ended } = home.begin(["backup", join(folder, "still.tidings")]);
  await until("it has begun to write", () =>
    readdirSync(folder).some((name) => name.startsWith("still.tidings.partial")),
  );
  child.kill("SIGSTOP");
  assert.ok(!existsSync(join(folder, "still.tidings")));
  const promised = new Map<string, string>();
  await sendAlways(program, promised, { name: "meanwhile", inFlight: 16, wanted: 200 });
  assert.equal(promised.size, 200);
  await until("they arrive", () => mailHost.mails.filter(({ to }) => to.startsWith("meanwhile")).length === 200);
  child.kill("SIGCONT");
  const { code, err } = await ended;
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  await using other = new Home();
  assert.equal((await other.run(["restore", join(folder, "still.tidings")])).code, 0);
});
