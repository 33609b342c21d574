/** The queues of the pipeline; a queue's name is what operators see in metrics and dead letters. */
export const EXPAND_QUEUE = "expand";
export const MESSAGE_QUEUE = "message";

/** Subscribers per step of a fan-out: one commit's worth. */
export const EXPAND_PAGE_MAX = 500;
/** The least, however few hands are free: a page costs a commit and a claim. */
export const EXPAND_PAGE_MIN = 50;
/** Fan-outs that one process works on at a time; pages of different lists alternate. */
export const EXPAND_IN_HAND_MAX = 4;
/** Messages in hand per lane; each waits for its provider's answer. Bounds memory and what a crash repeats. */
export const MESSAGES_IN_HAND_MAX = 1_024;
/** Of bulk beside transactional messages: enough to keep the connections busy, few enough to be gone in 20 ms. */
export const BULK_BESIDE_MAX = 64;
/** Messages loaded, routed and rendered together. */
export const MESSAGE_BATCH_MAX = 256;
/** Workers that may end without a result before a job is dead: a message that kills its process is found out. */
export const CRASHES_MAX = 5;
/** Persons in one `to` array that still count as transactional: a conversation, not a campaign. */
export const TRANSACTIONAL_RECIPIENTS_MAX = 10;
/** Parsed requests kept, by the length of their text: a fan-out of a million parses its request once. */
export const PLANS_CHARS_MAX = 32 * 1024 * 1024;
