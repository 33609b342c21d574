import assert from "node:assert/strict";
import { test } from "node:test";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { openRegistry, SERIES_MAX } from "#observers/metrics/registry.ts";
import { gaugeProcess } from "#observers/metrics/process-gauges.ts";
import { gaugeStore } from "#observers/metrics/store-gauges.ts";
import { NAMES_MAX, OTHERS } from "#ports/meter.ts";
import { StoreFault } from "#ports/store.ts";

test("counters, histograms and gauges are written as Prometheus reads them", async () => {
  const registry = openRegistry();
  const sent = registry.counter("sent_total", "Sent, with a \\ and\na line.", { channel: "email", note: 'a"b\\c\nd' });
  sent.add(2);
  registry.counter("sent_total", "", { channel: "email", note: 'a"b\\c\nd' }).add(1);
  registry.counter("sent_total", "", { channel: "sms" }).add(0.5);
  const size = registry.histogram("size", "Sizes.", { of: "commit" }, [1, 10]);
  for (const value of [0.5, 1, 5, 100]) size.observe(value);
  registry.gauge("depth", "Depth.", () => [{ labels: {}, value: Number.POSITIVE_INFINITY }]);
  assert.equal(
    await registry.text(),
    `# HELP sent_total Sent, with a \\\\ and\\na line.
# TYPE sent_total counter
sent_total{channel="email",note="a\\"b\\\\c\\nd"} 3
sent_total{channel="sms"} 0.5
# HELP size Sizes.
# TYPE size histogram
size_bucket{of="commit",le="1"} 2
size_bucket{of="commit",le="10"} 3
size_bucket{of="commit",le="+Inf"} 4
size_sum{of="commit"} 106.5
size_count{of="commit"} 4
# HELP depth Depth.
# TYPE depth gauge
depth +Inf
`,
  );
});

test("a gauge that cannot be read is left out, the others are shown", async () => {
  const registry = openRegistry();
  registry.gauge("broken", "x", () => Promise.reject(new StoreFault("store.busy", "later")));
  registry.gauge("whole", "y", () => [{ labels: {}, value: 1 }]);
  assert.equal(await registry.text(), "# HELP whole y\n# TYPE whole gauge\nwhole 1\n");
});

test("a label that grows with the data stops growing", async () => {
  const registry = openRegistry();
  for (let n = 0; n < SERIES_MAX + 50; n += 1) registry.counter("c", "x", { id: String(n) }).add(1);
  assert.equal((await registry.text()).split("\n").length - 3, SERIES_MAX);
});

test("of very many queues the first by name are shown, and the others together", async () => {
  const clock = new ManualClock();
  await using store = openMemoryStore({ clock });
  const registry = openRegistry();
  gaugeStore(registry, store, clock);
  const job = (queue: string) => ({
    key: queue,
    queue,
    lane: "transactional" as const,
    turn: 1,
    dueMs: 0,
    payload: "{}",
    traceparent: null,
    heldForMs: null,
  });
  const names = Array.from({ length: NAMES_MAX + 50 }, (_, n) => `queue:q${String(n).padStart(5, "0")}/g`);
  await store.commit([{ jobs: [job("target"), ...names.map(job)] }]);
  const text = await registry.text();
  const ready: readonly string[] = text.match(/^tidings_queue_jobs\{.*state="ready"\} \d+$/gm) ?? [];
  assert.equal(ready.length, NAMES_MAX + 2);
  for (const line of [
    `tidings_queue_jobs{queue="queue:${OTHERS}",lane="transactional",state="ready"} 50`,
    'tidings_queue_jobs{queue="queue:q00000",lane="transactional",state="ready"} 1',
    'tidings_queue_jobs{queue="target",lane="transactional",state="ready"} 1',
  ]) {
    assert.ok(ready.includes(line), line);
  }
});

test("depth and age of queues, lag of consumers and the journal's size are read when somebody looks", async () => {
  const clock = new ManualClock();
  await using store = openMemoryStore({ clock });
  const registry = openRegistry();
  gaugeStore(registry, store, clock);
  gaugeProcess(registry, () => ({ rssBytes: 5, heapBytes: 3, cpuSeconds: 0.25 }));
  const nowMs = clock.nowMs();
  const job = {
    key: "k",
    queue: "message",
    lane: "bulk" as const,
    turn: 1,
    dueMs: 0,
    payload: "{}",
    traceparent: null,
    heldForMs: null,
  };
  const event = { type: "x", subject: "s", timeMs: nowMs, data: "{}", traceparent: null };
  await store.commit([
    {
      jobs: [job],
      events: [event, event, event],
      checkpoints: [{ consumer: "log", partition: 0, position: 1, updatedMs: nowMs }],
    },
  ]);
  clock.advance(4_000);
  const text = await registry.text();
  for (const line of [
    'tidings_queue_jobs{queue="message",lane="bulk",state="ready"} 1',
    'tidings_queue_jobs{queue="message",lane="bulk",state="dead"} 0',
    'tidings_queue_oldest_ready_seconds{queue="message",lane="bulk"} 4',
    'tidings_consumer_lag_events{consumer="log",partition="0"} 2',
    'tidings_consumer_lag_seconds{consumer="log",partition="0"} 4',
    'tidings_journal_position{end="last"} 3',
    "process_resident_memory_bytes 5",
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is missing in\n${text}`);
  }
});
