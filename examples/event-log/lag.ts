/*
 * npm run lag [-- --seconds 30] [--rate 300] [--out lag.svg]
 * Measures how far the log falls behind: half of the time with batchSize 1 and one worker, then with 10 and 2, while
 * events keep coming. Writes the plot of the README.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openSearch } from "./search/service.ts";
import { type Sample, plot } from "./plot.ts";

const KEY = "tk_lag_measures_this";
const SAMPLE_MS = 250;
/** What a write to a search cluster takes. */
const LATENCY_MS = 25;
const PHASES = [
  { batchSize: 1, parallelizationFactor: 1 },
  { batchSize: 10, parallelizationFactor: 2 },
] as const;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    rate: { type: "string", default: "300" },
    out: { type: "string", default: "lag.svg" },
  },
});
const [seconds, rate] = [Number(values.seconds), Number(values.rate)];

const folder = mkdtempSync(join(tmpdir(), "event-log-"));
try {
  await using search = await openSearch(join(folder, "search.sqlite"), 0, LATENCY_MS);
  const samples: Sample[] = [];
  const startedMs = performance.now();
  for (const phase of PHASES) await run(phase, search.url, samples, startedMs);
  const name = (phase: (typeof PHASES)[number]): string =>
    `batchSize ${phase.batchSize}, parallelizationFactor ${phase.parallelizationFactor}`;
  const [slow, fast] = PHASES;
  const titles = [name(slow), name(fast)] as const;
  writeFileSync(
    values.out,
    plot(samples, titles, `${rate} events a second; a write to the index takes ${LATENCY_MS} ms`),
  );
  const highest = (of: number): number =>
    Math.max(...samples.filter(({ phase }) => phase === of).map((s) => s.ageSeconds));
  const last = samples.at(-1)?.ageSeconds ?? 0;
  console.log(`${titles[0]}: the iterator age grew to ${highest(0).toFixed(1)} s`);
  console.log(`${titles[1]}: it fell to ${last.toFixed(1)} s`);
  console.log(`The plot is in ${values.out}.`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** One phase on the same data: the restart is the new configuration's deployment. */
async function run(
  phase: (typeof PHASES)[number],
  searchUrl: string,
  samples: Sample[],
  startedMs: number,
): Promise<void> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const tidings = spawn("tidings", ["start", "--port", String(port), "--data-dir", join(folder, "tidings")], {
    stdio: ["ignore", "ignore", "ignore"],
    env: {
      ...process.env,
      SEARCH_URL: searchUrl,
      TIDINGS_API_KEY: KEY,
      BATCH_SIZE: String(phase.batchSize),
      PARALLELIZATION_FACTOR: String(phase.parallelizationFactor),
    },
  });
  try {
    await until(async () => (await fetch(`${url}/ready`)).ok);
    const stop = new AbortController();
    const raising = raise(url, stop.signal);
    const untilMs = performance.now() + (seconds / PHASES.length) * 1_000;
    while (performance.now() < untilMs) {
      await wait(SAMPLE_MS);
      samples.push({
        atSeconds: (performance.now() - startedMs) / 1_000,
        ageSeconds: await ageOf(url),
        phase: PHASES.indexOf(phase),
      });
    }
    stop.abort();
    await raising;
  } finally {
    tidings.kill("SIGTERM");
    if (tidings.exitCode === null) await once(tidings, "exit");
  }
}

/** Raises events at the rate, ten times a second a batch. */
async function raise(url: string, signal: AbortSignal): Promise<void> {
  for (let number = 0; !signal.aborted; ) {
    const batch = Array.from({ length: Math.ceil(rate / 10) }, () => {
      number += 1;
      return {
        specversion: "1.0",
        id: `${process.pid}-${performance.now()}-${number}`,
        source: "/shop",
        type: "order.placed",
        // Orders of one customer stay in order; there are many customers.
        subject: `customer-${number % 1_000}`,
        data: { order: number, total: number % 97 },
      };
    });
    await fetch(`${url}/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/cloudevents-batch+json" },
      body: JSON.stringify(batch),
    });
    await wait(100, undefined, { signal }).catch(() => undefined);
  }
}

/** The iterator age: how old the oldest event is that the log has not seen. */
async function ageOf(url: string): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
  const ages = (await answer.text()).matchAll(/^tidings_consumer_lag_seconds\{[^}]*index-log[^}]*\} (\S+)$/gm);
  return Math.max(0, ...Array.from(ages, ([, age]) => Number(age)));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await holds().catch(() => false)) return;
    await wait(100);
  }
  throw new Error("Tidings did not become ready within 30 s.");
}
