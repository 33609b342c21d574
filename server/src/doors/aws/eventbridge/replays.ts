import { AwsFault } from "#doors/aws/fault.ts";
import { undone, validation } from "#doors/aws/eventbridge/faults.ts";
import { nextToken, pageAsk, secondsOf } from "#doors/aws/eventbridge/place.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, moment, required, structure, text, whole } from "#doors/aws/shape.ts";
import { arnText, parseArn } from "#domain/arn.ts";
import type { Replay, ReplayState } from "#rules/desk.ts";

const STATES: readonly ReplayState[] = ["STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"];

const DESTINATION = structure({ Arn: required(text), FilterArns: list("member", text) });
const STARTED = { ReplayArn: text, State: text, StateReason: text };
const SUMMARY = {
  ReplayName: text,
  EventSourceArn: text,
  State: text,
  StateReason: text,
  EventStartTime: moment,
  EventEndTime: moment,
  EventLastReplayedTime: moment,
  ReplayStartTime: moment,
  ReplayEndTime: moment,
};

const startReplay = action({
  name: "StartReplay",
  scope: "full",
  input: structure({
    ReplayName: required(text),
    Description: text,
    EventSourceArn: required(text),
    EventStartTime: required(moment),
    EventEndTime: required(moment),
    Destination: required(DESTINATION),
  }),
  output: structure({ ...STARTED, ReplayStartTime: moment }),
  run: async ({ ReplayName, Description, EventSourceArn, EventStartTime, EventEndTime, Destination }, call) => {
    const archive = parseArn(EventSourceArn);
    if (archive?.kind !== "archive") return notValid("EventSourceArn", "it must be the ARN of an archive");
    const bus = parseArn(Destination.Arn);
    if (bus?.kind !== "bus") return notValid("Destination.Arn", "it must be the ARN of an event bus");
    const rules = Destination.FilterArns?.map((arn) => {
      const rule = parseArn(arn);
      return rule?.kind === "rule" && rule.bus === bus.name ? rule.name : null;
    });
    if (rules?.includes(null)) return notValid("Destination.FilterArns", "they must be ARNs of rules of that bus");
    const started = await call.house.rules.replays.start({
      name: ReplayName,
      archive: archive.name,
      bus: bus.name,
      description: Description ?? null,
      rules: rules === undefined || rules.length === 0 ? null : rules.filter((name) => name !== null),
      fromMs: EventStartTime,
      untilMs: EventEndTime,
    });
    if (started.kind !== "done") return undone(started);
    return { ...startedOf(started.value, call), ReplayStartTime: secondsOf(started.value.startedMs) };
  },
});

const describeReplay = action({
  name: "DescribeReplay",
  scope: "read",
  input: structure({ ReplayName: required(text) }),
  output: structure({ ...SUMMARY, ReplayArn: text, Description: text, Destination: DESTINATION }),
  run: async ({ ReplayName }, call) => {
    const found = await call.house.rules.replays.describe(ReplayName);
    if (found.kind !== "done") return undone(found);
    const { name, description, bus, rules } = found.value;
    const { region } = call;
    return {
      ...summary(found.value, call),
      ReplayArn: arnText({ kind: "replay", name }, region),
      Description: description ?? undefined,
      Destination: {
        Arn: arnText({ kind: "bus", name: bus }, region),
        FilterArns: rules?.map((rule) => arnText({ kind: "rule", bus, name: rule }, region)),
      },
    };
  },
});

const listReplays = action({
  name: "ListReplays",
  scope: "read",
  input: structure({ NamePrefix: text, State: text, EventSourceArn: text, Limit: whole, NextToken: text }),
  output: structure({ Replays: list("member", structure(SUMMARY)), NextToken: text }),
  run: async ({ NamePrefix, State, EventSourceArn, ...paging }, call) => {
    const ask = pageAsk(paging, NamePrefix);
    if (ask instanceof AwsFault) return ask;
    const state = STATES.find((one) => one === State) ?? null;
    if (State !== undefined && state === null) return notValid("State", `it must be one of ${STATES.join(", ")}`);
    const source = EventSourceArn === undefined ? null : parseArn(EventSourceArn);
    if (EventSourceArn !== undefined && source?.kind !== "archive") {
      return notValid("EventSourceArn", "it must be the ARN of an archive");
    }
    const archive = source?.kind === "archive" ? source.name : null;
    const page = await call.house.rules.replays.list({ archive, state }, ask);
    return { Replays: page.items.map((one) => summary(one, call)), NextToken: nextToken(page.next) };
  },
});

const cancelReplay = action({
  name: "CancelReplay",
  scope: "full",
  input: structure({ ReplayName: required(text) }),
  output: structure(STARTED),
  run: async ({ ReplayName }, call) => {
    const cancelled = await call.house.rules.replays.cancel(ReplayName);
    return cancelled.kind === "done" ? startedOf(cancelled.value, call) : undone(cancelled);
  },
});

export const REPLAY_ACTIONS = [startReplay, describeReplay, listReplays, cancelReplay];

function notValid(parameter: string, reason: string): AwsFault {
  return validation(`Parameter ${parameter} is not valid. Reason: ${reason}.`);
}

function startedOf({ name, state, stateReason }: Replay, { region }: AwsCall) {
  return {
    ReplayArn: arnText({ kind: "replay", name }, region),
    State: state,
    StateReason: stateReason ?? undefined,
  };
}

function summary(replay: Replay, { region }: AwsCall) {
  const { name, archive, state, stateReason, fromMs, untilMs, startedMs, endedMs, lastEventMs } = replay;
  return {
    ReplayName: name,
    EventSourceArn: arnText({ kind: "archive", name: archive }, region),
    State: state,
    StateReason: stateReason ?? undefined,
    EventStartTime: secondsOf(fromMs),
    EventEndTime: secondsOf(untilMs),
    EventLastReplayedTime: lastEventMs === null ? undefined : secondsOf(lastEventMs),
    ReplayStartTime: secondsOf(startedMs),
    ReplayEndTime: endedMs === null ? undefined : secondsOf(endedMs),
  };
}
