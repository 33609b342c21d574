import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { everythingArrives, type Promised, sendAnyway } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home } from "../support/program.ts";
import { TroubledDisk, whyNoTroubledDisk } from "../support/troubled-disk.ts";
import { until } from "../support/until.ts";

/** A disk whose every sync takes long: whoever is promised something waits for it, and nobody else does. */

/** The load, the mail server and the questions share one thread here, so few are in flight. */
const IN_FLIGHT = 16;
const SLOW_MS = 2_000;
const WARM_MIN = 200;

const skip = whyNoTroubledDisk();

/** fsync of 2 ms is a good disk, 20 ms a bad one, 200 ms one in trouble. */
for (const delayMs of [2, 20, 200]) {
  test(`a sync of ${delayMs} ms: every 202 waits for it, HTTP and SMTP do not`, { skip }, async (t) => {
    await using mailHost = await MailHost.open();
    using disk = TroubledDisk.open();
    await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
    home.env(disk.env(home.dataDir));
    const program = await home.start();
    const promised: Promised = new Map();
    const warm = new AbortController();
    const warming = sendAnyway(program, promised, { name: "w", inFlight: IN_FLIGHT, stop: warm.signal });
    await until("it is warm", () => promised.size > WARM_MIN);
    warm.abort();
    await warming;

    disk.order({ syncDelayMs: delayMs });
    const [before, mailsBefore] = [promised.size, mailHost.mails.length];
    const stop = new AbortController();
    const startMs = performance.now();
    const load = sendAnyway(program, promised, { name: "s", inFlight: IN_FLIGHT, stop: stop.signal });
    const health: number[] = [];
    while (performance.now() - startMs < SLOW_MS) {
      const askedMs = performance.now();
      assert.equal((await program.call("GET", "/health")).status, 200);
      health.push(performance.now() - askedMs);
      await wait(5);
    }
    const arrived = mailHost.mails.length - mailsBefore;
    stop.abort();
    const answers = await load;
    const perSecond = (promised.size - before) / ((performance.now() - startMs) / 1000);
    disk.heal();
    assert.deepEqual([answers.refused, answers.wrong], [0, []]);
    await everythingArrives(program, promised, answers.refusedTo, mailHost);
    const [accept, asked] = [sorted(answers.acceptedMs), sorted(health)];
    t.diagnostic(
      `accept ${ms(accept, 0.5)} / ${ms(accept, 0.99)} ms, health ${ms(asked, 0.5)} / ${ms(asked, 0.99)} ms ` +
        `(median / p99), ${perSecond.toFixed(0)} accepted per second with ${IN_FLIGHT} in flight`,
    );
    assert.ok(quantile(accept, 0) >= delayMs, "a 202 waits for the disk");
    assert.ok(
      arrived > answers.acceptedMs.length / 2,
      `${arrived} of ${answers.acceptedMs.length} mails went out meanwhile`,
    );
    if (delayMs === 200) assert.ok(quantile(asked, 0.9) < delayMs / 2, "who speaks HTTP does not wait for the disk");
  });
}

function sorted(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}

function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

function ms(ascending: readonly number[], share: number): string {
  return quantile(ascending, share).toFixed(0);
}
