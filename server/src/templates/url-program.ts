import { type Program, ProgramBuilder } from "./program.ts";
import type { TextNode } from "./syntax.ts";
import { safeUrl, type UrlUse } from "./url.ts";

/** Compiles an address: values are percent-encoded where they stand, and the whole is "" unless it is harmless. */
export function urlProgram(nodes: readonly TextNode[], use: UrlUse): Program {
  const builder = new ProgramBuilder();
  addUrl(builder, nodes, START_OF_URL);
  const built = builder.build();
  if (built.constant !== null) {
    const safe = safeUrl(built.constant, use);
    return { constant: safe, run: () => safe };
  }
  return { constant: null, run: (frame) => safeUrl(built.run(frame), use) };
}

/** How far a URL has been read. Behind `?name=`, and only there, `&` in a value must not separate. */
export type UrlPlace = { readonly started: boolean; readonly query: boolean; readonly behindEquals: boolean };

export const START_OF_URL: UrlPlace = { started: false, query: false, behindEquals: false };

export function readUrl(place: UrlPlace, more: string): UrlPlace {
  if (more === "") return place;
  return { started: true, query: place.query || more.includes("?"), behindEquals: more.endsWith("=") };
}

/** A value is one value of the query here. */
export function isQueryValue(place: UrlPlace): boolean {
  return place.query && place.behindEquals;
}

function addUrl(builder: ProgramBuilder, nodes: readonly TextNode[], before: UrlPlace): void {
  let place = before;
  for (const node of nodes) {
    if (node.kind === "literal") {
      builder.literal(node.text);
      place = readUrl(place, node.text);
      continue;
    }
    if (node.kind === "value") builder.value(node, isQueryValue(place) ? "query" : "url");
    else builder.block(node, urlBranch(node.body, place), urlBranch(node.otherwise, place));
    place = readUrl(place, "x");
  }
}

function urlBranch(nodes: readonly TextNode[], place: UrlPlace): Program {
  const builder = new ProgramBuilder();
  addUrl(builder, nodes, place);
  return builder.build();
}
