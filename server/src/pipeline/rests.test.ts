import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { type Nodes, type Notice, soleNode } from "#engine/nodes.ts";
import { Rests } from "#pipeline/rests.ts";

/** The rests of a node that hears what the test says others have posted. */
function given(id: string) {
  const clock = new ManualClock();
  const heard: Notice[] = [];
  const posted = new Map<string, number>();
  const nodes: Nodes = {
    ...soleNode({ id, role: "all", version: "1" }, 0),
    noticesOf: () => heard,
    post: (topic, untilMs) => void posted.set(topic, untilMs),
    takeBack: (topic) => void posted.delete(topic),
  };
  const tells = (node: string, inMs: number): void => {
    heard.push({ node, untilMs: clock.nowMs() + inMs, says: "421 too much" });
  };
  return { clock, heard, posted, tells, rests: new Rests(nodes, clock) };
}

test("what others tell is believed until then, and a moment longer, in which one of them probes", () => {
  const { clock, rests, tells } = given("m");
  assert.equal(rests.of("smtp"), null);
  tells("a", 10_000);
  assert.equal(rests.of("smtp")?.reason, "421 too much");
  clock.advance(13_900);
  assert.notEqual(rests.of("smtp"), null);
  clock.advance(200);
  assert.equal(rests.of("smtp"), null, "whatever became of the one who was to probe");
});

test("of those that found it out themselves the one with the lowest id probes when the rest is over", () => {
  for (const [id, probes] of [
    ["a", true],
    ["z", false],
  ] as const) {
    const { clock, rests, tells } = given(id);
    rests.tell("smtp", clock.nowMs() + 5_000, "421 too much");
    tells("m", 5_000);
    clock.advance(4_900);
    assert.notEqual(rests.of("smtp"), null);
    clock.advance(200);
    assert.equal(rests.of("smtp") === null, probes, id);
  }
});

test("what is over is taken back, once, and then nobody waits for it", () => {
  const { clock, heard, posted, rests, tells } = given("m");
  rests.tell("smtp", clock.nowMs() + 5_000, "421 too much");
  assert.equal(posted.size, 1);
  rests.over("smtp");
  assert.equal(posted.size, 0);
  tells("a", 5_000);
  heard.length = 0;
  assert.equal(rests.of("smtp"), null);
});

test("nobody is believed for longer than an hour", () => {
  const { clock, rests, tells } = given("m");
  tells("a", 1e12);
  assert.ok((rests.of("smtp")?.untilMs ?? 0) <= clock.nowMs() + 3_600_000 + 4_000);
});
