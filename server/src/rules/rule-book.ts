import type { Document } from "#domain/document.ts";
import { DEFAULT_BUS } from "#domain/arn.ts";
import { type Changes, happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import { bodyOf, busPut, unknownBus } from "#rules/buses.ts";
import { BUSES, RULE_CHANGED, RULE_REMOVED, ruleId, ruleOf, rulePrefix, RULES, ruleTitle } from "#rules/collections.ts";
import type { By, Done, Page, PageAsk, RuleAt, RuleBook, RuleFault, RuleWish, Tags } from "#rules/desk.ts";
import { changeOr, fault, Refusal } from "#rules/fault.ts";
import { RULE_CHARS_MAX, RULES_PER_BUS_MAX } from "#rules/limits.ts";
import { descriptionFlaw, ruleNameFlaw, tagsFlaw } from "#rules/names.ts";
import { pageOf } from "#rules/page.ts";
import { patternFault } from "#rules/pattern-fault.ts";
import type { Rule, Target } from "#rules/rule.ts";

/** What the books need besides the engine. */
export type BookHouse = {
  readonly engine: Engine;
  /** Sees to it that the matcher reads the journal from here on, before the first rule is there. */
  readonly ready: () => Promise<void>;
  /** A sentence when a target can never work; null when it is fine. */
  readonly checkTarget: (target: Target) => string | null;
};

/** Rules as documents; every change tells the matcher by an event in the same commit. */
export class Rules implements RuleBook {
  readonly #house: BookHouse;
  /** About how many rules each bus has, of those to which one was added. */
  readonly #counts = new Map<string, number>();

  constructor(house: BookHouse) {
    this.#house = house;
  }

  async put(wish: RuleWish, by?: By): Promise<Done<Rule>> {
    const says = wishFault(wish);
    if (says !== null) return says;
    return this.edit(wish, by, (before, nowMs) => ruleOfWish(wish, before, before?.targets ?? [], nowMs, by));
  }

  async putWhole(
    wish: RuleWish & { readonly targets: readonly Target[] },
    by?: By & { readonly only?: "try" },
  ): Promise<Done<{ readonly rule: Rule; readonly was: "absent" | "same" | "different" }>> {
    const says = wishFault(wish) ?? this.#targetsFault(wish.targets);
    if (says !== null) return says;
    let was: "absent" | "same" | "different" = "absent";
    const next = (before: Rule | null, nowMs: number): Rule => {
      const after = ruleOfWish(wish, before, wish.targets, nowMs, by);
      was = before === null ? "absent" : isSame(before, after) ? "same" : "different";
      return was === "same" && before !== null ? before : after;
    };
    const done = by?.only === "try" ? await this.#try(wish, by, next) : await this.edit(wish, by, next);
    return done.kind === "done" ? { kind: "done", value: { rule: done.value, was } } : done;
  }

  async describe(at: RuleAt): Promise<Done<Rule>> {
    const { bus, rule } = await this.#read(at);
    if (bodyOf(at.bus, bus) === null) return unknownBus(at.bus);
    return rule === null ? unknownRule(at) : { kind: "done", value: ruleOf(rule) };
  }

  async list(bus: string, { prefix, after, limit }: PageAsk): Promise<Done<Page<Rule>>> {
    const { store } = this.#house.engine.parts;
    const [document = null] = await store.documents([{ collection: BUSES, id: bus }]);
    if (bodyOf(bus, document) === null) return unknownBus(bus);
    const found = await store.listDocuments({
      collection: RULES,
      prefix: rulePrefix(bus) + (prefix ?? ""),
      after: after === null ? null : ruleId({ bus, name: after }),
      limit: limit + 1,
    });
    return { kind: "done", value: pageOf(found.map(ruleOf), limit, ({ name }) => name) };
  }

  async listAll({ prefix, after, limit }: PageAsk): Promise<Page<Rule>> {
    const query = { collection: RULES, prefix: prefix ?? "", after, limit: limit + 1 };
    const found = await this.#house.engine.parts.store.listDocuments(query);
    return pageOf(found.map(ruleOf), limit, ruleId);
  }

  setState(at: RuleAt, state: Rule["state"], by?: By): Promise<Done<Rule>> {
    return this.edit(at, by, (before, modifiedMs) => {
      if (before === null) return unknownRule(at);
      return before.state === state ? before : { ...before, state, modifiedMs };
    });
  }

  async remove(at: RuleAt, withTargets: boolean, by?: By): Promise<Done<Rule | null>> {
    const { engine } = this.#house;
    return changeOr<Rule | null>(engine, by, async () => {
      const { bus, rule } = await this.#read(at);
      const busBody = bodyOf(at.bus, bus);
      if (busBody === null) return elsewhere(unknownBus(at.bus));
      if (rule === null) return { kind: "elsewhere", value: null };
      const before = ruleOf(rule);
      if (isForeign(before, by)) return elsewhere(managedFault(before));
      if (before.targets.length > 0 && !withTargets) return elsewhere(fault("invalid", HAS_TARGETS));
      const { clock } = engine.parts;
      const nowMs = clock.nowMs();
      const changes = noChanges();
      const key = { collection: RULES, id: ruleId(at) };
      changes.expect.push(unchanged(key, rule));
      changes.deletes.push(key);
      const origin = by?.origin ?? NO_ORIGIN;
      const { name } = at;
      changes.events.push(happened(RULE_REMOVED, `rule:${ruleTitle(at)}`, { bus: at.bus, name }, { nowMs, origin }));
      const refused = await joinBeside(changes, by);
      return refused === null ? write(changes, before) : elsewhere(refused);
    });
  }

  /**
   * Changes one rule: `next` says what it becomes, or why it cannot. The very same rule: nothing is written.
   * @param next called again when somebody else was faster.
   */
  async edit(
    at: RuleAt,
    by: By | undefined,
    next: (before: Rule | null, nowMs: number) => Rule | RuleFault,
  ): Promise<Done<Rule>> {
    await this.#house.ready();
    return changeOr<Rule>(this.#house.engine, by, async () => {
      const decided = await this.#decide(at, by, next);
      if (decided.kind === "fault") return elsewhere(decided);
      const refused = await joinBeside(decided.changes, by);
      return refused === null ? write(decided.changes, decided.after) : elsewhere(refused);
    });
  }

  /** What `edit` would come to, without doing it. */
  async #try(at: RuleAt, by: By, next: (before: Rule | null, nowMs: number) => Rule | RuleFault): Promise<Done<Rule>> {
    const decided = await this.#decide(at, by, next);
    return decided.kind === "fault" ? decided : { kind: "done", value: decided.after };
  }

  async #decide(
    at: RuleAt,
    by: By | undefined,
    next: (before: Rule | null, nowMs: number) => Rule | RuleFault,
  ): Promise<RuleFault | { readonly kind: "decided"; readonly changes: Changes; readonly after: Rule }> {
    const { bus, rule } = await this.#read(at);
    const busBody = bodyOf(at.bus, bus);
    if (busBody === null) return unknownBus(at.bus);
    const before = rule === null ? null : ruleOf(rule);
    if (before !== null && isForeign(before, by)) return managedFault(before);
    if (before === null && (await this.#isFull(at.bus))) return fault("limit", TOO_MANY);
    const nowMs = this.#house.engine.parts.clock.nowMs();
    const after = next(before, nowMs);
    if ("kind" in after) return after;
    const changes = noChanges();
    if (after === before) return { kind: "decided", changes, after };
    const body = JSON.stringify(after);
    if (body.length > RULE_CHARS_MAX) return fault("limit", TOO_LARGE);
    const key = { collection: RULES, id: ruleId(at) };
    changes.expect.push(unchanged(key, rule));
    if (before === null) {
      changes.expect.push(unchanged({ collection: BUSES, id: at.bus }, bus));
      if (busBody.isClosing) changes.puts.push(busPut(at.bus, { ...busBody, isClosing: false }, nowMs));
    }
    const terms = [...new Set(after.targets.map(({ arn }) => arn))].map((arn) => ["target", arn] as const);
    changes.puts.push({ ...key, body, terms, when: "always", nowMs });
    const traceparent = by?.origin?.traceparent ?? null;
    changes.events.push({
      type: RULE_CHANGED,
      subject: `rule:${ruleTitle(at)}`,
      timeMs: nowMs,
      data: body,
      traceparent,
    });
    return { kind: "decided", changes, after };
  }

  /** Counted at first, and when this process has added so many: the limit guards memory, and may be passed a little. */
  async #isFull(bus: string): Promise<boolean> {
    const known = this.#counts.get(bus);
    if (known !== undefined && known < RULES_PER_BUS_MAX) {
      this.#counts.set(bus, known + 1);
      return false;
    }
    const { store } = this.#house.engine.parts;
    let count = 0;
    for (let after: string | null = null; ; ) {
      const page = await store.listDocuments({ collection: RULES, prefix: rulePrefix(bus), after, limit: COUNT_PAGE });
      count += page.length;
      after = page.at(-1)?.id ?? null;
      if (page.length < COUNT_PAGE) break;
    }
    this.#counts.set(bus, count + 1);
    return count >= RULES_PER_BUS_MAX;
  }

  async #read(at: RuleAt): Promise<{ readonly bus: Document | null; readonly rule: Document | null }> {
    const [bus = null, rule = null] = await this.#house.engine.parts.store.documents([
      { collection: BUSES, id: at.bus },
      { collection: RULES, id: ruleId(at) },
    ]);
    return { bus, rule };
  }

  #targetsFault(targets: readonly Target[]): RuleFault | null {
    for (const target of targets) {
      const says = this.#house.checkTarget(target);
      if (says !== null) return fault("invalid", says);
    }
    const twice = targets.find(({ id }, place) => targets.findIndex((other) => other.id === id) !== place);
    return twice === undefined ? null : fault("invalid", `Two targets have the id ${twice.id}.`);
  }
}

export function unknownRule({ bus, name }: RuleAt): RuleFault {
  return fault("unknown", `Rule ${name} does not exist on EventBus ${bus}.`);
}

const COUNT_PAGE = 1_000;
const HAS_TARGETS = "Rule can't be deleted since it has targets.";
const TOO_MANY = `The requested resource exceeds the maximum number allowed: ${RULES_PER_BUS_MAX} rules on a bus.`;
const TOO_LARGE = `A rule with all its targets may have ${RULE_CHARS_MAX} characters.`;
/** `rate(5 minutes)`, `cron(0 12 * * ? *)`. */
const SCHEDULE = /^(rate\([1-9]\d* (minutes?|hours?|days?)\)|cron\([^()]{1,200}\))$/;

function elsewhere(refused: RuleFault): { readonly kind: "elsewhere"; readonly value: Refusal } {
  return { kind: "elsewhere", value: new Refusal(refused) };
}

/** @returns why what goes beside cannot be done; then neither is the change. */
async function joinBeside(changes: Changes, by: By | undefined): Promise<RuleFault | null> {
  const beside = await by?.beside?.();
  if (beside === undefined) return null;
  if ("kind" in beside) return beside;
  changes.expect.push(...beside.expect);
  changes.puts.push(...beside.puts);
  changes.deletes.push(...beside.deletes);
  changes.events.push(...beside.events);
  return null;
}

function isForeign({ managedBy }: Rule, by: By | undefined): boolean {
  return managedBy !== null && managedBy !== by?.as;
}

function managedFault({ name, managedBy }: Rule): RuleFault {
  return fault("managed", `Rule ${name} is managed by ${managedBy}, and is changed there.`);
}

function wishFault({ bus, name, pattern, schedule, description, tags }: RuleWish): RuleFault | null {
  const says = ruleNameFlaw(name) ?? descriptionFlaw(description) ?? (tags === null ? null : tagsFlaw(tags));
  if (says !== null) return fault("invalid", says);
  if (pattern === null && schedule === null) return fault("invalid", NEITHER);
  if (schedule !== null && bus !== DEFAULT_BUS) return fault("invalid", ONLY_DEFAULT);
  if (schedule !== null && !SCHEDULE.test(schedule)) return fault("invalid", BAD_SCHEDULE);
  return pattern === null ? null : patternFault(pattern);
}

const NEITHER = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
const ONLY_DEFAULT = "ScheduleExpression is supported only on the default event bus.";
const BAD_SCHEDULE = "Parameter ScheduleExpression is not valid.";

function ruleOfWish(
  { bus, name, pattern, schedule, state, description, roleArn, tags }: RuleWish,
  before: Rule | null,
  targets: readonly Target[],
  nowMs: number,
  by: By | undefined,
): Rule {
  const kept: Tags = tags ?? before?.tags ?? {};
  return {
    bus,
    name,
    pattern,
    schedule,
    state,
    description,
    roleArn,
    tags: kept,
    targets,
    managedBy: by?.as ?? null,
    createdMs: before?.createdMs ?? nowMs,
    modifiedMs: nowMs,
  };
}

/** Whether two rules say the same, whenever they were put. */
function isSame(a: Rule, b: Rule): boolean {
  return (
    JSON.stringify({ ...a, createdMs: 0, modifiedMs: 0 }) === JSON.stringify({ ...b, createdMs: 0, modifiedMs: 0 })
  );
}
