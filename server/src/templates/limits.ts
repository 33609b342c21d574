/** Longest source of one template, all its strings together: as much as a rendering may produce. */
export const TEMPLATE_CHARS_MAX = 1024 * 1024;
/** Most variables and tags in one template; with more, compiling alone would take a noticeable part of a second. */
export const TEMPLATE_TAGS_MAX = 20_000;
/** Most elements in one document. A long newsletter has two hundred. */
export const ELEMENTS_MAX = 2_000;
/** Deepest nesting of elements: columns in groups in channels need five; recursion stays far from the stack's end. */
export const ELEMENT_DEPTH_MAX = 16;
/** Deepest list inside a list: Courier's own limit. */
export const LIST_DEPTH_MAX = 5;
/** Deepest JSON below `raw`: a Slack message or an Adaptive Card needs about twelve. */
export const RAW_DEPTH_MAX = 32;
/** Most faults reported for one template: enough to fix a round of them, short enough to read. */
export const FAULTS_MAX = 20;

/** Longest `{name}`; whatever is longer is text that happens to stand in braces. */
export const VARIABLE_CHARS_MAX = 256;
/** Longest `{{…}}` with a helper call in it; what is longer is text. */
export const TAG_CHARS_MAX = 2_048;
/** Deepest `{{#if}}` and `{{#each}}` in each other, and deepest helper call in a helper call. */
export const BLOCK_DEPTH_MAX = 16;
/** Longest `if`: half a screen. Beyond that it is a program, and belongs into the sender. */
export const EXPRESSION_CHARS_MAX = 2_048;
/** Deepest parentheses, negations and indexes in an `if`. */
export const EXPRESSION_DEPTH_MAX = 32;

/** Turns of all loops in one rendering together: more rows than anybody reads in a mail. */
export const LOOP_TURNS_MAX = 10_000;
/** Variables, conditions and elements evaluated in one rendering: a fraction of a second at worst. */
export const RENDER_STEPS_MAX = 500_000;
/** Characters one rendering may produce, HTML and text together. Gmail hides what is behind 102 kB. */
export const RENDER_CHARS_MAX = 1024 * 1024;
