import assert from "node:assert/strict";
import { test } from "node:test";
import { tidyArchives } from "#rules/archive-keeping.ts";
import { ARCHIVED } from "#rules/collections.ts";
import type { Done, Replay } from "#rules/desk.ts";
import { AT_ONCE, foreign, RulesWorld, target, value, wish } from "../../test/support/rules-world.ts";

const ALL = { prefix: null, after: null, limit: 100 };
const DAY_MS = 24 * 60 * 60 * 1_000;
const AT = 1_714_979_289_123;
const ARCHIVE = { name: "orders", bus: "default", description: null, pattern: null, retentionDays: 0 };
const REPLAY = {
  name: "again",
  archive: "orders",
  bus: "default",
  description: null,
  rules: null,
  fromMs: AT,
  untilMs: AT + 1_000,
};

test("an archive keeps the events that match, from its own place on, and counts them", async () => {
  const world = await RulesWorld.start();
  const { archives } = world.rules.desk;
  await world.append(foreign("0", { kind: "a" }));
  value(await archives.create({ ...ARCHIVE, pattern: '{"detail":{"kind":["a"]}}' }));
  await world.append(foreign("1", { kind: "a" }), foreign("2", { kind: "b" }), foreign("3", { kind: "a" }));
  await world.quiet();
  const found = value(await archives.describe("orders"));
  assert.deepEqual([found.events, found.bytes], [2, 2 * '{"kind":"a"}'.length]);
  assert.equal(fault(await archives.create(ARCHIVE)), "exists");
  value(await archives.update("orders", { pattern: null }));
  await world.append(foreign("4", { kind: "b" }));
  await world.quiet();
  assert.equal(value(await archives.describe("orders")).events, 3);
  assert.equal((await archives.list("default", ALL)).items.length, 1);
  assert.equal((await archives.list("other", ALL)).items.length, 0);
});

test("a replay gives what was archived to rules once more, under the old id, and is not archived again", async () => {
  const world = await RulesWorld.start();
  const { desk } = world.rules;
  value(await desk.archives.create(ARCHIVE));
  await world.append(foreign("1", { kind: "a" }), foreign("2", { kind: "a" }, { timeMs: AT + 2_000 }));
  value(await desk.rules.putWhole({ ...wish("late", ["a"]), targets: [target("t", AT_ONCE)] }));
  value(await desk.rules.putWhole({ ...wish("other", ["a"]), targets: [target("t", AT_ONCE)] }));
  await world.quiet();
  assert.equal(value(await desk.replays.start({ ...REPLAY, rules: ["late"] })).state, "STARTING");
  await world.pass(2_000, 50);
  const told = (await world.journal()).filter(({ type }) => type === "probe.told");
  assert.equal(told.length, 1);
  const { input } = JSON.parse(told[0]?.data ?? "") as { readonly input: string };
  const event = JSON.parse(input) as Readonly<Record<string, unknown>>;
  assert.deepEqual([event["id"], event["replay-name"], event["detail"]], ["1", "again", { kind: "a" }]);
  const ended = value(await desk.replays.describe("again"));
  assert.deepEqual([ended.state, ended.replayed, ended.lastEventMs], ["COMPLETED", 1, AT]);
  assert.equal(value(await desk.archives.describe("orders")).events, 2);
  assert.equal(fault(await desk.replays.start(REPLAY)), "exists");
});

test("a replay gives each event once, wherever the process dies", async () => {
  const whole = await replayed(null);
  assert.ok(whole > 5, `${whole} commits are places to die at`);
  for (let commit = 1; commit <= whole; commit += 1) await replayed(commit);
});

test("a replay that is cancelled stops between two steps", async () => {
  const world = await RulesWorld.start();
  const { desk } = world.rules;
  value(await desk.archives.create(ARCHIVE));
  await world.append(...Array.from({ length: 1_000 }, (_, at) => foreign(`e${at}`, { kind: "a" })));
  await world.quiet(1_000);
  value(await desk.replays.start(REPLAY));
  await world.pass(100, 50);
  assert.equal(value(await desk.replays.cancel("again")).state, "CANCELLING");
  await world.pass(2_000, 50);
  const ended = value(await desk.replays.describe("again"));
  assert.equal(ended.state, "CANCELLED");
  assert.ok(ended.replayed < 1_000, `${ended.replayed} of 1000`);
  assert.equal(fault(await desk.replays.cancel("again")), "status");
});

test("what cannot be replayed is refused", async () => {
  const { desk } = (await RulesWorld.start()).rules;
  assert.equal(fault(await desk.replays.start(REPLAY)), "unknown");
  value(await desk.archives.create(ARCHIVE));
  assert.equal(fault(await desk.replays.start({ ...REPLAY, untilMs: REPLAY.fromMs })), "invalid");
  assert.equal(fault(await desk.replays.start({ ...REPLAY, bus: "other" })), "invalid");
});

test("what is older than an archive keeps goes, and so does all of one that is deleted", async () => {
  const world = await RulesWorld.start();
  const { archives } = world.rules.desk;
  value(await archives.create({ ...ARCHIVE, retentionDays: 2 }));
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  await world.pass(3 * DAY_MS, DAY_MS / 4);
  await world.append(foreign("2", { kind: "a" }));
  await world.quiet();
  await tidyArchives(world.engine);
  assert.equal(value(await archives.describe("orders")).events, 1);
  value(await archives.remove("orders"));
  await world.quiet();
  await tidyArchives(world.engine);
  assert.deepEqual(await world.store.listDocuments({ collection: ARCHIVED, limit: 10 }), []);
  assert.deepEqual(await world.store.listDocuments({ collection: "archive_counts", limit: 10 }), []);
  assert.equal(fault(await archives.describe("orders")), "unknown");
});

/** Replays 500 events, dying after that commit; returns how many commits it took. */
async function replayed(dieAfter: number | null): Promise<number> {
  const world = await RulesWorld.start();
  const { desk } = world.rules;
  value(await desk.archives.create(ARCHIVE));
  await world.append(...Array.from({ length: 500 }, (_, at) => foreign(`e${at}`, { kind: "a" })));
  await world.quiet(500);
  value(await desk.rules.putWhole({ ...wish("late", ["a"]), targets: [target("t", AT_ONCE)] }));
  value(await desk.replays.start(REPLAY));
  world.commits = 0;
  let isDead = false;
  world.onCommit = (commit, isDone) => {
    if (commit !== dieAfter || !isDone) return;
    isDead = true;
    world.onCommit = () => {};
    world.die();
  };
  for (let turn = 0; turn < 100; turn += 1) {
    await world.pass(50, 50);
    if (!isDead) continue;
    isDead = false;
    await world.restart();
  }
  const told = await world.told();
  assert.equal(told.length, 500, `dead after commit ${dieAfter}`);
  assert.equal(new Set(told).size, 500);
  const replay: Replay = value(await world.rules.desk.replays.describe("again"));
  assert.deepEqual([replay.state, replay.replayed], ["COMPLETED", 500]);
  return world.commits;
}

function fault(done: Done<unknown>): string {
  return done.kind === "fault" ? done.code : done.kind;
}
