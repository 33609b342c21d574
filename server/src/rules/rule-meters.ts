import type { Counter, Meter } from "#ports/meter.ts";

type RuleName = { readonly bus: string; readonly name: string };

/** Counts per rule since this process started. Of thousands of rules the registry keeps the first it meets. */
export class RuleMeters {
  readonly #meter: Meter;
  readonly #counters = new Map<string, Counter>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  matched(rule: RuleName): void {
    this.#add("tidings_rule_matched_total", "Events that matched a rule.", rule);
  }

  delivered(rule: RuleName): void {
    this.#add("tidings_rule_delivered_total", "Deliveries of a rule to one of its targets that are done.", rule);
  }

  retried(rule: RuleName): void {
    this.#add("tidings_rule_retried_total", "Tries of a delivery of a rule that failed and are repeated.", rule);
  }

  failed(rule: RuleName): void {
    this.#add("tidings_rule_failed_total", "Deliveries of a rule that were given up.", rule);
  }

  #add(name: string, help: string, { bus, name: rule }: RuleName): void {
    const key = `${name} ${bus}/${rule}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) this.#counters.set(key, (counter = this.#meter.counter(name, help, { bus, rule })));
    counter.add(1);
  }
}
