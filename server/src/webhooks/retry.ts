import { RETRY_JITTER, RETRY_WAITS_MS } from "#webhooks/limits.ts";

/**
 * How long to wait after so many failed tries; null when it was the last.
 *
 * @param tried 1 after the first try.
 * @param dice 0 ≤ dice < 1.
 * @param askedMs the receiver's `Retry-After`, if it is to be kept: never earlier than that.
 */
export function nextWaitMs(tried: number, dice: number, askedMs: number | null): number | null {
  const waitMs = RETRY_WAITS_MS[tried - 1];
  if (waitMs === undefined) return null;
  const spread = 1 - RETRY_JITTER + 2 * RETRY_JITTER * dice;
  return Math.max(Math.floor(waitMs * spread), askedMs ?? 0);
}
