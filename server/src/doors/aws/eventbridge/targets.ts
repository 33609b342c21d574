import { AwsFault, unreadable } from "#doors/aws/fault.ts";
import { undone } from "#doors/aws/eventbridge/faults.ts";
import { busName, nextToken, pageAsk, ruleAt } from "#doors/aws/eventbridge/place.ts";
import { action } from "#doors/aws/service.ts";
import { anyJson, list, required, structure, text, truth, whole } from "#doors/aws/shape.ts";
import { isJsonObject } from "#domain/json.ts";
import type { TargetFailure } from "#rules/desk.ts";
import { TARGETS_PER_RULE_AWS } from "#rules/limits.ts";

const AT = { Rule: required(text), EventBusName: text };
const PAGING = { Limit: whole, NextToken: text };
const FAILURES = {
  FailedEntryCount: whole,
  FailedEntries: list("member", structure({ TargetId: text, ErrorCode: text, ErrorMessage: text })),
};

const putTargets = action({
  name: "PutTargets",
  scope: "full",
  // A target has dozens of members for services that we do not have; the desk reads those that mean something here.
  input: structure({ ...AT, Targets: required(list("member", anyJson)) }),
  output: structure(FAILURES),
  run: async ({ Rule, EventBusName, Targets }, call) => {
    const targets = Targets.filter(isJsonObject);
    if (targets.length < Targets.length) return unreadable("Targets must be a list of objects.");
    const put = await call.house.rules.targets.put(ruleAt(Rule, EventBusName), targets, TARGETS_PER_RULE_AWS);
    return put.kind === "done" ? failures(put.value.failed) : undone(put);
  },
});

const removeTargets = action({
  name: "RemoveTargets",
  scope: "full",
  input: structure({ ...AT, Ids: required(list("member", text)), Force: truth }),
  output: structure(FAILURES),
  run: async ({ Rule, EventBusName, Ids }, call) => {
    const removed = await call.house.rules.targets.remove(ruleAt(Rule, EventBusName), Ids);
    return removed.kind === "done" ? failures(removed.value.failed) : undone(removed);
  },
});

const listTargetsByRule = action({
  name: "ListTargetsByRule",
  scope: "read",
  input: structure({ ...AT, ...PAGING }),
  output: structure({ Targets: list("member", anyJson), NextToken: text }),
  run: async ({ Rule, EventBusName, ...paging }, call) => {
    const ask = pageAsk(paging);
    if (ask instanceof AwsFault) return ask;
    const found = await call.house.rules.targets.list(ruleAt(Rule, EventBusName), ask);
    if (found.kind !== "done") return undone(found);
    const { items, next } = found.value;
    return { Targets: items.map(({ asPut }) => asPut), NextToken: nextToken(next) };
  },
});

const listRuleNamesByTarget = action({
  name: "ListRuleNamesByTarget",
  scope: "read",
  input: structure({ TargetArn: required(text), EventBusName: text, ...PAGING }),
  output: structure({ RuleNames: list("member", text), NextToken: text }),
  run: async ({ TargetArn, EventBusName, ...paging }, call) => {
    const ask = pageAsk(paging);
    if (ask instanceof AwsFault) return ask;
    const found = await call.house.rules.targets.ruleNamesOf(TargetArn, busName(EventBusName), ask);
    if (found.kind !== "done") return undone(found);
    return { RuleNames: found.value.items, NextToken: nextToken(found.value.next) };
  },
});

export const TARGET_ACTIONS = [putTargets, removeTargets, listTargetsByRule, listRuleNamesByTarget];

function failures(failed: readonly TargetFailure[]) {
  return {
    FailedEntryCount: failed.length,
    FailedEntries: failed.map(({ id, code, message }) => ({ TargetId: id, ErrorCode: code, ErrorMessage: message })),
  };
}
