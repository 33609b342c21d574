import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { type Asked, fakeServer, ran } from "../../../test/support/cli-world.ts";

const NOW = new Date(2026, 10, 22, 15, 0, 0).getTime();
const MINUTE = 60_000;
const nowMs = () => NOW;
const EMPTY = { restored: null, jobs: 0, queues: [], lists: [], listsComplete: true };
const queue = (name: string, jobs: number, due: object = { firstDue: 0, lastDue: 0 }) => ({
  queue: name,
  lane: "bulk",
  jobs,
  firstEnqueued: NOW - 40 * MINUTE,
  lastEnqueued: NOW - 30 * MINUTE,
  ...due,
});
const REPORT = {
  restored: { backupMade: NOW - 20 * MINUTE, restored: NOW - 5 * MINUTE, parked: 1_204 },
  jobs: 1_203,
  queues: [queue("expand", 1), queue("message", 1_202, { firstDue: 0, lastDue: NOW + 60 * MINUTE })],
  lists: [
    { list: null, messages: 2, fanOuts: 0 },
    { list: "news", messages: 1_200, fanOuts: 1 },
  ],
  listsComplete: true,
};

test("held says so when nothing is held back", async () => {
  await using server = await fakeServer({ "GET /admin/held": () => ({ body: EMPTY }) });
  const { exit, out, err } = await ran(["held", ...server.flags]);
  assert.deepEqual({ exit, out, err }, { exit: EXIT.ok, out: "Nothing is held back.\n", err: "" });
});

test("held tells how much, since when, of which lists, and what to do", async (t) => {
  await using server = await fakeServer({ "GET /admin/held": () => ({ body: REPORT }) });
  const { exit, out } = await ran(["held", ...server.flags], { columns: 100, nowMs });
  assert.equal(exit, EXIT.ok);
  t.assert.fileSnapshot(out, `${import.meta.dirname}/../../../test/golden/cli-held.txt`, { serializers: [String] });
});

test("release goes on until the server says that there is no more, with the same choice", async () => {
  const steps = [
    { done: 4_000, gone: 0, paging: { more: true, cursor: "c1" } },
    { done: 0, gone: 1, paging: { more: true, cursor: "c2" } },
    { done: 200, gone: 0, paging: { more: false } },
  ];
  const asked: Asked[] = [];
  await using server = await fakeServer({
    "GET /admin/held": () => ({ body: REPORT }),
    "POST /admin/held/release": (call) => {
      asked.push(call);
      return { body: steps[asked.length - 1] };
    },
  });
  const line = ["held", "release", "--list", "news", "--after", "2h", "--before", "2026-11-22T14:30", ...server.flags];
  const { exit, out } = await ran(line, { nowMs });
  assert.deepEqual({ exit, out }, { exit: EXIT.ok, out: "4,200 jobs released.\n" });
  const choice = {
    list: "news",
    enqueuedFrom: NOW - 120 * MINUTE,
    enqueuedBefore: new Date(2026, 10, 22, 14, 30).getTime(),
  };
  assert.deepEqual(
    asked.map(({ body }) => body),
    [choice, { ...choice, cursor: "c1" }, { ...choice, cursor: "c2" }],
  );
});

test("drop asks first, and does nothing unless told yes", async () => {
  let dropped = 0;
  await using server = await fakeServer({
    "GET /admin/held": () => ({ body: REPORT }),
    "POST /admin/held/drop": () => {
      dropped += 1;
      return { body: { done: 1, gone: 0, paging: { more: false } } };
    },
  });
  const line = ["held", "drop", "--all", ...server.flags];
  assert.equal((await ran(line, { confirm: null })).exit, EXIT.usage);
  assert.equal((await ran(line, { confirm: false })).exit, EXIT.no);
  assert.equal(dropped, 0);
  assert.equal((await ran(line, { confirm: true })).out, "1 job dropped.\n");
  assert.equal((await ran([...line, "--yes", "--json"])).out, '{"dropped":1,"gone":0}\n');
  assert.equal(dropped, 2);
});

test("a decision must say which, and when in words that are a time", async () => {
  for (const [line, says] of [
    [["held", "release"], /say which/],
    [["held", "drop", "--yes"], /say which/],
    [["held", "release", "--all", "--list", "news"], /say which/],
    [["held", "release", "--before", "noon"], /--before must be a time such as/],
  ] as const) {
    const { exit, err } = await ran([...line, "--url", "http://127.0.0.1:1", "--key", "k"]);
    assert.equal(exit, EXIT.usage);
    assert.match(err, says);
  }
});
