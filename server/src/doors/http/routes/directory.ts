import { openDirectory } from "#directory/directory.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { registerKeys } from "#doors/http/routes/keys.ts";
import { registerLists } from "#doors/http/routes/lists.ts";
import { registerProfiles } from "#doors/http/routes/profiles.ts";
import { registerSuppressions } from "#doors/http/routes/suppressions.ts";
import { registerUnsubscribe } from "#doors/http/routes/unsubscribe.ts";

/** People, lists, who must not be written to, who may knock, and the way out of a list. */
export function registerDirectory(routes: Routes, house: Pick<HttpHouse, "engine" | "secrets">): void {
  const directory = openDirectory(house.engine, house.secrets);
  registerProfiles(routes, directory);
  registerLists(routes, directory);
  registerSuppressions(routes, directory);
  registerKeys(routes, directory);
  registerUnsubscribe(routes, directory);
}
