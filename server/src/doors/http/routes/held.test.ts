import assert from "node:assert/strict";
import { test } from "node:test";
import { newRequestId } from "#domain/ids.ts";
import { restoredPut } from "#pipeline/restored.ts";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY } from "../../../../test/given-http.ts";

const REQUEST = newRequestId(1_000_000, "a".repeat(24));

/** A house in which `many` jobs of a queue that nobody works here are held back, after those of one request. */
async function heldHouse(many: number) {
  const given = await givenHouse();
  const { store } = given.house;
  const job = (key: string, queue: string) => ({
    key,
    queue,
    lane: "bulk" as const,
    turn: 1,
    dueMs: 0,
    payload: "",
    traceparent: null,
    heldForMs: null,
  });
  const others = Array.from({ length: many }, (_, n) => job(`k${String(n).padStart(6, "0")}`, "other"));
  await store.commit([{ jobs: [...others, job(`${REQUEST}:ada`, "message"), job(`${REQUEST}:bo`, "message")] }]);
  while ((await store.park(10_000)) > 0);
  await store.commit([{ puts: [restoredPut({ backupMadeMs: 5, restoredMs: 6, parked: many + 2 })] }]);
  const post = async (path: string, payload: object) => {
    const response = await given.app.inject({
      method: "POST",
      url: `/admin/held/${path}`,
      headers: JSON_HEADERS,
      payload,
    });
    return { status: response.statusCode, body: response.json<Step>() };
  };
  const get = async <T>(path: string) =>
    (await given.app.inject({ url: `/admin/held${path}`, headers: AUTH })).json<T>();
  return { ...given, store, post, get };
}

type Step = { readonly done: number; readonly gone: number; readonly message?: string; readonly paging: Paging };
type Paging = { readonly more: boolean; readonly cursor: string | null };
type Page = { readonly paging: Paging; readonly results: readonly { readonly key: string }[] };

test("where nothing was restored nothing is held back", async () => {
  await using given = await givenHouse();
  const report = (await given.app.inject({ url: "/admin/held", headers: AUTH })).json<object>();
  assert.deepEqual(report, { restored: null, jobs: 0, queues: [], lists: [], listsComplete: true });
  const page = (await given.app.inject({ url: "/admin/held/jobs", headers: AUTH })).json<Page>();
  assert.deepEqual(page, { paging: { cursor: null, more: false }, results: [] });
});

test("the report counts by queue and lane and knows the backup; the jobs come in pages", async () => {
  await using given = await heldHouse(7);
  const report = await given.get<{ jobs: number; restored: object; queues: { queue: string; jobs: number }[] }>("");
  assert.deepEqual([report.jobs, report.restored], [9, { backupMade: 5, restored: 6, parked: 9 }]);
  assert.deepEqual(
    report.queues.map(({ queue, jobs }) => [queue, jobs]),
    [
      ["message", 2],
      ["other", 7],
    ],
  );
  const keys: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Page = await given.get<Page>(`/jobs?queue=other&limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`);
    assert.ok(page.results.length <= 3);
    keys.push(...page.results.map(({ key }) => key));
    cursor = page.paging.more ? page.paging.cursor : null;
  }
  assert.deepEqual(keys, ["k000000", "k000001", "k000002", "k000003", "k000004", "k000005", "k000006"]);
  const ofRequest = await given.get<Page>(`/jobs?request=${REQUEST}`);
  assert.deepEqual([ofRequest.results, ofRequest.paging.more], [[], true], "a page may be empty although more follow");
});

test("a call goes one bounded step, and its cursor goes on where it stopped", async () => {
  await using given = await heldHouse(9_000);
  let [done, calls] = [0, 0];
  for (let cursor: string | null = null, more = true; more; ) {
    const { status, body }: { status: number; body: Step } = await given.post("release", {
      queue: "other",
      ...(cursor === null ? {} : { cursor }),
    });
    assert.equal(status, 200);
    done += body.done;
    calls += 1;
    ({ cursor, more } = body.paging);
  }
  assert.deepEqual([done, calls], [9_000, 3]);
  assert.deepEqual(
    (await given.store.depths()).map(({ queue, ready, parked }) => [queue, ready, parked]),
    [
      ["message", 0, 2],
      ["other", 9_000, 0],
    ],
  );
});

test("who decided stands in the journal, and what was decided once is not decided again", async () => {
  await using given = await heldHouse(1);
  assert.deepEqual((await given.post("drop", { request: REQUEST })).body.done, 2);
  assert.deepEqual((await given.post("drop", { request: REQUEST })).body, {
    done: 0,
    gone: 0,
    paging: { more: false, cursor: null },
  });
  const [told] = await given.store.eventsOf(`${REQUEST}:ada`, 9);
  assert.equal(told?.type, "job.dropped");
  assert.deepEqual(JSON.parse(told.data), {
    queue: "message",
    by: "full",
    rule: "held back when the backup of 1970-01-01T00:00:00.005Z was restored, dropped by full",
  });
});

test("a decision must say which, and only a key that may do everything decides", async () => {
  await using given = await heldHouse(1);
  const says = async (payload: object) => {
    const { status, body } = await given.post("release", payload);
    return [status, body.message ?? ""] as const;
  };
  for (const payload of [{}, { all: false }, { all: true, queue: "other" }, { cursor: "x" }]) {
    const [status, message] = await says(payload);
    assert.equal(status, 400);
    assert.match(message, /^Say which/);
  }
  assert.match((await says({ request: "nonsense" }))[1], /not the id of a request/);
  for (const cursor of ["x", "bm9uc2Vuc2U", Buffer.from("1:[0,1,2]").toString("base64url")])
    assert.match((await says({ all: true, cursor }))[1], /"cursor" is not one of ours/);
  assert.equal((await says({ all: 1 }))[0], 400);
  const reader = { authorization: `Bearer ${READ_KEY}` };
  assert.equal((await given.app.inject({ url: "/admin/held", headers: reader })).statusCode, 403);
  assert.equal((await given.get<{ jobs: number }>("")).jobs, 3);
});
