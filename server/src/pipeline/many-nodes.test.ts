import assert from "node:assert/strict";
import { test } from "node:test";
import { openDirectory } from "#directory/directory.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Role } from "#domain/role.ts";
import type { Document, DocumentKey } from "#domain/document.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import { ScriptedProvider, testSecrets, World, type WorldOptions } from "../../test/support/world.ts";

/** Two and more nodes of one Tidings on one store, on virtual time. */

const mail = (to: string) => ({ to: { email: to }, content: { title: "t", body: "b" } });

function node(id: string, role: Role, beside: World | null, options: WorldOptions = {}): Promise<World> {
  return World.start({ ...options, node: { id, role, ...(beside === null ? {} : { beside }) } });
}

async function statusOf(world: World, id: string): Promise<string | undefined> {
  const { messages } = await world.settle(world.store.listMessages({ archived: true }, { after: null, limit: 10_000 }));
  return messages.find((message) => message.id === id)?.status;
}

async function sent(world: World, to: string): Promise<string> {
  const accepted = await world.send(mail(to));
  assert.ok(accepted.kind === "accepted");
  return accepted.requestId;
}

/** The same store but for what is given. */
function changed(store: Store, changes: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

class Paced extends ScriptedProvider {
  readonly perSecondMax: number;
  readonly atMs: number[] = [];

  constructor(perSecondMax: number, nowMs: () => number) {
    super();
    this.perSecondMax = perSecondMax;
    this.answer = () => {
      this.atMs.push(nowMs());
      return { kind: "sent", reference: {} };
    };
  }
}

test("an api node accepts and sends nothing; what it accepted, a worker sends at once, and both can tell", async () => {
  const api = await node("a", "api", null);
  const worker = await node("b", "worker", api);
  const id = await sent(api, "ada@example.com");
  await api.pass(10);
  assert.deepEqual([api.provider.seen.length, worker.provider.seen.length], [0, 1]);
  assert.equal(await statusOf(api, id), "SENT");
  const why = await api.settle(api.pipeline.desk.why(id as never));
  assert.match(why?.answer ?? "", /^Yes: smtp took it/);
});

test("without a worker nothing is lost: what an api node accepts waits, and what it re-drives or cancels is done", async () => {
  const api = await node("a", "api", null);
  const [first, second] = [await sent(api, "ada@example.com"), await sent(api, "bob@example.com")];
  await api.pass(60_000);
  assert.equal(await statusOf(api, first), "ENQUEUED");
  assert.equal((await api.settle(api.pipeline.desk.cancel(first as never))).kind, "canceled");
  const worker = await node("b", "worker", api);
  await api.pass(1_000);
  assert.deepEqual([await statusOf(api, first), await statusOf(api, second)], ["CANCELED", "SENT"]);
  assert.equal(worker.provider.seen.length, 1);
});

test("a dead letter is re-driven through an api node, with what the stage says of it", async () => {
  const provider = new ScriptedProvider();
  provider.answer = () => ({ kind: "unknown", reason: "silent" });
  const api = await node("a", "api", null);
  const worker = await node("b", "worker", api, { providers: [provider], onUnknown: "hold" });
  const id = await sent(api, "ada@example.com");
  await api.pass(1_000);
  assert.notEqual(await api.settle(api.store.deadJob(id)), null);
  provider.answer = () => ({ kind: "sent", reference: {} });
  assert.deepEqual(await api.settle(api.engine.settleDead(id, "revive")), { kind: "committed", skipped: [] });
  await api.pass(1_000);
  assert.equal(await statusOf(worker, id), "SENT");
});

/** A provider that holds what it gets until the test lets it go. */
function narrow(): { readonly provider: Provider; readonly seen: Envelope[]; readonly open: () => void } {
  const seen: Envelope[] = [];
  const waiting: (() => void)[] = [];
  const provider: Provider = {
    key: "smtp",
    channels: ["email"],
    concurrencyMax: 1,
    send: async (envelopes, report) => {
      for (const [at, envelope] of envelopes.entries()) {
        seen.push(envelope);
        await new Promise<void>((resolve) => waiting.push(resolve));
        report(at, { kind: "sent", reference: {} });
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { provider, seen, open: () => waiting.splice(0).forEach((go) => go()) };
}

test("nothing after no, across nodes: what one node has acknowledged, another that stands at the gate does not send", async () => {
  const { provider, seen, open } = narrow();
  const worker = await node("b", "worker", null, { providers: [provider] });
  const api = await node("a", "api", worker);
  const directory = openDirectory(api.engine, testSecrets);
  for (const user of ["ada", "bob"]) {
    await api.settle(directory.profiles.merge(user, { email: `${user}@example.com` }));
    await api.settle(directory.subscriptions.subscribe("news", { userId: user }));
  }
  await api.send({ to: { email: "first@example.com" }, content: { title: "t", body: "b" } });
  await api.send({ to: { list_id: "news" }, content: { title: "t", body: "b" } });
  await api.send({ to: { email: "cyd@example.com" }, content: { title: "t", body: "b" } });
  await api.pass(1_000);
  assert.equal(seen.length, 1, "the others stand at the gate, routed");
  await api.settle(directory.subscriptions.unsubscribe("news", "ada"));
  const why = { reason: "manual", detail: "", messageId: null } as const;
  await api.settle(directory.suppressions.add([{ channel: "email", address: "cyd@example.com", ...why }]));
  for (let n = 0; n < 20; n += 1) {
    open();
    await api.pass(500);
  }
  const to = seen.map(({ content }) => (content.channel === "email" ? content.to : ""));
  assert.deepEqual(to, ["first@example.com", "bob@example.com"]);
  const { messages } = await api.settle(api.store.listMessages({ archived: true }, { after: null, limit: 10 }));
  const ends = messages.map(({ status, reason }) => `${status} ${reason ?? ""}`.trim()).toSorted();
  assert.deepEqual(ends, ["SENT", "SENT", "UNDELIVERABLE UNSUBSCRIBED", "UNDELIVERABLE BOUNCED"].toSorted());
});

test("while the store cannot say whether it is still wanted, nothing is sent, and nobody is given up", async () => {
  let fails = false;
  const wrap: WorldOptions["wrap"] = (store): Store => {
    const documents = (keys: readonly DocumentKey[]): Promise<readonly (Document | null)[]> =>
      fails && keys.some(({ collection }) => collection === "suppressions")
        ? Promise.reject(new StoreFault("store.failed", "gone"))
        : store.documents(keys);
    return changed(store, { documents });
  };
  const { provider, seen, open } = narrow();
  const worker = await node("b", "all", null, { wrap, providers: [provider] });
  const [first, second] = [await sent(worker, "ada@example.com"), await sent(worker, "bob@example.com")];
  await worker.pass(100);
  fails = true;
  open();
  await worker.pass(10_000);
  assert.equal(seen.length, 1);
  fails = false;
  for (let n = 0; n < 10; n += 1) {
    open();
    await worker.pass(2_000);
  }
  assert.deepEqual([await statusOf(worker, first), await statusOf(worker, second)], ["SENT", "SENT"]);
});

test("on a store of one process the gate asks nobody", async () => {
  let reads = 0;
  const wrap: WorldOptions["wrap"] = (store): Store => {
    const documents: Store["documents"] = (keys) => {
      reads += keys.filter(({ collection }) => collection === "suppressions").length;
      return store.documents(keys);
    };
    return changed(store, { documents });
  };
  const world = await World.start({ wrap });
  await world.send(mail("ada@example.com"));
  await world.pass(100);
  assert.deepEqual([world.provider.seen.length, reads], [1, 1]);
});

/** The most that went within any second. */
function mostPerSecond(atMs: readonly number[]): number {
  const sorted = atMs.toSorted((one, other) => one - other);
  return Math.max(0, ...sorted.map((fromMs, at) => sorted.slice(at).findIndex((ms) => ms >= fromMs + 1_000)));
}

test("so many a second are so many for all nodes together, whichever of them come and go", async () => {
  const clock = { nowMs: () => 0 };
  const provider = new Paced(20, () => clock.nowMs());
  const options = { providers: [provider] };
  const a = await node("a", "all", null, options);
  clock.nowMs = () => a.clock.nowMs();
  for (let n = 0; n < 1_500; n += 1) void a.send(mail(`${n}@example.com`));
  await a.pass(10_000, 50);
  const alone = provider.atMs.length;
  assert.ok(alone > 180 && alone <= 205, `${alone} in ten seconds`);
  const b = await node("b", "worker", a, options);
  await a.pass(10_000, 50);
  await node("c", "worker", a, options);
  await a.pass(10_000, 50);
  await b.stop(5_000);
  await a.pass(10_000, 50);
  assert.ok(mostPerSecond(provider.atMs) <= 23, `${mostPerSecond(provider.atMs)} within a second`);
  await a.pass(120_000, 50);
  assert.equal(new Set(provider.seen.map(({ messageId }) => messageId)).size, 1_500);
  assert.equal(provider.seen.length, 1_500, "none twice");
});

test("what waits for its pace keeps its patience, goes once to the store and lets login codes pass", async () => {
  const clock = { nowMs: () => 0 };
  const provider = new Paced(2, () => clock.nowMs());
  let agains = 0;
  const wrap: WorldOptions["wrap"] = (store): Store => {
    const commit: Store["commit"] = (units) => {
      agains += units.filter(({ job }) => job?.end.kind === "again").length;
      return store.commit(units);
    };
    return changed(store, { commit });
  };
  const world = await World.start({ providers: [provider, new ScriptedProvider("sms", ["sms"])], wrap });
  clock.nowMs = () => world.clock.nowMs();
  const directory = openDirectory(world.engine, testSecrets);
  for (let n = 0; n < 200; n += 1) {
    await world.settle(directory.profiles.merge(`u${n}`, { email: `u${n}@example.com`, phone_number: `+4600${n}` }));
    await world.settle(directory.subscriptions.subscribe("news", { userId: `u${n}` }));
  }
  const routing = { method: "single", channels: ["email", "sms"] };
  const timeout = { channel: { email: 30_000 } };
  await world.send({ to: { list_id: "news" }, content: { title: "t", body: "b" }, routing, timeout });
  await world.pass(20_000, 100);
  const code = await sent(world, "code@example.com");
  await world.pass(1_000, 100);
  assert.equal(await statusOf(world, code), "SENT");
  await world.pass(120_000, 100);
  assert.equal(provider.seen.length, 201, "none fell back to the other channel");
  assert.ok(agains < 300, `${agains} went back to the store`);
});

/** Asks to be left alone for half a minute until it is well. */
function ill(clock: { nowMs: () => number }) {
  const state = { well: false };
  const provider = new ScriptedProvider();
  const atMs: number[] = [];
  provider.answer = (): Outcome => {
    atMs.push(clock.nowMs());
    return state.well
      ? { kind: "sent", reference: {} }
      : { kind: "retry", reason: "421 too much", whole: true, afterMs: 30_000 };
  };
  return { provider, state, atMs };
}

test("what one node has found out, the others need not: they rest the same destination, and one probes", async () => {
  const clock = { nowMs: () => 0 };
  const [one, other] = [ill(clock), ill(clock)];
  const a = await node("a", "all", null, { providers: [one.provider] });
  const b = await node("b", "all", a, { providers: [other.provider] });
  clock.nowMs = () => a.clock.nowMs();
  await a.send(mail("first@example.com"));
  await a.pass(10);
  assert.deepEqual([one.atMs.length, other.atMs.length], [1, 0]);
  const restMs = clock.nowMs() + 30_000;
  await a.pass(2_500);
  for (let n = 0; n < 30; n += 1) await b.send(mail(`b${n}@example.com`));
  await a.pass(27_000, 100);
  assert.deepEqual([one.atMs.length, other.atMs.length], [1, 0], "it has heard that the destination rests");
  one.state.well = other.state.well = true;
  for (let n = 0; n < 5; n += 1) await b.send(mail(`c${n}@example.com`));
  await a.pass(60_000, 100);
  assert.ok((one.atMs[1] ?? 0) <= restMs + 1_500, "the one that found it out tries again when the rest is over");
  assert.ok(
    other.atMs.every((ms) => ms > (one.atMs[1] ?? 0)),
    "and the other when that is known",
  );
  const { messages } = await a.settle(a.store.listMessages({ archived: true }, { after: null, limit: 100 }));
  assert.equal(messages.filter(({ status }) => status === "SENT").length, 36);
});

test("a node waits no longer than others tell it to", async () => {
  const clock = { nowMs: () => 0 };
  const [one, other] = [ill(clock), ill(clock)];
  const a = await node("a", "all", null, { providers: [one.provider] });
  const b = await node("b", "all", a, { providers: [other.provider] });
  other.state.well = true;
  await a.send(mail("first@example.com"));
  await a.pass(2_500, 100);
  await a.stop(0);
  await b.pass(3_000, 100);
  const id = await sent(b, "second@example.com");
  await b.pass(100);
  assert.equal(await statusOf(b, id), "SENT", "the one that told it is gone, and nobody tells it any more");
});

test("pages of a fan-out spread over the workers, and every subscriber is written to once", async () => {
  const slow = (): ScriptedProvider => {
    const provider = new ScriptedProvider();
    provider.answer = () =>
      new Promise((resolve) => void a.clock.after(20, () => resolve({ kind: "sent", reference: {} })));
    return provider;
  };
  const [one, other] = [slow(), slow()];
  const a: World = await node("a", "worker", null, { providers: [one] });
  const b = await node("b", "worker", a, { providers: [other] });
  const api = await node("c", "api", a);
  const directory = openDirectory(api.engine, testSecrets);
  const subscribers = 4_000;
  const joining = Array.from({ length: subscribers }, async (_, n) => {
    await directory.profiles.merge(`u${n}`, { email: `u${n}@example.com` });
    await directory.subscriptions.subscribe("news", { userId: `u${n}` });
  });
  await api.settle(Promise.all(joining));
  await api.send({ to: { list_id: "news" }, content: { title: "t", body: "b" } });
  await b.pass(60_000, 100);
  const seen = [one, other].map((provider) => provider.seen.length);
  assert.ok(Math.min(...seen) > subscribers / 4, seen.join(" and "));
  const all = [...one.seen, ...other.seen].map(({ messageId }) => messageId);
  assert.deepEqual([all.length, new Set(all).size], [subscribers, subscribers]);
});

test("of calls with one idempotency key at several nodes at once, one is done, and all get its answer", async () => {
  const a = await node("a", "all", null);
  const b = await node("b", "all", a);
  const once = { key: "k" };
  const [first, second] = await Promise.all([
    a.send(mail("ada@example.com"), once),
    b.send(mail("ada@example.com"), once),
  ]);
  await a.pass(1_000);
  const kinds = [first.kind, second.kind].toSorted();
  assert.deepEqual(kinds, ["accepted", "repeated"]);
  assert.equal(a.provider.seen.length + b.provider.seen.length, 1);
  const accepted = first.kind === "accepted" ? first : second;
  const repeated = first.kind === "repeated" ? first : second;
  assert.ok(accepted.kind === "accepted" && repeated.kind === "repeated");
  assert.match(repeated.record.body, new RegExp(accepted.requestId));
});

test("what a dead worker had in hand, another one has when the leases are over", async () => {
  const { provider, seen } = narrow();
  const dying = await node("a", "worker", null, { providers: [provider] });
  const api = await node("c", "api", dying);
  const [first, second] = [await sent(api, "first@example.com"), await sent(api, "second@example.com")];
  await api.pass(100);
  assert.equal(seen.length, 1);
  dying.die();
  const other = await node("b", "worker", api);
  await api.pass(20_000, 500);
  assert.equal(other.provider.seen.length, 0);
  await api.pass(20_000, 500);
  assert.deepEqual([await statusOf(api, first), await statusOf(api, second)], ["SENT", "SENT"]);
  assert.deepEqual([seen.length, other.provider.seen.length], [1, 2], "only what was in the call came twice");
});
