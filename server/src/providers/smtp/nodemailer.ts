import nodemailer from "nodemailer";
import type { EmailContent } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { readFiles } from "./attachments.ts";
import { classify, connectionLost, type Step } from "./classify.ts";
import { compose, type Letterhead } from "./compose.ts";
import type { DkimKey } from "./dkim.ts";
import type { Target } from "./settings.ts";

/**
 * The same provider on nodemailer's pool: the reference to compare ours with, in tests and in benchmarks, and a way
 * out for a server that ours does not get on with. It writes and signs the mails itself; only what may be sent, and
 * to whom, is decided by our composer. Signs with the first DKIM key.
 */
export function openNodemailerProvider(
  target: Target,
  letterhead: Letterhead,
  dkim: readonly DkimKey[],
  blobs: Pick<BlobStore, "get">,
): Provider {
  const transport = nodemailer.createTransport({ pool: true, ...transportOptions(target), ...dkimOptions(dkim) });
  const sendOne = async (envelope: Envelope): Promise<Outcome> => {
    const { content } = envelope;
    if (content.channel !== "email") return { kind: "refused", reason: "the smtp provider carries email only" };
    const files = await readFiles(content, blobs);
    if (!Array.isArray(files)) return files;
    const checked = compose({ ...content, attachments: [] }, envelope, letterhead, []);
    if (typeof checked === "string") return { kind: "refused", reason: checked };
    try {
      const sent = await transport.sendMail({
        ...mailOptions(content, envelope, letterhead, files),
        messageId: checked.messageId,
        envelope: { from: checked.sender, to: [...checked.recipients] },
      });
      const refused = sent.rejected.join("; ");
      const reference = { messageId: checked.messageId, response: sent.response };
      return { kind: "sent", reference: refused === "" ? reference : { ...reference, refused } };
    } catch (error) {
      return explain(error);
    }
  };
  return {
    key: "smtp",
    channels: ["email"],
    concurrencyMax: target.pool * 4,
    async send(envelopes, report, signal) {
      const tries = envelopes.map(async (envelope, index) => {
        if (signal.aborted) report(index, { kind: "retry", reason: "stopped before it was sent" });
        else report(index, await sendOne(envelope));
      });
      await Promise.all(tries);
    },
    async [Symbol.asyncDispose]() {
      transport.close();
    },
  };
}

function transportOptions(target: Target): {
  host: string;
  port: number;
  secure: boolean;
  name: string;
  ignoreTLS: boolean;
  requireTLS: boolean;
  tls: { rejectUnauthorized: boolean; ca?: string };
  auth?: { user: string; pass: string };
  maxConnections: number;
  maxMessages: number;
  maxRequeues: number;
  connectionTimeout: number;
  greetingTimeout: number;
  socketTimeout: number;
  idleTimeout: number;
} {
  const { timeouts, auth, ca } = target;
  return {
    host: target.host,
    port: target.port,
    secure: target.implicitTls,
    name: target.hostname,
    ignoreTLS: target.tls === "never",
    requireTLS: target.tls === "require",
    tls: { rejectUnauthorized: target.verify, ...(ca === null ? {} : { ca }) },
    ...(auth === null ? {} : { auth: { user: auth.user, pass: auth.password } }),
    maxConnections: target.pool,
    maxMessages: target.messages,
    // It would send a mail again whose connection closed after the hand-over; what becomes of it is not its decision.
    maxRequeues: 0,
    connectionTimeout: timeouts.connectMs,
    greetingTimeout: timeouts.greetingMs,
    socketTimeout: timeouts.handoverMs,
    idleTimeout: timeouts.idleMs,
  };
}

function dkimOptions(dkim: readonly DkimKey[]): {
  dkim?: { domainName: string; keySelector: string; privateKey: string };
} {
  const key = dkim[0];
  if (key === undefined) return {};
  return { dkim: { domainName: key.domain, keySelector: key.selector, privateKey: key.privateKeyPem } };
}

/** The fields that nodemailer writes a mail from. */
export function mailOptions(
  content: EmailContent,
  envelope: { readonly acceptedMs: number },
  letterhead: Letterhead,
  files: readonly Uint8Array[],
) {
  const { from } = letterhead;
  const unsubscribe = content.unsubscribe?.url;
  return {
    from: content.from ?? { name: from.name, address: from.address },
    to: content.to,
    cc: [...content.cc],
    ...(content.replyTo === null ? {} : { replyTo: content.replyTo }),
    subject: content.subject,
    date: new Date(envelope.acceptedMs),
    ...(content.text === "" ? {} : { text: content.text }),
    ...(content.html === "" ? {} : { html: content.html }),
    ...(unsubscribe === undefined
      ? {}
      : { headers: { "List-Unsubscribe": `<${unsubscribe}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" } }),
    attachments: content.attachments.map((attachment, i) => ({
      filename: attachment.filename,
      contentType: attachment.contentType,
      content: Buffer.from(files[i] ?? new Uint8Array()),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

const STEPS: ReadonlyMap<string, Step> = new Map([
  ["CONN", "connect"],
  ["EHLO", "connect"],
  ["STARTTLS", "connect"],
  ["MAIL FROM", "mail"],
  ["RCPT TO", "rcpt"],
  ["DATA", "content"],
]);

/** What it says when a mail cannot have been handed over. */
const BEFORE_HANDOVER = new Set(["EDNS", "ETLS", "EAUTH", "ENOAUTH", "EREQUIRETLS", "ECONFIG"]);
/** Socket errors that also end a connection in the middle of a mail. */
const MIDWAY = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT"]);

/** Documented in nodemailer's `NodemailerError`; each may be absent. */
type NodemailerFailure = Error & {
  readonly code?: string;
  readonly originalCode?: string;
  readonly timeoutType?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly command?: string;
};

/** nodemailer's errors as outcomes. It does not tell how far it had come; in doubt the mail may be there. */
function explain(error: unknown): Outcome {
  if (!(error instanceof Error)) throw error;
  const failure: NodemailerFailure = error;
  const { code = "", responseCode, response, command = "", timeoutType, originalCode } = failure;
  if (responseCode !== undefined && responseCode >= 400) {
    const step = command.startsWith("AUTH") ? "auth" : (STEPS.get(command) ?? "mail");
    const lines = (response ?? "").split("\n").map((line) => line.replace(/^\d{3}[ -]?/, "").trim());
    return classify({ code: responseCode, lines }, step);
  }
  if (code === "EMESSAGE" || code === "EENVELOPE") return { kind: "refused", reason: failure.message };
  const early =
    BEFORE_HANDOVER.has(code) ||
    (timeoutType !== undefined && timeoutType !== "SOCKET_TIMEOUT") ||
    (code === "ESOCKET" && !MIDWAY.has(originalCode ?? "ECONNRESET"));
  return connectionLost(originalCode ?? (code === "" ? failure.message : code), !early);
}
