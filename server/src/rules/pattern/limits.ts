import { JSON_DEPTH_MAX } from "#domain/limits.ts";

/** Longest text of a pattern, as EventBridge's API has it. */
export const PATTERN_CHARS_MAX = 4096;
/** Ways to choose one branch of every `$or`, as EventBridge has it: each is searched when arrays make it necessary. */
export const OR_COMBINATIONS_MAX = 1000;
/** Deepest nesting of a pattern: twice what an event may nest, because every `$or` adds levels of its own. */
export const PATTERN_DEPTH_MAX = 2 * JSON_DEPTH_MAX;
/** Deepest nesting of an event that is walked through; doors let in far less, so this only guards the stack. */
export const EVENT_DEPTH_MAX = 1000;
/**
 * Most elements that one match looks at to bring conditions on arrays together. Searching is linear in the elements for
 * each combination; it can only grow beyond when names with dots put several arrays at one path, which is done to be slow.
 * Then the answer is "no match".
 */
export const CONSISTENCY_STEPS_MAX = 2_000_000;
/** Characters by which wildcards with an inner literal are found: shorter says little, longer leaves more of them out. */
export const GRAM_CHARS = 4;
/** Different lengths of beginnings that are looked up in one value: what more a value could cost is paid in candidates. */
export const PREFIX_LENGTHS_MAX = 32;
