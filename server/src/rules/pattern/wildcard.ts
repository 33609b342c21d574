/** A text with stars, as the literals between them. */
export type Wildcard = {
  /** What the value begins with, up to the first star. */
  readonly head: string;
  /** In this order in between; none is empty. */
  readonly inner: readonly string[];
  /** What it ends with, behind the last star. */
  readonly tail: string;
};

/** A wildcard, or the text that it must equal when there is no star in it, or why it is refused. */
export type WildcardRead =
  | { readonly kind: "wildcard"; readonly wildcard: Wildcard }
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "refused"; readonly reason: string };

/** Reads `*` for any run of characters, `\*` and `\\` for themselves. */
export function readWildcard(text: string): WildcardRead {
  const literals: string[] = [];
  let literal = "";
  let starAt = -1;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === "*") {
      if (starAt !== -1 && starAt === at - 1) {
        return { kind: "refused", reason: `Consecutive wildcard characters at pos ${starAt}` };
      }
      starAt = at;
      literals.push(literal);
      literal = "";
    } else if (char === "\\") {
      const next = text.charAt(at + 1);
      if (next !== "*" && next !== "\\") return { kind: "refused", reason: `Invalid escape character at pos ${at}` };
      literal += next;
      at += 1;
    } else literal += char;
  }
  const [head, ...inner] = literals;
  if (head === undefined) return { kind: "literal", text: literal };
  return { kind: "wildcard", wildcard: { head, inner, tail: literal } };
}

/** Each literal is looked for once, where the one before ended: the first place that fits is never a wrong one. */
export function fits({ head, inner, tail }: Wildcard, text: string): boolean {
  const end = text.length - tail.length;
  let at = head.length;
  if (at > end || !text.startsWith(head) || !text.endsWith(tail)) return false;
  for (const literal of inner) {
    at = text.indexOf(literal, at);
    if (at === -1) return false;
    at += literal.length;
    if (at > end) return false;
  }
  return true;
}
