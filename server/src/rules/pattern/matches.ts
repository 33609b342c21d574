import type { Clause, Field } from "./compile.ts";
import { holds } from "./condition.ts";
import { isConsistent, type Reach, reachOf, type Steps } from "./consistent.ts";
import { type EventLeaves, OUTSIDE } from "./event-leaves.ts";
import { CONSISTENCY_STEPS_MAX } from "./limits.ts";

/** Whether an event's values, which hold at least those at the pattern's paths, match it. */
export function matches(pattern: { readonly clause: Clause }, leaves: EventLeaves): boolean {
  return judge(pattern, leaves, { left: CONSISTENCY_STEPS_MAX });
}

/** The same, and counts down the elements that were looked at to bring conditions on arrays together. */
export function judge({ clause }: { readonly clause: Clause }, leaves: EventLeaves, steps: Steps): boolean {
  const glance = new Glance(leaves);
  if (!glance.mayHold(clause)) return false;
  // One condition alone contradicts nothing.
  return glance.bound < 2 || new Search(leaves, steps).holds(clause, [], []);
}

/** Each condition by itself: all that is needed unless two of them hold only inside arrays. */
class Glance {
  /** How many conditions hold only inside arrays. */
  bound = 0;
  readonly #leaves: EventLeaves;

  constructor(leaves: EventLeaves) {
    this.#leaves = leaves;
  }

  mayHold(clause: Clause): boolean {
    for (const field of clause.fields) if (!this.#field(field)) return false;
    for (const branches of clause.choices) {
      let found = false;
      for (const branch of branches) {
        const bound = this.bound;
        if (!this.mayHold(branch)) {
          this.bound = bound;
          continue;
        }
        found = true;
        // A branch that no array binds serves as well as any other.
        if (this.bound === bound) break;
      }
      if (!found) return false;
    }
    return true;
  }

  #field(field: Field): boolean {
    const values = this.#leaves.get(field.path);
    if (values === undefined) return field.mayBeAbsent;
    let isBound = false;
    for (const { value, scope } of values) {
      if (isBound && scope !== OUTSIDE) continue;
      if (!holds(field.test, value)) continue;
      if (scope === OUTSIDE) return true;
      isBound = true;
    }
    if (isBound) this.bound += 1;
    return isBound;
  }
}

/** Chooses branches, depth first, and asks whether what they need of arrays goes together. */
class Search {
  readonly #leaves: EventLeaves;
  readonly #steps: Steps;
  readonly #known = new Map<Field, Reach | null>();

  constructor(leaves: EventLeaves, steps: Steps) {
    this.#leaves = leaves;
    this.#steps = steps;
  }

  /** @param choices that are still to be made. @param needs of the fields so far. */
  holds(clause: Clause, choices: Clause["choices"], needs: readonly Reach[]): boolean {
    const more = [...needs];
    for (const field of clause.fields) {
      const reach = this.#reach(field);
      if (reach === null) return false;
      if (!reach.isHere) more.push(reach);
    }
    const [branches, ...others] = [...clause.choices, ...choices];
    if (branches === undefined) return isConsistent(more, this.#steps);
    return branches.some((branch) => this.holds(branch, others, more));
  }

  #reach(field: Field): Reach | null {
    let reach = this.#known.get(field);
    if (reach === undefined) {
      const values = this.#leaves.get(field.path);
      if (values === undefined) reach = field.mayBeAbsent ? reachOf([OUTSIDE]) : null;
      else reach = reachOf(values.filter(({ value }) => holds(field.test, value)).map(({ scope }) => scope));
      this.#known.set(field, reach);
    }
    return reach;
  }
}
