import {
  CursorQuery,
  Queue as QueueSchema,
  QueueBody,
  QueueMessageBody,
  QueueMessageSent,
  type QueueMove as MoveView,
  QueueMove,
  QueueMoves,
  QueueRedriveBody,
  Queues,
  type Queue as QueueView,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import { json, NO_CONTENT } from "#doors/http/answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { queueRefusal } from "#doors/http/queue-problem.ts";
import type { Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import type { QueueDesk } from "#queues/desk.ts";
import { type Move, MOVES_KEPT_MAX } from "#queues/move.ts";
import { FIFO_SUFFIX, type Queue, type QueueAttributesAsk, type QueueCounts } from "#queues/queue.ts";

/** Queues in one page; each is counted. */
const QUEUES_MAX = 100;

const OF_QUEUE = Type.Object({ name: Type.String() });
type House = Pick<HttpHouse, "queues">;

/** Queues: made and looked at here, read by SQS clients at `/aws`. */
export function registerQueues(routes: Routes, house: House): void {
  registerTheQueues(routes, house);
  registerMessages(routes, house);
  registerRedrive(routes, house);
}

function registerTheQueues(routes: Routes, { queues }: House): void {
  routes.add({
    method: "GET",
    path: "/queues",
    tag: "queues",
    scope: "read",
    summary: "All queues, by name",
    query: Type.Object({
      prefix: Type.Optional(Type.String({ description: "Only those whose names begin so" })),
      cursor: CursorQuery,
      limit: PageLimit(QUEUES_MAX),
    }),
    answers: { 200: { says: "A page", body: Queues } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const page = await queues.list({ prefix: query.prefix ?? "", after, limit: query.limit ?? PAGE_LIMIT });
      const results = await Promise.all(page.queues.map((queue) => withCounts(queues, queue)));
      return json(200, { paging: paging(page.next), results });
    },
  });

  routes.add({
    method: "GET",
    path: "/queues/:name",
    tag: "queues",
    scope: "read",
    summary: "One queue, and how much lies in it",
    params: OF_QUEUE,
    answers: { 200: { says: "The queue", body: QueueSchema } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const found = await queues.get(params.name);
      return found.kind === "done" ? json(200, await withCounts(queues, found.queue)) : queueRefusal(found);
    },
  });

  routes.add({
    method: "PUT",
    path: "/queues/:name",
    tag: "queues",
    scope: "full",
    summary: "Make a queue, or change it",
    description:
      "What is not given keeps its value, or gets the default. A name that ends in .fifo makes a FIFO queue.",
    params: OF_QUEUE,
    body: QueueBody,
    example: { visibility_ms: 60_000, dead_letter: { queue: "orders-dead", receive_max: 5 } },
    answers: { 200: { says: "It is so", body: QueueSchema }, 201: { says: "It was made", body: QueueSchema } },
    faults: ["conflict.changed", "conflict.exists"],
    handle: async ({ params: { name }, body, traceparent }) => {
      const { tags } = body;
      const attributes = attributesOf(body);
      const before = await queues.get(name);
      if (before.kind === "fault") {
        const made = await queues.create(
          { name, fifo: name.endsWith(FIFO_SUFFIX), attributes, tags: tags ?? {} },
          traceparent,
        );
        if (made.kind === "fault") return queueRefusal(made);
        return json(made.isNew ? 201 : 200, await withCounts(queues, made.queue));
      }
      const changed = await queues.change(name, attributes, traceparent);
      if (changed.kind === "fault") return queueRefusal(changed);
      if (tags === undefined) return json(200, await withCounts(queues, changed.queue));
      const remove = Object.keys(changed.queue.tags).filter((key) => !Object.hasOwn(tags, key));
      const tagged = await queues.tag(name, { set: tags, remove }, traceparent);
      return tagged.kind === "fault" ? queueRefusal(tagged) : json(200, await withCounts(queues, tagged.queue));
    },
  });

  routes.add({
    method: "DELETE",
    path: "/queues/:name",
    tag: "queues",
    scope: "full",
    summary: "Delete a queue with all that lies in it",
    params: OF_QUEUE,
    answers: { 204: { says: "Gone" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async ({ params, traceparent }) => {
      const removed = await queues.remove(params.name, traceparent);
      return removed.kind === "done" ? NO_CONTENT : queueRefusal(removed);
    },
  });

  routes.add({
    method: "POST",
    path: "/queues/:name/purge",
    tag: "queues",
    scope: "full",
    summary: "Empty a queue",
    description: "All that lies in it is gone at once, also what is hidden or delayed.",
    params: OF_QUEUE,
    answers: { 204: { says: "Empty" } },
    faults: ["thing.unknown", "conflict.exists", "conflict.changed"],
    handle: async ({ params, traceparent }) => {
      const purged = await queues.purge(params.name, traceparent);
      return purged.kind === "done" ? NO_CONTENT : queueRefusal(purged);
    },
  });
}

function registerMessages(routes: Routes, { queues }: House): void {
  routes.add({
    method: "POST",
    path: "/queues/:name/messages",
    tag: "queues",
    scope: "send",
    summary: "Put a message into a queue",
    params: OF_QUEUE,
    body: QueueMessageBody,
    example: { body: '{"order":17}' },
    answers: { 202: { says: "It is kept", body: QueueMessageSent } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async ({ params, body, traceparent, caller }) => {
      const sent = await queues.send(params.name, {
        body: body.body,
        attributes: body.attributes ?? {},
        delayMs: body.delay_ms ?? null,
        groupId: body.group_id ?? null,
        dedupId: body.dedup_id ?? null,
        traceparent,
        sender: caller.name,
      });
      if (sent.kind === "fault") return queueRefusal(sent);
      return json(202, { id: sent.id, sequence: sent.sequence, repeated: sent.isRepeated });
    },
  });
}

function registerRedrive(routes: Routes, { queues }: House): void {
  routes.add({
    method: "POST",
    path: "/queues/:name/redrive",
    tag: "queues",
    scope: "full",
    summary: "Move what lies in a dead-letter queue back to where it came from",
    params: OF_QUEUE,
    body: QueueRedriveBody,
    answers: { 202: { says: "It has begun", body: QueueMove } },
    faults: ["thing.unknown", "conflict.exists", "conflict.changed"],
    handle: async ({ params, body, traceparent }) => {
      const ask = {
        source: params.name,
        destination: body.to ?? null,
        messagesPerSecondMax: body.per_second_max ?? null,
      };
      const started = await queues.startMove(ask, traceparent);
      return started.kind === "done" ? json(202, moveView(started.move)) : queueRefusal(started);
    },
  });

  routes.add({
    method: "GET",
    path: "/queues/:name/redrive",
    tag: "queues",
    scope: "read",
    summary: "How moves out of a dead-letter queue go, newest first",
    params: OF_QUEUE,
    answers: { 200: { says: "The last ones", body: QueueMoves } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const found = await queues.listMoves(params.name, MOVES_KEPT_MAX);
      return found.kind === "done" ? json(200, { results: found.moves.map(moveView) }) : queueRefusal(found);
    },
  });

  routes.add({
    method: "DELETE",
    path: "/queues/:name/redrive",
    tag: "queues",
    scope: "full",
    summary: "Stop the move out of a dead-letter queue; what is moved stays moved",
    params: OF_QUEUE,
    answers: { 200: { says: "It ends", body: QueueMove } },
    faults: ["thing.unknown", "conflict.exists", "conflict.changed"],
    handle: async ({ params, traceparent }) => {
      const found = await queues.listMoves(params.name, 1);
      if (found.kind === "fault") return queueRefusal(found);
      const cancelled = await queues.cancelMove(found.moves[0]?.id ?? "", traceparent);
      return cancelled.kind === "done" ? json(200, moveView(cancelled.move)) : queueRefusal(cancelled);
    },
  });
}

function attributesOf(body: QueueBody): QueueAttributesAsk {
  const { dead_letter: deadLetter, fifo } = body;
  return withoutUndefined({
    visibilityMs: body.visibility_ms,
    delayMs: body.delay_ms,
    retentionMs: body.retention_ms,
    waitMs: body.wait_ms,
    messageBytesMax: body.message_bytes_max,
    redrive:
      deadLetter === undefined || deadLetter === null
        ? deadLetter
        : { deadLetterQueue: deadLetter.queue, receiveMax: deadLetter.receive_max },
    fifo:
      fifo === undefined
        ? undefined
        : withoutUndefined({ contentDedup: fifo.content_dedup, dedupScope: fifo.dedup_scope }),
  });
}

/** Leaves out what was not said, which is another thing than null. */
function withoutUndefined<T extends object>(object: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const said = Object.entries(object).filter(([, value]) => value !== undefined);
  // The names are those of the object, and what was undefined is gone.
  return Object.fromEntries(said) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}

async function withCounts(queues: QueueDesk, queue: Queue): Promise<QueueView> {
  const counted = await queues.counts(queue.name);
  // It may have been removed a moment ago.
  const { visible, inFlight, delayed, oldestVisibleMs }: QueueCounts =
    counted.kind === "done" ? counted.counts : { visible: 0, inFlight: 0, delayed: 0, oldestVisibleMs: null };
  const { name, attributes, tags, createdMs, modifiedMs } = queue;
  const { redrive, fifo } = attributes;
  return {
    name,
    created: createdMs,
    modified: modifiedMs,
    visibility_ms: attributes.visibilityMs,
    delay_ms: attributes.delayMs,
    retention_ms: attributes.retentionMs,
    wait_ms: attributes.waitMs,
    message_bytes_max: attributes.messageBytesMax,
    dead_letter: redrive === null ? null : { queue: redrive.deadLetterQueue, receive_max: redrive.receiveMax },
    fifo: fifo === null ? null : { content_dedup: fifo.contentDedup, dedup_scope: fifo.dedupScope },
    tags,
    counts: { visible, in_flight: inFlight, delayed, oldest_visible: oldestVisibleMs },
    tally: queues.tally(name),
  };
}

function moveView(move: Move): MoveView {
  return {
    id: move.id,
    status: move.status,
    to: move.destination,
    per_second_max: move.messagesPerSecondMax,
    moved: move.moved,
    to_move: move.toMove,
    started: move.startedMs,
    ended: move.endedMs,
    failure: move.failure,
  };
}
