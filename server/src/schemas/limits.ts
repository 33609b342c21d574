/** Largest schema. A type with a hundred fields and their descriptions has some 20 KB. */
export const SCHEMA_BYTES_MAX = 64 * 1024;
/** Deepest nesting of schemas in schemas. */
export const SCHEMA_DEPTH_MAX = 32;
/** Subschemas in one schema, and those of them in allOf, anyOf and oneOf, whose price grows faster than their number. */
export const SCHEMA_NODES_MAX = 500;
export const SCHEMA_BRANCHES_MAX = 100;
/** Longest pattern, and the largest program that it may become: what RE2 makes of a repetition is as long as it is. */
export const PATTERN_CHARS_MAX = 1_000;
export const PATTERN_PROGRAM_MAX = 2_000;
/** Patterns in one schema: each takes up to some milliseconds to compile. */
export const PATTERNS_MAX = 50;
/** Versions of one schema that are kept. */
export const VERSIONS_MAX = 1_000;
/** Types with a schema; all their heads are in memory. */
export const SCHEMAS_MAX = 2_000;
/** Sources with a policy. */
export const POLICIES_MAX = 1_000;
/** Compiled schemas that are kept in memory; each takes some ten to hundred KB. */
export const COMPILED_MAX = 200;
/**
 * Steps of checking that one event may take: ten to a hundred nanoseconds each, so a fifth of a second at worst. A full event
 * of 1 MiB, of entries with five fields, takes a sixth of them.
 */
export const CHECK_STEPS_MAX = 2_000_000;
/** Longest text of which a format is checked; an address or a time is shorter. */
export const FORMAT_CHARS_MAX = 4_096;
/** How long what other nodes changed may go unseen. */
export const BELIEVED_MS = 10_000;
