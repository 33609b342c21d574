import { execFile, spawn } from "node:child_process";
import { closeSync, existsSync, globSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { endOf, ROOT, sleep, workFolder } from "../children.ts";

const run = promisify(execFile);

export type RedisServer = AsyncDisposable & {
  /** The socket that it listens on; it has no port. */
  readonly socket: string;
  readonly pid: number;
};

/** How often its log of commands is synced: `everysec` is what most run, `always` is before the answer. */
export type RedisSync = "everysec" | "always";

type Program = { readonly path: string; readonly libraries: string };

const READY_MS_MAX = 15_000;
/** Package lists and five small packages. */
const DOWNLOAD_MS_MAX = 120_000;
const CACHE = join(ROOT, "node_modules/.cache/tidings-redis");

/** A private Redis with an append-only file on the repository's disk, and nothing evicted. @throws when there is none. */
export async function startRedis(sync: RedisSync): Promise<RedisServer> {
  const { path, libraries } = await findRedis();
  const folder = workFolder();
  // Paths of sockets end after some 100 bytes, wherever the repository stands.
  const socket = join(workFolder(tmpdir()), "redis");
  const settings = {
    port: "0",
    unixsocket: socket,
    dir: folder,
    appendonly: "yes",
    appendfsync: sync,
    save: "",
    "maxmemory-policy": "noeviction",
    loglevel: "warning",
  };
  const logFile = join(folder, "log");
  const log = openSync(logFile, "w");
  const child = spawn(
    path,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    // oxlint-disable-next-line node/no-process-env -- handed on to the child, with its libraries
    { stdio: ["ignore", log, log], env: { ...process.env, LD_LIBRARY_PATH: libraries } },
  );
  closeSync(log);
  const end = endOf(child, "redis-server");
  const startMs = performance.now();
  while (!(await answers(socket))) {
    if (child.exitCode !== null || performance.now() - startMs > READY_MS_MAX) {
      await end();
      throw new Error(`${path} did not start: ${readFileSync(logFile, "utf8").slice(-1_000)}`);
    }
    await sleep(5);
  }
  if (child.pid === undefined) throw new Error("broken invariant: what answers has a process");
  return {
    socket,
    pid: child.pid,
    [Symbol.asyncDispose]: end,
  };
}

/** One that needs no download: `TIDINGS_BENCH_REDIS_SERVER`, else on the PATH, else Debian's, taken before. */
export function redisAtHand(): Program | null {
  const { TIDINGS_BENCH_REDIS_SERVER: named, PATH = "" } = process.env;
  const onPath = PATH.split(delimiter).map((folder) => join(folder, "redis-server"));
  const path = named ?? onPath.find((file) => existsSync(file));
  return path === undefined ? unpacked() : { path, libraries: "" };
}

async function findRedis(): Promise<Program> {
  try {
    return redisAtHand() ?? (await unpackDebians());
  } catch (error) {
    throw new Error(
      "no Redis: set TIDINGS_BENCH_REDIS_SERVER to a redis-server, or have one on the PATH; Debian's package could not be " +
        `taken: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function unpacked(): Program | null {
  const root = join(CACHE, "root");
  // In Debian redis-server is a link to this one.
  const path = join(root, "usr/bin/redis-check-rdb");
  if (!existsSync(path)) return null;
  const libraries = globSync(join(root, "usr/lib/**/*.so*")).map((file) => dirname(file));
  return { path: join(root, "usr/bin/redis-server"), libraries: [...new Set(libraries)].join(delimiter) };
}

/** With a state of its own, so that nothing of the machine's apt changes; needs no root. */
async function unpackDebians(): Promise<Program> {
  rmSync(CACHE, { recursive: true, force: true });
  const [lists, archives, packages, root] = [
    "state/lists/partial",
    "cache/archives/partial",
    "packages",
    "unpacked",
  ].map((name) => join(CACHE, name)) as [string, string, string, string]; // four in, four out
  for (const folder of [lists, archives, packages, root]) mkdirSync(folder, { recursive: true });
  const apt = [
    ...["-q", "-o", `Dir::State=${join(CACHE, "state")}`, "-o", "Dir::State::status=/var/lib/dpkg/status"],
    ...["-o", `Dir::Cache=${join(CACHE, "cache")}`, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"],
  ];
  const options = { cwd: packages, timeout: DOWNLOAD_MS_MAX };
  await run("apt-get", [...apt, "update"], options);
  const names = new Set(["redis-server", "redis-tools"]);
  const { stdout } = await run("apt-cache", [...apt, "depends", "redis-tools"], options);
  for (const [, name = ""] of stdout.matchAll(/^\s+Depends: ((?:lib|lua-)\S+)$/gm))
    if (name !== "libc6") names.add(name);
  await run("apt-get", [...apt, "download", ...names], options);
  for (const file of globSync(join(packages, "*.deb"))) await run("dpkg", ["-x", file, root], options);
  // Whole or not at all: a run that was interrupted here begins again.
  renameSync(root, join(CACHE, "root"));
  for (const name of ["state", "cache", "packages"]) rmSync(join(CACHE, name), { recursive: true, force: true });
  const program = unpacked();
  if (program === null) throw new Error(`${[...names].join(", ")} hold no redis-server`);
  return program;
}

/** Whether it says PONG; while it reads its file it says LOADING. */
async function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect({ path }, () => socket.write("PING\r\n"));
  socket.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1").startsWith("+PONG")));
  socket.once("error", () => resolve(false));
  socket.once("close", () => resolve(false));
  const answer = await promise;
  socket.destroy();
  return answer;
}
