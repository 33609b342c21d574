import assert from "node:assert/strict";
import { test } from "node:test";
import { CHANNELS, type Content } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Envelope } from "#ports/provider.ts";
import { StoreFault } from "#ports/store.ts";
import { type CaughtItem, type Keep, openMailboxProvider } from "#providers/mailbox/provider.ts";

const sms = (to: string): Content => ({ channel: "sms", to, text: "hello" });
const inbox: Content = { channel: "inbox", userId: "ada", title: "t", body: "b", data: {} };
const envelope = (messageId: string, content: Content): Envelope => ({
  messageId,
  attempt: 1,
  acceptedMs: 5,
  traceparent: "00-a",
  content,
});

async function send(keep: Keep, envelopes: readonly Envelope[], signal = new AbortController().signal) {
  const outcomes: Outcome[] = [];
  await openMailboxProvider({ keep }).send(envelopes, (index, outcome) => (outcomes[index] = outcome), signal);
  return outcomes;
}

test("every channel is caught, a whole batch in one go, and counts as sent only once it is kept", async () => {
  const kept: (readonly CaughtItem[])[] = [];
  const done = Promise.withResolvers<void>();
  const outcomes: Outcome[] = [];
  const provider = openMailboxProvider({
    keep: (items) => {
      kept.push(items);
      return done.promise;
    },
  });
  const batch = [envelope("m1", sms("+1")), envelope("m2", inbox)];
  const sent = provider.send(batch, (index, outcome) => (outcomes[index] = outcome), new AbortController().signal);
  await Promise.resolve();
  assert.deepEqual(outcomes, []);
  done.resolve();
  await sent;
  assert.deepEqual(outcomes, [
    { kind: "sent", reference: { mailbox: "m1" } },
    { kind: "sent", reference: { mailbox: "m2" } },
  ]);
  assert.deepEqual(kept, [
    [
      { messageId: "m1", channel: "sms", acceptedMs: 5, traceparent: "00-a", content: sms("+1") },
      { messageId: "m2", channel: "inbox", acceptedMs: 5, traceparent: "00-a", content: inbox },
    ],
  ]);
  assert.deepEqual(provider.channels, CHANNELS);
});

test("when the store is full the batch is to be tried again; a bug is not hidden", async () => {
  const full = () => Promise.reject(new StoreFault("store.full", "no space left"));
  assert.deepEqual(await send(full, [envelope("m1", inbox)]), [
    { kind: "retry", reason: "no space left [store.full]" },
  ]);
  await assert.rejects(
    send(() => Promise.reject(new TypeError("bug")), [envelope("m1", inbox)]),
    TypeError,
  );
});

test("nothing is kept for an empty batch, nor after the call to stop", async () => {
  const never: Keep = () => assert.fail("there was nothing to keep");
  assert.deepEqual(await send(never, []), []);
  assert.deepEqual(await send(never, [envelope("m1", inbox)], AbortSignal.abort()), [
    { kind: "retry", reason: "shutting down" },
  ]);
});
