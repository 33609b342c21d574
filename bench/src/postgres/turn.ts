import type { Burst } from "../burst.ts";
import { memoryOf } from "../measure.ts";
import { Sink } from "../sink.ts";
import { type Accepts, acceptsAlone, burstOf, type Onlooker, startLoad } from "../system.ts";
import type { Contestant } from "./contestants.ts";
import { type Look, look, type Shares, sharesOf } from "./processors.ts";
import type { Server } from "./server.ts";
import { type Writes, walAt, writesOf } from "./writes.ts";

/** What a system came to in one round. */
export type Turn = {
  readonly burst: Burst;
  /** Of each node, the one that is called first. */
  readonly nodes: readonly { readonly cpuUs: number; readonly peakMib: number }[];
  /** Of the server with all its processes, per message. */
  readonly databaseCpuUs: number;
  /** Bytes of log per message, within the burst. */
  readonly walBytes: number;
  readonly writes: Writes;
  readonly shares: Shares;
};

/** One burst on a fresh database, after a warm-up. @throws when a mail, or a row of the log, is missing. */
export async function turnOf(contestant: Contestant, server: Server, warmUp: number, sends: number): Promise<Turn> {
  await using database = await server.fresh();
  await using sink = await Sink.start("usual");
  await using load = startLoad();
  const measured = await (async () => {
    await using system = await contestant.start(server, database, sink.port);
    const watched = { nodes: system.pids, database: server.pid, sink: sink.pid, load: load.pid };
    const looks: { readonly processors: Look; readonly wal: number }[] = [];
    const takeLook = async (): Promise<void> => {
      // At the end the processors first, at the beginning last: the question itself is not counted.
      const processors = looks.length === 0 ? null : look(watched);
      const wal = await walAt(server);
      looks.push({ processors: processors ?? look(watched), wal });
    };
    const onlooker: Onlooker = { begin: takeLook, end: takeLook };
    const burst = await burstOf(system, sink, load, warmUp, sends, onlooker);
    await system.check(warmUp + sends);
    const [before, after] = looks;
    if (before === undefined || after === undefined) throw new Error("broken invariant: a burst is looked at twice");
    const nodes = system.pids.map((pid, at) => ({
      cpuUs: ((after.processors.nodesUs[at] ?? 0) - (before.processors.nodesUs[at] ?? 0)) / sends,
      peakMib: memoryOf(pid)?.peakMib ?? Number.NaN,
    }));
    return {
      burst,
      nodes,
      databaseCpuUs: (after.processors.databaseUs - before.processors.databaseUs) / sends,
      walBytes: (after.wal - before.wal) / sends,
      shares: sharesOf(before.processors, after.processors),
    };
  })();
  return { ...measured, writes: await writesOf(database, server, warmUp + sends) };
}

/** Accepts while nobody works; null for whoever accepts as another does. */
export async function acceptsOf(
  contestant: Contestant,
  server: Server,
  warmUp: number,
  sends: number,
): Promise<Accepts | null> {
  if (contestant.accepting === null) return null;
  await using database = await server.fresh();
  await using sink = await Sink.start("usual");
  await using load = startLoad();
  const { system, delayMs } = await contestant.accepting(server, database, sink.port);
  await using _ended = system;
  return await acceptsAlone(system, load, warmUp, sends, delayMs === undefined ? {} : { delayMs });
}

/** A statement, and what it cost for each message. */
export type StatementCost = {
  readonly text: string;
  readonly calls: number;
  readonly us: number;
  readonly walBytes: number;
};

/** Statements for each message, and the costliest. From a short burst of its own, since counting them costs time. */
export async function statementsOf(
  contestant: Contestant,
  server: Server,
  warmUp: number,
  sends: number,
  nodeArgs: readonly string[] = [],
): Promise<{ readonly perMessage: number; readonly costs: readonly StatementCost[]; readonly burst: Burst }> {
  await using database = await server.fresh(true);
  await using sink = await Sink.start("usual");
  await using load = startLoad();
  const counted = async (): Promise<readonly StatementCost[]> =>
    server.rows<StatementCost>(
      `SELECT query AS text, calls::float8, total_exec_time * 1000 AS us, wal_bytes::float8 AS "walBytes"
       FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1`,
      [database.name],
    );
  let costs: readonly StatementCost[] = [];
  const onlooker: Onlooker = {
    begin: async () => void (await server.rows("SELECT pg_stat_statements_reset()")),
    end: async () => void (costs = await counted()),
  };
  await using system = await contestant.start(server, database, sink.port, nodeArgs);
  const burst = await burstOf(system, sink, load, warmUp, sends, onlooker);
  const each = costs.map(({ text, calls, us, walBytes }) => ({
    text: text.replaceAll(/\s+/g, " "),
    calls: calls / sends,
    us: us / sends,
    walBytes: walBytes / sends,
  }));
  const perMessage = each.reduce((sum, { calls }) => sum + calls, 0);
  return { perMessage, costs: each.toSorted((a, b) => b.us - a.us), burst };
}
