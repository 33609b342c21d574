import { statfsSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import pg from "pg";
import { openPostgresStore } from "../../../server/src/drivers/postgres/open.ts";
import { systemClock } from "../../../server/src/drivers/system/clock.ts";
import type { Clock } from "../../../server/src/ports/clock.ts";
import type { Store } from "../../../server/src/ports/store.ts";
import { ROOT, sleep } from "../children.ts";
import { type Spread, spread } from "../measure.ts";
import { fill, type Sizes } from "./fill.ts";
import { doneOf, idOf, jobOf, lifeOf, QUEUE } from "./lives.ts";
import { plansOf } from "./plans.ts";
import { Server } from "./server.ts";

export type FullStore = {
  readonly size: Sizes & { readonly messages: number };
  readonly tookMs: number;
  readonly diskMib: number;
  readonly times: readonly Times[];
  readonly plans: readonly { readonly what: string; readonly steps: readonly string[] }[];
  /** Tables of many rows that a statement has read from end to end meanwhile. */
  readonly scanned: readonly string[];
};

/** Not judged: what counts rows, up to a budget that a nearly empty store does not reach. */
export type Times = {
  readonly what: string;
  readonly empty: Spread;
  readonly full: Spread;
  readonly isJudged: boolean;
};

const FULL = "store_full";
/** Rows of a batch: about what a commit has under load. */
const BATCH = 64;
const PAGE = 50;
const CYCLES = 300;
/** Cycles before any counts: code is compiled, statements are planned, and a page has its rows on both sides. */
const WARM_UP_CYCLES = 20;
const LEASE_MS = 30_000;
/** How long jobs wait until they are woken: longer than the commit that makes them. */
const DUE_MS = 50;
const WAKING = `waking of ${BATCH} due jobs`;
/** A kept event costs some 700 bytes with its share of messages, requests and jobs; and the log may be full. */
const BYTES_OF_EVENT = 1_000;
const LOG_BYTES = 3 * 2 ** 30;
/** Of fewer rows, reading all is as good as an index. */
const MANY_ROWS = 10_000;
/** The server counts what connections did when they have ended, or a second later. */
const COUNTED_MS = 1_500;

/** The same calls to an empty and a full store, in turn, by the driver itself. */
export async function fullStore(
  sizes: Sizes,
  folder: string | undefined,
  say: (line: string) => void,
): Promise<FullStore> {
  const { bavail, bsize } = statfsSync(folder ?? ROOT);
  const neededBytes = sizes.events * BYTES_OF_EVENT + LOG_BYTES;
  if (bavail * bsize < neededBytes)
    throw new Error(`needs ${gib(neededBytes)} GiB of disk, and there are ${gib(bavail * bsize)}`);
  await using server = await Server.start(folder);
  await using database = await server.fresh();
  const clock = systemClock();
  await using stores = new AsyncDisposableStack();
  const opened = async (schema: string): Promise<Store> =>
    stores.use(await openPostgresStore({ url: database.url, clock, schema }));
  const [empty, full] = [await opened("store_empty"), await opened(FULL)];
  const startMs = performance.now();
  say(`filling a store with ${sizes.events} events and ${sizes.waiting} waiting jobs, which takes minutes`);
  const messages = await fill(full, database.url, FULL, sizes, clock.nowMs());
  const tookMs = performance.now() - startMs;
  await sleep(COUNTED_MS);
  const diskMib = await oneOf(
    database.url,
    "SELECT pg_database_size(current_database())::float8 / 1048576 AS n, pg_stat_reset()",
  );
  say(`filled in ${(tookMs / 1000).toFixed(0)} s, ${(diskMib / 1024).toFixed(1)} GiB`);
  const size = { ...sizes, messages };

  const [ofEmpty, ofFull] = [new Rounds(empty, clock), new Rounds(full, clock)];
  for (let cycle = 0; cycle < WARM_UP_CYCLES; cycle += 1) for (const rounds of [ofEmpty, ofFull]) await rounds.run();
  for (const rounds of [ofEmpty, ofFull]) rounds.forget();
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    // Each is first as often as second.
    for (const rounds of cycle % 2 === 0 ? [ofEmpty, ofFull] : [ofFull, ofEmpty]) await rounds.run();
  }
  const times = [...ofEmpty.took].map(([what, took]) => ({
    what,
    empty: spread(took),
    full: spread(ofFull.took.get(what) ?? []),
    isJudged: !what.startsWith("depths"),
  }));
  for (const { what, empty: a, full: b } of times) say(`${what}: ${a.p50.toFixed(2)} and ${b.p50.toFixed(2)} ms`);
  await stores.disposeAsync();
  await sleep(COUNTED_MS);
  const plans = await plansOf(database.url, FULL);
  const scanned = await scannedIn(database.url);
  return { size, tookMs, diskMib, times, plans, scanned };
}

/** Calls that the program makes all the time, each timed, on one store. */
class Rounds {
  readonly #store: Store;
  readonly #clock: Clock;
  #position = -1;
  #cycle = 0;
  readonly took = new Map<string, number[]>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  forget(): void {
    this.took.clear();
  }

  async run(): Promise<void> {
    this.#cycle += 1;
    await this.#lives();
    await this.#work();
  }

  async #lives(): Promise<void> {
    const store = this.#store;
    const nowMs = this.#clock.nowMs();
    if (this.#position < 0) this.#position = (await store.journalBounds()).last;
    const recipient = `cycle-${this.#cycle}`;
    const lives = Array.from({ length: BATCH }, () =>
      lifeOf(idOf(nowMs, randomBytes(12).toString("hex")), recipient, nowMs),
    );
    await this.#time(`commit of ${BATCH} accepts`, () => store.commit(lives.map(({ accept }) => accept)));
    await this.#time(`commit of ${BATCH} results`, () => store.commit(lives.map(({ result }) => result)));
    const page = await this.#time(`journal: the newest ${4 * BATCH} events`, () =>
      store.readJournal({ after: this.#position, limit: 4 * BATCH }),
    );
    this.#position = page.upTo;
    await this.#time(`journal: the oldest ${4 * BATCH} events`, () =>
      store.readJournal({ after: 0, limit: 4 * BATCH }),
    );
    const [first] = lives;
    if (first === undefined) throw new Error("broken invariant: a batch is not empty");
    const history = await this.#time("history of a message", () => store.eventsOf(first.id, PAGE));
    if (history.length !== 4) throw new Error(`a message has 4 events, not ${history.length}`);
    const newest = await this.#time(`the newest ${PAGE} messages`, () =>
      store.listMessages({}, { after: null, limit: PAGE }),
    );
    const own = await this.#time(`${PAGE} messages of a recipient`, () =>
      store.listMessages({ recipient }, { after: null, limit: PAGE }),
    );
    if (newest.messages.length !== PAGE || own.messages.length !== PAGE) throw new Error("a page is full");
    await this.#time("bounds of the journal", () => store.journalBounds());
    await this.#time("depths of the queues (counts 20,000 jobs, then estimates)", () => store.depths());
  }

  async #work(): Promise<void> {
    const store = this.#store;
    const ask = [{ queue: QUEUE, lane: "transactional", limit: BATCH }] as const;
    const enqueue = async (dueMs: number): Promise<void> => {
      const jobs = Array.from({ length: BATCH }, () => jobOf(randomBytes(12).toString("hex"), dueMs));
      await store.commit(jobs.map((job) => ({ jobs: [job] })));
    };
    const finish = async (): Promise<void> => {
      const claimed = await this.#time(`claim of ${BATCH} ready jobs`, () => store.claim(ask, LEASE_MS));
      if (claimed.length !== BATCH) throw new Error(`claimed ${claimed.length} of ${BATCH}`);
      await this.#time(`commit that ends ${BATCH} jobs`, () => store.commit(claimed.map(doneOf)));
    };
    await enqueue(this.#clock.nowMs());
    await finish();
    await this.#time("look for due jobs, none", () => store.wakeDue(1_000));
    const dueMs = this.#clock.nowMs() + DUE_MS;
    await enqueue(dueMs);
    while (this.#clock.nowMs() <= dueMs) await sleep(2);
    const { woken } = await this.#time(WAKING, () => store.wakeDue(1_000));
    // A commit that took longer than that found them due, and there was nothing to wake.
    if (woken !== BATCH) this.took.get(WAKING)?.pop();
    await finish();
  }

  async #time<T>(what: string, run: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const answer = await run();
    const took = this.took.get(what);
    if (took === undefined) this.took.set(what, [performance.now() - startMs]);
    else took.push(performance.now() - startMs);
    return answer;
  }
}

async function scannedIn(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ readonly relname: string }>(
      `SELECT s.relname FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
       WHERE s.schemaname = $1 AND s.seq_scan > 0 AND c.reltuples > $2`,
      [FULL, MANY_ROWS],
    );
    return rows.map(({ relname }) => relname);
  } finally {
    await client.end();
  }
}

async function oneOf(url: string, sql: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<{ readonly n: number }>(sql)).rows[0]?.n ?? Number.NaN;
  } finally {
    await client.end();
  }
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}
