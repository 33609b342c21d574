import { createHash } from "node:crypto";
import { Socket } from "node:net";
import pg from "pg";
import { codeOf, faultOf, isBouncerTrouble, isStrangerToSettings } from "#drivers/postgres/faults.ts";
import { StoreFault } from "#ports/store.ts";

/** How long one attempt to connect, or the wait for a free connection, may take. */
export const CONNECT_MS_MAX = 5_000;
/** Longest statement: what takes longer holds locks that others wait for. Migrations are exempt. */
export const STATEMENT_MS_MAX = 30_000;
/** A transaction whose node is silent between two statements is over after this, and its locks are free. */
export const IDLE_IN_TRANSACTION_MS_MAX = 15_000;
/** Beyond the server's own limit: the answer is lost, e.g. because the machine is gone without a word. */
const ANSWER_MS_MAX = STATEMENT_MS_MAX + 5_000;
/**
 * What is not answered for so long makes us ask, on a new connection and as patiently, whether the database is there at
 * all: a network that is cut tells nobody, and callers would wait for {@link ANSWER_MS_MAX}. Longer than any pause of a
 * database that is well.
 */
const SILENT_MS_MAX = 5_000;
/** A migration may rewrite a large table, and another node's is waited for. */
const MIGRATION_MS_MAX = 60 * 60 * 1_000;
/** A connection that nobody used for so long is given back to the server. */
const IDLE_MS_MAX = 60_000;
const KEEP_ALIVE_MS = 10_000;

/**
 * Every statement that matters finds its rows by an index. A plan that was made while a table was small would scan it,
 * and be kept when it has grown, so scans are ruled out from the start, and workers to share them. A pooler between us may
 * not let these through.
 */
const PLANNING = {
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  // A bitmap reads its index to the end of what fits, whatever few rows are wanted of it.
  enable_bitmapscan: "off",
  jit: "off",
  max_parallel_workers_per_gather: "0",
  plan_cache_mode: "force_generic_plan",
} as const;

/** Whoever has waited for a lock must see what was committed meanwhile, whatever the server's default. */
const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED";

export type DatabaseOptions = {
  /** `postgres://…`; its password is in no message. */
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly connectionsMax: number;
  /** Default {@link SILENT_MS_MAX}. */
  readonly silentMsMax?: number;
};

/** An SQL text and its name, which is made of the text: the same name is the same text, whoever has prepared it. */
export type Statement = { readonly name: string; readonly text: string };

export function statement(text: string): Statement {
  return { name: `tidings_${createHash("sha256").update(text).digest("hex").slice(0, 20)}`, text };
}

/** Texts by name, as statements of the same names. */
export type Statements<Sql> = { readonly [name in keyof Sql]: Statement };

export function statements<Sql extends Readonly<Record<string, string>>>(sql: Sql): Statements<Sql> {
  // Each text becomes a statement under the name it had.
  return Object.fromEntries(Object.entries(sql).map(([name, text]) => [name, statement(text)])) as Statements<Sql>;
}

export type Value = string | number | boolean | Buffer | null;
export type Ask = readonly [statement: Statement, values?: readonly Value[]];
/** Rows as arrays, in the order of the statement's columns; bigint and double as numbers, bytea as a Buffer. */
export type Answer<Row extends readonly unknown[] = readonly unknown[]> = {
  readonly rows: Row[];
  /** Rows given or touched. */
  readonly count: number;
  /** What it was: `SELECT`, `COMMIT`, `ROLLBACK`, … */
  readonly command: string;
};

/** One connection, in one pair of hands. */
export type Session = {
  /**
   * Sends all at once, without waiting in between, and resolves with all the answers. Each is a statement of its own unless
   * the first begins a transaction.
   *
   * @throws what the first that failed has thrown, when all have been answered.
   */
  flight(asks: readonly Ask[]): Promise<readonly Answer[]>;
};

export const COMMIT = statement("COMMIT");

/**
 * A pool of connections to one database. A connection that died is replaced by the next use. Statements are named, so
 * that the server parses and plans each once per connection, until it turns out that something between us and the
 * server mixes connections up (PgBouncer in transaction mode): then never again.
 */
export class Database implements AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly #settings: pg.PoolConfig;
  readonly #silentMsMax: number;
  /** Those of the pool, idle ones as well. */
  readonly #sockets = new Set<Socket>();
  #asking: Promise<boolean> | null = null;
  #named = true;
  /** Of what goes out before a transaction. */
  readonly begin: Statement;
  /** Whether settings of the session are ours: false behind a pooler that refused them. */
  readonly keepsSettings: boolean;
  #closed = false;

  private constructor(settings: pg.PoolConfig, keepsSettings: boolean, isDurable: boolean, silentMsMax: number) {
    this.#settings = settings;
    this.#silentMsMax = silentMsMax;
    this.keepsSettings = keepsSettings;
    const local = [
      ...(isDurable ? [] : ["SET LOCAL synchronous_commit = on"]),
      ...(keepsSettings ? [] : Object.entries(PLANNING).map(([name, value]) => `SET LOCAL ${name} = ${value}`)),
    ];
    // Without a name it is a simple query, which may hold several statements.
    this.begin = { name: local.length === 0 ? "tidings_begin" : "", text: [BEGIN, ...local].join("; ") };
    this.#pool = new pg.Pool(settings);
    // An idle connection died: it is out of the pool already.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => {
      if (client instanceof CorkedClient) this.#sockets.add(client.socket);
    });
    this.#pool.on("remove", (client) => {
      if (client instanceof CorkedClient) this.#sockets.delete(client.socket);
    });
  }

  /**
   * @throws {StoreFault} if the database cannot be reached.
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    const { url, applicationName, connectionsMax, silentMsMax = SILENT_MS_MAX } = options;
    const bare: pg.PoolConfig = {
      connectionString: url,
      application_name: applicationName,
      max: connectionsMax,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: ANSWER_MS_MAX,
      idleTimeoutMillis: IDLE_MS_MAX,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      pipeline: true,
      types: { getTypeParser },
      Client: CorkedClient,
    };
    const whole: pg.PoolConfig = {
      ...bare,
      statement_timeout: STATEMENT_MS_MAX,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
      options: Object.entries({ ...PLANNING, default_transaction_isolation: "read\\ committed" })
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(" "),
    };
    let settings = whole;
    let durable: string;
    try {
      durable = await synchronousCommit(whole);
    } catch (error) {
      if (!isStrangerToSettings(error)) throw faultOf(error);
      settings = bare;
      durable = await synchronousCommit(bare).catch((again: unknown) => {
        throw faultOf(again);
      });
    }
    // `local` does not wait for standbys, which is the operator's choice; `off` would break our promise.
    return new Database(settings, settings === whole, durable !== "off", silentMsMax);
  }

  /** True until a pooler was found to mix up named statements. */
  get names(): boolean {
    return this.#named;
  }

  /** One statement, which is its own transaction. */
  async ask<Row extends readonly unknown[]>(what: Statement, values: readonly Value[] = []): Promise<Answer<Row>> {
    const [answer] = await this.asks([[what, values]]);
    // The one place where an answer's rows get their type: the caller wrote the statement.
    return answer as Answer<Row>;
  }

  /** Statements of which each is its own transaction, in one flight; where settings do not last, they go in one. */
  async asks(all: readonly Ask[]): Promise<readonly Answer[]> {
    if (this.keepsSettings) return await this.hold((session) => session.flight(all));
    const answers = await this.hold((session) => session.flight([[this.begin], ...all, [COMMIT]]));
    return answers.slice(1, -1);
  }

  /**
   * Runs it with a connection of its own; what is left open at its end is rolled back. Does so once more when names
   * of statements were mixed up: nothing had been done then.
   *
   * @throws {StoreFault} when the database cannot do it now; anything else is a bug, e.g. in SQL.
   */
  async hold<T>(run: (session: Session) => Promise<T>): Promise<T> {
    // Asked before: of several that fail together the first forbids names, and the others go once more as well.
    const named = this.#named;
    try {
      return await this.#hold(run);
    } catch (error) {
      if (!named || !isBouncerTrouble(error)) throw error;
    }
    this.#named = false;
    return await this.#hold(run);
  }

  /** A connection outside the pool, e.g. to listen on, or patiently to migrate by. The caller ends it. */
  async single(patience: "patient" | "hasty" = "hasty"): Promise<pg.Client> {
    const client = new pg.Client({
      ...this.#settings,
      query_timeout: patience === "patient" ? MIGRATION_MS_MAX : CONNECT_MS_MAX,
    });
    // Heard by whoever listens as well; without a listener it would end the process.
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      throw faultOf(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.end();
  }

  async #hold<T>(run: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreFault("store.failed", "The store is closed");
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw faultOf(error);
    });
    let dead: Error | undefined;
    // While it is in hand, its death is told by the query that it concerns.
    const onError = (error: Error): void => void (dead = error);
    client.on("error", onError);
    using _ = this.#watch();
    try {
      return await run({ flight: (asks) => flight(client, asks, this.#named) });
    } catch (error) {
      if (error instanceof StoreFault && codeOf(error) === null) dead ??= error;
      throw error;
    } finally {
      if (dead === undefined && client.getTransactionStatus() !== "I") {
        await client.query("ROLLBACK").catch((error: Error) => (dead = error));
      }
      client.off("error", onError);
      client.release(dead ?? false);
    }
  }

  /** While answers are waited for: they may be long in coming, but only from a database that is there. */
  #watch(): Disposable {
    let timer: NodeJS.Timeout | null = setTimeout(() => void look(), this.#silentMsMax).unref();
    const look = async (): Promise<void> => {
      if (!(await this.#isThere())) this.#giveUp();
      else timer = timer === null ? null : setTimeout(() => void look(), this.#silentMsMax).unref();
    };
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer ?? undefined);
        timer = null;
      },
    };
  }

  /** Whether anything answers to a new connection, be it a refusal. Asked once for all who want to know. */
  #isThere(): Promise<boolean> {
    this.#asking ??= this.#connectOnce().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #connectOnce(): Promise<boolean> {
    const client = new pg.Client({ ...this.#settings, connectionTimeoutMillis: this.#silentMsMax });
    client.on("error", () => {});
    try {
      await client.connect();
      return true;
    } catch (error) {
      return error instanceof pg.DatabaseError;
    } finally {
      void client.end().catch(() => {});
    }
  }

  /** Idle ones as well: whoever took one of them would wait as long again. */
  #giveUp(): void {
    for (const socket of this.#sockets) socket.destroy(new Error("it has been silent for too long"));
  }
}

/** Its writes can be gathered: a flight is one packet, for which the server wakes once. */
class CorkedClient extends pg.Client {
  readonly socket: Socket;

  constructor(config: pg.ClientConfig = {}) {
    const socket = new Socket();
    super({ ...config, stream: () => socket });
    this.socket = socket;
    // Its death may be told in the same packet as its first readiness, before anybody listens; uses of it then fail.
    this.on("error", () => {});
  }
}

async function flight(client: pg.PoolClient, asks: readonly Ask[], named: boolean): Promise<readonly Answer[]> {
  const socket = client instanceof CorkedClient ? client.socket : null;
  socket?.cork();
  const answers = asks.map(([what, values]) =>
    client.query<unknown[], unknown[]>({
      text: what.text,
      ...(named && what.name !== "" ? { name: what.name } : {}),
      values: values === undefined ? [] : [...values],
      rowMode: "array",
    }),
  );
  socket?.uncork();
  const settled = await Promise.allSettled(answers);
  const whole: Answer[] = [];
  for (const one of settled) {
    if (one.status === "rejected") throw faultOf(one.reason);
    const { rows, rowCount, command } = one.value;
    whole.push({ rows, count: rowCount ?? 0, command });
  }
  return whole;
}

async function synchronousCommit(settings: pg.PoolConfig): Promise<string> {
  const client = new pg.Client(settings);
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<[string]>({ text: "SHOW synchronous_commit", rowMode: "array" });
    return rows[0]?.[0] ?? "on";
  } finally {
    await client.end().catch(() => {});
  }
}

/** bigint: ours stay below 2^53. */
const INT8 = 20;

function getTypeParser(oid: number, format: "text" | "binary" = "text"): (value: string) => unknown {
  return oid === INT8 ? Number : pg.types.getTypeParser(oid, format);
}
