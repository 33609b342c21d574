import { sleep } from "./children.ts";
import { addressOf } from "./mail.ts";
import { cpuOf, familyOf, memoryOf, type Spread, spread, steadyMs } from "./measure.ts";
import type { Sink } from "./sink.ts";
import type { SunkMail } from "./smtp-sink.ts";

/** What one burst of a system came to. */
export type Burst = {
  readonly sends: number;
  /** From the first call until every mail is at the sink and the system has written everything down. */
  readonly startMs: number;
  readonly tookMs: number;
  readonly perSecond: number;
  /** From the call (or the hand-over to a client without a queue) to the last byte at the sink. */
  readonly arriveMs: Spread | null;
  readonly accepts: { readonly perSecond: number; readonly ms: Spread; readonly putOff: number } | null;
  /** Of the system alone, per message; null without /proc. Its threads apart, as they are named. */
  readonly cpuUs: number | null;
  readonly threadsUs: Readonly<Record<string, number>>;
  /** The same of its database server, per message, and what it holds afterwards; null if it has none, or without /proc. */
  readonly databaseCpuUs: number | null;
  readonly databaseMib: number | null;
  readonly sinkCpuUs: number;
  readonly peakMib: number | null;
  readonly bytesPerMail: number;
  readonly lost: number;
  readonly duplicates: number;
};

/** What a system does for a burst: everything between the first call and the last thing written down. */
export type Work = (burst: string, sends: number, arrived: () => Promise<void>) => Promise<WorkDone>;
export type WorkDone = {
  readonly startMs: number;
  readonly endMs: number;
  readonly sentMs: readonly number[] | null;
  readonly accepts: Burst["accepts"];
};

/** Between two looks at the sink while mails arrive: a look costs it some 30 µs. */
const LOOK_MS = 25;
/** A burst that brings nothing more for this long is over. */
const STALLED_MS = 20_000;

/** Runs one burst, and counts afterwards whether each mail arrived, and once. */
export async function measureBurst(
  pid: number,
  sink: Sink,
  burst: string,
  sends: number,
  work: Work,
  databasePid: number | null = null,
): Promise<Burst> {
  const before = await sink.stats();
  const databaseBefore = familyOf(databasePid);
  const cpuBefore = cpuOf(pid);
  const { startMs, endMs, sentMs, accepts } = await work(burst, sends, () => arrived(sink, before.mails + sends));
  const cpuAfter = cpuOf(pid);
  const databaseAfter = familyOf(databasePid);
  const after = await sink.stats();
  const { atMs: at, lost, duplicates } = countArrivals(await sink.recorded(), burst, sends);
  const arriveMs = sentMs?.flatMap((ms, index) => {
    const arrivedMs = at.get(addressOf(burst, index));
    return arrivedMs === undefined ? [] : [arrivedMs - ms];
  });
  const tookMs = endMs - startMs;
  const mails = Math.max(1, after.mails - before.mails);
  const threadsUs: Record<string, number> = {};
  for (const [name, us] of cpuAfter?.threads ?? []) {
    const spent = (us - (cpuBefore?.threads.get(name) ?? 0)) / sends;
    if (spent >= 1) threadsUs[name] = Math.round(spent * 10) / 10;
  }
  return {
    sends,
    startMs,
    tookMs,
    perSecond: (sends / tookMs) * 1000,
    arriveMs: arriveMs === undefined ? null : spread(arriveMs),
    accepts,
    cpuUs: cpuBefore === null || cpuAfter === null ? null : (cpuAfter.wholeUs - cpuBefore.wholeUs) / sends,
    threadsUs,
    databaseCpuUs:
      databaseBefore === null || databaseAfter === null ? null : (databaseAfter.cpuUs - databaseBefore.cpuUs) / sends,
    databaseMib: databaseAfter?.mib ?? null,
    sinkCpuUs: ((after.cpuMs - before.cpuMs) * 1000) / sends,
    peakMib: memoryOf(pid)?.peakMib ?? null,
    bytesPerMail: Math.round((after.bytes - before.bytes) / mails),
    lost,
    duplicates,
  };
}

/** When each recipient of the burst got its first mail, how many got none, and how many mails came beyond the first. */
export function countArrivals(
  recorded: readonly Pick<SunkMail, "recipients" | "atMs">[],
  burst: string,
  sends: number,
): { readonly atMs: ReadonlyMap<string, number>; readonly lost: number; readonly duplicates: number } {
  const expected = new Set(Array.from({ length: sends }, (_, index) => addressOf(burst, index)));
  const first = new Map<string, number>();
  let duplicates = 0;
  for (const { recipients, atMs } of recorded) {
    for (const recipient of recipients) {
      if (!expected.has(recipient)) continue;
      if (first.has(recipient)) duplicates += 1;
      else first.set(recipient, atMs);
    }
  }
  return { atMs: first, lost: sends - first.size, duplicates };
}

/** Until the sink has `mails`, or nothing more comes. */
async function arrived(sink: Sink, mails: number): Promise<void> {
  let last = { mails: 0, sinceMs: steadyMs() };
  for (;;) {
    const now = await sink.stats();
    if (now.mails >= mails) return;
    if (now.mails > last.mails) last = { mails: now.mails, sinceMs: steadyMs() };
    if (steadyMs() - last.sinceMs > STALLED_MS) return;
    await sleep(LOOK_MS);
  }
}
