import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { clientOptions, type Pair } from "../clients/aws-home.ts";
import type { Program } from "./program.ts";

/** One node of several, as an SQS client sees it; queues are known by the URL that any of them gave. */
export class SqsDoor implements Disposable {
  readonly client: SQSClient;

  constructor(program: Program, pair: Pair) {
    this.client = new SQSClient(clientOptions(program, pair));
  }

  /** Makes a queue, or finds it as it is; its URL. */
  async queue(QueueName: string, attributes: Readonly<Record<string, string>> = {}): Promise<string> {
    const Attributes = { ...attributes, ...(QueueName.endsWith(".fifo") ? { FifoQueue: "true" } : {}) };
    const { QueueUrl = "" } = await this.client.send(new CreateQueueCommand({ QueueName, Attributes }));
    return QueueUrl;
  }

  send(QueueUrl: string, MessageBody: string, more: Partial<SendMessageCommandInput> = {}) {
    return this.client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
  }

  /** In a group, with its body as its deduplication id. */
  sendTo(QueueUrl: string, MessageGroupId: string, body: string) {
    return this.send(QueueUrl, body, { MessageGroupId, MessageDeduplicationId: body });
  }

  async receive(QueueUrl: string, more: Partial<ReceiveMessageCommandInput> = {}): Promise<readonly Message[]> {
    return (await this.client.send(new ReceiveMessageCommand({ QueueUrl, ...more }))).Messages ?? [];
  }

  /** One message, for which is waited, and when it came, monotonic ms. */
  async wait(QueueUrl: string, WaitTimeSeconds = 20): Promise<{ readonly message: Message; readonly atMs: number }> {
    const [message] = await this.receive(QueueUrl, { WaitTimeSeconds });
    if (message === undefined) throw new Error(`in ${WaitTimeSeconds} s no message has come`);
    return { message, atMs: performance.now() };
  }

  delete(QueueUrl: string, { ReceiptHandle }: Message) {
    return this.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  }

  hide(QueueUrl: string, { ReceiptHandle }: Message, VisibilityTimeout: number) {
    return this.client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }));
  }

  /** Takes all that is there, until a receive finds none; the bodies, in the order of their coming. */
  async drain(QueueUrl: string): Promise<readonly string[]> {
    const bodies: string[] = [];
    for (;;) {
      const messages = await this.receive(QueueUrl, { MaxNumberOfMessages: 10 });
      if (messages.length === 0) return bodies;
      for (const message of messages) bodies.push(message.Body ?? "");
      await Promise.all(messages.map((message) => this.delete(QueueUrl, message)));
    }
  }

  [Symbol.dispose](): void {
    this.client.destroy();
  }
}
