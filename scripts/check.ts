import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { styleText } from "node:util";
import { ROOT } from "./fence.ts";

/**
 * `npm run check`: everything that can be judged without running the program, side by side. Prints each verdict as it
 * falls, then what the unhappy ones said, and how to go on.
 */

type Check = {
  readonly name: string;
  readonly command: readonly string[];
  /** What to do when it fails. */
  readonly next: string;
};

const CHECKS: readonly Check[] = [
  { name: "types", command: ["tsc", "--noEmit", "-p", "."], next: "mend the types where tsc points" },
  {
    name: "lint",
    command: ["oxlint", "--type-aware", "--deny-warnings"],
    next: "mend what oxlint names; the rules and their reasons stand in .oxlintrc.json",
  },
  { name: "format", command: ["biome", "format", "--reporter=summary", "."], next: "npm run format" },
  {
    name: "fence",
    command: [process.execPath, join(import.meta.dirname, "fence.ts")],
    next: "import what the room may use, or reach it through a port; the table stands in scripts/fence.ts",
  },
];

type Verdict = { readonly check: Check; readonly ok: boolean; readonly output: string };

const verdicts = await Promise.all(CHECKS.map(run));
const failed = verdicts.filter(({ ok }) => !ok);
for (const { check, output } of failed) console.log(`\n${styleText("bold", check.name)}\n${output.trim()}`);
if (failed.length === 0) console.log(`\nall ${CHECKS.length} checks passed`);
else {
  console.log(`\n${failed.length} of ${CHECKS.length} checks failed. Next:`);
  for (const { check } of failed) console.log(`  ${check.name}: ${check.next}`);
}
process.exitCode = failed.length === 0 ? 0 : 1;

async function run(check: Check): Promise<Verdict> {
  const startedMs = performance.now();
  const [program = "", ...args] = check.command;
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, PATH: `${join(ROOT, "node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}` },
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ending = await new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(`${program} does not start: ${error.message}. Run npm ci first.`));
    child.once("close", (code, signal) => resolve(code ?? `${program} was ended by ${signal}`));
  });
  const ok = ending === 0;
  const mark = ok ? styleText("green", "✔") : styleText("red", "✖");
  console.log(`${mark} ${check.name.padEnd(8)}${Math.round(performance.now() - startedMs)} ms`);
  return { check, ok, output: `${Buffer.concat(chunks).toString()}${typeof ending === "string" ? ending : ""}` };
}
