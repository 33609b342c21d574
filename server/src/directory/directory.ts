import { type Changed, NO_ORIGIN, type Origin } from "#engine/change.ts";
import { type Imported, importRows } from "#directory/import.ts";
import { Keys } from "#directory/keys.ts";
import { Lists } from "#directory/lists.ts";
import { Profiles } from "#directory/profiles.ts";
import { Subscriptions } from "#directory/subscriptions.ts";
import { Suppressions } from "#directory/suppressions.ts";
import { Unsubscribe } from "#directory/unsubscribe.ts";
import type { Engine } from "#engine/engine.ts";
import type { Secrets } from "#ports/secrets.ts";

/** People, lists, who is on which, who must not be written to, and who may knock. */
export type Directory = {
  readonly profiles: Profiles;
  readonly lists: Lists;
  readonly subscriptions: Subscriptions;
  readonly suppressions: Suppressions;
  readonly keys: Keys;
  readonly unsubscribe: Unsubscribe;
  /** See `importRows`. */
  readonly importRows: (listId: string, rows: readonly unknown[], origin?: Origin) => Promise<Changed<Imported>>;
};

export function openDirectory(engine: Engine, secrets: Secrets): Directory {
  return {
    profiles: new Profiles(engine),
    lists: new Lists(engine),
    subscriptions: new Subscriptions(engine),
    suppressions: new Suppressions(engine),
    keys: new Keys(engine, secrets),
    unsubscribe: new Unsubscribe(engine, secrets),
    importRows: (listId, rows, origin = NO_ORIGIN) => importRows(engine, listId, rows, origin),
  };
}
