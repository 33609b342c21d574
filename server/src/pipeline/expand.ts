/**
 * Expand: a request to many becomes one message per recipient, once per recipient, a page at a time.
 *
 *     cursor ──page of an array, a list, or the lists of a pattern──▶ commit { messages born, cursor moved }
 *        ▲                                                                │
 *        └───────────────────────── more ─────────────────────────────────┤
 *                                                                         └── end ──▶ request.expanded
 *
 * The cursor and the messages of its page are one commit: a restart goes on where the last commit stood. A message's id
 * is made of the request and the recipient, so whoever comes twice (in two lists, or twice in an array) is born once.
 * Pages go by user id: who was on a list throughout is neither skipped nor repeated while others come and go. The list
 * job goes back to the queue after each page, so that lists alternate.
 */
import { listsMatching, readListsById, subscribersPage } from "#directory/readers.ts";
import type { DraftBirth } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { HandedJob, Stage, StageContext, StageResult } from "#engine/stage.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import { type MessageId, memberMessageId, type RequestId } from "#domain/ids.ts";
import type { Deadline } from "#domain/deadline.ts";
import type { DocumentPut } from "#domain/document.ts";
import type { Job, Lane } from "#domain/job.ts";
import type { Target } from "#domain/notification.ts";
import { bornEvents, messageJob, newMessage, recipientOf } from "#pipeline/accept.ts";
import { collapsePuts } from "#pipeline/collapse.ts";
import type { MessageCarry } from "#pipeline/message-stage.ts";
import type { Plan, Plans } from "#pipeline/plan.ts";
import { dropFanOuts } from "#pipeline/drop.ts";
import { CRASHES_MAX, EXPAND_IN_HAND_MAX, EXPAND_PAGE_MAX, EXPAND_PAGE_MIN, EXPAND_QUEUE } from "#pipeline/stages.ts";
import type { Secrets } from "#ports/secrets.ts";

export type ExpandCarry = { readonly plan: Plan };

/** Where a fan-out stands. */
type Cursor = {
  readonly dueMs: number;
  readonly share: string;
  /** Of each of its messages. */
  readonly deadline?: Deadline;
  /** Entry of `to`; lists and users behind which the next page begins. */
  readonly at?: number;
  readonly afterList?: string | null;
  readonly list?: string | null;
  readonly afterUser?: string | null;
  readonly recipients?: number;
};

export type ExpandParts = {
  readonly engine: Engine;
  readonly plans: Plans;
  readonly secrets: Secrets;
  readonly messages: StageRunner<MessageCarry>;
};

export function expandStage(parts: ExpandParts): Stage<ExpandCarry> {
  return {
    queue: EXPAND_QUEUE,
    inHandMax: { transactional: EXPAND_IN_HAND_MAX, bulk: EXPAND_IN_HAND_MAX },
    hasRoom: (lane) => parts.messages.isHungry(lane),
    batchMax: 1,
    attemptsMax: CRASHES_MAX,
    async run(jobs: readonly HandedJob<ExpandCarry>[], context: StageContext): Promise<void> {
      for (const handed of jobs) await context.finish(handed.job, await step(parts, handed, context));
    },
    async drop(jobs, decision) {
      const fanOuts = jobs.map((job) => ({ job, request: requestId(job), recipients: cursorOf(job).recipients ?? 0 }));
      return dropFanOuts(parts.engine.parts.clock, fanOuts, decision);
    },
    bury(job: Job, error: string) {
      const { clock } = parts.engine.parts;
      const data = JSON.stringify({ error });
      return {
        events: [
          {
            type: "request.failed",
            subject: requestId(job),
            timeMs: clock.nowMs(),
            data,
            traceparent: job.traceparent,
          },
        ],
      };
    },
  };
}

async function step(parts: ExpandParts, handed: HandedJob<ExpandCarry>, context: StageContext): Promise<StageResult> {
  const { job } = handed;
  if (context.signal.aborted) return { kind: "release" };
  const id = requestId(job);
  const plan = handed.carry?.plan ?? (await parts.plans.load([id])).get(id);
  if (plan === undefined) return { kind: "end", end: { kind: "dead", error: "the request is gone" }, effects: {} };
  parts.plans.keep(plan);
  const cursor = cursorOf(job);
  const { births, next } = await page(parts, plan, cursor);
  const recipients = (cursor.recipients ?? 0) + births.length;
  const puts = collapses(parts, plan, cursor, births);
  if (next !== null) {
    const payload = JSON.stringify({ ...next, recipients });
    // One turn on: a page of every other list that waits comes first.
    const turn = job.turn + 1;
    return {
      kind: "end",
      end: { kind: "again", payload, dueMs: 0, turn, attempts: "reset", error: null },
      effects: { messages: births, ...puts },
    };
  }
  const data = JSON.stringify({ recipients });
  const timeMs = parts.engine.parts.clock.nowMs();
  return {
    kind: "end",
    end: { kind: "done" },
    effects: {
      messages: births,
      ...puts,
      events: [{ type: "request.expanded", subject: id, timeMs, data, traceparent: job.traceparent }],
    },
  };
}

type Page = { readonly births: readonly DraftBirth[]; readonly next: Cursor | null };

/** The messages of the next page, and where the one after it begins. */
async function page(parts: ExpandParts, plan: Plan, cursor: Cursor): Promise<Page> {
  const at = cursor.at ?? 0;
  const target = plan.targets[at];
  if (target === undefined) return { births: [], next: null };
  const base = baseOf(cursor);
  const nextEntry = at + 1 < plan.targets.length ? { ...base, at: at + 1 } : null;
  switch (target.kind) {
    case "person":
      return personsPage(parts, plan, cursor, at);
    case "list": {
      const { births, afterUser } = await listPage(parts, plan, cursor, at, target.listId);
      return { births, next: afterUser === null ? nextEntry : { ...base, at, afterUser } };
    }
    case "pattern": {
      const list = cursor.list ?? (await nextList(parts, target.pattern, cursor.afterList ?? null));
      if (list === null) return { births: [], next: nextEntry };
      const { births, afterUser } = await listPage(parts, plan, cursor, at, list);
      return { births, next: { ...base, at, ...(afterUser === null ? { afterList: list } : { list, afterUser }) } };
    }
  }
}

/** As many persons in a row as fit on a page. */
function personsPage(parts: ExpandParts, plan: Plan, cursor: Cursor, from: number): Page {
  const births = new Map<string, DraftBirth>();
  const pageMax = pageMaxOf(parts, plan.lane);
  let at = from;
  for (; at < plan.targets.length && births.size < pageMax; at += 1) {
    const target = plan.targets[at];
    if (target?.kind !== "person") break;
    const born = personBirth(parts, plan, cursor, target, at);
    if (!births.has(born.message.id)) births.set(born.message.id, born);
  }
  const next = at < plan.targets.length ? { ...baseOf(cursor), at } : null;
  return { births: [...births.values()], next };
}

function personBirth(
  parts: ExpandParts,
  plan: Plan,
  cursor: Cursor,
  target: Target & { kind: "person" },
  at: number,
): DraftBirth {
  const address = recipientOf(target);
  // Addresses do not belong into ids, which stand in URLs and logs.
  const key =
    target.userId ?? (address === null ? String(at) : `~${parts.secrets.digest(address.toLowerCase()).slice(0, 22)}`);
  const id = memberMessageId(plan.id, key);
  return birth(parts, plan, cursor, { id, at, recipient: address ?? id, userId: target.userId, listId: target.listId });
}

async function listPage(
  parts: ExpandParts,
  plan: Plan,
  cursor: Cursor,
  at: number,
  listId: string,
): Promise<{ births: readonly DraftBirth[]; afterUser: string | null }> {
  const { store } = parts.engine.parts;
  const pageMax = pageMaxOf(parts, plan.lane);
  const [[list], subscribers] = await Promise.all([
    readListsById(store, [listId]),
    subscribersPage(store, listId, cursor.afterUser ?? null, pageMax),
  ]);
  // A list that is unknown or deleted has nobody on it.
  if (!list) return { births: [], afterUser: null };
  const births = subscribers.map(({ userId }) =>
    birth(parts, plan, cursor, { id: memberMessageId(plan.id, userId), at, recipient: userId, userId, listId }),
  );
  const last = subscribers.length < pageMax ? undefined : subscribers.at(-1);
  return { births, afterUser: last?.userId ?? null };
}

/** As many as find a hand when they are born: nobody has to claim them. */
function pageMaxOf({ messages }: ExpandParts, lane: Lane): number {
  return Math.max(EXPAND_PAGE_MIN, Math.min(EXPAND_PAGE_MAX, messages.free(lane)));
}

async function nextList(parts: ExpandParts, pattern: string, after: string | null): Promise<string | null> {
  let behind = after;
  for (;;) {
    const { lists, next } = await listsMatching(parts.engine.parts.store, pattern, behind, 1);
    if (lists[0] !== undefined) return lists[0].id;
    if (next === null) return null;
    behind = next;
  }
}

function birth(
  parts: ExpandParts,
  plan: Plan,
  cursor: Cursor,
  born: { id: MessageId; at: number; recipient: string; userId: string | null; listId: string | null },
): DraftBirth {
  const { at, ...rest } = born;
  const delayed = cursor.dueMs > parts.engine.parts.clock.nowMs();
  const message = newMessage({ ...rest, plan, toIndex: at, delayed });
  const turn = parts.messages.turn(plan.lane, cursor.share);
  const { dueMs, deadline = null } = cursor;
  const job = messageJob(message.id, plan, turn, { dueMs, deadline });
  return {
    message,
    job: parts.messages.offer(job, { plan, record: message }),
    events: bornEvents(message, plan, { dueMs: delayed ? dueMs : 0, deadline }),
  };
}

/** What stays the same from page to page. */
function baseOf({ dueMs, share, deadline }: Cursor): Cursor {
  return { dueMs, share, ...(deadline === undefined ? {} : { deadline }) };
}

/** What a page leaves for those that may collapse. */
function collapses(
  parts: ExpandParts,
  plan: Plan,
  { deadline }: Cursor,
  births: readonly DraftBirth[],
): { readonly puts?: readonly DocumentPut[] } {
  if (deadline?.order === undefined) return {};
  const messages = births.map(({ message }) => message);
  return { puts: collapsePuts(messages, plan, deadline, parts.secrets, parts.engine.parts.clock.nowMs()) };
}

function cursorOf({ payload }: Pick<Job, "payload">): Cursor {
  // It is written by accept and by `step` alone.
  return JSON.parse(payload) as Cursor;
}

function requestId(job: Pick<Job, "key">): RequestId {
  // The key is `expand:<request id>`, written by accept.
  return job.key.slice(EXPAND_QUEUE.length + 1) as RequestId;
}
