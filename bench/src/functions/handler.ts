import { renameSync, writeFileSync } from "node:fs";
import { cpuOf, steadyMs } from "../measure.ts";

/** What all contestants call for each order. */
export type Order = {
  readonly index: number;
  readonly total: number;
  readonly customer: { readonly plan: string };
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
};

export type OrdersPlan = {
  /** Orders of the whole run, numbered from 0. */
  readonly expected: number;
  /** So many come before the clock starts. */
  readonly warmUp: number;
  /** The file that gets an `OrdersReport` when all have come, and anew for each that comes later. */
  readonly report: string;
  /** The process that keeps the queue, if it is another one. */
  readonly databasePid: number | null;
};

/** Times are of the steady clock. What is counted begins behind the call that ended the warm-up. */
export type OrdersReport = {
  readonly calls: number;
  /** Orders that came, those that came twice included; and how many were different ones. */
  readonly count: number;
  readonly different: number;
  readonly start: Look;
  /** When the handler was done with the last. Whether that is kept is another question. */
  readonly endMs: number;
  /** So that the work cannot be left out. */
  readonly sum: number;
};

/** How far it is. Microseconds are of processor since the start: of this process, and of the one that keeps the queue. */
export type Look = {
  readonly count: number;
  readonly atMs: number;
  readonly ownUs: number;
  readonly databaseUs: number | null;
};

/** A small pure piece of work on each order, and the count of all of them. */
export class Orders {
  readonly #plan: OrdersPlan;
  readonly #seen: Uint8Array;
  #calls = 0;
  #count = 0;
  #different = 0;
  #sum = 0;
  #start: Look | null = null;

  constructor(plan: OrdersPlan) {
    this.#plan = plan;
    this.#seen = new Uint8Array(plan.expected);
  }

  take(batch: readonly Order[]): void {
    const { expected, warmUp } = this.#plan;
    this.#calls += 1;
    for (const order of batch) {
      this.#sum += priceOf(order);
      if (this.#seen[order.index] === 0) {
        this.#seen[order.index] = 1;
        this.#different += 1;
      }
    }
    this.#count += batch.length;
    if (this.#start === null && this.#count >= warmUp) this.#start = this.#look();
    // One that came twice does not stand for one that is still to come.
    if (this.#different === expected) this.#tell();
  }

  #look(): Look {
    const { user, system } = process.cpuUsage();
    const { databasePid } = this.#plan;
    const database = databasePid === null ? null : cpuOf(databasePid);
    return { count: this.#count, atMs: steadyMs(), ownUs: user + system, databaseUs: database?.wholeUs ?? null };
  }

  #tell(): void {
    const report: OrdersReport = {
      calls: this.#calls,
      count: this.#count,
      different: this.#different,
      start: this.#start ?? this.#look(),
      endMs: steadyMs(),
      sum: this.#sum,
    };
    // Whole or not at all: somebody waits for it.
    writeFileSync(`${this.#plan.report}.new`, JSON.stringify(report));
    renameSync(`${this.#plan.report}.new`, this.#plan.report);
  }
}

const VAT = 0.25;
const PRO_DISCOUNT = 0.1;

/** The price in øre, with VAT and discount. */
export function priceOf({ lines, total, customer }: Order): number {
  const pieces = lines.reduce((sum, { qty }) => sum + qty, 0);
  const discount = customer.plan === "pro" ? PRO_DISCOUNT : 0;
  return Math.round(total * 100 * (1 - discount) * (1 + VAT)) + pieces;
}
