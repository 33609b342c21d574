import { object, rows, text, timeMs } from "#cli/json.ts";
import { clean } from "#cli/text.ts";
import type { JsonObject } from "#domain/json.ts";

/** A message as people read it, from Courier's MessageDetails or our own record. */
export type MessageView = {
  readonly id: string;
  readonly status: string;
  readonly recipient: string;
  readonly channel: string;
  readonly provider: string;
  readonly reason: string;
  readonly error: string;
  readonly enqueuedMs: number | null;
  readonly sentMs: number | null;
};

export function viewOf(message: JsonObject): MessageView {
  // The last provider that was tried, where a listing tells of them (Courier's MessageDetails with `providers`).
  const last = rows(message["providers"]).at(-1) ?? {};
  const say = (...names: readonly string[]): string => clean(text(message, ...names));
  return {
    id: say("id", "messageId"),
    status: say("status"),
    recipient: say("recipient", "userId"),
    channel: say("channel") || clean(text(object(last["channel"]), "key")),
    provider: say("provider") || clean(text(last, "provider")),
    reason: say("reason"),
    error: say("error"),
    enqueuedMs: timeMs(message, "enqueued", "enqueuedMs"),
    sentMs: timeMs(message, "sent", "sentMs"),
  };
}

/** `email via smtp`, `email, caught`, `email`, or nothing. */
export function wayOf({ channel, provider }: Pick<MessageView, "channel" | "provider">): string {
  if (channel === "" || provider === "") return channel || provider;
  return provider === "mailbox" ? `${channel}, caught` : `${channel} via ${provider}`;
}
