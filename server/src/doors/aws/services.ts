import type { AwsService } from "#doors/aws/service.ts";
import { EVENTBRIDGE } from "#doors/aws/eventbridge/service.ts";
import { SQS } from "#doors/aws/sqs/service.ts";

export { SQS };

/** What this door serves, by the word before the dot in `X-Amz-Target`. */
export const SERVICES: ReadonlyMap<string, AwsService> = new Map(
  [SQS, EVENTBRIDGE].map((service) => [service.target, service]),
);
