import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import {
  findInvocation,
  INVOCATIONS,
  invocationIn,
  invocationPut,
  listInvocations,
  tidyInvocations,
} from "#functions/invocation-log.ts";
import type { LogLine } from "#ports/function-host.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const ERROR = { name: "Error", says: "no", at: null, stack: null };
const line = (text: string): LogLine => ({ atMs: 1, level: "info", text, fields: null });

function call(name: string, endedMs: number, given: Partial<Parameters<typeof invocationPut>[0]> = {}) {
  return invocationPut({
    callId: `c${endedMs}`,
    function: name,
    key: "k",
    attempt: 1,
    startedMs: endedMs - 5,
    tookMs: 5,
    outcome: "done",
    error: null,
    logs: [line("hello")],
    traceparent: null,
    ...given,
  });
}

function given() {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock });
  const engine = new Engine({ store, clock, dice: seededDice(1), log: silentLog, meter: silentMeter });
  const keep = async (...puts: readonly ReturnType<typeof call>[]) => {
    for (let at = 0; at < puts.length; at += 500)
      await engine.commit({ puts: puts.slice(at, at + 500).filter((put) => put !== null) });
  };
  return { clock, store, engine, keep };
}

test("a call that was fine and said nothing is not kept", () => {
  assert.equal(call("f", 10, { logs: [] }), null);
  assert.notEqual(call("f", 10, { logs: [], outcome: "failed", error: ERROR }), null);
  assert.equal(invocationIn(undefined), null);
});

test("calls are listed newest first, page by page, of one function alone, and failed ones by themselves", async () => {
  const { store, keep } = given();
  const failed = { outcome: "failed" as const, error: ERROR };
  await keep(call("f", 100), call("f", 300, failed), call("f", 200), call("f.g", 400), call("g", 500, failed));
  const first = await listInvocations(store, "f", { after: null, limit: 2, failedOnly: false });
  assert.deepEqual(
    first.invocations.map(({ startedMs }) => startedMs),
    [295, 195],
  );
  const next = await listInvocations(store, "f", { after: first.next, limit: 2, failedOnly: false });
  assert.deepEqual([next.invocations.map(({ startedMs }) => startedMs), next.next], [[95], null]);
  const bad = await listInvocations(store, "f", { after: null, limit: 10, failedOnly: true });
  assert.deepEqual(
    bad.invocations.map(({ error }) => error),
    [ERROR],
  );
  const id = bad.invocations[0]?.id ?? "";
  assert.equal((await findInvocation(store, "f", id))?.startedMs, 295);
  assert.equal(await findInvocation(store, "g", id), null);
});

test("the newest thousand of each function stay, for seven days", async () => {
  const { clock, store, engine, keep } = given();
  const nowMs = clock.nowMs();
  await keep(...Array.from({ length: 1_300 }, (_, at) => call("busy", nowMs + at)), call("calm", nowMs));
  await tidyInvocations(engine);
  const kept = await store.listDocuments({ collection: INVOCATIONS, prefix: "busy/", limit: 2_000 });
  assert.equal(kept.length, 1_000);
  const newest = await listInvocations(store, "busy", { after: null, limit: 1, failedOnly: false });
  assert.equal(newest.invocations[0]?.startedMs, nowMs + 1_299 - 5);
  clock.advance(6 * DAY_MS);
  await keep(call("calm", clock.nowMs()));
  clock.advance(2 * DAY_MS);
  await tidyInvocations(engine);
  const left = await store.listDocuments({ collection: INVOCATIONS, limit: 2_000 });
  assert.deepEqual(
    left.map(({ id }) => id.split("/")[0]),
    ["calm"],
  );
});

test("a call that said too much keeps the beginning, and says so", () => {
  const logs = Array.from({ length: 200 }, (_, at) => line(`${at} ${"x".repeat(1_000)}`));
  const put = call("f", 10, { logs, outcome: "failed", error: { ...ERROR, says: "y".repeat(100_000) } });
  assert.ok(put !== null && put.body.length < 100_000);
  const kept = invocationIn([put]);
  assert.match(kept?.logs.at(-1)?.text ?? "", /^13[5-9] more lines are not kept/);
  assert.match(kept?.logs[0]?.text ?? "", /^0 x/);
});
