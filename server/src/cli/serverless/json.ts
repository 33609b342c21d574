import type { Resources } from "#cli/serverless/resources.ts";
import type { Tree } from "#cli/serverless/yaml-tree.ts";
import type { Json } from "#domain/json.ts";

/** A tree as JSON; what refers to a resource stands as its name. */
export function jsonOf(tree: Tree, resources: Resources): Json {
  switch (tree.kind) {
    case "scalar":
      return tree.value;
    case "list":
      return tree.items.map((item) => jsonOf(item, resources));
    case "map":
      return Object.fromEntries([...tree.entries].map(([name, value]) => [name, jsonOf(value, resources)]));
    case "call":
      return resources.text(tree);
  }
}
