import { PROFILES } from "#directory/collections.ts";
import { profileOf } from "#directory/profiles.ts";
import type { FunctionsHouse } from "#functions/house.ts";
import { SUBSCRIPTIONS_PAGE } from "#functions/limits.ts";
import type { FunctionReads } from "#ports/function-host.ts";

/** What handlers read while they run: as it is committed. */
export function functionReads({ engine, documents, subscriptions, blobs }: FunctionsHouse): FunctionReads {
  const { store } = engine.parts;
  return {
    documents: (keys) => documents.read(keys),
    query: (ask) => documents.query(ask),
    async subscriptions(list, after) {
      const page = await subscriptions.page(list, after, SUBSCRIPTIONS_PAGE);
      // As for a send: nobody has joined it yet.
      if (page === null) return { subscriptions: [], next: null };
      const people = page.subscriptions;
      const profiles = await store.documents(people.map(({ userId }) => ({ collection: PROFILES, id: userId })));
      return {
        subscriptions: people.map(({ userId, data }, at) => {
          const profile = profiles[at] ?? null;
          return { userId, data: data ?? {}, profile: profile === null ? {} : profileOf(profile) };
        }),
        next: page.next,
      };
    },
    async blob(id) {
      const bytes = await blobs.get(id);
      if (bytes === null) throw new Error("The file is gone: it was replaced or deleted more than a day ago.");
      return bytes;
    },
  };
}
