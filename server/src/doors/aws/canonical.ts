/**
 * The canonical request of Signature Version 4: what a signer and we must write alike, byte by byte. Node hands urls and
 * headers over as latin-1, one character a byte, and so they stay here.
 */
export type SignedRequest = {
  readonly method: string;
  /** As received, percent-encoded. */
  readonly path: string;
  /** As received, without the question mark. */
  readonly query: string;
  readonly headers: HeaderValues;
};

/** All values of a header in the order sent, by lower-case name. */
export type HeaderValues = ReadonlyMap<string, readonly string[]>;

/** Null: a signed header was not sent. */
export function canonicalRequest(
  { method, path, query, headers }: SignedRequest,
  signedHeaders: string,
  bodyHash: string,
): string | null {
  let lines = `${method}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n`;
  for (const name of signedHeaders.split(";")) {
    const values = headers.get(name);
    if (values === undefined) return null;
    lines += `${name}:${values.map(trimmed).join(",")}\n`;
  }
  return `${lines}\n${signedHeaders}\n${bodyHash}`;
}

/** Headers exactly as they were sent: Node's own object joins some and forgets others. */
export function headerValues(rawHeaders: readonly string[]): HeaderValues {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase();
    const value = rawHeaders[at + 1] ?? "";
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  }
  return headers;
}

/** Without blanks around, and one for each run within. */
function trimmed(value: string): string {
  const inner = value.trim();
  return inner.includes("  ") || inner.includes("\t") ? inner.replace(/[ \t]+/g, " ") : inner;
}

/**
 * Every service but S3 encodes the encoded path once more. Signers leave out empty and dot segments first, which they send
 * nevertheless.
 */
function canonicalPath(path: string): string {
  if (SIMPLE_PATH.test(path)) return path;
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(encoded(segment));
  }
  return segments.length === 0 ? "/" : `/${segments.join("/")}${path.endsWith("/") ? "/" : ""}`;
}

const SIMPLE_PATH = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*\/?$/;

/** Names and values decoded and encoded anew, sorted by bytes; the signature itself is no part of it. */
function canonicalQuery(query: string): string {
  if (query === "") return "";
  const pairs: (readonly [string, string])[] = [];
  for (const part of query.split("&")) {
    if (part === "") continue;
    const sign = part.indexOf("=");
    const name = encoded(decodedBytes(sign === -1 ? part : part.slice(0, sign)));
    if (name === "X-Amz-Signature") continue;
    pairs.push([name, sign === -1 ? "" : encoded(decodedBytes(part.slice(sign + 1)))]);
  }
  // Both are ASCII now, so the order of code units is that of bytes.
  pairs.sort(([one, a], [other, b]) => (one === other ? order(a, b) : order(one, other)));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function order(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The bytes that a part of a query stands for, one character each; a lone percent sign stands for itself. */
function decodedBytes(part: string): string {
  const blanks = part.includes("+") ? part.replaceAll("+", " ") : part;
  if (!blanks.includes("%")) return blanks;
  return blanks.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** RFC 3986 §2.3: everything else as `%XX`. */
function encoded(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9._~-]/g, (char) => {
    const code = char.charCodeAt(0);
    return `%${code < 16 ? "0" : ""}${code.toString(16).toUpperCase()}`;
  });
}
