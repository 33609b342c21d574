import { parseArn } from "#domain/arn.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { Secrets } from "#ports/secrets.ts";
import { cut, weave } from "#rules/json-cut.ts";
import { isJson } from "#rules/pattern/json-reader.ts";
import type { TargetCall, TargetKind } from "#rules/target-kind.ts";
import {
  type DeliveredEvent,
  deliveryJob,
  isOfWebhooks,
  messageIdOf,
  newDelivery,
  shareOf,
  WEBHOOK_QUEUE,
} from "#webhooks/delivery.ts";
import type { DeliveryCarry } from "#webhooks/stage.ts";

/** What the target needs to hand over a delivery. */
export type WebhookTargetHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly runner: StageRunner<DeliveryCarry>;
};

/**
 * An endpoint as a rule's target. What it is given becomes a delivery in the commit of the matcher, exactly once; that the
 * endpoint is there, and enabled, is asked when it is called.
 */
export function webhookTarget(house: WebhookTargetHouse): TargetKind {
  return {
    takes: (arn) => parseArn(arn)?.kind === "webhook",
    check: () => null,
    atOnce: (call) => effectsOf(house, call),
    deliver: (call) => Promise.resolve({ kind: "done", effects: effectsOf(house, call) }),
  };
}

function effectsOf({ engine, secrets, runner }: WebhookTargetHouse, call: TargetCall): DraftEffects {
  const arn = parseArn(call.target.arn);
  if (arn?.kind !== "webhook" || isOfWebhooks(call.event)) return {};
  const event = eventOf(call);
  const messageId = messageIdOf(arn.id, identityOf(call), secrets);
  const delivery = newDelivery(
    { webhook: arn.id, messageId, event, lane: "transactional" },
    engine.parts.clock.nowMs(),
  );
  const turn = engine.turn(WEBHOOK_QUEUE, delivery.lane, shareOf(arn.id));
  return { jobs: [runner.offer(deliveryJob(delivery, turn), { delivery })] };
}

/** What another rule makes of the same event is another message. */
function identityOf({ rule, target, event }: TargetCall): readonly string[] {
  const plain = [event.source, event.id];
  return target.input.kind === "event" ? plain : [...plain, rule.bus, rule.name, target.id];
}

const PARTS = weave([["detail"], ["subject"]]);

/** Of a whole event its detail is the data; what a rule made of it is the data as it is. */
function eventOf({ target, input, event }: TargetCall): DeliveredEvent {
  const { source, type, timeMs, traceparent } = event;
  const head = { source, type, timeMs, traceparent };
  if (target.input.kind !== "event")
    return { ...head, subject: null, data: isJson(input) ? input : JSON.stringify(input) };
  const [detail = "null", subject] = cut(input, PARTS, 2);
  // What stands in the envelope is a JSON string.
  return { ...head, subject: subject === undefined ? null : (JSON.parse(subject) as string), data: detail };
}
