import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGES_QUEUE } from "#functions/queue-messages.ts";
import type { Store, Unit } from "#ports/store.ts";
import { STORE_QUEUE_PREFIX } from "#queues/queue.ts";
import type { Life } from "../../support/world.ts";
import { altered } from "../slow-store.ts";
import { type FunctionReport, simulateFunctions } from "./function-simulation.ts";
import { LINE, WORK } from "./house.ts";

/** Does it bite? Bugs that are known, each between engine and store; each is caught within the seeds stated beside it. */
type Plant = (store: Store, life: Life) => Store;

type Planted = {
  readonly name: string;
  readonly seedsMax: number;
  readonly caught: RegExp;
  readonly plant: Plant;
};

/** Hands every unit to the store in another form. */
function units(change: (unit: Unit) => Unit): Plant {
  return (store) => altered(store, { commit: (given) => store.commit(given.map(change)) });
}

function isOf(queue: string): (unit: Unit) => boolean {
  return ({ job }) => job?.ref.key.startsWith(`${STORE_QUEUE_PREFIX}${queue}/`) === true;
}

const isWork = isOf(WORK);
const isLine = isOf(LINE);
const isCall = (unit: Unit): boolean =>
  isWork(unit) || isLine(unit) || unit.job?.ref.key.startsWith("function:") === true;

const PLANTED: readonly Planted[] = [
  {
    name: "what a handler emitted is committed after the end of its messages",
    seedsMax: 20,
    caught: /came to 0 ends|other effects|not in its order/,
    plant: (store) =>
      altered(store, {
        async commit(given) {
          const isSplit = (unit: Unit): boolean => isWork(unit) && (unit.puts ?? []).length > 0;
          const verdicts = await store.commit(
            given.map((unit) => {
              const { puts: _, jobs: __, events: ___, ...end } = unit;
              return isSplit(unit) ? end : unit;
            }),
          );
          const second = given.flatMap((unit, at): Unit[] => {
            if (!isSplit(unit) || verdicts[at]?.kind !== "committed") return [];
            const { puts = [], jobs = [], events = [] } = unit;
            return [{ puts, events, jobs: jobs.map((job) => ({ ...job, heldForMs: null })) }];
          });
          if (second.length > 0) await store.commit(second);
          return verdicts;
        },
      }),
  },
  {
    name: "a document that has changed meanwhile is overwritten",
    seedsMax: 5,
    caught: /counter says|counts|other effects|not in its order|ends/,
    plant: units((unit) => {
      if (!isCall(unit)) return unit;
      const { expect: _, ...rest } = unit;
      return rest;
    }),
  },
  {
    name: "messages that failed are ended as done",
    seedsMax: 5,
    caught: /came to 0 ends/,
    plant: units((unit) => {
      const { job } = unit;
      const isFailed = isWork(unit) && job?.end.kind === "again" && (job.end.error ?? "").includes("the handler said");
      return isFailed && job !== undefined ? { ...unit, job: { ...job, end: { kind: "done" } } } : unit;
    }),
  },
  {
    name: "of a batch only the first message is ended",
    seedsMax: 5,
    caught: /came to \d+ ends|jobs are left|are held/,
    plant: units(({ also, ...rest }) =>
      also !== undefined && isWork(rest) ? rest : { ...rest, ...(also && { also }) },
    ),
  },
  {
    name: "messages of a group that functions sent overtake each other",
    seedsMax: 10,
    caught: /not in its order/,
    plant: units((unit) => ({
      ...unit,
      ...(unit.jobs && {
        jobs: unit.jobs.map((job) => (job.queue === MESSAGES_QUEUE ? { ...job, group: null } : job)),
      }),
    })),
  },
  {
    name: "a message of a FIFO queue is laid there in another commit than the end of its job",
    seedsMax: 20,
    caught: /not in its order/,
    plant: (store) =>
      altered(store, {
        async commit(given) {
          const isLaid = ({ job }: Unit): boolean =>
            job?.ref.key.startsWith(MESSAGES_QUEUE) === true && job.end.kind === "done";
          const first = given.flatMap((unit): Unit[] => (isLaid(unit) ? [{ jobs: unit.jobs ?? [] }] : []));
          // Sent once more by who does not know that it was sent.
          const again = (unit: Unit): Unit => ({
            ...unit,
            jobs: (unit.jobs ?? []).map((job) => ({ ...job, key: `${job.key}-` })),
          });
          if (first.length === 0) return await store.commit(given);
          await store.commit(first);
          const rest = given.map((unit): Unit => {
            if (!isLaid(unit)) return unit;
            const { jobs: _, ...end } = unit;
            return end;
          });
          try {
            return await store.commit(rest);
          } catch (fault) {
            await store.commit(first.map(again));
            throw fault;
          }
        },
      }),
  },
  {
    name: "what a handler sends is accepted in another commit than the end of its job",
    seedsMax: 10,
    caught: /by \d+ mails/,
    plant: (store) =>
      altered(store, {
        async commit(given) {
          const sends = ({ job, messages = [] }: Unit): boolean =>
            job?.ref.key.startsWith("function:listen") === true && messages.length > 0;
          const first = given.filter(sends).map(({ requests = [], messages = [] }): Unit => ({ requests, messages }));
          if (first.length > 0) await store.commit(first);
          return await store.commit(
            given.map((unit) => {
              if (!sends(unit)) return unit;
              const { requests: _, messages: __, ...end } = unit;
              return end;
            }),
          );
        },
      }),
  },
  {
    name: "what a call emitted is kept although it failed",
    seedsMax: 5,
    caught: /other effects|call that failed|ends/,
    plant: (store) => {
      let last: Unit = {};
      return altered(store, {
        commit: (given) =>
          store.commit(
            given.map((unit) => {
              if (!isWork(unit)) return unit;
              if (unit.job?.end.kind === "done" && unit.events !== undefined) last = { events: unit.events };
              const isFailed = unit.job?.end.kind === "again";
              return isFailed ? { ...unit, events: [...(unit.events ?? []), ...again(last)] } : unit;
            }),
          ),
      });
    },
  },
];

let copies = 0;

function again({ events = [] }: Unit): NonNullable<Unit["events"]> {
  return events.map((event) => ({ ...event, id: `again-${(copies += 1)}` }));
}

/** The first seed that shows a bug, and what it showed; null when none does. */
async function find({ seedsMax, plant }: Planted): Promise<FunctionReport | null> {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const report = await simulateFunctions(seed, { plant });
    if (report.violations.length > 0) return report;
  }
  return null;
}

/* All of it runs before the first test: the runner watches every promise of a test, which takes three times as long. */
const found: (Planted & { readonly by: FunctionReport | null })[] = [];
for (const planted of PLANTED) found.push({ ...planted, by: await find(planted) });

for (const { name, seedsMax, caught, by } of found) {
  test(`caught within ${seedsMax} seeds: ${name}`, (t) => {
    assert.ok(by !== null, `no violation in ${seedsMax} seeds`);
    const fits = by.violations.some((violation) => caught.test(violation));
    assert.ok(fits, `seed ${by.seed} found something else: ${by.violations[0]}`);
    t.diagnostic(`seed ${by.seed}: ${by.violations[0]}`);
  });
}
