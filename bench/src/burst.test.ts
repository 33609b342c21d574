import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { countArrivals } from "./burst.ts";
import { addressOf, mailTemplate, plainMails, sendBody } from "./mail.ts";
import { cpuOf, familyOf, memoryOf, percentile, spread } from "./measure.ts";

test("a mail that is missing and one that came twice are counted, and mails of another burst are not", () => {
  const arrival = (burst: string, index: number, atMs: number) => ({ recipients: [addressOf(burst, index)], atMs });
  const recorded = [arrival("warm", 0, 1), arrival("b", 0, 2), arrival("b", 2, 3), arrival("b", 2, 4)];
  const { atMs, lost, duplicates } = countArrivals(recorded, "b", 3);
  assert.equal(lost, 1);
  assert.equal(duplicates, 1);
  assert.equal(atMs.get(addressOf("b", 2)), 3, "the first one counts for the latency");
});

test("percentiles are values that were measured, in whatever order they came", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual(spread(values), { p50: 51, p95: 96, p99: 100, max: 100 });
  assert.equal(percentile([7], 0.99), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test("every system sends the same words, told apart by address and number", () => {
  const mail = plainMails()("b", 7);
  const { message } = JSON.parse(sendBody("b", 7)) as {
    message: { to: { email: string }; data: { order: { id: string } } };
  };
  assert.equal(mail.to, message.to.email);
  for (const part of [mail.subject, mail.html, mail.text]) assert.ok(part.includes(message.data.order.id), part);
  assert.ok(!mail.html.includes("{order") && !mail.html.includes("ORDER-MARK"));
});

test("the rivals' template says what Tidings says, and escapes what is put into HTML", () => {
  const { message } = JSON.parse(sendBody("b", 7)) as {
    message: { data: Parameters<ReturnType<typeof mailTemplate>>[0] };
  };
  const render = mailTemplate();
  const { to: _, ...words } = plainMails()("b", 7);
  assert.deepEqual(render(message.data), words);
  const { html, text } = render({ ...message.data, name: "<b>&" });
  assert.ok(html.includes("Hello &#60;b&#62;&#38;") && text.includes("Hello <b>&"));
});

test("the figures of a process are those of /proc", { skip: process.platform !== "linux" }, () => {
  const before = cpuOf(process.pid);
  const until = process.cpuUsage().user + 60_000;
  while (process.cpuUsage().user < until);
  const after = cpuOf(process.pid);
  const usedUs = (after?.wholeUs ?? 0) - (before?.wholeUs ?? 0);
  assert.ok(usedUs >= 40_000, `${usedUs} µs of at least 60,000, counted in ticks of 10,000`);
  const memory = memoryOf(process.pid);
  assert.ok(memory !== null && memory.ownMib > 1 && memory.ownMib < memory.nowMib && memory.nowMib <= memory.peakMib);
});

test("the figures of a family count its children, those that have ended too", {
  skip: process.platform !== "linux",
}, async () => {
  const busy = "const end = process.cpuUsage().user + 60_000; while (process.cpuUsage().user < end);";
  const before = familyOf(process.pid);
  await once(spawn(process.execPath, ["-e", busy]), "exit");
  const after = familyOf(process.pid);
  assert.ok((after?.cpuUs ?? 0) - (before?.cpuUs ?? 0) >= 50_000);
  assert.ok((after?.mib ?? 0) > 1);
  assert.equal(familyOf(null), null);
});
