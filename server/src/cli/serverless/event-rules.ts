import { jsonOf } from "#cli/serverless/json.ts";
import type { PlannedRule } from "#cli/serverless/plan.ts";
import { queueName } from "#cli/serverless/read-resources.ts";
import { cleanName, type Resource, type Resources } from "#cli/serverless/resources.ts";
import type { ReadTrigger, Triggers } from "#cli/serverless/triggers.ts";
import { at, type Gap, itemsOf, numberOf, type Tree } from "#cli/serverless/yaml-tree.ts";
import { isJsonObject, type Json } from "#domain/json.ts";
import { patternFlaw } from "#functions/pattern.ts";

/** Rules among the resources: targets that are functions start these, the others become rules of ours. */
export class EventRules {
  readonly rules: readonly PlannedRule[];
  readonly #resources: Resources;
  readonly #gaps: Gap[];
  readonly #ofFunctions = new Map<string, (ReadTrigger & { readonly line: number })[]>();

  constructor(resources: Resources, triggers: Triggers, gaps: Gap[]) {
    this.#resources = resources;
    this.#gaps = gaps;
    this.rules = resources.all
      .filter(({ type }) => type === "AWS::Events::Rule")
      .flatMap((resource) => this.#rule(resource, triggers));
  }

  /** What of them starts the function with this key. */
  of(id: string): readonly (ReadTrigger & { readonly line: number })[] {
    const found = this.#ofFunctions.get(logicalId(id)) ?? [];
    this.#ofFunctions.delete(logicalId(id));
    return found;
  }

  /** When all functions have asked: what was for others becomes a gap each. */
  tellLeft(): void {
    for (const [id, triggers] of this.#ofFunctions)
      for (const { line } of triggers) this.#gaps.push({ line, says: `its target ${id} is no function of this file` });
  }

  #rule(resource: Resource, triggers: Triggers): readonly PlannedRule[] {
    const { id, line, properties } = resource;
    const tree = at(properties, "EventPattern");
    const when = at(properties, "ScheduleExpression");
    const bus = triggers.bus(at(properties, "EventBusName"));
    const pattern = tree === undefined ? null : jsonOf(tree, this.#resources);
    const targets: Json[] = [];
    for (const target of itemsOf(at(properties, "Targets"))) {
      const arn = at(target, "Arn");
      const called = this.#resources.idIn(arn);
      if (called?.endsWith("LambdaFunction") === true) {
        const read =
          pattern === null && when !== undefined
            ? triggers.schedule(when, target)
            : triggers.event(target, pattern, bus);
        const before = this.#ofFunctions.get(called) ?? [];
        this.#ofFunctions.set(called, [...before, ...read.map((one) => ({ ...one, line }))]);
      } else {
        const ours = this.#target(target, arn, id);
        if (ours !== null) targets.push(ours);
      }
    }
    if (targets.length === 0) return [];
    const flaw = isJsonObject(pattern)
      ? patternFlaw(pattern)
      : "a rule needs an EventPattern; a schedule starts a function";
    if (flaw !== null) {
      this.#gaps.push({ line, says: `${id}: ${flaw}` });
      return [];
    }
    const state = at(properties, "State");
    const isOff = state?.kind === "scalar" && state.value === "DISABLED";
    const name = cleanName(this.#resources.nameOf(resource));
    const rule = {
      name,
      ...(bus === "default" ? {} : { bus }),
      ...(isOff ? { enabled: false } : {}),
      pattern,
      targets,
    };
    return [{ name, rule }];
  }

  #target(target: Tree, arn: Tree | undefined, rule: string): Json | null {
    const { line } = target;
    const id = this.#resources.idIn(arn);
    const resource = id === null ? undefined : this.#resources.byId(id);
    const text = arn === undefined ? "" : (this.#resources.text(arn) ?? "");
    const isBus = resource?.type === "AWS::Events::EventBus" || /^arn:[^:]*:events:.*:event-bus\//.test(text);
    const isQueue = resource?.type === "AWS::SQS::Queue" || /^arn:[^:]*:sqs:/.test(text);
    const name = arn === undefined ? null : isQueue ? queueName(arn, this.#resources) : this.#resources.name(arn);
    if (name === null || (!isBus && !isQueue)) {
      this.#gaps.push({ line, says: `${rule}: a target that is neither function, queue nor bus is not taken over` });
      return null;
    }
    const json = (...path: readonly string[]): Json | undefined => {
      const found = at(target, ...path);
      return found === undefined ? undefined : jsonOf(found, this.#resources);
    };
    const letters = at(target, "DeadLetterConfig", "Arn");
    const attempts = numberOf(at(target, "RetryPolicy", "MaximumRetryAttempts"));
    const ageSeconds = numberOf(at(target, "RetryPolicy", "MaximumEventAgeInSeconds"));
    const retry = { ...(attempts === null ? {} : { attempts }), ...(ageSeconds === null ? {} : { ageSeconds }) };
    const said: Readonly<Record<string, Json | undefined>> = {
      ...(isBus ? { bus: name } : { queue: name, group: json("SqsParameters", "MessageGroupId") }),
      input: parsed(json("Input")),
      inputPath: json("InputPath"),
      transform: this.#transform(at(target, "InputTransformer")),
      retry: Object.keys(retry).length === 0 ? undefined : retry,
      deadLetterQueue: letters === undefined ? undefined : (queueName(letters, this.#resources) ?? undefined),
    };
    return Object.fromEntries(
      Object.entries(said).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
    );
  }

  #transform(tree: Tree | undefined): Json | undefined {
    const template = at(tree, "InputTemplate");
    if (template?.kind !== "scalar") return undefined;
    const paths = at(tree, "InputPathsMap");
    return { paths: paths === undefined ? {} : jsonOf(paths, this.#resources), template: String(template.value) };
  }
}

/** How the Serverless Framework names the function in CloudFormation. */
function logicalId(key: string): string {
  const name = key.replaceAll("-", "Dash").replaceAll("_", "Underscore");
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}LambdaFunction`;
}

/** CloudFormation has JSON as text. */
function parsed(json: Json | undefined): Json | undefined {
  if (typeof json !== "string") return json;
  try {
    // JSON.parse gives what JSON can say and nothing else.
    return JSON.parse(json) as Json;
  } catch {
    return json;
  }
}
