import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Caller } from "../caller.ts";
import { sleep, workFolder } from "../children.ts";
import { type Spread, spread, steadyMs } from "../measure.ts";
import { startRedis } from "../rivals/redis.ts";
import { msOf } from "../terminal.ts";
import { KEY } from "../tidings.ts";
import { Producer, startWorker } from "./bullmq.ts";
import type { Timed } from "./lag-handler.ts";
import { fileOf, houseOf, makeProject } from "./projects.ts";
import { SYNCS } from "./rates.ts";

/** From just before an event is sent to the first line of the handler. */
export type Lag = {
  readonly key: string;
  readonly name: string;
  readonly ms: Spread;
  readonly lost: number;
  readonly twice: number;
};

export const OUR_LAG = "tidings";
const TYPE = "lag.order";
/** Of whichever: at low load there is one in hand. */
const CONCURRENCY = 10;
/** Events before those that count. */
const WARM_UP = 40;
/** How long the last event may take. */
const LAST_MS = 1_000;

type Way = {
  readonly key: string;
  readonly name: string;
  /** Where its handler notes what came. */
  readonly file: string;
  /** Resolves when the event is kept. */
  readonly send: (event: Timed) => Promise<void>;
};

/** All run at once and rest while it is another's turn. */
export async function measureLags(
  { perSecond, forS, rounds }: { readonly perSecond: number; readonly forS: number; readonly rounds: number },
  say: (line: string) => void,
): Promise<readonly Lag[]> {
  await using parts = new AsyncDisposableStack();
  const ways = [await tidingsWay(parts), ...(await bullmqWays(parts))];
  const sent = new Map(ways.map(({ key }) => [key, 0]));
  for (let round = 0; round <= rounds; round++) {
    for (const { key, send } of ways) {
      const count = round === 0 ? WARM_UP : Math.ceil((perSecond * forS) / rounds);
      const from = sent.get(key) ?? 0;
      sent.set(key, from + count);
      const startMs = steadyMs();
      for (let n = 0; n < count; n++) {
        await sleep(Math.max(0, startMs + (n * 1_000) / perSecond - steadyMs()));
        await send({ index: from + n, sentMs: steadyMs() });
      }
    }
  }
  await sleep(LAST_MS);
  return ways.map((way) => {
    const lag = lagOf(way, sent.get(way.key) ?? 0);
    say(`${lag.name}: ${msOf(lag.ms)} · lost ${lag.lost}, twice ${lag.twice}`);
    return lag;
  });
}

async function tidingsWay(parts: AsyncDisposableStack): Promise<Way> {
  const file = notesFile();
  const project = makeProject({ lag: fileOf("lag-function.ts", "lagFunction", { type: TYPE }) }, { file });
  const house = parts.use(await houseOf(project));
  const { host, port } = house.place;
  const caller = await Caller.open(port, host);
  parts.defer(() => caller.close());
  const send = async (event: Timed): Promise<void> => {
    const body = JSON.stringify(event);
    const head = [
      `POST /events/${TYPE} HTTP/1.1`,
      ...[`host: ${host}:${port}`, `authorization: Bearer ${KEY}`, "content-type: application/json"],
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    const answer = await caller.call(`${head.join("\r\n")}\r\n\r\n${body}`);
    if (answer.status !== 202) throw new Error(`POST /events: ${answer.status} ${answer.body}`);
  };
  return { key: OUR_LAG, name: "Tidings: `POST /events/TYPE` → event function", file, send };
}

async function bullmqWays(parts: AsyncDisposableStack): Promise<readonly Way[]> {
  const ways: Way[] = [];
  for (const sync of SYNCS) {
    const file = notesFile();
    const redis = parts.use(await startRedis(sync));
    const worker = await startWorker({ kind: "lag", socket: redis.socket, concurrency: CONCURRENCY, file });
    parts.defer(() => worker.end());
    const producer = parts.use(new Producer(redis.socket));
    const name = `BullMQ: \`queue.add\` → worker, appendfsync ${sync}`;
    ways.push({ key: `bullmq-${sync}`, name, file, send: (event) => producer.add(event) });
  }
  return ways;
}

function notesFile(): string {
  const file = join(workFolder(), "lags");
  writeFileSync(file, "");
  return file;
}

/** Of the events behind the warm-up. */
function lagOf({ key, name, file }: Way, sent: number): Lag {
  const notes = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .filter((line) => line !== "");
  const byIndex = Map.groupBy(
    notes.map((line) => line.split(" ").map(Number)),
    ([index]) => index ?? Number.NaN,
  );
  const firsts = [...byIndex].filter(([index]) => index >= WARM_UP).flatMap(([, [first]]) => first?.[1] ?? []);
  return { key, name, ms: spread(firsts), lost: sent - byIndex.size, twice: notes.length - byIndex.size };
}
