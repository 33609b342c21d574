import { Rival, type RivalOptions } from "../rivals/rival.ts";
import type { System } from "../system.ts";
import { type Layout, Nodes } from "./nodes.ts";
import type { FreshDatabase, Server } from "./server.ts";

/** Started on one database; its end leaves the database alone. */
export type Started = System &
  AsyncDisposable & {
    /** Of all its nodes; of a rival, its one process. */
    readonly pids: readonly number[];
    /** @throws when its log misses one of so many sends. */
    check(sends: number): Promise<void>;
  };

/** A system that is handed the same burst as the others, on the same server. */
export type Contestant = {
  /** For `--only`. */
  readonly key: string;
  readonly name: string;
  start(server: Server, database: FreshDatabase, sinkPort: number, nodeArgs?: readonly string[]): Promise<Started>;
  /** The same while nobody works, and how sends are asked for then; null: it accepts as another does. */
  readonly accepting: ((server: Server, database: FreshDatabase, sinkPort: number) => Promise<Accepting>) | null;
};

export type Accepting = { readonly system: Started; readonly delayMs?: number };

const AN_HOUR_MS = 3_600_000;

/** In the order of a round. */
export const CONTESTANTS: readonly Contestant[] = [
  tidings("all", "Tidings, one node", { door: "all", workers: 0 }),
  tidings("api-1", "Tidings, api and 1 worker", { door: "api", workers: 1 }),
  tidings("api-2", "Tidings, api and 2 workers", { door: "api", workers: 2 }),
  tidings("api-4", "Tidings, api and 4 workers", { door: "api", workers: 4 }),
  rival("pg-boss", "pg-boss", { queue: "pg-boss", concurrency: 100, mailConnections: 10 }),
  rival("graphile-worker", "graphile-worker", { queue: "graphile-worker", concurrency: 20, mailConnections: 10 }),
];

/** @throws when there is none of that key, naming those that there are. */
export function pick(keys: string): readonly Contestant[] {
  const wanted = keys.split(",").map((key) => key.trim());
  const unknown = wanted.filter((key) => !CONTESTANTS.some((one) => one.key === key));
  if (unknown.length > 0) {
    throw new Error(
      `--only: no ${unknown.join(", ")}; there are ${CONTESTANTS.map(({ key }) => key).join(", ")}, store`,
    );
  }
  return CONTESTANTS.filter(({ key }) => wanted.includes(key));
}

function tidings(key: string, name: string, layout: Layout): Contestant {
  const start: Contestant["start"] = async ({ pid }, { url }, sinkPort, nodeArgs) =>
    ours(await Nodes.start(layout, { url, pid }, sinkPort, nodeArgs));
  // One node delivers what it accepts, so it is asked to send in an hour. The door of several accepts alone, as it is,
  // and is the same however many workers there are.
  if (layout.workers === 0) {
    const accepting: Contestant["accepting"] = async (...where) => ({
      system: await start(...where),
      delayMs: AN_HOUR_MS,
    });
    return { key, name, start, accepting };
  }
  if (layout.workers > 1) return { key, name, start, accepting: null };
  const accepting: Contestant["accepting"] = async ({ pid }, { url }, sinkPort) => ({
    system: ours(await Nodes.start({ door: "api", workers: 0 }, { url, pid }, sinkPort)),
  });
  return { key, name, start, accepting };
}

function ours(nodes: Nodes): Started {
  const check = async (sends: number): Promise<void> => {
    const statuses = await nodes.statuses();
    if (statuses["SENT"] !== sends) throw new Error(`after ${sends} sends its log says ${JSON.stringify(statuses)}`);
  };
  return Object.assign(nodes, { check });
}

function rival(key: string, name: string, options: RivalOptions): Contestant {
  const started = async (
    { pid }: Server,
    { url }: FreshDatabase,
    sinkPort: number,
    works: boolean,
  ): Promise<Started> => {
    // The database is dropped by whoever made it.
    const database = { pid, address: url, [Symbol.asyncDispose]: async () => undefined };
    const one = await Rival.start(options, sinkPort, works, database);
    return Object.assign(one, { pids: [one.pid], check: (sends: number) => one.checkLog(sends) });
  };
  return {
    key,
    name,
    start: (server, database, sinkPort) => started(server, database, sinkPort, true),
    accepting: async (server, database, sinkPort) => ({ system: await started(server, database, sinkPort, false) }),
  };
}
