import { faultOf } from "#doors/aws/fault.ts";
import { validation } from "#doors/aws/eventbridge/faults.ts";
import { busName } from "#doors/aws/eventbridge/place.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, moment, required, structure, text, type Value, whole } from "#doors/aws/shape.ts";
import { traceparentOf } from "#doors/aws/trace-header.ts";
import { readJson } from "#doors/http/json-text.ts";
import { DEFAULT_BUS } from "#domain/arn.ts";
import type { EventAttributes } from "#domain/event.ts";
import { isJsonObject } from "#domain/json.ts";
import type { EventVerdict, ForeignEvent } from "#rules/event-desk.ts";

/** Entries of one call, and what they may weigh together (aws-ingest.md §9.1). */
const ENTRIES_MAX = 10;
const ENTRIES_BYTES_MAX = 1024 * 1024;
/** What EventBridge counts for a time. */
const TIME_BYTES = 14;

const ENTRY = structure({
  Time: moment,
  Source: text,
  Resources: list("member", text),
  DetailType: text,
  Detail: text,
  EventBusName: text,
  TraceHeader: text,
});
type Entry = Value<typeof ENTRY>;

export const putEvents = action({
  name: "PutEvents",
  scope: "send",
  input: structure({ Entries: required(list("member", ENTRY)), EndpointId: text }),
  output: structure({
    FailedEntryCount: whole,
    Entries: list("member", structure({ EventId: text, ErrorCode: text, ErrorMessage: text })),
  }),
  run: async ({ Entries: entries }, call) => {
    if (entries.length === 0) return validation(lengthSays("greater than or equal to 1"));
    if (entries.length > ENTRIES_MAX) return validation(lengthSays(`less than or equal to ${ENTRIES_MAX}`));
    if (bytesOf(entries) > ENTRIES_BYTES_MAX) {
      return validation("Total size of the entries in the request is over the limit.");
    }
    const read = entries.map((entry) => eventOf(entry, call));
    const events = read.filter((one) => "source" in one);
    const verdicts = (await call.house.events.accept(events, call)).values();
    const results = read.map((one) => ("source" in one ? resultOf(verdicts.next().value) : one));
    const failed = results.filter(({ ErrorCode }) => ErrorCode !== undefined).length;
    return { FailedEntryCount: failed, Entries: results };
  },
});

type Result = { readonly EventId?: string; readonly ErrorCode?: string; readonly ErrorMessage?: string };

function lengthSays(bound: string): string {
  return `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length ${bound}`;
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { Source, DetailType, Detail, Resources, Time } of entries) {
    for (const part of [Source, DetailType, Detail, ...(Resources ?? [])]) bytes += Buffer.byteLength(part ?? "");
    if (Time !== undefined) bytes += TIME_BYTES;
  }
  return bytes;
}

function eventOf(entry: Entry, { house, region }: AwsCall): ForeignEvent | Result {
  const { Source, DetailType, Detail, Time, Resources, EventBusName, TraceHeader } = entry;
  if (Source === undefined || Source === "") return lacking("Source");
  if (DetailType === undefined || DetailType === "") return lacking("DetailType");
  if (Detail === undefined || Detail === "") return lacking("Detail");
  const detail = readJson(Detail);
  if (!detail.ok || !isJsonObject(detail.value)) {
    return { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." };
  }
  const bus = busName(EventBusName);
  const attributes: EventAttributes = {
    ...(bus === DEFAULT_BUS ? {} : { bus }),
    ...(Resources === undefined || Resources.length === 0 ? {} : { resources: Resources }),
    ...(region === house.settings.aws.region ? {} : { region }),
  };
  return {
    id: null,
    source: Source,
    type: DetailType,
    timeMs: Time ?? house.clock.nowMs(),
    data: Detail,
    subject: null,
    traceparent: TraceHeader === undefined ? null : traceparentOf(TraceHeader),
    attributes,
  };
}

function lacking(member: string): Result {
  const says = `Parameter ${member} is not valid. Reason: ${member} is a required argument.`;
  return { ErrorCode: "InvalidArgument", ErrorMessage: says };
}

function resultOf(verdict: EventVerdict | undefined): Result {
  switch (verdict?.kind) {
    case "kept":
    case "quarantined":
      return { EventId: verdict.id };
    case "refused":
      return { ErrorCode: "InvalidArgument", ErrorMessage: verdict.says };
    case "overloaded":
      return { ErrorCode: "ThrottlingException", ErrorMessage: faultOf("overloaded").message };
    default:
      throw new Error("broken invariant: each event has a verdict, and none of this door is taken once");
  }
}
