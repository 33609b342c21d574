import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../../test/support/cli-world.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const nowMs = () => NOW;
const QUEUE = {
  name: "orders",
  created: NOW,
  modified: NOW,
  visibility_ms: 30_000,
  delay_ms: 0,
  retention_ms: 345_600_000,
  wait_ms: 0,
  message_bytes_max: 1_048_576,
  dead_letter: { queue: "orders-dead", receive_max: 5 },
  fifo: null,
  tags: { team: "shop" },
  counts: { visible: 1_204, in_flight: 3, delayed: 0, oldest_visible: NOW - 120_000 },
  tally: { sent: 1_300, received: 90, deleted: 87, dead_lettered: 6, expired: 0, moved: 0 },
};
const MOVE = { id: "d/1", status: "completed", to: null, moved: 7, to_move: 7, started: NOW - 5_000, failure: null };

test("queues are listed with what lies in them, page by page", async () => {
  const pages = [
    { results: [QUEUE], paging: { more: true, cursor: "c" } },
    { results: [{ ...QUEUE, name: "b", dead_letter: null }], paging: { more: false } },
  ];
  await using server = await fakeServer({
    "GET /queues": ({ query }) => ({ body: pages[query.get("cursor") === null ? 0 : 1] ?? {} }),
  });
  const { exit, out } = await ran(["queues", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.match(out, /orders +1,204 +3 +0 +2m ago +orders-dead/);
  assert.match(out, /^b /m);
});

test("where there is none, it says how to make one", async () => {
  await using server = await fakeServer({ "GET /queues": () => ({ body: { results: [], paging: { more: false } } }) });
  const { exit, err } = await ran(["queues", "list", ...server.flags]);
  assert.equal(exit, EXIT.ok);
  assert.match(err, /No queues\. Make one: tidings queues create NAME/);
});

test("a queue is made together with the one for its dead letters", async () => {
  await using server = await fakeServer({
    "PUT /queues/orders-dead": () => ({ status: 201, body: {} }),
    "PUT /queues/orders": () => ({ status: 201, body: QUEUE }),
  });
  const line = [
    "queues",
    "create",
    "orders",
    "--visibility",
    "1m",
    "--dead-letters",
    "orders-dead",
    "--tag",
    "team=shop",
  ];
  const { exit, out } = await ran([...line, ...server.flags]);
  assert.deepEqual([exit, out], [EXIT.ok, "✓ orders made, and orders-dead for its dead letters\n"]);
  assert.deepEqual(
    server.asked.map(({ body }) => body),
    [{}, { visibility_ms: 60_000, dead_letter: { queue: "orders-dead", receive_max: 5 }, tags: { team: "shop" } }],
  );
  const wrong = await ran(["queues", "create", "orders", "--receives", "3", ...server.flags]);
  assert.equal(wrong.exit, EXIT.usage);
});

test("a queue is shown as somebody would say it", async () => {
  await using server = await fakeServer({ "GET /queues/orders": () => ({ body: QUEUE }) });
  const { out } = await ran(["queues", "show", "orders", ...server.flags], { nowMs });
  assert.match(out, /messages +1,204 visible, 3 in flight, 0 delayed/);
  assert.match(out, /passed +1,300 sent, 90 received, 87 deleted, 6 dead-lettered \(this node, since its start\)/);
  assert.match(out, /failures +to orders-dead after 5 receives/);
  assert.match(out, /tags +team=shop/);
});

test("a message is put in from the command line", async () => {
  await using server = await fakeServer({
    "POST /queues/q.fifo/messages": () => ({ status: 202, body: { id: "u", sequence: "1", repeated: true } }),
  });
  const line = ["queues", "send", "q.fifo", "hello", "--group", "g", "--dedup", "d", "--delay", "5s"];
  const { out } = await ran([...line, ...server.flags]);
  assert.equal(out, "✓ kept  u  (sent before)\n");
  assert.deepEqual(server.asked[0]?.body, { body: "hello", group_id: "g", dedup_id: "d", delay_ms: 5_000 });
});

test("dead letters are moved back, watched and stopped", async () => {
  const running = { ...MOVE, status: "running", moved: 0 };
  await using server = await fakeServer({
    "POST /queues/dead/redrive": () => ({ status: 202, body: running }),
    "GET /queues/dead/redrive": () => ({ body: { results: [MOVE] } }),
    "DELETE /queues/dead/redrive": () => ({ body: { ...MOVE, status: "cancelling", moved: 3 } }),
  });
  const begun = await ran(["queues", "redrive", "dead", "--rate", "10", ...server.flags]);
  assert.equal(begun.out, "7 messages on the way to where they came from.\n");
  assert.deepEqual(server.asked[0]?.body, { per_second_max: 10 });
  const told = await ran(["queues", "redrive", "dead", "--status", ...server.flags], { nowMs });
  assert.match(told.out, /5s ago +completed +7 +7/);
  const stopped = await ran(["queues", "redrive", "dead", "--stop", ...server.flags]);
  assert.equal(stopped.out, "The move ends; 3 messages moved.\n");
});

test("nothing is emptied or deleted unasked", async () => {
  await using server = await fakeServer({
    "POST /queues/q/purge": () => ({ status: 204 }),
    "DELETE /queues/q": () => ({ status: 204 }),
  });
  assert.equal((await ran(["queues", "purge", "q", ...server.flags])).exit, EXIT.usage);
  assert.equal((await ran(["queues", "delete", "q", ...server.flags])).exit, EXIT.usage);
  assert.deepEqual(server.asked, []);
  assert.equal((await ran(["queues", "purge", "q", "--yes", ...server.flags])).out, "q is empty.\n");
  assert.equal((await ran(["queues", "delete", "q", "--yes", ...server.flags])).out, "q is gone.\n");
});
