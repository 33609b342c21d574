import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Caller } from "../caller.ts";
import { type Spread, spread, steadyMs } from "../measure.ts";
import { type Place, Signer } from "./aws.ts";
import { type CycleJob, type CycleResult, runCycles } from "./cycles.ts";
import { DOORS, type DoorKey, putEvents, queueUrl, toOf } from "./doors.ts";

/** The load of this benchmark, a process of its own: a line of `LoadJob` in, a line of its result out. */
export type LoadJob =
  | ({ readonly kind: "accept" } & AcceptJob)
  | ({ readonly kind: "cycles" } & CycleJob)
  | ({ readonly kind: "steady" } & SteadyJob);

/** Calls of one door, as fast as they are answered. */
export type AcceptJob = {
  readonly place: Place;
  readonly key: string;
  readonly door: DoorKey;
  readonly burst: string;
  readonly calls: number;
  readonly connections: number;
};
export type AcceptResult = { readonly startMs: number; readonly endMs: number; readonly ms: Spread };

/** Events one by one at a steady rate, and when each came out at the other end. */
export type SteadyJob = {
  readonly place: Place;
  readonly key: string;
  readonly burst: string;
  readonly type: string;
  readonly events: number;
  readonly perSecond: number;
  /** A queue that is received from, the port of a webhook that is listened at, or nothing that is seen here. */
  readonly at: { readonly queue: string } | { readonly hookPort: number } | null;
};
/** Times of the steady clock, by index of the event; NaN for what did not come. */
export type SteadyResult = {
  readonly answeredMs: readonly number[];
  readonly cameMs: readonly (number | null)[];
  readonly twice: number;
};

/** How long the last event may take. */
const LAST_MS_MAX = 10_000;
const WAIT_S = 1;

async function accept(job: AcceptJob): Promise<AcceptResult> {
  const { place, key, burst, calls, connections } = job;
  const door = DOORS.find((one) => one.key === job.door);
  if (door === undefined) throw new Error(`no door ${job.door}`);
  const to = toOf(place, key, burst);
  // Made and signed before the clock starts: the load shares the processors with the server.
  const requests = Array.from({ length: calls }, (_, index) => door.call(to, index));
  const callers = await open(place, connections);
  const took = new Array<number>(calls).fill(0);
  let next = 0;
  const lane = async (caller: Caller): Promise<void> => {
    while (next < calls) {
      const index = next++;
      const sentMs = steadyMs();
      const { status, body } = await caller.call(requests[index] ?? "");
      if ((status !== 200 && status !== 202) || !door.says.test(body))
        throw new Error(`${door.name}: ${status} ${body}`);
      took[index] = steadyMs() - sentMs;
    }
  };
  const startMs = steadyMs();
  await Promise.all(callers.map(lane));
  const endMs = steadyMs();
  for (const caller of callers) caller.close();
  return { startMs, endMs, ms: spread(took) };
}

async function steady(job: SteadyJob): Promise<SteadyResult> {
  const { place, key, burst, events, perSecond, type, at } = job;
  const to = toOf(place, key, burst);
  const answeredMs = new Array<number>(events).fill(Number.NaN);
  const cameMs = new Array<number>(events).fill(Number.NaN);
  const seen = { twice: 0, left: events };
  const all = Promise.withResolvers<void>();
  const note = (text: string): void => {
    const index = Number(/"index":(\d+)/.exec(text)?.[1]);
    if (!text.includes(`"burst":"${burst}"`)) return;
    if (Number.isFinite(cameMs[index])) seen.twice += 1;
    else {
      cameMs[index] = steadyMs();
      seen.left -= 1;
      if (seen.left === 0) all.resolve();
    }
  };
  await using parts = new AsyncDisposableStack();
  if (at === null) all.resolve();
  else if ("queue" in at) parts.defer(await receiver(place, at.queue, note));
  else parts.defer(await hook(at.hookPort, note));

  const callers = await open(place, 1);
  parts.defer(() => callers[0]?.close());
  const startMs = steadyMs();
  for (let index = 0; index < events; index++) {
    const earlyMs = startMs + (index * 1000) / perSecond - steadyMs();
    if (earlyMs > 0) await sleep(earlyMs);
    const answer = await callers[0]?.call(putEvents(to, [index], "b.steady", type));
    answeredMs[index] = steadyMs();
    if (answer?.status !== 200) throw new Error(`PutEvents: ${answer?.status} ${answer?.body}`);
  }
  await Promise.race([all.promise, sleep(LAST_MS_MAX)]);
  return { answeredMs, cameMs, twice: seen.twice };
}

/** Receives by long polls and deletes what came, until it is told to end. */
async function receiver(place: Place, queue: string, note: (text: string) => void): Promise<() => Promise<void>> {
  const [caller] = await open(place, 1);
  const signer = new Signer(place, "sqs");
  const QueueUrl = queueUrl(place, queue);
  const ending = { isOver: false };
  const loop = (async () => {
    while (!ending.isOver) {
      const ask = JSON.stringify({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: WAIT_S });
      const answer = await caller?.call(signer.json("ReceiveMessage", ask));
      // Our own door's answer.
      const { Messages = [] } = JSON.parse(answer?.body ?? "{}") as {
        Messages?: { Body: string; ReceiptHandle: string }[];
      };
      for (const { Body } of Messages) note(Body);
      if (Messages.length === 0) continue;
      const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: `d-${n}`, ReceiptHandle }));
      await caller?.call(signer.json("DeleteMessageBatch", JSON.stringify({ QueueUrl, Entries })));
    }
    caller?.close();
  })();
  return () => {
    ending.isOver = true;
    return loop;
  };
}

/** Listens as a webhook does. */
async function hook(port: number, note: (text: string) => void): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      note(text);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  return async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
}

function open({ host, port }: Place, connections: number): Promise<Caller[]> {
  return Promise.all(Array.from({ length: connections }, () => Caller.open(port, host)));
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

function run(job: LoadJob): Promise<AcceptResult | CycleResult | SteadyResult> {
  if (job.kind === "accept") return accept(job);
  return job.kind === "cycles" ? runCycles(job) : steady(job);
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as LoadJob))}\n`);
}
