import type { Test } from "./condition.ts";
import { OR_COMBINATIONS_MAX, PATTERN_CHARS_MAX } from "./limits.ts";
import { readConditions } from "./operators.ts";
import { isTreeList, isTreeObject, readTree, Refusal, type Tree, type TreeObject } from "./pattern-tree.ts";

/** What must hold together: every field, and of every choice at least one branch. */
export type Clause = { readonly fields: readonly Field[]; readonly choices: readonly (readonly Clause[])[] };

export type Field = {
  /** Names joined by dots. */
  readonly path: string;
  readonly test: Test;
  /** It also holds when nothing is there. */
  readonly mayBeAbsent: boolean;
};

/** A pattern made ready for matching. */
export type Compiled = {
  readonly kind: "pattern";
  readonly text: string;
  readonly clause: Clause;
  /** Every path that it looks at, once. */
  readonly paths: readonly string[];
};

/** `reason` in EventBridge's words where it has some. */
export type InvalidPattern = { readonly kind: "invalid"; readonly reason: string };

/** Reads an event pattern: EventBridge's language. */
export function compilePattern(text: string): Compiled | InvalidPattern {
  try {
    if (text.length > PATTERN_CHARS_MAX) throw new Refusal(`Filter is longer than ${PATTERN_CHARS_MAX} characters`);
    const tree = readTree(text);
    if (!isTreeObject(tree)) throw new Refusal("Filter is not an object");
    const clause = readClause(tree, "", false);
    if (combinations(clause) > OR_COMBINATIONS_MAX) {
      throw new Refusal(`Rule is too complex: $or has more than ${OR_COMBINATIONS_MAX} combinations`);
    }
    return { kind: "pattern", text, clause, paths: [...new Set(pathsOf(clause))] };
  } catch (refusal) {
    if (refusal instanceof Refusal) return { kind: "invalid", reason: refusal.message };
    throw refusal;
  }
}

/** @param prefix the path so far with a dot behind it. */
function readClause(object: TreeObject, prefix: string, isInOr: boolean): Clause {
  if (object.size === 0) throw new Refusal("Empty objects are not allowed");
  const fields: Field[] = [];
  const choices: (readonly Clause[])[] = [];
  for (const [name, node] of object) {
    if (name === "$or" && isTreeList(node)) {
      choices.push(readBranches(node, prefix));
      continue;
    }
    if (isInOr && OPERATOR_WORDS.has(name)) throw new Refusal(`"${name}" is an operator and no field name inside $or`);
    if (isTreeObject(node)) {
      const inner = readClause(node, `${prefix}${name}.`, isInOr);
      fields.push(...inner.fields);
      choices.push(...inner.choices);
    } else if (isTreeList(node)) fields.push(readField(node, prefix + name));
    else throw new Refusal(`"${name}" must be an object or an array`);
  }
  return { fields, choices };
}

function readField(list: readonly Tree[], path: string): Field {
  if (list.length === 0) throw new Refusal("Empty arrays are not allowed");
  return { path, ...readConditions(list) };
}

function readBranches(list: readonly Tree[], prefix: string): readonly Clause[] {
  const branches = list.map((branch) => {
    if (!isTreeObject(branch)) throw new Refusal("Only JSON object is allowed in array of $or relationship.");
    return readClause(branch, prefix, true);
  });
  if (branches.length < 2) throw new Refusal("There must have at least 2 Objects in $or relationship.");
  return branches;
}

/** Inside `$or` a field of such a name is taken for a condition that went astray. */
const OPERATOR_WORDS: ReadonlySet<string> = new Set(
  "exactly prefix suffix equals-ignore-case anything-but exists wildcard numeric cidr regex = < <= > >=".split(" "),
);

function combinations(clause: Clause): number {
  return clause.choices.reduce(
    (product, branches) => product * branches.reduce((sum, branch) => sum + combinations(branch), 0),
    1,
  );
}

function pathsOf(clause: Clause): readonly string[] {
  return [...clause.fields.map(({ path }) => path), ...clause.choices.flat().flatMap(pathsOf)];
}
