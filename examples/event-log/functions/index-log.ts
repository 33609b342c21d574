import { defineFunction, stream } from "tidings";

/** Every event of the house becomes a line in the search index. These two numbers decide how far behind it falls. */
export default defineFunction({
  on: stream({
    batchSize: Number(process.env["BATCH_SIZE"] ?? 100),
    parallelizationFactor: Number(process.env["PARALLELIZATION_FACTOR"] ?? 4),
    startFrom: "earliest",
  }),
  async handler(events, { settings, signal }) {
    const lines = events.map(({ id, time, source, type, data }) => ({
      // A batch may come twice after a crash: the id is what makes it one line.
      id: `${source} ${id}`,
      time,
      source,
      type,
      text: JSON.stringify(data),
    }));
    const answer = await fetch(`${String(settings["searchUrl"])}/bulk`, {
      method: "POST",
      body: JSON.stringify(lines),
      signal,
    });
    // Throwing is enough: the batch is tried again, and the checkpoint stays where it is.
    if (!answer.ok) throw new Error(`The search index answered ${answer.status}.`);
  },
});
