import { InboundAnswer, InboundEvent } from "@tidings/contract";
import { json, refusal } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { answerOf } from "#doors/http/routes/cloud-events.ts";
import { cut, weave } from "#rules/json-cut.ts";

/** What Courier's track events have as their source. */
export const INBOUND_SOURCE = "courier";
/** How long a repetition is told as one, rather than kept once in silence: a week, longer than any client tries. */
const TOLD_MS = 7 * 24 * 60 * 60 * 1000;

const PROPERTIES = weave([["properties"]]);

/** Courier's inbound track-event call (courier-api.md §2.13): an event of the source `courier`. */
export function registerInbound(routes: Routes, { events, clock }: Pick<HttpHouse, "events" | "clock">): void {
  routes.add({
    method: "POST",
    path: "/inbound/courier",
    tag: "events",
    scope: "send",
    summary: "Take a track event as Courier has it",
    description: "It becomes an event of the source `courier`, whose type is `event` and whose id is `messageId`.",
    body: InboundEvent,
    example: {
      type: "track",
      event: "order placed",
      messageId: "4711",
      properties: { total: 42 },
      userId: "ada",
    },
    answers: { 202: { says: "Kept", body: InboundAnswer } },
    faults: ["event.invalid", "event.too_large", "event.unfit", "conflict.exists"],
    handle: async (call) => {
      const { event: type, messageId, userId } = call.body;
      const properties = cut(call.text, PROPERTIES, 1)[0] ?? "{}";
      const nowMs = clock.nowMs();
      const [verdict] = await events.accept(
        [
          {
            id: messageId,
            source: INBOUND_SOURCE,
            type,
            timeMs: nowMs,
            data: `{"properties":${properties},"userId":${JSON.stringify(userId ?? null)}}`,
            subject: userId == null || userId === "" ? null : userId,
            traceparent: null,
            attributes: {},
            once: {
              key: `${INBOUND_SOURCE}/${messageId}`,
              fingerprint: "",
              status: 202,
              body: "",
              expiresMs: nowMs + TOLD_MS,
            },
          },
        ],
        call,
      );
      if (verdict === undefined) return refusal("internal", "The event was not judged.");
      return verdict.kind === "kept" || verdict.kind === "quarantined" ? json(202, { messageId }) : answerOf(verdict);
    },
  });
}
