const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * Waits after each failed try: three days in all, as Standard Webhooks suggests. Soon at first, for an endpoint that was
 * just being deployed; then further apart, for people who are asleep.
 */
export const RETRY_WAITS_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];
/** Each wait is so much longer or shorter, by chance: what failed together does not come back together. */
export const RETRY_JITTER = 0.1;
/** When a delivery is given up although tries are left, because its endpoint rested: the waits, and half a day. */
export const DELIVERY_AGE_MS_MAX = RETRY_WAITS_MS.reduce((sum, waitMs) => sum + waitMs, 0) + 12 * HOUR_MS;

/** Deliveries in hand at once on this node. Most wait for an answer; a hundred endpoints may stall without filling half. */
export const IN_HAND_MAX = 1_024;
/** Deliveries of range replays in hand: they have time. */
export const IN_HAND_BULK_MAX = 64;
/** Deliveries in one step of the stage. */
export const BATCH_MAX = 128;
/** Claims of one job without a result before it is dead: whatever takes the process down ends here. */
export const CLAIMS_MAX = 20;
/** Calls under way to one endpoint: enough for its throughput, few enough not to be an attack. */
export const CALLS_PER_ENDPOINT_MAX = 8;
/** Calls to an endpoint that is not known yet; one more with each success. */
export const CALLS_AT_FIRST = 2;
/** Deliveries that wait in hand for a free place at one endpoint, and for how long: a burst need not go back to the store. */
export const WAITING_PER_ENDPOINT_MAX = 128;
/** Nothing waits in hand for an endpoint that has not answered for so long: one that stalls leaves the hands to others. */
export const HEARD_MS = 200;
/** The same of all endpoints: less than the half of the hands that must be empty for more to be claimed. */
export const WAITING_MAX = 256;
export const WAIT_IN_HAND_MS = 500;
/** How soon a delivery that found no place comes back, at the earliest. */
export const COME_BACK_MS = 250;
/** The same while an endpoint that rested is tried with one call. */
export const PROBE_MS = 5 * SECOND_MS;
/** Failures in a row before an endpoint rests. */
export const FAILURES_BEFORE_REST = 5;
/** How long it rests at first; twice as long each time that it still fails, up to the second. */
export const REST_MS_BASE = 30 * SECOND_MS;
export const REST_MS_MAX = 10 * MINUTE_MS;
/** How long it rests at most on its own wish (`Retry-After`); a single delivery waits as long as it asked for. */
export const ASKED_REST_MS_MAX = HOUR_MS;
/**
 * Taken for the time of a call as long as none has succeeded: short, because what is sent back by it stays away for as long
 * as it said, and one that is slower shows that by its silence.
 */
export const CALL_MS_GUESS = 5;
/** How close behind each other deliveries come back at most: as fast as one stage works them. */
export const BACK_APART_MS_MIN = 0.1;

export const TIMEOUT_MS_DEFAULT = 15 * SECOND_MS;
export const TIMEOUT_MS_MIN = SECOND_MS;
export const TIMEOUT_MS_MAX = 30 * SECOND_MS;

/** Endpoints of one house. */
export const ENDPOINTS_MAX = 10_000;
export const URL_CHARS_MAX = 2_048;
export const DESCRIPTION_CHARS_MAX = 512;
export const ID_CHARS_MAX = 48;
/** How long the old secret still signs after a rotation, when nobody says otherwise, and at most. */
export const OLD_SECRET_MS_DEFAULT = 24 * HOUR_MS;
export const OLD_SECRET_MS_MAX = 30 * 24 * HOUR_MS;

/** Of an answer, in the log and in events. */
export const ANSWER_CHARS_MAX = 500;
/** Tries that the log keeps of one delivery, the newest: three rounds of the schedule. */
export const TRIES_KEPT_MAX = 30;
/** Deliveries that the log keeps of one endpoint, and for how long. */
export const LOG_DELIVERIES_MAX = 1_000;
export const LOG_AGE_MS_MAX = 30 * 24 * HOUR_MS;

/** Events that a replay reads in one page, and pages in one step: some 10,000 that do not fit, or one page that does. */
export const REPLAY_PAGE_EVENTS = 1_000;
export const REPLAY_STEP_PAGES = 10;
/** Deliveries of one step: one commit. */
export const REPLAY_STEP_DELIVERIES = 200;
/** The rest between steps that delivered something: at most some 4,000 deliveries a second, beside what happens now. */
export const REPLAY_REST_MS = 50;
