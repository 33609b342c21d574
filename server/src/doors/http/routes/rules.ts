import {
  Bus,
  BusBody,
  Buses,
  CursorQuery,
  Rule,
  RuleBody,
  RuleEnabledBody,
  RulePut,
  RulesPage,
  RuleTest,
  RuleTestBody,
  Type,
} from "@tidings/contract";
import { type Answer, json, jsonText, NO_CONTENT, unknownThing } from "#doors/http/answer.ts";
import { originOf } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import { busView, patternOf, ruleText, undone } from "#doors/http/routes/rule-view.ts";
import type { By } from "#rules/desk.ts";
import { type OwnTarget, readOwnTargets } from "#rules/own-target.ts";

/** Buses or rules in one page. */
const LINES_MAX = 1_000;
const OF_BUS = Type.Object({ bus: Type.String() });
const OF_RULE = Type.Object({ bus: Type.String(), name: Type.String() });
const PAGE_QUERY = { cursor: CursorQuery, limit: PageLimit(LINES_MAX) };

/** Rules: which events are given to whom. */
export function registerRules(routes: Routes, house: HttpHouse): void {
  registerBuses(routes, house);
  registerReading(routes, house);
  registerWriting(routes, house);
  registerTest(routes, house);
}

function registerBuses(routes: Routes, { rules: { buses }, settings }: HttpHouse): void {
  const { region } = settings.aws;
  routes.add({
    method: "GET",
    path: "/buses",
    tag: "rules",
    scope: "read",
    summary: "All event buses",
    query: Type.Object(PAGE_QUERY),
    answers: { 200: { says: "A page", body: Buses } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const page = await buses.list({ prefix: null, after, limit: query.limit ?? PAGE_LIMIT });
      return json(200, { paging: paging(page.next), items: page.items.map((bus) => busView(bus, region)) });
    },
  });

  routes.add({
    method: "PUT",
    path: "/buses/:bus",
    tag: "rules",
    scope: "full",
    summary: "Make an event bus; one that exists stays as it is",
    params: OF_BUS,
    body: BusBody,
    answers: { 200: { says: "It is there", body: Bus } },
    handle: async (call) => {
      const { description = null, tags = {} } = call.body;
      const made = await buses.create({ name: call.params.bus, description, tags }, byOf(call));
      const isThere = made.kind === "fault" && made.code === "exists";
      const done = isThere ? await buses.describe(call.params.bus) : made;
      return done.kind === "done" ? json(200, busView(done.value, region)) : undone(call, done);
    },
  });

  routes.add({
    method: "DELETE",
    path: "/buses/:bus",
    tag: "rules",
    scope: "full",
    summary: "Delete an event bus that has no rules",
    params: OF_BUS,
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const done = await buses.remove(call.params.bus, byOf(call));
      return done.kind === "done" ? NO_CONTENT : undone(call, done);
    },
  });
}

function registerReading(routes: Routes, { rules: { rules }, settings }: HttpHouse): void {
  const { region } = settings.aws;
  routes.add({
    method: "GET",
    path: "/rules",
    tag: "rules",
    scope: "read",
    summary: "Rules of all buses, or of one",
    query: Type.Object({
      ...PAGE_QUERY,
      bus: Type.Optional(Type.String()),
      prefix: Type.Optional(Type.String({ description: "With `bus`: of which names begin so" })),
    }),
    answers: { 200: { says: "A page", body: RulesPage } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const { cursor, limit = PAGE_LIMIT, bus, prefix = null } = call.query;
      const after = cursor === undefined ? null : decodeCursor(cursor);
      if (cursor !== undefined && after === null) return BAD_CURSOR;
      const found =
        bus === undefined
          ? ({ kind: "done", value: await rules.listAll({ prefix: null, after, limit }) } as const)
          : await rules.list(bus, { prefix, after, limit });
      if (found.kind !== "done") return undone(call, found);
      const items = found.value.items.map((rule) => ruleText(rule, region));
      return jsonText(200, `{"paging":${JSON.stringify(paging(found.value.next))},"items":[${items.join(",")}]}`);
    },
  });

  routes.add({
    method: "GET",
    path: "/rules/:bus/:name",
    tag: "rules",
    scope: "read",
    summary: "One rule",
    params: OF_RULE,
    answers: { 200: { says: "The rule", body: Rule } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const found = await rules.describe(call.params);
      return found.kind === "done" ? jsonText(200, ruleText(found.value, region)) : undone(call, found);
    },
  });
}

function registerWriting(routes: Routes, house: HttpHouse): void {
  const { rules } = house.rules;
  const { region } = house.settings.aws;
  routes.add({
    method: "PUT",
    path: "/rules/:bus/:name",
    tag: "rules",
    scope: "full",
    summary: "Make or replace a rule with all its targets",
    description:
      "It concerns the events that come in after it. What is left out is cleared. With `try` nothing is written, and the answer says what would be.",
    params: OF_RULE,
    query: Type.Object({ try: Type.Optional(Type.Boolean()) }),
    body: RuleBody,
    example: {
      pattern: { "detail-type": ["UserRegistered"] },
      targets: [
        {
          send: {
            message: { to: { email: "<email>" }, content: { title: "Welcome", body: "Hello <name>." } },
            paths: { email: "$.detail.email", name: "$.detail.name" },
          },
        },
      ],
    },
    answers: { 200: { says: "It is so", body: RulePut } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: (call) => putRule(house, call, call.query.try === true),
  });

  routes.add({
    method: "PUT",
    path: "/rules/:bus/:name/enabled",
    tag: "rules",
    scope: "full",
    summary: "Enable or disable a rule",
    params: OF_RULE,
    body: RuleEnabledBody,
    answers: { 200: { says: "It is so", body: Rule } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const done = await rules.setState(call.params, call.body.enabled ? "ENABLED" : "DISABLED", byOf(call));
      return done.kind === "done" ? jsonText(200, ruleText(done.value, region)) : undone(call, done);
    },
  });

  routes.add({
    method: "DELETE",
    path: "/rules/:bus/:name",
    tag: "rules",
    scope: "full",
    summary: "Delete a rule with its targets",
    params: OF_RULE,
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const done = await rules.remove(call.params, true, byOf(call));
      if (done.kind !== "done") return undone(call, done);
      return done.value === null ? unknownThing("rule") : NO_CONTENT;
    },
  });
}

function registerTest(routes: Routes, { rules }: HttpHouse): void {
  routes.add({
    method: "POST",
    path: "/rules/test",
    tag: "rules",
    scope: "read",
    summary: "Tell whether a pattern matches an event, and if not, why",
    body: RuleTestBody,
    answers: { 200: { says: "Whether it does", body: RuleTest } },
    handle: (call) => {
      const tested = rules.testPattern(
        patternOf(call.text, call.body.pattern) ?? "",
        patternOf(call.text, call.body.event, "event") ?? "",
      );
      return tested.kind === "done" ? json(200, { matches: tested.matches, why: tested.why }) : undone(call, tested);
    },
  });
}

type PutCall = Call<{ bus: string; name: string }, unknown, RuleBody>;

async function putRule({ rules: { rules }, settings }: HttpHouse, call: PutCall, isTry: boolean): Promise<Answer> {
  const { region } = settings.aws;
  const { body, params, text } = call;
  // Its schema was checked, and what JSON.parse gives is JSON.
  const read = readOwnTargets((body.targets ?? []) as readonly OwnTarget[], region);
  if (read.kind === "invalid") return undone(call, { kind: "fault", code: "invalid", message: read.says });
  const done = await rules.putWhole(
    {
      ...params,
      pattern: patternOf(text, body.pattern),
      schedule: body.schedule ?? null,
      state: body.enabled === false ? "DISABLED" : "ENABLED",
      description: body.description ?? null,
      roleArn: null,
      tags: body.tags ?? {},
      targets: read.targets,
    },
    { ...byOf(call), ...(isTry ? { only: "try" } : {}) },
  );
  if (done.kind !== "done") return undone(call, done);
  return jsonText(200, `{"was":"${done.value.was}","rule":${ruleText(done.value.rule, region)}}`);
}

function byOf(call: Pick<Call, "once" | "traceparent">): By {
  return { origin: originOf(call, NO_CONTENT) };
}
