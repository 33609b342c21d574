import type { Taken } from "#functions/feeders/queue-filter.ts";
import { isJsonObject, type Json } from "#domain/json.ts";
import { messageIdOf } from "#queues/payload.ts";

export type Failed = { readonly taken: Taken; readonly says: string };

export type QueueOutputRead =
  | { readonly kind: "read"; readonly failed: readonly Failed[] }
  /** It cannot be told which messages are done: none is. */
  | { readonly kind: "invalid"; readonly says: string };

const ALL_DONE: QueueOutputRead = { kind: "read", failed: [] };
const HANDLER = "the handler said that it failed";

/**
 * Reads which messages failed: `{ failed: [id, { id, reason }] }`, or AWS' `{ batchItemFailures: [{ itemIdentifier }] }`.
 * Nothing, or an object with neither, means that all are done; an id that was not in the batch, as with AWS, that none is.
 */
export function readQueueOutput(text: string | null, taken: readonly Taken[]): QueueOutputRead {
  if (text === null) return ALL_DONE;
  // A thread made it by JSON.stringify.
  const output = JSON.parse(text) as Json;
  if (!isJsonObject(output)) return ALL_DONE;
  const list = output["failed"] ?? output["batchItemFailures"];
  if (list === undefined || list === null) return ALL_DONE;
  if (!Array.isArray(list)) return invalid("failed is not a list");
  const byId = new Map(taken.map((one) => [messageIdOf(one.job), one]));
  const failed = new Map<Taken, string>();
  for (const item of list) {
    const { id, reason } = readItem(item);
    const one = id === null ? undefined : byId.get(id);
    if (one === undefined)
      return invalid(`failed names ${JSON.stringify(item).slice(0, 100)}, which is no message of its batch`);
    failed.set(one, reason);
  }
  return { kind: "read", failed: [...failed].map(([one, says]) => ({ taken: one, says })) };
}

function readItem(item: Json): { readonly id: string | null; readonly reason: string } {
  if (typeof item === "string") return { id: item, reason: HANDLER };
  if (!isJsonObject(item)) return { id: null, reason: HANDLER };
  const id = item["id"] ?? item["itemIdentifier"];
  const { reason } = item;
  return { id: typeof id === "string" ? id : null, reason: typeof reason === "string" ? reason : HANDLER };
}

function invalid(says: string): QueueOutputRead {
  return { kind: "invalid", says: `BadOutput: ${says}` };
}
