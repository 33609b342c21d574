import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { canonicalRequest, type SignedRequest } from "#doors/aws/canonical.ts";
import { type AwsFault, badSignature, incompleteSignature, UNSIGNED } from "#doors/aws/fault.ts";

/**
 * Signature Version 4, verified: what a call says of its signature ({@link readClaim}), whether that may be
 * ({@link scopeFault}, {@link ageFault}), and whether it is true ({@link signatureFault}).
 */
export type Claim = {
  readonly accessKey: string;
  /** `<date>/<region>/<service>/aws4_request`. */
  readonly scope: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly amzDate: string;
  /** Lower-case names joined by `;`, as given. */
  readonly signedHeaders: string;
  readonly signature: string;
  /** How long a presigned URL is good; null: the signature stands in the header. */
  readonly expiresS: number | null;
};

const ALGORITHM = "AWS4-HMAC-SHA256";
/** How far a caller's clock may be off, before or after ours. */
export const CLOCK_SKEW_MS_MAX = 5 * 60 * 1000;
/** A week, the longest that a presigned URL may be good. */
const EXPIRES_S_MAX = 604_800;

/** What the call says of its signature. */
export function readClaim(request: SignedRequest): Claim | AwsFault {
  const [authorization, ...more] = request.headers.get("authorization") ?? [];
  if (authorization !== undefined) {
    if (more.length > 0) return incompleteSignature("Authorization was given twice.");
    return headerClaim(authorization, request);
  }
  return request.query.includes("X-Amz-") ? presignedClaim(request) : UNSIGNED;
}

function headerClaim(authorization: string, { headers }: SignedRequest): Claim | AwsFault {
  const blank = authorization.indexOf(" ");
  if (blank === -1 || authorization.slice(0, blank) !== ALGORITHM) {
    return incompleteSignature(`Authorization must begin with ${ALGORITHM}.`);
  }
  const parts: Record<"Credential" | "SignedHeaders" | "Signature", string> = {
    Credential: "",
    SignedHeaders: "",
    Signature: "",
  };
  for (const part of authorization.slice(blank + 1).split(",")) {
    const sign = part.indexOf("=");
    const name = part.slice(0, sign).trim();
    if (name !== "Credential" && name !== "SignedHeaders" && name !== "Signature") continue;
    if (parts[name] !== "") return incompleteSignature(`Authorization has more than one '${name}'.`);
    parts[name] = part.slice(sign + 1).trim();
  }
  const missing = Object.entries(parts).find(([, value]) => value === "");
  if (missing !== undefined) return incompleteSignature(`Authorization header requires '${missing[0]}' parameter.`);
  const dates = headers.get("x-amz-date") ?? [];
  const [amzDate] = dates;
  if (amzDate === undefined || dates.length > 1) {
    return incompleteSignature("Authorization header requires existence of one 'X-Amz-Date' header.");
  }
  return claimOf(parts.Credential, parts.SignedHeaders, parts.Signature, amzDate.trim(), null);
}

function presignedClaim({ query }: SignedRequest): Claim | AwsFault {
  const given = new URLSearchParams(query);
  const values: string[] = [];
  for (const name of PRESIGNED) {
    const [value, ...more] = given.getAll(`X-Amz-${name}`);
    if (value === undefined && name === "Algorithm") return UNSIGNED;
    if (value === undefined || more.length > 0) return incompleteSignature(`The query needs one 'X-Amz-${name}'.`);
    values.push(value);
  }
  const [algorithm = "", credential = "", amzDate = "", expires = "", signedHeaders = "", signature = ""] = values;
  if (algorithm !== ALGORITHM) return incompleteSignature(`X-Amz-Algorithm must be ${ALGORITHM}.`);
  const expiresS = /^\d{1,9}$/.test(expires) ? Number(expires) : 0;
  if (expiresS < 1 || expiresS > EXPIRES_S_MAX) {
    return incompleteSignature(`X-Amz-Expires must be a number of seconds from 1 to ${EXPIRES_S_MAX}.`);
  }
  return claimOf(credential, signedHeaders, signature, amzDate, expiresS);
}

const PRESIGNED = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"];

function claimOf(
  credential: string,
  signedHeaders: string,
  signature: string,
  amzDate: string,
  expiresS: number | null,
): Claim | AwsFault {
  const [accessKey = "", date = "", region = "", service = "", end, ...more] = credential.split("/");
  if (accessKey === "" || region === "" || service === "" || end !== "aws4_request" || more.length > 0) {
    return incompleteSignature("Credential must be KEY/DATE/REGION/SERVICE/aws4_request.");
  }
  if (!/^[0-9a-f]{64}$/.test(signature)) return incompleteSignature("Signature must be 64 hexadecimal digits.");
  if (!Number.isFinite(amzDateMs(amzDate))) return incompleteSignature("X-Amz-Date must be like 20240506T070809Z.");
  if (!signedHeaders.split(";").includes("host")) return incompleteSignature("'Host' must be a signed header.");
  const scope = `${date}/${region}/${service}/aws4_request`;
  return { accessKey, scope, date, region, service, amzDate, signedHeaders, signature, expiresS };
}

/** Whether a claim is meant for this service, and says of its day what its time says. */
export function scopeFault({ service, date, amzDate }: Claim, wanted: string): AwsFault | null {
  if (service !== wanted) return badSignature(`Credential should be scoped to correct service: '${wanted}'.`);
  if (date === amzDate.slice(0, 8)) return null;
  return badSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.");
}

/** Whether a claim is of now. */
export function ageFault({ amzDate, expiresS }: Claim, nowMs: number): AwsFault | null {
  const signedMs = amzDateMs(amzDate);
  const [early, late] = expiresS === null ? [CLOCK_SKEW_MS_MAX, CLOCK_SKEW_MS_MAX] : [0, expiresS * 1000];
  if (signedMs > nowMs + early) {
    return badSignature(`Signature not yet current: ${amzDate} is still later than ${amzDateOf(nowMs + early)}.`);
  }
  if (signedMs + late < nowMs) {
    return badSignature(`Signature expired: ${amzDate} is now earlier than ${amzDateOf(nowMs - late)}.`);
  }
  return null;
}

/**
 * Whether the signature is that of this request, body included. Compares in constant time.
 * @param signingKey of {@link signingKey}.
 */
export function signatureFault(
  claim: Claim,
  request: SignedRequest,
  body: Uint8Array,
  signingKey: Uint8Array,
): AwsFault | null {
  const bodyHash = hash("sha256", body, "hex");
  const told = request.headers.get("x-amz-content-sha256");
  if (told !== undefined && (told.length > 1 || told[0]?.trim() !== bodyHash)) return OTHER_BODY;
  // Else who listens could send the same body to another action.
  if (request.headers.has("x-amz-target") && !claim.signedHeaders.split(";").includes("x-amz-target")) {
    return UNSIGNED_TARGET;
  }
  const canonical = canonicalRequest(request, claim.signedHeaders, bodyHash);
  if (canonical === null) return MISMATCH;
  const digest = hash("sha256", Buffer.from(canonical, "latin1"), "hex");
  const ours = hmacHex(signingKey, `${ALGORITHM}\n${claim.amzDate}\n${claim.scope}\n${digest}`);
  return timingSafeEqual(Buffer.from(ours, "latin1"), Buffer.from(claim.signature, "latin1")) ? null : MISMATCH;
}

/** Of SHA-256 (RFC 2104 §2). */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** HMAC-SHA-256 of a text that is latin-1: by two plain hashes, which cost half of what a Hmac object does. */
function hmacHex(key: Uint8Array, text: string): string {
  const inner = Buffer.allocUnsafe(BLOCK_BYTES + text.length);
  const outer = Buffer.allocUnsafe(BLOCK_BYTES + DIGEST_BYTES);
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const byte = key[at] ?? 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  inner.write(text, BLOCK_BYTES, "latin1");
  outer.write(hash("sha256", inner, "latin1"), BLOCK_BYTES, "latin1");
  return hash("sha256", outer, "hex");
}

const OTHER_BODY = badSignature("The header X-Amz-Content-SHA256 is not the hash of the body that was received.");
const UNSIGNED_TARGET = badSignature("X-Amz-Target must be a signed header.");
const MISMATCH = badSignature(
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
);

/** The key that signs for one day, region and service. */
export function signingKey(secret: string, { date, region, service }: Claim): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), "aws4_request");
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function amzDateMs(text: string): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const [year, month, day, hour, minute, second] = parts;
  return year === undefined ? Number.NaN : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function amzDateOf(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[:-]|\.\d+/g, "");
}
