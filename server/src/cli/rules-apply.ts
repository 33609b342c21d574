import { openClient } from "#cli/access.ts";
import { segment } from "#cli/client.ts";
import { EXIT, type Exit, Refusal } from "#cli/exit.ts";
import { object, text } from "#cli/json.ts";
import type { Options } from "#cli/options.ts";
import { count, paint } from "#cli/output.ts";
import { type FileRule, readRuleFiles } from "#cli/rule-files.ts";
import { allRules } from "#cli/rules-client.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";

type Change = { readonly rule: string; readonly did: "created" | "changed" | "deleted" };

/**
 * `tidings rules apply`: first asks for every rule what would become of it, so that one that is refused stops all before
 * anything is done; then does it.
 */
export async function applyRules(world: World, [path = ""]: readonly string[], options: Options): Promise<Exit> {
  const files = await readRuleFiles(world.cwd, path);
  const isDry = options.flag("dryRun");
  using client = await openClient(world, options);
  const put = async (rule: FileRule, isTry: boolean): Promise<string> => {
    const call = { body: rule.body, query: isTry ? { try: true } : {} };
    try {
      const { body } = await client.callPatiently(world, "PUT", ruleOf(rule), call);
      return text(object(body), "was");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, code, hint, retryAfterMs } = error;
      const says = `${rule.file}, rule ${rule.bus}/${rule.name}: ${error.message}`;
      throw new Refusal(status, says, { code, hint, retryAfterMs });
    }
  };
  const changes: Change[] = [];
  const open: FileRule[] = [];
  for (const rule of files) {
    const was = await put(rule, true);
    if (was === "same") continue;
    open.push(rule);
    changes.push({ rule: `${rule.bus}/${rule.name}`, did: was === "absent" ? "created" : "changed" });
  }
  const gone: Pick<FileRule, "bus" | "name">[] = [];
  if (options.flag("prune")) {
    for (const bus of new Set(files.map((rule) => rule.bus))) {
      for (const rule of await allRules(client, bus)) {
        const name = text(rule, "name");
        const isKept = files.some((one) => one.bus === bus && one.name === name);
        if (isKept || (rule["managedBy"] ?? null) !== null) continue;
        gone.push({ bus, name });
        changes.push({ rule: `${bus}/${name}`, did: "deleted" });
      }
    }
  }
  if (!isDry) {
    for (const rule of open) await put(rule, false);
    for (const rule of gone) await client.callPatiently(world, "DELETE", ruleOf(rule), {});
  }
  tell(world, options, changes, files.length, isDry);
  return isDry && changes.length > 0 ? EXIT.no : EXIT.ok;
}

function ruleOf({ bus, name }: Pick<FileRule, "bus" | "name">): string {
  return `rules/${segment(bus)}/${segment(name)}`;
}

const MARKS = { created: ["green", "+"], changed: ["yellow", "~"], deleted: ["red", "-"] } as const;

function tell(world: World, options: Options, changes: readonly Change[], files: number, isDry: boolean): void {
  const same = files - changes.filter(({ did }) => did !== "deleted").length;
  if (options.flag("json")) {
    sayJson(world, { applied: !isDry, changes, same });
    return;
  }
  for (const { rule, did } of changes) {
    const [colour, mark] = MARKS[did];
    say(world.out, `${paint(world.out, colour, mark)} ${clean(rule)}`);
  }
  const did = (what: Change["did"]): number => changes.filter((change) => change.did === what).length;
  const sum = `${did("created")} created, ${did("changed")} changed, ${did("deleted")} deleted, ${same} as they were`;
  say(world.out, isDry && changes.length > 0 ? `It would be ${count(files, "rule")}: ${sum}. Nothing was done.` : sum);
}
