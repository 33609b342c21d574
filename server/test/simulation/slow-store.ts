import { SUPPRESSIONS } from "#directory/collections.ts";
import type { Store, Unit, Verdict } from "#ports/store.ts";
import { StoreFault } from "#ports/store.ts";
import type { Life } from "../support/world.ts";
import type { Machine } from "./machine.ts";

/** Chance per call that a question is not answered; jobs are given back so rarely that this fails more often. */
const READ_FAULT_CHANCE = 0.004;
const RELEASE_FAULT_CHANCE = 0.1;
/** What may fail beside a commit. */
const READS = [
  "claim",
  "release",
  "wakeDue",
  "readJournal",
  "checkpoints",
  "documents",
  "listDocuments",
  "requests",
  "messages",
  "jobs",
  "depths",
  "journalBounds",
  "eventsBehind",
  "trimJournal",
  "trimRequests",
  "trimJobs",
  "unnamedBlobs",
  "sweep",
];
/** Turns after which everybody in the process knows of a commit. */
const HEARD_TURNS = 20;

const NEVER = new Promise<never>(() => {});

/** The store's methods, some of them replaced; what is replaced may call the original. */
export function altered(store: Store, changes: Partial<Store>): Store {
  const known = new Map<PropertyKey, unknown>(Object.entries(changes));
  return new Proxy(store, {
    get(target, name) {
      const changed = known.get(name);
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, name, target);
      // Private fields want the object itself as `this`.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * A disk that is slow now and then, before a commit or with its answer; reads that fail; heartbeats that come late or
 * find nobody.
 * @param suppressed is told of an address that must not be written to any more, once the process knows.
 */
export function slowStore(
  store: Store,
  machine: Machine,
  life: Life,
  suppressed: (id: string) => void = () => {},
): Store {
  /** Results that were committed although nobody heard of it, as `nameOf` calls them. */
  const unheard = new Set<string>();
  const commit: Store["commit"] = async (units) => {
    await machine.dawdle("store.slow");
    const lost = machine.lostAnswers;
    let verdicts: readonly Verdict[];
    try {
      verdicts = await store.commit(units);
    } catch (fault) {
      if (machine.lostAnswers > lost) for (const unit of units) unheard.add(nameOf(unit));
      throw fault;
    }
    await machine.dawdle("store.slow");
    // The dead hear nothing.
    if (life.over) return await NEVER;
    note(machine, units, verdicts);
    const done = units.filter((unit, at) => verdicts[at]?.kind === "committed" || unheard.has(nameOf(unit)));
    void heard(done, suppressed, life);
    return verdicts;
  };
  const extend: Store["extend"] = async (refs, leaseMs) => {
    if (machine.isDeaf) {
      machine.counts.add("lease.deaf");
      throw new StoreFault("store.busy", "nobody answers");
    }
    await machine.dawdle("store.slow");
    const lost = await store.extend(refs, leaseMs);
    await machine.dawdle("store.slow");
    return life.over ? await NEVER : lost;
  };
  const failing = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (typeof name !== "string" || !READS.includes(name)) return value.bind(target);
      return (...asked: unknown[]): unknown => {
        if (!machine.happens(name === "release" ? RELEASE_FAULT_CHANCE : READ_FAULT_CHANCE))
          return Reflect.apply(value, target, asked);
        machine.counts.add("store.readFailed");
        return Promise.reject(new StoreFault("store.busy", "the disk is busy"));
      };
    },
  });
  return altered(failing, { commit, extend });
}

function note({ counts }: Machine, units: readonly Unit[], verdicts: readonly Verdict[]): void {
  for (const [at, { job, buried }] of units.entries()) {
    if (verdicts[at]?.kind === "fenced") counts.add("store.fenced");
    if (verdicts[at]?.kind !== "committed") continue;
    const error = job?.end.kind === "again" ? (job.end.error ?? "") : "";
    if (error.includes(" rests: ")) counts.add("gate.rested");
    if (error.includes(" does not answer")) counts.add("gate.stalled");
    counts.add("consumer.buried", buried?.length ?? 0);
  }
}

/** What was committed is known in the process: whoever is suppressed by it is not written to from now on. */
async function heard(units: readonly Unit[], suppressed: (id: string) => void, life: Life): Promise<void> {
  const puts = units.flatMap((unit) => (unit.job === undefined ? [] : (unit.puts ?? [])));
  const ids = puts.filter(({ collection }) => collection === SUPPRESSIONS).map(({ id }) => id);
  if (ids.length === 0) return;
  for (let turn = 0; turn < HEARD_TURNS; turn += 1) await Promise.resolve();
  if (!life.over) for (const id of ids) suppressed(id);
}

function nameOf({ job }: Unit): string {
  return job === undefined ? "" : `${job.ref.key}#${job.ref.fence}`;
}
