import type { JsonObject } from "#domain/json.ts";
import type { Engine } from "#engine/engine.ts";
import { readAwsTarget } from "#rules/aws-target.ts";
import { bodyOf, unknownBus } from "#rules/buses.ts";
import { BUSES, ruleId, ruleOf, rulePrefix, RULES } from "#rules/collections.ts";
import type { By, Done, Page, PageAsk, RuleAt, TargetDesk, TargetFailure } from "#rules/desk.ts";
import { fault } from "#rules/fault.ts";
import { pageOf } from "#rules/page.ts";
import { type Rules, unknownRule } from "#rules/rule-book.ts";
import type { Target } from "#rules/rule.ts";

type Put = { readonly failed: readonly TargetFailure[] };
const NONE_FAILED: Put = { failed: [] };

export class Targets implements TargetDesk {
  readonly #engine: Engine;
  readonly #rules: Rules;
  readonly #check: (target: Target) => string | null;

  constructor(engine: Engine, rules: Rules, check: (target: Target) => string | null) {
    this.#engine = engine;
    this.#rules = rules;
    this.#check = check;
  }

  async put(at: RuleAt, entries: readonly JsonObject[], max: number, by?: By): Promise<Done<Put>> {
    const targets = new Map<string, Target>();
    for (const [index, entry] of entries.entries()) {
      const read = readAwsTarget(entry, index + 1);
      if (read.kind === "invalid") return fault("invalid", read.says);
      const says = this.#check(read.target);
      if (says !== null) return fault("invalid", says);
      targets.set(read.target.id, read.target);
    }
    const edited = await this.#rules.edit(at, by, (before, modifiedMs) => {
      if (before === null) return unknownRule(at);
      const kept = before.targets.filter(({ id }) => !targets.has(id));
      const after = [...kept, ...targets.values()];
      if (after.length > max && after.length > before.targets.length) return fault("limit", TOO_MANY);
      return { ...before, targets: after, modifiedMs };
    });
    return edited.kind === "done" ? { kind: "done", value: NONE_FAILED } : edited;
  }

  async list(at: RuleAt, { prefix, after, limit }: PageAsk): Promise<Done<Page<Target>>> {
    const found = await this.#rules.describe(at);
    if (found.kind !== "done") return found;
    const behind = found.value.targets
      .filter(({ id }) => id.startsWith(prefix ?? "") && (after === null || id > after))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return { kind: "done", value: pageOf(behind, limit, ({ id }) => id) };
  }

  async remove(at: RuleAt, ids: readonly string[], by?: By): Promise<Done<Put>> {
    const edited = await this.#rules.edit(at, by, (before, modifiedMs) => {
      if (before === null) return unknownRule(at);
      const targets = before.targets.filter(({ id }) => !ids.includes(id));
      return targets.length === before.targets.length ? before : { ...before, targets, modifiedMs };
    });
    return edited.kind === "done" ? { kind: "done", value: NONE_FAILED } : edited;
  }

  async ruleNamesOf(arn: string, bus: string, { prefix, after, limit }: PageAsk): Promise<Done<Page<string>>> {
    const { store } = this.#engine.parts;
    const [document = null] = await store.documents([{ collection: BUSES, id: bus }]);
    if (bodyOf(bus, document) === null) return unknownBus(bus);
    const found = await store.listDocuments({
      collection: RULES,
      prefix: rulePrefix(bus) + (prefix ?? ""),
      term: ["target", arn],
      after: after === null ? null : ruleId({ bus, name: after }),
      limit: limit + 1,
    });
    const names = found.map((one) => ruleOf(one).name);
    return { kind: "done", value: pageOf(names, limit, (name) => name) };
  }
}

const TOO_MANY = "The requested resource exceeds the maximum number allowed.";
