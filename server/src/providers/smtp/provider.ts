import { hostname } from "node:os";
import type { EmailContent } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { readFiles, Turnstile } from "./attachments.ts";
import { compose, type Letterhead, type Mail, openLetterhead } from "./compose.ts";
import { type DkimSigner, openDkimSigner } from "./dkim.ts";
import { type Job, Pool } from "./pool.ts";
import { readTarget, type SmtpSettings, type Target } from "./settings.ts";

/**
 * The email provider: an SMTP client, mail writer and DKIM signer of our own.
 *
 * Opens no connection until there is a mail. Attachments are read from `blobs` when their mail's turn has come.
 *
 * @throws {Error} naming the setting that is not usable, without the URL or any key in it.
 */
export async function openSmtpProvider(settings: SmtpSettings, blobs: Pick<BlobStore, "get">): Promise<Provider> {
  const target = readTarget(settings, hostname());
  const letterhead = openLetterhead(settings.from, settings.returnPath ?? null, settings.headers ?? {});
  const signers = (settings.dkim ?? []).map(openDkimSigner);
  if (settings.client === "nodemailer") {
    // Loaded only where it is asked for: it takes 6 MB.
    const { openNodemailerProvider } = await import("./nodemailer.ts");
    return openNodemailerProvider(target, letterhead, settings.dkim ?? [], blobs);
  }
  return new SmtpProvider(target, letterhead, signers, blobs);
}

class SmtpProvider implements Provider {
  readonly key = "smtp";
  readonly channels = ["email"] as const;
  readonly concurrencyMax: number;
  readonly #letterhead: Letterhead;
  readonly #signers: readonly DkimSigner[];
  readonly #signsOffThread: boolean;
  readonly #blobs: Pick<BlobStore, "get">;
  readonly #pool: Pool;
  /** Mails with attachments are large: no more in memory than there are connections to carry them. */
  readonly #large: Turnstile;

  constructor(target: Target, letterhead: Letterhead, signers: readonly DkimSigner[], blobs: Pick<BlobStore, "get">) {
    // Twice what can be under way, so that connections find the next mail while outcomes are being committed.
    this.concurrencyMax = target.pool * target.window * 2;
    this.#letterhead = letterhead;
    this.#signers = signers;
    this.#signsOffThread = signers.some((signer) => signer.offThread);
    this.#blobs = blobs;
    this.#pool = new Pool(target);
    this.#large = new Turnstile(target.pool);
  }

  send(
    envelopes: readonly Envelope[],
    report: (index: number, outcome: Outcome) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = envelopes.length;
      const stop = (): void => this.#pool.withdraw((job) => job instanceof SendJob && job.signal === signal, STOPPED);
      const settle = (index: number, outcome: Outcome): void => {
        try {
          report(index, outcome);
        } catch (error) {
          reject(error);
        }
        left -= 1;
        if (left > 0) return;
        signal.removeEventListener("abort", stop);
        resolve();
      };
      if (left === 0) resolve();
      else signal.addEventListener("abort", stop);
      for (const [index, envelope] of envelopes.entries()) {
        const job = new SendJob(this, envelope, signal, index, settle, reject);
        if (envelope.content.channel !== "email") job.settle(NOT_EMAIL);
        else if (signal.aborted) job.settle(STOPPED);
        else if (envelope.content.attachments.length > 0 || this.#signsOffThread)
          void this.#prepare(job, envelope.content);
        else this.#pool.submit(job);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  /** The mail, or why there can be none; with a promise when it is signed off this thread. */
  write(envelope: Envelope, content: EmailContent, files: readonly Uint8Array[]): Mail | string | Promise<Mail> {
    const mail = compose(content, envelope, this.#letterhead, files);
    if (typeof mail === "string" || this.#signers.length === 0) return mail;
    const fields = this.#signers.map((signer) => signer.sign(mail.headers, mail.body));
    if (fields.every((field) => typeof field === "string")) return withFields(mail, fields);
    return Promise.all(fields.map((field) => Promise.resolve(field))).then((signed) => withFields(mail, signed));
  }

  /** What takes time is done before the mail queues for a connection. */
  async #prepare(job: SendJob, content: EmailContent): Promise<void> {
    const isLarge = content.attachments.length > 0;
    try {
      if (isLarge) job.leave = await this.#large.enter();
      if (job.signal.aborted) return job.settle(STOPPED);
      const files = isLarge ? await readFiles(content, this.#blobs) : [];
      if (!Array.isArray(files)) return job.settle(files);
      job.written = await this.write(job.envelope, content, files);
      if (job.signal.aborted) job.settle(STOPPED);
      else this.#pool.submit(job);
    } catch (error) {
      job.fail(error);
    }
  }
}

const STOPPED: Outcome = { kind: "retry", reason: "stopped before it was sent" };
const NOT_EMAIL: Outcome = { kind: "refused", reason: "the smtp provider carries email only" };

function withFields(mail: Mail, fields: readonly string[]): Mail {
  return { ...mail, headers: fields.join("") + mail.headers };
}

/** One envelope of one `send`. */
class SendJob implements Job {
  readonly envelope: Envelope;
  readonly signal: AbortSignal;
  /** What was prepared beforehand. */
  written: Mail | string | null = null;
  /** Gives back the place in the turnstile. */
  leave: (() => void) | null = null;
  readonly #provider: SmtpProvider;
  readonly #index: number;
  readonly #settle: (index: number, outcome: Outcome) => void;
  readonly #fail: (error: unknown) => void;

  constructor(
    provider: SmtpProvider,
    envelope: Envelope,
    signal: AbortSignal,
    index: number,
    settle: (index: number, outcome: Outcome) => void,
    fail: (error: unknown) => void,
  ) {
    this.#provider = provider;
    this.envelope = envelope;
    this.signal = signal;
    this.#index = index;
    this.#settle = settle;
    this.#fail = fail;
  }

  write(): Mail | null {
    try {
      const written = this.written ?? this.#writeNow();
      if (typeof written !== "string") return written;
      this.settle({ kind: "refused", reason: written });
    } catch (error) {
      this.fail(error);
    }
    return null;
  }

  settle(outcome: Outcome): void {
    this.written = null;
    this.leave?.();
    this.leave = null;
    this.#settle(this.#index, outcome);
  }

  /** A bug, never bad luck. */
  fail(error: unknown): void {
    this.leave?.();
    this.leave = null;
    this.#fail(error);
  }

  #writeNow(): Mail | string {
    const { content } = this.envelope;
    if (content.channel !== "email") throw new Error("broken invariant: only mails queue for a connection");
    const written = this.#provider.write(this.envelope, content, []);
    if (written instanceof Promise) throw new Error("broken invariant: what is signed off this thread is prepared");
    return written;
  }
}
