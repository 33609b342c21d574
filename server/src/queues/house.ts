import type { Engine } from "#engine/engine.ts";
import type { Catalog } from "#queues/catalog.ts";
import type { Counts } from "#queues/counts.ts";
import type { FirstReceives } from "#queues/first-receives.ts";
import type { Receipts } from "#queues/receipt.ts";
import type { Sequence } from "#queues/sequence.ts";
import type { Tallies } from "#queues/tallies.ts";
import type { Secrets } from "#ports/secrets.ts";

/** What the parts of the queues share. */
export type QueueHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly catalog: Catalog;
  readonly counts: Counts;
  readonly sequence: Sequence;
  readonly receipts: Receipts;
  readonly firstReceives: FirstReceives;
  readonly tallies: Tallies;
};
