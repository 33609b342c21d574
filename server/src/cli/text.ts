/** Text as a terminal shows it: columns instead of characters, and nothing that could steer the terminal. */

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
// East Asian Wide and Fullwidth (UAX #11), and what is drawn as a picture.
const WIDE =
  /[\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\u{fe0f}/u;
const PLAIN = /^[\x20-\x7e]*$/;
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Columns that `text` takes. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

function widthOfGrapheme(segment: string): number {
  if (INVISIBLE.test(segment)) return 0;
  return WIDE.test(segment) ? 2 : 1;
}

/**
 * What came from outside, on one line and harmless: control characters (C0, C1, so every escape sequence) and the
 * marks that turn the direction of writing become spaces.
 */
export function clean(text: string): string {
  return text.replaceAll(CONTROLS, " ").trim();
}

/** The same for text of several lines; line breaks and tabs stay. */
export function cleanLines(text: string): readonly string[] {
  return text.split(/\r\n|\r|\n/).map((line) => line.replaceAll("\t", "    ").replaceAll(CONTROLS, " ").trimEnd());
}

const CONTROLS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

/** At most `width` columns, with an ellipsis where something is missing. */
export function fit(text: string, width: number, cut: "end" | "middle" = "end"): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return "";
  if (cut === "end") return `${headOf(text, width - 1)}…`;
  const tailWidth = Math.floor((width - 1) / 2);
  return `${headOf(text, width - 1 - tailWidth)}…${tailOf(text, tailWidth)}`;
}

function headOf(text: string, width: number): string {
  let [head, used] = ["", 0];
  for (const { segment } of graphemes.segment(text)) {
    used += widthOfGrapheme(segment);
    if (used > width) break;
    head += segment;
  }
  return head;
}

function tailOf(text: string, width: number): string {
  let [tail, used] = ["", 0];
  for (const { segment } of Array.from(graphemes.segment(text)).toReversed()) {
    used += widthOfGrapheme(segment);
    if (used > width) break;
    tail = segment + tail;
  }
  return tail;
}

/** Lines of at most `width` columns, broken at spaces; a word that is longer keeps a line of its own. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
