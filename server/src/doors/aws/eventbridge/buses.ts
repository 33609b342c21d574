import { AwsFault } from "#doors/aws/fault.ts";
import { undone } from "#doors/aws/eventbridge/faults.ts";
import { busName, nextToken, pageAsk, secondsOf } from "#doors/aws/eventbridge/place.ts";
import { nothing } from "#doors/aws/eventbridge/nothing.ts";
import { TAG_LIST, tagsOf } from "#doors/aws/eventbridge/tags.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, moment, required, structure, text, whole } from "#doors/aws/shape.ts";
import { arnText } from "#domain/arn.ts";
import type { Bus } from "#rules/desk.ts";

const BUS = structure({ Name: text, Arn: text, Description: text, CreationTime: moment, LastModifiedTime: moment });

const createEventBus = action({
  name: "CreateEventBus",
  scope: "full",
  input: structure({ Name: required(text), Description: text, EventSourceName: text, Tags: TAG_LIST }),
  output: structure({ EventBusArn: text, Description: text }),
  run: async ({ Name: name, Description, Tags }, call) => {
    const made = await call.house.rules.buses.create({ name, description: Description ?? null, tags: tagsOf(Tags) });
    if (made.kind !== "done") return undone(made);
    return { EventBusArn: arnText({ kind: "bus", name }, call.region), Description };
  },
});

const describeEventBus = action({
  name: "DescribeEventBus",
  scope: "read",
  input: structure({ Name: text }),
  output: BUS,
  run: async ({ Name }, call) => {
    const found = await call.house.rules.buses.describe(busName(Name));
    return found.kind === "done" ? shown(found.value, call) : undone(found);
  },
});

const listEventBuses = action({
  name: "ListEventBuses",
  scope: "read",
  input: structure({ NamePrefix: text, Limit: whole, NextToken: text }),
  output: structure({ EventBuses: list("member", BUS), NextToken: text }),
  run: async ({ NamePrefix, ...paging }, call) => {
    const ask = pageAsk(paging, NamePrefix);
    if (ask instanceof AwsFault) return ask;
    const page = await call.house.rules.buses.list(ask);
    return { EventBuses: page.items.map((bus) => shown(bus, call)), NextToken: nextToken(page.next) };
  },
});

const deleteEventBus = action({
  name: "DeleteEventBus",
  scope: "full",
  input: structure({ Name: required(text) }),
  output: structure({}),
  run: async ({ Name }, call) => nothing(await call.house.rules.buses.remove(busName(Name))),
});

export const BUS_ACTIONS = [createEventBus, describeEventBus, listEventBuses, deleteEventBus];

function shown({ name, description, createdMs, modifiedMs }: Bus, { region }: AwsCall) {
  return {
    Name: name,
    Arn: arnText({ kind: "bus", name }, region),
    Description: description ?? undefined,
    CreationTime: secondsOf(createdMs),
    LastModifiedTime: secondsOf(modifiedMs),
  };
}
