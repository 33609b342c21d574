import { parseArn } from "#domain/arn.ts";
import type { Buses } from "#rules/buses.ts";
import type { By, Done, RuleFault, TagDesk, Tags } from "#rules/desk.ts";
import { fault } from "#rules/fault.ts";
import { tagsFlaw } from "#rules/names.ts";
import { type Rules, unknownRule } from "#rules/rule-book.ts";

export class TagsOf implements TagDesk {
  readonly #buses: Buses;
  readonly #rules: Rules;

  constructor(buses: Buses, rules: Rules) {
    this.#buses = buses;
    this.#rules = rules;
  }

  async of(text: string): Promise<Done<Tags>> {
    const arn = parseArn(text);
    if (arn?.kind === "bus") return tagsOf(await this.#buses.describe(arn.name));
    return arn?.kind === "rule" ? tagsOf(await this.#rules.describe(arn)) : notTagged(text);
  }

  add(arn: string, tags: Tags, by?: By): Promise<Done<null>> {
    return this.#change(arn, (before) => ({ ...before, ...tags }), by);
  }

  remove(arn: string, keys: readonly string[], by?: By): Promise<Done<null>> {
    const without = (before: Tags): Tags =>
      Object.fromEntries(Object.entries(before).filter(([key]) => !keys.includes(key)));
    return this.#change(arn, without, by);
  }

  async #change(text: string, next: (tags: Tags) => Tags, by: By | undefined): Promise<Done<null>> {
    const arn = parseArn(text);
    if (arn?.kind === "bus") return this.#buses.tag(arn.name, next, by);
    if (arn?.kind !== "rule") return notTagged(text);
    const edited = await this.#rules.edit(arn, by, (before, modifiedMs) => {
      if (before === null) return unknownRule(arn);
      const tags = next(before.tags);
      const says = tagsFlaw(tags);
      return says === null ? { ...before, tags, modifiedMs } : fault("invalid", says);
    });
    return edited.kind === "done" ? { kind: "done", value: null } : edited;
  }
}

function tagsOf(found: Done<{ readonly tags: Tags }>): Done<Tags> {
  return found.kind === "done" ? { kind: "done", value: found.value.tags } : found;
}

function notTagged(arn: string): RuleFault {
  return fault("unknown", `There is no rule and no event bus ${arn}.`);
}
