import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../../test/support/cli-world.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const nowMs = () => NOW;
const NODE = { id: "n1", role: "all", version: "1", started: NOW, seen: NOW, live: true, self: true };
const READER = {
  consumer: "rules",
  partition: 0,
  position: 4_711,
  updated: NOW,
  lagEvents: 0,
  lagMs: 0,
  state: "working",
  failing: null,
  dead: 0,
};
const LOAD = {
  bus: "default",
  name: "placed",
  waiting: 3,
  oldest: NOW - 2_000,
  dead: 0,
  matched: 1_200,
  delivered: 1_197,
  retried: 4,
  failed: 0,
};
const depth = (queue: string, more: object = {}) => ({
  queue,
  lane: "transactional",
  waiting: 0,
  ready: 0,
  held: 0,
  parked: 0,
  dead: 0,
  oldestReady: null,
  ...more,
});

type House = { queues?: object[]; consumers?: object[]; rules?: object[]; nodes?: object[] };

async function house({ queues = [], consumers = [], rules = [], nodes = [NODE] }: House) {
  return await fakeServer({
    "GET /admin/nodes": () => ({ body: { workers: 1, nodes } }),
    "GET /admin/queues": () => ({ body: { queues } }),
    "GET /admin/consumers": () => ({ body: { last: 4_711, consumers } }),
    "GET /admin/rules": () => ({ body: { since: NOW, rules } }),
  });
}

test("a house in which nothing happens needs nobody", async () => {
  await using server = await house({});
  const { exit, out } = await ran(["status", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.equal(out, `${server.url}  1 node\n\n✓ Nothing needs you.\n`);
});

test("what waits, who reads and how rules fare stand on one screen, the generations of a queue together", async () => {
  await using server = await house({
    queues: [
      depth("message", { held: 2 }),
      depth("message", { lane: "bulk", waiting: 5 }),
      depth("consumer:rules", { held: 1 }),
      depth("queue:orders/1", { ready: 3, oldestReady: NOW - 60_000 }),
      depth("queue:orders/2", { ready: 1, oldestReady: NOW - 1_000 }),
    ],
    consumers: [READER],
    rules: [LOAD],
    nodes: [NODE, { ...NODE, id: "n2", role: "worker" }, { ...NODE, id: "n3", live: false }],
  });
  const { exit, out } = await ran(["status", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.equal(
    out,
    `${server.url}  2 nodes (1 all, 1 worker)

STAGE    READY  IN HAND  LATER
message      0        2      5

QUEUE   READY  IN HAND  LATER  OLDEST
orders      4        0      0  1m ago

READER  STATE    BEHIND  POSITION
rules   at work       0     4,711

RULE            WAITING  OLDEST  MATCHED
default/placed        3  2s ago    1,200

✓ Nothing needs you.
`,
  );
});

test("what needs somebody is said with the command that helps, and the exit code says that there is something", async () => {
  await using server = await house({
    queues: [
      depth("message", { ready: 9, oldestReady: NOW - 120_000 }),
      depth("target", { dead: 3 }),
      depth("webhook", { dead: 1, parked: 2 }),
      depth("queue:orders/1", { ready: 1_000, oldestReady: NOW - 7_200_000 }),
    ],
    consumers: [
      { ...READER, failing: { position: 99, attempts: 3 } },
      { ...READER, consumer: "log", lagMs: 90_000 },
    ],
    rules: [{ ...LOAD, oldest: NOW - 600_000 }],
    nodes: [{ ...NODE, role: "api" }],
  });
  const { exit, out } = await ran(["status", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.no);
  assert.deepEqual(
    out.split("\n").filter((line) => line.startsWith("!")),
    [
      "! No node works the queues; what is accepted waits.  → start one with TIDINGS_ROLE=worker",
      "! Reader rules cannot handle the event at 99.  → the server's log says why",
      "! Reader log is 1 min 30 s behind the journal.  → tidings consumers",
      "! 9 jobs of message ready, the oldest for 2 min: too few workers, or a provider is slow.  → tidings doctor",
      "! 1,000 messages in orders, the oldest for 2 h: is anybody receiving?  → tidings queues show orders",
      "! 3 deliveries of rule default/placed not done, the oldest for 10 min.  → tidings rules show default/placed",
      "! 4 dead letters: 3 of target, 1 of webhook.  → tidings dlq",
      "! 2 jobs held back since a backup was restored.  → tidings held",
    ],
  );
  const told = await ran(["status", "--json", ...server.flags], { nowMs });
  assert.equal((JSON.parse(told.out) as { todo: unknown[] }).todo.length, 8);
});

test("a screen shows ten lines of each, and fits a narrow one", async () => {
  const queues = Array.from({ length: 14 }, (_, n) =>
    depth(`queue:a-rather-long-name-of-a-queue-${n}/1`, { ready: n + 1, oldestReady: NOW - 1_000 }),
  );
  await using server = await house({ queues });
  const { out } = await ran(["status", ...server.flags], { nowMs, columns: 40 });
  const lines = out.split("\n");
  assert.match(out, /and 4 more: tidings queues/);
  assert.ok(lines.slice(1).every((line) => line.length <= 40));
  assert.match(lines.find((line) => line.startsWith("a-")) ?? "", / 14 /, "the deepest come first");
});

test("readers are shown with how far behind they are, each partition by itself", async () => {
  await using server = await house({
    consumers: [
      { ...READER, lagEvents: 100_000, lagMs: 61_000, dead: 2 },
      { ...READER, consumer: "mirror", state: "free" },
      { ...READER, consumer: "mirror", partition: 1, failing: { position: 12, attempts: 1 } },
      { ...READER, consumer: "old", state: "gone" },
    ],
  });
  const { exit, out } = await ran(["consumers", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.equal(
    out,
    `READER    STATE                 BEHIND  LAG        DEAD  POSITION
rules     at work             100,000+  1 min 1 s     2     4,711
mirror/0  waits for a worker         0                      4,711
mirror/1  failed once at 12          0                      4,711
old       not running                0                      4,711
`.replace(/LAG {8}/, "      LAG  "),
  );
});

test("where nobody reads, it says what would bring a reader", async () => {
  await using server = await house({});
  const { exit, out, err } = await ran(["consumers", ...server.flags], { nowMs });
  assert.deepEqual([exit, out], [EXIT.ok, ""]);
  assert.match(err, /Nobody reads the journal\. The first rule brings a reader/);
});
