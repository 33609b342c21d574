import type { MemoryStore } from "#drivers/memory/store.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import type { Life } from "../support/world.ts";

/** Longest wait before a commit, and after it until its answer is heard. */
const SLOW_MS_MAX = 3_000;
/** Chances per call of the store. */
const SLOW_CHANCE = 0.04;
const READ_FAULT_CHANCE = 0.004;
/** What may fail beside a commit. Leases may be extended: a store that takes none for half a minute is another test. */
const READS = ["claim", "wakeDue", "documents", "listDocuments", "requests", "messages", "jobs"];

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

/** A disk that is slow now and then, before the commit or with its answer, and reads that fail. */
export function slowStore(
  store: MemoryStore,
  house: { readonly clock: Clock; readonly dice: Dice; readonly calm: () => boolean },
  life: Life,
): Store {
  const { clock, dice, calm } = house;
  const wait = async (): Promise<void> => {
    if (calm() || dice.next() >= SLOW_CHANCE) return;
    await new Promise<void>((resolve) => clock.after(Math.ceil(dice.next() * SLOW_MS_MAX), resolve));
  };
  const commit: Store["commit"] = async (units) => {
    await wait();
    const verdicts = await store.commit(units);
    await wait();
    // The dead hear nothing.
    return life.over ? new Promise<never>(() => {}) : verdicts;
  };
  const failing = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (typeof name !== "string" || !READS.includes(name)) return value.bind(target);
      return (...asked: unknown[]): unknown =>
        !calm() && dice.next() < READ_FAULT_CHANCE
          ? Promise.reject(new StoreFault("store.busy", "the disk is busy"))
          : Reflect.apply(value, target, asked);
    },
  });
  return altered(failing, { commit });
}
