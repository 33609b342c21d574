import assert from "node:assert/strict";
import { test } from "node:test";
import { BY_JOB, foreign, RulesWorld, target, value, wish } from "../../test/support/rules-world.ts";

const NONE = { waiting: 0, oldestMs: null, dead: 0, matched: 0, delivered: 0, retried: 0, failed: 0 };

test("of each rule is known what waits and since when, what gave up, and what was done, also after a restart", async () => {
  const world = await RulesWorld.start();
  const retry = { attemptsMax: 185, ageMaxMs: 86_400_000 };
  const failure = { code: "SLEEPY", reason: "nobody answers" };
  world.answer = ({ rule }) => {
    if (rule.name === "works") return null;
    return rule.name === "hopeless" ? { kind: "refused", ...failure } : { kind: "retry", ...failure };
  };
  for (const name of ["hopeless", "works", "worn", "worn-too"]) {
    value(await world.rules.desk.rules.putWhole({ ...wish(name, ["a"]), targets: [target("t", BY_JOB, { retry })] }));
  }
  await world.pass(1_000);
  const bornMs = world.clock.nowMs();
  await world.append(foreign("1", { kind: "a" }), foreign("2", { kind: "a" }));
  await world.quiet();
  await world.pass(4_000);

  const { loads } = world.rules.desk;
  const shown = await loads.all();
  assert.deepEqual(
    shown.map(({ name, waiting, oldestMs, dead, matched, delivered, failed }) => [
      name,
      [waiting, oldestMs === null ? null : oldestMs - bornMs],
      dead,
      [matched, delivered, failed],
    ]),
    [
      ["hopeless", [0, null], 2, [2, 0, 2]],
      ["works", [0, null], 0, [2, 2, 0]],
      ["worn", [2, 0], 0, [2, 0, 0]],
      ["worn-too", [2, 0], 0, [2, 0, 0]],
    ],
  );
  assert.deepEqual(await loads.of({ bus: "default", name: "worn" }), shown[2]);
  assert.deepEqual(await loads.of({ bus: "other", name: "worn" }), { bus: "other", name: "worn", ...NONE });
  const text = await world.registry.text();
  assert.match(text, /^tidings_rule_waiting\{bus="default",rule="worn-too"\} 2$/m);
  assert.match(text, /^tidings_rule_oldest_seconds\{bus="default",rule="worn"\} 4$/m);
  assert.doesNotMatch(text, /tidings_rule_waiting\{bus="default",rule="works"/, "what has nothing is not shown");

  await world.engine.stop(0);
  await world.restart();
  await world.quiet();
  const [hopeless, worn] = await world.rules.desk.loads.all();
  assert.deepEqual([hopeless?.dead, hopeless?.failed], [2, 0]);
  assert.deepEqual([worn?.name, worn?.waiting, (worn?.oldestMs ?? 0) - bornMs], ["worn", 2, 0]);
});

test("a bus with slashes in its name has its own rules", async () => {
  const world = await RulesWorld.start();
  value(await world.rules.desk.buses.create({ name: "shop/north", description: null, tags: {} }));
  world.answer = () => ({ kind: "retry", code: "SLEEPY", reason: "nobody answers" });
  const wished = { ...wish("r", ["a"]), bus: "shop/north", targets: [target("t", BY_JOB)] };
  value(await world.rules.desk.rules.putWhole(wished));
  await world.append(foreign("1", { kind: "a" }, { attributes: JSON.stringify({ bus: "shop/north" }) }));
  await world.quiet();
  const [load] = await world.rules.desk.loads.all();
  assert.deepEqual([load?.bus, load?.name, load?.waiting], ["shop/north", "r", 1]);
});
