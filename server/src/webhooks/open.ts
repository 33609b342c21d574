import type { Engine } from "#engine/engine.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { WebCaller } from "#ports/web-caller.ts";
import type { RuleDesk } from "#rules/desk.ts";
import type { TargetKind } from "#rules/target-kind.ts";
import type { ShowMessage } from "#webhooks/body.ts";
import { Deliveries } from "#webhooks/deliveries.ts";
import type { WebhookDesk } from "#webhooks/desk.ts";
import { Endpoints } from "#webhooks/endpoints.ts";
import { Gate } from "#webhooks/gate.ts";
import { keepLogs } from "#webhooks/keeping.ts";
import { WebhookMeters } from "#webhooks/meters.ts";
import { rangeReplayStage } from "#webhooks/replay-stage.ts";
import { deliveryStage } from "#webhooks/stage.ts";
import { webhookTarget } from "#webhooks/target.ts";

export type WebhooksHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly caller: WebCaller;
  /** For calls in Courier's form. */
  readonly showMessage: ShowMessage;
  /** The rules know webhooks as a kind of target, so they are opened with it, and before they are asked for. */
  readonly rules: () => RuleDesk;
};

export type OpenWebhooks = {
  readonly desk: WebhookDesk;
  readonly target: TargetKind;
  /** Tidies the logs until the engine stops. */
  keep(leads: () => boolean): Promise<void>;
};

/** Joins what makes up the outbound webhooks. Before the engine starts. */
export function openWebhooks({ engine, secrets, caller, showMessage, rules }: WebhooksHouse): OpenWebhooks {
  const gate = new Gate(engine.parts.clock);
  const meters = new WebhookMeters(engine.parts.meter, gate);
  const endpoints = new Endpoints({ engine, secrets, caller, gate, showMessage, rules: () => rules().rules });
  const disable = (id: string, url: string): Promise<void> => endpoints.disable(id, url);
  const runner = engine.addStage(deliveryStage({ engine, secrets, caller, gate, meters, showMessage, disable }));
  engine.addStage(rangeReplayStage({ engine, secrets }));
  return {
    desk: { endpoints, deliveries: new Deliveries(engine, gate) },
    target: webhookTarget({ engine, secrets, runner }),
    keep: (leads) => keepLogs(engine, leads),
  };
}
