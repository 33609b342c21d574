import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  type QueueAttributeName,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Home, type Program } from "../support/program.ts";
import { clientOptions, makePair, type Pair, REGION } from "./aws-home.ts";

export type Attributes = Partial<Record<QueueAttributeName, string>>;

/** The whole program, and an unchanged client of SQS, with a word each for what most tests do. */
export class SqsHome implements AsyncDisposable {
  readonly home: Home;
  program: Program;
  client: SQSClient;
  readonly #pair: Pair;
  #queues = 0;

  private constructor(home: Home, program: Program, pair: Pair) {
    this.home = home;
    this.program = program;
    this.#pair = pair;
    this.client = new SQSClient(clientOptions(program, pair));
  }

  static async open(): Promise<SqsHome> {
    const home = new Home();
    const program = await home.start();
    return new SqsHome(home, program, await makePair(program));
  }

  /** Ends the program as a power cut would, and starts another on its data. Queue URLs of before name the same queues. */
  async killAndStart(): Promise<void> {
    this.client.destroy();
    await this.program.kill();
    this.program = await this.home.start();
    this.client = new SQSClient(clientOptions(this.program, this.#pair));
  }

  /** A queue of the test's own: its URL. A FIFO queue if its attributes say so. */
  async queue(Attributes: Attributes = {}, name = `q${++this.#queues}`): Promise<string> {
    const QueueName = Attributes.FifoQueue === "true" ? `${name}.fifo` : name;
    const { QueueUrl = "" } = await this.client.send(new CreateQueueCommand({ QueueName, Attributes }));
    return QueueUrl;
  }

  /** A FIFO queue that is given its deduplication ids, unless `more` says otherwise. */
  fifo(more: Attributes = {}): Promise<string> {
    return this.queue({ FifoQueue: "true", ...more });
  }

  send(QueueUrl: string, MessageBody: string, more: Partial<SendMessageCommandInput> = {}) {
    return this.client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
  }

  async receive(QueueUrl: string, more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message[]> {
    return (await this.client.send(new ReceiveMessageCommand({ QueueUrl, ...more }))).Messages ?? [];
  }

  /** The next message, for which is waited if there is none yet. */
  async next(queue: string, more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message> {
    const [message] = await this.receive(queue, { WaitTimeSeconds: 10, ...more });
    if (message === undefined) throw new Error("no message has come");
    return message;
  }

  /** The bodies of up to ten messages, as they are received. */
  async bodies(queue: string, more: Partial<ReceiveMessageCommandInput> = {}): Promise<string[]> {
    return (await this.receive(queue, { MaxNumberOfMessages: 10, ...more })).map(bodyOf);
  }

  remove(QueueUrl: string, { ReceiptHandle }: Message) {
    return this.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  }

  hide(QueueUrl: string, { ReceiptHandle }: Message, VisibilityTimeout: number) {
    return this.client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy();
    await this.home[Symbol.asyncDispose]();
  }
}

export function bodyOf({ Body }: Message): string {
  if (Body === undefined) throw new Error("a message without a body");
  return Body;
}

export function arnOf(queueUrl: string): string {
  return `arn:aws:sqs:${REGION}:000000000000:${nameOf(queueUrl)}`;
}

export function nameOf(queueUrl: string): string {
  return queueUrl.slice(queueUrl.lastIndexOf("/") + 1);
}

/** Both names by which programs know a refusal: `QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue`. */
export async function names(call: Promise<unknown>): Promise<string> {
  const { name, code } = await refusal(call);
  return `${name} ${code}`;
}

export async function refusal(call: Promise<unknown>) {
  try {
    await call;
  } catch (thrown) {
    const { name, message, $metadata, ...more } = thrown as Error & {
      readonly Code?: string;
      readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
    };
    const { httpStatusCode: status, requestId } = $metadata ?? {};
    return { name, code: more.Code, message, status, requestId };
  }
  throw new Error("it was not refused");
}

/** The SDK's model has no shape of this one, so that it takes the older code for both. */
export const INVALID_VALUE = "InvalidParameterValue InvalidParameterValue";
export const MISSING = "MissingParameter MissingParameter";
export const NO_QUEUE = "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue";
