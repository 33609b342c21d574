import type { DocumentExpectation, DocumentKey, DocumentPut, Document } from "#domain/document.ts";
import type { NewEvent } from "#domain/event.ts";
import type { JsonObject } from "#domain/json.ts";
import { type FaultCode, type Problem, problem } from "#domain/problem.ts";
import type { DraftJob } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { type OnceRecord, StoreFault } from "#ports/store.ts";

/**
 * How often a change is decided anew because someone else was faster. Each round lets at least one of those who compete
 * win, so as many callers may change one person at the same moment.
 */
export const CHANGE_TRIES_MAX = 64;

/** Whence a change comes: the answer to remember for its Idempotency-Key, and the trace that it belongs to. */
export type Origin = { readonly once: OnceRecord | null; readonly traceparent: string | null };

/** A change that nobody outside asked for, or whose caller gave no key. */
export const NO_ORIGIN: Origin = { once: null, traceparent: null };

/** How a change ended. `done`: it is durable, or there was nothing to do. Otherwise nothing was changed. */
export type Changed<Value> = { readonly kind: "done"; readonly value: Value } | Denied;

export type Denied =
  | { readonly kind: "refused"; readonly problem: Problem }
  | { readonly kind: "overloaded"; readonly retryAfterMs: number }
  /** Its Idempotency-Key was used before. */
  | { readonly kind: "repeated"; readonly record: OnceRecord };

/** What one look at the store leads to. It holds only while the documents in `expect` are what they were. */
export type Decision<Value> =
  | { readonly kind: "write"; readonly changes: Changes; readonly value: Value }
  /** Commit nothing, remember no answer: the caller goes another way. */
  | { readonly kind: "elsewhere"; readonly value: Value }
  | { readonly kind: "refused"; readonly problem: Problem };

export type Changes = {
  readonly expect: DocumentExpectation[];
  readonly puts: DocumentPut[];
  readonly deletes: DocumentKey[];
  readonly events: NewEvent[];
  /** Work that begins with the change. */
  readonly jobs?: readonly DraftJob[];
};

export function noChanges(): Changes {
  return { expect: [], puts: [], deletes: [], events: [] };
}

/**
 * Decides and commits, and decides again when what the decision rests on has changed meanwhile. What changes nothing is
 * not written.
 *
 * @throws {StoreFault} when the store cannot commit now; nothing was done.
 */
export async function change<Value>(
  engine: Engine,
  decide: () => Promise<Decision<Value>>,
  origin: Origin = NO_ORIGIN,
): Promise<Changed<Value>> {
  for (let tries = 0; tries < CHANGE_TRIES_MAX; tries += 1) {
    const decision = await decide();
    if (decision.kind === "refused") return decision;
    const done = { kind: "done", value: decision.value } as const;
    if (decision.kind === "elsewhere") return done;
    const { changes } = decision;
    if (isNothing(changes) && origin.once === null) return done;
    const verdict = await engine.submit(origin.once === null ? changes : { ...changes, once: origin.once });
    switch (verdict.kind) {
      case "committed":
        return done;
      case "overloaded":
      case "repeated":
        return verdict;
      case "stale":
        continue;
      case "fenced":
      case "held":
      case "gone":
        throw new Error(`broken invariant: a change without a job was answered with ${verdict.kind}`);
    }
  }
  return refused("conflict.changed", "Others kept changing it at the same time.");
}

/**
 * For one of several commits of a large call. When an earlier one is done already, a failure must not sound as if
 * nothing had been kept.
 */
export async function part<Value>(begun: boolean, run: () => Promise<Changed<Value>>): Promise<Changed<Value>> {
  if (!begun) return await run();
  try {
    const changed = await run();
    return changed.kind === "overloaded" ? refused("overloaded", PARTLY) : changed;
  } catch (fault) {
    if (!(fault instanceof StoreFault)) throw fault;
    return refused("store.unavailable", PARTLY);
  }
}

const PARTLY = "A part of this call is done and stays; make the whole call again later, which changes nothing twice.";

export function write<Value>(changes: Changes, value: Value): Decision<Value> {
  return { kind: "write", changes, value };
}

export function refused(code: FaultCode, message: string): { readonly kind: "refused"; readonly problem: Problem } {
  return { kind: "refused", problem: problem(code, message) };
}

/** The document must still be as it was read; null: must still not be there. */
export function unchanged(key: DocumentKey, document: Document | null): DocumentExpectation {
  return { collection: key.collection, id: key.id, version: document?.version ?? 0 };
}

/** An event of ours. `key`: with what it must stay in order; the subject when null. */
export function happened(
  type: string,
  subject: string,
  data: JsonObject,
  at: { readonly nowMs: number; readonly origin: Origin; readonly key?: string },
): NewEvent {
  const { nowMs, origin, key } = at;
  return {
    type,
    subject,
    timeMs: nowMs,
    data: JSON.stringify(data),
    traceparent: origin.traceparent,
    key: key ?? null,
  };
}

function isNothing({ puts, deletes, events }: Changes): boolean {
  return puts.length === 0 && deletes.length === 0 && events.length === 0;
}
