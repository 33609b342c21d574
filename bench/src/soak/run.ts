import { join } from "node:path";
import { type Child, scriptFile, sleep, start, workFolder } from "../children.ts";
import { listMessage, listRow } from "../mail.ts";
import { steadyMs } from "../measure.ts";
import { CountingSink } from "../scale/counting.ts";
import { KEY, Tidings } from "../tidings.ts";
import type { GeneratorJob, GeneratorLook, TimedCall } from "./generator.ts";
import { Histogram } from "./histogram.ts";
import { ARRIVING, KINDS, LIST_PEOPLE, LIST_SHARE, LISTS } from "./mix.ts";
import type { Totals } from "./results.ts";
import { type Sample, sumOf, Watch } from "./sample.ts";

export type SoakPlan = {
  readonly minutes: number;
  /** Mails a second. */
  readonly ratePerS: number;
  readonly retentionMinutes: number;
  readonly sampleS: number;
};

const TIMED_EVERY = 8;
const SEED = 1;
/** After the last call: delays and retries come to their end. */
const SETTLE_MS_MAX = 300_000;
const LOOK_MS = 250;

/** The load for so many minutes, and what was seen. @param tell is called with each sample. */
export async function soak(
  plan: SoakPlan,
  tell: (sample: Sample) => void,
): Promise<{ readonly samples: readonly Sample[]; readonly totals: Totals }> {
  await using sink = await CountingSink.start({
    timed: { plain: TIMED_EVERY, delayed: TIMED_EVERY },
    refused: ["refused"],
    busy: ["busy"],
  });
  const dataDir = workFolder();
  const probeFile = join(workFolder(), "loop.jsonl");
  await using tidings = await Tidings.start({
    smtpPort: sink.port,
    dataDir,
    nodeArgs: ["--import", scriptFile("soak/loop-probe.ts")],
    env: {
      TIDINGS_MESSAGES_AGE_MAX: `${plan.retentionMinutes}m`,
      TIDINGS_JOURNAL_AGE_MAX: `${plan.retentionMinutes}m`,
      TIDINGS_SOAK_PROBE: probeFile,
      TIDINGS_SOAK_PROBE_MS: String(plan.sampleS * 1000),
    },
  });
  const rows = (list: number): unknown[] => Array.from({ length: LIST_PEOPLE }, (_, at) => listRow(`list${list}`, at));
  for (let list = 0; list < LISTS; list += 1) await tidings.importRows(`soak.list${list}`, rows(list));
  await using generator = startGenerator(tidings, plan.ratePerS * (1 - LIST_SHARE));
  const lists = sendToLists(tidings, plan.ratePerS * LIST_SHARE);
  const samples = await watch(plan, { tidings, sink, generator }, new Watch(tidings.pid, dataDir, probeFile), tell);
  const listSends = await lists.stop();
  const look = await generator.ask("stop");
  await settled(tidings);
  return { samples, totals: await balance(look, listSends, tidings, sink) };
}

export type Generator = AsyncDisposable & { ask(word: "look" | "stop"): Promise<GeneratorLook> };

/** An open-loop load in a process of its own, under way when this returns. */
export function startGenerator(
  tidings: Tidings,
  rate: number,
  { mix = KINDS, timedEvery = TIMED_EVERY }: Partial<Pick<GeneratorJob, "mix" | "timedEvery">> = {},
): Generator {
  const { hostname: host, port } = tidings.url;
  const job: GeneratorJob = { host, port: Number(port), key: KEY, rate, seed: SEED, mix, timedEvery };
  const child: Child = start([scriptFile("soak/generator.ts"), JSON.stringify(job)]);
  return {
    ask: async (word) => (await child.ask(word)) as GeneratorLook,
    [Symbol.asyncDispose]: () => child.end(),
  };
}

/** One send to each list in turn, as often as their share of the mails needs. */
function sendToLists(tidings: Tidings, mailsPerS: number): { stop(): Promise<readonly number[]> } {
  const sends = Array.from({ length: LISTS }, () => 0);
  const everyMs = (LIST_PEOPLE / mailsPerS) * 1000;
  let stopped = false;
  const loop = async (): Promise<void> => {
    const startMs = steadyMs();
    for (let n = 0; ; n += 1) {
      while (!stopped && steadyMs() < startMs + n * everyMs) await sleep(Math.min(LOOK_MS, everyMs));
      if (stopped) return;
      await tidings.send(listMessage(`soak.list${n % LISTS}`));
      sends[n % LISTS] = (sends[n % LISTS] ?? 0) + 1;
    }
  };
  const running = loop();
  // Told when the soak stops; until then nobody waits for it.
  running.catch(() => undefined);
  return {
    stop: async () => {
      stopped = true;
      await running;
      return sends;
    },
  };
}

type Parts = { readonly tidings: Tidings; readonly sink: CountingSink; readonly generator: Generator };

async function watch(
  { minutes, sampleS }: SoakPlan,
  { tidings, sink, generator }: Parts,
  process: Watch,
  tell: (sample: Sample) => void,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const journeys = new Journeys();
  const startMs = steadyMs();
  let before = { mails: 0, atMs: startMs };
  for (let n = 1; n * sampleS <= minutes * 60; n += 1) {
    await sleep(Math.max(0, startMs + n * sampleS * 1000 - steadyMs()));
    const [look, timed, stats, metrics] = await Promise.all([
      generator.ask("look"),
      sink.timed(),
      sink.stats(),
      tidings.metrics(),
    ]);
    for (const call of look.timed) journeys.called(call);
    for (const [burst, index, atMs] of timed) journeys.arrived(burst, index, atMs);
    const now = { mails: stats.mails, atMs: steadyMs() };
    const sample: Sample = {
      atS: (now.atMs - startMs) / 1000,
      mailsPerS: ((now.mails - before.mails) / (now.atMs - before.atMs)) * 1000,
      acceptMsP50: look.acceptMs.p50,
      acceptMsP99: look.acceptMs.p99,
      ...journeys.take(),
      ...process.look(metrics),
      loadLateMsP99: look.lateMsP99,
      openCallsMax: look.openMax,
    };
    before = now;
    samples.push(sample);
    tell(sample);
  }
  return samples;
}

/** Brings together what the load knows of a call and the sink of its mail, whichever is told first. */
class Journeys {
  readonly #calls = new Map<string, TimedCall>();
  readonly #mails = new Map<string, number>();
  #arrive = new Histogram();
  #late = new Histogram();

  called(call: TimedCall): void {
    const key = `${call.kind}-${call.index}`;
    const atMs = this.#mails.get(key);
    if (atMs === undefined) this.#calls.set(key, call);
    else if (this.#mails.delete(key)) this.#done(call, atMs);
  }

  arrived(kind: string, index: number, atMs: number): void {
    const key = `${kind}-${index}`;
    const call = this.#calls.get(key);
    if (call === undefined) this.#mails.set(key, atMs);
    else if (this.#calls.delete(key)) this.#done(call, atMs);
  }

  take(): Pick<Sample, "arriveMsP50" | "arriveMsP99" | "timerLateMsP99"> {
    const [arrive, late] = [this.#arrive, this.#late];
    [this.#arrive, this.#late] = [new Histogram(), new Histogram()];
    return {
      arriveMsP50: arrive.quantile(0.5),
      arriveMsP99: arrive.quantile(0.99),
      timerLateMsP99: late.quantile(0.99),
    };
  }

  #done({ kind, sentMs, acceptedMs, delayMs }: TimedCall, atMs: number): void {
    if (kind === "plain") this.#arrive.add(atMs - acceptedMs);
    if (kind === "delayed") this.#late.add(atMs - sentMs - delayMs);
  }
}

async function settled(tidings: Tidings): Promise<void> {
  const startMs = steadyMs();
  for (;;) {
    const { waiting, ready, held } = await tidings.jobs();
    if (waiting + ready + held === 0 || steadyMs() - startMs > SETTLE_MS_MAX) return;
    await sleep(LOOK_MS);
  }
}

async function balance(
  look: GeneratorLook,
  listSends: readonly number[],
  tidings: Tidings,
  sink: CountingSink,
): Promise<Totals> {
  let [lost, twice] = [0, 0];
  for (const kind of ARRIVING) {
    const found = await sink.check(kind, look.sent[kind], 1, look.unsure[kind]);
    lost += found.lost;
    twice += found.twice;
  }
  for (const [list, sends] of listSends.entries()) {
    const found = await sink.check(`list${list}`, LIST_PEOPLE, sends);
    lost += found.lost;
    twice += found.twice;
  }
  const metrics = await tidings.metrics();
  const outcomes: Record<string, number> = {};
  for (const [, status] of metrics.matchAll(/^tidings_outcomes_total\{.*status="(\w+)"/gm)) {
    if (status !== undefined) outcomes[status] = sumOf(metrics, "tidings_outcomes_total", `status="${status}"`);
  }
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const arriving = sum(ARRIVING.map((kind) => look.sent[kind] - look.unsure[kind].length));
  return {
    calls: sum(Object.values(look.sent)) + look.repeats.count,
    mailsExpected: arriving + sum(listSends) * LIST_PEOPLE,
    mailsArrived: (await sink.stats()).mails,
    lost,
    twice,
    refusals: look.refusals,
    repeats: look.repeats,
    listSends: sum(listSends),
    outcomes,
    refusedRecipients: look.sent.refused - look.unsure.refused.length,
  };
}
