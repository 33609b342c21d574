import { AwsFault } from "#doors/aws/fault.ts";
import { undone, validation } from "#doors/aws/eventbridge/faults.ts";
import { nothing } from "#doors/aws/eventbridge/nothing.ts";
import { nextToken, pageAsk, secondsOf } from "#doors/aws/eventbridge/place.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, moment, required, structure, text, whole } from "#doors/aws/shape.ts";
import { arnText, parseArn } from "#domain/arn.ts";
import type { Archive } from "#rules/desk.ts";

const WISH = { Description: text, EventPattern: text, RetentionDays: whole };
const MADE = structure({ ArchiveArn: text, State: text, CreationTime: moment });
const SUMMARY = {
  ArchiveName: text,
  EventSourceArn: text,
  State: text,
  RetentionDays: whole,
  SizeBytes: whole,
  EventCount: whole,
  CreationTime: moment,
};

const createArchive = action({
  name: "CreateArchive",
  scope: "full",
  input: structure({ ArchiveName: required(text), EventSourceArn: required(text), ...WISH }),
  output: MADE,
  run: async ({ ArchiveName: name, EventSourceArn, Description, EventPattern, RetentionDays }, call) => {
    const bus = busOf(EventSourceArn);
    if (bus instanceof AwsFault) return bus;
    const wish = {
      description: Description ?? null,
      pattern: EventPattern ?? null,
      retentionDays: RetentionDays ?? 0,
    };
    const made = await call.house.rules.archives.create({ name, bus, ...wish });
    return made.kind === "done" ? madeOf(made.value, call) : undone(made);
  },
});

const updateArchive = action({
  name: "UpdateArchive",
  scope: "full",
  input: structure({ ArchiveName: required(text), ...WISH }),
  output: MADE,
  run: async ({ ArchiveName, Description, EventPattern, RetentionDays }, call) => {
    const made = await call.house.rules.archives.update(ArchiveName, {
      ...(Description === undefined ? {} : { description: Description }),
      ...(EventPattern === undefined ? {} : { pattern: EventPattern }),
      ...(RetentionDays === undefined ? {} : { retentionDays: RetentionDays }),
    });
    return made.kind === "done" ? madeOf(made.value, call) : undone(made);
  },
});

const describeArchive = action({
  name: "DescribeArchive",
  scope: "read",
  input: structure({ ArchiveName: required(text) }),
  output: structure({ ...SUMMARY, ArchiveArn: text, Description: text, EventPattern: text }),
  run: async ({ ArchiveName }, call) => {
    const found = await call.house.rules.archives.describe(ArchiveName);
    if (found.kind !== "done") return undone(found);
    const { name, description, pattern } = found.value;
    return {
      ...summary(found.value, call),
      ArchiveArn: arnText({ kind: "archive", name }, call.region),
      Description: description ?? undefined,
      EventPattern: pattern ?? undefined,
    };
  },
});

const listArchives = action({
  name: "ListArchives",
  scope: "read",
  input: structure({ NamePrefix: text, EventSourceArn: text, State: text, Limit: whole, NextToken: text }),
  output: structure({ Archives: list("member", structure(SUMMARY)), NextToken: text }),
  run: async ({ NamePrefix, EventSourceArn, State, ...paging }, call) => {
    const ask = pageAsk(paging, NamePrefix);
    if (ask instanceof AwsFault) return ask;
    const bus = EventSourceArn === undefined ? null : busOf(EventSourceArn);
    if (bus instanceof AwsFault) return bus;
    // All of ours are enabled.
    if (State !== undefined && State !== "ENABLED") return { Archives: [] };
    const page = await call.house.rules.archives.list(bus, ask);
    return { Archives: page.items.map((one) => summary(one, call)), NextToken: nextToken(page.next) };
  },
});

const deleteArchive = action({
  name: "DeleteArchive",
  scope: "full",
  input: structure({ ArchiveName: required(text) }),
  output: structure({}),
  run: async ({ ArchiveName }, call) => nothing(await call.house.rules.archives.remove(ArchiveName)),
});

export const ARCHIVE_ACTIONS = [createArchive, updateArchive, describeArchive, listArchives, deleteArchive];

/** The bus that an archive copies from. */
function busOf(arn: string): string | AwsFault {
  const parsed = parseArn(arn);
  return parsed?.kind === "bus"
    ? parsed.name
    : validation("Parameter EventSourceArn is not valid. Reason: it must be the ARN of an event bus.");
}

function madeOf({ name, createdMs }: Archive, { region }: AwsCall) {
  return {
    ArchiveArn: arnText({ kind: "archive", name }, region),
    State: "ENABLED",
    CreationTime: secondsOf(createdMs),
  };
}

function summary({ name, bus, retentionDays, bytes, events, createdMs }: Archive, { region }: AwsCall) {
  return {
    ArchiveName: name,
    EventSourceArn: arnText({ kind: "bus", name: bus }, region),
    State: "ENABLED",
    RetentionDays: retentionDays,
    SizeBytes: bytes,
    EventCount: events,
    CreationTime: secondsOf(createdMs),
  };
}
