/** Targets of one rule at EventBridge's door, which its clients count on. */
export const TARGETS_PER_RULE_AWS = 5;
/** Targets of one rule through our own API: what one event may set off at once stays reviewable. */
export const TARGETS_PER_RULE_MAX = 100;
/** Rules of one bus: all of them are compiled and kept in memory, about 4 KB each. */
export const RULES_PER_BUS_MAX = 50_000;
export const BUSES_MAX = 1_000;
export const ARCHIVES_MAX = 1_000;
/** Names as EventBridge bounds them (aws-ingest.md §9). */
export const BUS_NAME_CHARS_MAX = 256;
export const RULE_NAME_CHARS_MAX = 64;
export const TARGET_ID_CHARS_MAX = 64;
export const ARCHIVE_NAME_CHARS_MAX = 48;
export const REPLAY_NAME_CHARS_MAX = 64;
/** Longest description: EventBridge's. */
export const DESCRIPTION_CHARS_MAX = 512;
/** Longest `Input` and template: EventBridge's. Our own send targets may be longer: a whole message is in them. */
export const INPUT_CHARS_MAX = 8_192;
export const SEND_TEMPLATE_CHARS_MAX = 256 * 1024;
/** Most names in an `InputPathsMap`: EventBridge's. */
export const INPUT_PATHS_MAX = 100;
/** Tags of one thing, and their lengths: EventBridge's. */
export const TAGS_MAX = 50;
export const TAG_KEY_CHARS_MAX = 128;
export const TAG_VALUE_CHARS_MAX = 256;
/** Tries after the first, and how long an event is tried: EventBridge's defaults, which are its maxima. */
export const RETRY_ATTEMPTS_MAX = 185;
export const EVENT_AGE_MS_MAX = 24 * 60 * 60 * 1_000;
export const EVENT_AGE_MS_MIN = 60 * 1_000;
/** Jobs that one commit of the matcher may bring: a commit of some 50 ms, so that nobody waits long behind it. */
export const MATCH_JOBS_MAX = 2_000;
/** Text that one commit of the matcher may bring: half of what a commit may hold. */
export const MATCH_BYTES_MAX = 8 * 1024 * 1024;
/** Events that the matcher reads at once. */
export const MATCH_EVENTS_MAX = 500;
/** A rule with all its targets as JSON text: it is one document and the data of one event. */
export const RULE_CHARS_MAX = 1024 * 1024;
