import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "#drivers/memory/store.ts";
import { RULE_CHANGED } from "#rules/collections.ts";
import type { RuleDesk } from "#rules/desk.ts";
import { MATCH_JOBS_MAX } from "#rules/limits.ts";
import { keysByJournal } from "../../test/support/rules-by-journal.ts";
import { AT_ONCE, BY_JOB, foreign, RulesWorld, target, value, wish } from "../../test/support/rules-world.ts";

test("a house without rules reads no journal, and the first rule sees what comes behind it", async () => {
  const world = await RulesWorld.start();
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  assert.deepEqual(await world.store.checkpoints("rules"), []);
  const put = await world.rules.desk.rules.putWhole({ ...wish("first", ["a"]), targets: [target("t", AT_ONCE)] });
  assert.equal(value(put).was, "absent");
  await world.append(foreign("2", { kind: "a" }), foreign("3", { kind: "b" }));
  await world.quiet();
  assert.deepEqual(idsOf(await world.told()), ["2"]);
});

test("a node learns of the first rule that another one made", async () => {
  const world = await RulesWorld.start();
  assert.ok(world.store instanceof MemoryStore);
  const store = world.store.another();
  const other = await RulesWorld.start(store, world.clock);
  value(await world.rules.desk.rules.putWhole({ ...wish("first", ["a"]), targets: [target("t", AT_ONCE)] }));
  // The one who made it is gone before anything happens.
  await world.engine.stop(0);
  await other.pass(60_000);
  await other.append(foreign("1", { kind: "a" }));
  await other.pass(60_000);
  assert.deepEqual(idsOf(await other.told()), ["1"]);
});

test("each event is seen by the rules of its place in the journal, wherever the process dies", async () => {
  const commits = await run(null);
  assert.ok(commits > 20, `${commits} commits are places to die at`);
  for (let commit = 1; commit <= commits; commit += 1) {
    for (const isDone of [false, true]) await run({ commit, isDone });
  }
});

test("an event that has more targets than one commit takes is delivered to all of them once, through a crash", async () => {
  const world = await RulesWorld.start();
  const targets = Array.from({ length: 90 }, (_, at) => target(`t${at}`, AT_ONCE));
  const rules = Math.ceil((2.5 * MATCH_JOBS_MAX) / targets.length);
  for (let at = 0; at < rules; at += 1) {
    value(await world.rules.desk.rules.putWhole({ ...wish(`rule-${at}`, ["a"]), targets }));
  }
  await world.quiet();
  let cuts = 0;
  world.onCommit = (_, isDone) => {
    if (!isDone) return;
    cuts += 1;
    if (cuts === 2) world.die();
  };
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  world.onCommit = () => {};
  await world.restart();
  await world.quiet(2_000);
  const told = await world.told();
  assert.equal(told.length, rules * targets.length);
  assert.equal(new Set(told).size, told.length);
});

test("a rule on the bus of our own events sees them, from its own place on", async () => {
  const world = await RulesWorld.start();
  const own = { ...wish("own", [], { bus: "tidings", pattern: '{"detail-type":["rule.changed"]}' }) };
  value(await world.rules.desk.rules.putWhole({ ...own, targets: [target("t", AT_ONCE)] }));
  value(await world.rules.desk.rules.put(wish("other", ["a"])));
  await world.quiet(1_000);
  const told = await world.told();
  assert.deepEqual(
    told.map((key) => key.slice(0, key.indexOf(":"))),
    ["tidings/own/t", "tidings/own/t"],
  );
});

test("an event of ours right behind the first rule for such events is not passed over", async () => {
  const world = await RulesWorld.start();
  const own = wish("own", [], { bus: "tidings", pattern: '{"detail-type":["thing.done"]}' });
  const rule = value(await world.rules.desk.rules.putWhole({ ...own, targets: [target("t", AT_ONCE)] })).rule;
  value(await world.rules.desk.rules.remove({ bus: "tidings", name: "own" }, true));
  await world.quiet(1_000);
  // Both are there at the matcher's next look, which asked for no other events of ours.
  await world.append(
    { ...foreign("", rule), type: RULE_CHANGED, source: null, id: null },
    { ...foreign("", {}), type: "thing.done", source: null, id: null },
  );
  await world.quiet(1_000);
  assert.equal((await world.told()).length, 1);
});

test("an event goes on to another bus, each bus once, also in a ring", async () => {
  const world = await RulesWorld.start();
  const { desk } = world.rules;
  const arn = (bus: string): string => `arn:aws:events:eu-north-1:000000000000:event-bus/${bus}`;
  value(await desk.buses.create({ name: "eu/orders", description: null, tags: {} }));
  value(await desk.rules.putWhole({ ...wish("on", ["a"]), targets: [target("t", arn("eu/orders"))] }));
  const back = { ...wish("back", ["a"], { bus: "eu/orders" }) };
  value(await desk.rules.putWhole({ ...back, targets: [target("t", arn("default")), target("u", AT_ONCE)] }));
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  assert.deepEqual(
    (await world.told()).map((key) => key.split(":")[0]),
    ["eu/orders/back/u"],
  );
});

test("an event on a bus that is not there goes nowhere", async () => {
  const world = await RulesWorld.start();
  value(await world.rules.desk.rules.putWhole({ ...wish("r", ["a"]), targets: [target("t", AT_ONCE)] }));
  await world.append(foreign("1", { kind: "a" }, { attributes: '{"bus":"nowhere"}' }));
  await world.append(foreign("2", { kind: "a" }));
  await world.quiet();
  assert.deepEqual(idsOf(await world.told()), ["2"]);
});

test("what a target needs a job for is delivered by one", async () => {
  const world = await RulesWorld.start();
  value(await world.rules.desk.rules.putWhole({ ...wish("r", ["a"]), targets: [target("t", BY_JOB)] }));
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  assert.deepEqual(idsOf(await world.told()), ["1"]);
  assert.match(await world.registry.text(), /tidings_rule_matched_total\{bus="default",rule="r"\} 1\n/);
});

test("after a restore new events are matched, and those that the backup had not matched wait for somebody's word", async () => {
  const world = await RulesWorld.start();
  value(await world.rules.desk.rules.putWhole({ ...wish("r", ["a"]), targets: [target("t", AT_ONCE)] }));
  await world.quiet();
  await world.engine.stop(0);
  await world.store.commit([{ events: [foreign("1", { kind: "a" }), foreign("2", { kind: "b" })] }]);
  while ((await world.store.park(100)) > 0);
  await world.restart();
  await world.append(foreign("3", { kind: "a" }));
  await world.quiet();
  assert.deepEqual(idsOf(await world.told()), ["3"]);
  const dead = await world.store.deadJobs({ queue: null, after: null, limit: 10 });
  assert.deepEqual(
    dead.map(({ error }) => error),
    ["held back by the restore: its targets may have got it after the backup was made"],
  );
  assert.equal((await world.engine.settleDead(dead[0]?.key ?? "", "revive"))?.kind, "committed");
  await world.quiet();
  assert.deepEqual(idsOf(await world.told()), ["3", "1"]);
});

/** What a client does, one after the other, without waiting for the matcher. */
const STEPS: readonly ((desk: RuleDesk, world: RulesWorld) => Promise<unknown>)[] = [
  (_, world) => world.append(foreign("e0", { kind: "a" })),
  (desk) => desk.rules.putWhole({ ...wish("one", ["a"]), targets: [target("t", AT_ONCE)] }),
  (_, world) => world.append(foreign("e1", { kind: "a" }), foreign("e2", { kind: "b" })),
  (desk) => desk.rules.putWhole({ ...wish("two", ["a", "b"]), targets: [target("t", AT_ONCE), target("u", AT_ONCE)] }),
  (_, world) => world.append(foreign("e3", { kind: "a" }), foreign("e4", { kind: "b" })),
  (desk) => desk.rules.put(wish("one", ["b"])),
  (_, world) => world.append(foreign("e5", { kind: "a" }), foreign("e6", { kind: "b" })),
  (desk) => desk.rules.setState({ bus: "default", name: "two" }, "DISABLED"),
  (_, world) => world.append(foreign("e7", { kind: "b" })),
  (desk) => desk.rules.setState({ bus: "default", name: "two" }, "ENABLED"),
  (desk) => desk.targets.remove({ bus: "default", name: "two" }, ["u"]),
  (_, world) => world.append(foreign("e8", { kind: "b" })),
  (desk) => desk.rules.remove({ bus: "default", name: "one" }, true),
  (_, world) => world.append(foreign("e9", { kind: "b" })),
  (desk) => desk.rules.remove({ bus: "default", name: "two" }, true),
  (_, world) => world.append(foreign("e10", { kind: "a" }), foreign("e11", { kind: "b" })),
];

/** Runs the steps, dying once; whoever gets no answer repeats. Returns how many commits there were. */
async function run(death: { readonly commit: number; readonly isDone: boolean } | null): Promise<number> {
  const world = await RulesWorld.start();
  world.commits = 0;
  let isDead = false;
  world.onCommit = (commit, isDone) => {
    if (death === null || isDead || commit !== death.commit || isDone !== death.isDone) return;
    isDead = true;
    world.die();
  };
  for (const step of STEPS) {
    for (let isDone = false; !isDone; ) {
      // Who has died answers nothing: then the step is made again.
      void step(world.rules.desk, world).then(() => {
        isDone = true;
      });
      for (let turn = 0; turn < 60 && !isDone && !isDead; turn += 1) await world.quiet(1);
      if (!isDead) continue;
      isDead = false;
      world.onCommit = () => {};
      await world.restart();
    }
  }
  await world.quiet(500);
  if (isDead) {
    world.onCommit = () => {};
    await world.restart();
    await world.quiet(500);
  }
  const where = death === null ? "without a death" : `dead ${death.isDone ? "after" : "before"} commit ${death.commit}`;
  assert.deepEqual([...(await world.told())].toSorted(), keysByJournal(await world.journal()), where);
  return world.commits;
}

function idsOf(told: readonly string[]): readonly string[] {
  return told.map((key) => key.slice(key.lastIndexOf(":") + 1));
}
