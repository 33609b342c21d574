import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  AddPermissionCommand,
  CancelMessageMoveTaskCommand,
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  RemovePermissionCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { type GivenAws, givenAws, sqsClient } from "../../../../test/given-aws.ts";

let given: GivenAws;
let sqs: SQSClient;
before(async () => {
  given = await givenAws();
  sqs = sqsClient(given);
});
after(async () => {
  sqs.destroy();
  await given[Symbol.asyncDispose]();
});

let queues = 0;
/** A queue of the test's own. */
async function aQueue(attributes: Partial<Record<QueueAttributeName, string>> = {}): Promise<string> {
  queues += 1;
  const QueueName = `q${queues}${attributes.FifoQueue === "true" ? ".fifo" : ""}`;
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: attributes }));
  return QueueUrl ?? "";
}
const arnOf = (queueUrl: string): string => `arn:aws:sqs:eu-north-1:000000000000:${queueUrl.split("/").at(-1)}`;
const send = (QueueUrl: string, MessageBody: string) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
const receive = async (QueueUrl: string, more: Partial<ConstructorParameters<typeof ReceiveMessageCommand>[0]> = {}) =>
  (await sqs.send(new ReceiveMessageCommand({ QueueUrl, ...more }))).Messages ?? [];
/** Both names under which a program may know a fault, and its status. */
async function faultOf(call: Promise<unknown>): Promise<string> {
  const fault = await call.then(
    () => assert.fail("this was to be refused"),
    (error: { name: string; Code?: string; $metadata: { httpStatusCode?: number } }) => error,
  );
  return `${fault.name} ${fault.Code ?? ""} ${fault.$metadata.httpStatusCode}`;
}

describe("a message", () => {
  test("is sent, received with what was asked for, and deleted", async () => {
    const QueueUrl = await aQueue();
    const MessageBody = 'Zürich <&> "\r\n\t\u{1F980}';
    const sent = await sqs.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageAttributes: {
          city: { DataType: "String", StringValue: "Zürich" },
          n: { DataType: "Number.int", StringValue: "7" },
          b: { DataType: "Binary", BinaryValue: Buffer.from([0x00, 0xff]) },
        },
        MessageSystemAttributes: {
          AWSTraceHeader: { DataType: "String", StringValue: "Root=1-5e3d83c1-e6a0db584850d61342823d4c" },
        },
      }),
    );
    assert.equal(sent.MD5OfMessageAttributes, "45791c4e1cc7fec86d9075719a9d1a50");
    assert.match(sent.MD5OfMessageSystemAttributes ?? "", /^[0-9a-f]{32}$/);
    assert.equal(sent.SequenceNumber, undefined);
    assert.match(sent.$metadata.requestId ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-/);
    const [message] = await receive(QueueUrl, {
      MessageAttributeNames: ["city", "b*", "b.*"],
      MessageSystemAttributeNames: ["All"],
    });
    assert.deepEqual([message?.MessageId, message?.Body], [sent.MessageId, MessageBody]);
    assert.deepEqual(message?.MessageAttributes, { city: { DataType: "String", StringValue: "Zürich" } });
    const { Attributes = {} } = message ?? {};
    assert.equal(Attributes["AWSTraceHeader" as keyof typeof Attributes], "Root=1-5e3d83c1-e6a0db584850d61342823d4c");
    assert.equal(Attributes.ApproximateReceiveCount, "1");
    assert.ok(Math.abs(Number(Attributes.SentTimestamp) - Date.now()) < 60_000);
    assert.equal(Attributes.SenderId, "TKIAFULLFULL");
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
    assert.deepEqual(await receive(QueueUrl), []);
  });

  test("brings nothing that was not asked for", async () => {
    const QueueUrl = await aQueue();
    await sqs.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: "x",
        MessageAttributes: { a: { DataType: "String", StringValue: "1" } },
      }),
    );
    const [message = {}] = await receive(QueueUrl);
    assert.deepEqual(Object.keys(message).toSorted(), ["Body", "MD5OfBody", "MessageId", "ReceiptHandle"]);
  });

  test("hides for as long as is said, and shows again", async () => {
    const QueueUrl = await aQueue();
    await send(QueueUrl, "x");
    const [first] = await receive(QueueUrl);
    assert.deepEqual(await receive(QueueUrl), []);
    await sqs.send(
      new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: first?.ReceiptHandle, VisibilityTimeout: 0 }),
    );
    const [second] = await receive(QueueUrl, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
    assert.deepEqual(second?.Attributes, { ApproximateReceiveCount: "2" });
    assert.notEqual(second?.ReceiptHandle, first?.ReceiptHandle);
  });

  test("that is sent wakes whoever waits for one", async () => {
    const QueueUrl = await aQueue();
    const waiting = receive(QueueUrl, { WaitTimeSeconds: 20 });
    await send(QueueUrl, "at last");
    assert.deepEqual(
      (await waiting).map(({ Body }) => Body),
      ["at last"],
    );
  });

  test("is not given to a caller who has hung up", async () => {
    const QueueUrl = await aQueue();
    const impatient = sqsClient(given);
    const connected = once(given.app.server, "connection");
    const gone = new AbortController();
    const command = new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 });
    const hungUp = assert.rejects(impatient.send(command, { abortSignal: gone.signal }));
    const [socket] = (await connected) as [Socket];
    // His call is there before one that is sent after it is answered.
    await receive(QueueUrl);
    const closed = once(socket, "close");
    gone.abort();
    await Promise.all([hungUp, closed]);
    await send(QueueUrl, "for the next one");
    assert.equal((await receive(QueueUrl, { WaitTimeSeconds: 5 })).length, 1);
  });

  test("goes in batches, of which each entry has its own fate", async () => {
    const QueueUrl = await aQueue({ MaximumMessageSize: "1024" });
    const sent = await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: "good", MessageBody: "a" },
          { Id: "long", MessageBody: "x".repeat(1025) },
          { Id: "odd", MessageBody: "\u0001" },
          {
            Id: "bad-attribute",
            MessageBody: "b",
            MessageAttributes: { "AWS.x": { DataType: "String", StringValue: "1" } },
          },
          { Id: "fine", MessageBody: "c", DelaySeconds: 0 },
        ],
      }),
    );
    assert.deepEqual(
      sent.Successful?.map(({ Id }) => Id),
      ["good", "fine"],
    );
    assert.deepEqual(
      sent.Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
      [
        ["long", "InvalidParameterValue", true],
        ["odd", "InvalidMessageContents", true],
        ["bad-attribute", "InvalidParameterValue", true],
      ],
    );
    const messages = await receive(QueueUrl, { MaxNumberOfMessages: 10 });
    assert.deepEqual(new Set(messages.map(({ Body }) => Body)), new Set(["a", "c"]));
    const Entries = messages.map(({ ReceiptHandle }, at) => ({ Id: `m${at}`, ReceiptHandle, VisibilityTimeout: 60 }));
    const changed = await sqs.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: [...Entries, { Id: "no", ReceiptHandle: "no", VisibilityTimeout: 1 }],
      }),
    );
    assert.deepEqual(
      [changed.Successful?.length, changed.Failed?.map(({ Id, Code }) => [Id, Code])],
      [2, [["no", "ReceiptHandleIsInvalid"]]],
    );
    const deleted = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    assert.deepEqual([deleted.Successful?.length, deleted.Failed], [2, undefined]);
  });
});

describe("a FIFO queue", () => {
  test("keeps order in each group, and knows what it was sent before", async () => {
    const QueueUrl = await aQueue({ FifoQueue: "true", ContentBasedDeduplication: "true" });
    const put = (MessageBody: string, MessageGroupId: string) =>
      sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageGroupId }));
    const first = await put("1", "a");
    const again = await put("1", "a");
    assert.deepEqual([again.MessageId, again.SequenceNumber], [first.MessageId, first.SequenceNumber]);
    const second = await put("2", "a");
    assert.ok(BigInt(second.SequenceNumber ?? 0) > BigInt(first.SequenceNumber ?? 0));
    const [head] = await receive(QueueUrl, { AttributeNames: ["All"] });
    assert.deepEqual([head?.Body, head?.Attributes?.MessageGroupId], ["1", "a"]);
    assert.deepEqual(await receive(QueueUrl), [], "while one of the group is in hand, the others wait");
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: head?.ReceiptHandle }));
    assert.deepEqual(
      (await receive(QueueUrl)).map(({ Body }) => Body),
      ["2"],
    );
  });

  test("asks for what it needs", async () => {
    const QueueUrl = await aQueue({ FifoQueue: "true" });
    const put = (more: object) => faultOf(sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x", ...more })));
    assert.equal(await put({ MessageDeduplicationId: "1" }), "MissingParameter MissingParameter 400");
    assert.equal(await put({ MessageGroupId: "g" }), "InvalidParameterValue InvalidParameterValue 400");
    assert.equal(
      await put({ MessageGroupId: "g", MessageDeduplicationId: "1", DelaySeconds: 1 }),
      "InvalidParameterValue InvalidParameterValue 400",
    );
    const entries = [{ Id: "1", MessageBody: "x", MessageDeduplicationId: "1" }];
    assert.equal(
      await faultOf(sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries }))),
      "InvalidParameterValue InvalidParameterValue 400",
    );
  });
});

describe("queues", () => {
  test("are made, found, listed in pages, and deleted", async () => {
    const url = await aQueue({ VisibilityTimeout: "40" });
    assert.equal(url, `${given.endpoint}/000000000000/${url.split("/").at(-1)}`);
    const QueueName = url.split("/").at(-1) ?? "";
    const again = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout: "40" } }));
    assert.equal(again.QueueUrl, url);
    assert.equal((await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl, url);
    const pages: string[] = [];
    await Promise.all(["p-1", "p-2", "p-3"].map((name) => sqs.send(new CreateQueueCommand({ QueueName: name }))));
    let NextToken: string | undefined;
    do {
      const page = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "p-", MaxResults: 2, NextToken }));
      pages.push((page.QueueUrls ?? []).map((one) => one.split("/").at(-1)).join(" "));
      ({ NextToken } = page);
    } while (NextToken !== undefined);
    assert.deepEqual(pages, ["p-1 p-2", "p-3"]);
    const none = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "nothing-begins-so" }));
    assert.deepEqual([none.QueueUrls, none.NextToken], [undefined, undefined]);
    await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
    assert.match(await faultOf(sqs.send(new GetQueueUrlCommand({ QueueName }))), /^QueueDoesNotExist /);
  });

  test("have attributes in SQS' units, and change them", async () => {
    const dead = await aQueue();
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf(dead), maxReceiveCount: "3" });
    const QueueUrl = await aQueue({ DelaySeconds: "5", RedrivePolicy, KmsMasterKeyId: "alias/x" });
    const read = async (...names: QueueAttributeName[]) =>
      (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: names }))).Attributes;
    assert.deepEqual(await read(), undefined);
    assert.deepEqual(await read("DelaySeconds", "RedrivePolicy", "KmsMasterKeyId"), {
      DelaySeconds: "5",
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf(dead), maxReceiveCount: 3 }),
      KmsMasterKeyId: "alias/x",
    });
    const all = (await read("All")) ?? {};
    assert.deepEqual(
      [all.QueueArn, all.VisibilityTimeout, all.MessageRetentionPeriod, all.MaximumMessageSize, all.FifoQueue],
      [arnOf(QueueUrl), "30", "345600", "1048576", undefined],
    );
    assert.equal(all.ApproximateNumberOfMessages, "0");
    assert.match(all.CreatedTimestamp ?? "", /^\d{10}$/);
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { DelaySeconds: "0", RedrivePolicy: "" } }));
    assert.deepEqual(await read("DelaySeconds", "RedrivePolicy"), { DelaySeconds: "0" });
    const { queueUrls } = await sqs.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }));
    assert.deepEqual(queueUrls, []);
    const fifo = await aQueue({
      FifoQueue: "true",
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
    });
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: fifo, AttributeNames: ["All"] }));
    assert.deepEqual(
      [
        Attributes?.FifoQueue,
        Attributes?.ContentBasedDeduplication,
        Attributes?.DeduplicationScope,
        Attributes?.FifoThroughputLimit,
      ],
      ["true", "false", "messageGroup", "perMessageGroupId"],
    );
  });

  test("have tags, permissions that are ignored, and can be purged", async () => {
    const QueueUrl = await aQueue();
    await sqs.send(new TagQueueCommand({ QueueUrl, Tags: { team: "shop", empty: "", gone: "1" } }));
    await sqs.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["gone", "never-there"] }));
    assert.deepEqual((await sqs.send(new ListQueueTagsCommand({ QueueUrl }))).Tags, { team: "shop", empty: "" });
    await sqs.send(new AddPermissionCommand({ QueueUrl, Label: "l", AWSAccountIds: ["1"], Actions: ["*"] }));
    await sqs.send(new RemovePermissionCommand({ QueueUrl, Label: "l" }));
    await send(QueueUrl, "x");
    await sqs.send(new PurgeQueueCommand({ QueueUrl }));
    assert.deepEqual(await receive(QueueUrl), []);
    assert.equal(
      await faultOf(sqs.send(new PurgeQueueCommand({ QueueUrl }))),
      "PurgeQueueInProgress AWS.SimpleQueueService.PurgeQueueInProgress 403",
    );
  });

  test("give up what was received too often, and get it back", async () => {
    const dead = await aQueue();
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf(dead), maxReceiveCount: 1 });
    const QueueUrl = await aQueue({ RedrivePolicy });
    assert.deepEqual((await sqs.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }))).queueUrls, [QueueUrl]);
    const { MessageId } = await send(QueueUrl, "too often");
    await receive(QueueUrl, { VisibilityTimeout: 0 });
    assert.deepEqual(await receive(QueueUrl), []);
    const [message] = await receive(dead, { AttributeNames: ["All"], VisibilityTimeout: 0, WaitTimeSeconds: 5 });
    assert.equal(message?.MessageId, MessageId);
    assert.equal(message?.Attributes?.ApproximateReceiveCount, "2");
    assert.equal(message?.Attributes?.DeadLetterQueueSourceArn, arnOf(QueueUrl));
    const started = await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arnOf(dead) }));
    const task = JSON.parse(Buffer.from(started.TaskHandle ?? "", "base64").toString()) as { sourceArn: string };
    assert.equal(task.sourceArn, arnOf(dead));
    assert.equal((await receive(QueueUrl, { WaitTimeSeconds: 10 }))[0]?.MessageId, MessageId);
    const { Results } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn: arnOf(dead), MaxResults: 5 }));
    assert.deepEqual([Results?.length, Results?.[0]?.SourceArn], [1, arnOf(dead)]);
  });
});

describe("what is refused has both of its names", () => {
  const nowhere = "http://elsewhere/000000000000/no-such-queue";

  test("queues that are not there", async () => {
    const missing = "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue 400";
    for (const command of [
      new SendMessageCommand({ QueueUrl: nowhere, MessageBody: "x" }),
      new ReceiveMessageCommand({ QueueUrl: nowhere }),
      new DeleteMessageCommand({ QueueUrl: nowhere, ReceiptHandle: "x" }),
      new GetQueueUrlCommand({ QueueName: "no-such-queue" }),
      new DeleteQueueCommand({ QueueUrl: nowhere }),
      new PurgeQueueCommand({ QueueUrl: nowhere }),
      new TagQueueCommand({ QueueUrl: nowhere, Tags: { a: "b" } }),
      new GetQueueAttributesCommand({ QueueUrl: nowhere }),
      new ListDeadLetterSourceQueuesCommand({ QueueUrl: nowhere }),
    ]) {
      // Commands differ in their types, and only the refusal is looked at.
      assert.equal(await faultOf(sqs.send(command as SendMessageCommand)), missing, command.constructor.name);
    }
  });

  test("names and attributes that cannot be", async () => {
    const create = (QueueName: string, Attributes?: Record<string, string>) =>
      faultOf(sqs.send(new CreateQueueCommand({ QueueName, Attributes })));
    const invalid = "InvalidParameterValue InvalidParameterValue 400";
    assert.equal(await create("a b"), invalid);
    assert.equal(await create("x".repeat(81)), invalid);
    assert.equal(await create("fifo-without-saying.fifo"), invalid);
    assert.equal(await create("fifo-without-name", { FifoQueue: "true" }), invalid);
    assert.equal(await create("q", { Nonsense: "1" }), "InvalidAttributeName InvalidAttributeName 400");
    assert.equal(await create("q", { QueueArn: "1" }), "InvalidAttributeName InvalidAttributeName 400");
    assert.equal(
      await create("q", { ContentBasedDeduplication: "true" }),
      "InvalidAttributeName InvalidAttributeName 400",
    );
    for (const [name, value] of [
      ["VisibilityTimeout", "43201"],
      ["VisibilityTimeout", "soon"],
      ["DelaySeconds", "901"],
      ["MaximumMessageSize", "1023"],
      ["MessageRetentionPeriod", "59"],
      ["ReceiveMessageWaitTimeSeconds", "21"],
    ] as const) {
      assert.equal(
        await create("q", { [name]: value }),
        "InvalidAttributeValue InvalidAttributeValue 400",
        `${name}=${value}`,
      );
    }
    for (const policy of [
      "{",
      "[]",
      "{}",
      '{"maxReceiveCount":3}',
      `{"deadLetterTargetArn":"${arnOf(nowhere)}","maxReceiveCount":3}`,
      `{"deadLetterTargetArn":"x","maxReceiveCount":3}`,
      `{"deadLetterTargetArn":"${arnOf(nowhere)}","maxReceiveCount":0}`,
    ]) {
      assert.equal(await create("q", { RedrivePolicy: policy }), invalid, policy);
    }
    assert.equal(await create("q", { RedriveAllowPolicy: '{"redrivePermission":"some"}' }), invalid);
    const QueueUrl = await aQueue({ VisibilityTimeout: "40" });
    assert.equal(
      await create(QueueUrl.split("/").at(-1) ?? "", { VisibilityTimeout: "41" }),
      "QueueNameExists QueueAlreadyExists 400",
    );
    const fifo = await aQueue({ FifoQueue: "true" });
    assert.equal(
      await faultOf(sqs.send(new SetQueueAttributesCommand({ QueueUrl: fifo, Attributes: { FifoQueue: "false" } }))),
      "InvalidAttributeValue InvalidAttributeValue 400",
    );
    assert.equal(
      await faultOf(sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["Nonsense" as "All"] }))),
      "InvalidAttributeName InvalidAttributeName 400",
    );
  });

  test("messages that cannot be", async () => {
    const QueueUrl = await aQueue({ MaximumMessageSize: "1024" });
    const put = (MessageBody: string, more: object = {}) =>
      faultOf(sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more })));
    const invalid = "InvalidParameterValue InvalidParameterValue 400";
    assert.equal(await put(""), "MissingParameter MissingParameter 400");
    assert.equal(await put("x".repeat(1025)), invalid);
    assert.equal(await put("é".repeat(513)), invalid);
    assert.equal(await put("\u0000"), "InvalidMessageContents InvalidMessageContents 400");
    assert.equal(await put("\uffff"), "InvalidMessageContents InvalidMessageContents 400");
    assert.equal(await put("x", { DelaySeconds: 901 }), invalid);
    assert.equal(await put("x", { MessageDeduplicationId: "d" }), invalid);
    const attribute = (name: string, DataType: string, value: string) =>
      put("x", { MessageAttributes: { [name]: { DataType, StringValue: value } } });
    for (const [name, type, value] of [
      ["a", "String", ""],
      ["a", "Number", "seven"],
      ["a", "Boolean", "true"],
      ["a", "", "x"],
      ["a", "Binary", "x"],
      ["aws.x", "String", "x"],
      [".a", "String", "x"],
      ["a..b", "String", "x"],
      ["a b", "String", "x"],
    ] as const) {
      assert.equal(await attribute(name, type, value), invalid, `${name} ${type} ${value}`);
    }
    const eleven = Array.from({ length: 11 }, (_, at) => [`a${at}`, { DataType: "String", StringValue: "x" }]);
    assert.equal(await put("x", { MessageAttributes: Object.fromEntries(eleven) }), invalid);
    const foreign = { Nonsense: { DataType: "String", StringValue: "x" } };
    assert.equal(await put("x", { MessageSystemAttributes: foreign }), invalid);
  });

  test("receives out of range, and receipts that are none", async () => {
    const QueueUrl = await aQueue();
    const invalid = "InvalidParameterValue InvalidParameterValue 400";
    for (const ask of [
      { MaxNumberOfMessages: 0 },
      { MaxNumberOfMessages: 11 },
      { WaitTimeSeconds: 21 },
      { WaitTimeSeconds: -1 },
      { VisibilityTimeout: 43_201 },
    ]) {
      assert.equal(await faultOf(receive(QueueUrl, ask)), invalid, JSON.stringify(ask));
    }
    const bad = "ReceiptHandleIsInvalid ReceiptHandleIsInvalid 404";
    assert.equal(await faultOf(sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: "x" }))), bad);
    assert.equal(
      await faultOf(
        sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: "x", VisibilityTimeout: 1 })),
      ),
      bad,
    );
    await send(QueueUrl, "x");
    const [message] = await receive(QueueUrl);
    const ReceiptHandle = message?.ReceiptHandle;
    const change = (VisibilityTimeout: number) =>
      faultOf(sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout })));
    assert.equal(await change(43_201), invalid);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    assert.equal(await change(10), invalid);
  });

  test("batches as a whole", async () => {
    const QueueUrl = await aQueue();
    const batch = (Entries: { Id: string; MessageBody: string }[]) =>
      faultOf(sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })));
    const entry = (Id: string, MessageBody = "x") => ({ Id, MessageBody });
    const named = (name: string) => `${name} AWS.SimpleQueueService.${name} 400`;
    assert.equal(await batch([]), named("EmptyBatchRequest"));
    assert.equal(
      await batch(Array.from({ length: 11 }, (_, at) => entry(String(at)))),
      named("TooManyEntriesInBatchRequest"),
    );
    assert.equal(await batch([entry("a"), entry("a")]), named("BatchEntryIdsNotDistinct"));
    assert.equal(await batch([entry("a b")]), named("InvalidBatchEntryId"));
    assert.equal(
      await batch([entry("a", "x".repeat(600_000)), entry("b", "x".repeat(600_000))]),
      named("BatchRequestTooLong"),
    );
    assert.equal(
      await faultOf(sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: [] }))),
      named("EmptyBatchRequest"),
    );
  });

  test("move tasks without source, queue or handle", async () => {
    const QueueUrl = await aQueue();
    const start = (SourceArn: string) => faultOf(sqs.send(new StartMessageMoveTaskCommand({ SourceArn })));
    assert.equal(await start(arnOf(QueueUrl)), "InvalidParameterValue InvalidParameterValue 400");
    assert.equal(await start(arnOf(nowhere)), "ResourceNotFoundException ResourceNotFoundException 404");
    const cancel = (TaskHandle: string) => faultOf(sqs.send(new CancelMessageMoveTaskCommand({ TaskHandle })));
    assert.equal(await cancel("???"), "InvalidParameterValue InvalidParameterValue 400");
    const unknown = Buffer.from(JSON.stringify({ taskId: "x", sourceArn: arnOf(QueueUrl) })).toString("base64");
    assert.equal(await cancel(unknown), "ResourceNotFoundException ResourceNotFoundException 404");
  });
});
