import { SendAnswer, SendRequest } from "@tidings/contract";
import { jsonText, overloaded, refuse } from "#doors/http/answer.ts";
import { replay } from "#doors/http/commit-answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { withoutNulls } from "#doors/http/without-nulls.ts";
import type { SendMessage } from "#domain/notification.ts";
import { invariant } from "#domain/invariant.ts";

/** `POST /send` (courier-api.md §2.2): 202 as soon as it is durable. */
export function registerSend(routes: Routes, { accept }: Pick<HttpHouse, "accept">): void {
  routes.add({
    method: "POST",
    path: "/send",
    tag: "send",
    scope: "send",
    summary: "Send a message to one or many recipients",
    description:
      "Answers as soon as the call is durable; delivery follows. Repeats with the same Idempotency-Key get the first answer.",
    body: SendRequest,
    example: {
      message: {
        to: { email: "ada@example.com" },
        content: { title: "Welcome, {name}", body: "Your table for {guests} is booked." },
        data: { name: "Ada", guests: 4 },
      },
    },
    answers: { 202: { says: "Accepted and kept", body: SendAnswer } },
    faults: ["recipient.unsupported"],
    idempotent: "at commit",
    handle: async (call) => {
      const { traceparent, once } = call;
      const { text, message } = spoken(call);
      const accepted = await accept.accept({ text, message, traceparent, share: call.caller.id, once });
      switch (accepted.kind) {
        case "accepted":
          return jsonText(202, `{"requestId":"${accepted.requestId}"}`);
        case "repeated":
          invariant(once !== null, "only a call with an Idempotency-Key can be repeated");
          return replay(once, accepted.record);
        case "overloaded":
          return overloaded(accepted.retryAfterMs);
        case "refused":
          return refuse(accepted.problem);
      }
    },
  });
}

/** What goes on to the pipeline: the text as it came, and anew only in the rare case that it had nulls to leave out. */
function spoken({ text, body }: Pick<Call<unknown, unknown, SendRequest>, "text" | "body">) {
  // SendMessage is what SendRequest's schema lets through, said in the pipeline's words.
  const message = body.message as SendMessage;
  if (!text.includes("null")) return { text, message };
  const clean = withoutNulls(message) as SendMessage;
  return { text: JSON.stringify({ ...body, message: clean }), message: clean };
}
