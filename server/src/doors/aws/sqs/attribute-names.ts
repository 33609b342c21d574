/** How SQS names the attributes of queues that have another name here. */
export const ATTRIBUTE_NAMES: Readonly<Record<string, string>> = {
  visibilityMs: "VisibilityTimeout",
  delayMs: "DelaySeconds",
  messageBytesMax: "MaximumMessageSize",
  retentionMs: "MessageRetentionPeriod",
  waitMs: "ReceiveMessageWaitTimeSeconds",
  redrive: "RedrivePolicy",
  redriveAllow: "RedriveAllowPolicy",
  fifo: "FifoQueue",
  contentDedup: "ContentBasedDeduplication",
  dedupScope: "DeduplicationScope",
  throughput: "FifoThroughputLimit",
};
