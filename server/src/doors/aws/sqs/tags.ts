import { AwsFault } from "#doors/aws/fault.ts";
import { action } from "#doors/aws/service.ts";
import { list, required, structure, text } from "#doors/aws/shape.ts";
import { nothing } from "#doors/aws/sqs/delete.ts";
import { sqsFault } from "#doors/aws/sqs/faults.ts";
import { queueName } from "#doors/aws/sqs/place.ts";
import { QUEUE_URL, TAGS } from "#doors/aws/sqs/shapes.ts";

const tagQueue = action({
  name: "TagQueue",
  scope: "full",
  input: structure({ ...QUEUE_URL, Tags: required(TAGS) }),
  output: null,
  run: async ({ QueueUrl, Tags }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const change = { set: Object.fromEntries(Tags), remove: [] };
    return nothing(await call.house.queues.tag(queue, change, call.traceparent), call);
  },
});

const untagQueue = action({
  name: "UntagQueue",
  scope: "full",
  input: structure({ ...QUEUE_URL, TagKeys: required(list("TagKey", text)) }),
  output: null,
  run: async ({ QueueUrl, TagKeys }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    return nothing(await call.house.queues.tag(queue, { set: {}, remove: TagKeys }, call.traceparent), call);
  },
});

const listQueueTags = action({
  name: "ListQueueTags",
  scope: "read",
  input: structure(QUEUE_URL),
  output: structure({ Tags: TAGS }),
  run: async ({ QueueUrl }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const found = await call.house.queues.get(queue);
    if (found.kind === "fault") return sqsFault(found, call);
    const { tags } = found.queue;
    return Object.keys(tags).length === 0 ? {} : { Tags: tags };
  },
});

export const TAG_ACTIONS = [tagQueue, untagQueue, listQueueTags];
