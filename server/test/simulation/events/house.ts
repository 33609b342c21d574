import type { Engine } from "#engine/engine.ts";
import type { Pipeline } from "#pipeline/pipeline.ts";
import type { WebCaller } from "#ports/web-caller.ts";
import type { QueueDesk } from "#queues/desk.ts";
import { openQueues } from "#queues/queues.ts";
import type { RuleDesk } from "#rules/desk.ts";
import { EventDesk } from "#rules/event-desk.ts";
import { openRules } from "#rules/open-desk.ts";
import { sendTarget } from "#rules/targets/send.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { WebhookDesk } from "#webhooks/desk.ts";
import { openWebhooks } from "#webhooks/open.ts";
import { testSecrets } from "../../support/world.ts";

export const REGION = "eu-north-1";

/** What stands beside the pipeline in one process: events, rules, queues, webhooks. */
export type House = {
  readonly engine: Engine;
  readonly queues: QueueDesk;
  readonly rules: RuleDesk;
  readonly events: EventDesk;
  readonly webhooks: WebhookDesk;
  /** Begins to match, and to tidy up, until the engine stops. @throws {StoreFault} when the store cannot say it now. */
  start(): Promise<void>;
};

/** Joins them on an engine that has not started. */
export function openHouse(engine: Engine, pipeline: Pipeline, caller: WebCaller): House {
  const queues = openQueues(engine, testSecrets);
  const webhooks = openWebhooks({
    engine,
    secrets: testSecrets,
    caller,
    showMessage: () => Promise.resolve(null),
    rules: () => rules.desk,
  });
  const rules = openRules({
    engine,
    secrets: testSecrets,
    queues: queues.desk,
    kinds: [sendTarget(pipeline.accept, readSend, engine.parts.clock), webhooks.target],
    region: REGION,
  });
  const always = (): boolean => true;
  return {
    engine,
    queues: queues.desk,
    rules: rules.desk,
    events: new EventDesk(engine, testSecrets),
    webhooks: webhooks.desk,
    start: async () => {
      await rules.start();
      void queues.keep(always);
      void rules.keep(always);
      void webhooks.keep(always);
    },
  };
}

/** The rules of the simulation write bodies that fit the schema. */
function readSend(text: string) {
  const { message } = JSON.parse(text) as { readonly message: SendMessage };
  return { kind: "message", text, message } as const;
}
