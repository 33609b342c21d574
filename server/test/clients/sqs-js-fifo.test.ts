import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import {
  PurgeQueueCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SendMessageCommandInput,
} from "@aws-sdk/client-sqs";
import { type Attributes, INVALID_VALUE, MISSING, names, refusal, SqsHome } from "./sqs-home.ts";

/** The unchanged AWS SDK for JavaScript v3 against the whole program: order, groups and deduplication of FIFO queues. */
let sqs: SqsHome;
before(async () => {
  sqs = await SqsHome.open();
});
after(() => sqs[Symbol.asyncDispose]());

const content = (more: Attributes = {}) => sqs.fifo({ ContentBasedDeduplication: "true", ...more });
const send = (queue: string, MessageGroupId: string, body: string, more: Partial<SendMessageCommandInput> = {}) =>
  sqs.send(queue, body, { MessageGroupId, ...more });
const sendBatch = (QueueUrl: string, ...Entries: SendMessageBatchRequestEntry[]) =>
  sqs.client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
const many = { MaxNumberOfMessages: 10 };

test("messages of a group are received in the order in which they were sent", async () => {
  const queue = await content();
  const numbers: bigint[] = [];
  for (const body of ["1", "2", "3", "4"]) {
    const { SequenceNumber = "" } = await send(queue, "g", body);
    assert.match(SequenceNumber, /^\d{1,20}$/);
    numbers.push(BigInt(SequenceNumber));
  }
  const rising = numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? number));
  assert.ok(rising, "each is larger than the one before");
  assert.deepEqual(await sqs.bodies(queue), ["1", "2", "3", "4"]);
});

test("a batch keeps the order of its entries", async () => {
  const queue = await content();
  const bodies = Array.from({ length: 10 }, (_, n) => `b${n}`);
  const { Successful = [] } = await sendBatch(
    queue,
    ...bodies.map((MessageBody) => ({ Id: MessageBody, MessageBody, MessageGroupId: "g" })),
  );
  assert.equal(Successful.length, 10);
  const numbers = Successful.map(({ SequenceNumber }) => Number(SequenceNumber));
  assert.deepEqual(
    numbers.toSorted((one, other) => one - other),
    numbers,
  );
  assert.deepEqual(await sqs.bodies(queue), bodies);
});

test("while a message of a group is in flight, none behind it is given out, but those of other groups are", async () => {
  const queue = await content();
  await send(queue, "a", "a1");
  await send(queue, "a", "a2");
  await send(queue, "b", "b1");
  const a1 = await sqs.next(queue);
  assert.equal(a1.Body, "a1");
  assert.deepEqual(await sqs.bodies(queue), ["b1"]);
  assert.deepEqual(await sqs.bodies(queue), []);
  await sqs.remove(queue, a1);
  assert.deepEqual(await sqs.bodies(queue), ["a2"]);
});

test("a receive that waits is answered when the message in front of its group is deleted", async () => {
  const queue = await content();
  await send(queue, "g", "1");
  await send(queue, "g", "2");
  const first = await sqs.next(queue);
  const waiting = sqs.next(queue, { WaitTimeSeconds: 20 });
  await sqs.remove(queue, first);
  assert.equal((await waiting).Body, "2");
});

test("what is shown again comes first again", async () => {
  const queue = await content();
  for (const body of ["1", "2", "3"]) await send(queue, "g", body);
  const first = await sqs.next(queue);
  await sqs.hide(queue, first, 0);
  assert.deepEqual(await sqs.bodies(queue), ["1", "2", "3"]);
});

test("a group goes on with its oldest message when time has run out", async () => {
  const queue = await content({ VisibilityTimeout: "1" });
  await send(queue, "g", "1");
  await send(queue, "g", "2");
  assert.equal((await sqs.next(queue)).Body, "1");
  const attributes = { MessageSystemAttributeNames: ["ApproximateReceiveCount" as const] };
  const again = await sqs.next(queue, attributes);
  assert.equal(`${again.Body} ${again.Attributes?.ApproximateReceiveCount}`, "1 2");
});

test("of several that one receive took, those that are not deleted stay first in line", async () => {
  const queue = await content();
  for (const body of ["1", "2", "3", "4"]) await send(queue, "g", body);
  const taken = await sqs.receive(queue, { MaxNumberOfMessages: 3 });
  assert.deepEqual(
    taken.map(({ Body }) => Body),
    ["1", "2", "3"],
  );
  const [one, two, three] = taken;
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  await sqs.remove(queue, two);
  assert.deepEqual(await sqs.bodies(queue), [], "two of them are still in flight");
  await sqs.hide(queue, three, 0);
  await sqs.hide(queue, one, 0);
  assert.deepEqual(await sqs.bodies(queue), ["1", "3", "4"]);
});

test("a group and a deduplication id are needed", async () => {
  const queue = await sqs.fifo();
  const noGroup = await refusal(sqs.send(queue, "x", { MessageDeduplicationId: "1" }));
  assert.equal(`${noGroup.name} ${noGroup.code}`, MISSING);
  assert.equal(noGroup.message, "The request must contain the parameter MessageGroupId.");
  const noId = await refusal(send(queue, "g", "x"));
  assert.equal(noId.code, "InvalidParameterValue");
  assert.match(
    noId.message,
    /^The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId/,
  );
  const half = sendBatch(
    queue,
    { Id: "a", MessageBody: "a", MessageGroupId: "g", MessageDeduplicationId: "1" },
    { Id: "b", MessageBody: "b", MessageGroupId: "g" },
  );
  assert.equal(await names(half), INVALID_VALUE);
  assert.deepEqual(await sqs.bodies(queue), [], "nothing of the batch was kept");
});

test("ids have at most 128 letters, digits and punctuation", async () => {
  const queue = await sqs.fifo();
  const good = "!~aZ0".padEnd(128, "-");
  await send(queue, good, "x", { MessageDeduplicationId: good });
  const names_ = ["MessageGroupId", "MessageDeduplicationId"] as const;
  const { Attributes } = await sqs.next(queue, { MessageSystemAttributeNames: [...names_] });
  assert.deepEqual(Attributes, { MessageGroupId: good, MessageDeduplicationId: good });
  for (const bad of [`${good}x`, "a b", "ü"]) {
    assert.equal(await names(send(queue, bad, "x", { MessageDeduplicationId: "1" })), INVALID_VALUE);
    assert.equal(await names(send(queue, "g", "x", { MessageDeduplicationId: bad })), INVALID_VALUE);
  }
});

test("an id that was sent already is answered like the first time, and kept once", async () => {
  const queue = await sqs.fifo();
  const first = await send(queue, "g", "first", { MessageDeduplicationId: "1" });
  const again = await send(queue, "another", "second", { MessageDeduplicationId: "1" });
  assert.deepEqual([again.MessageId, again.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  const message = await sqs.next(queue);
  assert.equal(message.Body, "first");
  await sqs.remove(queue, message);
  await send(queue, "g", "third", { MessageDeduplicationId: "1" });
  assert.deepEqual(await sqs.bodies(queue), [], "also when it was received and deleted");
});

test("with deduplication by content the body is the id, unless one is given", async () => {
  const queue = await content();
  await send(queue, "g", "same");
  await send(queue, "g", "same", { MessageAttributes: { a: { DataType: "String", StringValue: "1" } } });
  await send(queue, "g", "same", { MessageDeduplicationId: "own" });
  const hash = createHash("sha256").update("known").digest("hex");
  await send(queue, "g", "by hand", { MessageDeduplicationId: hash });
  await send(queue, "g", "known");
  const received = await sqs.receive(queue, { ...many, MessageSystemAttributeNames: ["MessageDeduplicationId"] });
  assert.deepEqual(
    received.map(({ Body, Attributes }) => [Body, Attributes?.MessageDeduplicationId]),
    [
      ["same", createHash("sha256").update("same").digest("hex")],
      ["same", "own"],
      ["by hand", hash],
    ],
  );
});

test("where each group deduplicates for itself, another group may use the same id", async () => {
  const queue = await sqs.fifo({ DeduplicationScope: "messageGroup" });
  for (const group of ["a", "b", "a"]) await send(queue, group, group, { MessageDeduplicationId: "1" });
  assert.deepEqual((await sqs.bodies(queue)).toSorted(), ["a", "b"]);
});

test("a purge forgets which ids were sent", async () => {
  const queue = await sqs.fifo();
  await send(queue, "g", "before", { MessageDeduplicationId: "1" });
  await sqs.client.send(new PurgeQueueCommand({ QueueUrl: queue }));
  await send(queue, "g", "after", { MessageDeduplicationId: "1" });
  assert.deepEqual(await sqs.bodies(queue), ["after"]);
});

test("a delay is the queue's alone", async () => {
  const queue = await content({ DelaySeconds: "3" });
  assert.equal(await names(send(queue, "g", "x", { DelaySeconds: 5 })), INVALID_VALUE);
  await send(queue, "g", "1", { DelaySeconds: 0 });
  assert.deepEqual(await sqs.bodies(queue), []);
  assert.equal((await sqs.next(queue)).Body, "1");
});

test("a receipt is of no use when its time has run out", async () => {
  const queue = await content({ VisibilityTimeout: "1" });
  await send(queue, "g", "1");
  const late = await sqs.next(queue);
  const now = await sqs.next(queue, { VisibilityTimeout: 30 });
  const { code, message } = await refusal(sqs.remove(queue, late));
  assert.equal(code, "InvalidParameterValue");
  assert.match(message, /Reason: The receipt handle has expired\.$/);
  await sqs.remove(queue, now);
});
