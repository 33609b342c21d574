import { startPostgres } from "../../../server/test/support/postgres-server.ts";
import { join } from "node:path";
import type { Burst } from "../burst.ts";
import { type Child, scriptFile, start, workFolder } from "../children.ts";
import type { LoadJob } from "../load.ts";
import { Sink } from "../sink.ts";
import {
  type Accepts,
  acceptsAlone,
  burstOf,
  CONNECTIONS,
  LONE_SENDS,
  type Lone,
  loneSends,
  startLoad,
  type System,
} from "../system.ts";
import type { Logged } from "./notice.ts";
import type { RivalJob } from "./program.ts";
import { type RedisSync, startRedis } from "./redis.ts";

/** The hand-built pipelines. */
export type RivalOptions =
  | {
      readonly queue: "bullmq";
      readonly sync: RedisSync;
      readonly concurrency: number;
      readonly mailConnections: number;
    }
  | {
      readonly queue: "pg-boss" | "graphile-worker";
      readonly concurrency: number;
      readonly mailConnections: number;
    };

const KEY = "rk_bench_0123456789abcdef";
const READY_MS_MAX = 30_000;
/** Of `Entry`. */
const HISTORY_ROWS = 3;
/** What the memory of the machine allows; the server's default, 128 MB, is for the smallest. */
export const POSTGRES_SETTINGS = { shared_buffers: "256MB" };

export type RivalRun = { readonly burst: Burst; readonly lone: Lone };

/** One burst against a fresh rival on a fresh database, and then lone sends. @throws when its log misses a row. */
export async function burstOfRival(
  options: RivalOptions,
  warmUp: number,
  sends: number,
  lones: number = LONE_SENDS,
): Promise<RivalRun> {
  await using sink = await Sink.start("usual");
  await using rival = await Rival.start(options, sink.port, true);
  await using load = startLoad();
  const burst = await burstOf(rival, sink, load, warmUp, sends);
  await rival.checkLog(warmUp + sends);
  return { burst, lone: await loneSends(rival, sink, load, lones) };
}

/** Accepts with the workers off. */
export async function acceptsOfRival(options: RivalOptions, warmUp: number, sends: number): Promise<Accepts> {
  await using sink = await Sink.start("usual");
  await using rival = await Rival.start(options, sink.port, false);
  await using load = startLoad();
  return await acceptsAlone(rival, load, warmUp, sends, {});
}

export type Database = AsyncDisposable & { readonly pid: number; readonly address: string };

/** A rival's process, and the server of its database. */
export class Rival implements System, AsyncDisposable {
  readonly #child: Child;
  readonly #port: number;
  readonly #database: Database;

  private constructor(child: Child, port: number, database: Database) {
    this.#child = child;
    this.#port = port;
    this.#database = database;
  }

  /** @param given ends with it; without one it gets a server of its own. */
  static async start(options: RivalOptions, sinkPort: number, works: boolean, given?: Database): Promise<Rival> {
    await using parts = new AsyncDisposableStack();
    const database = parts.use(given ?? (await startDatabase(options)));
    const { concurrency, mailConnections } = options;
    const job: RivalJob = { key: KEY, sinkPort, database: database.address, works, concurrency, mailConnections };
    const child = start([scriptFile(`rivals/${options.queue}.ts`), JSON.stringify(job)], {
      env: { NODE_ENV: "production" },
      errorFile: join(workFolder(), "stderr.log"),
    });
    parts.defer(() => child.end());
    const { port } = (await child.hear(READY_MS_MAX)) as { port: number };
    parts.move();
    return new Rival(child, port, database);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get databasePid(): number {
    return this.#database.pid;
  }

  job(burst: string, sends: number, rest: Partial<LoadJob>): LoadJob {
    const usual = { host: "127.0.0.1", port: this.#port, path: "/send", key: KEY, connections: CONNECTIONS, gapMs: 0 };
    return { ...usual, burst, sends, ...rest };
  }

  async settled(): Promise<void> {
    await this.#child.ask("settle");
  }

  /** @throws when its log has not a row, and three of history, for each of so many sends. */
  async checkLog(sends: number): Promise<void> {
    const { messages, history } = (await this.#child.ask("logged")) as Logged;
    if (messages === sends && history === sends * HISTORY_ROWS) return;
    throw new Error(`after ${sends} sends its log has ${messages} messages and ${history} rows of history`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
    await this.#database[Symbol.asyncDispose]();
  }
}

async function startDatabase(options: RivalOptions): Promise<Database> {
  if (options.queue === "bullmq") {
    const redis = await startRedis(options.sync);
    return { pid: redis.pid, address: redis.socket, [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose]() };
  }
  const postgres = await startPostgres({ folder: workFolder(), settings: POSTGRES_SETTINGS, ...postgresGiven() });
  return { pid: postgres.pid, address: postgres.url, [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose]() };
}

/** The Postgres that the environment names, if it does. */
export function postgresGiven(): { readonly binDir?: string } {
  const { TIDINGS_BENCH_POSTGRES_BIN: binDir } = process.env;
  return binDir === undefined ? {} : { binDir };
}
