import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Document, DocumentKey } from "#domain/document.ts";
import type { MessageId } from "#domain/ids.ts";
import { Gate, type Passage } from "#pipeline/gate.ts";
import { Revocations } from "#pipeline/revocations.ts";
import type { EnqueuedJob, MessageBirth, Store, Unit, Verdict } from "#ports/store.ts";
import type { Life } from "../support/world.ts";
import { READERS } from "./readers.ts";
import { shrink } from "./shrink.ts";
import { simulate, STEPS_DEFAULT } from "./simulation.ts";
import { altered } from "./slow-store.ts";

/**
 * Does the simulation bite? Bugs that are known, each put between engine and store or into one method for as long as the
 * test runs; each must be caught by the ledger within the seeds stated beside it. What a plant says is caught is the
 * violation that is expected, so that a bug is not found by accident.
 */
const never = new Promise<never>(() => {});

const COMMITTED: Verdict = { kind: "committed", skipped: [] };

type Plant = (store: Store, life: Life) => Store;

/** Hands every unit to the store in another form. */
function units(change: (unit: Unit) => Unit): Plant {
  return (store) => altered(store, { commit: (given) => store.commit(given.map(change)) });
}

type Halves = { readonly first: Unit; readonly second: Unit };

/** Commits each unit in two commits; a death between them takes the second away, and so does a fault. */
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
    name: "checkpoint moved at fetch instead of commit: a consumer's",
    seedsMax: 10,
    caught: /the checkpoint stands at \d+, \d+ was not handled|and its checkpoint stands at/,
    plant: (store) =>
      altered(store, {
        async readJournal(ask) {
          const page = await store.readJournal(ask);
          const { partition } = ask;
          // Each reader has numbers of partitions of its own.
          const reader = READERS.find(({ partitions }) => partition !== undefined && partitions.includes(partition.of));
          if (partition === undefined || reader === undefined || page.events.length === 0) return page;
          const moved = { consumer: reader.name, partition: partition.index, position: page.upTo, updatedMs: 0 };
          await store.commit([{ checkpoints: [moved] }]).catch(() => []);
          return page;
        },
      }),
  },
  {
    name: "checkpoint moved at fetch instead of commit: a fan-out's, before the messages of its page are durable",
    seedsMax: 30,
    caught: /has no outcome|outcomes for/,
    plant: inTwo(async ({ messages, events, ...rest }) =>
      rest.job === undefined || messages === undefined
        ? null
        : { first: rest, second: { messages, ...(events === undefined ? {} : { events }) } },
    ),
  },
  {
    name: "job enqueued outside the commit: a message's, in a commit of its own",
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
    name: "lease without fencing: a worker that lost it may still end the job",
    seedsMax: 10,
    caught: /out of order|is told to be sent|told twice|sent again without a reason/,
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
    caught: /in two calls at once|is sent again without a reason/,
    plant: (store) => altered(store, { extend: async () => [] }),
  },
  {
    name: "retry without idempotency: a call that is repeated with its key is done again",
    seedsMax: 30,
    caught: /was answered with|was accepted \d times/,
    plant: units(({ once: _, ...rest }) => rest),
  },
  {
    name: "retry without idempotency: the key of a call is remembered in a commit of its own",
    seedsMax: 60,
    caught: /was answered with|was accepted \d times|under 2 ids/,
    plant: inTwo(async ({ once, ...rest }) => (once === undefined ? null : { first: rest, second: { once } })),
  },
  {
    name: "retry without idempotency: a step whose answer was lost is done again",
    seedsMax: 10,
    caught: /told twice|was committed \d times|out of order/,
    plant: (store) => {
      let step = 0;
      const anew = (unit: Unit): Unit => {
        const { job } = unit;
        return job?.end.kind === "keep" ? { ...unit, job: { ...job, end: { ...job.end, step: (step += 1) } } } : unit;
      };
      return altered(store, { commit: (given) => store.commit(given.map(anew)) });
    },
  },
  {
    name: "retry without idempotency: whoever is met twice by a fan-out is born twice",
    seedsMax: 10,
    caught: /someone has two outcomes|outcomes for|goes to .* under 2 ids/,
    plant: (store) => {
      let born = 0;
      const anew = (birth: MessageBirth): MessageBirth => {
        const { message, job, events } = birth;
        const { id, requestId } = message;
        if (id === (requestId as string)) return birth;
        // Still one of this request's messages.
        const other = `${requestId}:r${(born += 1)}` as MessageId;
        const renamed = job === null ? null : { ...job, key: other, heldForMs: null };
        return {
          message: { ...message, id: other },
          job: renamed,
          events: events.map((e) => ({ ...e, subject: other })),
        };
      };
      const commit: Store["commit"] = async (given) => {
        const verdicts = await store.commit(
          given.map((unit) => (unit.messages === undefined ? unit : { ...unit, messages: unit.messages.map(anew) })),
        );
        // Nobody holds what has another name.
        return verdicts.map((verdict, at): Verdict => {
          const keys = (given[at]?.messages ?? []).flatMap(({ job, message }) =>
            job === null || message.id === (message.requestId as string) ? [] : [job.key],
          );
          return verdict.kind === "committed" ? { ...verdict, skipped: [...verdict.skipped, ...keys] } : verdict;
        });
      };
      return altered(store, { commit });
    },
  },
  {
    name: "retention forgets events that a consumer has still to read",
    seedsMax: 10,
    caught: /is trimmed, and a consumer has only read/,
    plant: (store) =>
      altered(store, { checkpoints: async (name) => (name === null ? [] : await store.checkpoints(name)) }),
  },
  {
    name: "retention forgets requests before their time",
    seedsMax: 10,
    caught: /is too young/,
    plant: (store) =>
      altered(store, { trimRequests: (ask) => store.trimRequests({ ...ask, olderThanMs: ask.olderThanMs + 350_000 }) }),
  },
  {
    name: "the collector takes every old blob for an orphan",
    seedsMax: 30,
    caught: /is deleted, and a request names it|which is gone|without its attachment/,
    plant: (store) => altered(store, { unnamedBlobs: async (ids) => ids }),
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

/** A bug in one of our own methods, put there until what is returned is called. */
type Mocked = Omit<Planted, "plant"> & { readonly plant: () => { readonly mock: { restore(): void } } };

// oxlint-disable-next-line typescript/unbound-method -- it is called on the gate that was asked
const { pass } = Gate.prototype;
let tries = 0;

const MOCKED: readonly Mocked[] = [
  {
    name: "retry without idempotency: each try goes out under an id of its own",
    seedsMax: 10,
    caught: /under \d ids|follows 0 calls/,
    plant: () =>
      mock.method(Gate.prototype, "pass", function (this: Gate, passage: Passage) {
        const { envelope } = passage;
        const messageId = envelope.attempt === 1 ? envelope.messageId : `${envelope.messageId}-${(tries += 1)}`;
        return pass.call(this, { ...passage, envelope: { ...envelope, messageId } });
      }),
  },
  {
    name: "a no is not heard on the way to the provider",
    seedsMax: 60,
    caught: /left and is written to|is suppressed and is written to/,
    plant: () => mock.method(Revocations.prototype, "revokedSince", () => false),
  },
  {
    name: "nobody asks at the last moment whether a message may go",
    seedsMax: 60,
    caught: /left and is written to|is suppressed and is written to|in two calls at once/,
    plant: () =>
      mock.method(Gate.prototype, "pass", function (this: Gate, passage: Passage) {
        return pass.call(this, { ...passage, mayGo: () => true });
      }),
  },
];

/** The first seed that shows a bug, and what it showed; null when none does. */
type Found = { readonly seed: number; readonly violations: readonly string[] };

async function find(seedsMax: number, plant?: Plant): Promise<Found | null> {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    // Seeds with a crowd take ten times as long as the others and are as likely to meet the bug.
    if (seed % 10 === 0) continue;
    const { violations } = await simulate(seed, plant === undefined ? {} : { plant });
    if (violations.length > 0) return { seed, violations };
  }
  return null;
}

/* All of it runs before the first test: the runner watches every promise of a test, which takes three times as long. */

const found: (Omit<Planted, "plant"> & { readonly by: Found | null })[] = [];
for (const { plant, ...bug } of PLANTED) found.push({ ...bug, by: await find(bug.seedsMax, plant) });
for (const { plant, ...bug } of MOCKED) {
  const planted = plant();
  found.push({ ...bug, by: await find(bug.seedsMax) });
  planted.mock.restore();
}
const forgetful = units(({ take: _, ...rest }) => rest);
const shrunk = await shrink(1, { plant: forgetful }, 16);
const replayed = await simulate(1, { plant: forgetful, only: shrunk?.only ?? [] });

for (const { name, seedsMax, caught, by } of found) {
  test(`caught within ${seedsMax} seeds: ${name}`, (t) => {
    assert.ok(by !== null, `no violation in ${seedsMax} seeds`);
    const fits = by.violations.some((violation) => caught.test(violation));
    assert.ok(fits, `seed ${by.seed} found something else: ${by.violations[0]}`);
    t.diagnostic(`seed ${by.seed}: ${by.violations[0]}`);
  });
}

test("a failure is made shorter, and replays", () => {
  assert.ok(shrunk !== null && shrunk.only.length < STEPS_DEFAULT / 2, `${shrunk?.only.length} steps`);
  assert.deepEqual(replayed, shrunk.report);
});

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
