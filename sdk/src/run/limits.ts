/** Things that one call may emit: a page of a list, each with an event and a document, has room. */
export const EMITTED_MAX = 2_000;
/** Characters of JSON of one event, document or message: what the doors take as well. */
export const VALUE_BYTES_MAX = 256 * 1024;
/** Characters of JSON that one call emits in all: they are one commit. */
export const EMITTED_BYTES_MAX = 8 * 1024 * 1024;
/** Characters of JSON that a handler may return: an HTTP answer. */
export const OUTPUT_BYTES_MAX = 6 * 1024 * 1024;
/** Lines that one call may log, and their characters in all. */
export const LOG_LINES_MAX = 200;
export const LOG_CHARS_MAX = 64 * 1024;
/** Shorter values of secrets are not blanked: they would stand everywhere. */
export const SECRET_CHARS_MIN = 4;
/** Characters of an error's message and of its stack that are kept. */
export const ERROR_CHARS_MAX = 2_000;
export const STACK_CHARS_MAX = 4_000;
/** Documents that one `query` gives at most, and if nothing is said. */
export const PAGE_MAX = 1_000;
export const PAGE_USUAL = 100;
