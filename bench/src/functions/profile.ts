import { readdirSync } from "node:fs";
import { join } from "node:path";
import { workFolder } from "../children.ts";
import { profileRows } from "../profile.ts";
import { countOf } from "../terminal.ts";
import { BATCHES, type RateSize, runTidings } from "./rates.ts";

/** Below, the samples' own cost bends what they show. */
const INTERVAL_US = 200;
/** Of a function that says nothing of it. */
const CONCURRENCY = 10;

/** Where the time of each thread of the server goes while a function works a full queue: self time, in µs for an event. */
export async function profileRates(size: RateSize, say: (line: string) => void): Promise<void> {
  for (const batchSize of BATCHES) {
    const folder = workFolder();
    const nodeArgs = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_US}`];
    let within = { startMs: 0, tookMs: 0 };
    const rate = await runTidings({ batchSize, concurrency: CONCURRENCY }, size, nodeArgs, ({ start, endMs }) => {
      within = { startMs: start.atMs, tookMs: endMs - start.atMs };
    });
    say(`\n## batches of ${batchSize}: ${countOf(rate.perSecond)} events/s, ${rate.cpuUs?.toFixed(0)} µs CPU\n`);
    for (const file of readdirSync(folder)
      .filter((name) => name.endsWith(".cpuprofile"))
      .toSorted()) {
      say(`### ${file}\n`);
      for (const line of profileRows(join(folder, file), within, size.events - size.warmUp)) say(line);
    }
  }
}
