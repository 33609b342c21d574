import { createInterface } from "node:readline";
import { Caller } from "./caller.ts";
import { sendBody } from "./mail.ts";
import { steadyMs } from "./measure.ts";

/**
 * One burst: `connections` at once, each sends when its last call is answered and `gapMs` have passed. With `perSecond`
 * it is due at its own time, whether or not the others are answered, and its latency counts from then.
 */
export type LoadJob = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly key: string;
  /** Names the burst; see mail.ts. */
  readonly burst: string;
  readonly sends: number;
  readonly connections: number;
  readonly gapMs: number;
  readonly perSecond?: number;
  /** Asks that the mail be sent so much later. */
  readonly delayMs?: number;
};

/** Times in ms of the machine's steady clock, by index of the send. */
export type LoadResult = {
  readonly startMs: number;
  readonly endMs: number;
  readonly sentMs: readonly number[];
  readonly acceptedMs: readonly number[];
  /** Calls that were answered 429 or 503 and said again, as `Retry-After` wished. */
  readonly putOff: number;
};

const PUT_OFF_MS_MAX = 5_000;

async function run(job: LoadJob): Promise<LoadResult> {
  const { host, port, path, key, burst, sends, connections, gapMs, perSecond, delayMs } = job;
  const callers = await Promise.all(Array.from({ length: connections }, () => Caller.open(port, host)));
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
  const sentMs = new Array<number>(sends).fill(0);
  const acceptedMs = new Array<number>(sends).fill(0);
  const more = delayMs === undefined ? {} : { delay: { duration: delayMs } };
  let next = 0;
  let putOff = 0;
  const lane = async (caller: Caller): Promise<void> => {
    while (next < sends) {
      const index = next++;
      const body = sendBody(burst, index, more);
      const request = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
      if (perSecond !== undefined) {
        const dueMs = startMs + (index * 1000) / perSecond;
        sentMs[index] = dueMs;
        await until(dueMs);
      } else sentMs[index] = steadyMs();
      for (;;) {
        const answer = await caller.call(request);
        if (answer.status === 202) break;
        if (answer.status !== 429 && answer.status !== 503) throw new Error(`${answer.status} ${answer.body}`);
        putOff += 1;
        const seconds = Number(/retry-after: (\d+)/i.exec(answer.head)?.[1] ?? 1);
        await new Promise((done) => setTimeout(done, Math.min(PUT_OFF_MS_MAX, seconds * 1000)));
      }
      acceptedMs[index] = steadyMs();
      if (gapMs > 0) await new Promise((done) => setTimeout(done, gapMs));
    }
  };
  const startMs = steadyMs();
  await Promise.all(callers.map(lane));
  const endMs = steadyMs();
  for (const caller of callers) caller.close();
  return { startMs, endMs, sentMs, acceptedMs, putOff };
}

/** A timer may fire a little early, so it is asked again. */
async function until(dueMs: number): Promise<void> {
  for (;;) {
    const earlyMs = dueMs - steadyMs();
    if (earlyMs <= 0) return;
    await new Promise((done) => setTimeout(done, earlyMs));
  }
}

/** A line of `LoadJob` in, a line of `LoadResult` out, until the end of stdin. */
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as LoadJob))}\n`);
}
