import { invariant } from "#domain/invariant.ts";
import { RETRY_DELAY_MS_BASE, RETRY_DELAY_MS_MAX } from "#domain/limits.ts";

/**
 * How long to wait after failed try number `attempt`: exponential backoff with full jitter.
 *
 * @param attempt 1 for the first try.
 * @param dice 0 ≤ dice < 1, handed in so that a test can choose it.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (M. Brooker, 2015)
 */
export function retryDelayMs(attempt: number, dice: number): number {
  invariant(attempt >= 1, `attempts count from 1, got ${attempt}`);
  const ceilingMs = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_BASE * 2 ** Math.min(attempt - 1, 30));
  return Math.floor(dice * ceilingMs);
}
