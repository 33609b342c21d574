import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import { ListQueuesCommand, PurgeQueueCommand } from "@aws-sdk/client-sqs";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { LEASE_MS, LOOK_AGAIN_MS } from "#engine/limits.ts";
import { RULES_CONSUMER } from "#rules/live.ts";
import type { Store } from "#ports/store.ts";
import { clientOptions, makePair, type Pair, REGION, refused } from "../clients/aws-home.ts";
import { Home, type Program } from "../support/program.ts";
import { keysByJournal } from "../support/rules-by-journal.ts";
import { SqsDoor } from "../support/sqs-door.ts";
import { type TestDatabase, testDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

/** Events, rules and queues over several nodes on one Postgres: what one node does is done on all of them. */

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

/** Real nodes on a schema of their own. */
async function started<Names extends string>(at: string, roles: Readonly<Record<Names, string>>) {
  const home = new Home({ TIDINGS_DATABASE_URL: database.url, TIDINGS_DATABASE_SCHEMA: database.schema(at) });
  const names = Object.keys(roles) as Names[];
  try {
    const programs = await Promise.all(names.map((name) => home.start({ TIDINGS_ROLE: roles[name] })));
    // Its keys are the names, each once.
    const nodes = Object.fromEntries(names.map((name, n) => [name, programs[n]])) as Record<Names, Program>;
    return { home, nodes };
  } catch (fault) {
    await home[Symbol.asyncDispose]();
    throw fault;
  }
}

describe("one that serves and two that work", () => {
  /** Events under way while the matcher's node dies. */
  const EVENTS = 600;
  const CALLERS = 8;
  let home: Home;
  let nodes: Record<"api" | "one" | "two", Program>;
  let sqs: SqsDoor;
  let events: EventBridgeClient;
  let store: Store;

  before(async () => {
    ({ home, nodes } = await started("matched", { api: "api", one: "worker", two: "worker" }));
    const pair = await makePair(nodes.api);
    sqs = new SqsDoor(nodes.api, pair);
    events = new EventBridgeClient(clientOptions(nodes.api, pair));
    const schema = database.schema("matched");
    store = await openPostgresStore({ url: database.url, clock: systemClock(), schema, connectionsMax: 2 });
  });
  after(async () => {
    await home[Symbol.asyncDispose]();
    sqs.client.destroy();
    events.destroy();
    await store[Symbol.asyncDispose]();
  });

  const raise = async (id: string, kind: string): Promise<void> => {
    const event = { specversion: "1.0", id, source: "shop.orders", type: "OrderPlaced", data: { kind } };
    const headers = { "content-type": "application/cloudevents+json" };
    const answer = await nodes.api.call("POST", "/events", JSON.stringify(event), headers);
    assert.equal(answer.status, 202, await answer.text());
  };

  /** A rule for events of these kinds, with a queue of its own. */
  const rule = async (Name: string, kinds: readonly string[]): Promise<string> => {
    const url = await sqs.queue(Name);
    await events.send(new PutRuleCommand({ Name, EventPattern: JSON.stringify({ detail: { kind: kinds } }) }));
    const Arn = `arn:aws:sqs:${REGION}:000000000000:${Name}`;
    await events.send(new PutTargetsCommand({ Rule: Name, Targets: [{ Id: "q", Arn }] }));
    return url;
  };

  const matchedBy = async (node: Program): Promise<number> => {
    const text = await (await node.call("GET", "/metrics")).text();
    return Number(/^tidings_rule_matched_total\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };

  test("each event comes once to each rule of its place in the journal, though the node that matches dies", async (t) => {
    const urls = new Map([["first", await rule("first", ["a"])]]);
    await raise("e0", "a");
    const [dying, other] = await until("one of them matches", async () => {
      for (const [one, another] of [
        [nodes.one, nodes.two],
        [nodes.two, nodes.one],
      ] as const)
        if ((await matchedBy(one)) > 0) return [one, another] as const;
      return null;
    });
    let next = 1;
    const caller = async (): Promise<void> => {
      while (next < EVENTS) {
        const number = next++;
        await raise(`e${number}`, number % 2 === 0 ? "a" : "b");
      }
    };
    const load = Array.from({ length: CALLERS }, caller);
    await until("it is under load", async () => next > EVENTS / 4 && (await matchedBy(dying)) > EVENTS / 16);
    const killedMs = performance.now();
    await dying.kill();
    urls.set("second", await rule("second", ["b", "a"]));
    await Promise.all(load);
    await until("the other has taken over", async () => (await matchedBy(other)) > 0, 2 * LEASE_MS);
    t.diagnostic(`taken over after ${Math.round(performance.now() - killedMs)} ms`);
    await until("it has read everything", async () => {
      const [at] = await store.checkpoints(RULES_CONSUMER);
      return (await store.readJournal({ after: at?.position ?? 0, limit: 1, foreignAnd: [] })).events.length === 0;
    });

    const journal = (await store.readJournal({ after: 0, limit: 1_000_000 })).events;
    const positions = new Map(journal.map(({ id, position }) => [id, position]));
    assert.equal([...positions.keys()].filter((id) => /^e\d+$/.test(id)).length, EVENTS);
    const got: string[] = [];
    for (const [name, url] of urls)
      for (const body of await sqs.drain(url)) {
        const { id } = JSON.parse(body) as { id: string };
        got.push(`default/${name}/q:${positions.get(id)}:${id}`);
      }
    assert.deepEqual(got.toSorted(), keysByJournal(journal));
    assert.ok(got.some((key) => key.includes("/second/")));
  });
});

describe("two that do all", () => {
  const ROUNDS = 10;
  /** How soon another node must have heard; by NOTIFY it is a hundredth of it, without it the next look is far behind it. */
  const HEARD_MS_MAX = 1_000;
  /** So long a poll stands in line before something comes for it. */
  const STANDING_MS = 150;
  let home: Home;
  let nodes: Record<"a" | "b", Program>;
  let a: SqsDoor;
  let b: SqsDoor;
  let pair: Pair;

  before(async () => {
    ({ home, nodes } = await started("shared", { a: "all", b: "all" }));
    pair = await makePair(nodes.a);
    [a, b] = [new SqsDoor(nodes.a, pair), new SqsDoor(nodes.b, pair)];
  });
  after(async () => {
    await home[Symbol.asyncDispose]();
    for (const door of [a, b]) door.client.destroy();
  });

  /** How long a poll on the other node takes from `act` on, ms. */
  const heard = async (url: string, act: () => Promise<unknown>, expected: string): Promise<number> => {
    const waiting = b.wait(url);
    await wait(STANDING_MS);
    const startMs = performance.now();
    const [{ message, atMs }] = await Promise.all([waiting, act()]);
    assert.equal(message.Body, expected);
    await b.delete(url, message);
    return atMs - startMs;
  };

  const tell = (latenciesMs: readonly number[]): string => {
    const sorted = latenciesMs.toSorted((one, other) => one - other).map(Math.round);
    assert.ok((sorted.at(-1) ?? 0) < HEARD_MS_MAX, `heard after ${sorted.join(", ")} ms`);
    return `median ${sorted[sorted.length >> 1]} ms, slowest ${sorted.at(-1)} ms`;
  };

  test("a queue that one has made is there for the other", async () => {
    const url = await a.queue("made");
    const { QueueUrls } = await b.client.send(new ListQueuesCommand({ QueueNamePrefix: "made" }));
    assert.equal(QueueUrls?.length, 1);
    await b.send(url, "x");
    assert.deepEqual(await a.drain(url), ["x"]);
  });

  test("who waits at one gets what is sent to the other at once", async (t) => {
    const url = await a.queue("wakes");
    const latencies: number[] = [];
    for (let n = 0; n < ROUNDS; n += 1) latencies.push(await heard(url, () => a.send(url, `m${n}`), `m${n}`));
    t.diagnostic(tell(latencies));
  });

  test("a group that the other frees by a delete, or gives back, wakes who waits for it", async (t) => {
    const url = await a.queue("frees.fifo");
    const latencies: number[] = [];
    for (let n = 0; n < ROUNDS; n += 1) {
      await a.sendTo(url, "g", `${n}-first`);
      await b.sendTo(url, "g", `${n}-second`);
      const { message } = await a.wait(url);
      assert.equal(message.Body, `${n}-first`);
      const isDeleted = n % 2 === 0;
      const free = () => (isDeleted ? a.delete(url, message) : a.hide(url, message, 0));
      latencies.push(await heard(url, free, isDeleted ? `${n}-second` : `${n}-first`));
      if (!isDeleted) assert.deepEqual(await b.drain(url), [`${n}-second`]);
    }
    t.diagnostic(tell(latencies));
  });

  test("the order of a group is that of its sends, wherever each was sent", async () => {
    const url = await a.queue("order.fifo");
    const bodies = Array.from({ length: 40 }, (_, n) => `m${n}`);
    for (const [n, body] of bodies.entries()) {
      await (n % 2 === 0 ? a : b).sendTo(url, "g", body);
      // Clocks of nodes agree to about a millisecond.
      await wait(5);
    }
    assert.deepEqual(await b.drain(url), bodies);
  });

  test("a purge at one takes what was sent before it at the other, and nothing that was sent behind it", async () => {
    const url = await a.queue("purged");
    const sent = new Map<string, { readonly fromMs: number; readonly untilMs: number }>();
    let isOver = false;
    const sender = async (name: string): Promise<void> => {
      for (let n = 0; !isOver; n += 1) {
        const fromMs = performance.now();
        await b.send(url, `${name}-${n}`);
        sent.set(`${name}-${n}`, { fromMs, untilMs: performance.now() });
      }
    };
    const senders = ["s", "t", "u", "v"].map(sender);
    await until("some were sent", () => sent.size > 100);
    const purgeMs = performance.now();
    await a.client.send(new PurgeQueueCommand({ QueueUrl: url }));
    const purgedMs = performance.now();
    const before = sent.size;
    await until("more were sent", () => sent.size > before + 100);
    isOver = true;
    await Promise.all(senders);
    const got = await b.drain(url);
    const gone = [...sent].filter(([body]) => !got.includes(body));
    assert.equal(new Set(got).size, got.length);
    assert.deepEqual(
      gone.filter(([, { fromMs }]) => fromMs > purgedMs),
      [],
      "what was sent behind it is there",
    );
    const early = [...sent].filter(([, { untilMs }]) => untilMs < purgeMs);
    assert.deepEqual(
      early.filter(([body]) => got.includes(body)),
      [],
      "what was sent before it is gone",
    );
    assert.ok(early.length > 50 && got.length > 50);
  });

  test("a key pair that one revokes works no longer at the other after ten seconds", async (t) => {
    const short = await makePair(nodes.a);
    using door = new SqsDoor(nodes.b, short);
    const url = await door.queue("revoked");
    const { status } = await nodes.a.call("DELETE", `/admin/keys/${short.accessKeyId}`);
    assert.equal(status, 204);
    const startMs = performance.now();
    await until(
      "it is refused",
      () =>
        door.send(url, "x").then(
          () => false,
          () => true,
        ),
      12_000,
    );
    assert.equal((await refused(door.send(url, "x"))).status, 403);
    const tookMs = Math.round(performance.now() - startMs);
    assert.ok(tookMs < 11_000, `it took ${tookMs} ms`);
    t.diagnostic(`refused after ${tookMs} ms`);
  });

  test("what was received at a node that dies is received at the other when its time is over", async (t) => {
    const [standard, fifo] = [await a.queue("dies"), await a.queue("dies.fifo")];
    const VisibilityTimeout = 4;
    await a.send(standard, "x");
    await a.sendTo(fifo, "g", "first");
    await a.sendTo(fifo, "g", "second");
    const startMs = performance.now();
    for (const url of [standard, fifo]) assert.equal((await a.receive(url, { VisibilityTimeout })).length, 1);
    await nodes.a.kill();
    const both = await Promise.all([standard, fifo].map((url) => b.wait(url)));
    assert.deepEqual(
      both.map(({ message }) => message.Body),
      ["x", "first"],
    );
    const late = both.map(({ atMs }) => atMs - startMs - VisibilityTimeout * 1_000);
    assert.ok(
      late.every((ms) => ms > 0 && ms < LOOK_AGAIN_MS + HEARD_MS_MAX),
      `${late.join(", ")} ms after their time`,
    );
    await b.delete(fifo, both[1]?.message ?? {});
    assert.deepEqual(await b.drain(fifo), ["second"]);
    t.diagnostic(`visible ${late.map(Math.round).join(" and ")} ms after their time`);
  });
});
