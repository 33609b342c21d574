import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordedEvent } from "#domain/event.ts";
import { EventView } from "#rules/event-view.ts";
import { compileInput } from "#rules/input.ts";
import { type OwnTarget, readOwnTargets, showTarget } from "#rules/own-target.ts";
import type { Target } from "#rules/rule.ts";

const REGION = "eu-north-1";
const EVENT: RecordedEvent = {
  position: 1,
  id: "1",
  source: "accounts",
  type: "UserRegistered",
  subject: "1",
  timeMs: 0,
  data: '{"email":"kim@example.com","name":"Kim \\"K\\" Berg","guests":4,"order":98765432109876543210}',
  traceparent: null,
  key: "1",
  attributes: null,
};

function read(...written: readonly OwnTarget[]): readonly Target[] {
  const found = readOwnTargets(written, REGION);
  assert.equal(found.kind, "targets", found.kind === "invalid" ? found.says : "");
  return found.kind === "targets" ? found.targets : [];
}

function told(target: Target | undefined): unknown {
  const compiled = compileInput(target?.input ?? { kind: "event" }, "t");
  assert.equal(compiled.kind, "input", compiled.kind === "invalid" ? compiled.says : "");
  if (compiled.kind !== "input") return null;
  const context = { ruleArn: "", ruleName: "welcome", ingestedMs: 0 };
  return JSON.parse(compiled.fill(new EventView(EVENT, REGION), context));
}

test("a send says in its own body where the event's values go", () => {
  const [target] = read({
    send: {
      message: {
        to: { email: "<email>" },
        content: { title: "Welcome", body: "Hello <name>, a \\<b> for <guests>." },
        data: { guests: "<guests>", order: "<order>", rule: "<aws.events.rule-name>", nothing: "<nothing>" },
      },
      paths: {
        email: "$.detail.email",
        name: "$.detail.name",
        guests: "$.detail.guests",
        order: "$.detail.order",
        nothing: "$.detail.x",
      },
    },
  });
  assert.deepEqual([target?.id, target?.arn], ["send", "arn:tidings:send:::message"]);
  assert.deepEqual(told(target), {
    message: {
      to: { email: "kim@example.com" },
      content: { title: "Welcome", body: 'Hello Kim "K" Berg, a <b> for 4.' },
      data: { guests: 4, order: Number("98765432109876543210"), rule: "welcome", nothing: "" },
    },
  });
});

test("queues, webhooks and buses are named by their names, and get ids that say what they are", () => {
  const targets = read(
    { queue: "orders" },
    { queue: "orders", inputPath: "$.detail", retry: { attempts: 3 }, deadLetterQueue: "letters" },
    { webhook: "wh_1", input: { fixed: true } },
    { bus: "eu/orders" },
    { id: "mine", queue: "o.fifo", group: "g" },
  );
  assert.deepEqual(
    targets.map(({ id, arn }) => [id, arn]),
    [
      ["queue-orders", "arn:aws:sqs:eu-north-1:000000000000:orders"],
      ["queue-orders-2", "arn:aws:sqs:eu-north-1:000000000000:orders"],
      ["webhook-wh_1", "arn:tidings:webhook:::wh_1"],
      ["bus-eu-orders", "arn:aws:events:eu-north-1:000000000000:event-bus/eu/orders"],
      ["mine", "arn:aws:sqs:eu-north-1:000000000000:o.fifo"],
    ],
  );
  assert.deepEqual(targets[1]?.asPut, {
    Id: "queue-orders-2",
    Arn: "arn:aws:sqs:eu-north-1:000000000000:orders",
    InputPath: "$.detail",
    RetryPolicy: { MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 86_400 },
    DeadLetterConfig: { Arn: "arn:aws:sqs:eu-north-1:000000000000:letters" },
  });
  assert.deepEqual(told(targets[2]), { fixed: true });
});

test("what is shown can be put again, and is the same", () => {
  const targets = read(
    { queue: "orders", transform: { paths: { n: "$.detail.name" }, template: '"<n>"' } },
    { send: { message: { to: { user_id: "<n>" } }, paths: { n: "$.detail.name" } } },
  );
  assert.deepEqual(read(...targets.map(showTarget)), targets);
  // One that a client of EventBridge put is shown in our form, and means the same.
  const [foreign] = targets.map((one) => ({ ...one, asWritten: null }));
  assert.ok(foreign !== undefined);
  const [again] = read(showTarget(foreign));
  assert.deepEqual({ ...again, asWritten: null }, foreign);
});

test("what is no target is refused with a sentence", () => {
  const cases: readonly (readonly [OwnTarget, RegExp])[] = [
    [{}, /^Target target: name exactly one of send, queue, webhook, bus and arn\.$/],
    [{ queue: "a", bus: "b" }, /name exactly one/],
    [{ queue: "a", input: 1, inputPath: "$" }, /name only one of send, input, inputPath and transform/],
    [{ send: { message: { content: "<who>" } } }, /send\.paths does not say what <who> stands for/],
    [{ send: { paths: { a: 1 } } }, /send\.paths\.a is a JSON path/],
  ];
  for (const [given, says] of cases) {
    const found = readOwnTargets([given], REGION);
    assert.match(found.kind === "invalid" ? found.says : "fine", says);
  }
});
