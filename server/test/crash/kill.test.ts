import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { allMessages, isIdle, type Promised, repeatedMails, sendAlways } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

/**
 * The promise "accepted is kept", tried on the real program with the real file: it is killed with SIGKILL under load at
 * random moments, again and again, started anew on the same folder, and then everything it said 202 to must have arrived.
 * What was in a provider call at that moment may come twice, with the same Message-ID; nothing else may.
 */

const KILLS = 6;
const IN_FLIGHT = 32;
/** Load before a kill, at most: from the first sends on cold code to a running stream of them. */
const LIFE_MS_MAX = 700;
/** Of the moments of death. */
const SEED = 20_261;
/** One connection carries one mail at a time to this mail server, so a call to it holds at most as many mails. */
const POOL = 10;
/**
 * Most repeats per kill: a mail under way on each connection, and those that were answered while one commit (a few ms)
 * was on its way to the disk, about ten per connection at the speed of the loopback.
 */
const REPEATED_PER_KILL_MAX = POOL * 11;
/** How long before a kill the first copy of a repeated mail can have been taken: one commit, on a busy machine. */
const WINDOW_MS_MAX = 1_000;

test(`every send that was accepted arrives, through ${KILLS} kills under load (seed ${SEED})`, async (t) => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: `${mailHost.url}?pool=${POOL}` });
  const dice = seededDice(SEED);
  const promised: Promised = new Map();
  const killedMs: number[] = [];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const program = await home.start();
    const load = sendAlways(program, promised, { name: `k${kill}`, inFlight: IN_FLIGHT });
    await wait(dice.next() * LIFE_MS_MAX);
    killedMs.push(performance.now());
    await program.kill();
    await load;
  }
  const program = await home.start();
  await until("every accepted send arrives", () => {
    const arrived = new Set(mailHost.mails.map(({ to }) => to));
    return [...promised.values()].every((address) => arrived.has(address));
  });
  await until("the program has nothing left to do", () => isIdle(program));

  const messages = await allMessages(program);
  const ids = new Set(messages.map(({ id }) => id));
  assert.equal(ids.size, messages.length, "each message is listed once");
  for (const id of promised.keys()) assert.ok(ids.has(id), `${id} was accepted and is known`);
  const unsent = messages.filter(({ status }) => status !== "SENT");
  assert.deepEqual(unsent, [], "each ends in one state, and it is SENT");
  const known = new Set(messages.map(({ recipient }) => recipient));
  for (const { to } of mailHost.mails) assert.ok(known.has(to), `${to} got a mail that no message tells of`);

  const repeated = repeatedMails(mailHost);
  const firstOf = new Map(mailHost.mails.toReversed().map((mail) => [mail.messageId, mail.atMs]));
  for (const { messageId, to } of repeated) {
    const first = firstOf.get(messageId) ?? 0;
    const near = killedMs.some((at) => first > at - WINDOW_MS_MAX && first < at + WINDOW_MS_MAX);
    assert.ok(near, `${to} came twice though nobody died while it was sent`);
  }
  const addresses = new Set(mailHost.mails.map(({ to }) => to));
  assert.equal(addresses.size + repeated.length, mailHost.mails.length, "a repeat has the Message-ID of the first");
  const per = (repeated.length / KILLS).toFixed(1);
  t.diagnostic(
    `${promised.size} accepted, ${messages.length} kept, ${mailHost.mails.length} mails, ${repeated.length} repeated (${per} per kill)`,
  );
  assert.ok(promised.size > KILLS * 20, `only ${promised.size} sends were accepted: no load to speak of`);
  assert.ok(repeated.length <= KILLS * REPEATED_PER_KILL_MAX, `${repeated.length} repeats are more than a call holds`);
});

const SUBSCRIBERS = 2_000;

test(`a send to a list of ${SUBSCRIBERS} that is killed in the middle, twice, reaches each of them once`, async (t) => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: `${mailHost.url}?pool=${POOL}` });
  let program = await home.start();
  const rows = Array.from({ length: SUBSCRIBERS }, (_, at) => ({ user_id: `u${at}`, email: `u${at}@example.com` }));
  for (let at = 0; at < rows.length; at += 1_000) {
    const { status } = await program.call("POST", "/lists/everyone/import", { rows: rows.slice(at, at + 1_000) });
    assert.equal(status, 200);
  }
  const requestId = await program.send({ to: { list_id: "everyone" }, content: { title: "All", body: "Hello" } });
  for (const share of [0.2, 0.6]) {
    await until(`a part of ${share} arrives`, () => mailHost.mails.length >= share * SUBSCRIBERS);
    await program.kill();
    assert.ok(mailHost.mails.length < SUBSCRIBERS, "it was killed in the middle");
    program = await home.start();
  }
  type Report = { readonly complete: boolean; readonly messages: number; readonly outcomes: object };
  const report = await until(
    "the request is complete",
    async () => {
      const balance = await program.get<Report>(`/requests/${requestId}`);
      return balance.complete ? balance : null;
    },
    30_000,
  );
  assert.deepEqual([report.messages, report.outcomes], [SUBSCRIBERS, { SENT: SUBSCRIBERS }], "the counts balance");
  const addresses = new Set(mailHost.mails.map(({ to }) => to));
  assert.deepEqual(
    rows.filter(({ email }) => !addresses.has(email)),
    [],
    "nobody is left out",
  );
  const repeated = repeatedMails(mailHost);
  assert.equal(mailHost.mails.length, SUBSCRIBERS + repeated.length, "a repeat has the Message-ID of the first");
  t.diagnostic(`${repeated.length} of ${SUBSCRIBERS} repeated by two kills`);
  assert.ok(repeated.length <= 2 * REPEATED_PER_KILL_MAX, `${repeated.length} repeats are more than a call holds`);
});
