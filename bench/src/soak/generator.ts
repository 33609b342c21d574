import { createInterface } from "node:readline";
import { Caller } from "../caller.ts";
import { sendBody } from "../mail.ts";
import { steadyMs } from "../measure.ts";
import { Histogram } from "./histogram.ts";
import { DELAY_MS_MAX, DELAY_MS_MIN, KINDS, type Kind, REPEAT_EVERY } from "./mix.ts";

/**
 * An open-loop load: calls come at their times (Poisson, from a seed) whether or not the earlier ones are answered, as
 * the world's do. `GeneratorJob` as JSON on argv; then a line `look` in, a line of `GeneratorLook` out; `stop` ends the
 * calls and waits for their answers; the end of stdin ends it.
 */
export type GeneratorJob = {
  readonly host: string;
  readonly port: number;
  readonly key: string;
  /** Calls a second, repeats not counted. */
  readonly rate: number;
  readonly seed: number;
  /** Shares of the kinds of calls; what is left of 1 is plain. */
  readonly mix: Readonly<Partial<Record<Kind, number>>>;
  /** Of each kind one in so many is timed. */
  readonly timedEvery: number;
};

export type GeneratorLook = {
  /** Since the last look. ms from the moment that the call was due and we had the processor, to its answer. */
  readonly acceptMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly calls: number;
  /** How much later than due calls began: this process' own want of processor. */
  readonly lateMsP99: number;
  /** Most calls that were open at once. */
  readonly openMax: number;
  readonly timed: readonly TimedCall[];
  /** Since the start: by kind, how many numbers were used. */
  readonly sent: Readonly<Record<Kind, number>>;
  /** Since the start: those that were not answered 202, by kind; whether they are kept is not known. */
  readonly unsure: Readonly<Record<Kind, readonly number[]>>;
  /** Since the start, by status, or by what broke the connection. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Repeats of idempotent calls since the start, and those whose answer was another than the first. */
  readonly repeats: { readonly count: number; readonly different: number };
};

/** A call of which the moments are kept; `delayMs` is the delay that it asked for. */
export type TimedCall = {
  readonly kind: Kind;
  readonly index: number;
  readonly sentMs: number;
  readonly acceptedMs: number;
  readonly delayMs: number;
};

/** Between two looks at the clock. */
const TICK_MS = 1;
/** More open calls than this is a server that has stopped; the soak ends by its numbers, not by this process' memory. */
const OPEN_MAX = 2_000;

const job = JSON.parse(process.argv[2] ?? "{}") as GeneratorJob;
const random = seeded(job.seed);
const idle: Caller[] = [];
let open = 0;
let dueMs = 0;
let stopped = false;

const sent = byKind(() => 0);
const unsure = byKind((): number[] => []);
const refusals: Record<string, number> = {};
const repeats = { count: 0, different: 0 };
let sinceLook = emptyLook();

function emptyLook() {
  return { accept: new Histogram(), late: new Histogram(), calls: 0, openMax: 0, timed: [] as TimedCall[] };
}

function byKind<T>(make: () => T): Record<Kind, T> {
  // Every kind gets its value here.
  return Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, make()])) as Record<Kind, T>;
}

function pickKind(): Kind {
  let left = random();
  for (const [kind, share] of Object.entries(job.mix)) {
    left -= share;
    if (left < 0) return kind as Kind;
  }
  return "plain";
}

function tick(): void {
  if (stopped) return;
  const nowMs = steadyMs();
  while (dueMs <= nowMs && open < OPEN_MAX) {
    sinceLook.late.add(nowMs - dueMs);
    void callOnce(pickKind(), nowMs);
    dueMs -= (Math.log(1 - random()) / job.rate) * 1000;
  }
  setTimeout(tick, TICK_MS);
}

async function callOnce(kind: Kind, sentMs: number): Promise<void> {
  const index = sent[kind]++;
  const delayMs = kind === "delayed" ? Math.round(DELAY_MS_MIN + random() * (DELAY_MS_MAX - DELAY_MS_MIN)) : 0;
  const body = sendBody(kind, index, delayMs > 0 ? { delay: { duration: delayMs } } : {});
  const once = kind === "keyed" ? `Idempotency-Key: soak-${job.seed}-${index}\r\n` : "";
  const first = await call(body, once);
  const acceptedMs = steadyMs();
  sinceLook.accept.add(acceptedMs - sentMs);
  sinceLook.calls += 1;
  if (first.status !== 202) {
    const reason = first.status === 0 ? first.body : String(first.status);
    refusals[reason] = (refusals[reason] ?? 0) + 1;
    unsure[kind].push(index);
    return;
  }
  if (index % job.timedEvery === 0) sinceLook.timed.push({ kind, index, sentMs, acceptedMs, delayMs });
  if (kind !== "keyed" || index % REPEAT_EVERY !== 0) return;
  const again = await call(body, once);
  repeats.count += 1;
  if (again.status !== 202 || again.body !== first.body) repeats.different += 1;
}

async function call(body: string, headers: string): Promise<{ readonly status: number; readonly body: string }> {
  open += 1;
  sinceLook.openMax = Math.max(sinceLook.openMax, open);
  try {
    let caller = idle.pop();
    while (caller !== undefined && !caller.isOpen) caller = idle.pop();
    caller ??= await Caller.open(job.port, job.host);
    const head =
      `POST /send HTTP/1.1\r\nHost: ${job.host}:${job.port}\r\nAuthorization: Bearer ${job.key}\r\n` +
      `Content-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const answer = await caller.call(head + body);
    idle.push(caller);
    return answer;
  } catch (error) {
    return { status: 0, body: String(error) };
  } finally {
    open -= 1;
  }
}

function look(): GeneratorLook {
  const { accept, late, calls, openMax, timed } = sinceLook;
  sinceLook = emptyLook();
  return {
    acceptMs: { p50: accept.quantile(0.5), p99: accept.quantile(0.99), max: accept.max },
    calls,
    lateMsP99: late.quantile(0.99),
    openMax,
    timed,
    sent,
    unsure,
    refusals,
    repeats,
  };
}

/** mulberry32: 32 bits of state are plenty for the times of calls. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

dueMs = steadyMs();
tick();
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "stop") {
    stopped = true;
    while (open > 0) await new Promise((done) => setTimeout(done, TICK_MS));
  }
  process.stdout.write(`${JSON.stringify(look())}\n`);
}
for (const caller of idle) caller.close();
process.exit(0);
