import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findBoto3 } from "../support/boto3.ts";
import { type Caught, Example } from "../support/example.ts";
import { type Mail, MailHost, read } from "../support/mail-host.ts";
import { until } from "../support/until.ts";

/** What the README of examples/stock-reports says, done as it stands there. */

const found = [await findBoto3("json"), await findBoto3("query")];
const boto3 = found.find((one) => typeof one !== "string");
const skip = boto3 === undefined ? String(found[0]) : false;
const env = Object.fromEntries(Object.entries(boto3?.env ?? {}).filter(([name]) => name !== "PATH")) as Record<
  string,
  string
>;

const ACME = "ACME is worth 42.5";
const GLOBEX = "GLOBEX is worth 18";

/** Who got which mail, in the order of names, once there are as many. */
async function caught(example: Example, count: number): Promise<readonly string[]> {
  const mails = await until(`${count} mails are caught`, async () => {
    const mailbox = await example.mailbox();
    return mailbox.length >= count ? mailbox : null;
  });
  return told(mails);
}

const told = (mails: readonly Caught[]): readonly string[] =>
  mails.map(({ to, title }) => `${to}: ${title}`).toSorted();

test("the producer in Python has six lines", () => {
  const text = readFileSync(new URL("../../../examples/stock-reports/producers/dcf.py", import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith('"""'));
  assert.equal(lines.length, 6);
});

test("what the README shows happens: from six lines to a mail, joining and leaving, one more list", {
  skip,
}, async () => {
  await using example = new Example("stock-reports", env);
  assert.equal(example.blocks[0]?.code, "npm start\n");
  await example.start();
  await example.loaded("dcf-completed");
  await example.run(example.block("--list dcf-completed"));
  const said = await example.run(example.block("producers/dcf.py"));
  assert.equal(said.match(/SQS took it: \S+/g)?.length, 2);
  const first = [`ada@example.com: ${ACME}`, `edsger@example.com: ${GLOBEX}`, `grace@example.com: ${ACME}`];
  assert.deepEqual(await caught(example, 3), first);
  await example.run(example.block("queues/dcf-completed/messages"));
  const second = ["ada@example.com: ACME is worth 43", "grace@example.com: ACME is worth 43"];
  assert.deepEqual(await caught(example, 5), [...first, ...second].toSorted());

  const shown = await example.run(example.block("mailbox show last"));
  assert.match(shown, /Hi (Ada|Grace), our engine has valued ACME: 43 a share\. It trades at 37\.1\./);
  const mails = await example.mailbox();
  const graces = mails.find(({ to, title }) => to === "grace@example.com" && title === ACME);
  const link = linkIn(await (await example.call("GET", `/mailbox/${graces?.id ?? ""}?format=text`)).text());
  const left = await fetch(link, { method: "POST", body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }) });
  assert.equal(left.status, 200);

  await example.run(example.block("profiles/alan"));
  await example.call("DELETE", "/mailbox");
  await example.run(example.block("producers/dcf.py"));
  assert.deepEqual(await caught(example, 2), [`ada@lovelace.example: ${ACME}`, `alan@example.com: ${GLOBEX}`]);

  await example.run(example.block("cp extra/price-alerts.ts"));
  await example.loaded("price-alerts");
  await example.call("DELETE", "/mailbox");
  await example.run(example.block("--list price-alerts"));
  const alert = "ACME moved by 5.7 %";
  // The file still has Ada's old address, and Grace has left the other list only.
  assert.deepEqual(await caught(example, 2), [`ada@example.com: ${alert}`, `grace@example.com: ${alert}`]);
});

test("another mail server is another address, and no function is touched", { skip }, async () => {
  await using first = await MailHost.open();
  await using second = await MailHost.open();
  await using example = new Example("stock-reports", env);
  const production = example.block("TIDINGS_SMTP_URL=").code;
  const [, shown = "", command = ""] = /^TIDINGS_SMTP_URL=(\S+) npx (.*)\n$/.exec(production) ?? [];
  assert.match(shown, /^smtp:/);
  const before = functionsOf(example);
  for (const host of [first, second]) {
    await example.startAs(command, { TIDINGS_SMTP_URL: host.url });
    await example.loaded("dcf-completed");
    await example.run(example.block("--list dcf-completed"));
    await example.run(example.block("producers/dcf.py"));
    await until("three mails have come", () => host.mails.length === 3);
    const words = await read(host.to("edsger@example.com")[0] as Mail);
    assert.equal(words.from?.address, "reports@example.com");
    assert.match(words.text ?? "", /^Hi Edsger, our engine has valued GLOBEX: 18 a share\./);
    await example.stop();
  }
  assert.equal(functionsOf(example), before);
});

test("while the mail server is away the engine goes on, and everybody is told later, once", { skip }, async () => {
  await using host = await MailHost.open();
  await host.down();
  await using example = new Example("stock-reports", env);
  await example.startAs("tidings start", { TIDINGS_SMTP_URL: host.url });
  await example.loaded("dcf-completed");
  await example.run(example.block("--list dcf-completed"));
  await example.run(example.block("producers/dcf.py"));
  await until("three mails wait", async () =>
    /tidings_queue_jobs\{queue="message",[^}]*\} [1-9]/.test(await example.metrics()),
  );
  await example.program.kill();
  await example.startAs("tidings start", { TIDINGS_SMTP_URL: host.url });
  await host.up();
  await until("three mails have come", () => host.mails.length === 3, 30_000);
  assert.equal(new Set(host.mails.map(({ messageId }) => messageId)).size, 3);
});

test("a report before anybody is on the list disturbs nobody", { skip }, async () => {
  await using example = new Example("stock-reports", env);
  await example.start();
  await example.loaded("dcf-completed");
  await example.run(example.block("producers/dcf.py"));
  await until("both were handled", async () => {
    const { calls } = await example.get<{ calls: { done: number; failed: number } }>("/functions/dcf-completed");
    assert.equal(calls.failed, 0);
    return calls.done >= 2 && (await example.lying("dcf-completed")) === 0;
  });
  assert.deepEqual(await example.mailbox(), []);
});

test("a report that cannot be read harms no other one of its batch, and waits as a dead letter", { skip }, async () => {
  await using example = new Example("stock-reports", env);
  await example.start();
  await example.loaded("dcf-completed");
  await example.run(example.block("--list dcf-completed"));
  await example.run("npx tidings queues create dcf-completed --dead-letters dcf-dead --receives 2");
  for (const body of ["null", '{"ticker": "ACME", "fairValue": 42.5, "price": 37.1}', "null"])
    await example.call("POST", "/queues/dcf-completed/messages", { body });
  assert.deepEqual(await caught(example, 2), [`ada@example.com: ${ACME}`, `grace@example.com: ${ACME}`]);
  await until("both lie with the dead", async () => (await example.lying("dcf-dead")) === 2, 60_000);
});

function linkIn(text: string): string {
  return /http:\/\/\S+\/u\/\S+/.exec(text)?.[0] ?? "";
}

function functionsOf({ folder }: Example): string {
  return readFileSync(join(folder, "functions/dcf-completed.ts"), "utf8");
}
