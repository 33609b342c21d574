import {
  CursorQuery,
  HeldDecision,
  HeldJobPage,
  HeldReport,
  type HeldReport as Report,
  HeldStepReport,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import { json, overloaded, refusal, type TextAnswer } from "#doors/http/answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { PAGE_ITEMS_MAX } from "#doors/http/limits.ts";
import type { Routes } from "#doors/http/route.ts";
import { parseRequestId } from "#domain/ids.ts";
import { LANES } from "#domain/job.ts";
import type { Json } from "#domain/json.ts";
import type { HeldCursor, HeldDesk, HeldJob, HeldSelection, HeldSummary } from "#pipeline/held-desk.ts";

const ITEMS_DEFAULT = 20;

/** What is held back since a backup was restored: look, let go on, give up. */
export function registerHeld(routes: Routes, { held }: Pick<HttpHouse, "held">): void {
  routes.add({
    method: "GET",
    path: "/admin/held",
    tag: "admin",
    scope: "full",
    summary: "What is held back since a backup was restored",
    answers: { 200: { says: "By queue, lane and list", body: HeldReport } },
    handle: async () => json(200, toReport(await held.summary())),
  });

  routes.add({
    method: "GET",
    path: "/admin/held/jobs",
    tag: "admin",
    scope: "full",
    summary: "The jobs that are held back, one by one",
    description: "A page may be short, even empty, although more follow.",
    query: Type.Object({
      queue: Type.Optional(Type.String()),
      list: Type.Optional(Type.String()),
      request: Type.Optional(Type.String()),
      cursor: CursorQuery,
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ITEMS_MAX, default: ITEMS_DEFAULT })),
    }),
    answers: { 200: { says: "A page", body: HeldJobPage } },
    handle: async ({ query }) => {
      const [selection, from] = [toSelection(query), readCursor(query.cursor)];
      if (selection === null) return BAD_REQUEST_ID;
      if (from === "bad") return BAD_CURSOR;
      const { jobs, next } = await held.page(selection, from, query.limit ?? ITEMS_DEFAULT);
      return json(200, { paging: paging(writeCursor(next)), results: jobs.map(toItem) });
    },
  });

  routes.add({
    method: "POST",
    path: "/admin/held/release",
    tag: "admin",
    scope: "full",
    summary: "Let what is held back go on",
    description: "It keeps its time and its turn. A call goes one bounded step.",
    body: HeldDecision,
    example: { list: "news" },
    answers: { 200: { says: "How many go on", body: HeldStepReport } },
    handle: ({ body, caller }) => decide(held, "release", body, caller.name),
  });

  routes.add({
    method: "POST",
    path: "/admin/held/drop",
    tag: "admin",
    scope: "full",
    summary: "Give up what is held back",
    description:
      "Messages are CANCELED. A send that had not come to all its recipients goes no further: the others get no message. " +
      "A call goes one bounded step.",
    body: HeldDecision,
    example: { request: "1-6901f3c2-5d2f8a94e1b03c7786f0aa12" },
    answers: { 200: { says: "How many were given up", body: HeldStepReport } },
    handle: ({ body, caller }) => decide(held, "drop", body, caller.name),
  });
}

async function decide(held: HeldDesk, then: "release" | "drop", wish: HeldDecision, by: string): Promise<TextAnswer> {
  const { all, cursor, ...choice } = wish;
  const isChosen = Object.values(choice).some((value) => value !== undefined);
  if (isChosen === (all === true)) {
    return refusal(
      "request.invalid",
      'Say which: some of "queue", "list", "request", "enqueuedFrom", "enqueuedBefore", "dueFrom" and "dueBefore", or "all": true.',
    );
  }
  const [selection, from] = [toSelection(choice), readCursor(cursor)];
  if (selection === null) return BAD_REQUEST_ID;
  if (from === "bad") return BAD_CURSOR;
  const step = await held.decide(then, selection, from, by);
  if ("retryAfterMs" in step) return overloaded(step.retryAfterMs);
  const { done, gone, next } = step;
  return json(200, { done, gone, paging: paging(writeCursor(next)) });
}

const BAD_REQUEST_ID = refusal("request.invalid", '"request" is not the id of a request.');

type Choice = Omit<HeldDecision, "all" | "cursor">;

/** Null when the request's id cannot be one. */
function toSelection(choice: Choice): HeldSelection | null {
  const { queue, list, request, enqueuedFrom, enqueuedBefore, dueFrom, dueBefore } = choice;
  const id = request === undefined ? undefined : parseRequestId(request);
  if (id === null) return null;
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(list === undefined ? {} : { list }),
    ...(id === undefined ? {} : { request: id }),
    ...(enqueuedFrom === undefined ? {} : { fromMs: enqueuedFrom }),
    ...(enqueuedBefore === undefined ? {} : { beforeMs: enqueuedBefore }),
    ...(dueFrom === undefined ? {} : { dueFromMs: dueFrom }),
    ...(dueBefore === undefined ? {} : { dueBeforeMs: dueBefore }),
  };
}

function writeCursor(cursor: HeldCursor | null): string | null {
  if (cursor === null) return null;
  const { stretch, after } = cursor;
  return JSON.stringify(after === null ? [stretch] : [stretch, after.queue, after.lane, after.key]);
}

function readCursor(cursor: string | undefined): HeldCursor | null | "bad" {
  if (cursor === undefined) return null;
  const text = decodeCursor(cursor);
  const [stretch, queue, laneName, key] = text === null ? [] : partsOf(text);
  if (typeof stretch !== "number") return "bad";
  if (queue === undefined) return { stretch, after: null };
  const lane = LANES.find((one) => one === laneName);
  if (typeof queue !== "string" || lane === undefined || typeof key !== "string") return "bad";
  return { stretch, after: { queue, lane, key } };
}

function partsOf(text: string): readonly Json[] {
  try {
    const parts: unknown = JSON.parse(text);
    // What JSON.parse gives is JSON.
    return Array.isArray(parts) ? (parts as readonly Json[]) : [];
  } catch {
    return [];
  }
}

function toReport({ restored, jobs, places, lists, listsComplete }: HeldSummary): Report {
  return {
    restored:
      restored === null
        ? null
        : { backupMade: restored.backupMadeMs, restored: restored.restoredMs, parked: restored.parked },
    jobs,
    queues: places.map(({ firstEnqueuedMs, lastEnqueuedMs, firstDueMs, lastDueMs, ...place }) => ({
      ...place,
      firstEnqueued: firstEnqueuedMs,
      lastEnqueued: lastEnqueuedMs,
      firstDue: firstDueMs,
      lastDue: lastDueMs,
    })),
    lists: [...lists],
    listsComplete,
  };
}

function toItem({ key, queue, lane, list, recipient, attempt, enqueuedMs, dueMs }: HeldJob) {
  return { key, queue, lane, list, recipient, attempts: attempt, enqueued: enqueuedMs, due: dueMs };
}
