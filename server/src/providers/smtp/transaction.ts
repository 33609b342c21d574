import { invariant, unreachable } from "#domain/invariant.ts";
import type { Outcome } from "#domain/outcome.ts";
import { classify, connectionLost, type Step } from "./classify.ts";
import type { Mail } from "./compose.ts";
import type { Offers } from "./handshake.ts";
import type { Line, Waiting } from "./line.ts";
import { quoteReply, type Reply } from "./reply.ts";
import type { SmtpTimeouts } from "./settings.ts";

/** A mail up to here goes out in one write with its envelope; a larger one in slices, its end withheld to the last. */
export const ONE_WRITE_CHARS_MAX = 64 * 1024;
/** Slices of a large mail: each waits until the kernel has the one before, so that little is in memory twice. */
const SLICE_CHARS = 256 * 1024;

/** A mail for a connection to carry. */
export interface Delivery {
  readonly mail: Mail;
  /** Once, unless it was put back. */
  settle(outcome: Outcome): void;
  /** Takes the mail back, untouched, for another connection. False when that was done before: then settle it. */
  putBack(): boolean;
}

/** The connection, as its transactions see it. */
export interface Carrier {
  readonly line: Line;
  readonly offers: Offers;
  readonly timeouts: SmtpTimeouts;
  /** The server has said 421, and reads no further (RFC 5321 §3.8). */
  readonly saidGoodbye: boolean;
  goodbye(): void;
  /** All that this mail has to say is written; another may begin. */
  contentOut(transaction: Transaction): void;
  /** All its answers are in, or the line is lost. */
  finished(transaction: Transaction, end: TransactionEnd): void;
}

export type TransactionEnd = {
  /** The server may hold an unfinished transaction. */
  readonly dirty: boolean;
  /** The server took the mail. */
  readonly sent: boolean;
  /** Commands that it refused; servers count them. */
  readonly errors: number;
};

type Question = "rset" | "mail" | "rcpt" | "data" | "chunk" | "content";
const COMMANDS = {
  rset: "RSET",
  mail: "MAIL",
  rcpt: "RCPT",
  data: "DATA",
  chunk: "BDAT",
  content: "the mail",
} as const;

/** One command of a transaction, waiting for its answer. */
class Asked implements Waiting {
  readonly timeoutMs: number;
  readonly #transaction: Transaction;
  readonly #question: Question;
  /** Of a RCPT: which recipient. */
  readonly #index: number;

  constructor(transaction: Transaction, question: Question, timeoutMs: number, index: number) {
    this.#transaction = transaction;
    this.#question = question;
    this.timeoutMs = timeoutMs;
    this.#index = index;
  }

  get command(): string {
    return COMMANDS[this.#question];
  }

  answer(reply: Reply): void {
    this.#transaction.answer(this.#question, reply, this.#index);
  }

  lost(reason: string): void {
    this.#transaction.lost(reason);
  }
}

/**
 * One mail on its way: [RSET] MAIL RCPT… then DATA and the mail, or BDAT with the mail behind it.
 *
 * Its outcome is the answer to the mail itself if it went out, else the first refusal on the way there. It is told
 * when nothing more is to come, so that a refused transaction never leaves answers behind for the next one.
 */
export class Transaction {
  readonly #carrier: Carrier;
  readonly #delivery: Delivery;
  readonly #mail: Mail;
  readonly #bold: boolean;
  /** Answers that are still to come. */
  #open = 0;
  #outcome: Outcome | null = null;
  #answered = false;
  /** Its first answer was 421, so the server has taken nothing of it. */
  #turnedAway = false;
  #errors = 0;
  /** Written to its very end: from here on a lost line leaves us in doubt. */
  #handedOver = false;
  #streaming = false;
  #dirty = false;
  #accepted = 0;
  #nextRecipient = 0;
  #refusedOthers = "";

  /** @param bold send as much as possible before the first answer; `connection.ts` says when. */
  constructor(carrier: Carrier, delivery: Delivery, bold: boolean) {
    this.#carrier = carrier;
    this.#delivery = delivery;
    this.#mail = delivery.mail;
    this.#bold = bold;
  }

  /** Writes the first commands. @param reset clear what the transaction before may have left. */
  begin(reset: boolean): void {
    const { offers } = this.#carrier;
    if (reset) this.#ask("rset", "RSET\r\n");
    // OpenSMTPD offers no PIPELINING and refuses everything that comes with a second command behind it.
    if (!reset || offers.pipelining) this.#beginMail();
  }

  #beginMail(): void {
    const { offers } = this.#carrier;
    const size = offers.size ? ` SIZE=${contentChars(this.#mail)}` : "";
    this.#ask("mail", `MAIL FROM:<${this.#mail.sender}>${size}${this.#mail.utf8 ? " BODY=8BITMIME SMTPUTF8" : ""}\r\n`);
    if (!offers.pipelining) return;
    for (let i = 0; i < this.#mail.recipients.length; i += 1) this.#askRecipient();
    if (!this.#bold) return;
    if (offers.chunking) this.#sendChunk();
    else this.#ask("data", "DATA\r\n");
  }

  answer(question: Question, reply: Reply, index: number): void {
    if (reply.code === 421) {
      this.#turnedAway = !this.#answered;
      this.#carrier.goodbye();
    }
    this.#answered = true;
    if (reply.code >= 400) this.#errors += 1;
    this.#decide(question, reply, index);
    this.#close();
  }

  lost(reason: string): void {
    // Behind a 421 nothing was read, so what was pipelined there is untouched.
    const untouched = !this.#answered && (!this.#handedOver || this.#carrier.saidGoodbye);
    this.#outcome ??=
      untouched && this.#delivery.putBack() ? PUT_BACK : connectionLost(reason, this.#handedOver && !untouched);
    this.#close();
  }

  #close(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    const outcome = this.#outcome;
    invariant(outcome !== null, "a transaction without answers to come has an outcome");
    this.#carrier.finished(this, { dirty: this.#dirty, sent: outcome.kind === "sent", errors: this.#errors });
    // The connection had to end, not the mail: "too many errors", "shutting down", as many mails as it may carry.
    const turnedAway = this.#turnedAway && outcome.kind === "retry";
    if (outcome !== PUT_BACK && !(turnedAway && this.#delivery.putBack())) this.#delivery.settle(outcome);
  }

  #decide(question: Question, reply: Reply, index: number): void {
    switch (question) {
      case "rset":
        return this.#decideReset(reply);
      case "mail":
        return this.#decideMail(reply);
      case "rcpt":
        return this.#decideRecipient(reply, index);
      case "data":
        return this.#decideData(reply);
      case "chunk":
        return reply.code < 300 ? undefined : this.#refuseContent(reply);
      case "content":
        return this.#decideContent(reply);
      default:
        return unreachable(question);
    }
  }

  #decideReset(reply: Reply): void {
    if (reply.code === 421) this.#refuse(reply, "mail");
    else if (reply.code >= 300) this.#breakOff(`the server refused RSET: ${quoteReply(reply)}`);
    else if (!this.#carrier.offers.pipelining) this.#beginMail();
  }

  #decideMail(reply: Reply): void {
    if (reply.code >= 300) this.#refuse(reply, "mail");
    else if (!this.#carrier.offers.pipelining) this.#askRecipient();
  }

  #decideRecipient(reply: Reply, index: number): void {
    if (reply.code < 300) this.#accepted += 1;
    else {
      this.#dirty = true;
      if (index === 0) this.#refuse(reply, "rcpt");
      else this.#noteRefused(index, reply);
    }
    // Without To nobody gets it: a later try reaches all of them once.
    if (this.#bold || this.#outcome !== null) {
      this.#dirty ||= this.#outcome !== null;
      return;
    }
    if (this.#nextRecipient < this.#mail.recipients.length) {
      if (!this.#carrier.offers.pipelining) this.#askRecipient();
    } else if (this.#open === 1) this.#handOver();
  }

  #decideData(reply: Reply): void {
    if (reply.code !== 354) {
      this.#dirty = true;
      this.#refuse(reply, "data");
      return;
    }
    this.#dirty = false;
    const content = stuffDots(`${this.#mail.headers}\r\n${this.#mail.body}`);
    if (this.#outcome !== null) {
      if (this.#accepted > 0) this.#carrier.line.fail("the server goes on with a mail that it has refused");
      // RFC 2920 §3.1: a go-ahead without recipients is answered with an empty mail, which the server then refuses.
      else this.#finish(".\r\n");
    } else if (content.length <= ONE_WRITE_CHARS_MAX) this.#finish(`${content}.\r\n`);
    else {
      // Its answer is awaited from now on: a server may have enough before it has all.
      this.#expect("content");
      this.#stream(content, 0, () => this.#complete(".\r\n"));
    }
  }

  #decideContent(reply: Reply): void {
    if (reply.code >= 300 || this.#streaming) this.#refuseContent(reply);
    else if (this.#accepted > 0) {
      const reference = { messageId: this.#mail.messageId, response: quoteReply(reply) };
      const refused = this.#refusedOthers;
      this.#outcome = { kind: "sent", reference: refused === "" ? reference : { ...reference, refused } };
    }
  }

  #refuseContent(reply: Reply): void {
    // RFC 3030 §2: after a refused BDAT the server's state is anybody's guess.
    this.#dirty = this.#carrier.offers.chunking;
    this.#refuse(reply, "content");
    if (this.#streaming) this.#carrier.line.fail("the server answered before the mail was out");
  }

  #refuse(reply: Reply, step: Step): void {
    if (reply.code < 400) {
      this.#breakOff(`the server's answer does not fit: ${quoteReply(reply)}`);
      return;
    }
    const outcome = classify(reply, step);
    // Of several recipients, the answer to the mail as a whole does not say which one is unknown.
    const blames = step === "rcpt" || this.#mail.recipients.length === 1;
    this.#outcome ??= outcome.kind === "refused" && !blames ? { kind: "refused", reason: outcome.reason } : outcome;
  }

  #breakOff(reason: string): void {
    this.#outcome ??= connectionLost(reason, this.#handedOver);
    this.#carrier.line.fail(reason);
  }

  #noteRefused(index: number, reply: Reply): void {
    const note = `${this.#mail.recipients[index] ?? ""}: ${quoteReply(reply)}`;
    this.#refusedOthers += this.#refusedOthers === "" ? note : `; ${note}`;
  }

  /** The envelope stands; now the mail. */
  #handOver(): void {
    if (!this.#carrier.offers.chunking) this.#ask("data", "DATA\r\n");
    else if (contentChars(this.#mail) <= ONE_WRITE_CHARS_MAX) this.#sendChunk();
    else {
      const content = `${this.#mail.headers}\r\n${this.#mail.body}`;
      this.#ask("chunk", `BDAT ${content.length}\r\n`);
      this.#expect("content");
      this.#stream(content, 0, () => this.#complete("BDAT 0 LAST\r\n"));
    }
  }

  /** The whole mail behind its length (RFC 3030 §2): nothing to wait for, nothing to stuff. */
  #sendChunk(): void {
    this.#finish(`BDAT ${contentChars(this.#mail)} LAST\r\n${this.#mail.headers}\r\n${this.#mail.body}`);
  }

  #finish(content: string): void {
    this.#expect("content");
    this.#complete(content);
  }

  #complete(end: string): void {
    this.#streaming = false;
    this.#handedOver = true;
    this.#carrier.line.write(end);
    this.#carrier.contentOut(this);
  }

  #stream(content: string, from: number, done: () => void): void {
    this.#streaming = true;
    const next = from + SLICE_CHARS;
    this.#carrier.line.write(content.slice(from, next), () => {
      if (next >= content.length) done();
      else this.#stream(content, next, done);
    });
  }

  #askRecipient(): void {
    const index = this.#nextRecipient;
    this.#nextRecipient += 1;
    this.#ask("rcpt", `RCPT TO:<${this.#mail.recipients[index] ?? ""}>\r\n`, index);
  }

  #ask(question: Question, line: string, index = 0): void {
    this.#expect(question, index);
    this.#carrier.line.write(line);
  }

  #expect(question: Question, index = 0): void {
    const { commandMs, handoverMs } = this.#carrier.timeouts;
    this.#open += 1;
    this.#carrier.line.await(new Asked(this, question, question === "content" ? handoverMs : commandMs, index));
  }
}

/** Stands in for an outcome when another connection will find it. */
const PUT_BACK: Outcome = { kind: "retry", reason: "put back" };

/** Bytes of the mail, without dot-stuffing. */
export function contentChars(mail: Mail): number {
  return mail.headers.length + 2 + mail.body.length;
}

/** RFC 5321 §4.5.2. The first line is a header field, which has no dot. */
function stuffDots(content: string): string {
  return content.includes("\r\n.") ? content.replaceAll("\r\n.", "\r\n..") : content;
}
