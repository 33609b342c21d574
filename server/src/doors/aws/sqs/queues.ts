import { AwsFault } from "#doors/aws/fault.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, required, structure, text, whole } from "#doors/aws/shape.ts";
import { needsCounts, readAttributes, wantedAttributes, writeAttributes } from "#doors/aws/sqs/attributes.ts";
import { nothing } from "#doors/aws/sqs/delete.ts";
import {
  invalidAttributeValue,
  invalidParameter,
  numberFault,
  sqsFault,
  unknownAttribute,
} from "#doors/aws/sqs/faults.ts";
import { queueName, queueUrl } from "#doors/aws/sqs/place.ts";
import { ATTRIBUTES, QUEUE_URL, TAGS } from "#doors/aws/sqs/shapes.ts";
import { FIFO_SUFFIX, isFifo, type Queue } from "#queues/queue.ts";

/** Queues of one page, and of a list that is not read in pages. */
const PAGE_MAX = 1_000;

const createQueue = action({
  name: "CreateQueue",
  scope: "full",
  input: structure({ QueueName: required(text), Attributes: ATTRIBUTES, tags: TAGS }),
  output: structure({ QueueUrl: text }),
  run: async ({ QueueName: name, Attributes, tags }, call) => {
    const given = readAttributes(Attributes ?? new Map());
    if (given instanceof AwsFault) return given;
    // AWS knows this attribute only with one value, and only together with the name.
    if (given.fifo === false) return unknownAttribute("FifoQueue");
    const fifo = given.fifo === true;
    if (fifo !== name.endsWith(FIFO_SUFFIX)) return invalidParameter(fifo ? NAME_NOT_FIFO : NOT_SAID_FIFO);
    const made = await call.house.queues.create(
      { name, fifo, attributes: given.ask, tags: Object.fromEntries(tags ?? []) },
      call.traceparent,
    );
    return made.kind === "fault" ? sqsFault(made, call) : { QueueUrl: queueUrl(made.queue.name, call) };
  },
});

const NAME_NOT_FIFO =
  "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
const NOT_SAID_FIFO =
  "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length. A name that ends with .fifo needs the attribute FifoQueue=true.";

const getQueueUrl = action({
  name: "GetQueueUrl",
  scope: "find",
  input: structure({ QueueName: required(text), QueueOwnerAWSAccountId: text }),
  output: structure({ QueueUrl: text }),
  run: async ({ QueueName }, call) => {
    const found = await call.house.queues.get(QueueName);
    return found.kind === "fault" ? sqsFault(found, call) : { QueueUrl: queueUrl(found.queue.name, call) };
  },
});

const PAGING = { MaxResults: whole, NextToken: text };

const listQueues = action({
  name: "ListQueues",
  scope: "read",
  input: structure({ QueueNamePrefix: text, ...PAGING }),
  output: structure({ QueueUrls: list("QueueUrl", text), NextToken: text }),
  run: async ({ QueueNamePrefix, ...paging }, call) => {
    const page = pageOf(paging);
    if (page instanceof AwsFault) return page;
    const found = await call.house.queues.list({ prefix: QueueNamePrefix ?? "", ...page });
    return { QueueUrls: urls(found.queues, call), NextToken: nextToken(found.next, paging) };
  },
});

const listDeadLetterSources = action({
  name: "ListDeadLetterSourceQueues",
  scope: "read",
  input: structure({ ...QUEUE_URL, ...PAGING }),
  // SQS itself writes this one in lower case, and all clients read it so.
  output: structure({ queueUrls: list("QueueUrl", text), NextToken: text }),
  run: async ({ QueueUrl, ...paging }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const page = pageOf(paging);
    if (page instanceof AwsFault) return page;
    const found = await call.house.queues.deadLetterSources(queue, page);
    if (found.kind === "fault") return sqsFault(found, call);
    return { queueUrls: urls(found.queues, call) ?? [], NextToken: nextToken(found.next, paging) };
  },
});

const deleteQueue = action({
  name: "DeleteQueue",
  scope: "full",
  input: structure(QUEUE_URL),
  output: null,
  run: async ({ QueueUrl }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    return nothing(await call.house.queues.remove(queue, call.traceparent), call);
  },
});

const purgeQueue = action({
  name: "PurgeQueue",
  scope: "full",
  input: structure(QUEUE_URL),
  output: null,
  run: async ({ QueueUrl }, call) => {
    const queue = queueName(QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    return nothing(await call.house.queues.purge(queue, call.traceparent), call);
  },
});

const getQueueAttributes = action({
  name: "GetQueueAttributes",
  scope: "find",
  input: structure({ ...QUEUE_URL, AttributeNames: list("AttributeName", text) }),
  output: structure({ Attributes: ATTRIBUTES }),
  run: async ({ QueueUrl, AttributeNames }, call) => {
    const name = queueName(QueueUrl, call);
    if (name instanceof AwsFault) return name;
    const wanted = wantedAttributes(AttributeNames ?? []);
    if (wanted instanceof AwsFault) return wanted;
    const { queues } = call.house;
    const found = await queues.get(name);
    if (found.kind === "fault") return sqsFault(found, call);
    const counted = needsCounts(wanted) ? await queues.counts(name) : null;
    if (counted?.kind === "fault") return sqsFault(counted, call);
    const shown = { queue: found.queue, counts: counted?.counts ?? null, region: call.region };
    const attributes = writeAttributes(wanted, shown);
    return Object.keys(attributes).length === 0 ? {} : { Attributes: attributes };
  },
});

const setQueueAttributes = action({
  name: "SetQueueAttributes",
  scope: "full",
  input: structure({ ...QUEUE_URL, Attributes: required(ATTRIBUTES) }),
  output: null,
  run: async ({ QueueUrl, Attributes }, call) => {
    const name = queueName(QueueUrl, call);
    if (name instanceof AwsFault) return name;
    const given = readAttributes(Attributes);
    if (given instanceof AwsFault) return given;
    if (given.fifo !== undefined) {
      const found = await call.house.queues.get(name);
      if (found.kind === "fault") return sqsFault(found, call);
      if (!isFifo(found.queue)) return unknownAttribute("FifoQueue");
      if (!given.fifo) return invalidAttributeValue("FifoQueue");
    }
    return nothing(await call.house.queues.change(name, given.ask, call.traceparent), call);
  },
});

/** Whoever has a key may do what its scopes say; there are no other accounts to give rights to. */
const permissions = ["AddPermission", "RemovePermission"].map((name) =>
  action({
    name,
    scope: "full",
    input: structure(QUEUE_URL),
    output: null,
    run: async ({ QueueUrl }, call) => {
      const queue = queueName(QueueUrl, call);
      return queue instanceof AwsFault ? queue : nothing(await call.house.queues.get(queue), call);
    },
  }),
);

export const QUEUE_ACTIONS = [
  createQueue,
  getQueueUrl,
  listQueues,
  listDeadLetterSources,
  deleteQueue,
  purgeQueue,
  getQueueAttributes,
  setQueueAttributes,
  ...permissions,
];

type Paging = { readonly MaxResults: number | undefined; readonly NextToken: string | undefined };

function pageOf({
  MaxResults,
  NextToken,
}: Paging): { readonly after: string | null; readonly limit: number } | AwsFault {
  if (MaxResults !== undefined && (MaxResults < 1 || MaxResults > PAGE_MAX)) {
    return numberFault("MaxResults", MaxResults, 1, PAGE_MAX);
  }
  if (NextToken === undefined || NextToken === "") return { after: null, limit: MaxResults ?? PAGE_MAX };
  const after = Buffer.from(NextToken, "base64url").toString("utf8");
  if (!/^[\w.-]{1,80}$/.test(after)) return invalidParameter("Invalid or expired next token.");
  return { after, limit: MaxResults ?? PAGE_MAX };
}

/** Only who reads in pages is told where the next one begins. */
function nextToken(next: string | null, { MaxResults }: Paging): string | undefined {
  return next === null || MaxResults === undefined ? undefined : Buffer.from(next).toString("base64url");
}

function urls(queues: readonly Queue[], call: AwsCall): readonly string[] | undefined {
  return queues.length === 0 ? undefined : queues.map(({ name }) => queueUrl(name, call));
}
