import pg from "pg";
import { type PostgresServer, startPostgres } from "../../../server/test/support/postgres-server.ts";
import { workFolder } from "../children.ts";
import { POSTGRES_SETTINGS, postgresGiven } from "../rivals/rival.ts";

/** Statements are counted in databases that ask for it, and cost nothing in others. */
const COUNTING = {
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.track": "none",
  // Enough for four nodes at their defaults, and for the pools of the rivals.
  max_connections: "200",
} as const;

/** The one Postgres of a run. Each turn gets a database of its own, which is dropped after it. */
export class Server implements AsyncDisposable {
  readonly #postgres: PostgresServer;
  readonly #client: pg.Client;
  #databases = 0;

  private constructor(postgres: PostgresServer, client: pg.Client) {
    this.#postgres = postgres;
    this.#client = client;
  }

  /** @param parent where its data lies; by default the disk of the repository. */
  static async start(parent: string | undefined, settings: Readonly<Record<string, string>> = {}): Promise<Server> {
    await using parts = new AsyncDisposableStack();
    const all = { ...POSTGRES_SETTINGS, ...COUNTING, ...settings };
    const postgres = parts.use(await startPostgres({ folder: workFolder(parent), settings: all, ...postgresGiven() }));
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await client.query("CREATE EXTENSION pg_stat_statements");
    parts.move();
    return new Server(postgres, client);
  }

  get pid(): number {
    return this.#postgres.pid;
  }

  /** What it says of itself: the settings that decide what a commit costs. */
  async says(): Promise<Readonly<Record<string, string>>> {
    const names = ["server_version", "synchronous_commit", "fsync", "full_page_writes", "shared_buffers", "wal_level"];
    const rows = await this.rows<{ readonly name: string; readonly setting: string }>(
      "SELECT name, current_setting(name) AS setting FROM unnest($1::text[]) AS name",
      [names],
    );
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  }

  /** A new database, as one begins with it: the pages of others are on the disk, and no checkpoint is near. */
  async fresh(countsStatements = false): Promise<FreshDatabase> {
    this.#databases += 1;
    const name = `turn_${this.#databases}`;
    await this.#client.query(`CREATE DATABASE ${name}`);
    if (countsStatements) await this.#client.query(`ALTER DATABASE ${name} SET pg_stat_statements.track = 'top'`);
    await this.#client.query("CHECKPOINT");
    const url = new URL(this.#postgres.url);
    url.pathname = `/${name}`;
    return {
      name,
      url: url.href,
      [Symbol.asyncDispose]: async () => {
        await this.#client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      },
    };
  }

  /** @param sql selects one value, called n. */
  async number<T = number>(sql: string, values: readonly unknown[] = []): Promise<T | undefined> {
    const { rows } = await this.#client.query<{ readonly n: T }>(sql, [...values]);
    return rows[0]?.n;
  }

  async rows<T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<readonly T[]> {
    return (await this.#client.query<T>(sql, [...values])).rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
    await this.#postgres[Symbol.asyncDispose]();
  }
}

export type FreshDatabase = AsyncDisposable & { readonly name: string; readonly url: string };
