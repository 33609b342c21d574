import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "undici";
import { openHttpDoor } from "#doors/http/door.ts";
import type { NewEvent } from "#domain/event.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Engine } from "#engine/engine.ts";
import { RETIRED, startConsumer } from "#engine/consumer.ts";
import { soleNode } from "#engine/nodes.ts";
import { AUTH, emptyDesk, givenHouse, JSON_HEADERS } from "../../../../test/given-http.ts";
import { until } from "../../../../test/support/until.ts";

const event = (type: string, subject = "s"): NewEvent => ({
  type,
  subject,
  timeMs: 1_000,
  data: '{"n":1}',
  traceparent: null,
});

/** Frames of a stream of server-sent events, until enough have come. */
async function frames(body: AsyncIterable<Buffer>, enough: number): Promise<readonly Record<string, string>[]> {
  const found: Record<string, string>[] = [];
  let text = "";
  for await (const chunk of body) {
    text += chunk.toString("utf8");
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      if (part.startsWith(":")) continue;
      found.push(
        Object.fromEntries(
          part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        ),
      );
    }
    if (found.length >= enough) break;
  }
  return found;
}

async function kill(engine: Engine, key: string, queue = "q"): Promise<void> {
  const { store } = engine.parts;
  const job = {
    key,
    queue,
    lane: "bulk" as const,
    turn: 1,
    dueMs: 0,
    payload: `{"of":"${key}"}`,
    traceparent: null,
    heldForMs: null,
  };
  await store.commit([{ jobs: [job] }]);
  const [held] = await store.claim([{ queue, lane: "bulk", limit: 1 }], 1_000);
  assert.ok(held !== undefined);
  await store.commit([{ job: { ref: held, end: { kind: "dead", error: `${key} gave up` } } }]);
}

test("events are CloudEvents, read in pages, by the beginning of their type and by subject", async () => {
  await using given = await givenHouse();
  await given.house.engine.submit({
    events: [
      event("message.sent", "a"),
      event("list.created"),
      event("message.sent", "b"),
      event("message.canceled", "a"),
    ],
  });
  const get = async (query: string) =>
    (await given.app.inject({ url: `/admin/events${query}`, headers: AUTH })).json<{
      events: JsonObject[];
      next: number;
      more: boolean;
      last: number;
    }>();
  const all = await get("");
  assert.deepEqual(
    all.events.map(({ type }) => type),
    ["message.sent", "list.created", "message.sent", "message.canceled"],
  );
  assert.deepEqual([all.next, all.more, all.last], [4, false, 4]);
  assert.deepEqual(
    { ...all.events[0], id: "" },
    {
      specversion: "1.0",
      id: "",
      source: "tidings",
      type: "message.sent",
      subject: "a",
      time: "1970-01-01T00:00:01.000Z",
      datacontenttype: "application/json",
      sequence: "1",
      data: { n: 1 },
    },
  );
  const first = await get("?type=message.&limit=2");
  assert.deepEqual([first.events.map(({ sequence }) => sequence), first.next, first.more], [["1", "3"], 3, true]);
  assert.deepEqual(
    (await get(`?type=message.&after=${first.next}`)).events.map(({ sequence }) => sequence),
    ["4"],
  );
  assert.deepEqual(
    (await get("?subject=a")).events.map(({ sequence }) => sequence),
    ["1", "4"],
  );
});

test("the stream tells what happens next, resumes behind the last one seen, and ends with the door", async () => {
  await using given = await givenHouse();
  const door = await openHttpDoor(given.house, { port: 0, host: "127.0.0.1" });
  const { engine } = given.house;
  await engine.submit({ events: [event("message.sent", "old")] });
  const live = await request(`${door.url}/admin/events/stream?type=message.`, { headers: AUTH });
  assert.match(String(live.headers["content-type"]), /^text\/event-stream/);
  const coming = frames(live.body, 2);
  await engine.submit({ events: [event("list.created"), event("message.sent", "new")] });
  await engine.submit({ events: [event("message.canceled", "new")] });
  const got = await coming;
  assert.deepEqual(
    got.map(({ id, event: type }) => `${id} ${type}`),
    ["3 message.sent", "4 message.canceled"],
  );
  assert.deepEqual((JSON.parse(got[0]?.["data"] ?? "") as JsonObject)["subject"], "new");
  const resumed = await request(`${door.url}/admin/events/stream`, { headers: { ...AUTH, "last-event-id": "2" } });
  assert.deepEqual(
    (await frames(resumed.body, 2)).map(({ id }) => id),
    ["3", "4"],
  );
  const open = await request(`${door.url}/admin/events/stream`, { headers: AUTH });
  const ended = open.body.text();
  await door[Symbol.asyncDispose]();
  assert.equal(await ended, ": tidings\n\n");
});

test("a stream hands over a long backlog whole and in order", async () => {
  await using given = await givenHouse();
  await using door = await openHttpDoor(given.house, { port: 0, host: "127.0.0.1" });
  await given.house.engine.submit({ events: Array.from({ length: 1_001 }, (_, n) => event("x", `s${n}`)) });
  const answer = await request(`${door.url}/admin/events/stream?after=0`, { headers: AUTH });
  const got = await frames(answer.body, 1_001);
  assert.deepEqual(
    got.map(({ id }) => Number(id)),
    Array.from({ length: 1_001 }, (_, n) => n + 1),
  );
});

test("dead letters are listed, read, fixed and tried again, one or all, or thrown away", async () => {
  await using given = await givenHouse();
  const { engine, store } = given.house;
  for (const key of ["a", "b", "c/%"]) await kill(engine, key);
  await kill(engine, "other", "elsewhere");
  const get = async (path: string) =>
    (await given.app.inject({ url: `/admin/dead-letters${path}`, headers: AUTH })).json<
      JsonObject & { results: { key: string }[]; paging: { cursor: string } }
    >();
  const redrive = async (payload: JsonObject) =>
    (
      await given.app.inject({
        method: "POST",
        url: "/admin/dead-letters/redrive",
        headers: JSON_HEADERS,
        payload: JSON.stringify(payload),
      })
    ).json<JsonObject>();
  const page = await get("?queue=q&limit=2");
  assert.deepEqual(
    page.results.map(({ key }) => key),
    ["a", "b"],
  );
  assert.deepEqual(
    (await get(`?queue=q&cursor=${page.paging.cursor}`)).results.map(({ key }) => key),
    ["c/%"],
  );
  const { died, enqueued, ...letter } = await get(`/${encodeURIComponent("c/%")}`);
  assert.deepEqual([typeof died, typeof enqueued], ["number", "number"]);
  assert.deepEqual(letter, {
    key: "c/%",
    queue: "q",
    lane: "bulk",
    error: "c/% gave up",
    attempts: 1,
    payload: { of: "c/%" },
    traceparent: null,
  });
  assert.deepEqual(await redrive({ keys: ["a", "never"], payload: { x: 1 } }), {
    type: "invalid_request_error",
    message: '"payload" replaces the payload of one dead letter: give one key with it.',
    code: "request.invalid",
    hint: "The message names the field and what it should be.",
  });
  assert.deepEqual(await redrive({ keys: ["a"], payload: { fixed: true } }), { revived: 1, gone: 0, more: false });
  assert.deepEqual(
    (await store.jobs(["a"])).map((job) => [job?.state, job?.payload]),
    [["ready", '{"fixed":true}']],
  );
  assert.deepEqual(await redrive({ keys: ["a", "b"] }), { revived: 1, gone: 1, more: false });
  const remove = () => given.app.inject({ method: "DELETE", url: "/admin/dead-letters/other", headers: AUTH });
  assert.deepEqual([(await remove()).statusCode, (await remove()).statusCode], [204, 404]);
  assert.deepEqual(await redrive({ all: true }), { revived: 1, gone: 0, more: false });
  assert.deepEqual((await get("")).results, []);
});

test("queues and consumers show how far everything has come", async () => {
  await using given = await givenHouse();
  const { engine, clock } = given.house;
  await kill(engine, "a");
  await engine.submit({
    events: [event("x"), event("y"), event("z")],
    checkpoints: [{ consumer: "log", partition: 0, position: 1, updatedMs: 7 }],
  });
  const get = async (path: string) => (await given.app.inject({ url: path, headers: AUTH })).json<JsonObject>();
  assert.deepEqual(await get("/admin/queues"), {
    queues: [{ queue: "q", lane: "bulk", waiting: 0, ready: 0, held: 0, parked: 0, dead: 1, oldestReady: null }],
  });
  const { last, consumers } = (await get("/admin/consumers")) as { last: number; consumers: { lagMs: number }[] };
  const [{ lagMs, ...log } = { lagMs: 0 }] = consumers;
  const place = { consumer: "log", partition: 0, position: 1, updated: 7, lagEvents: 2 };
  assert.deepEqual([last, log], [3, { ...place, state: "gone", failing: null, dead: 0 }], "no job stands for it");
  assert.ok(Math.abs(lagMs - (clock.nowMs() - 1_000)) < 60_000);
});

test("a reader that somebody works on is told from one that fails, and from one that was divided away", async () => {
  await using given = await givenHouse();
  const { engine } = given.house;
  let isTried = (): void => {};
  const tried = new Promise<void>((resolve) => (isTried = resolve));
  await startConsumer(engine, {
    name: "mirror",
    startFrom: "earliest",
    batchMax: 10,
    partitions: 1,
    attemptsMax: 9,
    ageMaxMs: null,
    bisect: false,
    handle: async () => {
      isTried();
      throw new Error("not today");
    },
  });
  await engine.submit({
    events: [event("x")],
    checkpoints: [{ consumer: "mirror", partition: 1, position: RETIRED, updatedMs: 7 }],
  });
  await tried;
  const { consumers } = await until("the failure is noted", async () => {
    const answer = await given.app.inject({ url: "/admin/consumers", headers: AUTH });
    const report = answer.json<{ consumers: JsonObject[] }>();
    return report.consumers[0]?.["failing"] === null ? null : report;
  });
  assert.equal(consumers.length, 1);
  assert.deepEqual(
    consumers.map(({ lagMs: _, updated: __, ...rest }) => rest),
    [
      {
        consumer: "mirror",
        partition: 0,
        position: 0,
        lagEvents: 1,
        state: "working",
        failing: { position: 1, attempts: 1 },
        dead: 0,
      },
    ],
  );
});

test("why is asked of a message or of someone's newest messages", async () => {
  const asked: string[] = [];
  await using given = await givenHouse({
    desk: {
      ...emptyDesk(),
      why: async (id) => {
        asked.push(id);
        const [record] = await given.house.store.messages([id]);
        return record == null
          ? null
          : {
              record,
              answer: "Yes.",
              rule: null,
              deadline: { atMs: 2, late: "drop", byMs: null, rule: null },
              steps: [{ atMs: 1, type: "message.sent", sentence: "Sent." }],
            };
      },
    },
  });
  const sent: string[] = [];
  for (const to of ["ada", "ada", "eve"]) {
    const answer = await given.app.inject({
      method: "POST",
      url: "/send",
      headers: JSON_HEADERS,
      payload: { message: { to: { user_id: to }, content: { title: "t", body: "b" } } },
    });
    sent.push(answer.json<{ requestId: string }>().requestId);
  }
  const why = async (query: string) => await given.app.inject({ url: `/admin/why?${query}`, headers: AUTH });
  const one = (await why(`message=${sent[2]}`)).json<{
    results: { answer: string; deadline: JsonObject; steps: JsonObject[]; message: { recipient: string } }[];
  }>();
  assert.deepEqual(
    one.results.map(({ answer, steps, message }) => [answer, steps, message.recipient]),
    [["Yes.", [{ at: 1, type: "message.sent", sentence: "Sent." }], "eve"]],
  );
  assert.deepEqual(one.results[0]?.deadline, { at: 2, late: "drop", lateBy: null, rule: null });
  assert.equal((await why("recipient=ada")).json<{ results: unknown[] }>().results.length, 2);
  assert.deepEqual(
    [(await why("recipient=nobody")).statusCode, (await why("message=nonsense")).statusCode],
    [404, 404],
  );
});

test("the nodes are listed with what one needs to know of each, this one among them", async () => {
  const self = { id: "0a1b", role: "all", version: "0.1.0" } as const;
  const other = {
    id: "0c2d",
    role: "worker",
    version: "0.2.0",
    startedMs: 2,
    seenMs: 3,
    isLive: false,
    isSelf: false,
  } as const;
  const sole = soleNode(self, 1);
  await using given = await givenHouse({ nodes: { ...sole, workers: 1, list: () => [...sole.list(), other] } });
  const { statusCode, body } = await given.app.inject({ url: "/admin/nodes", headers: AUTH });
  assert.equal(statusCode, 200);
  assert.deepEqual(JSON.parse(body), {
    workers: 1,
    nodes: [
      { id: "0a1b", role: "all", version: "0.1.0", started: 1, seen: 1, live: true, self: true },
      { id: "0c2d", role: "worker", version: "0.2.0", started: 2, seen: 3, live: false, self: false },
    ],
  });
});
