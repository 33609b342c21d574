import { prefixEnd } from "#domain/prefix-end.ts";
import { remembered } from "#engine/remembered.ts";
import type { Engine } from "#engine/engine.ts";
import { invariant } from "#domain/invariant.ts";
import type { RuleMeters } from "#rules/rule-meters.ts";
import { jobPrefixOf, ruleOfJob, TARGET_QUEUE } from "#rules/target-job.ts";
import type { Store } from "#ports/store.ts";

/** How a rule fares: what of it waits, what gave up, and what was counted on this node since it started. */
export type RuleLoad = {
  readonly bus: string;
  readonly name: string;
  /** Deliveries that are not done yet, tried or not, counted up to `WAITING_MAX`. */
  readonly waiting: number;
  /** Since when the oldest of them waits. */
  readonly oldestMs: number | null;
  /** Deliveries that became dead letters here, counted up to `DEAD_MAX`. */
  readonly dead: number;
  readonly matched: number;
  readonly delivered: number;
  readonly retried: number;
  readonly failed: number;
};

export interface RuleLoads {
  of(rule: RuleName): Promise<RuleLoad>;
  /** Of all rules that have something to show, by bus and name. */
  all(): Promise<readonly RuleLoad[]>;
}

type RuleName = { readonly bus: string; readonly name: string };

/** Counting stops here: what waits is counted whenever somebody looks. */
export const WAITING_MAX = 10_000;
/** Dead letters are read to be counted. */
export const DEAD_MAX = 100;
/** Rules whose waiting deliveries are looked for in one look, a millisecond or so each. With more, a target is down for all. */
const RULES_MAX = 100;

/**
 * Looks at the jobs of the stage `target` by their keys, in which the rule stands: from one rule to the next, so that only
 * rules of which something waits cost anything. Where a bus is called as another one with a rule of it (`shop` has the rule
 * `north`, and there is a bus `shop/north`), that rule is shown with what waits for the bus, too.
 */
export class Loads implements RuleLoads {
  readonly #store: Store;
  readonly #meters: RuleMeters;

  constructor({ parts }: Engine, meters: RuleMeters) {
    this.#store = parts.store;
    this.#meters = meters;
    const waiting = remembered(parts.clock, () => this.#waiting());
    const gauge = (name: string, help: string, valueOf: (one: Waiting) => number): void => {
      parts.meter.gauge(name, help, async () =>
        (await waiting()).map((one) => ({ labels: { bus: one.bus, rule: one.name }, value: valueOf(one) })),
      );
    };
    gauge(
      "tidings_rule_waiting",
      `Deliveries of a rule that are not done yet, of the first ${RULES_MAX} rules that have some; counted up to ${WAITING_MAX}.`,
      (one) => one.waiting,
    );
    gauge("tidings_rule_oldest_seconds", "Age of the oldest of them.", ({ oldestMs }) =>
      oldestMs === null ? 0 : Math.max(0, parts.clock.nowMs() - oldestMs) / 1000,
    );
  }

  async of(rule: RuleName): Promise<RuleLoad> {
    const [waiting, dead] = await Promise.all([this.#waitingOf(rule), this.#deadOf(rule)]);
    return { ...waiting, dead, ...this.#meters.sums(rule) };
  }

  async all(): Promise<readonly RuleLoad[]> {
    const [waiting, dead] = await Promise.all([this.#waiting(), this.#dead()]);
    const loads = new Map<string, RuleLoad>();
    for (const { bus, name } of [...waiting, ...dead, ...this.#meters.rules()]) {
      const isIt = (one: RuleName): boolean => one.bus === bus && one.name === name;
      loads.set(`${bus}/${name}`, {
        bus,
        name,
        waiting: waiting.find(isIt)?.waiting ?? 0,
        oldestMs: waiting.find(isIt)?.oldestMs ?? null,
        dead: dead.find(isIt)?.dead ?? 0,
        ...this.#meters.sums({ bus, name }),
      });
    }
    return [...loads].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, load]) => load);
  }

  async #waiting(): Promise<readonly Waiting[]> {
    const found: Waiting[] = [];
    for (let from: string = FIRST; found.length < RULES_MAX; ) {
      const { firstKey } = await this.#store.jobsWithin({ from, before: END, atMost: 1 });
      if (firstKey === null) break;
      const rule = ruleOfJob(firstKey);
      found.push(await this.#waitingOf(rule));
      from = endOf(rule);
    }
    return found;
  }

  async #waitingOf({ bus, name }: RuleName): Promise<Waiting> {
    const range = { from: jobPrefixOf({ bus, name }), before: endOf({ bus, name }), atMost: WAITING_MAX };
    const { jobs: waiting, oldestMs } = await this.#store.jobsWithin(range);
    return { bus, name, waiting, oldestMs };
  }

  async #dead(): Promise<readonly (RuleName & { readonly dead: number })[]> {
    const found: (RuleName & { readonly dead: number })[] = [];
    for (let after: string | null = null; found.length < RULES_MAX; ) {
      const [letter] = await this.#store.deadJobs({ queue: TARGET_QUEUE, after, limit: 1 });
      if (letter === undefined) break;
      const rule = ruleOfJob(letter.key);
      found.push({ ...rule, dead: await this.#deadOf(rule) });
      after = endOf(rule);
    }
    return found;
  }

  async #deadOf(rule: RuleName): Promise<number> {
    const prefix = jobPrefixOf(rule);
    const letters = await this.#store.deadJobs({ queue: TARGET_QUEUE, after: prefix, limit: DEAD_MAX });
    return letters.filter(({ key }) => key.startsWith(prefix)).length;
  }
}

type Waiting = Pick<RuleLoad, "bus" | "name" | "waiting" | "oldestMs">;

const FIRST = `${TARGET_QUEUE}:`;
const END = behind(FIRST);

function endOf(rule: RuleName): string {
  return behind(jobPrefixOf(rule));
}

function behind(prefix: string): string {
  const end = prefixEnd(prefix);
  invariant(end !== null, "behind what ends in a slash or a colon there is something");
  return end;
}
