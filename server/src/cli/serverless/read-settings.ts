import { jsonOf } from "#cli/serverless/json.ts";
import type { PlannedSetting } from "#cli/serverless/plan.ts";
import type { Resources } from "#cli/serverless/resources.ts";
import { at, entriesOf, type Gap, itemsOf, type Tree } from "#cli/serverless/yaml-tree.ts";

/** What nobody wants to find in a repository. */
const SECRET = /(?:secret|password|passwd|token|api_?key|private_?key|credential)/i;

/**
 * The environment of all functions as settings. What looks like a secret is read from the environment, and its value is
 * written nowhere.
 */
export function readSettings(root: Tree, resources: Resources, gaps: Gap[]): ReadonlyMap<string, PlannedSetting> {
  const settings = new Map<string, PlannedSetting>();
  const functions = itemsOf(at(root, "functions")).flatMap((part) => [...entriesOf(part).values()]);
  for (const place of [at(root, "provider"), ...functions]) {
    for (const [name, tree] of entriesOf(at(place, "environment"))) {
      const setting = settingOf(name, tree, resources, gaps);
      const before = settings.get(name);
      if (before === undefined) settings.set(name, setting);
      else if (JSON.stringify(before) !== JSON.stringify(setting))
        gaps.push({
          line: tree.line,
          says: `${name} has another value elsewhere, which is the one that is taken; settings are for all functions`,
        });
    }
  }
  return settings;
}

function settingOf(name: string, tree: Tree, resources: Resources, gaps: Gap[]): PlannedSetting {
  const { line } = tree;
  const from = tree.kind === "scalar" ? tree.from : undefined;
  if (SECRET.test(name)) {
    if (from?.kind !== "env")
      gaps.push({
        line,
        says: `${name} looks like a secret: its value is not written down, set it in the environment`,
      });
    return { kind: "secret", variable: from?.kind === "env" ? from.name : name };
  }
  if (from?.kind === "env") return { kind: "env", variable: from.name, otherwise: from.otherwise };
  if (from?.kind === "elsewhere") return { kind: "env", variable: name, otherwise: "" };
  return { kind: "value", value: jsonOf(tree, resources) };
}
