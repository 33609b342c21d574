import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CreateArchiveCommand,
  CreateEventBusCommand,
  DeleteArchiveCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  DescribeArchiveCommand,
  DescribeEventBusCommand,
  DescribeReplayCommand,
  DescribeRuleCommand,
  DisableRuleCommand,
  EnableRuleCommand,
  EventBridgeClient,
  ListArchivesCommand,
  ListEventBusesCommand,
  ListReplaysCommand,
  ListRuleNamesByTargetCommand,
  ListRulesCommand,
  ListTagsForResourceCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  type PutEventsRequestEntry,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  StartReplayCommand,
  TagResourceCommand,
  type Target,
  TestEventPatternCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-eventbridge";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { clientOptions, makePair, REGION, refused } from "./aws-home.ts";

/** The unchanged AWS SDK for JavaScript v3 against the whole program: what its users rely on, sentence by sentence. */
const home = new Home();
let program: Program;
let events: EventBridgeClient;
let sqs: SQSClient;

before(async () => {
  program = await home.start();
  const options = clientOptions(program, await makePair(program));
  events = new EventBridgeClient(options);
  sqs = new SQSClient(options);
});

after(async () => {
  events.destroy();
  sqs.destroy();
  await home[Symbol.asyncDispose]();
});

const put = (...Entries: PutEventsRequestEntry[]) => events.send(new PutEventsCommand({ Entries }));
const entry = (more: Partial<PutEventsRequestEntry> = {}): PutEventsRequestEntry => ({
  Source: "shop.orders",
  DetailType: "OrderPlaced",
  Detail: '{"order":"PX-42","total":19.90}',
  ...more,
});

/** A queue of its own, and its ARN. */
async function queue(name: string) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  return { QueueUrl, arn: `arn:aws:sqs:${REGION}:000000000000:${name}` };
}

/** A rule with one queue as its target; how the events reach it is `how`. */
async function ruleTo(name: string, pattern: object, how: Partial<Target> = {}, bus?: string) {
  const to = await queue(`q-${name}`);
  const EventBusName = bus === undefined ? {} : { EventBusName: bus };
  await events.send(new PutRuleCommand({ Name: name, EventPattern: JSON.stringify(pattern), ...EventBusName }));
  const Targets = [{ Id: "queue", Arn: to.arn, ...how }];
  const answer = await events.send(new PutTargetsCommand({ Rule: name, Targets, ...EventBusName }));
  assert.equal(answer.FailedEntryCount, 0);
  return to;
}

/** The next message of a queue, taken away. */
async function next(QueueUrl: string | undefined): Promise<Message> {
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 10 }));
  const message = Messages?.[0];
  assert.ok(message !== undefined, "a message has come");
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  return message;
}

test("what matches reaches the target as EventBridge's envelope, with the detail as it was written", async () => {
  const { QueueUrl } = await ruleTo("envelope", { "source": ["shop.orders"], "detail-type": ["OrderPlaced"] });
  const Time = new Date("2026-05-06T07:08:09.500Z");
  const { FailedEntryCount, Entries } = await put(entry({ Time, Resources: ["arn:shop:order/PX-42"] }));
  assert.equal(FailedEntryCount, 0);
  assert.match(Entries?.[0]?.EventId ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const { Body } = await next(QueueUrl);
  assert.match(Body ?? "", /"detail":\{"order":"PX-42","total":19\.90\}/, "digits are kept");
  assert.deepEqual(JSON.parse(Body ?? ""), {
    "version": "0",
    "id": Entries?.[0]?.EventId,
    "detail-type": "OrderPlaced",
    "source": "shop.orders",
    "account": "000000000000",
    "time": "2026-05-06T07:08:09Z",
    "region": REGION,
    "resources": ["arn:shop:order/PX-42"],
    "detail": { order: "PX-42", total: 19.9 },
  });
});

test("each entry is taken or refused for itself, in order", async () => {
  const { FailedEntryCount, Entries = [] } = await put(
    entry(),
    entry({ Source: undefined }),
    entry({ DetailType: undefined }),
    entry({ Detail: undefined }),
    entry({ Detail: "not JSON" }),
    entry({ Detail: "[1]" }),
    entry({ Detail: '"text"' }),
    entry({ EventBusName: "nobody-made-it" }),
  );
  assert.equal(FailedEntryCount, 6);
  assert.deepEqual(
    Entries.map(({ EventId, ErrorCode }) => ErrorCode ?? typeof EventId),
    ["string", "InvalidArgument", "InvalidArgument", "InvalidArgument", ...Array(3).fill("MalformedDetail"), "string"],
  );
  assert.equal(Entries[1]?.ErrorMessage, "Parameter Source is not valid. Reason: Source is a required argument.");
  assert.equal(Entries[4]?.ErrorMessage, "Detail is malformed.");
});

test("a call with none, eleven, or more than a megabyte of entries is refused whole", async () => {
  for (const call of [put(), put(...Array.from({ length: 11 }, () => entry()))]) {
    assert.equal((await refused(call)).name, "ValidationException");
  }
  const half = `{"x":"${"y".repeat(600_000)}"}`;
  const { name, message } = await refused(put(entry({ Detail: half }), entry({ Detail: half })));
  assert.equal(
    `${name}: ${message}`,
    "ValidationException: Total size of the entries in the request is over the limit.",
  );
});

test("a rule tells of itself as it was put, is replaced by the next one, and keeps its targets", async () => {
  const EventPattern = '{"source":["shop.stock"]}';
  const { RuleArn } = await events.send(
    new PutRuleCommand({ Name: "stock", EventPattern, State: "DISABLED", Description: "stock runs low" }),
  );
  assert.equal(RuleArn, `arn:aws:events:${REGION}:000000000000:rule/stock`);
  const { $metadata: _, ...rule } = await events.send(new DescribeRuleCommand({ Name: "stock" }));
  assert.deepEqual(rule, {
    Name: "stock",
    Arn: RuleArn,
    EventPattern,
    State: "DISABLED",
    Description: "stock runs low",
    EventBusName: "default",
    CreatedBy: "000000000000",
  });
  const { arn } = await queue("stock");
  await events.send(new PutTargetsCommand({ Rule: "stock", Targets: [{ Id: "a", Arn: arn }] }));
  await events.send(new PutRuleCommand({ Name: "stock", EventPattern }));
  const again = await events.send(new DescribeRuleCommand({ Name: "stock" }));
  assert.equal(again.State, "ENABLED");
  assert.equal(again.Description, undefined, "what is not given is cleared");
  const { Targets } = await events.send(new ListTargetsByRuleCommand({ Rule: "stock" }));
  assert.deepEqual(Targets, [{ Id: "a", Arn: arn }]);
});

test("rules are listed by prefix and in pages", async () => {
  for (const n of [1, 2, 3]) {
    await events.send(new PutRuleCommand({ Name: `page-${n}`, EventPattern: '{"source":["nothing"]}' }));
  }
  const first = await events.send(new ListRulesCommand({ NamePrefix: "page-", Limit: 2 }));
  assert.deepEqual(
    first.Rules?.map(({ Name }) => Name),
    ["page-1", "page-2"],
  );
  assert.ok(first.NextToken !== undefined);
  const rest = await events.send(new ListRulesCommand({ NamePrefix: "page-", Limit: 2, NextToken: first.NextToken }));
  assert.deepEqual(
    rest.Rules?.map(({ Name }) => Name),
    ["page-3"],
  );
  assert.equal(rest.NextToken, undefined);
  assert.equal((await refused(events.send(new ListRulesCommand({ Limit: 101 })))).name, "ValidationException");
});

test("a disabled rule matches nothing, and an enabled one again", async () => {
  const { QueueUrl } = await ruleTo("switch", { source: ["shop.switch"] });
  await events.send(new DisableRuleCommand({ Name: "switch" }));
  await put(entry({ Source: "shop.switch", Detail: '{"n":1}' }));
  await events.send(new EnableRuleCommand({ Name: "switch" }));
  await put(entry({ Source: "shop.switch", Detail: '{"n":2}' }));
  const { detail } = JSON.parse((await next(QueueUrl)).Body ?? "") as { detail: unknown };
  assert.deepEqual(detail, { n: 2 });
});

test("what cannot be is refused by its name: patterns, rules, buses, targets", async () => {
  const rule = (more: object) => refused(events.send(new PutRuleCommand({ Name: "bad", ...more })));
  const pattern = await rule({ EventPattern: '{"source":"shop"}' });
  assert.equal(pattern.name, "InvalidEventPatternException");
  assert.match(pattern.message, /^Event pattern is not valid\. Reason: "source" must be an object or an array/);
  assert.equal((await rule({ EventPattern: "{" })).name, "InvalidEventPatternException");
  assert.equal((await rule({})).name, "ValidationException");
  assert.equal((await rule({ Name: "x y", EventPattern: '{"a":[1]}' })).name, "ValidationException");
  assert.equal((await rule({ EventPattern: '{"a":[1]}', EventBusName: "no-bus" })).name, "ResourceNotFoundException");
  const missing = await refused(events.send(new DescribeRuleCommand({ Name: "no-rule" })));
  assert.deepEqual(missing, {
    name: "ResourceNotFoundException",
    message: "Rule no-rule does not exist on EventBus default.",
    status: 400,
  });
  await events.send(new DeleteRuleCommand({ Name: "no-rule" }));
  await events.send(new PutRuleCommand({ Name: "checks", EventPattern: '{"source":["x"]}' }));
  const { arn } = await queue("checks");
  const targets = (...Targets: Target[]) => refused(events.send(new PutTargetsCommand({ Rule: "checks", Targets })));
  assert.equal((await targets({ Id: "a b", Arn: arn })).name, "ValidationException");
  const two = await targets({ Id: "a", Arn: arn, Input: "{}", InputPath: "$.detail" });
  assert.equal(two.message, "Only one of Input, InputPath, or InputTransformer must be provided for target a.");
  const transformer = { InputPathsMap: { a: "$.detail.a" }, InputTemplate: '{"a":<b>}' };
  const placeholder = await targets({ Id: "a", Arn: arn, InputTransformer: transformer });
  assert.equal(placeholder.message, "InputTemplate for target a contains invalid placeholder b.");
  const six = Array.from({ length: 6 }, (_, n) => ({ Id: `t${n}`, Arn: arn }));
  assert.equal((await targets(...six)).name, "LimitExceededException");
});

test("a rule with targets is not deleted until they are removed", async () => {
  await ruleTo("kept", { source: ["shop.kept"] });
  const kept = await refused(events.send(new DeleteRuleCommand({ Name: "kept" })));
  assert.equal(`${kept.name}: ${kept.message}`, "ValidationException: Rule can't be deleted since it has targets.");
  const removed = await events.send(new RemoveTargetsCommand({ Rule: "kept", Ids: ["queue", "unknown"] }));
  assert.equal(removed.FailedEntryCount, 0);
  await events.send(new DeleteRuleCommand({ Name: "kept" }));
  assert.equal(
    (await refused(events.send(new DescribeRuleCommand({ Name: "kept" })))).name,
    "ResourceNotFoundException",
  );
});

test("rules are found by what they target", async () => {
  const { arn } = await ruleTo("by-target", { source: ["x"] });
  const { RuleNames } = await events.send(new ListRuleNamesByTargetCommand({ TargetArn: arn }));
  assert.deepEqual(RuleNames, ["by-target"]);
});

test("a target may be told a fixed text, a part of the event, or a template filled from it", async () => {
  const source = ["shop.inputs"];
  const fixed = await ruleTo("fixed", { source }, { Input: '{"fixed":true}' });
  const part = await ruleTo("part", { source }, { InputPath: "$.detail.order" });
  const filled = await ruleTo(
    "filled",
    { source },
    {
      InputTransformer: {
        InputPathsMap: { order: "$.detail.order", type: "$.detail-type", n: "$.detail.n" },
        InputTemplate: '{"say":"<type>: <order>","n":<n>,"none":"<aws.events.rule-name>"}',
      },
    },
  );
  const text = await ruleTo(
    "text",
    { source },
    { InputTransformer: { InputPathsMap: { order: "$.detail.order" }, InputTemplate: '"Order <order> came."' } },
  );
  await put(entry({ Source: "shop.inputs", Detail: '{"order":"PX-1","n":9876543210123456789}' }));
  assert.equal((await next(fixed.QueueUrl)).Body, '{"fixed":true}');
  assert.equal((await next(part.QueueUrl)).Body, '"PX-1"');
  assert.equal(
    (await next(filled.QueueUrl)).Body,
    '{"say":"OrderPlaced: PX-1","n":9876543210123456789,"none":"filled"}',
  );
  assert.equal((await next(text.QueueUrl)).Body, '"Order PX-1 came."');
});

test("a bus has rules of its own, and another bus may be a target", async () => {
  const { EventBusArn } = await events.send(new CreateEventBusCommand({ Name: "orders", Description: "all orders" }));
  assert.equal(EventBusArn, `arn:aws:events:${REGION}:000000000000:event-bus/orders`);
  const again = await refused(events.send(new CreateEventBusCommand({ Name: "orders" })));
  assert.equal(`${again.name}: ${again.message}`, "ResourceAlreadyExistsException: Event bus orders already exists.");
  const bus = await events.send(new DescribeEventBusCommand({ Name: "orders" }));
  assert.equal(bus.Description, "all orders");
  assert.ok(bus.CreationTime instanceof Date && Math.abs(Date.now() - bus.CreationTime.getTime()) < 60_000);
  const { EventBuses = [] } = await events.send(new ListEventBusesCommand({}));
  assert.ok(["default", "orders"].every((name) => EventBuses.some((one) => one.Name === name)));

  const { QueueUrl } = await ruleTo("on-orders", { source: ["shop.bus"] }, {}, "orders");
  const described = await events.send(new DescribeRuleCommand({ Name: "on-orders", EventBusName: EventBusArn }));
  assert.equal(described.Arn, `arn:aws:events:${REGION}:000000000000:rule/orders/on-orders`);
  await put(entry({ Source: "shop.bus", Detail: '{"n":1}', EventBusName: "default" }));
  await put(entry({ Source: "shop.bus", Detail: '{"n":2}', EventBusName: "orders" }));
  assert.equal(JSON.parse((await next(QueueUrl)).Body ?? "").detail.n, 2);

  await events.send(new PutRuleCommand({ Name: "forward", EventPattern: '{"source":["shop.bus"]}' }));
  await events.send(new PutTargetsCommand({ Rule: "forward", Targets: [{ Id: "bus", Arn: EventBusArn }] }));
  await put(entry({ Source: "shop.bus", Detail: '{"n":3}' }));
  assert.equal(JSON.parse((await next(QueueUrl)).Body ?? "").detail.n, 3);

  const gone = await refused(events.send(new DescribeEventBusCommand({ Name: "nowhere" })));
  assert.equal(`${gone.name}: ${gone.message}`, "ResourceNotFoundException: Event bus nowhere does not exist.");
  const standing = await refused(events.send(new DeleteEventBusCommand({ Name: "default" })));
  assert.equal(`${standing.name}: ${standing.message}`, "ValidationException: Cannot delete event bus default.");
});

test("a pattern is tried against an event without anything being kept", async () => {
  const event = {
    "id": "1",
    "account": "000000000000",
    "source": "shop",
    "time": "2026-05-06T07:08:09Z",
    "region": REGION,
    "resources": [],
    "detail-type": "OrderPlaced",
    "detail": { total: 150 },
  };
  const tried = (EventPattern: string, given: object = event) =>
    events.send(new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(given) }));
  assert.equal((await tried('{"detail":{"total":[{"numeric":[">",100]}]}}')).Result, true);
  assert.equal((await tried('{"detail":{"total":[{"numeric":["<",100]}]}}')).Result, false);
  assert.equal((await refused(tried('{"a":[]}'))).name, "InvalidEventPatternException");
  const { id: _, ...noId } = event;
  const lacking = await refused(tried('{"source":["shop"]}', noId));
  assert.equal(lacking.name, "ValidationException");
  assert.match(lacking.message, /^Parameter Event is not valid\./);
});

test("tags are put on rules and buses, read and taken off", async () => {
  const { RuleArn } = await events.send(
    new PutRuleCommand({ Name: "tagged", EventPattern: '{"a":[1]}', Tags: [{ Key: "team", Value: "shop" }] }),
  );
  await events.send(new TagResourceCommand({ ResourceARN: RuleArn, Tags: [{ Key: "tier", Value: "1" }] }));
  const tags = async () => (await events.send(new ListTagsForResourceCommand({ ResourceARN: RuleArn }))).Tags;
  assert.deepEqual(await tags(), [
    { Key: "team", Value: "shop" },
    { Key: "tier", Value: "1" },
  ]);
  await events.send(new UntagResourceCommand({ ResourceARN: RuleArn, TagKeys: ["team"] }));
  assert.deepEqual(await tags(), [{ Key: "tier", Value: "1" }]);
});

test("what an archive has kept is played again to the rules", async () => {
  const { QueueUrl } = await ruleTo("replayed", { source: ["shop.archive"] });
  const bus = `arn:aws:events:${REGION}:000000000000:event-bus/default`;
  const archive = await events.send(
    new CreateArchiveCommand({
      ArchiveName: "orders",
      EventSourceArn: bus,
      EventPattern: '{"source":["shop.archive"]}',
      RetentionDays: 7,
    }),
  );
  assert.equal(archive.State, "ENABLED");
  const from = new Date(Date.now() - 60_000);
  await put(entry({ Source: "shop.archive", Detail: '{"n":1}' }));
  const first = JSON.parse((await next(QueueUrl)).Body ?? "") as { id: string };
  await until("it is archived", async () => {
    const { EventCount } = await events.send(new DescribeArchiveCommand({ ArchiveName: "orders" }));
    return EventCount === 1;
  });
  const { Archives } = await events.send(new ListArchivesCommand({ EventSourceArn: bus }));
  assert.deepEqual(
    Archives?.map(({ ArchiveName, RetentionDays }) => [ArchiveName, RetentionDays]),
    [["orders", 7]],
  );
  const replay = {
    ReplayName: "again",
    EventSourceArn: archive.ArchiveArn,
    EventStartTime: from,
    EventEndTime: new Date(Date.now() + 60_000),
    Destination: { Arn: bus },
  };
  const backwards = { ...replay, EventEndTime: new Date(from.getTime() - 1000) };
  assert.equal((await refused(events.send(new StartReplayCommand(backwards)))).name, "ValidationException");
  assert.equal((await events.send(new StartReplayCommand(replay))).State, "STARTING");
  const second = JSON.parse((await next(QueueUrl)).Body ?? "") as { "id": string; "replay-name": string };
  assert.equal(second["replay-name"], "again");
  assert.equal(second.id, first.id, "it is the event that it was");
  await until("the replay has ended", async () => {
    const { State } = await events.send(new DescribeReplayCommand({ ReplayName: "again" }));
    return State === "COMPLETED";
  });
  const { Replays } = await events.send(new ListReplaysCommand({ NamePrefix: "aga" }));
  assert.deepEqual(
    Replays?.map(({ ReplayName, State }) => [ReplayName, State]),
    [["again", "COMPLETED"]],
  );
  await events.send(new DeleteArchiveCommand({ ArchiveName: "orders" }));
  assert.equal(
    (await refused(events.send(new DescribeArchiveCommand({ ArchiveName: "orders" })))).name,
    "ResourceNotFoundException",
  );
});

test("whoever has no key, a wrong one, or one without the right is refused by the names that SDKs know", async () => {
  const as = async (accessKeyId: string, secretAccessKey: string) => {
    const client = new EventBridgeClient(clientOptions(program, { accessKeyId, secretAccessKey }));
    try {
      return await refused(client.send(new PutRuleCommand({ Name: "x", EventPattern: '{"a":[1]}' })));
    } finally {
      client.destroy();
    }
  };
  const good = await makePair(program, ["send"]);
  assert.equal((await as("TKIANOBODYNOBODYNOBO", "secret")).name, "UnrecognizedClientException");
  assert.equal((await as(good.accessKeyId, "wrong")).name, "InvalidSignatureException");
  assert.equal((await as(good.accessKeyId, good.secretAccessKey)).name, "AccessDeniedException");
  const sender = new EventBridgeClient(clientOptions(program, good));
  assert.equal((await sender.send(new PutEventsCommand({ Entries: [entry()] }))).FailedEntryCount, 0);
  sender.destroy();
});
