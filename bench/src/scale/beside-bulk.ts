import { readFileSync } from "node:fs";
import { join } from "node:path";
import { scriptFile, sleep, workFolder } from "../children.ts";
import { listMessage } from "../mail.ts";
import { type Spread, spread, steadyMs } from "../measure.ts";
import type { LoopLook } from "../soak/loop-probe.ts";
import { startGenerator } from "../soak/run.ts";
import { startLoad } from "../system.ts";
import { Tidings } from "../tidings.ts";
import { arrived } from "./arrivals.ts";
import { CountingSink } from "./counting.ts";
import { LIST, LIST_BURST, listStore } from "./list-store.ts";
import { WARM_UP_SENDS } from "./list.ts";

/** Lone sends a second, at times of their own (Poisson): one every 30 ms or so. */
const LONE_PER_S = 33;
const PROBE_MS = 1_000;
const REST_MS = 3_000;

export type LoneLatency = {
  readonly sends: number;
  readonly lost: number;
  readonly acceptMs: Spread;
  readonly acceptToArriveMs: Spread;
  /** Worst second of the main thread's event loop. */
  readonly loopDelayMsP99: number;
};

export type BesideBulk = {
  readonly people: number;
  readonly bulkPerSecond: number;
  readonly idle: LoneLatency;
  readonly beside: LoneLatency;
  readonly lost: number;
  readonly twice: number;
};

/** Lone transactional sends to an idle program, and the same while it sends to everybody on a list. */
export async function loneBesideBulk(people: number, idleS: number): Promise<BesideBulk> {
  const { dataDir } = await listStore(people);
  await using sink = await CountingSink.start({ timed: { plain: 1 } });
  const probe = new Probe();
  await using tidings = await Tidings.start({ smtpPort: sink.port, dataDir, ...probe.options });
  {
    await using load = startLoad();
    await load.run(tidings.job("warm", WARM_UP_SENDS, {}));
  }
  await tidings.settled();
  await sleep(REST_MS);
  const idle = await lone(tidings, sink, probe, () => sleep(idleS * 1000));
  let tookMs = Number.NaN;
  const beside = await lone(tidings, sink, probe, async () => {
    const startMs = steadyMs();
    await tidings.send(listMessage(LIST));
    tookMs = (await arrived(() => sink.distinct(LIST_BURST), people)) - startMs;
  });
  await tidings.settled();
  return {
    people,
    bulkPerSecond: (people / tookMs) * 1000,
    idle,
    beside,
    ...(await sink.check(LIST_BURST, people)),
  };
}

async function lone(
  tidings: Tidings,
  sink: CountingSink,
  probe: Probe,
  meanwhile: () => Promise<void>,
): Promise<LoneLatency> {
  probe.forget();
  await using generator = startGenerator(tidings, LONE_PER_S, { mix: { plain: 1 }, timedEvery: 1 });
  await meanwhile();
  const { timed } = await generator.ask("stop");
  await sleep(REST_MS);
  const at = new Map((await sink.timed()).map(([, index, atMs]) => [index, atMs]));
  return {
    sends: timed.length,
    acceptMs: spread(timed.map(({ sentMs, acceptedMs }) => acceptedMs - sentMs)),
    acceptToArriveMs: spread(
      timed.flatMap(({ index, acceptedMs }) => {
        const atMs = at.get(index);
        return atMs === undefined ? [] : [atMs - acceptedMs];
      }),
    ),
    lost: timed.filter(({ index }) => !at.has(index)).length,
    loopDelayMsP99: probe.worstP99(),
  };
}

/** What `loop-probe.ts` writes about the program's event loop. */
class Probe {
  readonly #file = join(workFolder(), "loop.jsonl");
  #from = 0;

  get options() {
    return {
      nodeArgs: ["--import", scriptFile("soak/loop-probe.ts")],
      env: { TIDINGS_SOAK_PROBE: this.#file, TIDINGS_SOAK_PROBE_MS: String(PROBE_MS) },
    };
  }

  forget(): void {
    this.#from = this.#looks().length;
  }

  worstP99(): number {
    return Math.max(
      ...this.#looks()
        .slice(this.#from)
        .map(({ delayMs }) => delayMs.p99),
    );
  }

  #looks(): readonly LoopLook[] {
    try {
      const lines = readFileSync(this.#file, "utf8").trimEnd().split("\n");
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as LoopLook);
    } catch {
      return [];
    }
  }
}
