import { CHANNELS, type Content } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { StoreFault } from "#ports/store.ts";

/** Envelopes taken at once. Nothing waits for the outside here: the number only bounds the size of one commit. */
export const MAILBOX_CONCURRENCY_MAX = 500;

/** A message that was caught instead of sent. */
export type CaughtItem = {
  readonly messageId: string;
  readonly channel: Content["channel"];
  readonly acceptedMs: number;
  readonly traceparent: string | null;
  readonly content: Content;
};

/** Keeps a batch for good, all or nothing; the same message a second time replaces the first. */
export type Keep = (items: readonly CaughtItem[]) => Promise<void>;

/**
 * The catcher for every channel: what would go out is kept where it can be read. A message counts as sent once `keep`
 * resolves; when the store cannot (`StoreFault`), nothing was kept, and the whole batch is to be tried again.
 */
export function openMailboxProvider({ keep }: { readonly keep: Keep }): Provider {
  return {
    key: "mailbox",
    channels: CHANNELS,
    concurrencyMax: MAILBOX_CONCURRENCY_MAX,
    async send(envelopes, report, signal) {
      if (envelopes.length === 0) return;
      const outcomes = signal.aborted ? envelopes.map(() => STOPPING) : await keepAll(envelopes, keep);
      for (const [index, outcome] of outcomes.entries()) report(index, outcome);
    },
    async [Symbol.asyncDispose]() {},
  };
}

const STOPPING: Outcome = { kind: "retry", reason: "shutting down" };

async function keepAll(envelopes: readonly Envelope[], keep: Keep): Promise<readonly Outcome[]> {
  try {
    await keep(envelopes.map(caught));
    return envelopes.map(({ messageId }) => ({ kind: "sent", reference: { mailbox: messageId } }));
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    const { message: reason } = error;
    return envelopes.map(() => ({ kind: "retry", reason }));
  }
}

function caught({ messageId, acceptedMs, traceparent, content }: Envelope): CaughtItem {
  return { messageId, channel: content.channel, acceptedMs, traceparent, content };
}
