import type { Job } from "#domain/job.ts";
import type { Fits } from "#functions/pattern.ts";
import { type Payload, payloadOf } from "#queues/payload.ts";
import type { Queue } from "#queues/queue.ts";
import { isJson } from "#rules/pattern/json-reader.ts";

/** A message in hand, read once. */
export type Taken = { readonly job: Job; readonly payload: Payload };

/** Divides messages into those to be worked, and those that are too old or that the filter passes over; null: it passes none. */
export function dueNow(
  queue: Queue,
  jobs: readonly Job[],
  fits: Fits | null,
  nowMs: number,
): { readonly work: readonly Taken[]; readonly gone: readonly Job[] } {
  const oldestMs = nowMs - queue.attributes.retentionMs;
  const work: Taken[] = [];
  const gone: Job[] = [];
  for (const job of jobs) {
    const payload = payloadOf(job);
    if (payload.sentMs >= oldestMs && (fits === null || fits(filtered(payload)))) work.push({ job, payload });
    else gone.push(job);
  }
  return { work, gone };
}

/** As a filter sees a message: its body, read as JSON if it is that, and the values of its attributes. */
function filtered({ body, attributes = {} }: Payload): string {
  const values = Object.fromEntries(Object.entries(attributes).map(([name, { value }]) => [name, value]));
  return `{"body":${isJson(body) ? body : JSON.stringify(body)},"attributes":${JSON.stringify(values)}}`;
}
