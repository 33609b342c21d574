import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { openSqliteStore, type SqliteLayout } from "../../server/src/drivers/sqlite/open.ts";
import type { MessageId, RequestId } from "../../server/src/domain/ids.ts";
import type { Clock } from "../../server/src/ports/clock.ts";
import type { Store, Unit } from "../../server/src/ports/store.ts";

/**
 * `node bench/src/store.ts [folder]`: what the SQLite driver costs, in both thread layouts. The life of a message is two
 * units: its request of 500 B with the birth, a job in hand and an event; then the job done, a patch and three events.
 */
const BATCHES = [1, 10, 100, 1000];
/** Long enough to meet several checkpoints of the log, short enough to be run often. */
const RUN_MS = 2_000;

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

const BODY = JSON.stringify({
  message: {
    to: { user_id: "user-000001" },
    content: { title: "Hello {{name}}", body: "x".repeat(330) },
    data: { name: "Ada", order: 12_345, total: "19.90" },
  },
});

let count = 0;

type Life = { readonly accept: Unit; readonly result: Unit };

function life(nowMs: number): Life {
  count += 1;
  const id = `1-${Math.floor(nowMs / 1000).toString(16)}-${count.toString(16).padStart(24, "0")}`;
  // Ids are made here and nowhere read as such.
  const [requestId, messageId] = [id as RequestId, id as string as MessageId];
  const key = `deliver:${id}`;
  const recipient = `user-${count % 50_000}`;
  const event = (type: string) => ({
    type,
    subject: id,
    timeMs: nowMs,
    data: `{"recipient":"${recipient}"}`,
    traceparent: null,
  });
  return {
    accept: {
      requests: [
        { id: requestId, body: BODY, acceptedMs: nowMs, lane: "transactional", traceparent: null, archivedMs: null },
      ],
      messages: [
        {
          message: {
            id: messageId,
            requestId,
            toIndex: 0,
            recipient,
            userId: recipient,
            listId: null,
            event: "welcome",
            notification: "welcome",
            traceId: null,
            tags: [],
            status: "ENQUEUED",
            enqueuedMs: nowMs,
          },
          job: {
            key,
            queue: "deliver",
            lane: "transactional",
            turn: count,
            dueMs: nowMs,
            payload: '{"step":"route"}',
            traceparent: null,
            heldForMs: 30_000,
          },
          events: [event("message.accepted")],
        },
      ],
    },
    result: {
      job: { ref: { key, fence: 1 }, end: { kind: "done" } },
      patches: [{ id: messageId, status: "SENT", channel: "email", provider: "smtp", sentMs: nowMs }],
      events: [event("message.routed"), event("message.rendered"), event("message.sent")],
    },
  };
}

type Measure = { perS: number; p50: number; p99: number; mainUs: number; rssMb: number };

/** Two commits are under way at a time, as when accepts and results gather while the store is busy. */
async function measure(store: Store, batch: number): Promise<Measure> {
  const commitMs: number[] = [];
  let lives = 0;
  const commit = async (units: readonly Unit[]): Promise<void> => {
    const startMs = performance.now();
    await store.commit(units);
    commitMs.push(performance.now() - startMs);
  };
  const flow = async (untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      const batchOfLives = Array.from({ length: batch }, () => life(Date.now()));
      await commit(batchOfLives.map((one) => one.accept));
      await commit(batchOfLives.map((one) => one.result));
      lives += batch;
    }
  };
  await flow(performance.now() + 200);
  commitMs.length = 0;
  lives = 0;
  const startMs = performance.now();
  const startCpu = process.threadCpuUsage();
  await Promise.all([flow(startMs + RUN_MS), flow(startMs + RUN_MS)]);
  const cpu = process.threadCpuUsage(startCpu);
  const seconds = (performance.now() - startMs) / 1000;
  commitMs.sort((a, b) => a - b);
  return {
    perS: lives / seconds,
    p50: commitMs[Math.floor(commitMs.length * 0.5)] ?? 0,
    p99: commitMs[Math.floor(commitMs.length * 0.99)] ?? 0,
    mainUs: (cpu.user + cpu.system) / lives,
    rssMb: process.memoryUsage.rss() / 1024 / 1024,
  };
}

async function run(layout: SqliteLayout, parent: string): Promise<void> {
  const folder = mkdtempSync(join(parent, "tidings-bench-"));
  await using parts = new AsyncDisposableStack();
  parts.defer(() => rmSync(folder, { recursive: true }));
  const store = parts.use(await openSqliteStore({ path: join(folder, "bench.db"), clock, layout }));
  const idleMb = process.memoryUsage.rss() / 1024 / 1024;
  for (const batch of BATCHES) {
    const { perS, p50, p99, mainUs, rssMb } = await measure(store, batch);
    const numbers = [batch, Math.round(perS), Math.round(perS * 2), p50.toFixed(2), p99.toFixed(1), mainUs.toFixed(1)];
    console.log(`| ${[layout, ...numbers, rssMb.toFixed(0), idleMb.toFixed(0)].join(" | ")} |`);
  }
}

const [, self = "", parent = tmpdir(), only] = process.argv;
enableCompileCache(join(tmpdir(), "tidings-bench-cache"));
if (only === "inline" || only === "worker") await run(only, parent);
else {
  console.log(
    "| layout | batch | lives/s | units/s | commit p50 ms | p99 ms | calling thread µs/life | RSS MB | idle MB |",
  );
  console.log("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
  // A process each, so that neither sits on the other's memory.
  for (const layout of ["inline", "worker"]) spawnSync(process.execPath, [self, parent, layout], { stdio: "inherit" });
}
