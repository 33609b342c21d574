import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Block } from "./doc-blocks.ts";
import type { Functions } from "@tidings/contract";
import { type Ended, type Env, Program } from "./program.ts";
import { until } from "./until.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MAIN = join(ROOT, "server/src/cli/main.ts");
const START_MS_MAX = 30_000;
/** What a README shows; the program of a test listens elsewhere. */
const SHOWN_URL = "http://127.0.0.1:3300";
/** The key of `tidings dev`. */
export const DEV_KEY = "tk_dev_local";

/** An item of the mailbox. */
export type Caught = { readonly id: string; readonly to: string; readonly title: string };

const alive = new Set<number>();
// Whoever is told to end has no time to wait for them.
process.on("exit", () => alive.forEach(killGroup));

/** A copy of an example, so that its data and whatever is copied into it leave no trace; and what its README says. */
export class Example implements AsyncDisposable {
  readonly folder: string;
  /** The blocks of its README, in their order. */
  readonly blocks: readonly Block[];
  readonly #temp: string;
  readonly #bin: string;
  readonly #env: Env;
  #program: Program | null = null;
  #ended: Promise<Ended> | null = null;

  /** @param env more for the environment of whatever runs in it. */
  constructor(name: string, env: Env = {}) {
    this.#temp = mkdtempSync(join(tmpdir(), "tidings-example-"));
    this.folder = join(this.#temp, name);
    this.#bin = join(this.#temp, "bin");
    this.#env = env;
    this.blocks = blocksIn(`examples/${name}/README.md`);
    cpSync(join(ROOT, "examples", name), this.folder, {
      recursive: true,
      filter: (path) => !path.endsWith("/.tidings"),
    });
    symlinkSync(join(ROOT, "node_modules"), join(this.folder, "node_modules"));
    mkdirSync(this.#bin);
    // As npm has them for whoever works in a clone.
    const tidings = `exec "${process.execPath}" "${MAIN}" "$@"\n`;
    this.#script("tidings", tidings);
    this.#script("npx", `shift\n${tidings}`);
  }

  /** The program that runs in it now. */
  get program(): Program {
    if (this.#program === null) throw new Error("the example was not started");
    return this.#program;
  }

  /** As `npm start` does. */
  start(env: Env = {}): Promise<Program> {
    const { scripts } = JSON.parse(readFileSync(join(this.folder, "package.json"), "utf8")) as {
      readonly scripts: { readonly start: string };
    };
    return this.startAs(scripts.start, env);
  }

  /**
   * Starts it with another command that serves.
   * @throws {Error} with its log when it does not.
   */
  async startAs(command: string, env: Env = {}): Promise<Program> {
    const child = spawn("bash", ["-c", `exec ${command} --json`], {
      cwd: this.folder,
      env: { ...this.#environment(), PORT: "0", TIDINGS_API_KEY: DEV_KEY, ...env },
      // A group of its own: what it starts beside itself ends with it.
      detached: true,
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${command} could not be started`);
    alive.add(pid);
    const said = { out: "", err: "" };
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
    const url = Promise.withResolvers<string>();
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said.out += text;
      const [line = "", rest] = said.out.split("\n", 2);
      if (rest !== undefined) url.resolve((JSON.parse(line) as { url?: string }).url ?? "");
    });
    const ended = once(child, "close").then(([code, signal]): Ended => {
      killGroup(pid);
      alive.delete(pid);
      return { code, signal };
    });
    const late = setTimeout(() => url.reject(new Error(`${command} is not ready`)), START_MS_MAX);
    const failed = ended.then(() => Promise.reject(new Error(`${command} ended: ${said.out} ${said.err}`)));
    try {
      const ready = await Promise.race([url.promise, failed]);
      if (ready === "") throw new Error(`${command} did not start: ${said.out}`);
      this.#ended = ended;
      this.#program = new Program(child, ready, ended, said);
      return this.#program;
    } finally {
      clearTimeout(late);
      failed.catch(() => {});
    }
  }

  async stop(): Promise<void> {
    const program = this.#program;
    this.#program = null;
    await program?.stop();
  }

  /**
   * Runs a block of the README as it stands there, but for the address, in a terminal that remembers the blocks before.
   * @throws {Error} when a command of it fails.
   */
  async run(block: Block | string, env: Env = {}): Promise<string> {
    const code = (typeof block === "string" ? block : block.code).replaceAll(SHOWN_URL, this.program.url);
    const memory = `"${join(this.#temp, "memory.sh")}"`;
    const script = `if [ -f ${memory} ]; then . ${memory}; fi\nset -eo pipefail\n${code}\n{ declare -px; declare -f; } >${memory}\n`;
    const { stdout } = await run("bash", ["-c", script], {
      cwd: this.folder,
      env: { ...this.#environment(), ...env },
    });
    return stdout;
  }

  /** Runs a command in the folder while nothing else runs there. */
  async runAlone(command: string): Promise<string> {
    const { stdout } = await run("bash", ["-ec", command], { cwd: this.folder, env: this.#environment() });
    return stdout;
  }

  /** The only block of shell that has this in it. */
  block(text: string): Block {
    const found = this.blocks.filter(({ language, code }) => language === "sh" && code.includes(text));
    if (found.length !== 1 || found[0] === undefined)
      throw new Error(`the README has ${found.length} blocks of shell with ${JSON.stringify(text)}`);
    return found[0];
  }

  /** Calls the program with the key of `tidings dev`; `body` becomes JSON. */
  call(method: string, path: string, body?: unknown, headers: Env = {}): Promise<Response> {
    return this.program.call(method, path, body, { authorization: `Bearer ${DEV_KEY}`, ...headers });
  }

  /** An answer that is expected to be good, as what the test takes it for. */
  async get<T>(path: string): Promise<T> {
    const response = await this.call("GET", path);
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T; // whatever it is not, the test's assertions find
  }

  /** What was caught, newest first. */
  async mailbox(): Promise<readonly Caught[]> {
    return (await this.get<{ readonly results: readonly Caught[] }>("/mailbox?limit=100")).results;
  }

  /** Waits until a function is running. */
  async loaded(name: string): Promise<void> {
    await until(`${name} runs`, async () => {
      const { results, faults } = await this.get<Functions>("/functions");
      if (faults[0] !== undefined) throw new Error(`${faults[0].file}: ${faults[0].message}`);
      return results.some((one) => one.name === name && one.state === "running");
    });
  }

  /** How many messages lie in a queue. */
  async lying(queue: string): Promise<number> {
    return (await this.get<{ readonly counts: { readonly visible: number } }>(`/queues/${queue}`)).counts.visible;
  }

  async metrics(): Promise<string> {
    return await (await this.call("GET", "/metrics")).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of alive) if (pid === this.#program?.pid) killGroup(pid);
    await this.#ended;
    rmSync(this.#temp, { recursive: true, force: true });
  }

  #script(name: string, text: string): void {
    writeFileSync(join(this.#bin, name), `#!/bin/sh\n${text}`, { mode: 0o755 });
  }

  #environment(): NodeJS.ProcessEnv {
    const node = join(ROOT, "node_modules/.bin");
    return {
      PATH: [this.#bin, node, process.env["PATH"]].join(delimiter),
      HOME: process.env["HOME"],
      TMPDIR: process.env["TMPDIR"],
      ...this.#env,
    };
  }
}

function blocksIn(page: string): readonly Block[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const blocks = text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm);
  return Array.from(blocks, ([, language = "", code = ""]) => ({ language, code }));
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
