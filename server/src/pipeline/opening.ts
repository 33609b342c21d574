import type { SendMessage } from "#domain/notification.ts";

/** Opening hours without a zone are those of the recipient: route looks at them when it knows who it is. */
export function opensForRecipient(message: SendMessage): boolean {
  const { until, timezone } = message.delay ?? {};
  return until !== undefined && timezone === undefined && !/^\d{4}-/.test(until);
}
