import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import {
  ChangeMessageVisibilityBatchCommand,
  type ChangeMessageVisibilityBatchRequestEntry,
  DeleteMessageBatchCommand,
  type DeleteMessageBatchRequestEntry,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
} from "@aws-sdk/client-sqs";
import { bodyOf, INVALID_VALUE, MISSING, names, refusal, SqsHome } from "./sqs-home.ts";

/**
 * The unchanged AWS SDK for JavaScript v3 against the whole program: messages of standard queues. The SDK compares every
 * MD5 itself, and fails when one is wrong.
 */
let sqs: SqsHome;
before(async () => {
  sqs = await SqsHome.open();
});
after(() => sqs[Symbol.asyncDispose]());

const sendBatch = (QueueUrl: string, ...Entries: SendMessageBatchRequestEntry[]) =>
  sqs.client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
const deleteBatch = (QueueUrl: string, ...Entries: DeleteMessageBatchRequestEntry[]) =>
  sqs.client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
const hideBatch = (QueueUrl: string, ...Entries: ChangeMessageVisibilityBatchRequestEntry[]) =>
  sqs.client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
const text = (StringValue: string, DataType = "String"): MessageAttributeValue => ({ DataType, StringValue });
const md5 = (body: string) => createHash("md5").update(body).digest("hex");
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const batchRefusal = (name: string) => `${name} AWS.SimpleQueueService.${name}`;

test("a message is sent, received once, and gone when it is deleted", async () => {
  const queue = await sqs.queue({ VisibilityTimeout: "1" });
  const sent = await sqs.send(queue, "hello world");
  assert.match(sent.MessageId ?? "", UUID);
  assert.equal(sent.MD5OfMessageBody, "5eb63bbbe01eeed093cb22bb8f5acdc3");
  assert.equal(sent.SequenceNumber, undefined);
  assert.equal(sent.MD5OfMessageAttributes, undefined);
  const message = await sqs.next(queue);
  const { ReceiptHandle, ...rest } = message;
  assert.deepEqual(rest, { MessageId: sent.MessageId, MD5OfBody: sent.MD5OfMessageBody, Body: "hello world" });
  assert.ok(ReceiptHandle !== undefined && ReceiptHandle.length <= 1024);
  await sqs.remove(queue, message);
  assert.deepEqual(await sqs.receive(queue, { WaitTimeSeconds: 2 }), []);
});

test("whatever may be said is kept as it was said", async () => {
  const queue = await sqs.queue();
  const bodies = [
    "  blanks \t at both ends  ",
    "a\r\nb\rc\n",
    '<&>"\u{10ffff}',
    "Zürich 東京 🎈",
    "\ufffd\ud7ff\ue000",
  ];
  for (const body of bodies) {
    assert.equal((await sqs.send(queue, body)).MD5OfMessageBody, md5(body));
    assert.equal((await sqs.next(queue)).Body, body);
  }
  for (const body of ["\u0000", "bell\u0007", "\ufffe"]) {
    assert.equal(await names(sqs.send(queue, body)), "InvalidMessageContents InvalidMessageContents");
  }
});

test("a body has at least one byte, and with its attributes at most as many as the queue says", async () => {
  const queue = await sqs.queue({ MaximumMessageSize: "1024" });
  const empty = await refusal(sqs.send(queue, ""));
  assert.equal(`${empty.name} ${empty.code}`, MISSING);
  assert.equal(empty.message, "The request must contain the parameter MessageBody.");
  await sqs.send(queue, "x".repeat(1024));
  await sqs.send(queue, "ü".repeat(512));
  const long = await refusal(sqs.send(queue, "ü".repeat(513)));
  assert.equal(long.code, "InvalidParameterValue");
  assert.match(long.message, /Reason: Message must be shorter than 1024 bytes\./);
  // name 1, type 6, value 7 bytes
  const MessageAttributes = { a: text("1234567") };
  await sqs.send(queue, "x".repeat(1010), { MessageAttributes });
  assert.equal(await names(sqs.send(queue, "x".repeat(1011), { MessageAttributes })), INVALID_VALUE);
  const large = await sqs.queue();
  const body = "y".repeat(1_048_576);
  await sqs.send(large, body);
  assert.equal((await sqs.next(large)).Body, body);
});

test("attributes of all types come back as they were given, with the MD5 that SQS' own reference has", async () => {
  const queue = await sqs.queue();
  const attributes: Record<string, MessageAttributeValue> = {
    city: text("Zürich"),
    n: text("7", "Number.int"),
    b: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 255) },
  };
  const sent = await sqs.send(queue, "x", { MessageAttributes: attributes });
  assert.equal(sent.MD5OfMessageAttributes, "45791c4e1cc7fec86d9075719a9d1a50");
  const message = await sqs.next(queue, { MessageAttributeNames: ["All"] });
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  const { city, n, b } = message.MessageAttributes ?? {};
  assert.deepEqual([city, n], [attributes["city"], attributes["n"]]);
  assert.deepEqual([b?.DataType, Array.from(b?.BinaryValue ?? [])], ["Binary", [0, 255]]);
});

test("message attributes are returned as they are asked for: none, by name, by prefix, all", async () => {
  const queue = await sqs.queue({ VisibilityTimeout: "0" });
  const all = { "shop.id": text("1"), "shop.name": text("x"), "other": text("y") };
  await sqs.send(queue, "x", { MessageAttributes: all });
  const shown = async (...MessageAttributeNames: string[]) =>
    Object.keys((await sqs.next(queue, { MessageAttributeNames })).MessageAttributes ?? {}).toSorted();
  assert.deepEqual(await shown(), []);
  assert.deepEqual(await shown("other", "unknown"), ["other"]);
  assert.deepEqual(await shown("shop.*"), ["shop.id", "shop.name"]);
  assert.deepEqual(await shown(".*"), ["other", "shop.id", "shop.name"]);
  assert.deepEqual(await shown("All"), ["other", "shop.id", "shop.name"]);
  assert.equal((await sqs.next(queue)).MD5OfMessageAttributes, undefined);
});

test("message attributes that cannot be are refused", async () => {
  const queue = await sqs.queue();
  const bad: Record<string, MessageAttributeValue>[] = [
    { "AWS.x": text("1") },
    { "amazon.x": text("1") },
    { ".x": text("1") },
    { "x.": text("1") },
    { "a..b": text("1") },
    { "a b": text("1") },
    { ["x".repeat(257)]: text("1") },
    { x: text("1", "Text") },
    { x: text("1", "string") },
    { x: text("", "String") },
    { x: text("seven", "Number") },
    { x: text("1", `String.${"x".repeat(250)}`) },
    { x: { DataType: "Binary", BinaryValue: new Uint8Array() } },
  ];
  for (const MessageAttributes of bad) {
    assert.equal(
      await names(sqs.send(queue, "x", { MessageAttributes })),
      INVALID_VALUE,
      JSON.stringify(MessageAttributes),
    );
  }
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, text("v")]));
  await sqs.send(queue, "x", { MessageAttributes: many(10) });
  const { message } = await refusal(sqs.send(queue, "x", { MessageAttributes: many(11) }));
  assert.equal(message, "Number of message attributes [11] exceeds the allowed maximum [10].");
  const number = "-12345678901234567890123456789012345678";
  const typed = await sqs.queue();
  await sqs.send(typed, "x", { MessageAttributes: { n: text(number, "Number"), j: text("{}", "String.json") } });
  const { MessageAttributes } = await sqs.next(typed, { MessageAttributeNames: ["All"] });
  assert.deepEqual(MessageAttributes, { n: text(number, "Number"), j: text("{}", "String.json") });
});

test("system attributes tell who sent it, when, and how often it was received", async () => {
  const queue = await sqs.queue({ VisibilityTimeout: "0" });
  const from = Date.now();
  const trace = text("Root=1-5759e988-bd862e3fe1be46a994272793");
  const sent = await sqs.send(queue, "x", {
    MessageSystemAttributes: { AWSTraceHeader: trace },
    MessageGroupId: "fair",
  });
  assert.match(sent.MD5OfMessageSystemAttributes ?? "", /^[0-9a-f]{32}$/);
  const { Attributes: first = {} } = await sqs.next(queue, { MessageSystemAttributeNames: ["All"] });
  assert.deepEqual(Object.keys(first).toSorted(), [
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
  ]);
  assert.deepEqual([first.AWSTraceHeader, first.MessageGroupId], [trace.StringValue, "fair"]);
  assert.ok(Math.abs(Number(first.SentTimestamp) - from) < 60_000, "milliseconds");
  assert.equal(first.ApproximateReceiveCount, "1");
  const { Attributes: second = {} } = await sqs.next(queue, { AttributeNames: ["All"] });
  assert.equal(second.ApproximateReceiveCount, "2");
  assert.equal(second.ApproximateFirstReceiveTimestamp, first.ApproximateFirstReceiveTimestamp);
  // The older name of the same list, which the SDK's types know with names of queue attributes only.
  const older = ["SentTimestamp" as "All"];
  const one = await sqs.next(queue, { MessageSystemAttributeNames: ["SenderId"], AttributeNames: older });
  assert.deepEqual(Object.keys(one.Attributes ?? {}).toSorted(), ["SenderId", "SentTimestamp"]);
  assert.equal((await sqs.next(queue)).Attributes, undefined);
});

test("a batch of sends is answered entry by entry", async () => {
  const queue = await sqs.queue({ MaximumMessageSize: "1024" });
  const { Successful = [], Failed = [] } = await sendBatch(
    queue,
    { Id: "good", MessageBody: "a", MessageAttributes: { x: text("1") } },
    { Id: "long", MessageBody: "x".repeat(1025) },
    { Id: "bad", MessageBody: "\u0000" },
    { Id: "also-good", MessageBody: "b", DelaySeconds: 0 },
    { Id: "late", MessageBody: "c", DelaySeconds: 901 },
  );
  assert.deepEqual(
    Successful.map(({ Id, MD5OfMessageBody }) => [Id, MD5OfMessageBody]),
    [
      ["good", md5("a")],
      ["also-good", md5("b")],
    ],
  );
  assert.match(Successful[0]?.MessageId ?? "", UUID);
  assert.match(Successful[0]?.MD5OfMessageAttributes ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(
    Failed.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
    [
      ["long", "InvalidParameterValue", true],
      ["bad", "InvalidMessageContents", true],
      ["late", "InvalidParameterValue", true],
    ],
  );
  assert.deepEqual((await sqs.bodies(queue)).toSorted(), ["a", "b"]);
});

test("a batch that is none is refused as a whole, whatever it was to do", async () => {
  const queue = await sqs.queue();
  const entry = (Id: string) => ({ Id, MessageBody: "x", ReceiptHandle: "x", VisibilityTimeout: 0 });
  const many = (count: number) => Array.from({ length: count }, (_, n) => entry(`e${n}`));
  for (const batch of [sendBatch, deleteBatch, hideBatch]) {
    assert.equal(await names(batch(queue)), batchRefusal("EmptyBatchRequest"));
    const full = await refusal(batch(queue, ...many(20)));
    assert.equal(`${full.name} ${full.code}`, batchRefusal("TooManyEntriesInBatchRequest"));
    assert.equal(full.message, "Maximum number of entries per request are 10. You have sent 20.");
    assert.equal(await names(batch(queue, entry("a"), entry("a"))), batchRefusal("BatchEntryIdsNotDistinct"));
    for (const Id of ["", "a b", "a.b", "x".repeat(81)]) {
      assert.equal(await names(batch(queue, entry(Id))), batchRefusal("InvalidBatchEntryId"), Id);
    }
  }
  assert.deepEqual(await sqs.receive(queue), []);
});

test("a batch has at most a megabyte together", async () => {
  const queue = await sqs.queue();
  const half = "x".repeat(524_288);
  const { Successful } = await sendBatch(queue, { Id: "a", MessageBody: half }, { Id: "b", MessageBody: half });
  assert.equal(Successful?.length, 2);
  const over = sendBatch(queue, { Id: "a", MessageBody: half }, { Id: "b", MessageBody: `${half}x` });
  assert.equal(await names(over), batchRefusal("BatchRequestTooLong"));
});

test("batches of deletes and of visibilities are answered entry by entry", async () => {
  const queue = await sqs.queue();
  for (const body of ["a", "b", "c"]) await sqs.send(queue, body);
  const messages = await sqs.receive(queue, { MaxNumberOfMessages: 10 });
  assert.equal(messages.length, 3);
  const [a, b, c] = messages.map(({ ReceiptHandle = "" }) => ReceiptHandle);
  const changed = await hideBatch(
    queue,
    { Id: "a", ReceiptHandle: a, VisibilityTimeout: 0 },
    { Id: "junk", ReceiptHandle: "junk", VisibilityTimeout: 0 },
    { Id: "far", ReceiptHandle: b, VisibilityTimeout: 43_201 },
  );
  assert.deepEqual(
    changed.Successful?.map(({ Id }) => Id),
    ["a"],
  );
  assert.deepEqual(
    changed.Failed?.map(({ Id, Code }) => `${Id} ${Code}`),
    ["junk ReceiptHandleIsInvalid", "far InvalidParameterValue"],
  );
  const deleted = await deleteBatch(
    queue,
    { Id: "b", ReceiptHandle: b },
    { Id: "junk", ReceiptHandle: "junk" },
    { Id: "c", ReceiptHandle: c },
  );
  assert.deepEqual(
    deleted.Successful?.map(({ Id }) => Id),
    ["b", "c"],
  );
  assert.deepEqual(
    deleted.Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
    [["junk", "ReceiptHandleIsInvalid", true]],
  );
  assert.deepEqual(await sqs.bodies(queue), [messages[0]?.Body], "only the one that was shown again is left");
});

test("up to ten messages come at once, one unless more are asked for", async () => {
  const queue = await sqs.queue();
  await sendBatch(queue, ...Array.from({ length: 10 }, (_, n) => ({ Id: `${n}`, MessageBody: `${n}` })));
  await sqs.send(queue, "10");
  assert.equal((await sqs.receive(queue)).length, 1);
  assert.equal((await sqs.receive(queue, { MaxNumberOfMessages: 10 })).length, 10);
  assert.deepEqual(await sqs.receive(queue), []);
  for (const MaxNumberOfMessages of [0, 11]) {
    const { message } = await refusal(sqs.receive(queue, { MaxNumberOfMessages }));
    assert.match(
      message,
      /for parameter MaxNumberOfMessages is invalid\. Reason: Must be between 1 and 10, if provided\./,
    );
  }
  const { code, message } = await refusal(sqs.receive(queue, { WaitTimeSeconds: 21 }));
  assert.equal(code, "InvalidParameterValue");
  assert.equal(
    message,
    "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
  );
  assert.equal(await names(sqs.receive(queue, { VisibilityTimeout: 43_201 })), INVALID_VALUE);
});

test("a message that is not deleted in time comes again, with another receipt handle", async () => {
  const queue = await sqs.queue({ VisibilityTimeout: "3" });
  await sqs.send(queue, "x");
  const first = await sqs.next(queue);
  assert.deepEqual(await sqs.receive(queue), [], "it is hidden meanwhile");
  const second = await sqs.next(queue, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
  assert.equal(second.MessageId, first.MessageId);
  assert.notEqual(second.ReceiptHandle, first.ReceiptHandle);
  assert.equal(second.Attributes?.ApproximateReceiveCount, "2");
  await sqs.remove(queue, first);
  await sqs.remove(queue, second);
});

test("a receive says itself for how long it hides what it takes", async () => {
  const queue = await sqs.queue({ VisibilityTimeout: "0" });
  await sqs.send(queue, "x");
  await sqs.next(queue, { VisibilityTimeout: 0 });
  await sqs.next(queue, { VisibilityTimeout: 30 });
  assert.deepEqual(await sqs.receive(queue), []);
});

test("the visibility of one receive can be made longer, shorter, or ended at once", async () => {
  const queue = await sqs.queue({ VisibilityTimeout: "2" });
  await sqs.send(queue, "x");
  const message = await sqs.next(queue);
  await sqs.hide(queue, message, 30);
  assert.deepEqual(await sqs.receive(queue, { WaitTimeSeconds: 3 }), [], "longer than the queue's time");
  await sqs.hide(queue, message, 0);
  const again = await sqs.next(queue, { VisibilityTimeout: 30 });
  assert.equal(again.MessageId, message.MessageId);
  for (const timeout of [-1, 43_201]) assert.equal(await names(sqs.hide(queue, again, timeout)), INVALID_VALUE);
  await sqs.remove(queue, again);
  const gone = await refusal(sqs.hide(queue, again, 10));
  assert.equal(gone.code, "InvalidParameterValue");
  assert.match(gone.message, /Reason: Message does not exist or is not available for visibility timeout change\.$/);
});

test("a receipt handle works more than once, and only a receipt handle does", async () => {
  const queue = await sqs.queue();
  await sqs.send(queue, "x");
  const message = await sqs.next(queue);
  await sqs.remove(queue, message);
  await sqs.remove(queue, message);
  const { name, code, message: says } = await refusal(sqs.remove(queue, { ReceiptHandle: "junk" }));
  assert.equal(`${name} ${code}`, "ReceiptHandleIsInvalid ReceiptHandleIsInvalid");
  assert.equal(says, 'The input receipt handle "junk" is not a valid receipt handle.');
  assert.equal((await refusal(sqs.hide(queue, { ReceiptHandle: "junk" }, 0))).name, "ReceiptHandleIsInvalid");
});

test("a delayed message comes when its time has come, be the delay its own or the queue's", async () => {
  const queue = await sqs.queue({ DelaySeconds: "3" });
  const from = performance.now();
  await sqs.send(queue, "queue's");
  await sqs.send(queue, "own", { DelaySeconds: 0 });
  assert.deepEqual(await sqs.bodies(queue), ["own"]);
  assert.equal((await sqs.next(queue)).Body, "queue's");
  assert.ok(performance.now() - from >= 2_950, "not before");
  const { message } = await refusal(sqs.send(queue, "x", { DelaySeconds: 901 }));
  assert.match(message, /^Value 901 for parameter DelaySeconds is invalid\./);
});

test("who waits is answered by the first message that is sent, and takes no longer", async () => {
  const queue = await sqs.queue();
  const from = performance.now();
  const waiting = sqs.receive(queue, { WaitTimeSeconds: 20, MaxNumberOfMessages: 10 });
  await wait(200);
  await sqs.send(queue, "now");
  assert.deepEqual(
    (await waiting).map(({ Body }) => Body),
    ["now"],
  );
  assert.ok(performance.now() - from < 10_000);
});

test("who waits for nothing is told so after the time, which the queue may say", async () => {
  const queue = await sqs.queue({ ReceiveMessageWaitTimeSeconds: "3" });
  const took = async (more: object) => {
    const from = performance.now();
    assert.deepEqual(await sqs.receive(queue, more), []);
    return performance.now() - from;
  };
  assert.ok((await took({})) >= 2_950);
  assert.ok((await took({ WaitTimeSeconds: 0 })) < 2_500, "an explicit 0 does not wait");
});

test("of two who wait each gets a message of its own", async () => {
  const queue = await sqs.queue();
  const waiting = [1, 2].map(() => sqs.next(queue, { WaitTimeSeconds: 20 }));
  await wait(100);
  const { MessageId } = await sqs.send(queue, "one");
  const first = await Promise.race(waiting);
  assert.equal(first.MessageId, MessageId);
  await sqs.send(queue, "two");
  const bodies = (await Promise.all(waiting)).map(bodyOf);
  assert.deepEqual(bodies.toSorted(), ["one", "two"]);
});

test("who hangs up takes no message along", async () => {
  const queue = await sqs.queue();
  const hangUp = new AbortController();
  const poll = new ReceiveMessageCommand({ QueueUrl: queue, WaitTimeSeconds: 20 });
  const waiting = sqs.client.send(poll, { abortSignal: hangUp.signal });
  await wait(200);
  hangUp.abort();
  assert.equal((await refusal(waiting)).name, "AbortError");
  await wait(100);
  await sqs.send(queue, "x");
  const { Attributes } = await sqs.next(queue, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
  assert.equal(Attributes?.ApproximateReceiveCount, "1");
});
