import { AwsFault } from "#doors/aws/fault.ts";
import { undone, validation } from "#doors/aws/eventbridge/faults.ts";
import { nothing } from "#doors/aws/eventbridge/nothing.ts";
import { busName, nextToken, pageAsk, ruleAt } from "#doors/aws/eventbridge/place.ts";
import { TAG_LIST, tagsOf } from "#doors/aws/eventbridge/tags.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, required, structure, text, truth, whole } from "#doors/aws/shape.ts";
import { ACCOUNT_ID, arnText } from "#domain/arn.ts";
import type { Rule } from "#rules/rule.ts";

const AT = { Name: required(text), EventBusName: text };

const RULE = {
  Name: text,
  Arn: text,
  EventPattern: text,
  State: text,
  Description: text,
  ScheduleExpression: text,
  RoleArn: text,
  ManagedBy: text,
  EventBusName: text,
};

const putRule = action({
  name: "PutRule",
  scope: "full",
  input: structure({
    ...AT,
    EventPattern: text,
    ScheduleExpression: text,
    State: text,
    Description: text,
    RoleArn: text,
    Tags: TAG_LIST,
  }),
  output: structure({ RuleArn: text }),
  run: async ({ Name, EventBusName, State = "ENABLED", ...wish }, call) => {
    if (State !== "ENABLED" && State !== "DISABLED") return validation(stateSays(State));
    const put = await call.house.rules.rules.put({
      ...ruleAt(Name, EventBusName),
      pattern: wish.EventPattern ?? null,
      schedule: wish.ScheduleExpression ?? null,
      state: State,
      description: wish.Description ?? null,
      roleArn: wish.RoleArn ?? null,
      tags: wish.Tags === undefined ? null : tagsOf(wish.Tags),
    });
    return put.kind === "done" ? { RuleArn: ruleArn(put.value, call) } : undone(put);
  },
});

function stateSays(state: string): string {
  return `1 validation error detected: Value '${state.slice(0, 100)}' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]`;
}

const describeRule = action({
  name: "DescribeRule",
  scope: "read",
  input: structure(AT),
  output: structure({ ...RULE, CreatedBy: text }),
  run: async ({ Name, EventBusName }, call) => {
    const found = await call.house.rules.rules.describe(ruleAt(Name, EventBusName));
    return found.kind === "done" ? { ...shown(found.value, call), CreatedBy: ACCOUNT_ID } : undone(found);
  },
});

const listRules = action({
  name: "ListRules",
  scope: "read",
  input: structure({ NamePrefix: text, EventBusName: text, Limit: whole, NextToken: text }),
  output: structure({ Rules: list("member", structure(RULE)), NextToken: text }),
  run: async ({ NamePrefix, EventBusName, ...paging }, call) => {
    const ask = pageAsk(paging, NamePrefix);
    if (ask instanceof AwsFault) return ask;
    const found = await call.house.rules.rules.list(busName(EventBusName), ask);
    if (found.kind !== "done") return undone(found);
    const { items, next } = found.value;
    return { Rules: items.map((rule) => shown(rule, call)), NextToken: nextToken(next) };
  },
});

const switches = (["ENABLED", "DISABLED"] as const).map((state) =>
  action({
    name: state === "ENABLED" ? "EnableRule" : "DisableRule",
    scope: "full",
    input: structure(AT),
    output: structure({}),
    run: async ({ Name, EventBusName }, call) =>
      nothing(await call.house.rules.rules.setState(ruleAt(Name, EventBusName), state)),
  }),
);

const deleteRule = action({
  name: "DeleteRule",
  scope: "full",
  // `Force` is for rules that AWS' own services manage; ours belong to an endpoint, which is deleted instead.
  input: structure({ ...AT, Force: truth }),
  output: structure({}),
  run: async ({ Name, EventBusName }, call) =>
    nothing(await call.house.rules.rules.remove(ruleAt(Name, EventBusName), false)),
});

const testEventPattern = action({
  name: "TestEventPattern",
  scope: "find",
  input: structure({ EventPattern: required(text), Event: required(text) }),
  output: structure({ Result: truth }),
  run: async ({ EventPattern, Event }, call) => {
    const tested = call.house.rules.testPattern(EventPattern, Event);
    return tested.kind === "done" ? { Result: tested.matches } : undone(tested);
  },
});

export const RULE_ACTIONS = [putRule, describeRule, listRules, ...switches, deleteRule, testEventPattern];

function ruleArn({ bus, name }: Pick<Rule, "bus" | "name">, { region }: AwsCall): string {
  return arnText({ kind: "rule", bus, name }, region);
}

function shown(rule: Rule, call: AwsCall) {
  return {
    Name: rule.name,
    Arn: ruleArn(rule, call),
    EventPattern: rule.pattern ?? undefined,
    State: rule.state,
    Description: rule.description ?? undefined,
    ScheduleExpression: rule.schedule ?? undefined,
    RoleArn: rule.roleArn ?? undefined,
    ManagedBy: rule.managedBy ?? undefined,
    EventBusName: rule.bus,
  };
}
