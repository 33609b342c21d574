import { EventRules } from "#cli/serverless/event-rules.ts";
import type { FunctionNumbers, Plan, PlannedFunction } from "#cli/serverless/plan.ts";
import { readResources } from "#cli/serverless/read-resources.ts";
import { readSettings } from "#cli/serverless/read-settings.ts";
import { cleanName, Resources } from "#cli/serverless/resources.ts";
import { type ReadTrigger, Triggers, within } from "#cli/serverless/triggers.ts";
import { resolveVariables } from "#cli/serverless/variables.ts";
import { at, entriesOf, type Gap, itemsOf, numberOf, readYaml, type Tree } from "#cli/serverless/yaml-tree.ts";

export type ReadPlan =
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "fault"; readonly line: number; readonly says: string };

/** Functions of one file: more are several services. */
const FUNCTIONS_MAX = 500;
/** Names of functions are 60 characters at most, with what tells triggers of one function apart. */
const NAME_CHARS_MAX = 45;

const TOP_NEEDLESS =
  /^(?:service|frameworkVersion|provider|functions|resources|custom|package|useDotenv|configValidationMode|variablesResolutionMode|deprecationNotificationMode|disabledDeprecations|unresolvedVariablesNotificationMode|org|app|tenant|params|build)$/;
const FUNCTION_NEEDLESS =
  /^(?:handler|events|name|description|timeout|memorySize|reservedConcurrency|environment|runtime|role|iamRoleStatements.*|tags|vpc|layers|package|logRetentionInDays|architecture|tracing|versionFunction|provisionedConcurrency|ephemeralStorageSize|maximumRetryAttempts|awsKmsKeyArn|kmsKeyArn|disableLogs)$/;

/** Reads a `serverless.yml`: what it makes here, and with file lines what it does not. */
export function readPlan(text: string, nowMs: number): ReadPlan {
  const raw = readYaml(text);
  if (raw.kind === "fault") return raw;
  if (raw.kind !== "map") return { kind: "fault", line: 1, says: "it is no serverless.yml: no service, no functions" };
  if (!raw.entries.has("functions") && !raw.entries.has("resources"))
    return { kind: "fault", line: 1, says: "it is no serverless.yml: it has neither functions nor resources" };
  const gaps: Gap[] = [];
  const root = resolveVariables(raw, gaps);
  for (const [name, { line }] of entriesOf(root)) {
    if (name === "plugins") gaps.push({ line, says: "plugins are not known here" });
    else if (!TOP_NEEDLESS.test(name)) gaps.push({ line, says: `${name} is not taken over` });
  }
  const resources = new Resources(root, gaps);
  const { queues, collections } = readResources(resources, gaps);
  const triggers = new Triggers(resources, gaps, nowMs);
  const rules = new EventRules(resources, triggers, gaps);
  const functions = readFunctions(root, { resources, triggers, rules, gaps });
  rules.tellLeft();
  const settings = readSettings(root, resources, gaps);
  const service = at(root, "service", "name") ?? at(root, "service");
  const plan: Plan = {
    service: cleanName(service?.kind === "scalar" ? String(service.value) : "imported").toLowerCase(),
    ...{ functions, queues, collections, settings },
    rules: rules.rules,
    gaps: distinct(gaps).toSorted((a, b) => a.line - b.line),
  };
  return { kind: "plan", plan };
}

type House = {
  readonly resources: Resources;
  readonly triggers: Triggers;
  readonly rules: EventRules;
  readonly gaps: Gap[];
};

function readFunctions(root: Tree, house: House): readonly PlannedFunction[] {
  const { gaps } = house;
  const planned: PlannedFunction[] = [];
  const taken = new Set<string>();
  const routes = new Map<string, number>();
  for (const part of itemsOf(at(root, "functions"))) {
    if (part.kind !== "map")
      gaps.push({ line: part.line, says: "functions of another file are not read; import them by themselves" });
    for (const [id, tree] of entriesOf(part)) {
      if (planned.length >= FUNCTIONS_MAX) {
        gaps.push({ line: tree.line, says: `only ${FUNCTIONS_MAX} functions are taken over` });
        return planned;
      }
      const name = free(cleanName(id, NAME_CHARS_MAX), taken);
      planned.push(...functionsOf(id, name, tree, house).filter((one) => isNewRoute(one, routes, gaps)));
    }
  }
  return planned;
}

/** One file for each trigger: a function here has one. */
function functionsOf(id: string, name: string, tree: Tree, house: House): readonly PlannedFunction[] {
  const { triggers, rules, gaps } = house;
  for (const [key, { line }] of entriesOf(tree))
    if (!FUNCTION_NEEDLESS.test(key)) gaps.push({ line, says: `${id}: ${key} is not taken over` });
  const items = itemsOf(at(tree, "events")).filter(({ kind }) => kind === "map");
  const read: readonly (ReadTrigger & { readonly line: number })[] = [
    ...items.flatMap((item) => triggers.read(item).map((one) => ({ ...one, line: item.line }))),
    ...rules.of(id),
  ];
  if (read.length === 0) gaps.push({ line: tree.line, says: `${id}: nothing starts it; no file is made` });
  const handler = at(tree, "handler");
  const was = handler?.kind === "scalar" ? String(handler.value) : "";
  const numbers = numbersOf(tree);
  const taken = new Set<string>();
  return read.map(({ on, notes, options, line }) => ({
    path: read.length === 1 ? name : `${name}/${free(on.kind, taken)}`,
    ...{ was, line, on, notes },
    options: { ...numbers, ...options },
  }));
}

function numbersOf(tree: Tree): FunctionNumbers {
  const timeout = numberOf(at(tree, "timeout"));
  const memory = numberOf(at(tree, "memorySize"));
  const reserved = numberOf(at(tree, "reservedConcurrency"));
  return {
    ...(timeout === null ? {} : { timeoutMs: within(timeout * 1_000, 1, 900_000) }),
    ...(memory === null ? {} : { memoryMb: within(memory, 16, 4_096) }),
    ...(reserved === null ? {} : { concurrency: within(reserved, 1, 1_000) }),
  };
}

function isNewRoute({ on, line }: PlannedFunction, routes: Map<string, number>, gaps: Gap[]): boolean {
  if (on.kind !== "http") return true;
  const route = `${on.method} ${on.path.replaceAll(/:\w+/g, ":")}`;
  const other = routes.get(route);
  if (other === undefined) routes.set(route, line);
  else gaps.push({ line, says: `${on.method} ${on.path} is taken by line ${other}` });
  return other === undefined;
}

/** The name, or with a number behind it when it is taken; a disk may not tell large letters from small ones. */
function free(name: string, taken: Set<string>): string {
  let found = name.replace(/^_+/, "") || "unnamed";
  for (let count = 2; taken.has(found.toLowerCase()); count += 1) found = `${name}-${count}`;
  taken.add(found.toLowerCase());
  return found;
}

function distinct(gaps: readonly Gap[]): readonly Gap[] {
  return [...new Map(gaps.map((gap) => [`${gap.line} ${gap.says}`, gap])).values()];
}
