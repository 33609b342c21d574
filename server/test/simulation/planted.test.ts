import assert from "node:assert/strict";
import { test } from "node:test";
import type { Document, DocumentKey } from "#domain/document.ts";
import { Gate, type Passage } from "#pipeline/gate.ts";
import { Revocations } from "#pipeline/revocations.ts";
import type { EnqueuedJob, Store, Unit, Verdict } from "#ports/store.ts";
import type { Life } from "../support/world.ts";
import { shrink } from "./shrink.ts";
import { simulate, STEPS_DEFAULT } from "./simulation.ts";
import { altered } from "./slow-store.ts";

/**
 * Does the simulation bite? Bugs that are known, each put between engine and store or into one method for as long as the
 * test runs; each must be caught by the ledger within the seeds stated beside it. What a plant says is caught is the
 * violation that is expected, so that a bug is not found by accident.
 */
const never = new Promise<never>(() => {});

type Plant = (store: Store, life: Life) => Store;

/** Hands every unit to the store in another form. */
function units(change: (unit: Unit) => Unit): Plant {
  return (store) => altered(store, { commit: (given) => store.commit(given.map(change)) });
}

type Halves = { readonly first: Unit; readonly second: Unit };

/** Commits each unit in two commits; a death or a fault between them takes the second away. */
function inTwo(split: (unit: Unit, store: Store) => Promise<Halves | null>): Plant {
  return (store) =>
    altered(store, {
      async commit(given) {
        const halves = await Promise.all(given.map((unit) => split(unit, store)));
        const verdicts = await store.commit(given.map((unit, at) => halves[at]?.first ?? unit));
        const done: Verdict[] = [];
        for (const [at, verdict] of verdicts.entries()) {
          const second = halves[at]?.second;
          if (second === undefined || verdict.kind !== "committed") done.push(verdict);
          else done.push(...(await store.commit([second])));
        }
        return done;
      },
    });
}

type Planted = {
  readonly name: string;
  readonly seedsMax: number;
  readonly caught: RegExp;
  readonly plant: Plant;
};

const PLANTED: readonly Planted[] = [
  {
    name: "a fan-out's cursor is moved before the messages of its page are durable",
    seedsMax: 30,
    caught: /has no outcome|outcomes for/,
    plant: inTwo(async ({ messages, events, ...rest }) =>
      rest.job === undefined || messages === undefined
        ? null
        : { first: rest, second: { messages, ...(events === undefined ? {} : { events }) } },
    ),
  },
  {
    name: "a message's job is enqueued outside the commit of the message",
    seedsMax: 30,
    caught: /is still (ENQUEUED|DELAYED)/,
    plant: inTwo(async ({ messages, ...rest }, store) => {
      if (messages === undefined) return null;
      const known = await store.messages(messages.map(({ message }) => message.id));
      const born = messages.filter((_, at) => known[at] === null);
      const jobs = born.flatMap(({ job }): EnqueuedJob[] => (job === null ? [] : [job]));
      // Whoever is not born anew keeps the job beside the message, so that the store says that it was left out.
      const first = messages.map((birth) => (born.includes(birth) ? { ...birth, job: null } : birth));
      return jobs.length < messages.length ? null : { first: { ...rest, messages: first }, second: { jobs } };
    }),
  },
  {
    name: "a worker that lost its lease may still end the job (no fencing)",
    seedsMax: 30,
    caught: /out of order|is told to be sent|answers of|sent again without a reason/,
    plant: (store) =>
      altered(store, {
        async commit(given) {
          const verdicts = await store.commit(given);
          const stale = given.filter((_, at) => verdicts[at]?.kind === "fenced").map(({ job: _, ...rest }) => rest);
          if (stale.length > 0) await store.commit(stale);
          return verdicts.map((verdict): Verdict => (verdict.kind === "fenced" ? COMMITTED : verdict));
        },
      }),
  },
  {
    name: "the lease of a living worker ends (heartbeats extend nothing)",
    seedsMax: 30,
    caught: /in two calls at once/,
    plant: (store) => altered(store, { extend: async () => [] }),
  },
  {
    name: "a call that is repeated with its key is done again",
    seedsMax: 30,
    caught: /was answered with|was accepted \d times/,
    plant: units(({ once: _, ...rest }) => rest),
  },
  {
    name: "a send is acknowledged before it is durable",
    seedsMax: 30,
    caught: /is gone|sent again without a reason/,
    plant: (store, life) =>
      altered(store, {
        async commit(given) {
          if (!given.every(isSend)) return await store.commit(given);
          // To the disk a while later, if it takes it.
          void later(60).then(() => (life.over ? never : store.commit(given).catch(() => [])));
          return given.map(() => COMMITTED);
        },
      }),
  },
  {
    name: "cancelling says so and leaves the job where it is",
    seedsMax: 30,
    caught: /was cancelled and is sent/,
    plant: units(({ take: _, ...rest }) => rest),
  },
  {
    name: "who is on a list is looked up once and remembered",
    seedsMax: 30,
    caught: /left and is written to|is suppressed and is written to/,
    plant: (store) => altered(store, { documents: remembering(store) }),
  },
  {
    name: "what happened is told in the wrong order",
    seedsMax: 5,
    caught: /out of order/,
    plant: units(({ events, ...rest }) => (events === undefined ? rest : { ...rest, events: events.toReversed() })),
  },
  {
    name: "a page of a fan-out leaves its last recipient out",
    seedsMax: 5,
    caught: /has no outcome|outcomes for/,
    plant: (store) =>
      altered(store, {
        async commit(given) {
          const left = given.map(({ job, messages }) => (job === undefined ? undefined : messages?.at(-1)));
          const verdicts = await store.commit(
            given.map((unit, at) =>
              left[at] === undefined ? unit : { ...unit, messages: (unit.messages ?? []).slice(0, -1) },
            ),
          );
          return verdicts.map((verdict, at): Verdict => {
            const key = left[at]?.job?.key;
            if (verdict.kind !== "committed" || key === undefined) return verdict;
            return { kind: "committed", skipped: [...verdict.skipped, key] };
          });
        },
      }),
  },
  {
    name: "a message's last state is left out of the commit that ends its job",
    seedsMax: 5,
    caught: /is still/,
    plant: units((unit) => (unit.job?.end.kind === "done" && isMessage(unit) ? { ...unit, patches: [] } : unit)),
  },
];

for (const { name, seedsMax, caught, plant } of PLANTED) {
  test(`caught within ${seedsMax} seeds: ${name}`, async (t) => {
    await catches(t, seedsMax, caught, plant);
  });
}

test("caught within 60 seeds: a no is not heard on the way to the provider", async (t) => {
  t.mock.method(Revocations.prototype, "revokedSince", () => false);
  await catches(t, 60, /left and is written to|is suppressed and is written to/);
});

test("caught within 60 seeds: nobody asks at the last moment whether a message may go", async (t) => {
  // oxlint-disable-next-line typescript/unbound-method -- it is called on the gate that was asked
  const { pass } = Gate.prototype;
  t.mock.method(Gate.prototype, "pass", function (this: Gate, passage: Passage) {
    return pass.call(this, { ...passage, mayGo: () => true });
  });
  await catches(t, 60, /left and is written to|is suppressed and is written to|in two calls at once/);
});

test("a failure is made shorter, and replays", async () => {
  const plant = units(({ take: _, ...rest }) => rest);
  const shrunk = await shrink(1, { plant });
  assert.ok(shrunk !== null && shrunk.only.length < STEPS_DEFAULT / 2, `${shrunk?.only.length} steps`);
  assert.deepEqual(await simulate(1, { plant, only: shrunk.only }), shrunk.report);
});

type Told = { diagnostic(message: string): void };

/** @throws {AssertionError} when no seed shows the bug, or another violation shows first. */
async function catches(t: Told, seedsMax: number, caught: RegExp, plant?: Plant): Promise<void> {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    // Seeds with a crowd take ten times as long as the others and are as likely to meet the bug.
    if (seed % 10 === 0) continue;
    const { violations } = await simulate(seed, plant === undefined ? {} : { plant });
    const [first] = violations;
    if (first === undefined) continue;
    assert.ok(
      violations.some((violation) => caught.test(violation)),
      `seed ${seed} found something else: ${first}`,
    );
    t.diagnostic(`seed ${seed}: ${first}`);
    return;
  }
  assert.fail(`no violation in ${seedsMax} seeds`);
}

const COMMITTED: Verdict = { kind: "committed", skipped: [] };

function isSend({ job, requests }: Unit): boolean {
  return job === undefined && (requests ?? []).length > 0;
}

function isMessage({ job, patches }: Unit): boolean {
  return job !== undefined && (patches ?? []).length > 0;
}

async function later(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
}

function remembering(store: Store): Store["documents"] {
  const known = new Map<string, Document | null>();
  const nameOf = ({ collection, id }: DocumentKey): string => `${collection} ${id}`;
  return async (keys) => {
    const missing = keys.filter((key) => !known.has(nameOf(key)));
    for (const [at, document] of (await store.documents(missing)).entries()) {
      const key = missing[at];
      if (key !== undefined) known.set(nameOf(key), document);
    }
    return keys.map((key) => known.get(nameOf(key)) ?? null);
  };
}
