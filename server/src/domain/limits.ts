/** Largest body of one call. Courier's own limit; larger answers 413. */
export const REQUEST_BYTES_MAX = 6 * 1024 * 1024;
/** Largest field of a request that is kept in the row; above it the field goes to the blob store (claim check). */
export const INLINE_FIELD_BYTES_MAX = 64 * 1024;
/** Largest single attachment. Common mail servers refuse messages above 25 MB, and base64 adds a third. */
export const ATTACHMENT_BYTES_MAX = 20 * 1024 * 1024;
/** Most attachments on one message; more is a mistake, not a letter. */
export const ATTACHMENTS_MAX = 20;
/** Deepest nesting of JSON that a door lets in: twice what the deepest Elemental document needs. */
export const JSON_DEPTH_MAX = 64;
/** Most recipients in one `to` array: what fits into a request of 6 MB at about 60 bytes each. */
export const RECIPIENTS_PER_REQUEST_MAX = 100_000;
/** Longest id that a caller may choose for a person. */
export const USER_ID_CHARS_MAX = 256;
/** Longest address of any kind: RFC 5321 §4.5.3.1 gives 254 to a mail address; tokens and URLs are longer. */
export const ADDRESS_CHARS_MAX = 2048;
/** Courier's limits on tags. */
export const TAGS_MAX = 9;
export const TAG_CHARS_MAX = 30;
/** Longest Idempotency-Key; a UUID has 36 characters, a composed business key rarely 100. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 256;
/** How long an answer is replayed for the same key: Courier says "at least 24 hours", about 25 in practice. */
export const IDEMPOTENCY_MS_DEFAULT = 25 * 60 * 60 * 1000;
export const IDEMPOTENCY_MS_MAX = 366 * 24 * 60 * 60 * 1000;
/** Largest stored profile: a person, not a document store. */
export const PROFILE_BYTES_MAX = 64 * 1024;
/** Operations in one JSON Patch (RFC 6902). */
export const PATCH_OPERATIONS_MAX = 100;
/** Subscriptions in one call; what fits into a request of 6 MB. */
export const SUBSCRIPTIONS_PER_CALL_MAX = 50_000;
/** A delay further out than a year is a calendar, not a delay. */
export const DELAY_MS_MAX = 366 * 24 * 60 * 60 * 1000;
/** Most entries in one `routing`, counted through all nesting, and its deepest nesting. */
export const ROUTING_ENTRIES_MAX = 50;
export const ROUTING_DEPTH_MAX = 8;

/** First wait after a failure. Shorter, and a provider's hiccup becomes our stampede. */
export const RETRY_DELAY_MS_BASE = 1_000;
/** Longest wait between tries: who fixes DNS in the morning sees mail flow by noon. */
export const RETRY_DELAY_MS_MAX = 3 * 60 * 60 * 1000;
/** Courier's default patience: with one provider, with one channel, with the whole message. */
export const PROVIDER_TIMEOUT_MS = 5 * 60 * 1000;
export const CHANNEL_TIMEOUT_MS = 30 * 60 * 1000;
export const MESSAGE_TIMEOUT_MS = 72 * 60 * 60 * 1000;
