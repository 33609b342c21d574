import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import nodemailer from "nodemailer";
import { compose, openLetterhead } from "./compose.ts";
import { openDkimSigner } from "./dkim.ts";
import { mailOptions } from "./nodemailer.ts";
import { email } from "./test-fixtures/mails.ts";

const PEM = { type: "pkcs8", format: "pem" } as const;
// The smallest that is allowed: making a larger one takes longer than all the tests.
const RSA_PEM = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export(PEM);
const ED25519_PEM = generateKeyPairSync("ed25519").privateKey.export(PEM);
const META = { messageId: "msg_1", acceptedMs: 1_790_000_000_000 };
const LETTERHEAD = openLetterhead("Tidings <news@example.com>", null, {});
const LIST_MAIL = email({
  subject: "Ünïcödé, a  subject with   spaces ".repeat(4),
  cc: ["Bob <bob@example.org>", "c@example.org"],
  text: "two  spaces\t\tand trailing \t \n\n.dot\n\n\n",
  unsubscribe: { url: "https://example.com/u/token" },
});

/** "pass", or what is wrong. By the book (RFC 6376 §6), and written apart from the signer: character by character, no regular expressions. */
function verifyDkim(raw: string, privateKeyPem: string): string {
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

async function signed(privateKeyPem: string, content = LIST_MAIL): Promise<string> {
  const mail = compose(content, META, LETTERHEAD, []);
  assert.ok(typeof mail !== "string");
  const signer = openDkimSigner({ domain: "example.com", selector: "s1", privateKeyPem });
  const field = await signer.sign(mail.headers, mail.body);
  assert.match(field, /^DKIM-Signature: [ -~]+\r\n(?: [ -~]+\r\n)*$/);
  for (const line of field.split("\r\n")) assert.ok(line.length <= 110, line);
  return `${field}${mail.headers}\r\n${mail.body}`;
}

test("a signed mail verifies, with RSA and with Ed25519", async () => {
  assert.equal(verifyDkim(await signed(RSA_PEM), RSA_PEM), "pass");
  assert.equal(verifyDkim(await signed(ED25519_PEM), ED25519_PEM), "pass");
});

test("the verifier agrees with nodemailer, whose mails it accepts too", async () => {
  const dkim = { domainName: "example.com", keySelector: "s1", privateKey: RSA_PEM };
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows", dkim });
  const info = await transport.sendMail(mailOptions(LIST_MAIL, META, LETTERHEAD, []));
  assert.ok(Buffer.isBuffer(info.message));
  assert.equal(verifyDkim(info.message.toString("latin1"), RSA_PEM), "pass");
});

test("mails of any words verify", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "binary" }),
      fc.string(),
      fc.string({ unit: "binary" }),
      async (subject, a, b) => {
        const content = email({ subject, text: `${a}\n \n${b}`, html: "" });
        assert.equal(verifyDkim(await signed(ED25519_PEM, content), ED25519_PEM), "pass");
      },
    ),
    { numRuns: 100 },
  );
});

test("any change to the body or to a signed field is noticed, and so is a second one of the same name", async () => {
  const mail = await signed(ED25519_PEM);
  const changes = [
    mail.replace("spaces", "spades"),
    mail.replace("List-Unsubscribe=One-Click", "List-Unsubscribe=Two-Click"),
    mail.replace("https://example.com/u/token", "https://example.com/u/other"),
    mail.replace("To: Ada", "To: Eve"),
    mail.replace("\r\nMIME-Version", "\r\nReply-To: eve@example.org\r\nMIME-Version"),
    mail.replace("\r\nMIME-Version", "\r\nSubject: another\r\nMIME-Version"),
    mail.replace("\r\nMIME-Version", "\r\nFrom: eve@example.org\r\nMIME-Version"),
  ];
  for (const changed of changes) {
    assert.notEqual(changed, mail);
    assert.notEqual(verifyDkim(changed, ED25519_PEM), "pass");
  }
  assert.equal(verifyDkim(mail.replace("Subject: ", "SUBJECT:   "), ED25519_PEM), "pass");
});

test("a key that cannot sign is refused at the start, without a word of it", () => {
  const bad = (changes: object): unknown => {
    try {
      openDkimSigner({ domain: "example.com", selector: "s1", privateKeyPem: RSA_PEM, ...changes });
      return null;
    } catch (error) {
      return error;
    }
  };
  for (const changes of [
    { domain: "exa mple" },
    { selector: "s1;" },
    { privateKeyPem: "SECRET" },
    { privateKeyPem: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(PEM) },
  ]) {
    const error = bad(changes);
    assert.ok(error instanceof Error);
    assert.doesNotMatch(error.message, /SECRET|BEGIN/);
  }
});
