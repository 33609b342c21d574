import { defineFunction, event } from "tidings";
import { type Registration, SOURCE } from "../lib/onboarding.ts";

/** Came later: hears what the validation says, and nobody had to be changed for it. */
export default defineFunction({
  on: event<Registration>({ source: [SOURCE], "detail-type": ["CustomerValidated"] }),
  handler({ data: { customerId, person } }, { events, settings }) {
    const domain = person.email.split("@").at(-1) ?? "";
    const throwaway = settings["throwawayDomains"];
    if (!Array.isArray(throwaway) || !throwaway.includes(domain)) return;
    const data = { customerId, reason: `${domain} gives addresses to anybody for ten minutes.` };
    events.raise({ type: "CustomerSuspected", source: SOURCE, subject: customerId, data });
  },
});
