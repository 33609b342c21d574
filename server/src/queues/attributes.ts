import { type QueueFault, queueFault } from "#queues/fault.ts";
import {
  ATTRIBUTE_DEFAULTS,
  ATTRIBUTE_RANGES,
  FIFO_DEFAULTS,
  type QueueAttributes,
  type QueueAttributesAsk,
  RECEIVE_MAX_RANGE,
} from "#queues/queue.ts";

/** Queues that a `by-queue` permission may name. */
const SOURCES_MAX = 10;

/** The attributes of a new queue. */
export function newAttributes(isFifo: boolean, ask: QueueAttributesAsk): QueueAttributes {
  return withChanges({ ...ATTRIBUTE_DEFAULTS, fifo: isFifo ? FIFO_DEFAULTS : null }, ask);
}

/** What is named is set; the rest stays. */
export function withChanges(before: QueueAttributes, { fifo, kept, ...ask }: QueueAttributesAsk): QueueAttributes {
  const all = { ...before.kept, ...kept };
  return {
    ...before,
    ...ask,
    fifo: before.fifo === null ? null : { ...before.fifo, ...fifo },
    kept: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "")),
  };
}

/** The first attribute that is asked for and is another here; null when all that was asked for is so. */
export function differsIn(present: QueueAttributes, ask: QueueAttributesAsk): string | null {
  const wanted = withChanges(present, ask);
  for (const name of Object.keys(wanted) as (keyof QueueAttributes)[]) {
    if (!isSame(present[name], wanted[name])) return name;
  }
  return null;
}

/** What is wrong with attributes, whatever else there is; null: nothing. */
export function attributesFault(ask: QueueAttributesAsk, attributes: QueueAttributes): QueueFault | null {
  for (const [name, { min, max }] of Object.entries(ATTRIBUTE_RANGES)) {
    const attribute = name as keyof typeof ATTRIBUTE_RANGES;
    const value = attributes[attribute];
    if (!isWholeWithin(value, min, max)) return queueFault({ code: "attribute.range", attribute, value });
  }
  const { redrive, redriveAllow, fifo } = attributes;
  const [unfit] = Object.keys(ask.fifo ?? {});
  if (fifo === null && unfit !== undefined) return queueFault({ code: "attribute.fifo_only", attribute: unfit });
  if (fifo?.throughput === "group" && fifo.dedupScope !== "group") return queueFault({ code: "attribute.throughput" });
  if (redrive !== null && !isWholeWithin(redrive.receiveMax, RECEIVE_MAX_RANGE.min, RECEIVE_MAX_RANGE.max)) {
    return queueFault({ code: "redrive.count", value: redrive.receiveMax });
  }
  if (redriveAllow?.allow !== "by-queue") return null;
  const sources = redriveAllow.sources.length;
  return sources < 1 || sources > SOURCES_MAX ? queueFault({ code: "redrive.sources", sources }) : null;
}

export function isWholeWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** Of attributes, which are plain values: the order of an object's members says nothing. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return one === other;
  const [ours, theirs] = [Object.entries(one), new Map(Object.entries(other))];
  return ours.length === theirs.size && ours.every(([name, value]) => isSame(value, theirs.get(name)));
}
