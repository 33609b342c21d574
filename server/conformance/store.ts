import { describe } from "node:test";
import { documentSentences } from "#conformance/store-documents.ts";
import { groupRuns } from "#conformance/store-group-runs.ts";
import { groupSentences } from "#conformance/store-groups.ts";
import { jobSentences } from "#conformance/store-jobs.ts";
import { journalSentences } from "#conformance/store-journal.ts";
import { loanSentences } from "#conformance/store-loans.ts";
import { messageSentences } from "#conformance/store-messages.ts";
import { parkingSentences } from "#conformance/store-parking.ts";
import { reopeningSentences } from "#conformance/store-reopening.ts";
import { retentionSentences } from "#conformance/store-retention.ts";
import { togetherSentences } from "#conformance/store-together.ts";
import { trimmingSentences } from "#conformance/store-trimming.ts";
import { unitSentences } from "#conformance/store-units.ts";
import { storeWorld } from "#conformance/store-world.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

export type StoreOpening = {
  readonly clock: Clock;
  /** Names the data, letters, digits and dashes: what is opened again by the same name is what it was when closed. */
  readonly at: string;
};

/**
 * What every store promises, as sentences. A driver's whole test is one call of this. What a driver cannot do (`can`) is
 * skipped, with the reason in the report.
 */
export function storeConforms(name: string, open: (opening: StoreOpening) => Promise<Store>): void {
  describe(`${name} as a store`, () => {
    const world = storeWorld(open);
    unitSentences(world);
    togetherSentences(world);
    jobSentences(world);
    loanSentences(world);
    groupSentences(world);
    groupRuns(world);
    trimmingSentences(world);
    journalSentences(world);
    messageSentences(world);
    documentSentences(world);
    retentionSentences(world);
    parkingSentences(world);
    reopeningSentences(world);
  });
}
