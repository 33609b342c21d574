import { parseArgs } from "node:util";
import type { Program } from "../support/program.ts";
import { fuzz, type OperationReport, type Report } from "./fuzz.ts";

/*
 * npm run fuzz -- [--requests 100000] [--seed N] [--json]
 * Generated calls, good and broken, for every operation of /openapi.json, against the real program. Exit 1 if an answer
 * was a failure of ours, came too late, or was not as documented.
 */

const USAGE = "npm run fuzz -- [--requests N] [--seed N] [--json]";
const REQUESTS_DEFAULT = 10_000;

async function main(argv: string[]): Promise<0 | 1 | 2> {
  const wishes = read(argv);
  if (wishes === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { requests, seed, json } = wishes;
  const onStart = (program: Program): void => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, () => void program.kill().then(() => process.exit(130)));
    }
  };
  const onProgress = (done: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${requests} `);
  };
  const report = await fuzz({ requests, seed, onStart, onProgress });
  if (process.stderr.isTTY) process.stderr.write("\r");
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : tell(report));
  return report.failures.length === 0 ? 0 : 1;
}

function read(argv: string[]) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: { requests: { type: "string" }, seed: { type: "string" }, json: { type: "boolean", default: false } },
    });
    const requests = Number(values.requests ?? REQUESTS_DEFAULT);
    const seed = Number(values.seed ?? 1);
    const fine = Number.isSafeInteger(requests) && requests > 0 && Number.isSafeInteger(seed);
    return fine ? { requests, seed, json: values.json } : null;
  } catch {
    return null;
  }
}

function tell({
  seed,
  requests,
  seconds,
  operations,
  failures,
  residentBytes,
  unavailable,
  overloaded,
}: Report): string {
  const head = ["operation", "valid", "refused", "broken", "slowest", "answers"];
  const rows = [head, ...operations.map(rowOf)];
  const widths = head.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const refused = operations.flatMap(({ operation, refused: codes }) =>
    Object.entries(codes).map(([code, { count, says }]) => `  ${operation}: ${count} × ${code}: ${says}`),
  );
  const mb = (bytes: number): string => `${Math.round(bytes / 1e6)}`;
  return [
    ...table,
    "",
    ...(refused.length === 0 ? [] : ["valid by their schema, and refused:", ...refused, ""]),
    ...failures.flatMap(({ operation, flaws, problem, curl }) => [
      `FAILED ${operation} (${flaws.join(", ") || "a valid call"}): ${problem}`,
      `  ${curl}`,
      "",
    ]),
    `seed ${seed}: ${requests} calls in ${seconds.toFixed(1)} s, ${failures.length} failures, ${unavailable} times 503, ${overloaded} times 429`,
    `MB of memory, from the first call to the last: ${residentBytes.map(mb).join(", ")}`,
    "",
  ].join("\n");
}

function rowOf({ operation, valid, refused, broken, statuses, slowestMs }: OperationReport): string[] {
  const count = Object.values(refused).reduce((sum, one) => sum + one.count, 0);
  const share = valid === 0 ? "" : `${Math.round((count / valid) * 100)} %`;
  const answers = Object.entries(statuses).map(([status, times]) => `${status}: ${times}`);
  return [operation, String(valid), count === 0 ? "" : share, String(broken), `${slowestMs} ms`, answers.join(", ")];
}

process.exitCode = await main(process.argv.slice(2));
