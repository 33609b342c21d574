import { randomUUID } from "node:crypto";
import { defineFunction, http } from "tidings";
import { isPerson, REGISTRATIONS } from "../lib/onboarding.ts";

/** Answers when the registration is on disk; everything else happens later. The tracking id is that of the trace. */
export default defineFunction({
  on: http("POST", "/api/customers"),
  handler({ body }, { queues, invocation }) {
    if (!isPerson(body)) return { status: 400, body: { error: "Send email, firstName and lastName as texts." } };
    const customerId = randomUUID();
    const trackingId = invocation.traceparent?.split("-")[1] ?? invocation.key;
    queues.send(REGISTRATIONS, { customerId, trackingId, person: body });
    return { status: 202, body: { customerId, trackingId } };
  },
});
