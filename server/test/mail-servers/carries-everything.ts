import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { domainToASCII } from "node:url";
import PostalMime, { type Email } from "postal-mime";
import type { Outcome } from "#domain/outcome.ts";
import type { Provider } from "#ports/provider.ts";
import { compose, openLetterhead } from "#providers/smtp/compose.ts";
import { openSmtpProvider } from "#providers/smtp/provider.ts";
import type { SmtpSettings } from "#providers/smtp/settings.ts";
import { envelope, sendAll } from "#providers/smtp/test-fixtures/mails.ts";
import { verifyDkim } from "#providers/smtp/test-fixtures/verify-dkim.ts";
import type { Mail, MailHost } from "../support/mail-host.ts";
import { until } from "../support/until.ts";
import type { MailKind } from "./mail-kinds.ts";

const FROM = "Tidings <news@example.com>";
const KEYS = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 1024 }),
  ed25519: generateKeyPairSync("ed25519"),
} as const;
const VERIFIED_CHARS_MAX = 100_000;
const PEM = { type: "pkcs8", format: "pem" } as const;

/** A provider as our users have it, but for how fast it gives up. */
export function openProvider(port: number, query = "", changes: Partial<SmtpSettings> = {}): Promise<Provider> {
  return openProviderOf([], port, query, changes);
}

function openProviderOf(
  kinds: readonly MailKind[],
  port: number,
  query: string,
  changes: Partial<SmtpSettings> = {},
): Promise<Provider> {
  const url = `smtp://127.0.0.1:${port}?${query}`;
  const files = new Map<string, Uint8Array>(
    kinds.flatMap((kind, k) => kind.files.map((bytes, i) => [`${k}-${i}`, bytes] as const)),
  );
  const blobs = { get: async (id: string) => files.get(id) ?? null };
  return openSmtpProvider({ url, from: FROM, hostname: "mta.example.com", ...changes }, blobs);
}

/**
 * Sends each kind of mail and reads it where the server under test hands it on to: it must be the mail that we wrote,
 * byte for byte, once, below what the server itself put on top of it, and both DKIM signatures must verify.
 *
 * @param name makes the Message-IDs of this run its own.
 */
export async function carriesEverything(
  name: string,
  kinds: readonly MailKind[],
  to: { readonly port: number; readonly query?: string; readonly settings?: Partial<SmtpSettings> },
  host: MailHost,
): Promise<void> {
  const dkim = (["rsa", "ed25519"] as const).map((type) => ({
    domain: "example.com",
    selector: type,
    privateKeyPem: KEYS[type].privateKey.export(PEM),
  }));
  await using provider = await openProviderOf(kinds, to.port, to.query ?? "", { dkim, ...to.settings });
  const envelopes = kinds.map((kind, k) => {
    const attachments = kind.content.attachments.map((one, i) => ({ ...one, blob: `${k}-${i}` }));
    return envelope(`${name}_${k}`, { ...kind.content, attachments });
  });
  const outcomes = await sendAll(provider, envelopes);
  for (const [k, outcome] of outcomes.entries())
    assert.equal(outcome.kind, "sent", `${kinds[k]?.name}: ${JSON.stringify(outcome)}`);
  const letterhead = openLetterhead(FROM, null, {});
  for (const [k, kind] of kinds.entries()) {
    const sent = envelopes[k];
    assert.ok(sent !== undefined);
    const mail = compose(kind.content, sent, letterhead, kind.files);
    assert.ok(typeof mail !== "string", kind.name);
    const arrived = await arrivals(host, mail.messageId);
    assert.equal(arrived.length, 1, `${kind.name}: arrived ${arrived.length} times`);
    const [{ raw, from, to: recipients }] = arrived as [Mail]; // just counted
    const text = raw.toString("latin1");
    const ours = `${mail.headers}\r\n${mail.body}`;
    const top = text.slice(0, text.length - ours.length);
    assert.ok(text.endsWith(ours), `${kind.name}: changed on the way:\n${text.slice(0, 2_000)}`);
    // What stands above is trace (RFC 5321 §4.4) and our signatures, in whole fields.
    for (const field of top.split(/\r\n(?![ \t])/).slice(0, -1))
      assert.match(field, /^(?:Received|Return-Path|Delivered-To|DKIM-Signature):/i, kind.name);
    assert.equal(from, mail.sender);
    assert.deepEqual(recipients.split(",").map(onTheWire).toSorted(), mail.recipients.toSorted(), kind.name);
    // The verifier reads character by character; what is larger was just seen to be as it was signed.
    if (text.length <= VERIFIED_CHARS_MAX) {
      const signatures = [text.indexOf("DKIM-Signature:"), text.lastIndexOf("DKIM-Signature:")];
      for (const [i, at] of signatures.entries())
        assert.equal(verifyDkim(text.slice(at), dkim[i]?.privateKeyPem.toString() ?? ""), "pass", kind.name);
    }
    reads(await PostalMime.parse(raw), kind);
  }
}

/** The sink shows domains in Unicode, and reads UTF-8; one character per byte, as we write it. */
function onTheWire(address: string): string {
  const at = address.lastIndexOf("@") + 1;
  return Buffer.from(address.slice(0, at) + domainToASCII(address.slice(at)), "utf8").toString("latin1");
}

/** A reader finds what was written. */
function reads(read: Email, { name, content, files }: MailKind): void {
  const lines = (text: string | undefined): string => (text ?? "").replace(/\r\n?/g, "\n").replace(/\n+$/, "");
  assert.equal(read.subject ?? "", content.subject, name);
  assert.equal(lines(read.text), lines(content.text), name);
  assert.equal(lines(read.html), lines(content.html), name);
  assert.deepEqual(
    read.attachments.map(({ filename }) => filename),
    content.attachments.map(({ filename }) => filename),
  );
  for (const [i, { content: bytes }] of read.attachments.entries()) {
    assert.ok(bytes instanceof ArrayBuffer);
    assert.ok(Buffer.from(bytes).equals(files[i] ?? Buffer.alloc(0)), `${name}: attachment ${i}`);
  }
}

/** The mails of this id, once there is one; several when they came more than once. */
export async function arrivals(host: MailHost, messageId: string): Promise<readonly Mail[]> {
  const mine = (): readonly Mail[] => host.mails.filter((mail) => mail.messageId === messageId);
  await until(`${messageId} arrives`, () => mine().length > 0, 10_000);
  return mine();
}

export const kindsOf = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ kind }) => kind);
