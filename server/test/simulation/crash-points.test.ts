import assert from "node:assert/strict";
import { test } from "node:test";
import { LISTS, PROFILES, SUBSCRIPTIONS, subscriptionId } from "#directory/collections.ts";
import { type RequestId, soleMessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Envelope } from "#ports/provider.ts";
import { StoreFault } from "#ports/store.ts";
import { ScriptedProvider, World } from "../support/world.ts";
import { Ledger, titleOf, type Wish } from "./ledger.ts";

/**
 * One send of each kind, and the process ends at every place where it can make a difference: right before and right
 * after each commit, and before and after each call of a provider. The client repeats what was not answered, with the
 * same key, as clients do. Then the audit: one outcome for everybody, and a second call only for who was in the window.
 */
type Kind = {
  readonly name: string;
  readonly message: SendMessage;
  readonly recipients: readonly string[];
  /** Statuses in the end, sorted: those of the run in which nobody dies. */
  readonly outcomes: readonly string[];
  readonly answer?: (provider: string) => Outcome;
  /** What the client does once the send is accepted, until it is answered; true when it was. */
  then?(run: Run, id: RequestId): Promise<boolean>;
};

const WISH: Wish = { label: "one", unknown: "retry", patienceMs: 72 * 60 * 60 * 1000, delayMs: 0 };
const LIST = "news";
const FIVE = ["ada", "bea", "cleo", "dora", "eve"];
const SENT: Outcome = { kind: "sent", reference: {} };

const KINDS: readonly Kind[] = [
  {
    name: "to an address",
    message: send({ email: "ada@example.com" }),
    recipients: ["ada@example.com"],
    outcomes: ["SENT"],
  },
  { name: "to a list of five", message: send({ list_id: LIST }), recipients: FIVE, outcomes: FIVE.map(() => "SENT") },
  {
    name: "delayed by a minute",
    message: send({ email: "ada@example.com" }, 60_000),
    recipients: ["ada@example.com"],
    outcomes: ["SENT"],
  },
  {
    name: "failed over to the second provider",
    message: send({ email: "ada@example.com" }),
    recipients: ["ada@example.com"],
    outcomes: ["SENT"],
    answer: (provider) => (provider === "smtp" ? { kind: "refused", reason: "554 no" } : SENT),
  },
  {
    name: "cancelled while it is delayed",
    message: send({ email: "ada@example.com" }, 60_000),
    recipients: ["ada@example.com"],
    outcomes: ["CANCELED"],
    async then({ world, ledger }, id) {
      const canceled = await answered(world, world.pipeline.desk.cancel(soleMessageId(id)));
      if (canceled === null || canceled.kind === "unknown" || canceled.record.status !== "CANCELED") return false;
      ledger.canceled(soleMessageId(id));
      return true;
    },
  },
  {
    name: "to a list that one leaves before it is time",
    message: send({ list_id: LIST }, 60_000),
    recipients: FIVE,
    outcomes: ["SENT", "SENT", "SENT", "SENT", "UNDELIVERABLE"],
    async then({ world, ledger }) {
      const gone = { deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId(LIST, "ada") }] };
      // Once the messages are born: who leaves before that has none.
      await world.quiet();
      if (world.dead || (await answered(world, world.engine.commit(gone))) === null) return false;
      ledger.saidNo(`${LIST}/ada`);
      return true;
    },
  },
];

/** Where the process ends: the n-th commit or call, before or after it happens. */
type Point = { readonly at: "commit" | "call"; readonly n: number; readonly when: "before" | "after" };

type Run = { readonly world: World; readonly ledger: Ledger; readonly seen: { commit: number; call: number } };

for (const kind of KINDS) {
  test(`whatever moment the process ends at, all is well with a send ${kind.name}`, async (t) => {
    const clean = await run(kind, null);
    assert.deepEqual(clean.ledger.violations, []);
    assert.deepEqual(statuses(clean), [...kind.outcomes]);
    assert.equal(total(clean.ledger.repeats), 0, "nobody dies, nothing is repeated");
    const points = (["commit", "call"] as const).flatMap((at) =>
      [...Array(clean.seen[at]).keys()].flatMap((n) =>
        (["before", "after"] as const).map((when): Point => ({ at, n: n + 1, when })),
      ),
    );
    let repeated = 0;
    for (const point of points) {
      const { ledger, world, seen } = await run(kind, point);
      const where = `the process ends ${point.when} ${point.at} ${point.n}`;
      assert.ok(seen[point.at] >= point.n && world.clock.monotonicMs() > 0, `${where}: reached`);
      assert.deepEqual(ledger.violations, [], where);
      assert.deepEqual(statuses({ ledger }), [...kind.outcomes], where);
      assert.ok(total(ledger.repeats) <= clean.seen.call, where);
      repeated += total(ledger.repeats);
    }
    t.diagnostic(
      `${clean.seen.commit} commits, ${clean.seen.call} calls, ${points.length} deaths, ${repeated} repeats`,
    );
  });
}

async function run(kind: Kind, point: Point | null): Promise<Run> {
  const ledger = new Ledger();
  const seen = { commit: 0, call: 0 };
  let armed = false;
  const reaches = (at: Point["at"], when: Point["when"]): boolean =>
    armed && point?.at === at && point.n === seen[at] && point.when === when;
  const end = (): void => {
    armed = false;
    world.die();
  };
  const providers = ["smtp", "backup"].map((key) => new ScriptedProvider(key));
  for (const provider of providers) {
    provider.answer = async (envelope: Envelope): Promise<Outcome> => {
      if (armed || point === null) seen.call += 1;
      if (reaches("call", "before")) {
        end();
        return await new Promise<never>(() => {});
      }
      const call = ledger.call(provider.key, envelope, world.clock);
      const outcome = kind.answer?.(provider.key) ?? SENT;
      const answer = ledger.answered(call, outcome, outcome.kind === "sent", WISH.unknown, world.clock);
      if (reaches("call", "after")) end();
      return answer;
    };
  }
  const world: World = new World({
    providers,
    faults: {
      before: () => {
        if (counting) seen.commit += 1;
        if (!reaches("commit", "before")) return;
        end();
        // Whoever waits for this commit is dead; what matters is that it is not done.
        throw new StoreFault("store.failed", "the process is gone");
      },
      after: () => {
        if (reaches("commit", "after")) end();
      },
    },
  });
  let counting = false;
  await world.settle(world.engine.start());
  await populate(world);
  counting = true;
  armed = point !== null;
  await go(kind, { world, ledger, seen });
  return { world, ledger, seen };
}

/** The client, and whoever starts the process again. */
async function go(kind: Kind, run: Run): Promise<void> {
  const { world, ledger } = run;
  let id: RequestId | null = null;
  let told = kind.then === undefined;
  for (let minute = 0; minute < 8; minute += 1) {
    if (world.dead) await world.restart(async (store) => void (await ledger.died(store, world.clock)));
    if (id === null) id = await accepted(run, kind);
    if (id !== null && !told && !world.dead) told = (await kind.then?.(run, id)) ?? true;
    for (let second = 0; second < 4 && !world.dead && told; second += 1) await world.pass(15_000, 5_000);
    if (!told && !world.dead) await world.pass(100);
  }
  assert.ok(id !== null && told && !world.dead, "in eight minutes everybody was answered");
  await ledger.audit(world.store);
}

async function accepted({ world, ledger }: Run, { message, recipients }: Kind): Promise<RequestId | null> {
  const { pipeline, clock } = world;
  const once = { key: "once", fingerprint: "f", expiresMs: clock.nowMs() + 86_400_000 };
  const text = JSON.stringify({ message });
  const answer = await answered(
    world,
    pipeline.accept.accept({ text, message, traceparent: null, share: "key", once }),
  );
  if (answer === null || answer.kind === "refused" || answer.kind === "overloaded") return null;
  const id =
    answer.kind === "accepted"
      ? answer.requestId
      : // Accept writes this body.
        (JSON.parse(answer.record.body) as { requestId: RequestId }).requestId;
  const who = new Set(recipients);
  ledger.accepted(id, { recipients: "exactly", of: () => who });
  return id;
}

/** Null when the process dies before it answers. */
async function answered<T>(world: World, asked: Promise<T>): Promise<T | null> {
  let answer: T | null = null;
  asked.then(
    (value) => {
      answer = value;
    },
    () => {},
  );
  for (let turn = 0; turn < 200 && answer === null && !world.dead; turn += 1) await world.quiet(1);
  return answer;
}

async function populate(world: World): Promise<void> {
  await world.put(LISTS, LIST, { name: LIST, preferences: null, deletedMs: null });
  for (const user of FIVE) {
    await world.put(PROFILES, user, { email: `${user}@example.com` });
    await world.put(SUBSCRIPTIONS, subscriptionId(LIST, user), { preferences: null, data: null }, [["user", user]]);
  }
}

function send(to: JsonObject, delayMs = 0): SendMessage {
  const content = { title: titleOf({ ...WISH, delayMs }), body: "Hello" };
  return { to, content, metadata: { trace_id: "once" }, ...(delayMs > 0 ? { delay: { duration: delayMs } } : {}) };
}

function statuses({ ledger }: Pick<Run, "ledger">): readonly string[] {
  return Object.entries(ledger.outcomes)
    .flatMap(([status, n]) => Array<string>(n).fill(status))
    .sort();
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}
