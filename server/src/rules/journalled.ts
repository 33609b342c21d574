import { DEFAULT_BUS } from "#domain/arn.ts";
import type { EventAttributes, NewEvent } from "#domain/event.ts";
import type { ForeignEvent } from "#rules/event-desk.ts";

/** An event with all that was left open filled in. */
export type WholeEvent = Omit<ForeignEvent, "once"> & { readonly id: string };

/** How a foreign event stands in the journal. */
export function journalled({ id, source, type, timeMs, data, subject, traceparent, attributes }: WholeEvent): NewEvent {
  const kept = keptAttributes(attributes, subject);
  return { type, subject: subject ?? id, timeMs, data, traceparent, source, id, attributes: kept };
}

/** What says nothing that is not so anyway is left out, so that most events have none. */
function keptAttributes(attributes: EventAttributes, subject: string | null): string | null {
  const { bus, resources, ...others } = attributes;
  const kept: EventAttributes = {
    ...(bus === undefined || bus === DEFAULT_BUS ? {} : { bus }),
    ...(resources === undefined || resources.length === 0 ? {} : { resources }),
    ...others,
    ...(subject === null ? {} : { subject }),
  };
  for (const _ in kept) return JSON.stringify(kept);
  return null;
}
