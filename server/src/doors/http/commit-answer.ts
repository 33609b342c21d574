import { type Answer, JSON_TYPE, overloaded, refusal, refuse, type TextAnswer } from "#doors/http/answer.ts";
import type { Denied, Origin } from "#engine/change.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Once } from "#doors/http/route.ts";
import { invariant } from "#domain/invariant.ts";
import type { Draft } from "#engine/draft.ts";
import type { OnceRecord } from "#ports/store.ts";

/**
 * Commits a draft and gives the answer that tells of it; with an Idempotency-Key both become durable together, so a
 * repeated call gets the first answer, whenever the process died.
 *
 * @param ifStale what to do when a document that the draft expects has changed since (read again and repeat; the caller
 *   bounds the number of tries). Without it the answer is 409 `conflict.changed`.
 * @throws {StoreFault} when the store cannot commit now; nothing was done.
 */
export async function commitAnswer(
  house: Pick<HttpHouse, "engine">,
  call: Pick<Call, "once">,
  draft: Draft,
  answer: TextAnswer,
  ifStale?: () => Promise<Answer>,
): Promise<Answer> {
  const { once } = call;
  const verdict = await house.engine.submit(once === null ? draft : { ...draft, once: remember(once, answer) });
  switch (verdict.kind) {
    case "committed":
      return answer;
    case "overloaded":
      return overloaded(verdict.retryAfterMs);
    case "stale":
      return ifStale?.() ?? refusal("conflict.changed", "Someone else changed it while this call was under way.");
    case "repeated":
      invariant(once !== null, "only a draft with a once record can be repeated");
      return replay(once, verdict.record);
    case "gone":
      return refusal("thing.unknown", "It is not there any more.");
    case "fenced":
    case "held":
      return refusal("conflict.changed", "A worker has it in hand right now.");
  }
}

/** The first answer, verbatim (courier-api.md §1.6), or a refusal when the body was another one. */
export function replay(once: Once, record: OnceRecord): TextAnswer {
  if (record.fingerprint !== once.fingerprint) {
    return refusal("idempotency.mismatch", "This Idempotency-Key was used before with another body on this path.");
  }
  return { kind: "text", status: record.status, type: JSON_TYPE, body: record.body === "" ? null : record.body };
}

/** What a change of the directory needs to know of the call it comes from; `answer` is what will be replayed. */
export function originOf({ once, traceparent }: Pick<Call, "once" | "traceparent">, answer: TextAnswer): Origin {
  return { once: once === null ? null : remember(once, answer), traceparent };
}

/** The answer to a change of the directory that was not made. */
export function denied({ once }: Pick<Call, "once">, why: Denied): TextAnswer {
  switch (why.kind) {
    case "refused":
      return refuse(why.problem);
    case "overloaded":
      return overloaded(why.retryAfterMs);
    case "repeated":
      invariant(once !== null, "only a call with an Idempotency-Key can be repeated");
      return replay(once, why.record);
  }
}

/** The idempotency record of an answer. */
export function remember(once: Once, answer: TextAnswer): OnceRecord {
  return { ...once, status: answer.status, body: answer.body ?? "" };
}
