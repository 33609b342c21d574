import { AwsFault } from "#doors/aws/fault.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, required, structure, text, whole } from "#doors/aws/shape.ts";
import { batchAnswer, batchFault, FAILED } from "#doors/aws/sqs/batch.ts";
import { sqsFault } from "#doors/aws/sqs/faults.ts";
import { queueName } from "#doors/aws/sqs/place.ts";
import { QUEUE_URL } from "#doors/aws/sqs/shapes.ts";
import type { Done } from "#queues/desk.ts";

const RECEIPT = { ReceiptHandle: required(text) };
const VISIBILITY = { ...RECEIPT, VisibilityTimeout: required(whole) };

const deleteMessage = action({
  name: "DeleteMessage",
  scope: "full",
  input: structure({ ...QUEUE_URL, ...RECEIPT }),
  output: null,
  run: async (input, call) => {
    const queue = queueName(input.QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    return nothing(await call.house.queues.delete(queue, input.ReceiptHandle), call);
  },
});

const changeVisibility = action({
  name: "ChangeMessageVisibility",
  scope: "full",
  input: structure({ ...QUEUE_URL, ...VISIBILITY }),
  output: null,
  run: async ({ QueueUrl, ReceiptHandle, VisibilityTimeout }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    return nothing(await call.house.queues.changeVisibility(queue, ReceiptHandle, VisibilityTimeout * 1000), call);
  },
});

const DELETE_ENTRY = "DeleteMessageBatchRequestEntry";

const deleteMessageBatch = action({
  name: "DeleteMessageBatch",
  scope: "full",
  input: structure({ ...QUEUE_URL, Entries: list(DELETE_ENTRY, structure({ Id: required(text), ...RECEIPT })) }),
  output: structure({
    Successful: list("DeleteMessageBatchResultEntry", structure({ Id: text })),
    Failed: FAILED,
  }),
  run: async (input, call) => {
    const queue = queueName(input.QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const entries = input.Entries ?? [];
    const fault = batchFault(entries, DELETE_ENTRY);
    if (fault !== null) return fault;
    const batch = await call.house.queues.deleteBatch(
      queue,
      entries.map(({ ReceiptHandle }) => ReceiptHandle),
    );
    return batch.kind === "fault" ? sqsFault(batch, call) : batchAnswer(entries, eachOf(entries, batch.results, call));
  },
});

const VISIBILITY_ENTRY = "ChangeMessageVisibilityBatchRequestEntry";

const changeVisibilityBatch = action({
  name: "ChangeMessageVisibilityBatch",
  scope: "full",
  input: structure({ ...QUEUE_URL, Entries: list(VISIBILITY_ENTRY, structure({ Id: required(text), ...VISIBILITY })) }),
  output: structure({
    Successful: list("ChangeMessageVisibilityBatchResultEntry", structure({ Id: text })),
    Failed: FAILED,
  }),
  run: async (input, call) => {
    const queue = queueName(input.QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const entries = input.Entries ?? [];
    const fault = batchFault(entries, VISIBILITY_ENTRY);
    if (fault !== null) return fault;
    const batch = await call.house.queues.changeVisibilityBatch(
      queue,
      entries.map((entry) => ({ receipt: entry.ReceiptHandle, visibilityMs: entry.VisibilityTimeout * 1000 })),
    );
    return batch.kind === "fault" ? sqsFault(batch, call) : batchAnswer(entries, eachOf(entries, batch.results, call));
  },
});

export const DELETE_ACTIONS = [deleteMessage, deleteMessageBatch, changeVisibility, changeVisibilityBatch];

function eachOf(entries: readonly { readonly Id: string }[], results: readonly Done[], call: AwsCall) {
  return results.map((result, index) =>
    result.kind === "fault" ? sqsFault(result, call) : { Id: entries[index]?.Id ?? "" },
  );
}

/** For actions that answer only that they are done. */
export function nothing(done: Done, call: AwsCall): {} | AwsFault {
  return done.kind === "fault" ? sqsFault(done, call) : {};
}
