import { CountersByName, type Meter, OTHERS } from "#ports/meter.ts";

type RuleName = { readonly bus: string; readonly name: string };

/** Counts per rule since this process started, for as many rules as have series of their own. */
export class RuleMeters {
  readonly #counters: CountersByName<keyof typeof SERIES>;

  constructor(meter: Meter) {
    this.#counters = new CountersByName((path, kind) => {
      const [series, help] = SERIES[kind];
      return meter.counter(series, help, labelsOf(path));
    });
  }

  matched(rule: RuleName): void {
    this.#add("matched", rule);
  }

  delivered(rule: RuleName): void {
    this.#add("delivered", rule);
  }

  retried(rule: RuleName): void {
    this.#add("retried", rule);
  }

  failed(rule: RuleName): void {
    this.#add("failed", rule);
  }

  /** Since this process started. */
  sums(rule: RuleName): Readonly<Record<keyof typeof SERIES, number>> {
    const sum = (kind: keyof typeof SERIES): number => this.#counters.sum(pathOf(rule), kind);
    return {
      matched: sum("matched"),
      delivered: sum("delivered"),
      retried: sum("retried"),
      failed: sum("failed"),
    };
  }

  /** Rules of which something was counted. */
  rules(): readonly RuleName[] {
    return this.#counters.names().map(ruleOf);
  }

  #add(kind: keyof typeof SERIES, rule: RuleName): void {
    this.#counters.add(pathOf(rule), kind, 1);
  }
}

const SERIES = {
  matched: ["tidings_rule_matched_total", "Events that matched a rule."],
  delivered: ["tidings_rule_delivered_total", "Deliveries of a rule to one of its targets that are done."],
  retried: ["tidings_rule_retried_total", "Tries of a delivery of a rule that failed and are repeated."],
  failed: ["tidings_rule_failed_total", "Deliveries of a rule that were given up."],
} as const;

function labelsOf(path: string): { readonly bus: string; readonly rule: string } {
  if (path === OTHERS) return { bus: OTHERS, rule: OTHERS };
  const { bus, name } = ruleOf(path);
  return { bus, rule: name };
}

function pathOf({ bus, name }: RuleName): string {
  return `${bus}/${name}`;
}

/** A rule's name has no slash; that of its bus may. */
function ruleOf(path: string): RuleName {
  const slash = path.lastIndexOf("/");
  return { bus: path.slice(0, slash), name: path.slice(slash + 1) };
}
