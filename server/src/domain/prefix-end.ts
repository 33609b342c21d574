/** The first text, in code point order, that is behind every text that begins so; null: there is none. */
export function prefixEnd(prefix: string): string | null {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = (last.codePointAt(0) ?? 0) + 1;
    if (next > 0x10ffff) continue;
    // UTF-8 knows no surrogates: the code point after U+D7FF is U+E000.
    return points.join("") + String.fromCodePoint(next === 0xd800 ? 0xe000 : next);
  }
  return null;
}
