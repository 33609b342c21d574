import type { AwsFault } from "#doors/aws/fault.ts";
import { invalidParameter } from "#doors/aws/sqs/faults.ts";
import { queueArn, queueOfArn } from "#doors/aws/sqs/place.ts";
import { readJson } from "#doors/http/json-text.ts";
import type { JsonObject } from "#domain/json.ts";
import type { QueueAttributesAsk, Redrive, RedriveAllow } from "#queues/queue.ts";

/** `{"deadLetterTargetArn":"arn…","maxReceiveCount":5}`; an empty text removes the policy. */
export function readRedrive(text: string): QueueAttributesAsk | AwsFault {
  if (text === "") return { redrive: null };
  const policy = objectIn(text);
  if (policy === null) return wrong(text, "RedrivePolicy", "Redrive policy is not a valid JSON map.");
  const { deadLetterTargetArn, maxReceiveCount } = policy;
  for (const [name, value] of Object.entries({ deadLetterTargetArn, maxReceiveCount })) {
    const says = `Redrive policy does not contain mandatory attribute: ${name}.`;
    if (value === undefined || value === null) return wrong(text, "RedrivePolicy", says);
  }
  const deadLetterQueue = typeof deadLetterTargetArn === "string" ? queueOfArn(deadLetterTargetArn) : null;
  if (deadLetterQueue === null) return wrong(text, "RedrivePolicy", "Invalid value for deadLetterTargetArn.");
  const receiveMax = wholeIn(maxReceiveCount);
  if (receiveMax === null) {
    const says = `Invalid value for maxReceiveCount: ${JSON.stringify(maxReceiveCount)}, valid values are from 1 to 1000 both inclusive.`;
    return wrong(text, "RedrivePolicy", says);
  }
  return { redrive: { deadLetterQueue, receiveMax } };
}

export function redriveText(redrive: Redrive | null, region: string): string | null {
  if (redrive === null) return null;
  const { deadLetterQueue, receiveMax } = redrive;
  return JSON.stringify({ deadLetterTargetArn: queueArn(deadLetterQueue, region), maxReceiveCount: receiveMax });
}

/** `{"redrivePermission":"byQueue","sourceQueueArns":["arn…"]}`; an empty text removes the policy. */
export function readAllow(text: string): QueueAttributesAsk | AwsFault {
  if (text === "") return { redriveAllow: null };
  const policy = objectIn(text);
  if (policy === null) return wrong(text, "RedriveAllowPolicy", "Redrive allow policy is not a valid JSON map.");
  const { redrivePermission, sourceQueueArns } = policy;
  switch (redrivePermission) {
    case "allowAll":
    case "denyAll":
      if (sourceQueueArns !== undefined) {
        return wrong(text, "RedriveAllowPolicy", "sourceQueueArns goes with redrivePermission byQueue only.");
      }
      return { redriveAllow: { allow: redrivePermission === "allowAll" ? "all" : "none" } };
    case "byQueue": {
      const sources = Array.isArray(sourceQueueArns)
        ? sourceQueueArns.map((arn) => (typeof arn === "string" ? queueOfArn(arn) : null))
        : [];
      const known = sources.filter((name) => name !== null);
      if (known.length < sources.length) {
        return wrong(text, "RedriveAllowPolicy", "sourceQueueArns must be a list of queue ARNs.");
      }
      return { redriveAllow: { allow: "by-queue", sources: known } };
    }
    default:
      return wrong(text, "RedriveAllowPolicy", "redrivePermission must be allowAll, denyAll or byQueue.");
  }
}

export function allowText(allow: RedriveAllow | null, region: string): string | null {
  if (allow === null) return null;
  if (allow.allow !== "by-queue") {
    return JSON.stringify({ redrivePermission: allow.allow === "all" ? "allowAll" : "denyAll" });
  }
  const sourceQueueArns = allow.sources.map((name) => queueArn(name, region));
  return JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns });
}

function objectIn(text: string): JsonObject | null {
  const json = readJson(text);
  return json.ok && typeof json.value === "object" && json.value !== null && !Array.isArray(json.value)
    ? // What is an object and no array is one of JSON's.
      (json.value as JsonObject)
    : null;
}

/** A number, or one in a text. */
function wholeIn(value: unknown): number | null {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && /^-?\d{1,9}$/.test(text) ? Number(text) : null;
}

function wrong(text: string, attribute: string, reason: string): AwsFault {
  return invalidParameter(`Value ${text} for parameter ${attribute} is invalid. Reason: ${reason}`);
}
