import fc, { type Arbitrary } from "fast-check";
import type { Json } from "#domain/json.ts";
import { hostileJson, hostileText } from "./hostile.ts";

/** One call to the door of AWS' clients, in one of its two protocols. */
export type AwsCall = {
  readonly service: "sqs" | "events";
  readonly action: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What the house under test holds, so that calls get past the first check. */
export const KNOWN = {
  url: "http://127.0.0.1/000000000000/known",
  fifoUrl: "http://127.0.0.1/000000000000/known.fifo",
  rule: "known",
  archive: "known",
};

const SQS = [
  ..."CreateQueue DeleteQueue ListQueues GetQueueUrl GetQueueAttributes SetQueueAttributes PurgeQueue TagQueue".split(
    " ",
  ),
  ..."UntagQueue ListQueueTags SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch".split(" "),
  ..."ChangeMessageVisibility ChangeMessageVisibilityBatch ListDeadLetterSourceQueues StartMessageMoveTask".split(" "),
  ..."ListMessageMoveTasks CancelMessageMoveTask AddPermission RemovePermission".split(" "),
];
const EVENTS = [
  ..."PutEvents CreateEventBus DeleteEventBus DescribeEventBus ListEventBuses PutRule DeleteRule DescribeRule".split(
    " ",
  ),
  ..."ListRules EnableRule DisableRule PutTargets RemoveTargets ListTargetsByRule ListRuleNamesByTarget".split(" "),
  ..."TestEventPattern CreateArchive DeleteArchive DescribeArchive ListArchives UpdateArchive StartReplay".split(" "),
  ..."DescribeReplay ListReplays CancelReplay TagResource UntagResource ListTagsForResource".split(" "),
];

/** Operators of event patterns with what may stand behind them, and what may not. */
const operator: Arbitrary<Json> = fc.oneof(
  fc.record({ prefix: fc.oneof(fc.string(), fc.record({ "equals-ignore-case": fc.string() }), hostileJson) }),
  fc.record({ suffix: fc.oneof(fc.string(), hostileJson) }),
  fc.record({ wildcard: fc.oneof(fc.constantFrom("*", "a*b", "**", "\\", "a\\*", "*a".repeat(200)), hostileJson) }),
  fc.record({ exists: fc.oneof(fc.boolean(), hostileJson) }),
  fc.record({ "anything-but": fc.oneof(fc.string(), fc.array(fc.string()), hostileJson) }),
  fc.record({ cidr: fc.oneof(fc.constantFrom("10.0.0.0/8", "::/0", "1.2.3.4/99", "x"), hostileJson) }),
  fc.record({
    numeric: fc.oneof(
      fc
        .tuple(fc.constantFrom(">", "<=", "=", "!"), fc.constantFrom<Json>(0, 1e9, -5, "x", null))
        .map((one): Json => one),
      hostileJson,
    ),
  }),
  hostileJson,
);
const leaf: Arbitrary<Json> = fc.oneof(fc.array(operator, { maxLength: 6 }), hostileJson);
const name = fc.oneof(fc.constantFrom("source", "detail", "a", "b", "$or", "detail-type"), hostileText);
const { pattern: patternTree } = fc.letrec<{ pattern: Json }>((tie) => ({
  pattern: fc.oneof(
    { maxDepth: 4 },
    fc.dictionary(name, leaf, { maxKeys: 4 }),
    fc.dictionary(name, tie("pattern"), { maxKeys: 3 }),
    fc.record({ $or: fc.array(tie("pattern"), { maxLength: 4 }) }),
  ),
}));
/** Patterns of the grammar, broken ones, and some that take long where matching is naive. */
export const patternText: Arbitrary<string> = fc.oneof(
  patternTree.map((tree) => JSON.stringify(tree)),
  hostileText,
  fc.constantFrom(
    '{"a":'.repeat(2_000),
    "[".repeat(5_000),
    JSON.stringify({ a: [{ wildcard: `${"*a".repeat(40)}b` }] }),
  ),
);

const known: Arbitrary<string> = fc.constantFrom(...Object.values(KNOWN), "default", "no-such-thing");
const number: Arbitrary<Json> = fc.constantFrom<Json>(0, 1, 10, -1, 11, 43_201, 0.5, 1e300, "7", "x", null);
const template = fc.oneof(
  fc.constantFrom(
    "<x>",
    '"<x>"',
    "{<x>",
    "<<x>>",
    "<aws.events.event>",
    "<aws.events.event.json>",
    "\\",
    "<".repeat(9_000),
  ),
  hostileText,
);

/** A value for a member, mostly of the kind that its name promises. */
function valueOf(member: string): Arbitrary<Json> {
  const good: Arbitrary<Json> =
    (Object.hasOwn(MEMBERS, member) ? MEMBERS[member] : undefined) ??
    (/Seconds|Max|Limit|Timeout|Number/.test(member) ? number : fc.oneof(known, fc.string()));
  return fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: hostileJson });
}

const attributes = fc.dictionary(
  fc.constantFrom("VisibilityTimeout", "DelaySeconds", "RedrivePolicy", "FifoQueue", "Policy", "KmsMasterKeyId", "x"),
  fc.oneof(
    fc.constantFrom<Json>("30", "-1", "true", '{"maxReceiveCount":1}', "{}", "99999999999999999999"),
    hostileJson,
  ),
  { maxKeys: 4 },
);
const messageAttributes = fc.dictionary(
  fc.oneof(fc.constantFrom("a", "AWS.x", "a..b"), hostileText),
  fc.oneof(
    fc.record({ DataType: fc.constantFrom("String", "Number", "Binary", "String.x", "x"), StringValue: hostileText }),
    fc.record({ DataType: fc.constant("Binary"), BinaryValue: fc.oneof(fc.base64String(), hostileText) }),
    hostileJson,
  ),
  { maxKeys: 12 },
);
const entries = fc.array(
  fc.oneof(
    fc.record(
      {
        Id: fc.oneof(fc.constantFrom("a", "b", "a b"), hostileText),
        MessageBody: hostileText,
        ReceiptHandle: hostileText,
        VisibilityTimeout: number,
        DelaySeconds: number,
        MessageGroupId: hostileText,
        MessageDeduplicationId: hostileText,
        MessageAttributes: messageAttributes,
        Source: fc.oneof(fc.constantFrom("shop", "aws.x"), hostileText),
        DetailType: hostileText,
        Detail: fc.oneof(fc.constantFrom("{}", "[]", '{"a":1e400}', "{"), hostileText),
        EventBusName: known,
        Time: fc.oneof(number, hostileText),
        Resources: fc.array(hostileText, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    ),
    hostileJson,
  ),
  { maxLength: 12 },
);
const targets = fc.array(
  fc.oneof(
    fc.record(
      {
        Id: fc.oneof(fc.constantFrom("t", "u"), hostileText),
        Arn: fc.oneof(
          fc.constantFrom(
            "arn:aws:sqs:us-east-1:000000000000:known",
            "arn:tidings:send:::message",
            "arn:aws:events:us-east-1:000000000000:event-bus/default",
            "arn:aws:lambda:x:1:f",
            "arn:",
          ),
          hostileText,
        ),
        Input: template,
        InputPath: fc.oneof(fc.constantFrom("$.detail", "$", "$..x", "$.a[*"), hostileText),
        InputTransformer: fc.oneof(
          fc.record({
            InputPathsMap: fc.dictionary(fc.constantFrom("x", "aws.x", "y"), hostileText),
            InputTemplate: template,
          }),
          hostileJson,
        ),
        RetryPolicy: fc.oneof(
          fc.record({ MaximumRetryAttempts: number, MaximumEventAgeInSeconds: number }),
          hostileJson,
        ),
        DeadLetterConfig: fc.oneof(fc.record({ Arn: hostileText }), hostileJson),
      },
      { requiredKeys: [] },
    ),
    hostileJson,
  ),
  { maxLength: 7 },
);

const MEMBERS: Readonly<Record<string, Arbitrary<Json>>> = {
  Entries: entries,
  Targets: targets,
  EventPattern: patternText,
  Event: fc.oneof(hostileText, fc.json()),
  Attributes: attributes,
  MessageAttributes: messageAttributes,
  MessageBody: hostileText,
  tags: fc.dictionary(hostileText, hostileText, { maxKeys: 60 }),
  Tags: fc.array(fc.record({ Key: hostileText, Value: hostileText }), { maxLength: 5 }),
  AttributeNames: fc.array(fc.oneof(fc.constantFrom("All", "Policy"), hostileText), { maxLength: 4 }),
  // Nobody waits here for a message.
  WaitTimeSeconds: fc.constantFrom<Json>(0, -1, 21, "x"),
  ReceiptHandle: hostileText,
  NextToken: hostileText,
};
const MEMBER_NAMES = [
  ...Object.keys(MEMBERS),
  ..."QueueUrl QueueName QueueNamePrefix MaxResults MaxNumberOfMessages VisibilityTimeout DelaySeconds".split(" "),
  ..."MessageGroupId MessageDeduplicationId SourceArn DestinationArn TaskHandle Name Rule EventBusName State".split(
    " ",
  ),
  ..."ScheduleExpression Description RoleArn Ids Force Limit ArchiveName EventSourceArn RetentionDays".split(" "),
  ..."ReplayName EventStartTime EventEndTime Destination ResourceARN TagKeys TargetArn NamePrefix __proto__".split(" "),
];

const members: Arbitrary<Readonly<Record<string, Json>>> = fc
  .uniqueArray(fc.constantFrom(...MEMBER_NAMES), { maxLength: 5 })
  .chain((names) => fc.tuple(...names.map((one) => valueOf(one).map((value) => [one, value] as const))))
  .map((pairs) => ({ QueueUrl: KNOWN.url, Rule: KNOWN.rule, Name: KNOWN.rule, ...Object.fromEntries(pairs) }));

const SIGNED = {
  authorization: "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
};

export const awsCall: Arbitrary<AwsCall> = fc.oneof(
  fc.record({ action: fc.oneof(fc.constantFrom(...SQS), hostileText), members }).map(({ action, members: given }) => {
    return jsonCall("sqs", action, JSON.stringify(given));
  }),
  fc
    .record({ action: fc.oneof(fc.constantFrom(...EVENTS), hostileText), members })
    .map(({ action, members: given }) => {
      return jsonCall("events", action, JSON.stringify(given));
    }),
  // What is no JSON, or none that is an object.
  fc
    .record({
      action: fc.constantFrom(...SQS, ...EVENTS),
      body: fc.oneof(hostileText, fc.json(), hostileJson.map(text)),
    })
    .map(({ action, body }) => jsonCall(SQS.includes(action) ? "sqs" : "events", action, body)),
  // The older protocol: a form whose names are paths.
  fc
    .record({
      action: fc.oneof(fc.constantFrom(...SQS), hostileText),
      members,
      odd: fc.array(fc.tuple(path(), hostileText)),
    })
    .map(({ action, members: given, odd }): AwsCall => {
      const form = new URLSearchParams({ Action: action.toWellFormed(), Version: "2012-11-05" });
      for (const [one, value] of flat("", given)) form.append(one, value);
      for (const [one, value] of odd) form.append(one, value.toWellFormed());
      const headers = { ...SIGNED, "content-type": "application/x-www-form-urlencoded" };
      return { service: "sqs", action, headers, body: form.toString() };
    }),
);

function jsonCall(service: AwsCall["service"], action: string, body: string): AwsCall {
  const prefix = service === "sqs" ? "AmazonSQS" : "AWSEvents";
  // A header holds printable ASCII only; clients can send nothing else.
  const target = `${prefix}.${action.replaceAll(/[^\u0021-\u007e]/g, "")}`.slice(0, 500);
  const type = `application/x-amz-json-1.${service === "sqs" ? 0 : 1}`;
  return { service, action, headers: { ...SIGNED, "x-amz-target": target, "content-type": type }, body };
}

function text(value: Json): string {
  return JSON.stringify(value);
}

/** Names of members as the older protocol writes them, sensible and not. */
function path(): Arbitrary<string> {
  const part = fc.constantFrom(
    "Attribute",
    "1",
    "0",
    "-1",
    "99999999",
    "Name",
    "Value",
    "entry",
    "SendMessageBatchRequestEntry",
    "",
  );
  return fc.array(part, { maxLength: 6 }).map((parts) => parts.join("."));
}

function* flat(at: string, value: Json): Generator<readonly [string, string]> {
  if (Array.isArray(value)) {
    for (const [index, inner] of value.entries()) yield* flat(`${at}.${index + 1}`, inner);
  } else if (typeof value === "object" && value !== null) {
    for (const [one, inner] of Object.entries(value)) yield* flat(at === "" ? one : `${at}.${one}`, inner);
  } else yield [at.toWellFormed(), String(value).toWellFormed()];
}
