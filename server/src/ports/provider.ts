import type { Channel, Content } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";

/** One message on its way out, for one provider. */
export type Envelope = {
  /** Stable across tries: Message-ID, `webhook-id` and idempotency keys are derived from it. */
  readonly messageId: string;
  /** 1 for the first try at this provider. */
  readonly attempt: number;
  /** When the message was accepted, Unix epoch ms; the mail's Date header, the same at every try. */
  readonly acceptedMs: number;
  /** W3C Trace Context of the call that caused it, to be passed on where the protocol has a place for it. */
  readonly traceparent: string | null;
  readonly content: Content;
};

/** A place that carries messages away. One adapter per folder in `providers/`. */
export interface Provider extends AsyncDisposable {
  /** Courier's catalog key where there is one: `smtp`, `twilio`, `webhook`, …; `mailbox` is our catcher. */
  readonly key: string;
  readonly channels: readonly Channel[];
  /** Most envelopes that may be under way at once; the caller never exceeds it. */
  readonly concurrencyMax: number;
  /**
   * Most messages a second to one destination, by all nodes together; above 0. The caller never exceeds it by more than
   * a tenth of a second's. Absent: as fast as it goes.
   */
  readonly perSecondMax?: number;
  /**
   * What fails together, e.g. the host of a webhook: each destination has a breaker and a pace of its own. Absent: the
   * provider is one destination.
   */
  destinationOf?(content: Content): string;
  /**
   * Sends a batch and reports each outcome as soon as it is known, exactly once per index, in any order.
   * Resolves when all are reported. Rejects only for a bug; whatever was not reported by then counts as *unknown*.
   * When `signal` aborts, tries not yet begun are reported as `retry`; those under way finish.
   */
  send(
    envelopes: readonly Envelope[],
    report: (index: number, outcome: Outcome) => void,
    signal: AbortSignal,
  ): Promise<void>;
}
