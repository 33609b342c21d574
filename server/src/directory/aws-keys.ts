import type { Dice } from "#ports/dice.ts";
import type { Secrets } from "#ports/secrets.ts";

/**
 * Key pairs as AWS' clients use them: an id that travels with each call and a secret that only signs. To verify, we must
 * know the secret itself, so it is made from the id and the master key of the house whenever it is needed, and kept
 * nowhere; a copy of the store does not hold it.
 *
 * A pair lies among the API keys (`KEYS`), under its access key id.
 */
export function newAccessKeyId(dice: Dice): string {
  const bits = BigInt(`0x${dice.hex(RANDOM_BYTES)}`);
  let id = PREFIX;
  for (let at = RANDOM_CHARS - 1; at >= 0; at -= 1) id += BASE32[Number((bits >> BigInt(at * 5)) & 31n)] ?? "";
  return id;
}

/** The secret that belongs to an access key id, as 40 characters like AWS' own. */
export function awsSecret(secrets: Secrets, accessKeyId: string): string {
  return secrets.derive(`aws:${accessKeyId}`).slice(0, SECRET_CHARS);
}

export function isAccessKeyId(text: string): boolean {
  return ACCESS_KEY_ID.test(text);
}

/** AWS' own begin with AKIA; nobody shall take ours for one, least of all a scanner for leaked keys. */
const PREFIX = "TKIA";
const RANDOM_CHARS = 16;
/** 80 bits, five for each character. */
const RANDOM_BYTES = 10;
/** RFC 4648 §6. */
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ACCESS_KEY_ID = /^TKIA[A-Z2-7]{16}$/;
/** 240 of the 256 bits of an HMAC-SHA-256, in base64 that needs no padding. */
const SECRET_CHARS = 40;
