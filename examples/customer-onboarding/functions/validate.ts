import { defineFunction, queue } from "tidings";
import { judge } from "../lib/judge.ts";
import { REGISTRATIONS, type Registration } from "../lib/onboarding.ts";

/** Says which registrations are proper, and does not know what follows from that. */
export default defineFunction({
  on: queue<Registration>(REGISTRATIONS, { batchSize: 100 }),
  handler(batch, { events }) {
    for (const { body } of batch) events.raise(judge(body.customerId, body.person));
  },
});
