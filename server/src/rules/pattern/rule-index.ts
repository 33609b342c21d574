import type { Clause, Compiled, Field } from "./compile.ts";
import type { EventLeaves } from "./event-leaves.ts";
import { FieldIndex, type Offer } from "./field-index.ts";
import { FieldPool } from "./field-pool.ts";
import { matches } from "./matches.ts";
import { type Bucket, takeOut, type Visit } from "./shelf.ts";
import { Wanted } from "./wanted.ts";

/**
 * Tells which of many patterns an event matches, at a cost that hardly depends on how many there are.
 *
 * Every pattern is kept where one of its fields leads: a field that must hold, or one of every branch of an `$or` that must.
 * Of these it takes the one whose conditions are asked for by the fewest others, and chooses anew when it was brought up in
 * vain too often: what is rare is only known when the others are there. What an event's values bring up is then matched in full. Patterns of the same text are
 * matched once.
 */
export class RuleIndex<Id> {
  /** What to read of events that are to be matched. Changes with the patterns. */
  readonly wanted = new Wanted();
  readonly #entries = new Map<string, Entry<Id>>();
  readonly #byId = new Map<Id, Entry<Id>>();
  readonly #fields = new Map<string, FieldIndex<Entry<Id>>>();
  /** Patterns that no value leads to: they match when something is missing. Tried with every event. */
  readonly #rest: Bucket<Entry<Id>> = { entries: [], forget: () => {} };
  readonly #pool = new FieldPool();
  #asked = 0;

  /** How many ids there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** Adds a pattern, or replaces the one of the same id. */
  add(id: Id, pattern: Compiled): void {
    this.remove(id);
    let entry = this.#entries.get(pattern.text);
    if (entry === undefined) {
      entry = {
        clause: this.#pool.share(pattern.clause),
        ids: [],
        askedLast: 0,
        inVain: 0,
        inVainMax: IN_VAIN_MAX,
        pattern,
        buckets: new Set(),
      };
      this.#entries.set(pattern.text, entry);
      this.#place(entry);
    }
    entry.ids.push(id);
    this.#byId.set(id, entry);
  }

  /** @returns whether there was one. */
  remove(id: Id): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    this.#byId.delete(id);
    takeOut(entry.ids, id);
    if (entry.ids.length > 0) return true;
    this.#entries.delete(entry.pattern.text);
    this.#displace(entry);
    return true;
  }

  /** The ids of all patterns that match, in no particular order. @param leaves read with `wanted` as it is now. */
  match(leaves: EventLeaves): readonly Id[] {
    const asked = ++this.#asked;
    const found: Id[] = [];
    const misplaced: Entry<Id>[] = [];
    const visit: Visit<Entry<Id>> = ({ entries }) => {
      for (const entry of entries) {
        if (entry.askedLast === asked) continue;
        entry.askedLast = asked;
        if (matches(entry, leaves)) for (const id of entry.ids) found.push(id);
        else if ((entry.inVain += 1) > entry.inVainMax) misplaced.push(entry);
      }
    };
    visit(this.#rest);
    for (const [path, values] of leaves) {
      const field = this.#fields.get(path);
      if (field === undefined) continue;
      for (const { value } of values) field.probe(value, visit);
    }
    for (const entry of misplaced) this.#replace(entry);
    return found;
  }

  #place(entry: Entry<Id>): void {
    const { paths, clause } = entry.pattern;
    for (const path of paths) this.wanted.add(path);
    for (const { path, test } of fieldsOf(clause)) this.#field(path).ask(test, 1);
    this.#enter(entry);
  }

  /** There may be no better place, so it has twice as long until it is asked again. */
  #replace(entry: Entry<Id>): void {
    entry.inVain = 0;
    entry.inVainMax *= 2;
    this.#leave(entry);
    this.#enter(entry);
  }

  #enter(entry: Entry<Id>): void {
    const offers = this.#plan(entry.clause)?.offers ?? [{ load: 0, open: () => this.#rest }];
    for (const { open } of offers) {
      const bucket = open();
      if (entry.buckets.has(bucket)) continue;
      bucket.entries.push(entry);
      entry.buckets.add(bucket);
    }
  }

  #displace(entry: Entry<Id>): void {
    const { paths, clause } = entry.pattern;
    this.#leave(entry);
    for (const { path, test } of fieldsOf(clause)) {
      const field = this.#field(path);
      field.ask(test, -1);
      if (field.asked === 0) this.#fields.delete(path);
    }
    for (const path of paths) this.wanted.remove(path);
    this.#pool.release(clause);
  }

  #leave(entry: Entry<Id>): void {
    for (const bucket of entry.buckets) {
      takeOut(bucket.entries, entry);
      if (bucket.entries.length === 0) bucket.forget();
    }
    entry.buckets.clear();
  }

  /** The cheapest way by which every matching event leads to the clause; null when there is none. */
  #plan(clause: Clause): Plan<Id> | null {
    const plans = [
      ...clause.fields.map((field) => this.#planField(field)),
      ...clause.choices.map((branches) => this.#planBranches(branches)),
    ];
    return plans.reduce((best, plan) => (plan !== null && (best === null || isBetter(plan, best)) ? plan : best), null);
  }

  #planField({ path, test, mayBeAbsent }: Field): Plan<Id> | null {
    if (mayBeAbsent) return null;
    const offers = this.#field(path).offers(test);
    return { load: loadOf(offers), offers, pathChars: path.length };
  }

  /** Whichever branch holds must lead there. */
  #planBranches(branches: readonly Clause[]): Plan<Id> | null {
    const plans = branches.map((branch) => this.#plan(branch)).filter((plan) => plan !== null);
    if (plans.length < branches.length) return null;
    const offers = plans.flatMap((plan) => plan.offers);
    return { load: loadOf(offers), offers, pathChars: Math.max(...plans.map(({ pathChars }) => pathChars)) };
  }

  #field(path: string): FieldIndex<Entry<Id>> {
    let field = this.#fields.get(path);
    if (field === undefined) this.#fields.set(path, (field = new FieldIndex()));
    return field;
  }
}

type Entry<Id> = {
  readonly clause: Clause;
  readonly ids: Id[];
  /** The number of the last question that brought it up, so that it is matched once for each. */
  askedLast: number;
  /** How often it was brought up by an event that did not match, since it was placed; and when that is too often. */
  inVain: number;
  inVainMax: number;
  readonly pattern: Compiled;
  /** In which it is found. */
  readonly buckets: Set<Bucket<Entry<Id>>>;
};

/** Buckets that together bring an entry up, and how many others with it. */
type Plan<Id> = {
  readonly load: number;
  readonly offers: readonly Offer<Entry<Id>>[];
  /** Of the longest path. */
  readonly pathChars: number;
};

/** Being brought up in vain this often costs as much as choosing a place. */
const IN_VAIN_MAX = 32;

/** Of those that hardly differ the longer path: deep in an event values differ more than in its envelope. */
function isBetter(one: Plan<unknown>, other: Plan<unknown>): boolean {
  return Math.abs(one.load - other.load) < 1 ? one.pathChars > other.pathChars : one.load < other.load;
}

function loadOf(offers: readonly Offer<unknown>[]): number {
  return offers.reduce((sum, { load }) => sum + load, 0);
}

function fieldsOf(clause: Clause): readonly Field[] {
  return [...clause.fields, ...clause.choices.flat().flatMap(fieldsOf)];
}
