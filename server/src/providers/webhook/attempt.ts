import type { Dispatcher } from "undici";
import type { Clock, Timer } from "#ports/clock.ts";
import { InsideAddressError } from "#providers/webhook/guarded-connector.ts";

/** What is read of an answer; the connection of a longer one is closed. */
export const ANSWER_BYTES_MAX = 4 * 1024;

/** How a call ended. */
export type Ended =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfter: string | null; readonly excerpt: string }
  /** No status came. `began`: the request was handed to a connection. */
  | { readonly kind: "silent"; readonly began: boolean; readonly reason: string }
  /** It cannot be written down, or leads inside: it was never made. */
  | { readonly kind: "forbidden"; readonly reason: string };

/**
 * One call on its way, as undici tells of it. It is settled once, by whatever comes first:
 *
 *     waiting ──connected──▶ handed over ──status──▶ answered ──body──▶ over
 *        │ time is up, no connection, withdrawn: silent, not begun (inside address: forbidden)
 *        └                     │ time is up, hung up: silent, begun
 *                              └                        │ time is up, hung up, too long: answered
 *
 * Whoever does not want a 2xx's words has it at its status line. Reading on is then only so that the connection can be
 * used again.
 */
export class Attempt implements Dispatcher.DispatchHandler {
  readonly ended: Promise<Ended>;
  readonly #settle: (ended: Ended) => void;
  readonly #settlesAt: "status" | "end";
  readonly #timer: Timer;
  #controller: Dispatcher.DispatchController | null = null;
  #over = false;
  #status = 0;
  #retryAfter: string | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param settlesAt whether a 2xx is settled at its status line, or only when its words are there as well. */
  constructor(clock: Clock, totalMs: number, settlesAt: "status" | "end") {
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    this.#settle = resolve;
    this.#settlesAt = settlesAt;
    this.#timer = clock.after(totalMs, () => this.#cut(`no answer within ${totalMs} ms`));
  }

  /** Takes back a call that has not begun; one that has goes on. */
  withdraw(): void {
    if (this.#controller === null) this.#cut("shutting down");
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over)
      controller.abort(new Error("withdrawn")); // Before a byte of it was written.
    else this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200) return; // RFC 9110 §15.2: an interim answer; the real one follows.
    this.#status = status;
    const retryAfter = headers["retry-after"];
    this.#retryAfter = typeof retryAfter === "string" ? retryAfter : null;
    if (status < 300 && this.#settlesAt === "status") this.#settle(this.#answer());
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#chunks.push(chunk.subarray(0, Math.max(0, ANSWER_BYTES_MAX - (this.#bytes - chunk.length))));
    if (this.#bytes > ANSWER_BYTES_MAX) this.#cut("the answer is too long");
  }

  onResponseEnd(): void {
    this.#end(this.#answer());
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(this.#status === 0 ? this.#silence(error) : this.#answer());
  }

  /** Gives up on what is still to come, and on the connection with it. */
  #cut(why: string): void {
    if (this.#over) return;
    this.#end(this.#status === 0 ? this.#silence(new Error(why)) : this.#answer());
    this.#controller?.abort(new Error(why));
  }

  #end(ended: Ended): void {
    this.#over = true;
    this.#timer.cancel();
    this.#settle(ended);
    this.#chunks = [];
  }

  #answer(): Ended {
    const excerpt = Buffer.concat(this.#chunks).toString("utf8");
    return { kind: "answered", status: this.#status, retryAfter: this.#retryAfter, excerpt };
  }

  #silence(error: Error): Ended {
    const reason = sentenceOf(error);
    if (error instanceof InsideAddressError || isInvalid(error)) return { kind: "forbidden", reason };
    return { kind: "silent", began: this.#controller !== null, reason };
  }
}

/** Undici could not even write it down: trying again will not help. */
function isInvalid(error: Error): boolean {
  return "code" in error && error.code === "UND_ERR_INVALID_ARG";
}

/** An AggregateError (every address of a name failed) has no words of its own. */
function sentenceOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error && first.message !== "" ? first.message : error.message || error.name;
}
