import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import type { Outcome } from "#domain/outcome.ts";
import type { Provider } from "#ports/provider.ts";
import { envelope, sendAll } from "#providers/smtp/test-fixtures/mails.ts";
import type { MailHost } from "../support/mail-host.ts";
import { until } from "../support/until.ts";

/** Mails on their way at once: what the gate before a provider lets through. */
const IN_FLIGHT = 160;
/** Between two tries of a mail, at least. */
const RETRY_MS_MIN = 50;

export type Troubled = {
  /** Sent again because nobody knew what had become of them. */
  readonly unknown: number;
  readonly retries: number;
  /** Hand-overs that the server took, beyond one for each mail. */
  readonly twice: number;
};

/**
 * Sends `count` mails through a server that is in trouble, as the pipeline does: again what is to be tried again, and
 * again what is unknown. Every mail must arrive, and be handed over no more often than once and once more for each time
 * that it was unknown.
 *
 * @param handedOver what tells one hand-over of a mail to the server from another, from its trace fields.
 * @param trouble is called when so many of the mails are sent, each once; sending goes on meanwhile.
 */
export async function losesNothing(
  name: string,
  count: number,
  provider: Provider,
  host: MailHost,
  handedOver: (raw: string) => string,
  trouble: ReadonlyMap<number, () => Promise<void>>,
): Promise<Troubled> {
  const unknowns = new Map<number, number>();
  const troubles: Promise<void>[] = [];
  let [next, sent, retries] = [0, 0, 0];
  /** Until when to wait with the next try, ms; null when it is sent. */
  const settle = (i: number, outcome: Outcome | undefined): number | null => {
    assert.ok(
      outcome?.kind === "sent" || outcome?.kind === "retry" || outcome?.kind === "unknown",
      JSON.stringify(outcome),
    );
    if (outcome.kind === "unknown") unknowns.set(i, (unknowns.get(i) ?? 0) + 1);
    if (outcome.kind !== "sent") return Math.max(RETRY_MS_MIN, outcome.kind === "retry" ? (outcome.afterMs ?? 0) : 0);
    sent += 1;
    const begins = trouble.get(sent);
    if (begins !== undefined) troubles.push(begins());
    return null;
  };
  const one = async (): Promise<void> => {
    while (next < count) {
      const i = next;
      next += 1;
      const mail = envelope(`${name}_${i}`, { to: `reader${i}@example.org` });
      for (;;) {
        const [outcome] = await sendAll(provider, [mail]);
        const waitMs = settle(i, outcome);
        if (waitMs === null) break;
        retries += 1;
        await wait(waitMs);
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  await Promise.all(troubles);
  assert.equal(troubles.length, trouble.size);

  const mine = new RegExp(`^<${name}_(\\d+)@`);
  const arrived = new Map<number, Set<string>>();
  let read = 0;
  const all = (): boolean => {
    for (; read < host.mails.length; read += 1) {
      const mail = host.mails[read];
      const i = mine.exec(mail?.messageId ?? "")?.[1];
      if (mail === undefined || i === undefined) continue;
      const ways = arrived.get(Number(i)) ?? new Set();
      arrived.set(Number(i), ways.add(handedOver(mail.raw.toString("latin1"))));
    }
    return arrived.size === count;
  };
  await until(`all ${count} mails arrive`, all, 60_000);
  // Whatever is still on its way behind the last of them would be one too many.
  await wait(500);
  all();
  let twice = 0;
  for (const [i, ways] of arrived) {
    assert.ok(ways.size <= 1 + (unknowns.get(i) ?? 0), `mail ${i} was handed over ${ways.size} times`);
    twice += ways.size - 1;
  }
  return { unknown: [...unknowns.values()].reduce((sum, times) => sum + times, 0), retries, twice };
}
