import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { until } from "../support/until.ts";
import type { Scenario, Stage } from "./stage.ts";

const NODES = { api: "api", all: "all", worker: "worker" } as const;
const LIFE_MS = { min: 2_000, max: 5_000 };
/** How often the database is killed. */
const KILLS = { quick: 1, full: 3 };
/** How long it is away: longer than any lease, so that everything that was in hand is up for grabs when it is back. */
const AWAY_MS = { quick: 3_000, full: 60_000 };
/** How long nobody gets a connection: past the leases. */
const FULL_MS = { quick: 3_000, full: 40_000 };
/** How often whoever came back meanwhile loses its connection. */
const HOLD_EVERY_MS = 100;

export const killDatabase: Scenario = {
  name: "kill-database",
  says: "Postgres is killed with SIGKILL, the postmaster and all its children, and started on the same data: it recovers from its log.",
  cluster: { nodes: NODES },
  callMsMax: 12_000,
  async run(stage) {
    for (let kill = 0; kill < KILLS[stage.pace]; kill += 1) {
      await wait(stage.between(LIFE_MS.min, LIFE_MS.max));
      await stage.trouble(async () => {
        await stage.cluster.postgres.kill();
        await stage.cluster.postgres.up();
      });
    }
    await goesOn(stage);
  },
};

export const databaseAway: Scenario = {
  name: "database-away",
  says: "Postgres is stopped as an operator stops it, for a minute, and started again.",
  cluster: { nodes: NODES },
  callMsMax: 12_000,
  async run(stage) {
    await wait(LIFE_MS.min);
    await stage.trouble(async () => {
      await stage.cluster.postgres.down();
      await refusesMeanwhile(stage, AWAY_MS[stage.pace]);
      await stage.cluster.postgres.up();
    });
    await goesOn(stage);
  },
};

export const noConnections: Scenario = {
  name: "no-connections",
  says: "Somebody else takes every connection that Postgres allows, also those of the nodes, which are cut. A node that starts meanwhile ends with a sentence.",
  cluster: { nodes: NODES, settings: { max_connections: "60" } },
  callMsMax: 12_000,
  async run(stage) {
    await wait(LIFE_MS.min);
    await stage.trouble(async () => {
      await using hog = new Hog(stage.cluster.postgres.url);
      stage.notes["connections taken"] = await hog.takeAll();
      const refusal = await stage.cluster.home.start({ TIDINGS_DATABASE_URL: stage.cluster.postgres.url }).then(
        () => "it started",
        (error: unknown) => String(error),
      );
      stage.expect(
        /too many clients|connection slots|terminating connection/.test(refusal),
        `a node that started meanwhile: ${refusal}`,
      );
      await refusesMeanwhile(stage, FULL_MS[stage.pace]);
    });
    await goesOn(stage);
  },
};

/** For so long; doors must have refused with 503, `/ready` must say so and `/health` must not. */
async function refusesMeanwhile(stage: Stage, awayMs: number): Promise<void> {
  const fromMs = performance.now();
  await wait(awayMs * 0.8);
  const door = stage.cluster.node("api");
  const [ready, health] = await Promise.all(
    ["/ready", "/health"].map(async (path) => (await door.call("GET", path)).status),
  );
  stage.expect(ready === 503, `/ready said ${ready} while the database was away`);
  stage.expect(health === 200, `/health said ${health} while the database was away`);
  await wait(Math.max(0, awayMs - (performance.now() - fromMs)));
  const answers = stage.load.calls.filter(({ startMs }) => startMs > fromMs);
  const refused = answers.filter(({ answer }) => answer === 503).length;
  stage.expect(refused > 0, "no call was refused with 503 while the database was away");
  const others = answers.filter(({ answer }) => answer !== 503);
  const said = [...new Set(others.map(({ answer }) => answer))].join(", ");
  stage.expect(
    others.length === 0,
    `${others.length} calls were not refused while the database was away, but: ${said}`,
  );
}

/** The same processes go on by themselves; one that ended is a fault, whoever might have started it again. */
export async function goesOn(stage: Stage, forMs = 2_500): Promise<void> {
  const atMs = performance.now();
  const isAccepted = (): boolean => stage.load.calls.some(({ answer, startMs }) => answer === 202 && startMs > atMs);
  await until("a send is accepted again", isAccepted, 60_000);
  await wait(forMs);
}

/** Takes every connection that there is, also those of others, and holds them, whoever tries to come back. */
class Hog implements AsyncDisposable {
  readonly #url: string;
  readonly #clients: pg.Client[] = [];
  #holding: Promise<void> = Promise.resolve();
  #letsGo = false;

  constructor(url: string) {
    this.#url = url;
  }

  /** @returns how many it has when nobody else has one. */
  async takeAll(): Promise<number> {
    await this.#takeFree();
    while ((await this.#endOthers()) > 0) await this.#takeFree();
    this.#holding = this.#hold();
    return this.#clients.length;
  }

  /** What was just being freed is somebody's a moment later. */
  async #hold(): Promise<void> {
    while (!this.#letsGo) {
      await this.#takeFree();
      await this.#endOthers();
      await wait(HOLD_EVERY_MS);
    }
  }

  async #endOthers(): Promise<number> {
    const { rows } = (await this.#clients[0]?.query<{ count: number }>(
      `SELECT count(pg_terminate_backend(pid))::int AS count FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND application_name <> 'hog'`,
    )) ?? { rows: [] };
    return rows[0]?.count ?? 0;
  }

  async #takeFree(): Promise<void> {
    for (;;) {
      const client = new pg.Client({ connectionString: this.#url, application_name: "hog" });
      client.on("error", () => {});
      try {
        await client.connect();
      } catch {
        return;
      }
      this.#clients.push(client);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#letsGo = true;
    await this.#holding;
    await Promise.all(this.#clients.map((client) => client.end().catch(() => {})));
  }
}
