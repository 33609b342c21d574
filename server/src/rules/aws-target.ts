import { isJsonObject, type JsonObject } from "#domain/json.ts";
import { EVENT_AGE_MS_MAX, EVENT_AGE_MS_MIN, INPUT_CHARS_MAX, RETRY_ATTEMPTS_MAX } from "#rules/limits.ts";
import { constraint, lengthFlaw, targetIdFlaw } from "#rules/names.ts";
import type { Target, TargetInput } from "#rules/rule.ts";

export type TargetRead =
  | { readonly kind: "target"; readonly target: Target }
  | { readonly kind: "invalid"; readonly says: string };

/**
 * Reads a target in EventBridge's form (aws-ingest.md §9.4). What we have no use for (`RoleArn`, `HttpParameters`) is kept
 * and shown again.
 * @param place among those that were put, from 1, for the sentence.
 */
export function readAwsTarget(put: JsonObject, place: number): TargetRead {
  const at = `targets.${place}.member`;
  const { Id: id, Arn: arn, DeadLetterConfig: letters, SqsParameters: sqs } = put;
  if (typeof id !== "string") return invalid(constraint(id ?? "null", `${at}.id`, "Member must not be null"));
  if (typeof arn !== "string") return invalid(constraint(arn ?? "null", `${at}.arn`, "Member must not be null"));
  const says = targetIdFlaw(id, place) ?? lengthFlaw(arn, `${at}.arn`, 1, ARN_CHARS_MAX);
  if (says !== null) return invalid(says);
  const input = readInput(put, id, at);
  if (typeof input === "string") return invalid(input);
  const retry = readRetry(put["RetryPolicy"], at);
  if (typeof retry === "string") return invalid(retry);
  const deadLetterArn = memberOf(letters, "Arn");
  const messageGroupId = memberOf(sqs, "MessageGroupId");
  return {
    kind: "target",
    target: { id, arn, input, retry, deadLetterArn, messageGroupId, asPut: put, asWritten: null },
  };
}

/** Tries and age when nothing is said of them: EventBridge's. */
export const RETRY_DEFAULT = { attemptsMax: RETRY_ATTEMPTS_MAX, ageMaxMs: EVENT_AGE_MS_MAX } as const;

const ARN_CHARS_MAX = 1_600;
const PATH_CHARS_MAX = 256;

function invalid(says: string): TargetRead {
  return { kind: "invalid", says };
}

function memberOf(value: unknown, name: string): string | null {
  const member = isJsonObject(value) ? value[name] : undefined;
  return typeof member === "string" ? member : null;
}

/** What it is told, or what is wrong with that. */
function readInput(put: JsonObject, id: string, at: string): TargetInput | string {
  const { Input: text, InputPath: path, InputTransformer: transformer } = put;
  if ([text, path, transformer].filter((one) => one !== undefined && one !== null).length > 1) {
    return `Only one of Input, InputPath, or InputTransformer must be provided for target ${id}.`;
  }
  if (typeof text === "string") {
    return lengthFlaw(text, `${at}.input`, 0, INPUT_CHARS_MAX) ?? { kind: "text", text };
  }
  if (typeof path === "string") {
    return lengthFlaw(path, `${at}.inputPath`, 0, PATH_CHARS_MAX) ?? { kind: "path", path: path === "" ? "$" : path };
  }
  if (!isJsonObject(transformer)) return { kind: "event" };
  const { InputPathsMap: map = {}, InputTemplate: template } = transformer;
  if (typeof template !== "string") {
    return constraint("null", `${at}.inputTransformer.inputTemplate`, "Member must not be null");
  }
  const says = lengthFlaw(template, `${at}.inputTransformer.inputTemplate`, 1, INPUT_CHARS_MAX);
  if (says !== null) return says;
  const paths: Record<string, string> = {};
  for (const [name, value] of Object.entries(isJsonObject(map) ? map : {})) paths[name] = String(value);
  return { kind: "transformer", paths, template };
}

function readRetry(policy: unknown, at: string): Target["retry"] | string {
  if (!isJsonObject(policy)) return RETRY_DEFAULT;
  const { MaximumRetryAttempts: attempts, MaximumEventAgeInSeconds: seconds } = policy;
  const attemptsMax = typeof attempts === "number" ? attempts : RETRY_DEFAULT.attemptsMax;
  const ageMaxMs = typeof seconds === "number" ? seconds * 1_000 : RETRY_DEFAULT.ageMaxMs;
  return (
    rangeFlaw(attemptsMax, `${at}.retryPolicy.maximumRetryAttempts`, 0, RETRY_ATTEMPTS_MAX) ??
    rangeFlaw(
      ageMaxMs / 1_000,
      `${at}.retryPolicy.maximumEventAgeInSeconds`,
      EVENT_AGE_MS_MIN / 1_000,
      EVENT_AGE_MS_MAX / 1_000,
    ) ?? { attemptsMax, ageMaxMs }
  );
}

function rangeFlaw(value: number, place: string, min: number, max: number): string | null {
  if (!Number.isInteger(value) || value > max) {
    return constraint(value, place, `Member must have value less than or equal to ${max}`);
  }
  return value < min ? constraint(value, place, `Member must have value greater than or equal to ${min}`) : null;
}
