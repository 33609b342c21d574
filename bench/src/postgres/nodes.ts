import type { LoadJob } from "../load.ts";
import type { System } from "../system.ts";
import { Tidings } from "../tidings.ts";

/** How the work is shared out: one node for everything, or one that accepts and others that send. */
export type Layout = { readonly door: "all" | "api"; readonly workers: number };

/** The nodes of one installation. The first one is called; all of them share one database. */
export class Nodes implements System, AsyncDisposable {
  readonly databasePid: number;
  readonly #nodes: readonly Tidings[];
  readonly #parts: AsyncDisposable;

  private constructor(nodes: readonly Tidings[], databasePid: number, parts: AsyncDisposable) {
    this.#nodes = nodes;
    this.databasePid = databasePid;
    this.#parts = parts;
  }

  static async start(
    { door, workers }: Layout,
    database: { readonly url: string; readonly pid: number },
    smtpPort: number,
    nodeArgs: readonly string[] = [],
  ): Promise<Nodes> {
    await using parts = new AsyncDisposableStack();
    const nodes: Tidings[] = [];
    for (const role of [door, ...Array.from({ length: workers }, () => "worker")]) {
      const env = { TIDINGS_DATABASE_URL: database.url, TIDINGS_ROLE: role };
      nodes.push(parts.use(await Tidings.start({ smtpPort, env, nodeArgs })));
    }
    return new Nodes(nodes, database.pid, parts.move());
  }

  get pids(): readonly number[] {
    return this.#nodes.map(({ pid }) => pid);
  }

  get pid(): number {
    return this.#door.pid;
  }

  job(burst: string, sends: number, rest: Partial<LoadJob>): LoadJob {
    return this.#door.job(burst, sends, rest);
  }

  settled(): Promise<void> {
    return this.#door.settled();
  }

  statuses(): Promise<Readonly<Record<string, number>>> {
    return this.#door.statuses();
  }

  /** What each node says of itself at `/metrics`. */
  metrics(): Promise<readonly string[]> {
    return Promise.all(this.#nodes.map((node) => node.metrics()));
  }

  get #door(): Tidings {
    const [door] = this.#nodes;
    if (door === undefined) throw new Error("broken invariant: an installation has a door");
    return door;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts[Symbol.asyncDispose]();
  }
}
