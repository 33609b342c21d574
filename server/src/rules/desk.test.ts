import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#domain/json.ts";
import type { Done } from "#rules/desk.ts";
import { TARGETS_PER_RULE_AWS } from "#rules/limits.ts";
import { AT_ONCE, REGION, RulesWorld, target, value, wish } from "../../test/support/rules-world.ts";

const ALL = { prefix: null, after: null, limit: 100 };
const R = { bus: "default", name: "r" };
const QUEUE = `arn:aws:sqs:${REGION}:000000000000:orders`;

function refusal(done: Done<unknown>): string {
  return done.kind === "fault" ? `${done.code}: ${done.message}` : done.kind;
}

test("buses are made once, listed with those that always exist, and deleted when they have no rules", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  const bus = { name: "eu/orders", description: "of Europe", tags: { team: "shop" } };
  assert.equal(value(await desk.buses.create(bus)).description, "of Europe");
  assert.equal(refusal(await desk.buses.create(bus)), "exists: Event bus eu/orders already exists.");
  assert.equal(
    refusal(await desk.buses.create({ ...bus, name: "default" })),
    "exists: Event bus default already exists.",
  );
  assert.match(refusal(await desk.buses.create({ ...bus, name: "a b" })), /^invalid: 1 validation error detected/);
  assert.deepEqual(
    (await desk.buses.list(ALL)).items.map(({ name }) => name),
    ["default", "eu/orders", "tidings"],
  );
  assert.deepEqual(await desk.buses.list({ ...ALL, limit: 1 }).then(({ next }) => next), "default");
  value(await desk.rules.put(wish("r", ["a"], { bus: "eu/orders" })));
  assert.match(refusal(await desk.buses.remove("eu/orders")), /^invalid: .* since it has rules\.$/);
  value(await desk.rules.remove({ bus: "eu/orders", name: "r" }, false));
  value(await desk.buses.remove("eu/orders"));
  assert.equal(refusal(await desk.buses.describe("eu/orders")), "unknown: Event bus eu/orders does not exist.");
  assert.equal(refusal(await desk.buses.remove("default")), "invalid: Cannot delete event bus default.");
});

test("a rule is replaced whole but for its targets, and is deleted only without them", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  value(await desk.rules.put(wish("r", ["a"], { description: "first", state: "DISABLED", tags: { a: "1" } })));
  value(await desk.targets.put(R, [{ Id: "q", Arn: QUEUE }], TARGETS_PER_RULE_AWS));
  const second = value(await desk.rules.put(wish("r", ["b"])));
  assert.deepEqual(
    [second.description, second.state, second.tags, second.targets.length],
    [null, "ENABLED", { a: "1" }, 1],
  );
  assert.equal(refusal(await desk.rules.remove(R, false)), "invalid: Rule can't be deleted since it has targets.");
  value(await desk.targets.remove(R, ["q", "none"]));
  assert.equal(value(await desk.rules.remove(R, false))?.name, "r");
  assert.equal(value(await desk.rules.remove(R, false)), null);
  assert.equal(refusal(await desk.rules.describe(R)), "unknown: Rule r does not exist on EventBus default.");
});

test("what is no rule is refused with a sentence", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  const cases = [
    [wish("a b", ["a"]), /^invalid: 1 validation error detected: Value 'a b' at 'name'/],
    [wish("x".repeat(65), ["a"]), /^invalid: .*less than or equal to 64$/],
    [
      wish("r", ["a"], { pattern: null }),
      /^invalid: Parameter\(s\) EventPattern or ScheduleExpression must be specified\.$/,
    ],
    [wish("r", ["a"], { pattern: '{"a":"x"}' }), /^pattern: Event pattern is not valid\. Reason: ./],
    [wish("r", ["a"], { bus: "none" }), /^unknown: Event bus none does not exist\.$/],
    [
      wish("r", ["a"], { pattern: null, schedule: "at noon" }),
      /^invalid: Parameter ScheduleExpression is not valid\.$/,
    ],
  ] as const;
  for (const [given, says] of cases) assert.match(refusal(await desk.rules.put(given)), says);
  assert.equal(
    value(await desk.rules.put(wish("r", [], { pattern: null, schedule: "rate(5 minutes)" }))).pattern,
    null,
  );
});

test("targets are checked, replaced by id, counted, and found by what they are", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  value(await desk.rules.put(wish("r", ["a"])));
  const put = async (...targets: readonly JsonObject[]): Promise<string> =>
    refusal(await desk.targets.put(R, targets, TARGETS_PER_RULE_AWS));
  const q = { Id: "q", Arn: QUEUE };
  assert.equal(await put(q, { Id: "h", Arn: AT_ONCE, Input: '{"a":1}' }), "done");
  assert.equal(await put({ ...q, InputPath: "$.detail" }), "done");
  const listed = value(await desk.targets.list(R, ALL)).items;
  assert.deepEqual(
    listed.map(({ asPut }) => asPut),
    [
      { Id: "h", Arn: AT_ONCE, Input: '{"a":1}' },
      { Id: "q", Arn: QUEUE, InputPath: "$.detail" },
    ],
  );
  assert.deepEqual(value(await desk.targets.ruleNamesOf(QUEUE, "default", ALL)).items, ["r"]);
  assert.deepEqual(value(await desk.targets.ruleNamesOf(`${QUEUE}x`, "default", ALL)).items, []);
  assert.match(
    await put(...["1", "2", "3", "4"].map((Id) => ({ ...q, Id }))),
    /^limit: The requested resource exceeds/,
  );
  const cases = [
    [
      { ...q, Input: "1", InputPath: "$" },
      /Only one of Input, InputPath, or InputTransformer must be provided for target q\./,
    ],
    [{ ...q, Id: "a b" }, /Value 'a b' at 'targets\.1\.member\.id' failed to satisfy constraint: Member must satisfy/],
    [{ Id: "x" }, /at 'targets\.1\.member\.arn' failed to satisfy constraint: Member must not be null/],
    [{ ...q, Input: "{" }, /JSON syntax error in input for target q/],
    [
      { ...q, InputTransformer: { InputTemplate: "<x>" } },
      /InputTemplate for target q contains invalid placeholder x\./,
    ],
    [{ ...q, RetryPolicy: { MaximumRetryAttempts: 186 } }, /less than or equal to 185/],
    [{ ...q, RetryPolicy: { MaximumEventAgeInSeconds: 59 } }, /greater than or equal to 60/],
    [{ ...q, Arn: `${QUEUE}.fifo` }, /SqsParameters must be specified/],
    [{ ...q, Arn: "orders" }, /Provided Arn is not in correct format/],
    [{ ...q, DeadLetterConfig: { Arn: AT_ONCE } }, /must be an Amazon SQS queue/],
  ] as const;
  for (const [given, says] of cases) assert.match(await put(given), says);
  assert.match(refusal(await desk.targets.put({ ...R, name: "x" }, [q], 5)), /^unknown: Rule x does not exist/);
});

test("rules and buses have tags, by their ARN", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  value(await desk.rules.put(wish("r", ["a"])));
  for (const arn of [
    `arn:aws:events:${REGION}:000000000000:rule/r`,
    `arn:aws:events:${REGION}:000000000000:event-bus/default`,
  ]) {
    value(await desk.tags.add(arn, { a: "1", b: "2" }));
    value(await desk.tags.remove(arn, ["a", "x"]));
    assert.deepEqual(value(await desk.tags.of(arn)), { b: "2" });
  }
  assert.match(refusal(await desk.tags.of("arn:aws:events:x:0:rule/none")), /^unknown: /);
});

test("pages go on where the one before ended", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  for (const name of ["a", "b", "c", "x"]) value(await desk.rules.put(wish(name, ["a"])));
  const first = value(await desk.rules.list("default", { ...ALL, limit: 2 }));
  assert.deepEqual([first.items.map(({ name }) => name), first.next], [["a", "b"], "b"]);
  const second = value(await desk.rules.list("default", { ...ALL, after: first.next, limit: 2 }));
  assert.deepEqual([second.items.map(({ name }) => name), second.next], [["c", "x"], null]);
  assert.equal(value(await desk.rules.list("default", { ...ALL, prefix: "x" })).items.length, 1);
});

test("putting the same whole rule again writes nothing, and a try writes nothing at all", async () => {
  const world = await RulesWorld.start();
  const { desk } = world.rules;
  const whole = { ...wish("r", ["a"], { tags: {} }), targets: [target("t", AT_ONCE)] };
  assert.equal(value(await desk.rules.putWhole(whole, { only: "try" })).was, "absent");
  assert.match(refusal(await desk.rules.describe(R)), /^unknown/);
  assert.equal(value(await desk.rules.putWhole(whole)).was, "absent");
  const events = (await world.journal()).length;
  assert.equal(value(await desk.rules.putWhole(whole)).was, "same");
  assert.equal((await world.journal()).length, events);
  assert.equal(value(await desk.rules.putWhole({ ...whole, description: "new" }, { only: "try" })).was, "different");
});

test("a rule that somebody manages is changed by nobody else", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  const whole = { ...wish("r", ["a"]), targets: [target("t", AT_ONCE)] };
  value(await desk.rules.putWhole(whole, { as: "webhooks" }));
  assert.match(refusal(await desk.rules.put(wish("r", ["b"]))), /^managed: /);
  assert.match(refusal(await desk.rules.remove(R, true)), /^managed: /);
  assert.match(refusal(await desk.rules.setState(R, "DISABLED")), /^managed: /);
  assert.equal(value(await desk.rules.remove(R, true, { as: "webhooks" }))?.name, "r");
});

test("many who put rules on one bus at the same moment all succeed", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  const names = Array.from({ length: 200 }, (_, at) => `r${at}`);
  for (const done of await Promise.all(names.map((name) => desk.rules.put(wish(name, ["a"]))))) value(done);
  assert.equal((await desk.rules.listAll({ ...ALL, limit: 500 })).items.length, 200);
});

test("a pattern is tried on an event, and says what does not hold", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  const event = (detail: object): string =>
    JSON.stringify({
      id: "1",
      account: "0",
      source: "shop",
      time: "2024-05-06T07:08:09Z",
      region: "x",
      "detail-type": "Order",
      resources: [],
      detail,
    });
  const pattern = '{"source":["shop"],"detail":{"total":[{"numeric":[">",10]}],"vip":[{"exists":true}]}}';
  assert.deepEqual(desk.testPattern(pattern, event({ total: 11, vip: 1 })), { kind: "done", matches: true, why: null });
  assert.deepEqual(desk.testPattern(pattern, event({ total: 9 })), {
    kind: "done",
    matches: false,
    why: "detail.total is 9; there is nothing at detail.vip",
  });
  assert.equal(desk.testPattern("{}", event({})).kind, "fault");
  assert.deepEqual(desk.testPattern(pattern, '{"id":"1"}'), {
    kind: "fault",
    code: "invalid",
    message: "Parameter Event is not valid.",
  });
});

test("a bus is not deleted under a rule that is being put on it, whichever is first", async () => {
  for (const wait of [0, 1, 2, 3, 4, 6, 8, 12, 20]) {
    const { desk } = (await RulesWorld.start()).rules;
    value(await desk.buses.create({ name: "b", description: null, tags: {} }));
    value(await desk.rules.put(wish("warm", ["a"])));
    const removing = desk.buses.remove("b");
    for (let turn = 0; turn < wait; turn += 1) await Promise.resolve();
    const [put, removed] = await Promise.all([desk.rules.put(wish("r", ["a"], { bus: "b" })), removing]);
    assert.notEqual(put.kind === "done", removed.kind === "done", `${wait}: ${refusal(put)}, ${refusal(removed)}`);
  }
});
