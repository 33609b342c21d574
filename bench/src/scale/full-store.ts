import { existsSync } from "node:fs";
import { join } from "node:path";
import { sleep, workFolder } from "../children.ts";
import { steadyMs } from "../measure.ts";
import { bytesOf, sumOf } from "../soak/sample.ts";
import { startLoad } from "../system.ts";
import { Tidings, type TidingsOptions } from "../tidings.ts";
import { arrived } from "./arrivals.ts";
import { CountingSink } from "./counting.ts";
import { fillStore, type StoreSize } from "./fill-store.ts";
import { keptFolder } from "./list-store.ts";
import { WARM_UP_SENDS } from "./list.ts";

/** So that upkeep trims nothing while we compare. */
const KEEP_ALL = { TIDINGS_JOURNAL_EVENTS_MAX: "10000000000" };
/** Upkeep begins a minute after the start. */
const UPKEEP_MS_MAX = 90_000;
/** Events beyond what may be kept when we look at trimming: more than a burst lasts. */
const TRIM_EVENTS = 1_000_000;
const LOOK_MS = 100;
const REST_MS = 2_000;
const SCRAPES = 5;

export type StoreRound = {
  readonly readyMs: number;
  /** Until the last mail was at the server. */
  readonly perSecond: number;
  readonly lost: number;
  readonly twice: number;
};

export type FullStore = {
  readonly size: StoreSize;
  readonly diskMib: number;
  readonly sends: number;
  readonly empty: readonly StoreRound[];
  readonly full: readonly StoreRound[];
  /** How long `/metrics` takes with so many timers, which counts them on a thread of its own. */
  readonly scrapeMs: number;
  /** A burst while upkeep trims the journal as fast as it does; null in a quick run. */
  readonly trimming: (StoreRound & { readonly trimmedEvents: number }) | null;
};

/** Bursts to an empty and a full store in turn. */
export async function fullStore(
  wanted: { readonly events: number; readonly timers: number },
  options: { readonly rounds: number; readonly sends: number; readonly trims: boolean },
  say: (line: string) => void,
): Promise<FullStore> {
  const dataDir = keptFolder(`full-${wanted.events}-${wanted.timers}`);
  const isThere = existsSync(join(dataDir, "tidings.db"));
  if (!isThere) say(`filling a store with ${wanted.events} events and ${wanted.timers} timers, which takes minutes`);
  const size = await fillStore(dataDir, wanted);
  if (size.tookMs > 1_000) say(`filled in ${(size.tookMs / 1000).toFixed(0)} s`);
  const empty: StoreRound[] = [];
  const full: StoreRound[] = [];
  let scrapeMs = Number.NaN;
  for (let round = 0; round < options.rounds; round += 1) {
    empty.push(await burst(workFolder(), 0, options.sends));
    full.push(
      await burst(dataDir, size.timers, options.sends, async (tidings) => {
        scrapeMs = await scrape(tidings);
      }),
    );
    const [one, other] = [empty.at(-1), full.at(-1)];
    say(
      `round ${round + 1}: empty ${one?.perSecond.toFixed(0)}/s, ready after ${one?.readyMs.toFixed(0)} ms · ` +
        `full ${other?.perSecond.toFixed(0)}/s, ready after ${other?.readyMs.toFixed(0)} ms · a scrape takes ${scrapeMs.toFixed(0)} ms`,
    );
  }
  const trimming = options.trims ? await burstWhileTrimming(dataDir, size, options.sends) : null;
  return { size, diskMib: bytesOf(dataDir) / 2 ** 20, sends: options.sends, empty, full, scrapeMs, trimming };
}

async function burst(
  dataDir: string,
  timers: number,
  sends: number,
  then: (tidings: Tidings) => Promise<void> = async () => undefined,
): Promise<StoreRound> {
  await using sink = await CountingSink.start();
  await using tidings = await Tidings.start(optionsOf(sink, dataDir, KEEP_ALL));
  const round = await loaded(tidings, sink, timers, sends);
  await then(tidings);
  return round;
}

function optionsOf(sink: CountingSink, dataDir: string, env: Readonly<Record<string, string>>): TidingsOptions {
  return { smtpPort: sink.port, dataDir, env };
}

async function loaded(tidings: Tidings, sink: CountingSink, timers: number, sends: number): Promise<StoreRound> {
  await using load = startLoad();
  await load.run(tidings.job("warm", WARM_UP_SENDS, {}));
  await arrived(() => sink.distinct("warm"), WARM_UP_SENDS);
  await quiet(tidings, timers);
  const { startMs } = await load.run(tidings.job("b", sends, {}));
  const endMs = await arrived(() => sink.distinct("b"), sends);
  await quiet(tidings, timers);
  return {
    readyMs: tidings.readyMs,
    perSecond: (sends / (endMs - startMs)) * 1000,
    ...(await sink.check("b", sends)),
  };
}

/** Until nothing is in hand; timers may wait. Counting them is work, so it is not asked often. */
async function quiet(tidings: Tidings, timers: number): Promise<void> {
  for (;;) {
    const { waiting, ready, held } = await tidings.jobs();
    if (ready + held === 0 && waiting <= timers) return;
    await sleep(LOOK_MS);
  }
}

async function scrape(tidings: Tidings): Promise<number> {
  let most = 0;
  for (let n = 0; n < SCRAPES; n += 1) {
    // Longer than what one look serves.
    await sleep(REST_MS);
    const startMs = steadyMs();
    await tidings.metrics();
    most = Math.max(most, steadyMs() - startMs);
  }
  return most;
}

async function burstWhileTrimming(dataDir: string, size: StoreSize, sends: number): Promise<FullStore["trimming"]> {
  await using sink = await CountingSink.start();
  const most = String(size.events - Math.min(TRIM_EVENTS, Math.floor(size.events / 2)));
  await using tidings = await Tidings.start(optionsOf(sink, dataDir, { TIDINGS_JOURNAL_EVENTS_MAX: most }));
  await using load = startLoad();
  await load.run(tidings.job("warm", WARM_UP_SENDS, {}));
  const first = await firstEvent(tidings);
  const untilMs = steadyMs() + UPKEEP_MS_MAX;
  while ((await firstEvent(tidings)) === first) {
    if (steadyMs() > untilMs) throw new Error("upkeep has trimmed nothing");
    await sleep(LOOK_MS);
  }
  const fromEvent = await firstEvent(tidings);
  const { startMs } = await load.run(tidings.job("b", sends, {}));
  const endMs = await arrived(() => sink.distinct("b"), sends);
  const trimmedEvents = (await firstEvent(tidings)) - fromEvent;
  await quiet(tidings, size.timers);
  return {
    readyMs: tidings.readyMs,
    perSecond: (sends / (endMs - startMs)) * 1000,
    ...(await sink.check("b", sends)),
    trimmedEvents,
  };
}

async function firstEvent(tidings: Tidings): Promise<number> {
  return sumOf(await tidings.metrics(), "tidings_journal_position", 'end="first"');
}
