/** What the calls of a soak are, and how many of each; what remains is for lists. */
export const KINDS = {
  /** A send to one address. */
  plain: 0.9,
  /** The same with an idempotency key, which is kept a day and longer: few, because their records only grow in an hour. */
  keyed: 0.02,
  /** Later: 5 to 60 seconds. */
  delayed: 0.05,
  /** The server says 550: it does not exist. */
  refused: 0.01,
  /** The server says 451 the first time. */
  busy: 0.02,
} as const;
export type Kind = keyof typeof KINDS;

/** Kinds whose mails arrive. */
export const ARRIVING: readonly Kind[] = ["plain", "keyed", "delayed", "busy"];

/** One idempotent call in so many is made twice. */
export const REPEAT_EVERY = 5;
export const DELAY_MS_MIN = 5_000;
export const DELAY_MS_MAX = 60_000;

/** Of all mails, those that come by a list; and who is on it. */
export const LIST_SHARE = 0.15;
export const LIST_PEOPLE = 1_000;
/** Lists that take turns, so that each person gets fewer than 255 mails in an hour. */
export const LISTS = 20;
