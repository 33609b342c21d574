import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MailHost } from "../support/mail-host.ts";
import { type PostgresServer, startPostgres } from "../support/postgres-server.ts";
import { type Ended, type Env, Home, type Program } from "../support/program.ts";
import { Namespace } from "./namespace.ts";
import { Wire } from "./wire.ts";

export type Role = "api" | "worker" | "all";

export type ClusterOptions = {
  /** The nodes that run from the beginning, by name. */
  readonly nodes: Readonly<Record<string, Role>>;
  /** One whose way to the database can be cut, and by what. */
  readonly cuttable?: { readonly node: string; readonly by: "proxy" | "namespace" };
  /** Of single nodes. */
  readonly env?: Readonly<Record<string, Env>>;
  /** Of Postgres, beyond what {@link startPostgres} sets. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** The stack of what ended it is in there. */
const LAST_WORDS_CHARS = 3_000;
/** So that something is always in the hands of the mail server. */
const MAIL_THINKS_MS = 15;

/**
 * Real processes: a Postgres that syncs, a mail server that keeps what it gets, and nodes of the program in roles. The
 * commit time of every transaction is kept, for the audit.
 */
export class Cluster implements AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly mailHost: MailHost;
  readonly home: Home;
  readonly #roles: Readonly<Record<string, Role>>;
  readonly #env: Readonly<Record<string, Env>>;
  readonly #cuttable: Cuttable | null;
  readonly #running = new Map<string, Program>();
  readonly #wanted = new Set<Program>();
  readonly #gaveUp: string[] = [];
  readonly #parts: AsyncDisposableStack;

  private constructor(
    { nodes, env = {} }: ClusterOptions,
    parts: { postgres: PostgresServer; mailHost: MailHost; home: Home; cuttable: Cuttable | null },
    stack: AsyncDisposableStack,
  ) {
    this.#roles = nodes;
    this.#env = env;
    this.postgres = parts.postgres;
    this.mailHost = parts.mailHost;
    this.home = parts.home;
    this.#cuttable = parts.cuttable;
    this.#parts = stack;
  }

  static async open(options: ClusterOptions): Promise<Cluster> {
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), "tidings-faults-"));
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    const settings = { track_commit_timestamp: "on", ...options.settings };
    const postgres = stack.use(await startPostgres({ folder, settings }));
    const mailHost = stack.use(await MailHost.open());
    mailHost.thinksMs = MAIL_THINKS_MS;
    const home = stack.use(new Home({ TIDINGS_SMTP_URL: smtpUrl("127.0.0.1", mailHost.port) }));
    const { cuttable: asked } = options;
    const way = asked === undefined ? null : await WAYS[asked.by](stack, postgres, mailHost);
    const cuttable = asked === undefined || way === null ? null : { ...way, node: asked.node };
    const cluster = new Cluster(options, { postgres, mailHost, home, cuttable }, stack.move());
    try {
      await Promise.all(Object.keys(options.nodes).map((name) => cluster.start(name)));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Starts a node that does not run; it is a new one to the others. @param main of another version of the program. */
  async start(name: string, main?: string): Promise<Program> {
    const role = this.#roles[name] ?? "all";
    const cuttable = this.#cuttable?.node === name ? this.#cuttable : null;
    const env = { TIDINGS_DATABASE_URL: this.postgres.url, TIDINGS_ROLE: role, ...cuttable?.env, ...this.#env[name] };
    const program = await (cuttable?.home ?? this.home).start(env, main);
    this.#running.set(name, program);
    void program.ended.then(() => {
      if (!this.#wanted.has(program)) this.#gaveUp.push(`${name}: ${program.err.slice(-LAST_WORDS_CHARS)}`);
    });
    return program;
  }

  /** Ends it as a power cut would. */
  async kill(name: string): Promise<void> {
    const program = this.node(name);
    this.#wanted.add(program);
    await program.kill();
  }

  /** Ends it as a supervisor would. */
  async stop(name: string): Promise<Ended> {
    const program = this.node(name);
    this.#wanted.add(program);
    return await program.stop();
  }

  node(name: string): Program {
    const program = this.#running.get(name);
    if (program === undefined) throw new Error(`there is no node ${name}`);
    return program;
  }

  /** What lies between one node and the database. */
  get between(): Pick<Cuttable, "cut" | "mend"> {
    if (this.#cuttable === null) throw new Error("no node can be cut off");
    return this.#cuttable;
  }

  /** Whoever serves doors, also when it does not run just now: a client does not know that. */
  get doors(): readonly Program[] {
    return [...this.#running].flatMap(([name, program]) => (this.#roles[name] === "worker" ? [] : [program]));
  }

  get all(): ReadonlyMap<string, Program> {
    return this.#running;
  }

  /** Nodes that have ended though nobody wanted it, each with its last words. */
  get gaveUp(): readonly string[] {
    return this.#gaveUp;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** How one node reaches the others, so that its way to the database can be cut. */
type Way = {
  /** What it is started with, beyond the rest. */
  readonly env: Env;
  /** Where it is started, if not beside the others. */
  readonly home: Home | null;
  cut(): void | Promise<void>;
  mend(): void | Promise<void>;
};
type Cuttable = Way & { readonly node: string };
type MakeWay = (stack: AsyncDisposableStack, postgres: PostgresServer, mailHost: MailHost) => Promise<Way>;

const WAYS: Readonly<Record<"proxy" | "namespace", MakeWay>> = {
  async proxy(stack, postgres) {
    const wire = stack.use(await Wire.open(targetOf(postgres)));
    const env = { TIDINGS_DATABASE_URL: urlAt(postgres, "127.0.0.1", wire.port) };
    return { env, home: null, cut: () => wire.cut(), mend: () => wire.mend() };
  },
  async namespace(stack, postgres, mailHost) {
    const space = stack.use(await Namespace.open());
    const database = stack.use(await Wire.open(targetOf(postgres), space.database.near));
    const mail = stack.use(await Wire.open({ host: "127.0.0.1", port: mailHost.port }, space.rest.near));
    const env = {
      TIDINGS_DATABASE_URL: urlAt(postgres, space.database.near, database.port),
      TIDINGS_SMTP_URL: smtpUrl(space.rest.near, mail.port),
      HOST: space.rest.far,
    };
    const home = stack.use(new Home({}, space.before));
    return { env, home, cut: () => space.cut(), mend: () => space.mend() };
  },
};

function targetOf({ url }: PostgresServer): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function urlAt({ url }: PostgresServer, host: string, port: number): string {
  const there = new URL(url);
  there.host = `${host}:${port}`;
  return there.href;
}

/** As many at once as keep a node from being the one that is waited for. */
function smtpUrl(host: string, port: number): string {
  return `smtp://${host}:${port}?pool=40`;
}
