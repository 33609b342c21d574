import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";

/** One mail as it came over the wire. */
export type Mail = {
  readonly to: string;
  readonly from: string;
  readonly messageId: string;
  readonly raw: Buffer;
  /** When its last byte had come; monotonic, ms. */
  readonly atMs: number;
};

/** What the host says instead of "ok". `hangUp`: it keeps the mail and closes the connection without an answer. */
export type Answer = { readonly code: number; readonly says: string } | "hangUp";

/**
 * A real SMTP server (the `smtp-server` of nodemailer) on loopback that keeps what it gets. A test may tell it to refuse
 * (`onRecipient`, `onMail`; null: ok), and may take it down and bring it up again at the same port.
 */
export class MailHost implements AsyncDisposable {
  /** In the order of arrival, duplicates included. */
  readonly mails: Mail[] = [];
  onRecipient: (address: string) => Answer | null = () => null;
  onMail: (mail: Mail) => Answer | null = () => null;
  /** How long it thinks before it answers to a mail, ms. */
  thinksMs = 0;
  #server: SMTPServer | null = null;
  #port = 0;

  static async open(): Promise<MailHost> {
    const host = new MailHost();
    await host.up();
    return host;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.#port}`;
  }

  async up(): Promise<void> {
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ["AUTH", "STARTTLS"],
      disableReverseLookup: true,
      closeTimeout: 1,
      onRcptTo: ({ address }, session, done) => this.#answer(this.onRecipient(address), session, done),
      onData: (stream, session, done) => void this.#receive(stream, session, done),
    });
    // Whoever is killed leaves broken connections behind.
    server.on("error", () => {});
    const listening = server.listen(this.#port, "127.0.0.1");
    await once(listening, "listening");
    this.#port = (listening.address() as AddressInfo).port; // it listens on TCP
    this.#server = server;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    for (const connection of server.connections) connection._socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  to(address: string): Mail[] {
    return this.mails.filter((mail) => mail.to === address);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }

  async #receive(stream: SMTPServerDataStream, session: SMTPServerSession, done: Done): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of stream) chunks.push(chunk as Buffer); // it is no object stream
    } catch {
      return; // whoever sent it was killed
    }
    const raw = Buffer.concat(chunks);
    const { mailFrom, rcptTo } = session.envelope;
    const mail: Mail = {
      to: rcptTo.map(({ address }) => address).join(","),
      from: mailFrom === false ? "" : mailFrom.address,
      messageId: /^message-id:\s*(\S+)/im.exec(raw.toString("latin1"))?.[1] ?? "",
      raw,
      atMs: performance.now(),
    };
    const answer = this.onMail(mail);
    if (answer === null || answer === "hangUp") this.mails.push(mail);
    // Whoever asked may be dead by then, and nobody should wait for us.
    if (this.thinksMs > 0) await wait(this.thinksMs, null, { ref: false });
    this.#answer(answer, session, done);
  }

  #answer(answer: Answer | null, session: SMTPServerSession, done: Done): void {
    if (answer === null) done();
    else if (answer === "hangUp") {
      for (const connection of this.#server?.connections ?? [])
        if (connection.session === session) connection._socket.destroy();
    } else done(Object.assign(new Error(answer.says), { responseCode: answer.code }));
  }
}

type Done = (error?: Error | null) => void;

/** The mail as a mail program reads it. */
export function read(mail: Mail): Promise<Email> {
  return PostalMime.parse(mail.raw);
}

/** A header field's value, unfolded; null when there is none. */
export function header(email: Email, name: string): string | null {
  return email.headers.find(({ key }) => key === name.toLowerCase())?.value ?? null;
}
