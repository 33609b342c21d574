import { type Burst, measureBurst, type WorkDone } from "./burst.ts";
import { scriptFile, start } from "./children.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { addressOf } from "./mail.ts";
import { type Spread, spread, steadyMs } from "./measure.ts";
import type { Sink } from "./sink.ts";

/** What takes sends over HTTP and mails them: Tidings, or one of its rivals. */
export type System = {
  readonly pid: number;
  /** Of the server that keeps its state, with whatever that has started; null if it needs none. */
  readonly databasePid: number | null;
  job(burst: string, sends: number, rest: Partial<LoadJob>): LoadJob;
  /** Until whatever was accepted has its outcome in the log, and no queue holds it. */
  settled(): Promise<void>;
};

/** Connections of a burst, as in `performance.md`. */
export const CONNECTIONS = 64;
/** Sends one after the other for the latency of a lone one, and the rest between two, in which the last one arrives. */
export const LONE_SENDS = 200;
const LONE_GAP_MS = 20;

export type Load = AsyncDisposable & { readonly pid: number; run(job: LoadJob): Promise<LoadResult> };

export function startLoad(): Load {
  const child = start([scriptFile("load.ts")]);
  return {
    pid: child.pid,
    run: async (job) => (await child.ask(JSON.stringify(job))) as LoadResult,
    [Symbol.asyncDispose]: () => child.end(),
  };
}

/** Who looks at more than a burst does by itself, just before its clock starts and when it has stopped. */
export type Onlooker = { begin(): Promise<void>; end(): Promise<void> };
const NOBODY: Onlooker = { begin: async () => undefined, end: async () => undefined };

/** As fast as it takes them, until all is at the sink and settled. What warms it up comes before and is not counted. */
export async function burstOf(
  system: System,
  sink: Sink,
  load: Load,
  warmUp: number,
  sends: number,
  onlooker: Onlooker = NOBODY,
): Promise<Burst> {
  await load.run(system.job("warm", warmUp, {}));
  await system.settled();
  const work = async (burst: string, count: number, arrived: () => Promise<void>): Promise<WorkDone> => {
    await onlooker.begin();
    const result = await load.run(system.job(burst, count, {}));
    await arrived();
    await system.settled();
    const endMs = steadyMs();
    await onlooker.end();
    return { startMs: result.startMs, endMs, sentMs: result.sentMs, accepts: acceptsOf(result) };
  };
  return measureBurst(system.pid, sink, "b", sends, work, system.databasePid);
}

export type Accepts = NonNullable<Burst["accepts"]>;

/** Accepts while nothing is delivered. @param rest what keeps this system from it, if `settled` is not to be awaited. */
export async function acceptsAlone(
  system: System,
  load: Load,
  warmUp: number,
  sends: number,
  rest: Partial<LoadJob>,
): Promise<Accepts> {
  await load.run(system.job("warm", warmUp, rest));
  return acceptsOf(await load.run(system.job("a", sends, rest)));
}

/** Accepts at a steady rate, whether or not the last one is answered, with everything delivered meanwhile. */
export async function acceptsAt(system: System, load: Load, perSecond: number, sends: number): Promise<Accepts> {
  const accepts = acceptsOf(await load.run(system.job("steady", sends, { perSecond })));
  await system.settled();
  return accepts;
}

function acceptsOf({ startMs, endMs, sentMs, acceptedMs, putOff }: LoadResult): Accepts {
  return { perSecond: (sentMs.length / (endMs - startMs)) * 1000, ms: between(sentMs, acceptedMs), putOff };
}

export type Lone = { readonly acceptMs: Spread; readonly arriveMs: Spread; readonly acceptToArriveMs: Spread };

export async function loneSends(system: System, sink: Sink, load: Load, sends: number = LONE_SENDS): Promise<Lone> {
  const { sentMs, acceptedMs } = await load.run(system.job("lone", sends, { connections: 1, gapMs: LONE_GAP_MS }));
  await system.settled();
  const at = new Map((await sink.recorded()).map(({ recipients, atMs }) => [recipients[0], atMs]));
  const arrivedMs = sentMs.map((_, index) => at.get(addressOf("lone", index)) ?? Number.NaN);
  return {
    acceptMs: between(sentMs, acceptedMs),
    arriveMs: between(sentMs, arrivedMs),
    acceptToArriveMs: between(acceptedMs, arrivedMs),
  };
}

function between(from: readonly number[], to: readonly number[]): Spread {
  return spread(to.map((ms, i) => ms - (from[i] ?? Number.NaN)));
}

/** What a system came to in one round. What was not asked of it is null. */
export type Turn = {
  readonly burst: Burst;
  readonly lone: Lone | null;
  /** Accepts at half of the rate that the burst came to, while everything is delivered. */
  readonly halfLoad: Accepts | null;
  readonly restAfterMib: number | null;
  /** How many messages the log has in each status. */
  readonly statuses: Readonly<Record<string, number>> | null;
};
