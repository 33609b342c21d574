import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** How long a child may take to say what is awaited; a burst of 20,000 takes some ten seconds. */
export const ANSWER_MS_MAX = 300_000;
/** How long a child may take to end by itself. */
const END_MS_MAX = 15_000;

/** A process of this run, which speaks JSON lines on its standard output. */
export type Child = {
  readonly pid: number;
  /** Says a line and waits for the next that it prints. @throws when it ends, or says nothing in time. */
  ask(line: string): Promise<unknown>;
  /** The next line that it prints, or one that nobody has read yet. */
  hear(msMax?: number): Promise<unknown>;
  /** The same, as it stands. */
  hearText(msMax?: number): Promise<string>;
  /** Ends it: by SIGTERM, and by SIGKILL when that does not help. */
  end(): Promise<void>;
};

const alive = new Set<ChildProcess>();
const folders = new Set<string>();

/** Whatever ends this process, nothing that it started outlives it, and no data of it stays. */
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.once(signal, () => process.exit(code));
}

/**
 * A folder that is gone when this process is.
 *
 * @param parent as a rule on the disk of the repository: /tmp may be memory, whose fsync is free.
 */
export function workFolder(parent: string = join(ROOT, "node_modules/.cache")): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "tidings-bench-"));
  folders.add(folder);
  return folder;
}

export type StartOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** Takes its standard error, whose end is told if it fails; otherwise that goes to the terminal. */
  readonly errorFile?: string;
};

/** Starts Node. @param args its own arguments, the script, and the script's. */
export function start(args: readonly string[], { env, errorFile }: StartOptions = {}): Child {
  const errors = errorFile === undefined ? null : openSync(errorFile, "a");
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ["pipe", "pipe", errors ?? "inherit"],
    // oxlint-disable-next-line node/no-process-env -- handed on to children as it is
    env: { ...process.env, ...env },
  });
  if (errors !== null) closeSync(errors);
  alive.add(child);
  const { pid, stdin, stdout } = child;
  if (pid === undefined || stdin === null || stdout === null) throw new Error(`could not start node ${args.join(" ")}`);
  // Writing to one that has ended is told by its end.
  stdin.on("error", () => undefined);

  const heard: string[] = [];
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: stdout }).on("line", (line) => {
    const next = waiting.shift();
    if (next === undefined) heard.push(line);
    else next.resolve(line);
  });
  const ended = new Promise<void>((done) => {
    child.once("close", (code, signal) => {
      alive.delete(child);
      const last = errorFile === undefined ? "" : readFileSync(errorFile, "utf8").slice(-2_000);
      for (const { reject } of waiting.splice(0))
        reject(new Error(`node ${args.join(" ")} ended (${code ?? signal}) ${last}`));
      done();
    });
  });

  const hearText = async (msMax = ANSWER_MS_MAX): Promise<string> => {
    const line = heard.shift();
    if (line !== undefined) return line;
    if (!alive.has(child)) throw new Error(`node ${args.join(" ")} has ended`);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    waiting.push({ resolve, reject });
    const timer = setTimeout(() => reject(new Error(`node ${args.join(" ")} said nothing for ${msMax} ms`)), msMax);
    return promise.finally(() => clearTimeout(timer));
  };
  const hear = async (msMax?: number): Promise<unknown> => JSON.parse(await hearText(msMax));
  return {
    pid,
    hear,
    hearText,
    ask: (line) => {
      stdin.write(`${line}\n`);
      return hear();
    },
    end: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Takes a process into this run. @returns what ends it: by SIGTERM, and by SIGKILL when that does not help. */
export function endOf(child: ChildProcess, what: string): () => Promise<void> {
  alive.add(child);
  const ended = new Promise<void>((done) => {
    child.once("close", () => {
      alive.delete(child);
      done();
    });
  });
  child.once("error", (error) => process.stderr.write(`${what}: ${error.message}\n`));
  return async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
    await ended;
    clearTimeout(timer);
  };
}

export function scriptFile(name: string): string {
  return join(ROOT, "bench/src", name);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
