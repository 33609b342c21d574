import type { HeaderValues, SignedRequest } from "#doors/aws/canonical.ts";
import { AwsFault, UNKNOWN_KEY } from "#doors/aws/fault.ts";
import { ageFault, readClaim, scopeFault, signatureFault, signingKey } from "#doors/aws/signature.ts";
import { awsSecret, isAccessKeyId } from "#directory/aws-keys.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Keyring } from "#doors/http/keyring.ts";
import type { Caller } from "#doors/http/route.ts";

/** Who calls, and the region that the call was signed for. */
export type Known = { readonly caller: Caller; readonly region: string };

export interface Gatekeeper {
  /**
   * Looks at everything but the body, so that nobody listens to a stranger for long.
   * @returns what is left to be done once the body is there.
   */
  admit(request: SignedRequest, service: string): Promise<((body: Uint8Array) => Known | AwsFault) | AwsFault>;
}

/** Signing keys kept: one for each pair, day, region and service in use. Only of good signatures, so no stranger fills it. */
const SIGNING_KEYS_MAX = 1_000;

export function openGatekeeper(house: HttpHouse, keyring: Keyring): Gatekeeper {
  const { clock, secrets, settings } = house;
  const signingKeys = new Map<string, Uint8Array>();
  // Nobody's key: that an access key is unknown must take as long to find out as that a signature is wrong.
  const decoy = awsSecret(secrets, "nobody");

  const open = settings.aws.anyKey ? openToAll : null;
  return {
    admit: async (request, service) => {
      const lax = open?.(request.headers, settings.aws.region) ?? null;
      if (lax !== null) return () => lax;
      const claim = readClaim(request);
      if (claim instanceof AwsFault) return claim;
      const elsewhere = scopeFault(claim, service);
      if (elsewhere !== null) return elsewhere;
      const { accessKey, region } = claim;
      const caller = isAccessKeyId(accessKey) ? await keyring.callerOf(accessKey) : null;
      return (body) => {
        const kept = `${accessKey}/${claim.scope}`;
        const known = signingKeys.get(kept);
        const key = known ?? signingKey(caller === null ? decoy : awsSecret(secrets, accessKey), claim);
        const wrong = signatureFault(claim, request, body, key);
        if (caller === null) return UNKNOWN_KEY;
        const fault = ageFault(claim, clock.nowMs()) ?? wrong;
        if (fault !== null) return fault;
        if (known === undefined) {
          if (signingKeys.size >= SIGNING_KEYS_MAX) signingKeys.clear();
          signingKeys.set(kept, key);
        }
        return { caller, region };
      };
    },
  };
}

/** Whoever calls `tidings dev` from its own machine. */
const DEVELOPER: Caller = { id: "dev", name: "dev", scopes: ["full"] };

/**
 * For `tidings dev`: any signature will do. It must stand in the header and the host be loopback, because a page in the
 * developer's browser can send forms and follow links to this port, but not with a header of its own choice, nor to this
 * name.
 */
function openToAll(headers: HeaderValues, usual: string): Known | null {
  const authorization = headers.get("authorization")?.[0] ?? "";
  const host = headers.get("host")?.[0] ?? "";
  if (!authorization.startsWith("AWS4-") || !LOOPBACK.test(host)) return null;
  const region = /Credential=[^/,]*\/\d{8}\/([a-z0-9-]{1,40})\//.exec(authorization)?.[1];
  return { caller: DEVELOPER, region: region ?? usual };
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;
