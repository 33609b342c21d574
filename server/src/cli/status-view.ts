import { number, object, rows, text, timeMs } from "#cli/json.ts";
import { count, grouped, span } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import type { JsonObject } from "#domain/json.ts";

/** What `tidings status` makes of the server's reports. */

/** As the server reported it. */
export type Reports = {
  readonly nodes: JsonObject;
  readonly queues: JsonObject;
  readonly consumers: JsonObject;
  readonly rules: JsonObject;
};

/** A queue with all its lanes and generations together. */
export type QueueSum = {
  readonly name: string;
  /** Made by users and read by others; otherwise a stage of ours. */
  readonly isOutside: boolean;
  readonly ready: number;
  readonly held: number;
  readonly waiting: number;
  readonly parked: number;
  readonly dead: number;
  readonly oldestMs: number | null;
};

/** Something that a person should know, and the command that helps. */
export type Todo = { readonly says: string; readonly fix: string };

/** A login code that nobody has taken for so long is late. */
const LATE_MS = 30_000;
/** A queue that is read now and then is fine. */
const UNREAD_MS = 3_600_000;
const BEHIND_MS = 60_000;
/** A delivery of a rule that is not done by then has failed a few times. */
const FAILING_MS = 300_000;

/** Of every queue in which something lies, by name; ours first. */
export function queueSums(report: JsonObject): readonly QueueSum[] {
  const sums = new Map<string, QueueSum>();
  for (const row of rows(report, "queues")) {
    const full = text(row, "queue");
    const isOutside = full.startsWith(OUTSIDE);
    // A reader's partitions are jobs that never end; `consumers` has them.
    const isReader = full.startsWith("consumer:");
    const name = isOutside ? full.slice(OUTSIDE.length).replace(/\/.*/, "") : full;
    const key = full.replace(/^(queue:[^/]+)\/.*/, "$1");
    const { ready, held, waiting, parked, dead, oldestMs } = sums.get(key) ?? NOTHING;
    const of = (field: string): number => (isReader ? 0 : (number(row, field) ?? 0));
    sums.set(key, {
      name: clean(name),
      isOutside,
      ready: ready + of("ready"),
      held: held + of("held"),
      waiting: waiting + of("waiting"),
      parked: parked + (number(row, "parked") ?? 0),
      dead: dead + (number(row, "dead") ?? 0),
      oldestMs: isReader ? null : earlier(oldestMs, timeMs(row, "oldestReady")),
    });
  }
  const something = [...sums.values()].filter((sum) => FIGURES.some((figure) => sum[figure] > 0));
  return something.toSorted(
    (one, other) => Number(one.isOutside) - Number(other.isOutside) || (one.name < other.name ? -1 : 1),
  );
}

const FIGURES = ["ready", "held", "waiting", "parked", "dead"] as const;
const OUTSIDE = "queue:";
const NOTHING = { ready: 0, held: 0, waiting: 0, parked: 0, dead: 0, oldestMs: null } as const;

function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

/** What somebody should do, the most urgent first; empty: nothing. */
export function todosOf(reports: Reports, nowMs: number): readonly Todo[] {
  const sums = queueSums(reports.queues);
  return [
    ...nodeTodos(reports.nodes),
    ...readerTodos(reports.consumers),
    ...sums.flatMap((sum) => queueTodos(sum, nowMs)),
    ...ruleTodos(reports.rules, nowMs),
    ...letterTodos(sums),
  ];
}

function nodeTodos(nodes: JsonObject): readonly Todo[] {
  const isWorked = rows(nodes, "nodes").some((node) => node["live"] === true && text(node, "role") !== "api");
  if (isWorked || rows(nodes, "nodes").length === 0) return [];
  return [{ says: "No node works the queues; what is accepted waits.", fix: "start one with TIDINGS_ROLE=worker" }];
}

function readerTodos(report: JsonObject): readonly Todo[] {
  return rows(report, "consumers").flatMap((reader): readonly Todo[] => {
    const name = clean(text(reader, "consumer"));
    const failing = object(reader["failing"]);
    if (number(failing, "attempts") !== null) {
      const at = grouped(number(failing, "position") ?? 0);
      return [{ says: `Reader ${name} cannot handle the event at ${at}.`, fix: "the server's log says why" }];
    }
    const lagMs = number(reader, "lagMs") ?? 0;
    if (lagMs < BEHIND_MS) return [];
    return [{ says: `Reader ${name} is ${span(lagMs)} behind the journal.`, fix: "tidings consumers" }];
  });
}

function queueTodos({ name, isOutside, ready, oldestMs }: QueueSum, nowMs: number): readonly Todo[] {
  const ageMs = oldestMs === null ? 0 : nowMs - oldestMs;
  if (ageMs < (isOutside ? UNREAD_MS : LATE_MS)) return [];
  if (isOutside) {
    const says = `${count(ready, "message")} in ${name}, the oldest for ${span(ageMs)}: is anybody receiving?`;
    return [{ says, fix: `tidings queues show ${name}` }];
  }
  const says = `${count(ready, "job")} of ${name} ready, the oldest for ${span(ageMs)}: too few workers, or a provider is slow.`;
  return [{ says, fix: "tidings doctor" }];
}

function ruleTodos(report: JsonObject, nowMs: number): readonly Todo[] {
  return rows(report, "rules").flatMap((load): readonly Todo[] => {
    const ageMs = nowMs - (timeMs(load, "oldest") ?? nowMs);
    if (ageMs < FAILING_MS) return [];
    const name = clean(`${text(load, "bus")}/${text(load, "name")}`);
    const waiting = count(number(load, "waiting") ?? 0, "delivery", "deliveries");
    return [
      {
        says: `${waiting} of rule ${name} not done, the oldest for ${span(ageMs)}.`,
        fix: `tidings rules show ${name}`,
      },
    ];
  });
}

function letterTodos(sums: readonly QueueSum[]): readonly Todo[] {
  const dead = sums.reduce((sum, queue) => sum + queue.dead, 0);
  const parked = sums.reduce((sum, queue) => sum + queue.parked, 0);
  const where = sums.filter((queue) => queue.dead > 0).map((queue) => `${grouped(queue.dead)} of ${queue.name}`);
  return [
    ...(dead === 0 ? [] : [{ says: `${count(dead, "dead letter")}: ${where.join(", ")}.`, fix: "tidings dlq" }]),
    ...(parked === 0
      ? []
      : [{ says: `${count(parked, "job")} held back since a backup was restored.`, fix: "tidings held" }]),
  ];
}
