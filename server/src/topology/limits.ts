/** Things of one kind that are looked at for one drawing: some 20 ms of reading. */
export const LOOKED_AT_MAX = 2_000;
/** Rows of one read. */
export const PAGE = 500;
/** Readers of the journal that are looked at; each is a count of what lies before it. */
export const READERS_MAX = 50;
/** Where that count ends: beyond it, only that it is far behind says something. */
export const BEHIND_MAX = 100_000;
/** Characters of a pattern that stand in a drawing; who wants all of it asks for the rule. */
export const PATTERN_CHARS_MAX = 60;
/** Event types on one line, from a function to a bus. */
export const TYPES_SHOWN = 3;
