import type { AwsFault } from "#doors/aws/fault.ts";
import type { AwsCall } from "#doors/aws/service.ts";
import { missingParameter } from "#doors/aws/sqs/faults.ts";
import { ACCOUNT_ID, arnText, parseArn } from "#domain/arn.ts";

/**
 * The queue that a call means: the last part of its URL, whatever its host, or a bare name; older SDKs say it by the path
 * of the call.
 */
export function queueName(queueUrl: string | undefined, { pathQueue, about }: AwsCall): string | AwsFault {
  const name = queueUrl === undefined || queueUrl === "" ? pathQueue : queueUrl.slice(queueUrl.lastIndexOf("/") + 1);
  if (name === null) return missingParameter("QueueUrl");
  about({ "messaging.destination.name": name });
  return name;
}

export function queueUrl(name: string, { baseUrl }: AwsCall): string {
  return `${baseUrl()}/${ACCOUNT_ID}/${name}`;
}

export function queueArn(name: string, region: string): string {
  return arnText({ kind: "queue", name }, region);
}

/** Null: it is not the ARN of a queue. */
export function queueOfArn(arn: string): string | null {
  const parsed = parseArn(arn);
  return parsed?.kind === "queue" ? parsed.name : null;
}
