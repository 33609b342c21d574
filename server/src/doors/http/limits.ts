/** Bytes of bodies that may be on their way in at once, over all connections; what more comes is told to come later. */
export const BODY_BYTES_IN_FLIGHT_MAX = 128 * 1024 * 1024;
/** How much of a body that is too large we swallow before we answer: a client that is still writing reads no answer. */
export const SWALLOWED_BYTES_MAX = 32 * 1024 * 1024;
/** Longest time for a whole request to arrive: 6 MB over a slow line take ten seconds. */
export const REQUEST_MS_MAX = 60_000;
/** Longest time for the head of a request to arrive; a real client sends it in one packet. */
export const HEADERS_MS_MAX = 15_000;
/** How often connections are looked at that take too long; on top of the two times above. */
export const PATIENCE_CHECK_MS = 5_000;
/** How long an idle connection is kept, longer than the minute after which load balancers let go of theirs. */
export const KEEP_ALIVE_MS = 72_000;
/** Longest path segment: an unsubscribe token seals a list id, a user id and a message id at their longest (3.3 KB). */
export const PARAM_CHARS_MAX = 4_096;
/** How long calls under way may finish when the door closes. */
export const CLOSE_GRACE_MS = 10_000;
/** Shortest time for which an answer is replayed, whatever expiration was asked for (courier-api.md §1.6). */
export const IDEMPOTENCY_MS_MIN = 24 * 60 * 60 * 1000;
/** `GET /messages` shows ten at a time (courier-api.md §1.5); ours may be asked for more with `limit`. */
export const PAGE_ITEMS_DEFAULT = 10;
export const PAGE_ITEMS_MAX = 100;
