import { AwsFault, blameOf } from "#doors/aws/fault.ts";
import { list, structure } from "#doors/aws/shape.ts";
import { BAD_ENTRY_ID, emptyBatch, repeatedId, tooManyEntries } from "#doors/aws/sqs/faults.ts";
import { BATCH_ERROR } from "#doors/aws/sqs/shapes.ts";
import { BATCH_MAX } from "#queues/message.ts";

/** What an entry of a batch failed of. */
export const FAILED = list("BatchResultErrorEntry", structure(BATCH_ERROR));

const ENTRY_ID = /^[A-Za-z0-9_-]{1,80}$/;

/** What is wrong with a batch as a whole. `entry`: what SQS calls one. */
export function batchFault(entries: readonly { readonly Id: string }[], entry: string): AwsFault | null {
  if (entries.length === 0) return emptyBatch(entry);
  if (entries.length > BATCH_MAX) return tooManyEntries(entries.length);
  if (entries.some(({ Id }) => !ENTRY_ID.test(Id))) return BAD_ENTRY_ID;
  const seen = new Set<string>();
  for (const { Id } of entries) {
    if (seen.has(Id)) return repeatedId(Id);
    seen.add(Id);
  }
  return null;
}

type Failed = { readonly Id: string; readonly Code: string; readonly Message: string; readonly SenderFault: boolean };

/** The answer to a batch; a list without items is left out. */
export function batchAnswer<Entry extends { readonly Id: string }, Good>(
  entries: readonly Entry[],
  results: readonly (Good | AwsFault)[],
): { Successful?: readonly Good[]; Failed?: readonly Failed[] } {
  const good: Good[] = [];
  const failed: Failed[] = [];
  for (const [index, result] of results.entries()) {
    if (!(result instanceof AwsFault)) good.push(result);
    else {
      const Id = entries[index]?.Id ?? "";
      failed.push({ Id, Code: result.code, Message: result.message, SenderFault: blameOf(result) === "Sender" });
    }
  }
  return {
    ...(good.length === 0 ? {} : { Successful: good }),
    ...(failed.length === 0 ? {} : { Failed: failed }),
  };
}
