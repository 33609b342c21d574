import { StoreFault } from "#ports/store.ts";
import type { Dice } from "#ports/dice.ts";
import type { World } from "../../support/world.ts";
import { int } from "../chance.ts";
import type { Counts } from "../coverage.ts";
import type { House } from "./house.ts";
import type { Promises } from "./promises.ts";
import type { QueueLedger } from "./queue-ledger.ts";
import type { RuleLedger } from "./rule-ledger.ts";

/** Longest time, in turns of the loop, between a call and the next thing that happens. */
const TURNS_MAX = 40;

/** What everybody who acts in the simulation has at hand. */
export type Stage = {
  readonly world: () => World;
  /** Of the process that lives. */
  readonly house: () => House;
  readonly counts: Counts;
  readonly promises: Promises;
  readonly rules: RuleLedger;
  readonly queues: QueueLedger;
  /** Reads on in the journal, so that the ledgers know everything that is durable by now. */
  readonly look: () => Promise<void>;
};

export type Steps = readonly (readonly [weight: number, step: (dice: Dice) => Promise<string>])[];

/** Somebody does not wait for an answer; a fault of the store is none, and the dead answer nobody. */
export function later<T>({ promises }: Stage, asked: Promise<T>, answered: (value: T) => unknown): void {
  asked.then(answered).catch((fault: unknown) => {
    if (!(fault instanceof StoreFault)) promises.holds(false, `a call failed with ${String(fault)}`);
  });
}

/** The next thing happens some turns from now. */
export async function awhile({ world }: Stage, dice: Dice): Promise<void> {
  await world().quiet(int(dice, TURNS_MAX));
}
