import { ARCHIVE_ACTIONS } from "#doors/aws/eventbridge/archives.ts";
import { BUS_ACTIONS } from "#doors/aws/eventbridge/buses.ts";
import { missingMember, validation } from "#doors/aws/eventbridge/faults.ts";
import { putEvents } from "#doors/aws/eventbridge/put-events.ts";
import { REPLAY_ACTIONS } from "#doors/aws/eventbridge/replays.ts";
import { RULE_ACTIONS } from "#doors/aws/eventbridge/rules.ts";
import { TAG_ACTIONS } from "#doors/aws/eventbridge/tags.ts";
import { TARGET_ACTIONS } from "#doors/aws/eventbridge/targets.ts";
import { type AwsService, tableOf } from "#doors/aws/service.ts";

/** EventBridge: JSON 1.1 of 2015-10-07. */
export const EVENTBRIDGE: AwsService = {
  name: "events",
  title: "EventBridge",
  target: "AWSEvents",
  jsonType: "application/x-amz-json-1.1",
  namespace: "",
  xmlns: null,
  actions: tableOf([
    putEvents,
    ...BUS_ACTIONS,
    ...RULE_ACTIONS,
    ...TARGET_ACTIONS,
    ...TAG_ACTIONS,
    ...ARCHIVE_ACTIONS,
    ...REPLAY_ACTIONS,
  ]),
  missing: missingMember,
  invalid: (member, says) => validation(`Parameter ${member} is not valid. Reason: ${says}`),
};
