import { CountersByName, type Meter } from "#ports/meter.ts";
import type { Gate } from "#webhooks/gate.ts";

/** How a try ended, for whoever looks at numbers. */
export type Counted = "delivered" | "failed" | "dead";

/** Counts per endpoint since this process started, for as many endpoints as have series of their own. */
export class WebhookMeters {
  readonly #counters: CountersByName<Counted>;

  constructor(meter: Meter, gate: Gate) {
    const help = "Calls of a webhook endpoint by how they ended, and deliveries that were given up.";
    this.#counters = new CountersByName((webhook, outcome) =>
      meter.counter("tidings_webhook_deliveries_total", help, { webhook, outcome }),
    );
    meter.gauge("tidings_webhook_resting", "Endpoints that are left alone for a while after failures, 1 each.", () =>
      gate.resting().map((webhook) => ({ labels: { webhook }, value: 1 })),
    );
  }

  /** `dead` counts a delivery that was given up, beside the `failed` of its last try. */
  count(webhook: string, outcome: Counted): void {
    this.#counters.add(webhook, outcome, 1);
  }
}
