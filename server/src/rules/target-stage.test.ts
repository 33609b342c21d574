import assert from "node:assert/strict";
import { test } from "node:test";
import { BY_JOB, foreign, RulesWorld, target, value, wish } from "../../test/support/rules-world.ts";

const DLQ = "arn:aws:sqs:eu-north-1:000000000000:letters";

test("a delivery that fails is tried again as often as its target says, then it is a dead letter that can be redriven", async () => {
  const world = await failing({ attemptsMax: 2, ageMaxMs: 24 * 60 * 60 * 1_000 });
  await world.pass(60_000);
  assert.equal(world.tries, 3);
  const [dead] = await world.store.deadJobs({ queue: "target", after: null, limit: 10 });
  assert.equal(dead?.error, "nobody answers [SLEEPY]");
  world.answer = () => null;
  assert.equal((await world.engine.settleDead(dead?.key ?? "", "revive"))?.kind, "committed");
  await world.pass(5_000);
  assert.equal((await world.told()).length, 1);
  assert.match(await world.registry.text(), /tidings_rule_failed_total\{bus="default",rule="r"\} 1\n/);
});

test("a delivery is not tried when its time is over", async () => {
  const world = await failing({ attemptsMax: 185, ageMaxMs: 60_000 });
  await world.pass(120_000);
  assert.equal((await world.store.deadJobs({ queue: "target", after: null, limit: 10 })).length, 1);
  assert.ok(world.tries >= 3 && world.tries < 30, `${world.tries} tries`);
});

test("what can never work is not tried again, and goes into the target's dead-letter queue with the reason", async () => {
  const world = await failing({ attemptsMax: 5, ageMaxMs: 60_000 }, DLQ, "refused");
  await world.pass(1_000);
  assert.equal(world.tries, 1);
  assert.deepEqual(await world.store.deadJobs({ queue: "target", after: null, limit: 10 }), []);
  const [letter] = world.sent;
  assert.equal(letter?.queue, "letters");
  assert.equal(letter?.error, "nobody answers");
  assert.match(letter?.body ?? "", /"detail":\{"kind":"a"\}/);
});

test("what names a service of AWS that is not here becomes a dead letter that says so", async () => {
  const world = await RulesWorld.start();
  const arn = "arn:aws:lambda:eu-north-1:123456789012:function:resize";
  value(await world.rules.desk.rules.put(wish("r", ["a"])));
  const put = await world.rules.desk.targets.put({ bus: "default", name: "r" }, [{ Id: "f", Arn: arn }], 5);
  assert.deepEqual(value(put).failed, []);
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  const [dead] = await world.store.deadJobs({ queue: "target", after: null, limit: 10 });
  assert.equal(dead?.error, `Nothing here delivers to ${arn}. [NO_RESOURCE]`);
});

test("a retry waits as long as the other side asked for", async () => {
  const world = await failing({ attemptsMax: 1, ageMaxMs: 24 * 60 * 60 * 1_000 }, null, "retry", 600_000);
  await world.pass(599_000, 10_000);
  assert.equal(world.tries, 1);
  await world.pass(2_000);
  assert.equal(world.tries, 2);
});

/** A world with one rule whose target fails, and one event that it matches. */
async function failing(
  retry: { readonly attemptsMax: number; readonly ageMaxMs: number },
  deadLetterArn: string | null = null,
  kind: "retry" | "refused" = "retry",
  afterMs = 0,
): Promise<RulesWorld & { tries: number }> {
  const world = Object.assign(await RulesWorld.start(), { tries: 0 });
  world.answer = () => {
    world.tries += 1;
    const failure = { code: "SLEEPY", reason: "nobody answers" };
    return kind === "retry" ? { kind, ...failure, afterMs } : { kind, ...failure };
  };
  const targets = [target("t", BY_JOB, { retry, deadLetterArn })];
  value(await world.rules.desk.rules.putWhole({ ...wish("r", ["a"]), targets }));
  await world.append(foreign("1", { kind: "a" }));
  await world.quiet();
  return world;
}
