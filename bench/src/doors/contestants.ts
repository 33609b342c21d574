import { join } from "node:path";
import { scriptFile, start, workFolder } from "../children.ts";
import { type Place, Signer } from "./aws.ts";
import type { CycleJob } from "./cycles.ts";
import { callSqs, House, once } from "./house.ts";

/** A server of SQS in a process of its own, with a queue. */
export type Server = { readonly place: Place; readonly queueUrl: string; readonly pid: number; end(): Promise<void> };
export type Client = CycleJob["client"];

export type Contestant = {
  readonly key: string;
  readonly name: string;
  /** What is on a disk when a send is answered. */
  readonly durable: string;
  readonly isKept: boolean;
  /** What it can be asked by; of the others it is told why not. */
  readonly clients: readonly Client[];
  /** Whether it has all three batch actions. */
  readonly batches: boolean;
  readonly cannot: string | null;
  readonly start: () => Promise<Server>;
};

export const OURS = "tidings";
const NOTHING = "nothing";
const FAKE_SQS = "fake-sqs";
const QUEUE = "cycles";
const NOBODY = { accessKeyId: "AKIDEXAMPLE000000000", secretAccessKey: "secret" };

export const CONTESTANTS: readonly Contestant[] = [
  {
    key: OURS,
    name: "Tidings",
    durable: "message, fsynced",
    isKept: true,
    clients: ["json", "query", "sdk"],
    batches: true,
    cannot: null,
    start: async () => {
      const house = await House.start();
      return {
        place: house.place,
        pid: house.pid,
        queueUrl: await house.createQueue(QUEUE),
        end: () => house[Symbol.asyncDispose](),
      };
    },
  },
  rival("fauxqs", "fauxqs 2.4.1", NOTHING, ["json", "sdk"], "fauxqs: of SQS it speaks JSON only"),
  rival(
    "fauxqs-disk",
    "fauxqs 2.4.1 with `dataDir`",
    "message, in SQLite (WAL, synchronous FULL)",
    ["json", "sdk"],
    null,
  ),
  rival(
    "sqslite",
    "sqslite 2.1.1",
    NOTHING,
    ["query"],
    "sqslite: speaks Query only, so neither the JSON protocol nor AWS SDK v3 for JavaScript",
  ),
  rival(
    FAKE_SQS,
    "fake-sqs 5.0.3",
    NOTHING,
    ["query"],
    "fake-sqs: speaks Query only; has one queue, no DeleteMessageBatch, no signatures",
  ),
];

function rival(
  key: string,
  name: string,
  durable: string,
  clients: readonly Client[],
  cannot: string | null,
): Contestant {
  return {
    ...{ key, name, durable, clients, cannot },
    isKept: durable !== NOTHING,
    batches: key !== FAKE_SQS,
    start: async () => {
      const folder = workFolder();
      const args = [scriptFile("doors/sqs-rival.ts"), key, folder];
      const child = start(args, { env: { NODE_ENV: "production" }, errorFile: join(folder, "stderr.log") });
      const { port } = (await child.hear()) as { port: number };
      const place: Place = { host: "127.0.0.1", port, path: "/", pair: NOBODY };
      return { place, pid: child.pid, queueUrl: await makeQueue(key, place), end: () => child.end() };
    },
  };
}

/** Each says itself where its queue is. */
async function makeQueue(key: string, place: Place): Promise<string> {
  const signer = new Signer(place, "sqs");
  // It has one queue, which is there.
  if (key === FAKE_SQS) return `http://${place.host}:${place.port}/${QUEUE}`;
  if (key === "sqslite") {
    const text = await once(place, signer.query("CreateQueue", [["QueueName", QUEUE]]));
    // It knows its queues again only by this name of the host.
    return (/<QueueUrl>([^<]+)</.exec(text)?.[1] ?? "").replace("127.0.0.1", "localhost");
  }
  const made = JSON.parse(await callSqs(place, signer, "CreateQueue", { QueueName: QUEUE })) as { QueueUrl: string };
  return made.QueueUrl;
}
