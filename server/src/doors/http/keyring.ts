import { type KeyBody, KEYS } from "#directory/collections.ts";
import type { Caller } from "#doors/http/route.ts";
import type { HttpHouse } from "#doors/http/house.ts";

/** How long a key is believed without asking the store again: what another node revoked is refused by then. */
const BELIEVED_MS = 10_000;
/** How long an unknown key stays unknown without asking again, so that guessing does not reach the store. */
const DOUBTED_MS = 1_000;
/** Keys remembered, good and bad; a flood of guesses empties the memory instead of filling it. */
const REMEMBERED_MAX = 10_000;

/** Who may come in. */
export interface Keyring {
  /** The caller that this header proves, or null. @throws {StoreFault} when the store cannot answer. */
  identify(authorization: string): Caller | null | Promise<Caller | null>;
  /** Whose key lies under this id: a digest, or the access key id of an AWS pair. Proves nothing. @throws {StoreFault} */
  callerOf(id: string): Caller | null | Promise<Caller | null>;
}

type Memory = { readonly caller: Caller | null; readonly untilMs: number };

export function openKeyring(house: Pick<HttpHouse, "engine" | "store" | "clock" | "secrets" | "settings">): Keyring {
  const { store, clock, secrets, settings } = house;
  const remembered = new Map<string, Memory>();
  /** Grows when keys change, so that an answer read before a change is not remembered after it. */
  let changes = 0;
  house.engine.onCommitted(({ puts, deletes }) => {
    if (touchesKeys(puts) || touchesKeys(deletes)) {
      changes += 1;
      remembered.clear();
    }
  });

  const recall = (digest: string): Caller | null | undefined => {
    if (digest === settings.localTokenDigest) return LOCAL;
    const memory = remembered.get(digest);
    return memory === undefined || memory.untilMs <= clock.monotonicMs() ? undefined : memory.caller;
  };

  const look = async (digest: string): Promise<Caller | null> => {
    const before = changes;
    const [document] = await store.documents([{ collection: KEYS, id: digest }]);
    // Only this door and the command line write the collection, as KeyBody.
    const body = document == null ? null : (JSON.parse(document.body) as KeyBody);
    const caller = body === null || body.revokedMs !== null ? null : callerOf(digest, body);
    if (before === changes) {
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      remembered.set(digest, { caller, untilMs: clock.monotonicMs() + (caller === null ? DOUBTED_MS : BELIEVED_MS) });
    }
    return caller;
  };

  const find = (digest: string): Caller | null | Promise<Caller | null> => {
    const known = recall(digest);
    return known === undefined ? look(digest) : known;
  };

  const lookThrough = async (digests: readonly string[]): Promise<Caller | null> => {
    for (const digest of digests) {
      const caller = await find(digest);
      if (caller !== null) return caller;
    }
    return null;
  };

  return {
    callerOf: find,
    identify: (authorization) => {
      if (isBearer(authorization)) return find(secrets.digest(authorization.slice(7).trim()));
      return lookThrough(basicParts(authorization).map((part) => secrets.digest(part)));
    },
  };
}

/** The command line of the same machine, by the token of this start. */
const LOCAL: Caller = { id: "local", name: "local command line", scopes: ["full"] };

function callerOf(digest: string, { name, scopes }: KeyBody): Caller {
  return { id: digest.slice(0, 12), name, scopes };
}

function touchesKeys(documents: readonly { readonly collection: string }[] | undefined): boolean {
  return documents?.some(({ collection }) => collection === KEYS) === true;
}

/** RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1). */
function isBearer(authorization: string): boolean {
  return authorization.startsWith("Bearer ") || authorization.slice(0, 7).toLowerCase() === "bearer ";
}

/** RFC 7617. Courier's is `email:token`; curl's `-u KEY:` puts the key first. */
function basicParts(authorization: string): readonly string[] {
  if (authorization.slice(0, 6).toLowerCase() !== "basic ") return [];
  const pair = Buffer.from(authorization.slice(6).trim(), "base64").toString("utf8");
  const colon = pair.indexOf(":");
  const parts = colon === -1 ? [pair] : [pair.slice(colon + 1), pair.slice(0, colon)];
  return parts.filter((part) => part !== "");
}
