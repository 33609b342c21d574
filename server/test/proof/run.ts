import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import type { TestLine } from "./test-lines.ts";

export const ROOT = resolve(import.meta.dirname, "../../..");

/** What one run of a command came to: its JSON, or why there is none. */
export type Ran =
  | { readonly kind: "done"; readonly command: string; readonly ok: boolean; readonly json: Json; readonly err: string }
  | { readonly kind: "not run"; readonly command: string; readonly reason: string };
export type Json = { readonly [name: string]: unknown };

export type PropertyCount = { readonly file: string; readonly properties: number; readonly values: number };

/** @param script from the root. @param command as one would type it. @param limitMs it is killed after it. */
export async function runScript(
  script: string,
  args: readonly string[],
  command: string,
  limitMs: number,
): Promise<Ran> {
  if (!existsSync(join(ROOT, script))) return { kind: "not run", command, reason: `there is no ${script} yet` };
  const { code, out, err, timedOut } = await run([join(ROOT, script), ...args], {}, limitMs);
  if (timedOut)
    return { kind: "not run", command, reason: `it was stopped after ${Math.round(limitMs / 60_000)} minutes` };
  try {
    // Printed by our own script; what is not there is shown as missing.
    return { kind: "done", command, ok: code === 0, json: JSON.parse(out) as Json, err };
  } catch {
    return { kind: "not run", command, reason: `it ended with exit ${code} and no JSON: ${err.slice(0, 300)}` };
  }
}

/** Runs test files, one after the other, each in a process of its own. */
export async function runTests(
  files: readonly string[],
  limitMs: number,
): Promise<{ readonly lines: readonly TestLine[]; readonly properties: readonly PropertyCount[] }> {
  const there = files.filter((file) => existsSync(join(ROOT, file)));
  if (there.length === 0) return { lines: [], properties: [] };
  const counts = mkdtempSync(join(tmpdir(), "tidings-proof-"));
  try {
    const flags = [
      "--test",
      "--test-concurrency=1",
      "--test-timeout=600000",
      `--test-reporter=${join(import.meta.dirname, "test-lines.ts")}`,
      "--test-reporter-destination=stdout",
      `--import=${new URL("./count-properties.ts", import.meta.url).href}`,
    ];
    const { out, timedOut } = await run([...flags, ...there], { PROOF_COUNTS: counts }, limitMs);
    const lines = out
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as TestLine); // written by our own reporter
    const seen = new Set(lines.map(({ file }) => file));
    const silent = there.filter((file) => !seen.has(file));
    const reason = timedOut ? "it was stopped: all tests together took too long" : "the file ended without a test";
    const dead = silent.map((file): TestLine => ({ file, name: file, kind: "failed", reason, says: [] }));
    return { lines: [...lines, ...dead], properties: countsIn(counts) };
  } finally {
    rmSync(counts, { recursive: true });
  }
}

/** Test files that check properties with generated values. */
export function propertyFiles(): readonly string[] {
  const all = globSync("{server,contract}/**/*.test.ts", {
    cwd: ROOT,
    exclude: (path) => path.split(sep).includes("node_modules"),
  });
  return all
    .filter((file) => readFileSync(join(ROOT, file), "utf8").includes('from "fast-check"'))
    .map((file) => file.split(sep).join("/"))
    .toSorted();
}

function countsIn(folder: string): PropertyCount[] {
  return readdirSync(folder)
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as PropertyCount) // count-properties.ts wrote it
    .map((count) => ({ ...count, file: relative(ROOT, count.file).split(sep).join("/") }))
    .filter(({ file }) => file.endsWith(".test.ts"))
    .toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>, limitMs: number) {
  const { NODE_TEST_CONTEXT: _, ...own } = process.env; // Node refuses to run tests inside tests when it is set.
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
  }, limitMs);
  // Half a proof is none: whoever interrupts it gets no page.
  const end = (): void => {
    child.kill("SIGTERM");
    child.once("close", () => process.exit(130));
  };
  process.once("SIGINT", end).once("SIGTERM", end);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  process.removeListener("SIGINT", end).removeListener("SIGTERM", end);
  return { code, ...said, timedOut };
}
