import { invariant } from "#domain/invariant.ts";

/** A place that paths lead through or end at. */
export type WantedNode = {
  /** Names from the root, joined by dots. */
  readonly path: string;
  /** How many want what is here. */
  asked: number;
  readonly children: Map<string, WantedNode>;
  /** The last object that had a member here, by its number: so a name that is repeated in one object is noticed. */
  seenIn: number;
};

/**
 * The paths that somebody asks for, so that all else in an event is only skipped. A path is the names of members joined by
 * dots; a dot inside a name is no different.
 */
export class Wanted {
  readonly root: WantedNode = { path: "", asked: 0, children: new Map(), seenIn: 0 };
  /** Objects walked through so far; each has its number. */
  objects = 0;

  constructor(paths: Iterable<string> = []) {
    for (const path of paths) this.add(path);
  }

  add(path: string): void {
    let node = this.root;
    const names = path.split(".");
    for (const [index, name] of names.entries()) {
      let child = node.children.get(name);
      if (child === undefined) {
        child = { path: names.slice(0, index + 1).join("."), asked: 0, children: new Map(), seenIn: 0 };
        node.children.set(name, child);
      }
      node = child;
    }
    node.asked += 1;
  }

  /** Takes back one `add` of the same path. */
  remove(path: string): void {
    const way: { readonly parent: WantedNode; readonly name: string; readonly node: WantedNode }[] = [];
    for (const name of path.split(".")) {
      const parent = way.at(-1)?.node ?? this.root;
      const node = parent.children.get(name);
      invariant(node !== undefined, "only what was asked for is taken back");
      way.push({ parent, name, node });
    }
    const last = way.at(-1)?.node;
    invariant(last !== undefined && last.asked > 0, "only what was asked for is taken back");
    last.asked -= 1;
    for (const { parent, name, node } of way.reverse()) {
      if (node.asked > 0 || node.children.size > 0) return;
      parent.children.delete(name);
    }
  }
}

/** Where a member of that name leads to; undefined when nobody wants it. */
export function follow(node: WantedNode, name: string): WantedNode | undefined {
  const child = node.children.get(name);
  if (child !== undefined || !name.includes(".")) return child;
  let way: WantedNode | undefined = node;
  for (const part of name.split(".")) {
    way = way.children.get(part);
    if (way === undefined) return undefined;
  }
  return way;
}
