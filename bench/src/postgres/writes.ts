import pg from "pg";
import type { FreshDatabase, Server } from "./server.ts";

/** What a turn has written, for each message: warm-up included, since Postgres counts by database. */
export type Writes = {
  /** Rows inserted, updated and deleted, those of TOAST tables included. */
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Of the updates, those that wrote no index. */
  readonly hotShare: number;
  readonly commits: number;
  /** Rows of each table, most first. */
  readonly tables: Readonly<Record<string, number>>;
};

type TableRow = {
  readonly relname: string;
  readonly ins: number;
  readonly upd: number;
  readonly del: number;
  readonly hot: number;
};

/** @param messages that were sent through this database; whoever worked on it has left, so that all is counted. */
export async function writesOf(database: FreshDatabase, server: Server, messages: number): Promise<Writes> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const { rows } = await client.query<TableRow>(
      `SELECT relname, n_tup_ins::float8 AS ins, n_tup_upd::float8 AS upd, n_tup_del::float8 AS del,
         n_tup_hot_upd::float8 AS hot
       FROM pg_stat_all_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const sum = (pick: (row: TableRow) => number): number => rows.reduce((total, row) => total + pick(row), 0);
    const each = (pick: (row: TableRow) => number): number => sum(pick) / messages;
    const commits = await server.number("SELECT xact_commit::float8 AS n FROM pg_stat_database WHERE datname = $1", [
      database.name,
    ]);
    const tables = rows
      .map(({ relname, ins, upd, del }) => [relname, (ins + upd + del) / messages] as const)
      .filter(([, count]) => count >= 0.01)
      .toSorted((a, b) => b[1] - a[1]);
    return {
      rows: each(({ ins, upd, del }) => ins + upd + del),
      inserted: each(({ ins }) => ins),
      updated: each(({ upd }) => upd),
      deleted: each(({ del }) => del),
      hotShare:
        sum(({ hot }) => hot) /
        Math.max(
          1,
          sum(({ upd }) => upd),
        ),
      commits: (commits ?? Number.NaN) / messages,
      tables: Object.fromEntries(tables),
    };
  } finally {
    await client.end();
  }
}

/** Where the log of the server stands, in bytes. */
export async function walAt(server: Server): Promise<number> {
  return (await server.number("SELECT (pg_current_wal_lsn() - '0/0')::float8 AS n")) ?? Number.NaN;
}

export type Wal = { readonly records: number; readonly fullPages: number; readonly bytes: number };

/** What the whole server has logged; of backends that still run, up to a second ago. */
export async function walOf(server: Server): Promise<Wal> {
  const [row] = await server.rows<Wal>(
    `SELECT wal_records::float8 AS records, wal_fpi::float8 AS "fullPages", wal_bytes::float8 AS bytes FROM pg_stat_wal`,
  );
  if (row === undefined) throw new Error("broken invariant: pg_stat_wal has one row");
  return row;
}
