/**
 * List ids and patterns (courier-api.md §6.1): one to four parts joined by dots; `*` stands for exactly one part, `**`
 * for one or more and only at the end.
 */

const PARTS_MAX = 4;
const ID_CHARS_MAX = 256;

/** Null when the id is well-formed, otherwise what is wrong with it. */
export function listIdProblem(id: string): string | null {
  if (id.length === 0 || id.length > ID_CHARS_MAX) return `a list id has 1 to ${ID_CHARS_MAX} characters`;
  if (!id.isWellFormed()) return "a list id is valid Unicode";
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\s*#\u0000-\u001f\u007f]/.test(id)) return "a list id has no spaces, '*', '#' or control characters";
  const parts = id.split(".");
  if (parts.some((part) => part === "")) return "a list id has no empty parts: no leading, trailing or double dots";
  return parts.length <= PARTS_MAX ? null : `a list id has at most ${PARTS_MAX} parts`;
}

/** Null when the pattern is well-formed, otherwise what is wrong with it. */
export function listPatternProblem(pattern: string): string | null {
  if (!pattern.includes("*")) return listIdProblem(pattern);
  if (pattern.length > ID_CHARS_MAX || /[\s#]/.test(pattern)) return "a list pattern has no spaces or '#'";
  const parts = pattern.split(".");
  if (parts.length > PARTS_MAX) return `a list pattern has at most ${PARTS_MAX} parts`;
  if (parts.some((part) => part === "")) return "a list pattern has no empty parts";
  if (parts.some((part) => part.includes("*") && part !== "*" && part !== "**")) {
    return "a wildcard stands for whole parts: 'a.*', not 'a.b*'";
  }
  const deep = parts.indexOf("**");
  if (deep !== -1 && deep !== parts.length - 1) return "'**' may only be the last part";
  if (deep > 0 && parts[deep - 1] === "*") return "'*' cannot come directly before '**'";
  return parts.every((part) => part.startsWith("*")) ? "a list pattern names at least one part" : null;
}

/** Whether a list id matches a well-formed pattern. */
export function listMatches(pattern: string, id: string): boolean {
  const want = pattern.split(".");
  const have = id.split(".");
  if (want.at(-1) === "**") {
    return have.length >= want.length && want.slice(0, -1).every((part, at) => part === "*" || part === have[at]);
  }
  return have.length === want.length && want.every((part, at) => part === "*" || part === have[at]);
}

/** What every match begins with, for reading only that range. */
export function patternPrefix(pattern: string): string {
  const star = pattern.indexOf("*");
  return star === -1 ? pattern : pattern.slice(0, star);
}
