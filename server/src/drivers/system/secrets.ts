import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { invariant } from "#domain/invariant.ts";
import type { Secrets } from "#ports/secrets.ts";

/** Shortest master key: 256 bits, as many as SHA-256 can make use of (RFC 2104 §3). */
export const MASTER_KEY_BYTES_MIN = 32;
/** 128 bits of the seal: half of SHA-256, the shortest cut that RFC 2104 §5 allows; links stay short. */
const SEAL_BYTES = 16;

/**
 * Digests and seals by `node:crypto`. A token is `<text in base64url>.<HMAC-SHA-256, cut to 128 bits>`; whoever has the
 * master key can make tokens, so it is kept with the data and never shown.
 *
 * @param masterKey at least `MASTER_KEY_BYTES_MIN` random bytes, the same after every start.
 */
export function systemSecrets(masterKey: Uint8Array): Secrets {
  invariant(masterKey.length >= MASTER_KEY_BYTES_MIN, `a master key has ${MASTER_KEY_BYTES_MIN} bytes or more`);
  // A key of its own for each use, so that none of them can ever give out what is valid in another.
  const sealKey = createHmac("sha256", masterKey).update("tidings seal 1").digest();
  const deriveKey = createHmac("sha256", masterKey).update("tidings derive 1").digest();
  const sealOf = (body: string): string =>
    createHmac("sha256", sealKey).update(body).digest().subarray(0, SEAL_BYTES).toString("base64url");
  return {
    digest: (text) => hash("sha256", text, "base64url"),
    derive: (text) => createHmac("sha256", deriveKey).update(text).digest("base64"),
    seal: (text) => {
      const body = Buffer.from(text, "utf8").toString("base64url");
      return `${body}.${sealOf(body)}`;
    },
    unseal: (token) => {
      const dot = token.lastIndexOf(".");
      if (dot === -1) return null;
      const body = token.slice(0, dot);
      const given = Buffer.from(token.slice(dot + 1), "utf8");
      const ours = Buffer.from(sealOf(body), "utf8");
      if (given.length !== ours.length || !timingSafeEqual(given, ours)) return null;
      return Buffer.from(body, "base64url").toString("utf8");
    },
  };
}
