import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { lookAtMachine } from "../proof/machine.ts";
import { ROOT } from "../proof/run.ts";
import { findPostgres } from "../support/postgres-server.ts";
import { type NotPlayed, pageOf, totalsOf } from "./page.ts";
import { SCENARIOS } from "./scenarios.ts";
import { play, type Result, type Scenario } from "./stage.ts";

/*
 * npm run faults -- [--only NAMES] [--quick] [--seed N] [--out FILE] [--json]
 * Failures of nodes, of the database and of what lies between, on real processes under load; then everything that was
 * answered 202 must be there. Writes docs/faults-tested.md when all of them were played in full, or --out. Exit 1 if
 * anything is lost or not explained.
 */

const USAGE = "npm run faults -- [--only NAME,NAME] [--quick] [--seed N] [--out FILE] [--json]";
const PAGE = "docs/faults-tested.md";

async function main(options: Options | null): Promise<0 | 1 | 2> {
  if (options === null) {
    process.stderr.write(`${USAGE}\nscenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}\n`);
    return 2;
  }
  const { chosen, isQuick, seed, json } = options;
  const startMs = performance.now();
  const results: Result[] = [];
  const notPlayed: NotPlayed[] = [];
  for (const [at, scenario] of chosen.entries()) {
    process.stderr.write(`${at + 1}/${chosen.length} ${scenario.name} …\n`);
    const reason = scenario.cannot?.() ?? null;
    if (reason !== null) {
      notPlayed.push({ name: scenario.name, reason });
      process.stderr.write(`  not played: ${reason}\n`);
      continue;
    }
    const result = await play(scenario, seed + at, isQuick ? "quick" : "full");
    results.push(result);
    for (const line of linesOf(result)) process.stderr.write(`${line}\n`);
  }
  const isWhole = !isQuick && chosen.length === SCENARIOS.length;
  const out = options.out ?? (isWhole ? join(ROOT, PAGE) : null);
  if (out !== null) {
    const command = ["npm run faults --", ...(isQuick ? ["--quick"] : []), `--seed ${seed}`].join(" ");
    const date = new Date().toISOString().slice(0, 10);
    const minutes = (performance.now() - startMs) / 60_000;
    const postgres = await postgresVersion();
    writeFileSync(out, pageOf({ command, date, minutes, machine: lookAtMachine(), postgres, results, notPlayed }));
    process.stderr.write(`${out} is written\n`);
  }
  const totals = totalsOf(results);
  if (json) process.stdout.write(`${JSON.stringify({ ...totals, results, notPlayed })}\n`);
  else process.stdout.write(`${totals.line}\n`);
  return totals.ok ? 0 : 1;
}

async function postgresVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)(join(findPostgres() ?? "", "postgres"), ["--version"]);
  return stdout.trim().replace(/^postgres \(PostgreSQL\)/, "Postgres");
}

function linesOf({ name, says: _, seed: __, callMsMax: ___, problems, notes, calls, ...numbers }: Result): string[] {
  const all = { ...numbers, refused503: calls.refused, broken: calls.broken, slowestMs: calls.slowestMs, ...notes };
  const said = Object.entries(all).map(([what, value]) => `${what} ${value}`);
  return [`  ${name}: ${said.join(", ")}`, ...problems.map((problem) => `  ✖ ${problem}`)];
}

type Options = {
  readonly chosen: readonly Scenario[];
  readonly isQuick: boolean;
  readonly seed: number;
  readonly out: string | null;
  readonly json: boolean;
};

/** Null when it is not understood. */
function read(): Options | null {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string" },
        quick: { type: "boolean", default: false },
        seed: { type: "string" },
        out: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const names = values.only?.split(",") ?? null;
    const chosen = SCENARIOS.filter(({ name }) => names === null || names.includes(name));
    const seed = Number(values.seed ?? 1);
    if (!Number.isSafeInteger(seed) || chosen.length !== (names?.length ?? SCENARIOS.length)) return null;
    return { chosen, isQuick: values.quick, seed, out: values.out ?? null, json: values.json };
  } catch {
    return null;
  }
}

// What was started ends with us.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main(read());
