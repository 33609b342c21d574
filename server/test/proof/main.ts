import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { lookAtMachine } from "./machine.ts";
import { failuresOf, pageOf, type Proof } from "./page.ts";
import { PLANTED_FILES, PROMISES } from "./promises.ts";
import { propertyFiles, type Ran, ROOT, runScript, runTests } from "./run.ts";

/*
 * npm run proof -- [--quick] [--out FILE]
 * Does everything that shows the promises, and writes docs/proof.md from it. Exit 1 if something failed; the page then
 * says what.
 */

const USAGE = "npm run proof -- [--quick] [--out FILE]";
const PAGE = "docs/proof.md";
const SOAK = "bench/results/soak.json";
const MINUTE_MS = 60_000;
/**
 * How often, and how long at most: the limits are several times what two cores need. One process keeps the worlds of all its
 * seeds, and those of `people` are the large ones.
 */
const FULL = {
  kills: 200,
  seeds: 1_000,
  peopleSeeds: 300,
  functionSeeds: 200,
  requests: 100_000,
  limitMs: 60 * MINUTE_MS,
};
const QUICK = { kills: 10, seeds: 50, peopleSeeds: 50, functionSeeds: 50, requests: 2_000, limitMs: 15 * MINUTE_MS };
const SEED = 1;

async function main(): Promise<0 | 1 | 2> {
  const options = read();
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { quick, out } = options;
  const { kills, seeds, peopleSeeds, functionSeeds, requests, limitMs } = quick ? QUICK : FULL;
  const startMs = performance.now();
  const machine = lookAtMachine();
  const simulated = (profile: string, often: number) =>
    told("simulation/main.ts", "simulate", ["--profile", profile, "--seeds", `${often}`], limitMs);
  const simulate = await simulated("people", peopleSeeds);
  const simulateEvents = await simulated("events", seeds);
  const simulateFunctions = await simulated("functions", functionSeeds);
  const kill9 = await told("crash/kill9.ts", "kill9", ["--kills", `${kills}`, "--seed", `${SEED}`], limitMs);
  const fuzz = await told("fuzz/main.ts", "fuzz", ["--requests", `${requests}`, "--seed", `${SEED}`], limitMs);
  const shown = PROMISES.flatMap((promised) => promised.shown);
  const files = shown.flatMap((one) => (one.by === "tests" ? one.files : []));
  say("the tests …");
  const { lines, properties } = await runTests([...new Set([...files, ...PLANTED_FILES, ...propertyFiles()])], limitMs);
  const proof: Proof = {
    date: new Date().toISOString().slice(0, 10),
    minutes: Math.round((performance.now() - startMs) / MINUTE_MS),
    quick,
    machine,
    runs: { simulate, simulateEvents, simulateFunctions, kill9, fuzz, soak: soak() },
    tests: lines,
    properties,
  };
  writeFileSync(out, pageOf(proof));
  say(`${out} is written`);
  for (const ran of Object.values(proof.runs))
    if (ran.kind === "not run") say(`not run: ${ran.command} (${ran.reason})`);
  for (const { name, kind, reason } of lines) if (kind === "skipped") say(`not run: ${name} (${reason})`);
  const failures = failuresOf(proof);
  for (const failure of failures) say(`FAILED: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

async function told(script: string, name: string, args: readonly string[], limitMs: number): Promise<Ran> {
  const command = `npm run ${name} -- ${args.join(" ")}`;
  say(`${command} …`);
  return await runScript(`server/test/${script}`, [...args, "--json"], command, limitMs);
}

/** An hour is too long for this script: the last soak's results are read. */
function soak(): Ran {
  const command = "npm run soak";
  const path = join(ROOT, SOAK);
  if (!existsSync(path)) return { kind: "not run", command, reason: `there is no ${SOAK} yet` };
  const json = JSON.parse(readFileSync(path, "utf8")) as { readonly totals?: { lost?: number; twice?: number } };
  return { kind: "done", command, ok: json.totals?.lost === 0 && json.totals.twice === 0, json, err: "" };
}

function read(): { readonly quick: boolean; readonly out: string } | null {
  try {
    const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, out: { type: "string" } } });
    return { quick: values.quick, out: values.out ?? join(ROOT, PAGE) };
  } catch {
    return null;
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

process.exitCode = await main();
