import { SEND_ARN } from "#domain/arn.ts";
import { IDEMPOTENCY_MS_DEFAULT } from "#domain/limits.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { Accept } from "#pipeline/accept.ts";
import type { Clock } from "#ports/clock.ts";
import type { TargetKind } from "#rules/target-kind.ts";
import { shareOfRule } from "#rules/target-job.ts";

/** Checks a text as the body of `POST /send`; `text` is what is stored. */
export type ReadSend = (text: string) =>
  | { readonly kind: "message"; readonly text: string; readonly message: SendMessage }
  /** `says`: a sentence that names the field. */
  | { readonly kind: "invalid"; readonly says: string };

/** The input is the body of `POST /send`: an event becomes a notification without any code. */
export function sendTarget(accept: Accept, readSend: ReadSend, clock: Clock): TargetKind {
  return {
    takes: (arn) => arn === SEND_ARN,
    check: ({ id, input }) => {
      if (input.kind !== "text") return null;
      const read = readSend(input.text);
      return read.kind === "invalid" ? `Input of target ${id} is no body of POST /send: ${read.says}` : null;
    },
    deliver: async (call) => {
      const read = readSend(call.input);
      if (read.kind === "invalid") return { kind: "refused", code: "INVALID_JSON", reason: read.says };
      const accepted = await accept.accept({
        text: read.text,
        message: read.message,
        traceparent: call.event.traceparent,
        share: shareOfRule(call.rule),
        // The same delivery, tried again because an answer was lost, is the same message.
        once: { key: `target:${call.key}`, fingerprint: "", expiresMs: clock.nowMs() + IDEMPOTENCY_MS_DEFAULT },
      });
      switch (accepted.kind) {
        case "accepted":
        case "repeated":
          return { kind: "done", effects: {} };
        case "overloaded":
          return {
            kind: "retry",
            code: "THROTTLING",
            reason: "Too much waits to be stored.",
            afterMs: accepted.retryAfterMs,
          };
        case "refused":
          return { kind: "refused", code: accepted.problem.code, reason: accepted.problem.message };
      }
    },
  };
}
