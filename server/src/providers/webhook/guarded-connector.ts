import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { isPublicAddress } from "#providers/webhook/public-address.ts";

export type Address = { readonly address: string; readonly family: number };
/** Finds the addresses of a name; rejects when there are none. */
export type Resolve = (hostname: string) => Promise<readonly Address[]>;

/** The URL leads to a place that is not the public internet. */
export class InsideAddressError extends Error {
  override readonly name = "InsideAddressError";
}

const resolveBySystem: Resolve = (hostname) => systemLookup(hostname, { all: true, order: "verbatim" });

/**
 * Connects only to public addresses. What is judged is the very address that is then connected to, at each new
 * connection, so that a name which leads elsewhere a second later (DNS rebinding) gains nothing; and an address that
 * stands in the URL itself, for which the socket asks no resolver.
 *
 * A name with even one address inside is refused as a whole: nobody who means well has such a name.
 */
export function guardedConnector(options: {
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
  readonly resolve?: Resolve;
}): buildConnector.connector {
  const { allowPrivate, timeoutMs, resolve = resolveBySystem } = options;
  const lookup: LookupFunction = (hostname, { all }, answer) => {
    resolve(hostname).then(
      (found) => {
        const [first] = found;
        const inside = allowPrivate ? undefined : found.find(({ address }) => !isPublicAddress(address));
        if (inside !== undefined) answer(insideError(`${hostname} (${inside.address})`), []);
        else if (first === undefined) answer(new Error(`${hostname} has no address`), []);
        else if (all === true) answer(null, [...found]);
        else answer(null, first.address, first.family);
      },
      (error: unknown) => answer(error instanceof Error ? error : new Error(String(error)), []),
    );
  };
  const connect = buildConnector({ lookup, timeout: timeoutMs, allowH2: false });
  return (target, answer) => {
    if (!allowPrivate && isIP(target.hostname) !== 0 && !isPublicAddress(target.hostname)) {
      return answer(insideError(target.hostname), null);
    }
    return connect(target, answer);
  };
}

function insideError(where: string): InsideAddressError {
  return new InsideAddressError(`${where} is not a public address`);
}
