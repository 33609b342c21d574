import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Child, scriptFile, start, workFolder } from "../children.ts";
import { Caller } from "../caller.ts";
import { Sink } from "../sink.ts";
import { KEY, Tidings } from "../tidings.ts";
import { type Pair, type Place, Signer } from "./aws.ts";
import type { Kept } from "./doors.ts";
import { queueUrl } from "./doors.ts";
import type { AcceptJob, AcceptResult, LoadJob, SteadyJob, SteadyResult } from "./load.ts";
import type { CycleJob, CycleResult } from "./cycles.ts";

/** Tidings as people run it, with a key pair for AWS' clients. */
export class House implements AsyncDisposable {
  readonly tidings: Tidings;
  readonly place: Place;
  /** It is not ready without a mail server. */
  readonly sink: Sink;
  readonly #dataDir: string;
  readonly #signer: Signer;

  private constructor(tidings: Tidings, sink: Sink, place: Place, dataDir: string) {
    this.tidings = tidings;
    this.sink = sink;
    this.place = place;
    this.#dataDir = dataDir;
    this.#signer = new Signer(place, "sqs");
  }

  static async start(
    options: { readonly nodeArgs?: readonly string[]; readonly dataDir?: string } = {},
  ): Promise<House> {
    const { dataDir = workFolder(), nodeArgs = [] } = options;
    const sink = await Sink.start("usual");
    const tidings = await Tidings.start({ smtpPort: sink.port, dataDir, nodeArgs });
    const { hostname: host, port } = tidings.url;
    const made = await post(tidings.url, "POST", "/admin/keys", { name: "bench", aws: true });
    const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = made as Record<string, string>;
    if (accessKeyId === undefined || secretAccessKey === undefined) throw new Error("no key pair was made");
    const pair: Pair = { accessKeyId, secretAccessKey };
    return new House(tidings, sink, { host, port: Number(port), path: "/aws", pair }, dataDir);
  }

  get pid(): number {
    return this.tidings.pid;
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    return await post(this.tidings.url, method, path, body);
  }

  async createQueue(name: string): Promise<string> {
    await callSqs(this.place, this.#signer, "CreateQueue", { QueueName: name });
    return queueUrl(this.place, name);
  }

  /** Until the matcher has read all that is in the journal. */
  async rulesDone(): Promise<void> {
    for (;;) {
      const { last, consumers } = (await this.call("GET", "/admin/consumers")) as Consumers;
      const matcher = consumers.find(({ consumer }) => consumer === "rules");
      if (matcher !== undefined && matcher.position >= last) return;
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
  }

  /** How many lie on the disk: only when it has ended. */
  kept(kept: Kept): number {
    using db = new DatabaseSync(join(this.#dataDir, "tidings.db"), { readOnly: true });
    const [sql, value] =
      kept.as === "request"
        ? ["SELECT count(*) AS n FROM requests", null]
        : kept.as === "event"
          ? ["SELECT count(*) AS n FROM events WHERE source = ?", kept.source]
          : ["SELECT count(*) AS n FROM jobs WHERE queue LIKE ?", `queue:${kept.queue}/%`];
    const row = value === null ? db.prepare(sql ?? "").get() : db.prepare(sql ?? "").get(value);
    return Number(row?.["n"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tidings[Symbol.asyncDispose]();
    await this.sink[Symbol.asyncDispose]();
  }
}

/** Between two looks at how far the matcher is. */
const LOOK_MS = 5;

type Consumers = {
  readonly last: number;
  readonly consumers: readonly { readonly consumer: string; readonly position: number }[];
};

/** One call of the JSON protocol, on a connection of its own. */
export async function callSqs(place: Place, signer: Signer, action: string, input: object): Promise<string> {
  return await once(place, signer.json(action, JSON.stringify(input)));
}

export async function once(place: Place, request: string): Promise<string> {
  const caller = await Caller.open(place.port, place.host);
  try {
    const { status, body } = await caller.call(request);
    if (status !== 200) throw new Error(`${status} ${body.slice(0, 300)}`);
    return body;
  } finally {
    caller.close();
  }
}

async function post(url: URL, method: string, path: string, body?: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const answer = await fetch(new URL(path, url), {
    method,
    headers: body === undefined ? { authorization: headers.authorization } : headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** The load process of this benchmark. */
export class Load implements AsyncDisposable {
  readonly #child: Child = start([scriptFile("doors/load.ts")], { errorFile: join(workFolder(), "stderr.log") });

  async accept(job: AcceptJob): Promise<AcceptResult> {
    return (await this.#run({ kind: "accept", ...job })) as AcceptResult;
  }

  async cycles(job: CycleJob): Promise<CycleResult> {
    return (await this.#run({ kind: "cycles", ...job })) as CycleResult;
  }

  async steady(job: SteadyJob): Promise<SteadyResult> {
    return (await this.#run({ kind: "steady", ...job })) as SteadyResult;
  }

  #run(job: LoadJob): Promise<unknown> {
    return this.#child.ask(JSON.stringify(job));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }
}
