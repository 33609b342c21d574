import { say } from "../terminal.ts";
import { parseArgs } from "node:util";
import { lookAtMachine } from "../machine.ts";
import { loneBesideBulk } from "./beside-bulk.ts";
import { fullStore } from "./full-store.ts";
import { type ListRun, rawPool, sendToList } from "./list.ts";
import { isMissed, tableOf, writeScale } from "./report.ts";
import type { CaseName, Cases, ScaleResults } from "./results.ts";

/**
 * `npm run bench:scale -- [--quick] [--full] [--only list,million,store,beside]`: whether cost grows as the work does, and no
 * faster; see README.md beside this folder. Writes bench/results/scale.json and scale.md unless `--quick`.
 */
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});

/** How much of everything. `--full` has the bulk send of a million that lone sends go beside; it takes minutes more. */
const SIZES = values.quick
  ? { rounds: 1, list: 10_000, million: 30_000, events: 200_000, timers: 20_000, sends: 5_000, bulk: 20_000, idleS: 10 }
  : {
      rounds: 3,
      list: 100_000,
      million: 1_000_000,
      events: 10_000_000,
      timers: 1_000_000,
      sends: 20_000,
      bulk: values.full ? 1_000_000 : 300_000,
      idleS: 60,
    };
/** Mails of a raw pool in a round: its rate does not change, and a hundred thousand would take it half a minute. */
const RAW_MAILS = SIZES.list / 4;
const POOLS = [5, 10];

const CASES: { readonly [Name in CaseName]: () => Promise<Cases[Name]> } = {
  list: async () => {
    const rawPerSecond: number[] = [];
    const runs: ListRun[] = [];
    for (let round = 0; round < SIZES.rounds; round += 1) {
      for (const connections of POOLS) {
        rawPerSecond.push(await rawPool(connections, RAW_MAILS));
        say(`raw pool of ${connections}: ${Math.round(rawPerSecond.at(-1) ?? 0)} mails/s`);
      }
      runs.push(await told(sendToList(SIZES.list)));
    }
    return { rawPerSecond, runs };
  },
  million: () => told(sendToList(SIZES.million)),
  store: () => fullStore(SIZES, { rounds: SIZES.rounds, sends: SIZES.sends, trims: !values.quick }, say),
  beside: () => loneBesideBulk(SIZES.bulk, SIZES.idleS),
};

const names = values.only === "" ? (Object.keys(CASES) as CaseName[]) : values.only.split(",").map(caseName);
let results: ScaleResults = {};
for (const name of names) {
  say(`\n${name}`);
  const found = await CASES[name]();
  results = { ...results, [name]: { machine: lookAtMachine(), found } };
}
say(`\n${tableOf(results)}`);
if (values.quick) say("\nA quick run: nothing is written to bench/results/.");
else say(`\nWritten: ${writeScale(results).join(", ")}`);
if (isMissed(results)) process.exitCode = 1;

async function told(run: Promise<ListRun>): Promise<ListRun> {
  const { people, importMs, perSecond, cpuUsPerMail, memory, lost, twice } = await run;
  const brought = importMs === null ? "" : ` · the list came in ${(importMs / 1000).toFixed(1)} s`;
  say(
    `list of ${people}: ${Math.round(perSecond)} mails/s · ${cpuUsPerMail?.toFixed(0)} µs CPU · ` +
      `memory ${memory.startMib} → ${memory.maxMib} → ${memory.endMib} MiB · lost ${lost}, twice ${twice}${brought}`,
  );
  return run;
}

function caseName(text: string): CaseName {
  const name = Object.keys(CASES).find((known) => known === text);
  if (name === undefined) throw new Error(`--only: ${text} is none of ${Object.keys(CASES).join(", ")}`);
  // One of the keys.
  return name as CaseName;
}
