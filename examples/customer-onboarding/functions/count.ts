import { defineFunction, stream } from "tidings";
import { counters, SOURCE } from "../lib/onboarding.ts";

/** Reads the journal a hundred events at a time. Counters and place in the journal are one commit, so each counts once. */
export default defineFunction({
  on: stream({ batchSize: 100, startFrom: "earliest", filter: { source: [SOURCE] } }),
  async handler(batch, { documents }) {
    const days = Map.groupBy(batch, ({ time }) => time.slice(0, 10));
    for (const [day, events] of days) {
      const before = await documents.get(counters, day);
      const now: Record<string, number> = { ...before?.value };
      for (const { type } of events) now[type] = (now[type] ?? 0) + 1;
      documents.put(counters, day, now, { version: before?.version ?? 0 });
    }
  },
});
