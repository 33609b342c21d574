import assert from "node:assert/strict";
import { test } from "node:test";
import type { EnqueuedJob, Store, Unit, Verdict } from "#ports/store.ts";
import { type QueueBody, QUEUES, STORE_QUEUE_PREFIX } from "#queues/queue.ts";
import { ARCHIVED, LIVE, RULE_CHANGED, RULES } from "#rules/collections.ts";
import { RULES_CONSUMER } from "#rules/live.ts";
import { REPLAY_QUEUE } from "#rules/replay-stage.ts";
import { TARGET_QUEUE } from "#rules/target-job.ts";
import type { Rule } from "#rules/rule.ts";
import { altered } from "../slow-store.ts";
import { type EventReport, simulateEvents } from "./event-simulation.ts";

/** Does it bite? Bugs that are known, each between engine and store; each is caught within the seeds stated beside it. */
type Plant = (store: Store) => Store;

type Planted = {
  readonly name: string;
  readonly seedsMax: number;
  readonly caught: RegExp;
  readonly plant: Plant;
};

const COMMITTED: Verdict = { kind: "committed", skipped: [] };

/** Hands every unit to the store in another form. */
function units(change: (unit: Unit) => Unit): Plant {
  return (store) => altered(store, { commit: (given) => store.commit(given.map(change)) });
}

/** Commits a part of each unit in a commit of its own; a death between them takes it away, and so does a fault. */
function inTwo(split: (unit: Unit) => { readonly first: Unit; readonly second: Unit } | null): Plant {
  return (store) =>
    altered(store, {
      async commit(given) {
        const halves = given.map(split);
        const verdicts = await store.commit(given.map((unit, at) => halves[at]?.first ?? unit));
        const second = halves.flatMap((half, at) =>
          half !== null && verdicts[at]?.kind === "committed" ? [half.second] : [],
        );
        if (second.length > 0) await store.commit(second);
        // Nobody holds what was born in another commit.
        return verdicts.map((verdict, at): Verdict => {
          const left = (halves[at]?.second.jobs ?? []).map(({ key }) => key);
          return verdict.kind === "committed" ? { ...verdict, skipped: [...verdict.skipped, ...left] } : verdict;
        });
      },
    });
}

const isMatchers = ({ checkpoints }: Unit): boolean =>
  (checkpoints ?? []).some(({ consumer }) => consumer === RULES_CONSUMER);
const isMessage = ({ queue }: Pick<EnqueuedJob, "queue">): boolean => queue.startsWith(STORE_QUEUE_PREFIX);
const isOfQueue = ({ job }: Unit): boolean => job?.ref.key.startsWith(STORE_QUEUE_PREFIX) === true;

const PLANTED: readonly Planted[] = [
  {
    name: "rules are those of now, not those of the event's place",
    seedsMax: 40,
    caught: /no rule at its place says so|was told .* times of 1|was never in the archive/,
    plant: units((unit) => {
      const early = (unit.puts ?? []).filter(({ collection }) => collection === RULES);
      const changed = (unit.events ?? []).filter(({ type }) => type === RULE_CHANGED);
      if (early.length === 0 || changed.length === 0) return unit;
      const live = changed.map(({ data }) => {
        const { bus, name } = JSON.parse(data) as Rule;
        return { collection: LIVE, id: `rule:${bus}/${name}`, body: data, when: "always", nowMs: 1 } as const;
      });
      return { ...unit, puts: [...(unit.puts ?? []), ...live] };
    }),
  },
  {
    name: "what the matcher causes is committed after its checkpoint: jobs of targets",
    seedsMax: 40,
    caught: /was told .* 0 times|was never told/,
    plant: inTwo((unit) => {
      const jobs = (unit.jobs ?? []).filter(({ queue }) => queue === TARGET_QUEUE);
      if (!isMatchers(unit) || jobs.length === 0) return null;
      const born = jobs.map((job) => ({ ...job, heldForMs: null }));
      return {
        first: { ...unit, jobs: (unit.jobs ?? []).filter((job) => !jobs.includes(job)) },
        second: { jobs: born },
      };
    }),
  },
  {
    name: "what the matcher causes is committed after its checkpoint: messages of queues",
    seedsMax: 40,
    caught: /was told .* 0 times|was never told/,
    plant: inTwo((unit) => {
      const jobs = (unit.jobs ?? []).filter(isMessage);
      if (!isMatchers(unit) || jobs.length === 0) return null;
      return { first: { ...unit, jobs: (unit.jobs ?? []).filter((job) => !jobs.includes(job)) }, second: { jobs } };
    }),
  },
  {
    name: "the same delivery of a send is another request each time",
    seedsMax: 60,
    caught: /was told arn:tidings:send.* 2 times/,
    plant: units(({ once, ...rest }) => (once?.key.startsWith("target:") === false ? { ...rest, once } : rest)),
  },
  {
    name: "a group has two heads: its messages know nothing of each other",
    seedsMax: 20,
    caught: /of its group/,
    plant: units((unit) =>
      unit.jobs === undefined
        ? unit
        : { ...unit, jobs: unit.jobs.map((job) => (isMessage(job) ? { ...job, group: null } : job)) },
    ),
  },
  {
    name: "a deduplication id is forgotten at once",
    seedsMax: 20,
    caught: /its deduplication id was used/,
    plant: units(({ once, ...rest }) => (once?.key.startsWith("queue-dedup:") === false ? { ...rest, once } : rest)),
  },
  {
    name: "a message that is moved stays where it was",
    seedsMax: 20,
    caught: /lies in .*, too/,
    plant: units((unit) => {
      if (!isOfQueue(unit) || (unit.jobs ?? []).length === 0) return unit;
      const { job: _, ...rest } = unit;
      return rest;
    }),
  },
  {
    name: "a message is moved in two commits",
    seedsMax: 60,
    caught: /is lost|is sent again/,
    plant: inTwo((unit) => {
      if (!isOfQueue(unit) || (unit.jobs ?? []).length === 0) return null;
      const { jobs = [], ...rest } = unit;
      return { first: rest, second: { jobs } };
    }),
  },
  {
    name: "a purge eats what is sent after it",
    seedsMax: 20,
    caught: /is lost|are left at rest/,
    plant: (store) => {
      const current = new Map<string, string>();
      return altered(store, {
        async commit(given) {
          for (const { collection, id, body } of given.flatMap(({ puts }) => puts ?? []))
            if (collection === QUEUES) current.set(id, (JSON.parse(body) as QueueBody).generation);
          return await store.commit(given);
        },
        async trimJobs(ask) {
          const [name = ""] = ask.queue.slice(STORE_QUEUE_PREFIX.length).split("/");
          return await store.trimJobs({ ...ask, queue: `${STORE_QUEUE_PREFIX}${name}/${current.get(name)}` });
        },
      });
    },
  },
  {
    name: "a delete is answered and not done",
    seedsMax: 10,
    caught: /was deleted with an answer/,
    plant: (store) =>
      altered(store, {
        async commit(given) {
          const isDelete = (unit: Unit): boolean => isOfQueue(unit) && (unit.jobs ?? []).length === 0;
          const verdicts = await store.commit(given.map((unit) => (isDelete(unit) ? {} : unit)));
          return verdicts.map((verdict, at) => (isDelete(given[at] ?? {}) ? COMMITTED : verdict));
        },
      }),
  },
  {
    name: "an archive leaves out what came with a rule's change",
    seedsMax: 20,
    caught: /is not in the archive/,
    plant: units((unit) => {
      const isChange = (unit.puts ?? []).some(({ collection }) => collection === LIVE);
      return isChange ? { ...unit, puts: (unit.puts ?? []).filter(({ collection }) => collection !== ARCHIVED) } : unit;
    }),
  },
  {
    name: "a replay's cursor moves before its events are durable",
    seedsMax: 60,
    caught: /did not come/,
    plant: inTwo((unit) => {
      const { events = [], ...rest } = unit;
      const isReplay = unit.job?.ref.key.startsWith(REPLAY_QUEUE) === true && unit.job.end.kind === "again";
      return isReplay && events.length > 0 ? { first: rest, second: { events } } : null;
    }),
  },
  {
    name: "an event that is there already is kept once more",
    seedsMax: 20,
    caught: /is in the journal twice/,
    plant: (store) => {
      let copies = 0;
      return altered(store, {
        commit: (given) =>
          store.commit(
            given.map((unit) => ({
              ...unit,
              ...(unit.events === undefined
                ? {}
                : {
                    events: unit.events.flatMap((event) =>
                      event.id?.startsWith("e") === true && (copies += 1) % 50 === 0
                        ? [event, { ...event, source: `${event.source}.again` }]
                        : [event],
                    ),
                  }),
            })),
          ),
      });
    },
  },
];

/** The first seed that shows a bug, and what it showed; null when none does. */
async function find({ seedsMax, plant }: Planted): Promise<EventReport | null> {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const report = await simulateEvents(seed, { plant });
    if (report.violations.length > 0) return report;
  }
  return null;
}

/* All of it runs before the first test: the runner watches every promise of a test, which takes three times as long. */
const found: (Planted & { readonly by: EventReport | null })[] = [];
for (const planted of PLANTED) found.push({ ...planted, by: await find(planted) });

for (const { name, seedsMax, caught, by } of found) {
  test(`caught within ${seedsMax} seeds: ${name}`, (t) => {
    assert.ok(by !== null, `no violation in ${seedsMax} seeds`);
    const fits = by.violations.some((violation) => caught.test(violation));
    assert.ok(fits, `seed ${by.seed} found something else: ${by.violations[0]}`);
    t.diagnostic(`seed ${by.seed}: ${by.violations[0]}`);
  });
}
