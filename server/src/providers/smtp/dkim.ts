import { createPrivateKey, hash, type KeyObject, sign } from "node:crypto";

/** RFC 8301 §3.2: verifiers need not accept less, and must not accept 512. */
export const RSA_BITS_MIN = 1024;

export type DkimKey = {
  /** `d=`: the domain that vouches for the mail. */
  readonly domain: string;
  /** `s=`: the public key is at `<selector>._domainkey.<domain>`. */
  readonly selector: string;
  /** PKCS#8 or PKCS#1, RSA or Ed25519. */
  readonly privateKeyPem: string;
};

export type DkimSigner = {
  /** RSA takes half a millisecond and more, so it is done on Node's thread pool; Ed25519 is not worth the trip. */
  readonly offThread: boolean;
  /**
   * One `DKIM-Signature` field with its CRLF, to be put above the others.
   *
   * @param headers header fields, each with its CRLF, one character per byte.
   * @param body the body, ending with CRLF, ASCII.
   */
  sign(headers: string, body: string): string | Promise<string>;
};

/** Fields that must not be added to or changed on the way; those of RFC 8058 §4 among them. */
const SIGNED = [
  "from",
  "to",
  "cc",
  "reply-to",
  "subject",
  "date",
  "message-id",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
  "list-unsubscribe",
  "list-unsubscribe-post",
] as const;

const NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}))*$/;

/**
 * Signs mails by RFC 6376 with rsa-sha256, or ed25519-sha256 (RFC 8463) when the key is Ed25519; relaxed/relaxed.
 * Every field is oversigned: named once more than it occurs, so that a second one invalidates the signature.
 *
 * @throws {Error} when the key or a name is not usable; never with any of the key in it.
 */
export function openDkimSigner(key: DkimKey): DkimSigner {
  if (!NAME.test(key.domain)) throw new Error("the DKIM domain is not a domain");
  if (!NAME.test(key.selector)) throw new Error("the DKIM selector is not a DNS name");
  const privateKey = readKey(key);
  const rsa = privateKey.asymmetricKeyType === "rsa";
  const start = `v=1; a=${rsa ? "rsa" : "ed25519"}-sha256; c=relaxed/relaxed; d=${key.domain};\r\n s=${key.selector}; `;
  return {
    offThread: rsa,
    sign(headers, body) {
      const names: string[] = [];
      const chosen = chooseFields(headers, names);
      const bodyHash = hash("sha256", relaxBody(body), "base64");
      const unsigned = `${start}h=${foldNames(names)};\r\n bh=${bodyHash};\r\n b=`;
      const input = Buffer.from(`${chosen}dkim-signature:${relaxValue(unsigned)}`, "latin1");
      const field = (signature: Buffer): string =>
        `DKIM-Signature: ${unsigned}${signature.toString("base64").replace(/.{72}(?=.)/g, "$&\r\n ")}\r\n`;
      // RFC 8463 §3: Ed25519 signs the hash, not the text.
      if (!rsa) return field(sign(null, hash("sha256", input, "buffer"), privateKey));
      return new Promise((resolve, reject) => {
        sign("sha256", input, privateKey, (error, signature) => (error ? reject(error) : resolve(field(signature))));
      });
    },
  };
}

function readKey(key: DkimKey): KeyObject {
  const name = `the DKIM key ${key.selector}._domainkey.${key.domain}`;
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key.privateKeyPem);
  } catch {
    throw new Error(`${name} is not a private key in PEM form`);
  }
  const type = privateKey.asymmetricKeyType;
  if (type !== "rsa" && type !== "ed25519") throw new Error(`${name} is ${type}; expected RSA or Ed25519`);
  if (type === "rsa" && (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) {
    throw new Error(`${name} has fewer than ${RSA_BITS_MIN} bits`);
  }
  return privateKey;
}

/** The canonical form of the fields to be signed (RFC 6376 §5.4.2: from the bottom up); fills `names` for `h=`. */
function chooseFields(headers: string, names: string[]): string {
  const byName = new Map<string, string[]>();
  for (const field of headers.split(/\r\n(?![ \t])/)) {
    const colon = field.indexOf(":");
    if (colon < 1) continue;
    const name = field.slice(0, colon).trimEnd().toLowerCase();
    const line = `${name}:${relaxValue(field.slice(colon + 1))}\r\n`;
    const same = byName.get(name);
    if (same === undefined) byName.set(name, [line]);
    else same.unshift(line);
  }
  let chosen = "";
  for (const name of SIGNED) {
    for (const line of byName.get(name) ?? []) {
      names.push(name);
      chosen += line;
    }
    names.push(name);
  }
  return chosen;
}

/** RFC 6376 §3.4.2, the part after the colon. */
function relaxValue(value: string): string {
  return value
    .replaceAll("\r\n", "")
    .replace(/[ \t]+/g, " ")
    .replace(/^ | $/g, "");
}

/** RFC 6376 §3.4.4. Lines are at most 998 characters, so that no expression here runs long. */
export function relaxBody(body: string): string {
  const tidy = /[ \t](?:[ \t]|\r\n)|\t/.test(body) ? body.replace(/[ \t]+/g, " ").replaceAll(" \r\n", "\r\n") : body;
  let end = tidy.length;
  while (end >= 4 && tidy.startsWith("\r\n\r\n", end - 4)) end -= 2;
  const trimmed = end === tidy.length ? tidy : tidy.slice(0, end);
  return trimmed === "\r\n" ? "" : trimmed;
}

/** `h=` in lines of a readable length; folding white space is allowed around the colons. */
function foldNames(names: readonly string[]): string {
  let folded = "";
  let column = 4;
  for (const name of names) {
    if (folded !== "") {
      folded += ":";
      column += 1;
    }
    if (column + name.length > 74) {
      folded += "\r\n ";
      column = 1;
    }
    folded += name;
    column += name.length;
  }
  return folded;
}
