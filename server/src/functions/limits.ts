/** Most jobs of one function in hand: what waits for a place of its concurrency must not fill the memory. */
export const IN_HAND_MAX = 2_000;
/** Most jobs of one claim: a store with one writer does nothing else meanwhile, which must not be felt at a door (some 6 ms). */
export const CLAIM_MAX = 512;
/** How often it is looked whether a queue was purged, deleted or made again by another node. */
export const QUEUE_LOOK_MS = 1_000;
/** How long calls under way may take when their function is taken away or the server stops serving it. */
export const STOP_GRACE_MS = 10_000;
/** Subscriptions that a handler reads at once. */
export const SUBSCRIPTIONS_PAGE = 500;
/** How soon it is tried again when the store could not answer while functions were started. */
export const START_AGAIN_MS = 1_000;
