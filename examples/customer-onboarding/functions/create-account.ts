import { randomUUID } from "node:crypto";
import { defineFunction, event } from "tidings";
import { customers, type Registration, SOURCE } from "../lib/onboarding.ts";

export default defineFunction({
  on: event<Registration>({ source: [SOURCE], "detail-type": ["CustomerValidated"] }),
  async handler({ data: { customerId, person } }, { documents, events, nowMs }) {
    // Somebody may raise the event twice; version 0 means that it is not there when this is committed.
    if ((await documents.get(customers, customerId)) !== null) return;
    const accountId = randomUUID();
    documents.put(customers, customerId, { ...person, accountId, createdMs: nowMs() }, { version: 0 });
    const data = { customerId, accountId, person };
    events.raise({ type: "CustomerAccountCreated", source: SOURCE, subject: customerId, data });
  },
});
