/* One command: the search index, and Tidings beside it. Ctrl-C ends both. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { openSearch } from "./search/service.ts";

const DATA = process.env["TIDINGS_DATA_DIR"] ?? ".tidings";
/** What a write to a search cluster takes. */
const LATENCY_MS = 25;

mkdirSync(DATA, { recursive: true });
await using search = await openSearch(`${DATA}/search.sqlite`, Number(process.env["SEARCH_PORT"] ?? 3310), LATENCY_MS);
const tidings = spawn("tidings", ["dev", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, SEARCH_URL: search.url },
  shell: process.platform === "win32",
});
// A terminal's Ctrl-C reaches both; whoever ends only us means both as well.
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => tidings.kill("SIGTERM"));
process.exitCode = await new Promise<number>((resolve) => tidings.once("exit", (code) => resolve(code ?? 1)));
