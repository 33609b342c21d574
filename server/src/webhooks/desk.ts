import type { By, Done, Page } from "#rules/desk.ts";
import type { WebAnswer } from "#ports/web-caller.ts";
import type { LoggedDelivery } from "#webhooks/delivery.ts";
import type { Endpoint } from "#webhooks/endpoint.ts";
import type { RangeReplay } from "#webhooks/replay-stage.ts";

/**
 * Everything that can be asked about outbound webhooks, in values. Every change is durable when its promise resolves.
 *
 * Every method may reject with a `StoreFault` when the store cannot answer now; then nothing was done.
 */
export type WebhookDesk = {
  readonly endpoints: EndpointDesk;
  readonly deliveries: DeliveryDesk;
};

/** What an endpoint is to be like. */
export type EndpointWish = Pick<
  Endpoint,
  "url" | "description" | "format" | "allowPrivate" | "headers" | "timeoutMs" | "subscription"
>;

/** The secret is told once, when it is made. */
export type WithSecret = { readonly endpoint: Endpoint; readonly secret: string };

export interface EndpointDesk {
  /** With its managed rule, in one commit. @param id null: one is made. */
  create(id: string | null, wish: EndpointWish, by?: By): Promise<Done<WithSecret>>;
  describe(id: string): Promise<Done<Endpoint>>;
  /** By id. */
  list(ask: { readonly after: string | null; readonly limit: number }): Promise<Page<Endpoint>>;
  /** What is absent stays. The bus of a subscription stays for good. */
  change(id: string, wish: Partial<EndpointWish>, by?: By): Promise<Done<Endpoint>>;
  setEnabled(id: string, enabled: boolean, by?: By): Promise<Done<Endpoint>>;
  /** A new secret; the old one signs, too, for so long. Whatever was older is over. */
  rotate(id: string, keepOldMs: number, by?: By): Promise<Done<WithSecret>>;
  /** With its managed rule, in one commit. What is still to be delivered becomes dead letters; the log is forgotten later. */
  remove(id: string, by?: By): Promise<Done<null>>;
  /** Sends a sample event now, whatever the endpoint's state, without a retry and without a line in the log. */
  test(id: string, signal: AbortSignal): Promise<Done<WebAnswer>>;
}

export interface DeliveryDesk {
  /** Newest first. */
  list(
    webhook: string,
    ask: { readonly after: string | null; readonly limit: number },
  ): Promise<Done<Page<LoggedDelivery>>>;
  /** `body`: what was posted; null: it was never called, or that is forgotten. */
  describe(
    webhook: string,
    id: string,
  ): Promise<Done<{ readonly delivery: LoggedDelivery; readonly body: string | null }>>;
  /** Delivers it again now, whatever became of it, under the same `webhook-id` and in the same line of the log. */
  replay(webhook: string, id: string, by?: By): Promise<Done<null>>;
  /**
   * Delivers the events of a time again, under the `webhook-id`s that they have for this endpoint. One at a time; `fault`
   * `status` while one is running.
   */
  replayRange(
    webhook: string,
    wish: {
      readonly fromMs: number;
      readonly untilMs: number;
      readonly pattern: string | null;
      readonly bus: string | null;
    },
    by?: By,
  ): Promise<Done<RangeReplay>>;
  /** The last one; null: there was none. */
  lastReplay(webhook: string): Promise<RangeReplay | null>;
}
