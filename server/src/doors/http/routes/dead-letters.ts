import {
  CursorQuery,
  type DeadLetter,
  DeadLetter as DeadLetterSchema,
  DeadLetterPage,
  RedriveReport,
  RedriveRequest,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import { json, NO_CONTENT, overloaded, refusal, type TextAnswer, unknownThing } from "#doors/http/answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { PAGE_ITEMS_MAX } from "#doors/http/limits.ts";
import type { Routes } from "#doors/http/route.ts";
import type { DeadJob } from "#domain/job.ts";
import type { Json } from "#domain/json.ts";

/** Dead letters brought back in one commit's worth of units. */
const STEP_MAX = 200;
/** Dead letters brought back by one call; the answer says when more are left. */
const REVIVED_MAX = 10_000;
const ITEMS_DEFAULT = 20;

const UNKNOWN = unknownThing("dead letter");
const KeyParams = Type.Object({ key: Type.String({ description: "The job's key" }) });
type House = Pick<HttpHouse, "store" | "engine">;

/** Jobs that gave up: read, fixed, tried again, thrown away. */
export function registerDeadLetters(routes: Routes, house: House): void {
  const { store, engine } = house;
  routes.add({
    method: "GET",
    path: "/admin/dead-letters",
    tag: "admin",
    scope: "full",
    summary: "Jobs that gave up",
    query: Type.Object({
      queue: Type.Optional(Type.String()),
      cursor: CursorQuery,
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ITEMS_MAX, default: ITEMS_DEFAULT })),
    }),
    answers: { 200: { says: "A page, by key", body: DeadLetterPage } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const limit = query.limit ?? ITEMS_DEFAULT;
      const dead = await store.deadJobs({ queue: query.queue ?? null, after, limit: limit + 1 });
      const shown = dead.slice(0, limit);
      const next = dead.length > limit ? (shown.at(-1)?.key ?? null) : null;
      return json(200, { paging: paging(next), results: shown.map(toLetter) });
    },
  });

  routes.add({
    method: "GET",
    path: "/admin/dead-letters/:key",
    tag: "admin",
    scope: "full",
    summary: "One job that gave up, with its payload and last error",
    params: KeyParams,
    answers: { 200: { says: "The job", body: DeadLetterSchema } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const dead = await store.deadJob(params.key);
      return dead === null ? UNKNOWN : json(200, toLetter(dead));
    },
  });

  routes.add({
    method: "POST",
    path: "/admin/dead-letters/redrive",
    tag: "admin",
    scope: "full",
    summary: "Try dead letters again",
    body: RedriveRequest,
    example: { all: true },
    answers: { 200: { says: "How many are ready again", body: RedriveReport } },
    handle: ({ body }) => redrive(house, body),
  });

  routes.add({
    method: "DELETE",
    path: "/admin/dead-letters/:key",
    tag: "admin",
    scope: "full",
    summary: "Throw a dead letter away",
    params: KeyParams,
    answers: { 204: { says: "Gone" } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const verdict = await engine.settleDead(params.key, "discard");
      if (verdict?.kind === "overloaded") return overloaded(verdict.retryAfterMs);
      return verdict?.kind === "committed" ? NO_CONTENT : UNKNOWN;
    },
  });
}

function toLetter({ key, queue, lane, error, attempt, enqueuedMs, deadMs, payload, traceparent }: DeadJob): DeadLetter {
  // A job's payload is JSON text that we wrote ourselves, or empty when nothing is remembered.
  const read = payload === "" ? null : (JSON.parse(payload) as Json);
  return { key, queue, lane, error, attempts: attempt, enqueued: enqueuedMs, died: deadMs, payload: read, traceparent };
}

async function redrive(house: House, wish: RedriveRequest): Promise<TextAnswer> {
  const { keys, queue, all, payload } = wish;
  if ([keys, queue, all === true ? all : undefined].filter((way) => way !== undefined).length !== 1) {
    return refusal("request.invalid", 'Give one of "keys", "queue" or "all": true.');
  }
  if (payload !== undefined && keys?.length !== 1) {
    return refusal("request.invalid", '"payload" replaces the payload of one dead letter: give one key with it.');
  }
  const report = { revived: 0, gone: 0, more: false };
  if (keys !== undefined) {
    for (let at = 0; at < keys.length; at += STEP_MAX) {
      const refused = await revive(house, keys.slice(at, at + STEP_MAX), payload, report);
      if (refused !== null) return refused;
    }
    return json(200, report);
  }
  // By key, upwards: what dies again meanwhile is not met twice.
  for (let after: string | null = null; ; ) {
    const dead: readonly DeadJob[] = await house.store.deadJobs({ queue: queue ?? null, after, limit: STEP_MAX });
    if (dead.length === 0) return json(200, report);
    if (report.revived + report.gone >= REVIVED_MAX) return json(200, { ...report, more: true });
    const refused = await revive(
      house,
      dead.map(({ key }) => key),
      undefined,
      report,
    );
    if (refused !== null) return refused;
    after = dead.at(-1)?.key ?? null;
  }
}

async function revive(
  { engine }: House,
  keys: readonly string[],
  payload: Readonly<Record<string, unknown>> | undefined,
  report: { revived: number; gone: number },
): Promise<TextAnswer | null> {
  const changed = payload === undefined ? undefined : JSON.stringify(payload);
  const verdicts = await Promise.all(keys.map((key) => engine.settleDead(key, "revive", changed)));
  for (const verdict of verdicts) {
    if (verdict?.kind === "overloaded") return overloaded(verdict.retryAfterMs);
    if (verdict?.kind === "committed") report.revived += 1;
    else report.gone += 1;
  }
  return null;
}
