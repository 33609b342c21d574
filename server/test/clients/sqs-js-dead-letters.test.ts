import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CancelMessageMoveTaskCommand,
  GetQueueAttributesCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  SetQueueAttributesCommand,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { until } from "../support/until.ts";
import { arnOf, INVALID_VALUE, names, refusal, SqsHome } from "./sqs-home.ts";

/** The unchanged AWS SDK for JavaScript v3 against the whole program: dead letters, and moving them back. */
let sqs: SqsHome;
before(async () => {
  sqs = await SqsHome.open();
});
after(() => sqs[Symbol.asyncDispose]());

const policy = (target: string, maxReceiveCount: number | string = 1) =>
  JSON.stringify({ deadLetterTargetArn: arnOf(target), maxReceiveCount });

/** A queue, and the one that its dead letters go to. */
async function pair(maxReceiveCount = 1, kind: "queue" | "fifo" = "queue") {
  const dead = await sqs[kind]();
  const more = kind === "fifo" ? { ContentBasedDeduplication: "true" } : {};
  return { dead, queue: await sqs[kind]({ ...more, RedrivePolicy: policy(dead, maxReceiveCount) }) };
}

/** Receives what is there once and shows it again at once, so that the next receive is one too many. */
async function fail(queue: string): Promise<void> {
  assert.equal((await sqs.receive(queue, { VisibilityTimeout: 0 })).length, 1);
}

const start = (source: string, to?: string, MaxNumberOfMessagesPerSecond?: number) =>
  sqs.client.send(
    new StartMessageMoveTaskCommand({
      SourceArn: arnOf(source),
      ...(to === undefined ? {} : { DestinationArn: arnOf(to) }),
      ...(MaxNumberOfMessagesPerSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond }),
    }),
  );
const moves = async (source: string, MaxResults = 10) =>
  (await sqs.client.send(new ListMessageMoveTasksCommand({ SourceArn: arnOf(source), MaxResults }))).Results ?? [];
const moved = (source: string) =>
  until("the task has ended", async () => {
    const [task] = await moves(source, 1);
    return task?.Status === "COMPLETED" ? task : null;
  });

test("a message that was received too often is in the other queue, as it was, and its count goes on", async () => {
  const { queue, dead } = await pair(2);
  const MessageAttributes = { kind: { DataType: "String", StringValue: "order" } };
  const { MessageId } = await sqs.send(queue, "poison", { MessageAttributes });
  const { Attributes: before } = await sqs.next(queue, { VisibilityTimeout: 0, MessageSystemAttributeNames: ["All"] });
  await fail(queue);
  assert.deepEqual(await sqs.receive(queue), [], "a third time it is not received");
  const found = await sqs.next(dead, { MessageSystemAttributeNames: ["All"], MessageAttributeNames: ["All"] });
  assert.deepEqual([found.MessageId, found.Body, found.MessageAttributes], [MessageId, "poison", MessageAttributes]);
  assert.equal(found.Attributes?.DeadLetterQueueSourceArn, arnOf(queue));
  assert.equal(found.Attributes?.ApproximateReceiveCount, "3");
  assert.equal(found.Attributes?.SentTimestamp, before?.SentTimestamp, "it is as old as it was");
});

test("one that is received too often does not keep a receiver from the others", async () => {
  const { queue } = await pair(1);
  await sqs.send(queue, "poison");
  await fail(queue);
  await sqs.send(queue, "good");
  assert.equal((await sqs.next(queue)).Body, "good");
});

test("a dead letter of a FIFO queue frees its group, and keeps it", async () => {
  const { queue, dead } = await pair(1, "fifo");
  for (const body of ["poison", "good"]) await sqs.send(queue, body, { MessageGroupId: "g" });
  await fail(queue);
  assert.equal((await sqs.next(queue)).Body, "good");
  const found = await sqs.next(dead, { MessageSystemAttributeNames: ["All"] });
  assert.equal(found.Body, "poison");
  assert.equal(found.Attributes?.MessageGroupId, "g");
  assert.equal(found.Attributes?.MessageDeduplicationId, found.MessageId);
});

test("a redrive policy is kept as it was meant, changed, and taken off with an empty text", async () => {
  const dead = await sqs.queue();
  const queue = await sqs.queue({ RedrivePolicy: policy(dead, "3") });
  const told = async () => {
    const asked = new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ["RedrivePolicy"] });
    return (await sqs.client.send(asked)).Attributes?.RedrivePolicy;
  };
  assert.deepEqual(JSON.parse((await told()) ?? ""), { deadLetterTargetArn: arnOf(dead), maxReceiveCount: 3 });
  const set = (RedrivePolicy: string) =>
    sqs.client.send(new SetQueueAttributesCommand({ QueueUrl: queue, Attributes: { RedrivePolicy } }));
  await set("");
  assert.equal(await told(), undefined);
  const fifo = await sqs.fifo();
  const bad = [
    "{",
    "[]",
    "{}",
    JSON.stringify({ deadLetterTargetArn: arnOf(dead) }),
    JSON.stringify({ maxReceiveCount: 3 }),
    JSON.stringify({ deadLetterTargetArn: "elsewhere", maxReceiveCount: 3 }),
    policy(dead, 0),
    policy(dead, 1001),
    policy(dead, "many"),
    policy("nowhere"),
    policy(fifo),
    policy(queue),
  ];
  for (const text of bad) assert.equal(await names(set(text)), INVALID_VALUE, text);
  assert.match((await refusal(set(policy("nowhere")))).message, /Dead letter target does not exist\.$/);
});

test("a queue may say whose dead letters it takes", async () => {
  const dead = await sqs.queue({ RedriveAllowPolicy: '{"redrivePermission":"denyAll"}' });
  assert.equal(await names(sqs.queue({ RedrivePolicy: policy(dead) })), INVALID_VALUE);
  const queue = await sqs.queue();
  const allow = (text: object) =>
    sqs.client.send(
      new SetQueueAttributesCommand({ QueueUrl: dead, Attributes: { RedriveAllowPolicy: JSON.stringify(text) } }),
    );
  await allow({ redrivePermission: "byQueue", sourceQueueArns: [arnOf(queue)] });
  await sqs.client.send(
    new SetQueueAttributesCommand({ QueueUrl: queue, Attributes: { RedrivePolicy: policy(dead) } }),
  );
  assert.equal(await names(sqs.queue({ RedrivePolicy: policy(dead) })), INVALID_VALUE);
  for (const text of [{}, { redrivePermission: "some" }, { redrivePermission: "byQueue" }]) {
    assert.equal(await names(allow(text)), INVALID_VALUE);
  }
});

test("a queue knows whose dead letters come to it", async () => {
  const { queue, dead } = await pair();
  const other = await sqs.queue({ RedrivePolicy: policy(dead) });
  const sources = (more: { MaxResults?: number; NextToken?: string } = {}) =>
    sqs.client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead, ...more }));
  assert.deepEqual((await sources()).queueUrls, [queue, other]);
  const first = await sources({ MaxResults: 1 });
  assert.deepEqual(first.queueUrls, [queue]);
  const { queueUrls, NextToken } = await sources({ MaxResults: 1, NextToken: first.NextToken ?? "" });
  assert.deepEqual([queueUrls, NextToken], [[other], undefined]);
});

test("dead letters are moved back to where each came from, and there they begin anew", async () => {
  const { queue, dead } = await pair();
  const other = await sqs.queue({ RedrivePolicy: policy(dead) });
  for (const from of [queue, other]) {
    await sqs.send(from, `of ${from}`);
    await fail(from);
    assert.deepEqual(await sqs.receive(from), []);
  }
  const { TaskHandle = "" } = await start(dead);
  const handle = JSON.parse(Buffer.from(TaskHandle, "base64").toString()) as { sourceArn: string };
  assert.equal(handle.sourceArn, arnOf(dead));
  const task = await moved(dead);
  const { StartedTimestamp = 0, ...rest } = task;
  assert.deepEqual(rest, {
    Status: "COMPLETED",
    SourceArn: arnOf(dead),
    ApproximateNumberOfMessagesMoved: 2,
    ApproximateNumberOfMessagesToMove: 2,
  });
  assert.ok(Math.abs(StartedTimestamp - Date.now()) < 60_000, "milliseconds");
  for (const from of [queue, other]) {
    const back = await sqs.next(from, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
    assert.equal(back.Body, `of ${from}`);
    assert.equal(back.Attributes?.ApproximateReceiveCount, "1");
  }
  assert.deepEqual(await sqs.receive(dead), []);
});

test("dead letters are moved to another queue when one is named, newest task first in the list", async () => {
  const { queue, dead } = await pair();
  const elsewhere = await sqs.queue();
  await sqs.send(queue, "x");
  await fail(queue);
  assert.deepEqual(await sqs.receive(queue), []);
  await start(dead, elsewhere, 500);
  const first = await moved(dead);
  assert.deepEqual([first.DestinationArn, first.MaxNumberOfMessagesPerSecond], [arnOf(elsewhere), 500]);
  assert.equal((await sqs.next(elsewhere)).Body, "x");
  await start(dead, queue);
  await until("the second has ended", async () => (await moves(dead))[0]?.Status === "COMPLETED");
  assert.deepEqual(
    (await moves(dead)).map(({ DestinationArn }) => DestinationArn),
    [arnOf(queue), arnOf(elsewhere)],
  );
  assert.equal((await moves(dead, 1)).length, 1);
});

test("one task runs at a time, and it can be cancelled", async () => {
  const { queue, dead } = await pair();
  for (const body of ["1", "2", "3"]) {
    await sqs.send(queue, body);
    await fail(queue);
    assert.deepEqual(await sqs.receive(queue), []);
  }
  const { TaskHandle } = await start(dead, undefined, 1);
  const second = await refusal(start(dead));
  assert.equal(second.code, "InvalidParameterValue");
  assert.match(second.message, /^There is already a task running\./);
  assert.equal((await moves(dead))[0]?.TaskHandle, TaskHandle);
  const cancelled = await sqs.client.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
  assert.ok((cancelled.ApproximateNumberOfMessagesMoved ?? 9) <= 2);
  const task = await until("it is cancelled", async () => {
    const [newest] = await moves(dead);
    return newest?.Status === "CANCELLED" ? newest : null;
  });
  assert.equal(task.TaskHandle, undefined, "a task that has ended cannot be cancelled");
  const again = await refusal(sqs.client.send(new CancelMessageMoveTaskCommand({ TaskHandle })));
  assert.equal(`${again.name} ${again.status}`, "ResourceNotFoundException 404");
});

test("tasks that cannot be are refused", async () => {
  const { queue, dead } = await pair();
  const plain = await refusal(start(queue));
  assert.equal(plain.code, "InvalidParameterValue");
  assert.equal(plain.message, "Source queue must be configured as a Dead Letter Queue.");
  const nowhere = await refusal(start("nowhere"));
  assert.equal(
    `${nowhere.name} ${nowhere.code} ${nowhere.status}`,
    "ResourceNotFoundException ResourceNotFoundException 404",
  );
  assert.equal((await refusal(start(dead, "nowhere"))).name, "ResourceNotFoundException");
  assert.equal((await refusal(moves("nowhere"))).name, "ResourceNotFoundException");
  for (const rate of [0, 501]) assert.equal(await names(start(dead, queue, rate)), INVALID_VALUE);
  for (const results of [0, 11]) assert.equal(await names(moves(dead, results)), INVALID_VALUE);
  assert.equal(await names(sqs.client.send(new CancelMessageMoveTaskCommand({ TaskHandle: "junk" }))), INVALID_VALUE);
});
