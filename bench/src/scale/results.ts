import type { Machine } from "../machine.ts";
import type { BesideBulk } from "./beside-bulk.ts";
import type { FullStore } from "./full-store.ts";
import type { ListRun } from "./list.ts";

/** What each case found; bench/results/scale.json keeps the last full run of each. */
export type Cases = {
  readonly list: { readonly rawPerSecond: readonly number[]; readonly runs: readonly ListRun[] };
  readonly million: ListRun;
  readonly store: FullStore;
  readonly beside: BesideBulk;
};
export type CaseName = keyof Cases;

export type ScaleResults = { readonly [Name in CaseName]?: { readonly machine: Machine; readonly found: Cases[Name] } };
