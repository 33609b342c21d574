import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { everythingArrives, type Promised, repeatedMails, sendAnyway } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home } from "../support/program.ts";
import { EIO, TroubledDisk, whyNoTroubledDisk } from "../support/troubled-disk.ts";
import { until } from "../support/until.ts";

/**
 * What SIGKILL alone does not test: after a kill the system still writes what it was given. Here the program is killed
 * and its folder becomes what was on the disk, that is what was synced, and perhaps some of the rest.
 */

const ACCEPTED_MIN = 500;
const IN_FLIGHT = 16;
/** A disk that works and fails in turn does so for as long. */
const FLICKER_MS = 150;
/** What wakes and claims jobs writes without a sync, so a failed one has more to lose. */
const DELAY_MS = 100;
/** Connections to the mail server. */
const POOL = 10;

const skip = whyNoTroubledDisk();

/** The power goes so often, each time under load. */
const POWER_CUTS = 3;

for (const early of [0, 50]) {
  test(`${POWER_CUTS} power cuts, ${early} % of the unsynced writes survive: every send that was accepted arrives`, {
    skip,
  }, async (t) => {
    await using mailHost = await MailHost.open();
    using disk = TroubledDisk.open();
    await using home = new Home({ TIDINGS_SMTP_URL: `${mailHost.url}?pool=${POOL}` });
    const promised: Promised = new Map();
    const refused: string[] = [];
    for (let cut = 1; cut <= POWER_CUTS; cut += 1) {
      home.env(disk.env(home.dataDir, { powerCuts: true, seed: cut }));
      disk.order({ earlyPercent: early });
      const program = await home.start();
      const stop = new AbortController();
      const load = sendAnyway(program, promised, {
        name: `p${cut}`,
        inFlight: IN_FLIGHT,
        stop: stop.signal,
        delayMs: DELAY_MS,
      });
      const before = promised.size;
      await until("the load runs", () => promised.size > before + ACCEPTED_MIN);
      // A disk that fails for a moment before it loses its power is worse than one that only does that.
      if (cut === 2) {
        disk.order({ syncErrno: EIO });
        await until("it refuses", () => program.err.includes("store.failed"));
        await wait(2 * DELAY_MS); // delayed sends are woken and claimed meanwhile
        disk.heal();
        const then = promised.size;
        await until("it accepts again", () => promised.size > then + ACCEPTED_MIN / 5);
      }
      await program.kill();
      stop.abort();
      refused.push(...(await load).refusedTo);
      disk.cutPower(home.dataDir);
    }
    home.env({});
    const program = await home.start();
    await everythingArrives(program, promised, refused, mailHost);
    const repeated = repeatedMails(mailHost).length;
    t.diagnostic(`${promised.size} accepted, 0 lost, ${repeated} repeated`);
  });
}

test("a log of which the disk has forgotten a part: it ends and says so, and the next start has all that was promised", {
  skip,
}, async (t) => {
  await using mailHost = await MailHost.open();
  using disk = TroubledDisk.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  home.env(disk.env(home.dataDir, { powerCuts: true }));
  const first = await home.start();
  const promised: Promised = new Map();
  const stop = new AbortController();
  const load = sendAnyway(first, promised, { name: "f", inFlight: IN_FLIGHT, stop: stop.signal, delayMs: DELAY_MS });
  await until("the load runs", () => promised.size > ACCEPTED_MIN / 5);
  // It has something to forget when a claim or a wake was written right before: that takes a few tries.
  disk.order({ forget: 1 });
  const failing = setInterval(() => {
    disk.order({ syncErrno: disk.count("syncErrno") === 0 ? EIO : 0 });
  }, FLICKER_MS);
  const { code } = await first.ended.finally(() => clearInterval(failing));
  stop.abort();
  const answers = await load;
  assert.equal(code, 1);
  assert.match(first.err, /The disk failed and lost \d+ of \d+ pages of .+ Start again: what was promised is there/);
  disk.heal();
  await everythingArrives(await home.start(), promised, answers.refusedTo, mailHost);
  t.diagnostic(`${promised.size} accepted, 0 lost, ${repeatedMails(mailHost).length} repeated`);
});

test("a send that was refused because its sync failed stays refused, also when the program is killed right then", {
  skip,
}, async () => {
  await using mailHost = await MailHost.open();
  using disk = TroubledDisk.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  home.env(disk.env(home.dataDir));
  const first = await home.start();
  disk.order({ syncErrno: EIO });
  const message = { to: { email: "refused@example.com" }, content: { title: "T", body: "B" } };
  assert.equal((await first.call("POST", "/send", { message })).status, 503);
  await first.kill();
  disk.heal();
  const second = await home.start();
  const id = await second.send({ to: { email: "after@example.com" }, content: { title: "T", body: "B" } });
  await everythingArrives(second, new Map([[id, "after@example.com"]]), ["refused@example.com"], mailHost);
});
