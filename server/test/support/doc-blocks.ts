import { readFileSync } from "node:fs";

export type Block = { readonly language: string; readonly code: string };

/** The blocks of code under one heading of a page, with those of its sub-headings. @param page its path from the root. */
export function blocksUnder(page: string, heading: string): readonly Block[] {
  const text = readFileSync(new URL(`../../../${page}`, import.meta.url), "utf8");
  const level = heading.slice(0, heading.indexOf(" "));
  const [, section] = text.split(`\n${heading}\n`);
  if (section === undefined) throw new Error(`${page} has no heading ${JSON.stringify(heading)}`);
  const end = section.search(new RegExp(`^#{1,${level.length}} `, "m"));
  const blocks = section.slice(0, end === -1 ? undefined : end).matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm);
  return Array.from(blocks, ([, language = "", code = ""]) => ({ language, code }));
}
