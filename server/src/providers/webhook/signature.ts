import { createHmac } from "node:crypto";

/** Secrets in use at once: the new one and, while receivers change over, the old one. */
export const SECRETS_MAX = 2;
/** Length of a secret: Standard Webhooks 1.0, "Signature scheme". */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const SECRET = /^whsec_[A-Za-z0-9+/]+={0,2}$/;

/** Signs one call: gives the value of `webhook-signature`. */
export type Sign = (id: string, timestampSeconds: number, body: Buffer) => string;

/**
 * Prepares signing by Standard Webhooks, scheme v1: HMAC-SHA256 over `id.timestamp.body`, one signature a secret.
 *
 * @param secrets `whsec_` and 24 to 64 bytes in base64; at most two. Null comes back for none: nothing is signed.
 * @throws {RangeError} for a secret that is none, without repeating it.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signer(secrets: readonly string[]): Sign | null {
  if (secrets.length > SECRETS_MAX)
    throw new RangeError(`at most ${SECRETS_MAX} webhook secrets, got ${secrets.length}`);
  const keys = secrets.map(keyOf);
  if (keys.length === 0) return null;
  return (id, timestampSeconds, body) =>
    keys
      .map(
        (key) => `v1,${createHmac("sha256", key).update(`${id}.${timestampSeconds}.`).update(body).digest("base64")}`,
      )
      .join(" ");
}

/**
 * The value of `courier-signature`: HMAC-SHA256 over `t.body`, keyed with the secret's text (courier-api.md §7.1). With two
 * secrets there are two signatures; a receiver that reads only the first is signed to with the first secret.
 */
export function courierSignature(secrets: readonly string[], timestampMs: number, body: Buffer): string {
  const signatures = secrets.map(
    (secret) => `signature=${createHmac("sha256", secret).update(`${timestampMs}.`).update(body).digest("hex")}`,
  );
  return [`t=${timestampMs}`, ...signatures].join(",");
}

function keyOf(secret: string, index: number): Buffer {
  const key = Buffer.from(SECRET.test(secret) ? secret.slice("whsec_".length) : "", "base64");
  if (key.length >= SECRET_BYTES_MIN && key.length <= SECRET_BYTES_MAX) return key;
  const wanted = `"whsec_" and ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes in base64`;
  throw new RangeError(
    `webhook secret number ${index + 1} must be ${wanted}; try: echo whsec_$(openssl rand -base64 32)`,
  );
}
