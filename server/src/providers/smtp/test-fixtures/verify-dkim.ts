import { createHash, createPublicKey, verify } from "node:crypto";

/**
 * Verifies the topmost DKIM-Signature. By the book (RFC 6376 §6), and written apart from the signer: character by
 * character, no regular expressions.
 *
 * @param raw one character per byte.
 * @param privateKeyPem the signer's; the public key is made from it.
 * @returns "pass", or what is wrong.
 */
export function verifyDkim(raw: string, privateKeyPem: string): string {
  const split = raw.indexOf("\r\n\r\n");
  const fields: string[] = [];
  for (const line of raw.slice(0, split).split("\r\n")) {
    if (line.startsWith(" ") || line.startsWith("\t")) fields.push(`${fields.pop() ?? ""}\r\n${line}`);
    else fields.push(line);
  }
  const signature = fields.find((field) => field.toLowerCase().startsWith("dkim-signature:"));
  if (signature === undefined) return "no signature";
  const tags = new Map<string, string>();
  for (const tag of signature.slice(signature.indexOf(":") + 1).split(";")) {
    const equals = tag.indexOf("=");
    if (equals > 0) tags.set(tag.slice(0, equals).trim(), removeSpace(tag.slice(equals + 1)));
  }
  const bodyHash = createHash("sha256")
    .update(relaxBody(raw.slice(split + 4)), "latin1")
    .digest("base64");
  if (bodyHash !== tags.get("bh")) return "the body was changed";
  const left = [...fields];
  let input = "";
  for (const name of (tags.get("h") ?? "").split(":")) {
    const at = left.findLastIndex(
      (field) => field.slice(0, field.indexOf(":")).trim().toLowerCase() === name.toLowerCase(),
    );
    if (at >= 0) input += `${relaxField(left.splice(at, 1)[0] ?? "")}\r\n`;
  }
  const bAt = signature.lastIndexOf("b=") + 2;
  input += relaxField(signature.slice(0, bAt));
  const key = createPublicKey(privateKeyPem);
  const data = Buffer.from(input, "latin1");
  const value = Buffer.from(tags.get("b") ?? "", "base64");
  const good =
    tags.get("a") === "ed25519-sha256"
      ? verify(null, createHash("sha256").update(data).digest(), key, value)
      : verify("sha256", data, key, value);
  return good ? "pass" : "the header was changed";
}

function isSpace(character: string): boolean {
  return character === " " || character === "\t" || character === "\r" || character === "\n";
}

function removeSpace(text: string): string {
  return [...text].filter((character) => !isSpace(character)).join("");
}

function squeeze(text: string): string {
  let out = "";
  for (const character of text) {
    if (!isSpace(character)) out += character;
    else if (!out.endsWith(" ")) out += " ";
  }
  return out;
}

function relaxField(field: string): string {
  const colon = field.indexOf(":");
  const value = squeeze(
    field
      .slice(colon + 1)
      .split("\r\n")
      .join(""),
  );
  return `${field.slice(0, colon).trim().toLowerCase()}:${value.trim()}`;
}

function relaxBody(body: string): string {
  const lines = body.split("\r\n").map((line) => {
    const tight = squeeze(line);
    return tight.endsWith(" ") ? tight.slice(0, -1) : tight;
  });
  while (lines.length > 0 && lines.at(-1) === "") lines.pop();
  return lines.map((line) => `${line}\r\n`).join("");
}
