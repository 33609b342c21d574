import assert from "node:assert/strict";
import { test } from "node:test";
import { GetQueueAttributesCommand, ListQueueTagsCommand, TagQueueCommand } from "@aws-sdk/client-sqs";
import { arnOf, bodyOf, SqsHome } from "./sqs-home.ts";

/** What an SQS client finds after the program was killed and started again. */

test("what was in flight stays with who has it, and what was visible or delayed is all there", async () => {
  await using sqs = await SqsHome.open();
  const queue = await sqs.queue({ VisibilityTimeout: "300" });
  await sqs.client.send(new TagQueueCommand({ QueueUrl: queue, Tags: { team: "shop" } }));
  for (let n = 0; n < 20; n += 1) await sqs.send(queue, `m${n}`);
  await sqs.send(queue, "delayed", { DelaySeconds: 900 });
  const [deleted, inFlight, ...others] = await sqs.receive(queue, { MaxNumberOfMessages: 5 });
  assert.ok(deleted !== undefined && inFlight !== undefined && others.length === 3);
  await sqs.remove(queue, deleted);

  await sqs.killAndStart();
  assert.deepEqual((await sqs.client.send(new ListQueueTagsCommand({ QueueUrl: queue }))).Tags, { team: "shop" });
  const asked = new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ["All"] });
  const { Attributes } = await sqs.client.send(asked);
  assert.equal(Attributes?.ApproximateNumberOfMessages, "15");
  assert.equal(Attributes?.ApproximateNumberOfMessagesNotVisible, "4");
  assert.equal(Attributes?.ApproximateNumberOfMessagesDelayed, "1");
  const found = [...(await sqs.bodies(queue)), ...(await sqs.bodies(queue))];
  const held = [inFlight, ...others].map(bodyOf);
  const visible = Array.from({ length: 20 }, (_, n) => `m${n}`).filter((body) => {
    return body !== bodyOf(deleted) && !held.includes(body);
  });
  assert.deepEqual(found.toSorted(), visible.toSorted());
  await sqs.remove(queue, inFlight);
  for (const message of others) await sqs.hide(queue, message, 0);
  const again = await sqs.receive(queue, {
    MaxNumberOfMessages: 10,
    MessageSystemAttributeNames: ["ApproximateReceiveCount"],
  });
  assert.deepEqual(again.map(bodyOf).toSorted(), others.map(bodyOf).toSorted());
  for (const message of again) assert.equal(message.Attributes?.ApproximateReceiveCount, "2");
});

test("time goes on while the program is down, for what is in flight and for what is delayed", async () => {
  await using sqs = await SqsHome.open();
  const [queue, late] = [await sqs.queue({ VisibilityTimeout: "2" }), await sqs.queue()];
  await sqs.send(queue, "x");
  await sqs.send(late, "late", { DelaySeconds: 2 });
  const first = await sqs.next(queue);
  await sqs.killAndStart();
  const again = await sqs.next(queue);
  assert.equal(again.MessageId, first.MessageId);
  assert.equal((await sqs.next(late)).Body, "late");
});

test("groups keep their order and their locks, and ids that were sent are still known", async () => {
  await using sqs = await SqsHome.open();
  const queue = await sqs.fifo();
  const send = (group: string, body: string) =>
    sqs.send(queue, body, { MessageGroupId: group, MessageDeduplicationId: body });
  const before = await send("a", "a1");
  for (const body of ["a2", "a3"]) await send("a", body);
  await send("b", "b1");
  const a1 = await sqs.next(queue);
  assert.equal(a1.Body, "a1");

  await sqs.killAndStart();
  const again = await send("a", "a1");
  assert.equal(again.MessageId, before.MessageId);
  await send("a", "a4");
  assert.deepEqual(await sqs.bodies(queue), ["b1"], "the group of what is in flight waits");
  await sqs.remove(queue, a1);
  assert.deepEqual(await sqs.bodies(queue), ["a2", "a3", "a4"]);
});

test("how often a message was received is not forgotten, so that it becomes a dead letter in time", async () => {
  await using sqs = await SqsHome.open();
  const dead = await sqs.queue();
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf(dead), maxReceiveCount: 2 });
  const queue = await sqs.queue({ RedrivePolicy, VisibilityTimeout: "0" });
  await sqs.send(queue, "poison");
  await sqs.next(queue);
  await sqs.killAndStart();
  await sqs.next(queue);
  assert.deepEqual(await sqs.receive(queue), []);
  assert.equal((await sqs.next(dead)).Body, "poison");
});
