/**
 * What is kept of calls: of those that failed or said something, one document each, in the unit that ends the call's job. The
 * others are counted only. Forgotten by number and age (`keepInvocations`); what was counted stays counted.
 */
import type { Document, DocumentPut } from "#domain/document.ts";
import { prefixEnd } from "#domain/prefix-end.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { InvocationError, LogLine } from "#ports/function-host.ts";
import type { Store } from "#ports/store.ts";

/** id = `functionName/` and the invocation's, body = `Invocation`. */
export const INVOCATIONS = "function_invocations";
/** Calls kept of each function, the newest; and how long. */
export const INVOCATIONS_MAX = 1_000;
export const INVOCATION_AGE_MS_MAX = 7 * 24 * 60 * 60 * 1_000;
/** Text of all the lines of one call: a page to read, and no more than a commit takes lightly. */
const LOG_CHARS_MAX = 64 * 1_024;
const ERROR_CHARS_MAX = 8 * 1_024;
/** How often the log is looked through. */
const ROUND_MS = 60_000;
/** Documents that are read, or deleted, at once. */
const STEP = 250;

export type Outcome = "done" | "failed" | "innocent";

/** One call, as it is kept. */
export type Invocation = {
  /** Sorts by when it ended. */
  readonly id: string;
  readonly function: string;
  /** The same at every try. */
  readonly key: string;
  readonly attempt: number;
  readonly startedMs: number;
  readonly tookMs: number;
  readonly outcome: Outcome;
  readonly error: InvocationError | null;
  readonly logs: readonly LogLine[];
  readonly traceparent: string | null;
};

/** Null for a call that is only counted. */
export function invocationPut(invocation: Omit<Invocation, "id"> & { readonly callId: string }): DocumentPut | null {
  const { callId, ...rest } = invocation;
  const { outcome, logs, error, startedMs, tookMs } = rest;
  if (outcome === "done" && logs.length === 0) return null;
  const endedMs = Math.floor(startedMs + tookMs);
  const id = `${endedMs.toString(36).padStart(9, "0")}-${callId}`;
  const kept: Invocation = {
    id,
    ...rest,
    tookMs: Math.round(tookMs),
    error: error === null ? null : cutError(error),
    logs: cutLogs(logs),
  };
  return {
    collection: INVOCATIONS,
    id: documentId(rest.function, id),
    body: JSON.stringify(kept),
    ...(outcome === "failed" ? { terms: [FAILED] } : {}),
    when: "always",
    nowMs: endedMs,
  };
}

const FAILED = ["outcome", "failed"] as const;

/** What the unit of a call tells of it; null when it was only counted. */
export function invocationIn(puts: readonly DocumentPut[] | undefined): Invocation | null {
  const put = puts?.find(({ collection }) => collection === INVOCATIONS);
  return put === undefined ? null : readInvocation(put);
}

export type InvocationsAsk = {
  /** The id of the last one of the page before; null: from the newest. */
  readonly after: string | null;
  readonly limit: number;
  readonly failedOnly: boolean;
};

/** Newest first. `next`: where the next page begins; null at the end. */
export async function listInvocations(
  store: Store,
  name: string,
  { after, limit, failedOnly }: InvocationsAsk,
): Promise<{ readonly invocations: readonly Invocation[]; readonly next: string | null }> {
  const found = await store.listDocuments({
    collection: INVOCATIONS,
    prefix: documentId(name, ""),
    ...(failedOnly ? { term: FAILED } : {}),
    after: after === null ? null : documentId(name, after),
    limit: limit + 1,
    order: "descending",
  });
  const invocations = found.slice(0, limit).map(readInvocation);
  return { invocations, next: found.length > limit ? (invocations.at(-1)?.id ?? null) : null };
}

export async function findInvocation(store: Store, name: string, id: string): Promise<Invocation | null> {
  const [found = null] = await store.documents([{ collection: INVOCATIONS, id: documentId(name, id) }]);
  return found === null ? null : readInvocation(found);
}

/**
 * Forgets what is too old or too much, until the engine stops.
 * @param leads one node is enough for it.
 */
export async function keepInvocations(engine: Engine, leads: () => boolean): Promise<void> {
  const { clock, log } = engine.parts;
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted || !leads()) continue;
    try {
      await tidyInvocations(engine);
    } catch (fault) {
      log.warn("The log of functions could not be tidied; trying again later", { error: errorText(fault) });
    }
  }
}

/** One round: every function of which there is something, declared or not. */
export async function tidyInvocations(engine: Engine): Promise<void> {
  const { store } = engine.parts;
  for (let after: string | null = null; !engine.signal.aborted; ) {
    const [first]: readonly Document[] = await store.listDocuments({ collection: INVOCATIONS, after, limit: 1 });
    if (first === undefined) return;
    const prefix = first.id.slice(0, first.id.indexOf("/") + 1);
    await tidyOne(engine, prefix);
    after = prefixEnd(prefix);
  }
}

async function tidyOne(engine: Engine, prefix: string): Promise<void> {
  const { store, clock } = engine.parts;
  const firstKept = await oldestOfNewest(store, prefix);
  const oldMs = clock.nowMs() - INVOCATION_AGE_MS_MAX;
  while (!engine.signal.aborted) {
    const oldest = await store.listDocuments({ collection: INVOCATIONS, prefix, limit: STEP });
    const gone = oldest.filter(({ id, updatedMs }) => updatedMs < oldMs || (firstKept !== null && id < firstKept));
    if (gone.length > 0) await engine.commit({ deletes: gone.map(({ id }) => ({ collection: INVOCATIONS, id })) });
    if (gone.length < STEP) return;
  }
}

/** The oldest that may stay by number; null: all may. */
async function oldestOfNewest(store: Store, prefix: string): Promise<string | null> {
  let after: string | null = null;
  for (let seen = 0; seen < INVOCATIONS_MAX; seen += STEP) {
    const page: readonly Document[] = await store.listDocuments({
      collection: INVOCATIONS,
      prefix,
      after,
      limit: STEP,
      order: "descending",
    });
    if (page.length < STEP) return null;
    after = page.at(-1)?.id ?? null;
  }
  return after;
}

function documentId(name: string, id: string): string {
  return `${name}/${id}`;
}

function readInvocation({ body }: Pick<Document, "body">): Invocation {
  // Only `invocationPut` writes there.
  return JSON.parse(body) as Invocation;
}

function cutError({ name, says, at, stack }: InvocationError): InvocationError {
  return { name, says: says.slice(0, ERROR_CHARS_MAX), at, stack: stack?.slice(0, ERROR_CHARS_MAX) ?? null };
}

/** The first lines that have room, and how many are missing. */
function cutLogs(logs: readonly LogLine[]): readonly LogLine[] {
  let chars = 0;
  const beyond = logs.findIndex(({ text, fields }) => (chars += text.length + (fields?.length ?? 0)) > LOG_CHARS_MAX);
  const cut = logs[beyond];
  if (cut === undefined) return logs;
  const text = `${logs.length - beyond} more lines are not kept: ${LOG_CHARS_MAX} characters are the most of one call.`;
  return [...logs.slice(0, beyond), { atMs: cut.atMs, level: "warn", text, fields: null }];
}
