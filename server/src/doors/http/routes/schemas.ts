import {
  EventSchema,
  EventSchemas,
  JsonMap,
  SchemaCheck,
  SchemaPolicies,
  SchemaPolicyBody,
  SchemaStateBody,
  Type,
  WholeEventSchema,
} from "@tidings/contract";
import { type Answer, json, jsonText, NO_CONTENT, refusal, unknownThing } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import type { Changed, Origin } from "#engine/change.ts";
import type { Json } from "#domain/json.ts";
import type { Rule } from "#rules/rule.ts";
import { writeAsyncApi } from "#schemas/async-api.ts";
import { compareSchemas, overall } from "#schemas/compare.ts";
import { readersOf } from "#schemas/readers.ts";
import { NO_POLICY, type SchemaAt, type SchemaHead } from "#schemas/schema.ts";
import { writeTypes } from "#schemas/write-types.ts";

type House = Pick<HttpHouse, "schemas" | "rules" | "settings">;

const OF_TYPE = Type.Object({ type: Type.String({ description: "The event type, percent-encoded" }) });
const OF_VERSION = Type.Object({ type: Type.String(), version: Type.String() });
const OF_SOURCE = Type.Object({ source: Type.String({ description: "The source, percent-encoded, or `*`" }) });
const SOURCE = Type.Object({
  source: Type.Optional(Type.String({ description: "The schema of events of this source only" })),
});

/** Schemas of event types, what becomes of events that do not fit, and what is made of the schemas. */
export function registerSchemas(routes: Routes, house: House): void {
  registerPolicies(routes, house);
  registerMade(routes, house);
  registerReading(routes, house);
  registerChanging(routes, house);
}

function registerReading(routes: Routes, { schemas }: House): void {
  routes.add({
    method: "GET",
    path: "/schemas",
    tag: "schemas",
    scope: "read",
    summary: "All event types that have a schema",
    answers: { 200: { says: "The schemas, without their text", body: EventSchemas } },
    handle: async () => json(200, { paging: paging(null), results: (await schemas.heads()).map(show) }),
  });

  routes.add({
    method: "GET",
    path: "/schemas/:type",
    tag: "schemas",
    scope: "read",
    summary: "The newest version of an event type's schema",
    params: OF_TYPE,
    query: SOURCE,
    answers: { 200: { says: "The schema", body: WholeEventSchema } },
    faults: ["thing.unknown"],
    handle: async ({ params, query }) => {
      const at = place(params.type, query.source);
      const head = await schemas.head(at);
      const version = head === null ? null : await schemas.version(at, head.latest);
      if (head === null || version === null) return unknownThing("schema");
      // The schema's text is JSON, and is shown as it was written.
      return jsonText(200, `${JSON.stringify(show(head)).slice(0, -1)},"schema":${version.text}}`);
    },
  });

  routes.add({
    method: "GET",
    path: "/schemas/:type/versions/:version",
    tag: "schemas",
    scope: "read",
    summary: "A version of a schema, as it was put: what a `dataschema` may name",
    params: OF_VERSION,
    query: SOURCE,
    answers: { 200: { says: "The schema itself", type: SCHEMA_TYPE } },
    faults: ["thing.unknown"],
    handle: async ({ params, query }) => {
      const number = /^\d{1,4}$/.test(params.version) ? Number(params.version) : 0;
      const version = number < 1 ? null : await schemas.version(place(params.type, query.source), number);
      if (version === null) return unknownThing("version");
      return { ...jsonText(200, version.text), type: SCHEMA_TYPE };
    },
  });
}

const SCHEMA_TYPE = "application/schema+json";

function registerChanging(routes: Routes, { schemas, rules }: House): void {
  routes.add({
    method: "PUT",
    path: "/schemas/:type",
    tag: "schemas",
    scope: "full",
    summary: "Add a version to an event type's schema; the body is a JSON Schema 2020-12",
    description: "What the newest version says already adds nothing. docs/schemas.md has the limits.",
    params: OF_TYPE,
    query: SOURCE,
    body: JsonMap,
    example: { type: "object", required: ["total"], properties: { total: { type: "number" } } },
    answers: {
      200: { says: "The newest version says so already", body: EventSchema },
      201: { says: "Added", body: EventSchema },
    },
    faults: ["schema.invalid", "conflict.changed"],
    handle: async (call) => {
      const { params, query, text, body } = call;
      if (RESERVED.has(params.type)) {
        return refusal("request.invalid", `No event type can be called ${params.type} here: it is a path of its own.`);
      }
      // The door has read the body as JSON.
      const put = await schemas.put(place(params.type, query.source), text, body as Json, origin(call));
      if (put.kind !== "done") return denied(call, put);
      return json(put.value.added ? 201 : 200, show(put.value.head));
    },
  });

  routes.add({
    method: "PUT",
    path: "/schemas/:type/state",
    tag: "schemas",
    scope: "full",
    summary: "Switch a schema off, or on again",
    params: OF_TYPE,
    query: SOURCE,
    body: SchemaStateBody,
    answers: { 200: { says: "It is so", body: EventSchema } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const set = await schemas.setState(place(call.params.type, call.query.source), call.body.state, origin(call));
      return settled(call, set, (head) => json(200, show(head)));
    },
  });

  routes.add({
    method: "DELETE",
    path: "/schemas/:type",
    tag: "schemas",
    scope: "full",
    summary: "Remove a schema with all its versions",
    params: OF_TYPE,
    query: SOURCE,
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const removed = await schemas.remove(place(call.params.type, call.query.source), origin(call));
      if (removed.kind !== "done") return denied(call, removed);
      return removed.value ? NO_CONTENT : unknownThing("schema");
    },
  });

  routes.add({
    method: "POST",
    path: "/schemas/:type/check",
    tag: "schemas",
    scope: "read",
    summary: "Compare a schema with the newest version: can those who read the old still read the new?",
    description: "Nothing is kept. Tells also which rules read a field that goes away or changes.",
    params: OF_TYPE,
    query: SOURCE,
    body: JsonMap,
    answers: { 200: { says: "What was found", body: SchemaCheck } },
    faults: ["schema.invalid"],
    handle: async ({ params, query, text, body }) => {
      // The door has read the body as JSON.
      const schema = body as Json;
      const flaw = await schemas.flawOf(text, schema);
      if (flaw !== null) return refusal("schema.invalid", flaw);
      const newest = await schemas.newest(place(params.type, query.source));
      const findings = newest === null ? [] : compareSchemas(JSON.parse(newest.text) as Json, schema);
      const lost = findings.flatMap((finding) => (finding.lost === undefined ? [] : [finding.lost]));
      const all = lost.length === 0 ? [] : await allRules(rules);
      const readers = lost.flatMap((field) =>
        readersOf(field, params.type, all).map((reader) => ({ field: `/${field.join("/")}`, ...reader })),
      );
      return json(200, {
        type: params.type,
        against: newest?.version ?? null,
        verdict: overall(findings),
        findings: findings.map(({ kind, at, says }) => ({ kind, at, says })),
        readers,
      });
    },
  });
}

/** Words behind `/schemas/` that are no event types. */
const RESERVED = new Set(["policies", "quarantine", "types.d.ts"]);

function registerMade(routes: Routes, { schemas, settings }: House): void {
  routes.add({
    method: "GET",
    path: "/schemas/types.d.ts",
    tag: "schemas",
    scope: "read",
    summary: "TypeScript types of all events that have a schema",
    answers: { 200: { says: "A module of types", type: "text/plain" } },
    handle: async () => ({
      kind: "text",
      status: 200,
      type: "text/plain; charset=utf-8",
      body: writeTypes(await schemas.active()),
    }),
  });

  routes.add({
    method: "GET",
    path: "/asyncapi.json",
    tag: "schemas",
    scope: "read",
    summary: "The events that come in, as an AsyncAPI 3.0 document",
    answers: { 200: { says: "The document", type: "application/json" } },
    handle: async () => json(200, writeAsyncApi(await schemas.active(), settings)),
  });
}

function registerPolicies(routes: Routes, { schemas }: House): void {
  routes.add({
    method: "GET",
    path: "/schemas/policies",
    tag: "schemas",
    scope: "read",
    summary: "What becomes of events that do not fit, by source",
    answers: { 200: { says: "The policies", body: SchemaPolicies } },
    handle: async () => {
      const results = Array.from(await schemas.policies(), ([source, policy]) => ({ source, ...policy }));
      return json(200, { results });
    },
  });

  routes.add({
    method: "PUT",
    path: "/schemas/policies/:source",
    tag: "schemas",
    scope: "full",
    summary: "Say what becomes of a source's events that do not fit, or whose type has no schema",
    params: OF_SOURCE,
    body: SchemaPolicyBody,
    example: { unfit: "quarantine" },
    answers: { 204: { says: "So it is from now on, on other nodes within seconds" } },
    faults: ["conflict.changed"],
    handle: async (call) => {
      const { unfit, unknown } = call.body;
      const policy = { unfit: unfit ?? NO_POLICY.unfit, unknown: unknown ?? NO_POLICY.unknown };
      const set = await schemas.setPolicy(call.params.source, policy, origin(call));
      return set.kind === "done" ? NO_CONTENT : denied(call, set);
    },
  });

  routes.add({
    method: "DELETE",
    path: "/schemas/policies/:source",
    tag: "schemas",
    scope: "full",
    summary: "Let a source have the policy of `*` again",
    params: OF_SOURCE,
    answers: { 204: { says: "It has none of its own" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const set = await schemas.setPolicy(call.params.source, null, origin(call));
      if (set.kind !== "done") return denied(call, set);
      return set.value ? NO_CONTENT : unknownThing("policy");
    },
  });
}

function origin({ traceparent }: Pick<Call, "traceparent">): Origin {
  return { once: null, traceparent };
}

/** Null: there is no such thing. */
function settled<Value>(
  call: Pick<Call, "once">,
  changed: Changed<Value | null>,
  tell: (value: Value) => Answer,
): Answer {
  if (changed.kind !== "done") return denied(call, changed);
  return changed.value === null ? unknownThing("schema") : tell(changed.value);
}

function place(type: string, source: string | undefined): SchemaAt {
  return { type, source: source ?? null };
}

function show({ type, source, state, latest, createdMs, updatedMs }: SchemaHead) {
  return { type, source, state, latest, created: createdMs, updated: updatedMs };
}

const RULES_AT_ONCE = 500;

async function allRules(desk: House["rules"]): Promise<readonly Rule[]> {
  const all: Rule[] = [];
  for (let after: string | null = null; ; ) {
    const page = await desk.rules.listAll({ prefix: null, after, limit: RULES_AT_ONCE });
    all.push(...page.items);
    if (page.next === null) return all;
    after = page.next;
  }
}
