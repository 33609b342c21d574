import type { DocumentPut } from "#domain/document.ts";
import type { Store } from "#ports/store.ts";

/** What a store that came out of a backup knows of it. */
export type Restored = {
  /** When the backup was made: what happened after it, this store does not know. */
  readonly backupMadeMs: number;
  readonly restoredMs: number;
  /** Jobs that were parked. */
  readonly parked: number;
};

/** Collection and id of the one document that says so; `tidings restore` writes it, the last restore counts. */
export const RESTORED = { collection: "house", id: "restored" } as const;

export function restoredPut(restored: Restored): DocumentPut {
  return { ...RESTORED, body: JSON.stringify(restored), when: "always", nowMs: restored.restoredMs };
}

/** Null when this store never came out of a backup. */
export async function readRestored(store: Pick<Store, "documents">): Promise<Restored | null> {
  const [document] = await store.documents([RESTORED]);
  // Only `restoredPut` writes it.
  return document ? (JSON.parse(document.body) as Restored) : null;
}

/** Why a job is parked, as the beginning of a sentence. */
export function heldBackBecause(restored: Restored | null): string {
  const backup = restored === null ? "a backup" : `the backup of ${new Date(restored.backupMadeMs).toISOString()}`;
  return `held back when ${backup} was restored`;
}
