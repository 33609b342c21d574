import type { EmailContent } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Envelope, Provider } from "#ports/provider.ts";

/** A mail with the least in it, changed as the test wants. */
export function email(changes: Partial<EmailContent> = {}): EmailContent {
  return {
    channel: "email",
    from: null,
    to: "Ada <ada@example.org>",
    cc: [],
    bcc: [],
    replyTo: null,
    subject: "Hello",
    html: "<p>Hello</p>\n",
    text: "Hello\n",
    attachments: [],
    unsubscribe: null,
    ...changes,
  };
}

export function envelope(messageId: string, changes: Partial<EmailContent> = {}): Envelope {
  return { messageId, attempt: 1, acceptedMs: 1_790_000_000_000, traceparent: null, content: email(changes) };
}

export const NO_BLOBS = { get: async () => null };

/** Sends and returns the outcomes in the order of the envelopes; fails when one is reported twice or never. */
export async function sendAll(
  provider: Provider,
  envelopes: readonly Envelope[],
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly Outcome[]> {
  const outcomes = new Map<number, Outcome>();
  const report = (index: number, outcome: Outcome): void => {
    if (outcomes.has(index)) throw new Error(`reported twice: ${index}`);
    outcomes.set(index, outcome);
  };
  await provider.send(envelopes, report, signal);
  return envelopes.map((_, index) => {
    const outcome = outcomes.get(index);
    if (outcome === undefined) throw new Error(`never reported: ${index}`);
    return outcome;
  });
}

export async function sendOne(provider: Provider, changes: Partial<EmailContent> = {}): Promise<Outcome> {
  const [outcome] = await sendAll(provider, [envelope("msg_1", changes)]);
  if (outcome === undefined) throw new Error("one mail has one outcome");
  return outcome;
}
