import pg from "pg";
import type { Entry, Logged, Person } from "./notice.ts";

const SCHEMA = `
  create table profiles (address text primary key, locale text);
  create table preferences (address text, topic text, opted_out boolean not null, primary key (address, topic));
  create table suppressions (address text primary key, reason text not null);
  create table messages (
    id uuid primary key, recipient text not null, status text not null, provider_id text not null, data jsonb not null,
    accepted_at timestamptz not null, updated_at timestamptz not null default now());
  create table history (
    message_id uuid, number smallint, type text not null, at timestamptz not null, primary key (message_id, number));
`;

const LOOK_UP = `
  select w.address, p.locale, coalesce(f.opted_out, false) as "optedOut", s.address is not null as suppressed
  from unnest($1::text[]) as w (address)
  left join profiles p on p.address = w.address
  left join preferences f on f.address = w.address and f.topic = 'orders'
  left join suppressions s on s.address = w.address`;

/** Message rows and history rows of a batch, in one statement and so in one commit. A notice that comes again changes nothing. */
const WRITE = `
  with kept as (
    insert into messages (id, recipient, status, provider_id, data, accepted_at)
    select id, recipient, status, provider_id, data, to_timestamp(at / 1000)
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::float8[])
      as t (id, recipient, status, provider_id, data, at)
    on conflict do nothing)
  insert into history (message_id, number, type, at)
  select id, number, type, to_timestamp(at / 1000)
  from unnest($7::uuid[], $8::smallint[], $9::text[], $10::float8[]) as t (id, number, type, at)
  on conflict do nothing`;

/** The tables of the rivals on Postgres: what is known of people, and the log. Statements are prepared once by their name. */
export class Tables {
  readonly pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.pool = pool;
  }

  /** @param max connections. */
  static async create(connectionString: string, max: number): Promise<Tables> {
    const pool = new pg.Pool({ connectionString, max });
    const tell = (error: Error): unknown => process.stderr.write(`${error.stack}\n`);
    pool.on("error", tell);
    pool.on("connect", (client) => client.on("error", tell));
    await pool.query(SCHEMA);
    return new Tables(pool);
  }

  /** @returns one for each address. */
  async lookUp(addresses: readonly string[]): Promise<ReadonlyMap<string, Person>> {
    const { rows } = await this.pool.query<Person & { readonly address: string }>({
      name: "look up",
      text: LOOK_UP,
      values: [addresses],
    });
    return new Map(rows.map((row) => [row.address, row]));
  }

  async write(entries: readonly Entry[]): Promise<void> {
    const rows = entries.flatMap(({ notice, history }) =>
      history.map((row, i) => ({ id: notice.id, number: i, ...row })),
    );
    const values = [
      entries.map(({ notice }) => notice.id),
      entries.map(({ notice }) => notice.to),
      entries.map(({ status }) => status),
      entries.map(({ providerId }) => providerId),
      entries.map(({ notice }) => JSON.stringify(notice.data)),
      entries.map(({ notice }) => notice.acceptedMs),
      rows.map(({ id }) => id),
      rows.map(({ number }) => number),
      rows.map(({ type }) => type),
      rows.map(({ atMs }) => atMs),
    ];
    await this.pool.query({ name: "write", text: WRITE, values });
  }

  async logged(): Promise<Logged> {
    const { rows } = await this.pool.query<Logged>(
      "select (select count(*)::int from messages) as messages, (select count(*)::int from history) as history",
    );
    const [row] = rows;
    if (row === undefined) throw new Error("broken invariant: a select without from has one row");
    return row;
  }

  /** @param sql selects one number, called n. */
  async count(sql: string): Promise<number> {
    const { rows } = await this.pool.query<{ readonly n: number }>(sql);
    return rows[0]?.n ?? 0;
  }
}
