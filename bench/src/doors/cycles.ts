import { Caller } from "../caller.ts";
import { steadyMs } from "../measure.ts";
import { type Place, REGION, Signer } from "./aws.ts";

/** Loops that send, receive and delete on one queue, `loops` at once, for `forMs`. */
export type CycleJob = {
  readonly place: Place;
  readonly queueUrl: string;
  readonly client: "json" | "query" | "sdk";
  readonly loops: number;
  /** Messages of a send: 1, or 10 by the batch actions. */
  readonly batch: number;
  readonly burst: string;
  readonly forMs: number;
};

/** @property messages went round wholly. @property lost were never received. @property empty receives brought nothing. */
export type CycleResult = {
  readonly messages: number;
  readonly tookMs: number;
  readonly lost: number;
  readonly twice: number;
  readonly empty: number;
};

/** Long enough that none comes again meanwhile. */
const VISIBILITY_S = 60;
const WAIT_S = 1;
/** So many receives in a row that bring nothing mean that it is lost. */
const EMPTY_MAX = 10;
const BODY_BYTES = 200;

type Received = { readonly body: string; readonly handle: string };
type Client = {
  send(bodies: readonly string[]): Promise<void>;
  receive(most: number): Promise<readonly Received[]>;
  remove(handles: readonly string[]): Promise<void>;
  close(): void;
};

export async function runCycles(job: CycleJob): Promise<CycleResult> {
  const { batch, burst, forMs } = job;
  const clients = await clientsOf(job);
  const out = new Set<string>();
  let [next, messages, twice, empty] = [0, 0, 0, 0];
  const startMs = steadyMs();
  const lane = async (client: Client): Promise<void> => {
    while (steadyMs() - startMs < forMs) {
      const bodies = Array.from({ length: batch }, () => `${burst}-${next++}:`.padEnd(BODY_BYTES, "x"));
      for (const body of bodies) out.add(body);
      await client.send(bodies);
      // There are always as many as those who have sent lack, so everybody comes to his number.
      for (let [lacks, misses] = [batch, 0]; lacks > 0; ) {
        const got = await client.receive(lacks);
        if (got.length === 0) {
          empty += 1;
          if (++misses === EMPTY_MAX) return;
          continue;
        }
        for (const { body } of got) if (!out.delete(body)) twice += 1;
        await client.remove(got.map(({ handle }) => handle));
        lacks -= got.length;
        messages += got.length;
      }
    }
  };
  try {
    await Promise.all(clients.map(lane));
  } finally {
    for (const client of clients) client.close();
  }
  return { messages, tookMs: steadyMs() - startMs, lost: out.size, twice, empty };
}

async function clientsOf(job: CycleJob): Promise<readonly Client[]> {
  const { place, loops, client } = job;
  if (client === "sdk") {
    const sdk = await sdkClient(job);
    return Array.from({ length: loops }, () => sdk);
  }
  const signer = new Signer(place, "sqs");
  const make = client === "json" ? jsonClient : queryClient;
  return Promise.all(
    Array.from({ length: loops }, async () => make(job, signer, await Caller.open(place.port, place.host))),
  );
}

function jsonClient({ queueUrl: QueueUrl }: CycleJob, signer: Signer, caller: Caller): Client {
  const call = async (action: string, input: object): Promise<string> => {
    const { status, body } = await caller.call(signer.json(action, JSON.stringify({ QueueUrl, ...input })));
    if (status !== 200 || body.includes('"Failed":[{')) throw new Error(`${action}: ${status} ${body.slice(0, 300)}`);
    return body;
  };
  return {
    send: async (bodies) => {
      if (bodies.length === 1) await call("SendMessage", { MessageBody: bodies[0] });
      else await call("SendMessageBatch", { Entries: bodies.map((body, n) => ({ Id: `${n}`, MessageBody: body })) });
    },
    receive: async (most) => {
      const ask = { MaxNumberOfMessages: most, WaitTimeSeconds: WAIT_S, VisibilityTimeout: VISIBILITY_S };
      // The shape of the protocol; a server that has another fails by what is missing.
      const { Messages = [] } = JSON.parse(await call("ReceiveMessage", ask)) as {
        Messages?: readonly { Body: string; ReceiptHandle: string }[];
      };
      return Messages.map(({ Body, ReceiptHandle }) => ({ body: Body, handle: ReceiptHandle }));
    },
    remove: async (handles) => {
      if (handles.length === 1) await call("DeleteMessage", { ReceiptHandle: handles[0] });
      else
        await call("DeleteMessageBatch", {
          Entries: handles.map((handle, n) => ({ Id: `${n}`, ReceiptHandle: handle })),
        });
    },
    close: () => caller.close(),
  };
}

function queryClient({ queueUrl }: CycleJob, signer: Signer, caller: Caller): Client {
  const call = async (action: string, fields: readonly (readonly [string, string])[]): Promise<string> => {
    const { status, body } = await caller.call(signer.query(action, [["QueueUrl", queueUrl], ...fields]));
    if (status !== 200 || body.includes("<BatchResultErrorEntry>")) {
      throw new Error(`${action}: ${status} ${body.slice(0, 300)}`);
    }
    return body;
  };
  const entries = (of: string, name: string, values: readonly string[]): (readonly [string, string])[] =>
    values.flatMap((value, n) => [[`${of}.${n + 1}.Id`, `e${n}`] as const, [`${of}.${n + 1}.${name}`, value] as const]);
  return {
    send: async (bodies) => {
      if (bodies.length === 1) await call("SendMessage", [["MessageBody", bodies[0] ?? ""]]);
      else await call("SendMessageBatch", entries("SendMessageBatchRequestEntry", "MessageBody", bodies));
    },
    receive: async (most) => {
      const text = await call("ReceiveMessage", [
        ["MaxNumberOfMessages", String(most)],
        ["WaitTimeSeconds", String(WAIT_S)],
        ["VisibilityTimeout", String(VISIBILITY_S)],
      ]);
      const handles = [...text.matchAll(/<ReceiptHandle>([^<]*)<\/ReceiptHandle>/g)].map(([, handle = ""]) => handle);
      const bodies = [...text.matchAll(/<Body>([^<]*)<\/Body>/g)].map(([, body = ""]) => body);
      return handles.map((handle, n) => ({ handle, body: bodies[n] ?? "" }));
    },
    remove: async (handles) => {
      if (handles.length === 1) await call("DeleteMessage", [["ReceiptHandle", handles[0] ?? ""]]);
      else await call("DeleteMessageBatch", entries("DeleteMessageBatchRequestEntry", "ReceiptHandle", handles));
    },
    close: () => caller.close(),
  };
}

/** AWS' own client for JavaScript, as its users make one. */
async function sdkClient({ place, queueUrl: QueueUrl, loops }: CycleJob): Promise<Client> {
  const { host, port, path, pair } = place;
  // Large, and only a part of the bursts needs it.
  const aws = await import("@aws-sdk/client-sqs");
  const sdk = new aws.SQSClient({
    endpoint: `http://${host}:${port}${path}`,
    region: REGION,
    credentials: pair,
    requestHandler: { httpAgent: { keepAlive: true, maxSockets: loops } },
  });
  return {
    send: async (bodies) => {
      if (bodies.length === 1)
        return void (await sdk.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: bodies[0] })));
      const Entries = bodies.map((MessageBody, n) => ({ Id: `${n}`, MessageBody }));
      const { Failed } = await sdk.send(new aws.SendMessageBatchCommand({ QueueUrl, Entries }));
      if (Failed !== undefined && Failed.length > 0) throw new Error(JSON.stringify(Failed[0]));
    },
    receive: async (MaxNumberOfMessages) => {
      const ask = { QueueUrl, MaxNumberOfMessages, WaitTimeSeconds: WAIT_S, VisibilityTimeout: VISIBILITY_S };
      const { Messages = [] } = await sdk.send(new aws.ReceiveMessageCommand(ask));
      return Messages.map(({ Body = "", ReceiptHandle = "" }) => ({ body: Body, handle: ReceiptHandle }));
    },
    remove: async (handles) => {
      if (handles.length === 1) {
        return void (await sdk.send(new aws.DeleteMessageCommand({ QueueUrl, ReceiptHandle: handles[0] })));
      }
      const Entries = handles.map((ReceiptHandle, n) => ({ Id: `${n}`, ReceiptHandle }));
      await sdk.send(new aws.DeleteMessageBatchCommand({ QueueUrl, Entries }));
    },
    close: () => sdk.destroy(),
  };
}
