import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, workFolder } from "../children.ts";
import { orderData } from "../doors/doors.ts";
import { type House, Load } from "../doors/house.ts";
import { cpuOf, steadyMs } from "../measure.ts";
import { startRedis, type RedisSync } from "../rivals/redis.ts";
import { countOf } from "../terminal.ts";
import { KEY } from "../tidings.ts";
import { Producer, startWorker } from "./bullmq.ts";
import type { OrdersPlan, OrdersReport } from "./handler.ts";
import { fileOf, houseOf, makeProject } from "./projects.ts";

/** Of `orders.ts`, which only a server can load. */
const QUEUE = "b-batch";
const FILL_BATCH = 10;
const FILL_CONNECTIONS = 64;
/** A run that has not ended after so long has lost something. */
const DONE_MS_MAX = 180_000;
const LOOK_MS = 5;
/** What would come a second time has come by then. */
const QUIET_MS = 300;

export type RateSize = { readonly events: number; readonly warmUp: number };

/** Orders through the handler. */
export type Rate = {
  /** From the end of the warm-up until all are done and the queue is empty. */
  readonly perSecond: number;
  /** Until the handler had the last, of which some were not kept yet: with few events it is how fast hands are emptied. */
  readonly handledPerSecond: number;
  /** Of the contestant's process, and of Redis, for one. */
  readonly cpuUs: number | null;
  readonly databaseCpuUs: number | null;
  readonly lost: number;
  readonly twice: number;
};

export type RateContestant = {
  readonly key: string;
  readonly name: string;
  /** When what is done is on the disk. */
  readonly durable: string;
  readonly run: (size: RateSize) => Promise<Rate>;
};

export const BATCHES = [1, 10, 100] as const;
/** Of both: what a function has unless it says otherwise, and what BullMQ is usually given. */
export const CONCURRENCIES = [10, 50] as const;
export const SYNCS: readonly RedisSync[] = ["always", "everysec"];

export function oursKey(batch: number, concurrency: number): string {
  return `tidings-${batch}-${concurrency}`;
}

export function bullmqKey(sync: RedisSync, concurrency: number): string {
  return `bullmq-${sync}-${concurrency}`;
}

export const RATE_CONTESTANTS: readonly RateContestant[] = [
  ...BATCHES.flatMap((batchSize) =>
    CONCURRENCIES.map((concurrency) => ({
      key: oursKey(batchSize, concurrency),
      name: `Tidings, batches of ${batchSize}, concurrency ${concurrency}`,
      durable: "each commit, fsynced",
      run: (size: RateSize) => runTidings({ batchSize, concurrency }, size),
    })),
  ),
  ...SYNCS.flatMap((sync) =>
    CONCURRENCIES.map((concurrency) => ({
      key: bullmqKey(sync, concurrency),
      name: `BullMQ, concurrency ${concurrency}, appendfsync ${sync}`,
      durable: sync === "always" ? "each command, fsynced" : "once a second",
      run: (size: RateSize) => runBullmq(sync, concurrency, size),
    })),
  ),
];

export type Rates = Readonly<Record<string, readonly Rate[]>>;

/** Every contestant in turn, each time with an empty store and processes of its own. */
export async function measureRates(
  { rounds, ...size }: RateSize & { readonly rounds: number },
  missing: string[],
  say: (line: string) => void,
): Promise<Rates> {
  const found: Record<string, Rate[]> = {};
  const failed = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    for (const { key, name, run } of RATE_CONTESTANTS) {
      if (failed.has(key)) continue;
      try {
        const one = await run(size);
        (found[key] ??= []).push(one);
        const redis = one.databaseCpuUs === null ? "" : ` + ${one.databaseCpuUs.toFixed(0)} of Redis`;
        say(
          `round ${round}/${rounds}: ${name}: ${countOf(one.perSecond)} events/s, ${one.cpuUs?.toFixed(0)}${redis} µs CPU · lost ${one.lost}, twice ${one.twice}`,
        );
      } catch (error) {
        failed.add(key);
        missing.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        say(`NOT MEASURED: ${missing.at(-1)}`);
      }
    }
  }
  return found;
}

/** The queue is filled while there is no function, and worked by a server that is started anew. */
export async function runTidings(
  options: { readonly batchSize: number; readonly concurrency: number },
  { events, warmUp }: RateSize,
  nodeArgs: readonly string[] = [],
  told: (report: OrdersReport) => void = () => undefined,
): Promise<Rate> {
  const dataDir = workFolder();
  await fillTidings(dataDir, events);
  const plan: OrdersPlan = { expected: events, warmUp, report: join(dataDir, "orders.json"), databasePid: null };
  const project = makeProject({ orders: fileOf("orders.ts", "ordersFunction", options) }, { plan });
  await using house = await houseOf(project, { dataDir, nodeArgs });
  return await rateOf({ plan, pid: house.pid, unfinished: () => lyingIn(house) }, told);
}

async function fillTidings(dataDir: string, events: number): Promise<void> {
  await using house = await houseOf(makeProject({}), { dataDir });
  await using load = new Load();
  await house.createQueue(QUEUE);
  const calls = Math.ceil(events / FILL_BATCH);
  const { place } = house;
  await load.accept({ place, key: KEY, door: "sqs-batch", burst: "f", calls, connections: FILL_CONNECTIONS });
  const lie = await lyingIn(house);
  if (lie !== events) throw new Error(`${lie} messages lie in the queue instead of ${events}`);
}

async function lyingIn(house: House): Promise<number> {
  const { counts } = (await house.call("GET", `/queues/${QUEUE}`)) as { counts: Record<string, number> };
  return (counts["visible"] ?? 0) + (counts["in_flight"] ?? 0) + (counts["delayed"] ?? 0);
}

async function runBullmq(sync: RedisSync, concurrency: number, { events, warmUp }: RateSize): Promise<Rate> {
  await using parts = new AsyncDisposableStack();
  const redis = parts.use(await startRedis(sync));
  const producer = parts.use(new Producer(redis.socket));
  await producer.fill(events, (index) => JSON.parse(orderData("f", index)) as object);
  const report = join(workFolder(), "orders.json");
  const plan: OrdersPlan = { expected: events, warmUp, report, databasePid: redis.pid };
  const worker = await startWorker({ kind: "orders", socket: redis.socket, concurrency, plan });
  parts.defer(() => worker.end());
  return await rateOf({ plan, pid: worker.pid, unfinished: () => producer.unfinished() });
}

/** Until all is handled and the queue is empty, so that what is done is on the disk; then it is looked whether any came twice. */
async function rateOf(
  { plan, pid, unfinished }: Run,
  told: (report: OrdersReport) => void = () => undefined,
): Promise<Rate> {
  const startMs = steadyMs();
  while (!existsSync(plan.report)) {
    if (steadyMs() - startMs > DONE_MS_MAX) {
      throw new Error(`after ${DONE_MS_MAX / 1_000} s, not all of ${plan.expected} events have come to the handler`);
    }
    await sleep(LOOK_MS);
  }
  while ((await unfinished()) > 0) {
    if (steadyMs() - startMs > DONE_MS_MAX) throw new Error("all were handled, and the queue does not empty");
    await sleep(LOOK_MS);
  }
  const emptyMs = steadyMs();
  const { databasePid } = plan;
  const [ownUs, databaseUs] = [cpuOf(pid), databasePid === null ? null : cpuOf(databasePid)].map(
    (cpu) => cpu?.wholeUs ?? null,
  );
  await sleep(QUIET_MS);
  const report = readReport(plan.report);
  told(report);
  const { start, endMs, count, different } = report;
  const counted = plan.expected - start.count;
  const each = (until: number | null | undefined, from: number | null): number | null =>
    until == null || from === null ? null : (until - from) / counted;
  return {
    perSecond: (counted / (emptyMs - start.atMs)) * 1_000,
    handledPerSecond: (counted / (endMs - start.atMs)) * 1_000,
    cpuUs: each(ownUs, start.ownUs),
    databaseCpuUs: each(databaseUs, start.databaseUs),
    lost: plan.expected - different,
    twice: count - different,
  };
}

type Run = {
  readonly plan: OrdersPlan;
  /** Who works. */
  readonly pid: number;
  /** What still lies in the queue or is in hand. */
  readonly unfinished: () => Promise<number>;
};

function readReport(file: string): OrdersReport {
  // `handler.ts` writes it.
  return JSON.parse(readFileSync(file, "utf8")) as OrdersReport;
}
