import { invariant } from "#domain/invariant.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Mail } from "./compose.ts";
import { type Offers, shakeHands, Unwelcome } from "./handshake.ts";
import { Line, LineLost, openSocket } from "./line.ts";
import { quoteReply, type Reply } from "./reply.ts";
import type { Target } from "./settings.ts";
import { type Carrier, contentChars, type Delivery, ONE_WRITE_CHARS_MAX, Transaction } from "./transaction.ts";

/**
 * After so long without work a server may have hung up without our knowing yet, so that the next mail is handed over
 * only once its envelope was answered. Otherwise a login code would end as *unknown* for nothing.
 */
export const STALE_MS = 500;
/**
 * Refused commands in a row, without a mail taken between them, after which a connection is given up for a fresh one.
 * Servers count them: Postfix answers a second late after 10 and says 421 after 20, OpenSMTPD and Exim are stricter.
 * Addresses that do not exist would slow down everybody who waits behind them.
 */
export const ERRORS_IN_A_ROW_MAX = 8;
/**
 * Mails under way on a new connection; doubles with each that is taken, up to the window. Were all of the first refused,
 * with two commands each, that is {@link ERRORS_IN_A_ROW_MAX}.
 */
export const WINDOW_START = 4;

/** Who owns connections. */
export interface ConnectionOwner {
  /** The next mail for a connection that has room, or null. */
  next(): Delivery | null;
  /** It is ready, and nothing is under way on it. */
  idle(connection: Connection): void;
  /** It takes no more mails. Once; `failure` when it never became ready. */
  closed(connection: Connection, failure: Outcome | null): void;
}

/**
 * One SMTP connection that carries mails.
 *
 *     opening ──▶ ready ⇄ busy ──▶ retiring ──▶ closed
 *
 * *opening* connects and shakes hands (`handshake.ts`). *busy* has mails under way (`transaction.ts`), each in one of
 * three ways:
 *
 * - **bold**: one recipient, and the server offers PIPELINING. MAIL and RCPT are followed at once by the mail itself
 *   (BDAT LAST, with CHUNKING) or by DATA. With BDAT up to `window` mails are under way; with DATA the next envelope
 *   goes out behind the final dot of the mail before, which RFC 2920 §3.1 allows, so that at most two are.
 * - **careful**: several recipients, a large mail, or a line that was idle. MAIL and RCPTs go out, together if
 *   pipelining is offered; the mail follows when they are answered, and only if To was accepted. Nothing else starts
 *   before it is out.
 * - **one by one**: no PIPELINING. As careful, one command at a time, and nothing else starts before it is done.
 *
 * After a refusal mails are *careful*, one at a time, until one is taken again: a refused recipient then costs one error,
 * not two, and eight errors in a row end the connection.
 *
 * A transaction that the server left open or in doubt, because a recipient or a BDAT was refused (RFC 3030 §2), makes
 * the line *dirty*: RSET goes before the next MAIL. A mail sent behind a BDAT whose fate is open gets its RSET anyway.
 *
 * *retiring* (421, as many mails as one connection may carry, or errors in a row) starts no more, finishes what is under
 * way, says QUIT. A mail whose first answer is 421 was not taken and is put back.
 * *closed*: when the line breaks, a mail that was handed over is *unknown*; one that was not is put back if the server
 * had not answered a word to it (the line was dead, not the mail), else it is to be retried.
 */
export class Connection {
  readonly #target: Target;
  readonly #owner: ConnectionOwner;
  readonly #stop = new AbortController();
  #state: "opening" | "ready" | "retiring" | "closed" = "opening";
  #line: Line | null = null;
  #carrier: Carrier | null = null;
  #underWay = 0;
  #begun = 0;
  #window = WINDOW_START;
  #errorsInARow = 0;
  /** The transaction whose own commands are not all out yet. */
  #gate: Transaction | null = null;
  #dirty = false;
  #idleSinceMs: number | null = null;
  #saidGoodbye = false;

  constructor(target: Target, owner: ConnectionOwner) {
    this.#target = target;
    this.#owner = owner;
    void this.#open();
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** No mail is under way. */
  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  /** Whether the server takes mails behind one another (CHUNKING); null before it has said so. */
  get streams(): boolean | null {
    const offers = this.#carrier?.offers;
    return offers === undefined ? null : offers.pipelining && offers.chunking;
  }

  /** Takes up to `most` mails from the owner, as far as there is room, and writes what can be written of them. */
  fill(most: number): void {
    this.#line?.together(() => {
      for (let taken = 0; taken < most && this.#hasRoom(); taken += 1) {
        const delivery = this.#owner.next();
        if (delivery === null) return;
        this.#begin(delivery);
      }
    });
  }

  /** Finishes what is under way, then closes. */
  retire(): void {
    if (this.#state === "opening") this.abandon("stopped");
    if (this.#state === "ready") this.#state = "retiring";
    if (this.#underWay === 0) this.#line?.end(this.#saidGoodbye ? "" : "QUIT\r\n");
  }

  /** Closes now, whatever is under way. */
  abandon(reason: string): void {
    this.#stop.abort();
    this.#line?.fail(reason);
  }

  async #open(): Promise<void> {
    try {
      const socket = await openSocket(this.#target, this.#stop.signal);
      const line = new Line(socket, {
        settled: () => this.#settled(),
        unsolicited: (reply) => this.#interrupted(reply),
        lost: () => this.#closed(null),
      });
      this.#line = line;
      const offers = await shakeHands(line, this.#target);
      if (line.isLost) throw new LineLost("the server closed the connection");
      this.#carrier = this.#openCarrier(line, offers);
      this.#state = "ready";
      this.#rest();
    } catch (error) {
      if (!(error instanceof Unwelcome) && !(error instanceof LineLost)) throw error;
      this.#closed(error instanceof Unwelcome ? error.outcome : { kind: "retry", reason: error.message, whole: true });
      this.#line?.end("QUIT\r\n");
    }
  }

  #closed(failure: Outcome | null): void {
    // While it opens, the handshake is told as well, and knows the reason.
    if (this.#state === "closed" || (this.#state === "opening" && failure === null)) return;
    this.#state = "closed";
    this.#owner.closed(this, failure);
  }

  #hasRoom(): boolean {
    const offers = this.#carrier?.offers;
    if (offers === undefined || this.#state !== "ready" || this.#gate !== null) return false;
    if (this.#isSpent) return false;
    if (!offers.pipelining || this.#errorsInARow > 0) return this.#underWay === 0;
    return this.#underWay < (offers.chunking ? Math.min(this.#window, this.#target.window) : 2);
  }

  get #isSpent(): boolean {
    return this.#begun >= this.#target.messages || this.#errorsInARow >= ERRORS_IN_A_ROW_MAX;
  }

  #settled(): void {
    if (this.#state === "opening") return;
    this.fill(Number.POSITIVE_INFINITY);
    if (this.#isSpent && this.#state === "ready") this.#state = "retiring";
    if (this.#underWay > 0) return;
    if (this.#state === "retiring") this.retire();
    else if (this.#idleSinceMs === null) this.#rest();
  }

  #rest(): void {
    this.#idleSinceMs = performance.now();
    this.#owner.idle(this);
  }

  #interrupted(reply: Reply): void {
    if (this.#state !== "opening" && reply.code === 421) {
      this.#saidGoodbye = true;
      this.retire();
    } else this.#line?.fail(`the server answered what was not asked: ${quoteReply(reply)}`);
  }

  #begin(delivery: Delivery): void {
    const carrier = this.#carrier;
    invariant(carrier !== null, "only a ready connection has room");
    const { offers } = carrier;
    const unfit = whyUnfit(delivery.mail, offers);
    if (unfit !== null) {
      delivery.settle({ kind: "refused", reason: unfit });
      return;
    }
    const bold = offers.pipelining && this.#errorsInARow === 0 && !this.#isStale() && isSimple(delivery.mail);
    this.#idleSinceMs = null;
    this.#begun += 1;
    this.#underWay += 1;
    const reset = this.#dirty || (offers.chunking && this.#underWay > 1);
    this.#dirty = false;
    const transaction = new Transaction(carrier, delivery, bold);
    this.#gate = transaction;
    transaction.begin(reset);
  }

  #isStale(): boolean {
    return this.#idleSinceMs !== null && performance.now() - this.#idleSinceMs > STALE_MS;
  }

  #openCarrier(line: Line, offers: Offers): Carrier {
    const saidGoodbye = (): boolean => this.#saidGoodbye;
    return {
      line,
      offers,
      timeouts: this.#target.timeouts,
      get saidGoodbye() {
        return saidGoodbye();
      },
      goodbye: () => {
        this.#saidGoodbye = true;
        if (this.#state === "ready") this.#state = "retiring";
      },
      contentOut: (transaction) => {
        if (this.#gate === transaction) this.#gate = null;
      },
      finished: (transaction, { dirty, sent, errors }) => {
        this.#underWay -= 1;
        if (this.#gate === transaction) this.#gate = null;
        if (dirty) this.#dirty = true;
        this.#errorsInARow = sent ? 0 : this.#errorsInARow + errors;
        if (sent && this.#window < this.#target.window) this.#window *= 2;
      },
    };
  }
}

function isSimple(mail: Mail): boolean {
  return mail.recipients.length === 1 && contentChars(mail) <= ONE_WRITE_CHARS_MAX;
}

function whyUnfit(mail: Mail, offers: Offers): string | null {
  if (mail.utf8 && !offers.utf8) return "an address is not ASCII, and the server does not offer SMTPUTF8";
  const bytes = contentChars(mail);
  return bytes > offers.bytesMax ? `the mail has ${bytes} bytes; the server takes at most ${offers.bytesMax}` : null;
}
