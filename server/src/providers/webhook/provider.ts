import { Agent } from "undici";
import type { Outcome } from "#domain/outcome.ts";
import type { Clock } from "#ports/clock.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { outcomeOf } from "#providers/webhook/answer.ts";
import { Attempt, type Ended } from "#providers/webhook/attempt.ts";
import { guardedConnector, type Resolve } from "#providers/webhook/guarded-connector.ts";
import { callOf } from "#providers/webhook/request.ts";
import { type Sign, signer } from "#providers/webhook/signature.ts";

/** Longest wait for a connection: a handshake across the world takes a second, a lost packet three. */
export const CONNECT_MS_MAX = 5_000;
/** Longest wait for the whole call. Receivers should answer before they work; most senders give them 10 to 30 s. */
export const TOTAL_MS_MAX = 15_000;
/** Connections to one receiver: many enough for its throughput, few enough not to be an attack. */
export const CONNECTIONS_PER_ORIGIN_MAX = 16;

export type WebhookOptions = {
  /** `whsec_…`, at most two: each call is signed with each. None: calls are not signed. */
  readonly secrets: readonly string[];
  /** Lets URLs lead to this machine and its network. For development and closed networks. */
  readonly allowPrivate: boolean;
  readonly concurrencyMax: number;
  readonly clock: Clock;
  readonly connectMs?: number;
  readonly totalMs?: number;
  /** Instead of the system's resolver. */
  readonly resolve?: Resolve;
};

/**
 * The channel `webhook`: one POST or PUT a message, signed by Standard Webhooks, only to public addresses, redirects not
 * followed. `webhook-id` is the message's id at every try, by which a receiver knows a repetition.
 *
 * An answer is classified by `outcomeOf`. No answer: `retry` if the request was never handed to a connection, `unknown`
 * if it was, whether the receiver stayed silent or hung up; except for PUT, which may be repeated (RFC 9110 §9.2.2).
 *
 * @throws {RangeError} when a secret is not one.
 */
export function openWebhookProvider(options: WebhookOptions): Provider {
  return new WebhookProvider(options);
}

class WebhookProvider implements Provider {
  readonly key = "webhook";
  readonly channels = ["webhook"] as const;
  readonly concurrencyMax: number;
  readonly #clock: Clock;
  readonly #sign: Sign | null;
  readonly #agent: Agent;
  readonly #totalMs: number;

  constructor(options: WebhookOptions) {
    const { connectMs = CONNECT_MS_MAX, totalMs = TOTAL_MS_MAX, ...rest } = options;
    this.concurrencyMax = rest.concurrencyMax;
    this.#clock = rest.clock;
    this.#sign = signer(rest.secrets);
    this.#totalMs = totalMs;
    this.#agent = new Agent({
      connect: guardedConnector({ ...rest, timeoutMs: connectMs }),
      connections: CONNECTIONS_PER_ORIGIN_MAX,
      // The whole call has one time limit, ours; undici's own would cut it into parts.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async send(
    envelopes: readonly Envelope[],
    report: (index: number, outcome: Outcome) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const waiting = new Set<Attempt>();
    const stop = (): void => waiting.forEach((attempt) => attempt.withdraw());
    signal.addEventListener("abort", stop);
    await Promise.all(
      envelopes.map(async (envelope, index) => {
        report(index, signal.aborted ? { kind: "retry", reason: "shutting down" } : await this.#try(envelope, waiting));
      }),
    );
    signal.removeEventListener("abort", stop);
  }

  /** Calls that were reported but whose answer is still being read are cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #try(envelope: Envelope, waiting: Set<Attempt>): Promise<Outcome> {
    const { content } = envelope;
    if (content.channel !== "webhook") return { kind: "refused", reason: `a webhook cannot carry ${content.channel}` };
    const call = callOf(envelope, content, this.#clock.nowMs(), this.#sign);
    if ("refused" in call) return { kind: "refused", reason: call.refused };
    const attempt = new Attempt(this.#clock, this.#totalMs, "status");
    waiting.add(attempt);
    this.#agent.dispatch(call, attempt);
    const ended = await attempt.ended;
    waiting.delete(attempt);
    return outcomeOfCall(ended, call.method, this.#clock.nowMs());
  }
}

function outcomeOfCall(ended: Ended, method: "POST" | "PUT", nowMs: number): Outcome {
  switch (ended.kind) {
    case "answered":
      return outcomeOf(ended.status, ended.retryAfter, ended.excerpt, nowMs);
    case "forbidden":
      return { kind: "refused", reason: ended.reason };
    case "silent":
      if (!ended.began || method === "PUT") return { kind: "retry", reason: ended.reason };
      return { kind: "unknown", reason: `handed over, but ${ended.reason}` };
  }
}
