import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
/** A start takes well below a second; with both cores taken by tests, a few. */
const START_MS_MAX = 20_000;

const alive = new Set<ChildProcess>();
// Whoever is told to end has no time to wait for them.
process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")));

/** The key of every program started here. */
export const KEY = "tk_test_whole_house";

export type Env = Readonly<Record<string, string>>;

/** How a process ended: exit code, or the signal that killed it. */
export type Ended = { readonly code: number | null; readonly signal: string | null };

export type Ran = Ended & { readonly out: string; readonly err: string };

/** What a process has written so far. */
type Said = { out: string; err: string };

/** The real program, serving. */
export class Program {
  readonly url: string;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #said: Said;

  constructor(child: ChildProcess, url: string, ended: Promise<Ended>, said: Said) {
    if (child.pid === undefined) throw new Error("broken invariant: what serves has a process");
    this.#child = child;
    this.url = url;
    this.pid = child.pid;
    this.ended = ended;
    this.#said = said;
  }

  /** What it has written to standard error so far: its log. */
  get err(): string {
    return this.#said.err;
  }

  /** The lines of `--json`: ready, stopping, stopped. */
  get events(): string[] {
    return this.#said.out
      .split("\n")
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { event: string }).event);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** As a power cut would: at once, without a word. */
  kill(): Promise<Ended> {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** As a supervisor would. */
  stop(): Promise<Ended> {
    this.signal("SIGTERM");
    return this.ended;
  }

  /** Calls the HTTP door with the program's key; `body` becomes JSON unless it is text or bytes. */
  call(method: string, path: string, body?: unknown, headers: Env = {}): Promise<Response> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    return fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${KEY}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
  }

  /** An answer that is expected to be good, as what the test takes it for. */
  async get<T>(path: string): Promise<T> {
    const response = await this.call("GET", path);
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T; // whatever it is not, the test's assertions find
  }

  /** Sends a message and returns the request's id, which is that of the message when it has one recipient. */
  async send(message: object, headers: Env = {}): Promise<string> {
    const response = await this.call("POST", "/send", { message }, headers);
    const text = await response.text();
    if (response.status !== 202) throw new Error(`POST /send answered ${response.status}: ${text}`);
    return (JSON.parse(text) as { requestId: string }).requestId;
  }
}

/**
 * With `TIDINGS_TEST_HOMES_ON` (a Postgres) every home keeps its state there, in a schema of its own, so that the same tests
 * show the same promises on both (`e2e/on-postgres.test.ts`).
 */
function onDatabase(dataDir: string): Env {
  const url = process.env["TIDINGS_TEST_HOMES_ON"];
  if (url === undefined) return {};
  // The folder's name has large letters, which a schema's has not.
  const schema = `home_${Buffer.from(basename(dataDir).slice(-6)).toString("hex")}`;
  return { TIDINGS_DATABASE_URL: url, TIDINGS_DATABASE_SCHEMA: schema };
}

/** A data folder of its own, and the programs that ran on it. Whatever still runs at the end is killed. */
export class Home implements AsyncDisposable {
  readonly dataDir = mkdtempSync(join(tmpdir(), "tidings-home-"));
  #env: Env;
  readonly #before: readonly string[];
  readonly #started = new Set<ChildProcess>();

  /** @param before a command that becomes the program in the end, e.g. `sh -c 'ulimit …; exec "$@"' sh`. */
  constructor(env: Env = {}, before: readonly string[] = []) {
    this.#env = env;
    this.#before = before;
  }

  /** More for the environment of whatever is started from now on. */
  env(more: Env): void {
    this.#env = { ...this.#env, ...more };
  }

  /**
   * Starts to serve, on a free port unless `env` names one.
   *
   * @param main of another version of the program.
   * @throws {Error} with its log when it does not.
   */
  async start(env: Env = {}, main: string = MAIN): Promise<Program> {
    const { child, ended, said } = this.#spawn(["start", "--json"], env, main);
    const url = await Promise.race([
      readyUrl(child, said),
      ended.then(({ code, signal }) => Promise.reject(new Error(`it ended (${code ?? signal}): ${said.err}`))),
    ]);
    return new Program(child, url, ended, said);
  }

  /** Runs a command of the program to its end. */
  async run(argv: readonly string[], env: Env = {}, stdin = ""): Promise<Ran> {
    const { child, ended, said } = this.#spawn(argv, env);
    child.stdin.on("error", () => {}).end(stdin);
    const end = await ended;
    return { ...end, ...said };
  }

  /** Kills whatever still runs, also what is not ready yet. */
  async killAll(): Promise<void> {
    for (const child of this.#started) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  }

  /** Begins a command of the program, for a test that stops or kills it on its way. */
  begin(argv: readonly string[], env: Env = {}): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
    const { child, ended, said } = this.#spawn(argv, env);
    return { child, ended: ended.then((end) => ({ ...end, ...said })) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  #spawn(argv: readonly string[], env: Env, main: string = MAIN) {
    const [command = process.execPath, ...rest] = [...this.#before, process.execPath, main, ...argv];
    const child = spawn(command, rest, {
      cwd: this.dataDir,
      env: {
        PATH: process.env["PATH"] ?? "",
        PORT: "0",
        TIDINGS_DATA_DIR: this.dataDir,
        TIDINGS_API_KEY: KEY,
        ...onDatabase(this.dataDir),
        ...this.#env,
        ...env,
      },
    });
    const said: Said = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
    this.#started.add(child);
    alive.add(child);
    const ended = once(child, "close").then(([code, signal]): Ended => {
      this.#started.delete(child);
      alive.delete(child);
      return { code, signal };
    });
    return { child, ended, said };
  }
}

/** The address in the line with which `start --json` says that it is ready. */
async function readyUrl(child: ChildProcess, said: Said): Promise<string> {
  const giveUp = AbortSignal.timeout(START_MS_MAX);
  while (child.stdout !== null) {
    const line = said.out.split("\n", 1)[0] ?? "";
    if (line.length < said.out.length) {
      const { url } = JSON.parse(line) as { url?: string };
      // With --json the reason why it does not start is written there as well.
      if (url === undefined) throw new Error(`it did not start: ${line}`);
      return url;
    }
    await once(child.stdout, "data", { signal: giveUp });
  }
  throw new Error("broken invariant: standard output is a pipe");
}
