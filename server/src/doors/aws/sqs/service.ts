import type { AwsFault } from "#doors/aws/fault.ts";
import { type AwsService, tableOf } from "#doors/aws/service.ts";
import { DELETE_ACTIONS } from "#doors/aws/sqs/delete.ts";
import { invalidParameter, missingParameter } from "#doors/aws/sqs/faults.ts";
import { MOVE_ACTIONS } from "#doors/aws/sqs/move.ts";
import { QUEUE_ACTIONS } from "#doors/aws/sqs/queues.ts";
import { RECEIVE_ACTIONS } from "#doors/aws/sqs/receive.ts";
import { SEND_ACTIONS } from "#doors/aws/sqs/send.ts";
import { TAG_ACTIONS } from "#doors/aws/sqs/tags.ts";

/** SQS: JSON 1.0 and Query of 2012-11-05. */
export const SQS: AwsService = {
  name: "sqs",
  title: "SQS",
  target: "AmazonSQS",
  jsonType: "application/x-amz-json-1.0",
  namespace: "com.amazonaws.sqs#",
  xmlns: "http://queue.amazonaws.com/doc/2012-11-05/",
  actions: tableOf([
    ...SEND_ACTIONS,
    ...RECEIVE_ACTIONS,
    ...DELETE_ACTIONS,
    ...QUEUE_ACTIONS,
    ...TAG_ACTIONS,
    ...MOVE_ACTIONS,
  ]),
  missing: missingParameter,
  invalid: (member, says): AwsFault => invalidParameter(`The parameter ${member} is invalid. Reason: ${says}`),
};
