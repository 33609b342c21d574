import type { PlannedCollection, PlannedQueue } from "#cli/serverless/plan.ts";
import { cleanName, type Resource, type Resources } from "#cli/serverless/resources.ts";
import { at, entriesOf, type Gap, isTrue, itemsOf, numberOf } from "#cli/serverless/yaml-tree.ts";
import type { Json } from "#domain/json.ts";
import { INDEXES_MAX } from "#documents/names.ts";

/** Types of resources that have no like here because nothing is missing without them. */
const NEEDLESS =
  /^AWS::(?:IAM|Logs|CloudWatch|KMS|ApiGateway|ApiGatewayV2|CloudFormation|XRay)::|^AWS::(?:Lambda::Permission|SQS::QueuePolicy|S3::BucketPolicy|SNS::TopicPolicy|Events::EventBus|Events::EventBusPolicy|Events::Rule|SNS::Topic)$/;

/** Queues and collections that the resources are; what they are not is told. */
export function readResources(
  resources: Resources,
  gaps: Gap[],
): { readonly queues: readonly PlannedQueue[]; readonly collections: readonly PlannedCollection[] } {
  const queues: PlannedQueue[] = [];
  const collections: PlannedCollection[] = [];
  for (const resource of resources.all) {
    const { id, type, line } = resource;
    if (type === "AWS::SQS::Queue") queues.push(queueOf(resource, resources, gaps));
    else if (type === "AWS::DynamoDB::Table") collections.push(collectionOf(resource, resources, gaps));
    else if (type === "AWS::S3::Bucket") {
      const notices = at(resource.properties, "NotificationConfiguration");
      if (notices !== undefined)
        gaps.push({ line: notices.line, says: `${id}: give its function the trigger s3 instead` });
    } else if (!NEEDLESS.test(type)) gaps.push({ line, says: `${id}: there is nothing like ${type} here` });
  }
  return { queues, collections };
}

const SECOND_MS = 1_000;
/** By CloudFormation's property: ours, and what one is worth. */
const NUMBERS: Readonly<Record<string, readonly [name: string, factor: number]>> = {
  VisibilityTimeout: ["visibility_ms", SECOND_MS],
  DelaySeconds: ["delay_ms", SECOND_MS],
  MessageRetentionPeriod: ["retention_ms", SECOND_MS],
  ReceiveMessageWaitTimeSeconds: ["wait_ms", SECOND_MS],
  MaximumMessageSize: ["message_bytes_max", 1],
};
const QUEUE_NEEDLESS =
  /^(?:QueueName|FifoQueue|Tags|Kms.*|SqsManagedSseEnabled|RedriveAllowPolicy|FifoThroughputLimit)$/;

function queueOf(resource: Resource, resources: Resources, gaps: Gap[]): PlannedQueue {
  const body: Record<string, Json> = {};
  const { properties } = resource;
  for (const [property, tree] of entriesOf(properties)) {
    const { line } = tree;
    const known = NUMBERS[property];
    const number = numberOf(tree);
    if (known !== undefined && number !== null) body[known[0]] = Math.round(number * known[1]);
    else if (property === "ContentBasedDeduplication") body["fifo"] = { content_dedup: isTrue(tree) };
    else if (property === "DeduplicationScope")
      gaps.push({ line, says: `${resource.id}: set it with an SQS client: SetQueueAttributes DeduplicationScope` });
    else if (property === "RedrivePolicy") {
      const target = at(tree, "deadLetterTargetArn");
      const name = target === undefined ? null : queueName(target, resources);
      if (name === null) gaps.push({ line, says: `${resource.id}: where its dead letters go is not known` });
      else body["dead_letter"] = { queue: name, receive_max: numberOf(at(tree, "maxReceiveCount")) ?? 5 };
    } else if (!QUEUE_NEEDLESS.test(property))
      gaps.push({ line, says: `${resource.id}: ${property} is not taken over` });
  }
  return { name: nameOfQueue(resource, resources), body };
}

/** The name of the queue that something refers to; null when it refers to none. */
export function queueName(tree: Parameters<Resources["name"]>[0], resources: Resources): string | null {
  const id = resources.idIn(tree);
  const resource = id === null ? undefined : resources.byId(id);
  if (resource !== undefined) return resource.type === "AWS::SQS::Queue" ? nameOfQueue(resource, resources) : null;
  const name = resources.name(tree);
  return name === null ? null : queueLike(name);
}

function nameOfQueue(resource: Resource, resources: Resources): string {
  const name = resources.nameOf(resource);
  return queueLike(isTrue(at(resource.properties, "FifoQueue")) && !name.endsWith(".fifo") ? `${name}.fifo` : name);
}

function queueLike(name: string): string {
  return name.endsWith(".fifo") ? `${cleanName(name.slice(0, -5), 75)}.fifo` : cleanName(name, 80);
}

const TABLE_NEEDLESS =
  /^(?:TableName|AttributeDefinitions|KeySchema|BillingMode|ProvisionedThroughput|StreamSpecification|Tags|SSESpecification|PointInTimeRecoverySpecification|(?:Global|Local)SecondaryIndexes|TableClass|DeletionProtectionEnabled|OnDemandThroughput)$/;

function collectionOf(resource: Resource, resources: Resources, gaps: Gap[]): PlannedCollection {
  const { id, line, properties } = resource;
  const text = (tree: Parameters<Resources["text"]>[0] | undefined) =>
    tree === undefined ? "" : (resources.text(tree) ?? "");
  const keysOf = (tree: typeof properties): readonly string[] =>
    itemsOf(at(tree, "KeySchema")).map((key) => text(at(key, "AttributeName")));
  const [hash = "id", range] = keysOf(properties);
  const others = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"].flatMap((name) => itemsOf(at(properties, name)));
  const wanted = [...(range === undefined ? [] : [hash]), ...others.flatMap(keysOf)];
  const indexes = [...new Set(wanted)].filter((path) => /^[A-Za-z0-9_-]{1,64}$/.test(path));
  if (indexes.length > INDEXES_MAX) gaps.push({ line, says: `${id}: a collection has at most ${INDEXES_MAX} indexes` });
  for (const [property, { line: at }] of entriesOf(properties)) {
    if (!TABLE_NEEDLESS.test(property)) gaps.push({ line: at, says: `${id}: ${property} is not taken over` });
  }
  const fields = itemsOf(at(properties, "AttributeDefinitions")).map((field) => ({
    name: text(at(field, "AttributeName")),
    type: text(at(field, "AttributeType")) === "N" ? ("number" as const) : ("string" as const),
  }));
  return {
    identifier: identifierOf(id),
    name: cleanName(resources.nameOf(resource)),
    fields: fields.filter(({ name }) => name !== ""),
    indexes: indexes.slice(0, INDEXES_MAX),
    id: range === undefined ? hash : `${hash}/${range}`,
  };
}

/** Words of the language, as far as somebody may call a table so. */
const RESERVED =
  /^(?:break|case|catch|class|collection|const|default|delete|do|else|enum|export|false|for|function|if|import|in|interface|new|null|package|private|public|return|static|super|switch|this|true|try|type|typeof|var|void|while|with|yield|)$/;

/** A name that code may have. */
function identifierOf(id: string): string {
  const name = id.replaceAll(/[^A-Za-z0-9_]/g, "");
  const lower = `${name.slice(0, 1).toLowerCase()}${name.slice(1)}`;
  return /^[A-Za-z_]/.test(name) && !RESERVED.test(lower) ? lower : `${lower.replace(/^\d/, "_$&")}Documents`;
}
