import { type Arn, arnText } from "#domain/arn.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { RETRY_DEFAULT } from "#rules/aws-target.ts";
import type { Target, TargetInput } from "#rules/rule.ts";

/** A target as our own API, files and the command line write it; its schema is checked already. */
export type OwnTarget = {
  readonly id?: string;
  readonly queue?: string;
  /** Of a FIFO queue. */
  readonly group?: string;
  readonly webhook?: string;
  readonly bus?: string;
  /** A body of `POST /send` with `<names>` in it, and `paths` that say what they stand for. */
  readonly send?: JsonObject;
  readonly arn?: string;
  readonly input?: Json;
  readonly inputPath?: string;
  readonly transform?: { readonly paths?: Readonly<Record<string, string>>; readonly template: string };
  readonly retry?: { readonly attempts?: number; readonly ageSeconds?: number };
  readonly deadLetterQueue?: string;
};

export type OwnTargetsRead =
  | { readonly kind: "targets"; readonly targets: readonly Target[] }
  | { readonly kind: "invalid"; readonly says: string };

/** Reads the targets of one rule. Whoever gives no id gets one that says what it is: `send`, `queue-orders`. */
export function readOwnTargets(written: readonly OwnTarget[], region: string): OwnTargetsRead {
  const taken = new Set(written.flatMap(({ id }) => id ?? []));
  const targets: Target[] = [];
  for (const one of written) {
    const id = one.id ?? freeId(one, taken);
    taken.add(id);
    const target = readOne(one, id, region);
    if (typeof target === "string") return { kind: "invalid", says: `Target ${id}: ${target}` };
    targets.push(target);
  }
  return { kind: "targets", targets };
}

/** How a target is shown by our own API, however it was put. */
export function showTarget({ id, arn, input, retry, deadLetterArn, messageGroupId, asWritten }: Target): JsonObject {
  if (asWritten !== null) return asWritten;
  const { attemptsMax, ageMaxMs } = retry;
  const isDefault = attemptsMax === RETRY_DEFAULT.attemptsMax && ageMaxMs === RETRY_DEFAULT.ageMaxMs;
  return {
    id,
    arn,
    // It was checked to be JSON when it was put.
    ...(input.kind === "text" ? { input: JSON.parse(input.text) as Json } : {}),
    ...(input.kind === "path" ? { inputPath: input.path } : {}),
    ...(input.kind === "transformer" ? { transform: { paths: input.paths, template: input.template } } : {}),
    ...(isDefault ? {} : { retry: { attempts: attemptsMax, ageSeconds: ageMaxMs / 1_000 } }),
    ...(deadLetterArn === null ? {} : { deadLetterQueue: deadLetterArn }),
    ...(messageGroupId === null ? {} : { group: messageGroupId }),
  };
}

/** What is wrong, as a sentence; otherwise the target. */
function readOne(one: OwnTarget, id: string, region: string): Target | string {
  const arn = arnOf(one, region);
  if (arn === null) return "name exactly one of send, queue, webhook, bus and arn.";
  const input = inputOf(one);
  if (typeof input === "string") return input;
  const retry = {
    attemptsMax: one.retry?.attempts ?? RETRY_DEFAULT.attemptsMax,
    ageMaxMs: one.retry?.ageSeconds === undefined ? RETRY_DEFAULT.ageMaxMs : one.retry.ageSeconds * 1_000,
  };
  const letters = one.deadLetterQueue;
  const deadLetterArn =
    letters === undefined
      ? null
      : letters.startsWith("arn:")
        ? letters
        : arnText({ kind: "queue", name: letters }, region);
  const messageGroupId = one.group ?? null;
  const rest = { id, arn, input, retry, deadLetterArn, messageGroupId };
  // A checked body is JSON.
  return { ...rest, asPut: awsForm(rest), asWritten: { ...(one as JsonObject), id } };
}

function arnOf({ queue, webhook, bus, send, arn }: OwnTarget, region: string): string | null {
  const named: readonly (Arn | string | null)[] = [
    queue === undefined ? null : { kind: "queue", name: queue },
    webhook === undefined ? null : { kind: "webhook", id: webhook },
    bus === undefined ? null : { kind: "bus", name: bus },
    send === undefined ? null : { kind: "send" },
    arn ?? null,
  ];
  const [first, second] = named.filter((one) => one !== null);
  if (first === undefined || second !== undefined) return null;
  return typeof first === "string" ? first : arnText(first, region);
}

/** What it is told, or a sentence. */
function inputOf({ send, input, inputPath, transform }: OwnTarget): TargetInput | string {
  const given = [send, input, inputPath, transform].filter((one) => one !== undefined);
  if (given.length > 1) return "name only one of send, input, inputPath and transform.";
  if (send !== undefined) return sendInput(send);
  if (input !== undefined) return { kind: "text", text: JSON.stringify(input) };
  if (inputPath !== undefined) return { kind: "path", path: inputPath };
  if (transform === undefined) return { kind: "event" };
  return { kind: "transformer", paths: transform.paths ?? {}, template: transform.template };
}

/** `{"message":{"to":{"email":"<email>"}},"paths":{"email":"$.detail.email"}}` as a template. */
function sendInput({ paths = {}, ...body }: JsonObject): TargetInput | string {
  if (!isJsonObject(paths)) return "send.paths is an object of names and JSON paths.";
  const read: Record<string, string> = {};
  for (const [name, path] of Object.entries(paths)) {
    if (typeof path !== "string") return `send.paths.${name} is a JSON path, such as $.detail.${name}.`;
    read[name] = path;
  }
  const unknown = namesIn(body).find((name) => !Object.hasOwn(read, name) && !name.startsWith("aws.events."));
  if (unknown !== undefined) {
    return `send.paths does not say what <${unknown}> stands for; a < that is meant as such is written \\<.`;
  }
  return { kind: "transformer", paths: read, template: templateOf(body) };
}

/** JSON text in which a string that is one placeholder stands without its quotation marks: its value keeps its kind. */
function templateOf(value: Json): string {
  if (typeof value === "string") return SOLE.test(value) ? value : stringOf(value);
  if (Array.isArray(value)) return `[${value.map(templateOf).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${stringOf(key)}:${templateOf(member)}`);
  return `{${members.join(",")}}`;
}

function stringOf(value: string): string {
  const parts = value.split("\\<").map((part) => JSON.stringify(part).slice(1, -1));
  return `"${parts.join("\\u003c")}"`;
}

function namesIn(value: Json): readonly string[] {
  if (typeof value === "string")
    return Array.from(value.replaceAll("\\<", "").matchAll(NAME), ([, name]) => name ?? "");
  if (Array.isArray(value)) return value.flatMap(namesIn);
  return isJsonObject(value) ? Object.values(value).flatMap(namesIn) : [];
}

const SOLE = /^<[A-Za-z0-9_.-]+>$/;
const NAME = /<([A-Za-z0-9_.-]+)>/g;

function freeId({ queue, webhook, bus, send }: OwnTarget, taken: ReadonlySet<string>): string {
  const what =
    send === undefined
      ? (queue ?? webhook ?? bus) === undefined
        ? "target"
        : `${queue === undefined ? (webhook === undefined ? "bus" : "webhook") : "queue"}-${queue ?? webhook ?? bus}`
      : "send";
  const plain = what.replace(/[^A-Za-z0-9_.-]/g, "-").slice(0, 60);
  let id = plain;
  for (let number = 2; taken.has(id); number += 1) id = `${plain}-${number}`;
  return id;
}

function awsForm({
  id,
  arn,
  input,
  retry,
  deadLetterArn,
  messageGroupId,
}: Omit<Target, "asPut" | "asWritten">): JsonObject {
  return {
    Id: id,
    Arn: arn,
    ...(input.kind === "text" ? { Input: input.text } : {}),
    ...(input.kind === "path" ? { InputPath: input.path } : {}),
    ...(input.kind === "transformer"
      ? { InputTransformer: { InputPathsMap: { ...input.paths }, InputTemplate: input.template } }
      : {}),
    ...(retry.attemptsMax === RETRY_DEFAULT.attemptsMax && retry.ageMaxMs === RETRY_DEFAULT.ageMaxMs
      ? {}
      : {
          RetryPolicy: {
            MaximumRetryAttempts: retry.attemptsMax,
            MaximumEventAgeInSeconds: retry.ageMaxMs / 1_000,
          },
        }),
    ...(deadLetterArn === null ? {} : { DeadLetterConfig: { Arn: deadLetterArn } }),
    ...(messageGroupId === null ? {} : { SqsParameters: { MessageGroupId: messageGroupId } }),
  };
}
