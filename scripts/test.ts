import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join, normalize, sep } from "node:path";
import type { Result } from "./test-reporter.ts";

/**
 * `npm test`: runs every `*.test.ts` of the repository, or those that the arguments name (files or folders). Arguments
 * that begin with `--test-` go on to Node (`--test-update-snapshots`, `--test-name-pattern=…`).
 *
 * Tests of parts run first, all in one process. Tests of the whole house, which start servers and
 * processes, follow in processes of their own. The last line says `N passed, M failed`. A file without a test, a test
 * skipped without a reason, and a run in which nothing ran count as failures: silence is not success.
 */

const WORKSPACES = ["contract", "sdk", "server", "examples", "bench", "scripts"];
/** Whole-house tests side by side: CI has two cores. */
const ISOLATED_CONCURRENCY = 2;
/** A single part's test that takes longer hangs; `ms` for the whole process, which may be in an endless loop. */
const UNIT = { flags: ["--test-isolation=none", "--test-timeout=60000"], ms: 12 * 60_000 };
const ISOLATED = { flags: [`--test-concurrency=${ISOLATED_CONCURRENCY}`, "--test-timeout=600000"], ms: 20 * 60_000 };

const args = process.argv.slice(2);
const nodeFlags = args.filter((arg) => arg.startsWith("--test-"));
const wanted = args.filter((arg) => !arg.startsWith("--test-")).map((path) => normalize(path).replace(/[\\/]$/, ""));
const picking = nodeFlags.some((flag) => flag.startsWith("--test-name-pattern"));

const results: Result[] = [];
const broken: string[] = [];
const startedMs = performance.now();

const files = testFiles();
await run(
  files.filter((file) => !needsOwnProcess(file)),
  UNIT,
);
await run(files.filter(needsOwnProcess), ISOLATED);
conclude();

function testFiles(): readonly string[] {
  const all = globSync(`{${WORKSPACES.join(",")}}/**/*.test.ts`, {
    exclude: (path) => path.split(sep).includes("node_modules"),
  }).toSorted();
  for (const path of wanted) {
    if (!all.some((file) => covers(path, file))) broken.push(`${path}: no test file of that name`);
  }
  return wanted.length === 0 ? all : all.filter((file) => wanted.some((path) => covers(path, file)));
}

function covers(path: string, file: string): boolean {
  return file === path || file.startsWith(`${path}${sep}`);
}

/**
 * Whole-house tests start servers and processes; what is beside the code, and golden runs, do not. Simulated runs compute
 * for half a minute without a pause, in which the others' time would run out.
 */
function needsOwnProcess(file: string): boolean {
  return /^(server\/test\/(?!golden\/)|examples\/|bench\/|scripts\/)/.test(file.split(sep).join("/"));
}

async function run(chosen: readonly string[], kind: typeof UNIT): Promise<void> {
  if (chosen.length === 0) return;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // Node refuses to run tests inside tests when it is set.
  const reporter = join(import.meta.dirname, "test-reporter.ts");
  const child = spawn(
    process.execPath,
    [
      "--test",
      ...kind.flags,
      ...nodeFlags,
      `--test-reporter=${reporter}`,
      "--test-reporter-destination=stdout",
      ...chosen,
    ],
    { env, stdio: ["ignore", "inherit", "inherit", "ipc"] },
  );
  const before = failures().length;
  let finished = false;
  child.on("message", (message: Result | "finished") => {
    if (message === "finished") finished = true;
    else results.push(message);
  });
  const watchdog = setTimeout(() => {
    broken.push(`${chosen.length} files took longer than ${kind.ms / 60_000} minutes and were stopped`);
    child.kill("SIGKILL");
  }, kind.ms);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...how) => resolve(how));
  });
  clearTimeout(watchdog);
  if (!finished)
    broken.push(`the process of ${chosen.length} files ended before its tests (${signal ?? `exit code ${code}`})`);
  else if (code !== 0 && failures().length === before) broken.push(`the test process ended with exit code ${code}`);
}

function failures(): readonly Result[] {
  return results.filter(
    ({ kind }) => kind === "failed" || (kind === "empty" && !picking) || kind === "skipped silently",
  );
}

function conclude(): void {
  const passed = results.filter(({ kind }) => kind === "passed").length;
  const skipped = results.filter(({ kind }) => kind === "skipped");
  if (files.length > 0 && results.length + broken.length === 0) broken.push("no test ran");
  if (files.length === 0) broken.push("there are no tests here");

  if (skipped.length > 0) console.log("\nSkipped:");
  for (const { name, file, reason } of skipped) console.log(`  - ${name} (${file}): ${reason}`);
  if (failures().length + broken.length > 0) console.log("\nFailed:");
  for (const { kind, name, file, reason } of failures()) {
    const why = { failed: reason, empty: "has no test", "skipped silently": "is skipped without a reason" }[
      kind as "failed"
    ];
    console.log(`  ✖ ${name} (${file})${why === "" ? "" : `: ${why}`}`);
  }
  for (const sentence of broken) console.log(`  ✖ ${sentence}`);

  const failed = failures().length + broken.length;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`\n${files.length} files in ${seconds} s, ${skipped.length} skipped`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
