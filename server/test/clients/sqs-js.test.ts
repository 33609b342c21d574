import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  AddPermissionCommand,
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  RemovePermissionCommand,
  SetQueueAttributesCommand,
  SQSClient,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { clientOptions, makePair, REGION } from "./aws-home.ts";
import { arnOf, type Attributes, INVALID_VALUE, nameOf, names, NO_QUEUE, refusal, SqsHome } from "./sqs-home.ts";

/** The unchanged AWS SDK for JavaScript v3 against the whole program: queues themselves, and who may do what. */
let sqs: SqsHome;
before(async () => {
  sqs = await SqsHome.open();
});
after(() => sqs[Symbol.asyncDispose]());

const create = (QueueName: string, Attributes: Attributes = {}, tags: Record<string, string> = {}) =>
  sqs.client.send(new CreateQueueCommand({ QueueName, Attributes, tags }));
const attributes = async (QueueUrl: string, ...AttributeNames: string[]) =>
  // Names that SQS does not know are given as well, which the SDK's own type has no place for.
  (await sqs.client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: AttributeNames as "All"[] })))
    .Attributes;
const set = (QueueUrl: string, Attributes: Attributes) =>
  sqs.client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
const tags = async (QueueUrl: string) => (await sqs.client.send(new ListQueueTagsCommand({ QueueUrl }))).Tags;
const prefixed = async (QueueNamePrefix: string, more: { MaxResults?: number; NextToken?: string } = {}) => {
  const { QueueUrls, NextToken } = await sqs.client.send(new ListQueuesCommand({ QueueNamePrefix, ...more }));
  return { names: QueueUrls?.map(nameOf), NextToken };
};

test("a queue has the URL under which it was asked for, and is found by its name", async () => {
  const { QueueUrl } = await create("orders");
  assert.equal(QueueUrl, `${sqs.program.url}/aws/000000000000/orders`);
  const found = await sqs.client.send(new GetQueueUrlCommand({ QueueName: "orders" }));
  assert.equal(found.QueueUrl, QueueUrl);
  assert.equal(
    await names(sqs.client.send(new GetQueueUrlCommand({ QueueName: "Orders" }))),
    NO_QUEUE,
    "names have case",
  );
});

test("creating a queue again gives the same queue, unless it is asked for with other attributes", async () => {
  const first = await create("twice", { VisibilityTimeout: "40", DelaySeconds: "1" });
  for (const asked of [{}, { VisibilityTimeout: "40" }, { VisibilityTimeout: "40", DelaySeconds: "1" }]) {
    assert.equal((await create("twice", asked)).QueueUrl, first.QueueUrl);
  }
  const other = await refusal(create("twice", { VisibilityTimeout: "41" }));
  assert.equal(`${other.name} ${other.code} ${other.status}`, "QueueNameExists QueueAlreadyExists 400");
  assert.match(other.message, /different value for attribute VisibilityTimeout/);
});

test("names that cannot be are refused, and those at the limit are not", async () => {
  for (const name of ["", "a b", "a.b", "ü", "x".repeat(81), "slash/y"]) {
    const { code } = await refusal(create(name));
    assert.ok(code === "InvalidParameterValue" || code === "MissingParameter", `${name}: ${code}`);
  }
  assert.equal(await names(create("kitchen.fifo")), INVALID_VALUE, "a FIFO name alone");
  assert.equal(await names(create("kitchen", { FifoQueue: "true" })), INVALID_VALUE, "the attribute alone");
  assert.equal(nameOf((await create(`A-${"z_".repeat(39)}`)).QueueUrl ?? ""), `A-${"z_".repeat(39)}`);
});

test("queues are listed by prefix and in pages", async () => {
  for (const name of ["page-a", "page-b", "page-c"]) await create(name);
  assert.deepEqual(await prefixed("page-"), { names: ["page-a", "page-b", "page-c"], NextToken: undefined });
  const first = await prefixed("page-", { MaxResults: 2 });
  assert.deepEqual(first.names, ["page-a", "page-b"]);
  assert.ok(first.NextToken !== undefined);
  const rest = await prefixed("page-", { MaxResults: 2, NextToken: first.NextToken });
  assert.deepEqual(rest, { names: ["page-c"], NextToken: undefined });
  assert.equal((await prefixed("nobody-has-this")).names, undefined);
  assert.equal(await names(prefixed("", { MaxResults: 1001 })), INVALID_VALUE);
  assert.equal(await names(prefixed("", { NextToken: "?" })), INVALID_VALUE);
});

test("a deleted queue is gone with what lay in it, and its name is free", async () => {
  const { QueueUrl = "" } = await create("short-lived");
  await sqs.send(QueueUrl, "old");
  await sqs.client.send(new DeleteQueueCommand({ QueueUrl }));
  assert.equal(await names(sqs.send(QueueUrl, "x")), NO_QUEUE);
  assert.deepEqual((await prefixed("short-lived")).names, undefined);
  await create("short-lived");
  assert.deepEqual(await sqs.receive(QueueUrl), []);
});

test("a new queue has the attributes that SQS gives one", async () => {
  const from = Math.floor(Date.now() / 1000);
  const queue = await sqs.queue();
  const { CreatedTimestamp, LastModifiedTimestamp, ...rest } = (await attributes(queue, "All")) ?? {};
  assert.deepEqual(rest, {
    QueueArn: arnOf(queue),
    ApproximateNumberOfMessages: "0",
    ApproximateNumberOfMessagesNotVisible: "0",
    ApproximateNumberOfMessagesDelayed: "0",
    VisibilityTimeout: "30",
    DelaySeconds: "0",
    MaximumMessageSize: "1048576",
    MessageRetentionPeriod: "345600",
    ReceiveMessageWaitTimeSeconds: "0",
    SqsManagedSseEnabled: "true",
  });
  assert.equal(LastModifiedTimestamp, CreatedTimestamp);
  assert.ok(Math.abs(Number(CreatedTimestamp) - from) <= 60, "whole seconds, not milliseconds");
});

test("a FIFO queue has four attributes more", async () => {
  const queue = await sqs.fifo();
  assert.deepEqual(
    await attributes(queue, "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"),
    {
      FifoQueue: "true",
      ContentBasedDeduplication: "false",
      DeduplicationScope: "queue",
      FifoThroughputLimit: "perQueue",
    },
  );
  await set(queue, { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" });
  assert.equal((await attributes(queue, "All"))?.["FifoThroughputLimit"], "perMessageGroupId");
  await set(queue, { FifoThroughputLimit: "perQueue" });
  assert.equal(
    await names(set(queue, { DeduplicationScope: "queue", FifoThroughputLimit: "perMessageGroupId" })),
    "InvalidAttributeValue InvalidAttributeValue",
  );
  assert.equal(await names(set(queue, { FifoQueue: "false" })), "InvalidAttributeValue InvalidAttributeValue");
});

test("only the attributes that are asked for are told, and those that nobody knows are refused", async () => {
  const queue = await sqs.queue({ DelaySeconds: "3" });
  assert.deepEqual(await attributes(queue, "DelaySeconds"), { DelaySeconds: "3" });
  assert.equal(await attributes(queue), undefined);
  const unknown = await refusal(attributes(queue, "Colour"));
  assert.equal(`${unknown.name}: ${unknown.message}`, "InvalidAttributeName: Unknown Attribute Colour.");
});

test("attributes are set one by one, within their ranges", async () => {
  const queue = await sqs.queue();
  const ranges: [keyof Attributes, number, number][] = [
    ["VisibilityTimeout", 0, 43_200],
    ["DelaySeconds", 0, 900],
    ["MaximumMessageSize", 1024, 1_048_576],
    ["MessageRetentionPeriod", 60, 1_209_600],
    ["ReceiveMessageWaitTimeSeconds", 0, 20],
  ];
  for (const [name, min, max] of ranges) {
    for (const value of [min, max]) {
      await set(queue, { [name]: String(value) });
      assert.deepEqual(await attributes(queue, name), { [name]: String(value) });
    }
    for (const value of [String(min - 1), String(max + 1), "x", "1.5"]) {
      const { name: fault, message } = await refusal(set(queue, { [name]: value }));
      assert.equal(`${fault}: ${message}`, `InvalidAttributeValue: Invalid value for the parameter ${name}.`);
    }
  }
  for (const name of ["QueueArn", "CreatedTimestamp", "ApproximateNumberOfMessages", "ContentBasedDeduplication"]) {
    assert.equal(await names(set(queue, { [name]: "true" })), "InvalidAttributeName InvalidAttributeName");
  }
});

test("policies are kept and told as they were given, and taken off with an empty text", async () => {
  const Policy = '{"Version":"2012-10-17","Statement":[]}';
  const queue = await sqs.queue({ Policy });
  assert.equal((await attributes(queue, "All"))?.["Policy"], Policy);
  await set(queue, { Policy: "" });
  assert.equal((await attributes(queue, "All"))?.["Policy"], undefined);
  const permission = { QueueUrl: queue, Label: "team" };
  await sqs.client.send(new AddPermissionCommand({ ...permission, AWSAccountIds: ["1"], Actions: ["*"] }));
  await sqs.client.send(new RemovePermissionCommand(permission));
});

test("what is visible, in flight and delayed is counted", async () => {
  const queue = await sqs.queue();
  for (const body of ["a", "b", "c"]) await sqs.send(queue, body);
  await sqs.send(queue, "later", { DelaySeconds: 60 });
  await sqs.receive(queue);
  const counted = await attributes(
    queue,
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
  );
  assert.deepEqual(counted, {
    ApproximateNumberOfMessages: "2",
    ApproximateNumberOfMessagesNotVisible: "1",
    ApproximateNumberOfMessagesDelayed: "1",
  });
});

test("tags are given at the making or later, overwritten and taken off, up to fifty", async () => {
  const { QueueUrl = "" } = await create("tagged", {}, { team: "shop", tier: "1" });
  assert.deepEqual(await tags(QueueUrl), { team: "shop", tier: "1" });
  await sqs.client.send(new TagQueueCommand({ QueueUrl, Tags: { tier: "2", empty: "" } }));
  await sqs.client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["team", "nobody"] }));
  assert.deepEqual(await tags(QueueUrl), { tier: "2", empty: "" });
  const many = Object.fromEntries(Array.from({ length: 49 }, (_, n) => [`k${n}`, "v"]));
  assert.equal(await names(sqs.client.send(new TagQueueCommand({ QueueUrl, Tags: many }))), INVALID_VALUE);
  await sqs.client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["tier", "empty"] }));
  assert.equal(await tags(QueueUrl), undefined);
});

test("a purge takes everything, also what is in flight and delayed, and is not repeated within a minute", async () => {
  const queue = await sqs.queue();
  await sqs.send(queue, "in flight");
  const held = await sqs.next(queue);
  await sqs.send(queue, "visible");
  await sqs.send(queue, "delayed", { DelaySeconds: 1 });
  const purge = () => sqs.client.send(new PurgeQueueCommand({ QueueUrl: queue }));
  await purge();
  assert.deepEqual(await sqs.receive(queue), []);
  await sqs.remove(queue, held);
  assert.equal(await names(sqs.hide(queue, held, 0)), INVALID_VALUE);
  await sqs.send(queue, "new");
  assert.equal((await sqs.next(queue)).Body, "new");
  assert.deepEqual(await sqs.receive(queue, { WaitTimeSeconds: 2 }), [], "the delayed one does not come later");
  const { name, code, status } = await refusal(purge());
  assert.equal(`${name} ${code} ${status}`, "PurgeQueueInProgress AWS.SimpleQueueService.PurgeQueueInProgress 403");
});

test("every action on a queue that is not there says so by both names", async () => {
  const QueueUrl = `${sqs.program.url}/aws/000000000000/nowhere`;
  const gone = await refusal(sqs.send(QueueUrl, "x"));
  assert.equal(`${gone.name} ${gone.code}`, NO_QUEUE);
  assert.equal(gone.message, "The specified queue does not exist.");
  assert.equal(gone.status, 400);
  assert.match(gone.requestId ?? "", /^[0-9a-f-]{36}$/);
  const calls = [
    sqs.receive(QueueUrl),
    attributes(QueueUrl, "All"),
    set(QueueUrl, { DelaySeconds: "1" }),
    tags(QueueUrl),
    sqs.client.send(new TagQueueCommand({ QueueUrl, Tags: { a: "b" } })),
    sqs.client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["a"] })),
    sqs.client.send(new PurgeQueueCommand({ QueueUrl })),
    sqs.client.send(new DeleteQueueCommand({ QueueUrl })),
    sqs.client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl })),
    sqs.remove(QueueUrl, { ReceiptHandle: "x" }),
    sqs.hide(QueueUrl, { ReceiptHandle: "x" }, 0),
  ];
  assert.deepEqual(new Set(await Promise.all(calls.map(names))), new Set([NO_QUEUE]));
});

test("a queue is known by its bare name, and by its URL under any host", async () => {
  const queue = await sqs.queue();
  await sqs.send(nameOf(queue), "bare");
  await sqs.send(`https://sqs.${REGION}.amazonaws.com/123456789012/${nameOf(queue)}`, "elsewhere");
  assert.deepEqual((await sqs.bodies(queue)).toSorted(), ["bare", "elsewhere"]);
});

test("whoever has no key, a wrong one, or one without the right is refused by the names that SDKs know", async () => {
  const queue = await sqs.queue();
  const as = async (pair: { accessKeyId: string; secretAccessKey: string }, work: "send" | "create") => {
    const client = new SQSClient(clientOptions(sqs.program, pair));
    const real = sqs.client;
    sqs.client = client;
    try {
      return await refusal(work === "send" ? sqs.send(queue, "x") : sqs.queue());
    } finally {
      sqs.client = real;
      client.destroy();
    }
  };
  const sender = await makePair(sqs.program, ["send"]);
  const nobody = await as({ accessKeyId: "TKIANOBODYNOBODYNOBO", secretAccessKey: "secret" }, "send");
  assert.equal(`${nobody.name} ${nobody.code}`, "InvalidClientTokenId InvalidClientTokenId");
  const forged = await as({ ...sender, secretAccessKey: "wrong" }, "send");
  assert.equal(`${forged.name} ${forged.code}`, "SignatureDoesNotMatch SignatureDoesNotMatch");
  assert.equal((await as(sender, "create")).name, "AccessDenied");
  assert.deepEqual(await sqs.receive(queue), [], "nothing of it was kept");
});
