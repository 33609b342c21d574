import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import nodemailer from "nodemailer";
import { compose, openLetterhead } from "./compose.ts";
import { openDkimSigner } from "./dkim.ts";
import { mailOptions } from "./nodemailer.ts";
import { email } from "./test-fixtures/mails.ts";
import { verifyDkim } from "./test-fixtures/verify-dkim.ts";

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
