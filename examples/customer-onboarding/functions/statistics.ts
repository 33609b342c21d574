import { defineFunction, http } from "tidings";
import { counters } from "../lib/onboarding.ts";

export default defineFunction({
  on: http("GET", "/api/statistics"),
  async handler(_call, { documents }) {
    const { documents: days } = await documents.query(counters, { limit: 1_000 });
    return { body: Object.fromEntries(days.map(({ id, value }) => [id, value])) };
  },
});
