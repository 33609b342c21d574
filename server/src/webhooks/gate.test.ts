import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { type Entry, Gate, type Went } from "#webhooks/gate.ts";
import {
  CALLS_AT_FIRST,
  CALLS_PER_ENDPOINT_MAX,
  COME_BACK_MS,
  FAILURES_BEFORE_REST,
  REST_MS_BASE,
  REST_MS_MAX,
  WAIT_IN_HAND_MS,
  WAITING_MAX,
} from "#webhooks/limits.ts";

const WELL: Went = { kind: "well", tookMs: 20 };
const BADLY: Went = { kind: "badly", tookMs: 5 };

function given() {
  const clock = new ManualClock();
  const gate = new Gate(clock);
  const enter = async (id = "a"): Promise<Entry["kind"]> => (await gate.enter(id)).kind;
  /** Calls one after the other, each with this end. */
  const calls = async (count: number, went: Went): Promise<void> => {
    for (let made = 0; made < count; made += 1) {
      assert.equal(await enter(), "go");
      gate.leave("a", went);
    }
  };
  /** How long the next one has to wait. */
  const waitMs = async (id = "a"): Promise<number> => {
    const entry = gate.enter(id);
    // What waits in hand is sent back when its time is over.
    clock.advance(0);
    const settled = await Promise.race([entry, Promise.resolve(null)]);
    if (settled === null) clock.advance(WAIT_IN_HAND_MS);
    const { kind, ...rest } = await entry;
    assert.equal(kind, "later");
    return ("untilMs" in rest ? rest.untilMs : 0) - clock.nowMs();
  };
  return { clock, gate, enter, calls, waitMs };
}

test("an endpoint that answers gets more calls at once, but never more than so many", async () => {
  const { gate, enter, calls } = given();
  await calls(20, WELL);
  for (let busy = 0; busy < CALLS_PER_ENDPOINT_MAX; busy += 1) assert.equal(await enter(), "go");
  const next = gate.enter("a");
  gate.leave("a", WELL);
  assert.equal((await next).kind, "go", "whoever waits in hand takes the place that is free");
});

test("after failures in a row it rests, longer each time that one call finds it still down, up to a limit", async () => {
  const { clock, gate, enter, calls, waitMs } = given();
  await calls(FAILURES_BEFORE_REST, BADLY);
  const rests: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    assert.deepEqual(gate.resting(), ["a"]);
    const restMs = await waitMs();
    rests.push(Math.round(restMs / 1_000) * 1_000);
    clock.advance(restMs);
    assert.equal(await enter(), "go");
    assert.notEqual(await waitMs(), 0, "one call alone finds out");
    gate.leave("a", BADLY);
  }
  assert.deepEqual(
    rests.slice(0, 5),
    [1, 2, 4, 8, 16].map((times) => REST_MS_BASE * times),
  );
  assert.ok(rests.every((restMs) => restMs <= REST_MS_MAX + 1_000));
  clock.advance(REST_MS_MAX + 1);
  await calls(1, WELL);
  assert.deepEqual(gate.resting(), []);
  assert.equal(await enter(), "go");
});

test("what waits for one that stalls is sent back for longer and longer", async () => {
  const { clock, enter, waitMs } = given();
  for (let busy = 0; busy < CALLS_AT_FIRST; busy += 1) assert.equal(await enter(), "go");
  const waits: number[] = [];
  for (let times = 0; times < 5; times += 1) {
    const ms = await waitMs();
    waits.push(ms);
    clock.advance(ms);
  }
  assert.ok((waits[0] ?? 0) >= COME_BACK_MS);
  assert.ok(
    waits.every((ms, at) => at === 0 || ms > (waits[at - 1] ?? 0)),
    waits.join(),
  );
  assert.ok(waits.reduce((sum, ms) => sum + ms, 0) > 8_000, "so few times that the store does not notice");
});

test("an endpoint that asks to be left alone is, and no longer than it asked", async () => {
  const { clock, gate, enter, waitMs } = given();
  assert.equal(await enter(), "go");
  gate.leave("a", { kind: "asked", forMs: 90_000 });
  assert.equal(await waitMs(), 90_000);
  clock.advance(90_001);
  assert.equal(await enter(), "go");
});

test("somebody says that it is mended: it is called at once", async () => {
  const { gate, enter, calls } = given();
  await calls(FAILURES_BEFORE_REST, BADLY);
  gate.forget("a");
  assert.equal(await enter(), "go");
});

test("many endpoints that stall together keep only so many in hand", async () => {
  const { gate } = given();
  let later = 0;
  let waiting = 0;
  for (let endpoint = 0; endpoint < 40; endpoint += 1) {
    for (let times = 0; times < 34; times += 1) {
      const settled = await Promise.race([gate.enter(String(endpoint)), Promise.resolve(null)]);
      if (settled === null) waiting += 1;
      else if (settled.kind === "later") later += 1;
    }
  }
  assert.equal(waiting, WAITING_MAX);
  assert.equal(later, 40 * (34 - CALLS_AT_FIRST) - WAITING_MAX);
});
