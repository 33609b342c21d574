import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Child, ROOT, sleep, start, workFolder } from "./children.ts";
import type { LoadJob } from "./load.ts";
import { type Memory, memoryOf, steadyMs } from "./measure.ts";
import { Sink, type SinkOffer } from "./sink.ts";
import {
  type Accepts,
  acceptsAlone,
  acceptsAt,
  burstOf,
  CONNECTIONS,
  type Lone,
  loneSends,
  startLoad,
  type System,
  type Turn,
} from "./system.ts";

export const KEY = "tk_bench_0123456789abcdef";
/** What `npm start` hands to Node, so that this measures what people run. */
const START_ARGS = startArgs();
/** A start that takes longer than this has failed. */
const READY_MS_MAX = 30_000;
/** Between two looks whether the queues are empty: each is one small query. */
const LOOK_MS = 10;
const SETTLED_MS_MAX = 60_000;
const PAGE_ITEMS = 100;
/** How long nothing happens before memory at rest is read: the start's garbage is gone, the caches are not. */
const REST_MS = 3_000;
const AN_HOUR_MS = 3_600_000;

export type TidingsOptions = {
  readonly smtpPort: number;
  readonly client?: "own" | "nodemailer";
  /** Node's own arguments. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
};

/** The real program, as `npm start` runs it, on a folder and a port of its own. */
export class Tidings implements System, AsyncDisposable {
  /** Its database is in its own process. */
  readonly databasePid = null;
  readonly child: Child;
  readonly url: URL;
  /** From spawn to the first 200 of `/ready`. */
  readonly readyMs: number;

  private constructor(child: Child, url: URL, readyMs: number) {
    this.child = child;
    this.url = url;
    this.readyMs = readyMs;
  }

  static async start(options: TidingsOptions): Promise<Tidings> {
    const dataDir = options.dataDir ?? workFolder();
    const startMs = steadyMs();
    const child = start([...(options.nodeArgs ?? []), ...START_ARGS, "--json"], {
      errorFile: join(dataDir, "stderr.log"),
      env: {
        PORT: "0",
        HOST: "127.0.0.1",
        TIDINGS_API_KEY: KEY,
        TIDINGS_DATA_DIR: dataDir,
        TIDINGS_SMTP_URL: `smtp://127.0.0.1:${options.smtpPort}`,
        TIDINGS_SMTP_CLIENT: options.client ?? "own",
        ...options.env,
      },
    });
    const { url } = (await child.hear(READY_MS_MAX)) as { url: string };
    while (!(await isReady(url))) {
      if (steadyMs() - startMs > READY_MS_MAX) throw new Error(`not ready after ${READY_MS_MAX} ms`);
      await sleep(1);
    }
    return new Tidings(child, new URL(url), steadyMs() - startMs);
  }

  get pid(): number {
    return this.child.pid;
  }

  job(burst: string, sends: number, rest: Partial<LoadJob>): LoadJob {
    const { hostname: host, port } = this.url;
    return {
      host,
      port: Number(port),
      path: "/send",
      key: KEY,
      burst,
      sends,
      connections: CONNECTIONS,
      gapMs: 0,
      ...rest,
    };
  }

  /** Until no queue holds a job: whatever was accepted has its outcome in the log. */
  async settled(): Promise<void> {
    const startMs = steadyMs();
    for (;;) {
      const { queues } = (await this.#get("/admin/queues")) as { queues: readonly QueueDepth[] };
      if (queues.every(({ waiting, ready, held }) => waiting + ready + held === 0)) return;
      if (steadyMs() - startMs > SETTLED_MS_MAX) throw new Error(`queues do not empty: ${JSON.stringify(queues)}`);
      await sleep(LOOK_MS);
    }
  }

  /** How many messages the log has in each status, as the API tells it. */
  async statuses(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    let cursor: string | undefined;
    do {
      const page = (await this.#get(
        `/messages?limit=${PAGE_ITEMS}${cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
      )) as MessagePage;
      for (const { status } of page.results) counts[status] = (counts[status] ?? 0) + 1;
      cursor = page.paging.more ? page.paging.cursor : undefined;
    } while (cursor !== undefined);
    return counts;
  }

  /** What `GET /metrics` says. */
  async metrics(): Promise<string> {
    return (await this.#call("GET", "/metrics")).text();
  }

  /** The list and its people, as many as one call may bring; `persons` are rows of a table. */
  async importRows(listId: string, persons: readonly unknown[]): Promise<void> {
    const answer = await this.#call("POST", `/lists/${listId}/import`, { rows: persons });
    const { imported, errors } = (await answer.json()) as { imported: number; errors: readonly unknown[] };
    if (imported !== persons.length) throw new Error(`only ${imported} were imported: ${JSON.stringify(errors[0])}`);
  }

  /** One `POST /send`; the request's id. */
  async send(message: unknown): Promise<string> {
    const answer = await this.#call("POST", "/send", { message });
    return ((await answer.json()) as { requestId: string }).requestId;
  }

  /** How many jobs are in each state, over all queues and lanes. */
  async jobs(): Promise<{ readonly waiting: number; readonly ready: number; readonly held: number }> {
    const { queues } = (await this.#get("/admin/queues")) as { queues: readonly QueueDepth[] };
    const sum = (pick: (depth: QueueDepth) => number): number => queues.reduce((total, one) => total + pick(one), 0);
    return { waiting: sum(({ waiting }) => waiting), ready: sum(({ ready }) => ready), held: sum(({ held }) => held) };
  }

  async #get(path: string): Promise<unknown> {
    return (await this.#call("GET", path)).json();
  }

  async #call(method: string, path: string, body?: unknown): Promise<Response> {
    const answer = await fetch(new URL(path, this.url), {
      method,
      headers: {
        authorization: `Bearer ${KEY}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.end();
  }
}

function startArgs(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: { start: string } };
  const [node, ...args] = scripts.start.split(" ");
  if (node !== "node") throw new Error(`npm start is expected to run node, not ${scripts.start}`);
  return args;
}

type QueueDepth = { readonly waiting: number; readonly ready: number; readonly held: number };
type MessagePage = {
  readonly results: readonly { readonly status: string }[];
  readonly paging: { readonly more: boolean; readonly cursor?: string };
};

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(new URL("/ready", url))).status === 200;
  } catch {
    return false;
  }
}

/** One burst against a fresh server that has been warmed up, and then lone sends and half the load, if asked for. */
export async function burstOfTidings(
  options: {
    readonly client: "own" | "nodemailer";
    readonly offer: SinkOffer;
    readonly lone: boolean;
  } & Partial<TidingsOptions>,
  warmUp: number,
  sends: number,
): Promise<Turn> {
  await using sink = await Sink.start(options.offer);
  await using tidings = await Tidings.start({ ...options, smtpPort: sink.port });
  await using load = startLoad();
  const burst = await burstOf(tidings, sink, load, warmUp, sends);
  const statuses = await tidings.statuses();
  if (!options.lone) return { burst, lone: null, halfLoad: null, restAfterMib: null, statuses };
  const lone = await loneSends(tidings, sink, load);
  await sleep(REST_MS);
  const restAfterMib = memoryOf(tidings.pid)?.nowMib ?? null;
  const halfLoad = await acceptsAt(tidings, load, burst.perSecond / 2, Math.ceil(sends / 2));
  return { burst, lone, halfLoad, restAfterMib, statuses };
}

/** Accepts of sends that are to go in an hour: durable as any other, and nothing is delivered. */
export async function acceptsOfTidings(warmUp: number, sends: number): Promise<Accepts> {
  await using sink = await Sink.start("usual");
  await using tidings = await Tidings.start({ smtpPort: sink.port });
  await using load = startLoad();
  return await acceptsAlone(tidings, load, warmUp, sends, { delayMs: AN_HOUR_MS });
}

export type AtRest = {
  /** The code cache empty, the folder new: the very first start after an upgrade. */
  readonly firstReadyMs: number;
  readonly readyMs: readonly number[];
  readonly rest: Memory | null;
  readonly lone: Lone;
};

/** Starts, memory at rest, and lone sends to a server that has only just begun. */
export async function tidingsAtRest(starts: number): Promise<AtRest> {
  await using sink = await Sink.start("usual");
  const options: TidingsOptions = {
    smtpPort: sink.port,
    dataDir: workFolder(),
    // Where `enableCompileCache` keeps what it compiled: empty at the first start, filled at the others.
    env: { TMPDIR: workFolder() },
  };
  const readyMs: number[] = [];
  for (let i = 0; i < starts; i++) {
    await using tidings = await Tidings.start(options);
    readyMs.push(tidings.readyMs);
  }
  await using tidings = await Tidings.start(options);
  await sleep(REST_MS);
  const rest = memoryOf(tidings.pid);
  await using load = startLoad();
  const [firstReadyMs = Number.NaN, ...others] = readyMs;
  return { firstReadyMs, readyMs: [...others, tidings.readyMs], rest, lone: await loneSends(tidings, sink, load) };
}
