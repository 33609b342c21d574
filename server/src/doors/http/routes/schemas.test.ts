import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { SEND_ARN } from "#domain/arn.ts";
import { AUTH, givenHouse, JSON_HEADERS, READ_KEY, SEND_KEY } from "../../../../test/given-http.ts";

let given: Awaited<ReturnType<typeof givenHouse>>;
before(async () => {
  given = await givenHouse();
});
after(() => given[Symbol.asyncDispose]());

type Method = "GET" | "PUT" | "POST" | "DELETE";
type Said = { readonly status: number; readonly body: JsonObject; readonly text: string };

async function call(
  method: Method,
  url: string,
  body?: Json,
  headers: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const { statusCode, payload } = await given.app.inject({
    method,
    url,
    headers: { ...(body === undefined ? AUTH : JSON_HEADERS), ...headers },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  let read: Json = null;
  try {
    read = JSON.parse(payload) as Json;
  } catch {
    // Not all that is served is JSON.
  }
  return { status: statusCode, body: isJsonObject(read) ? read : {}, text: payload };
}

function listed({ body }: Said): readonly JsonObject[] {
  const { results } = body;
  return Array.isArray(results) ? results.filter((one) => isJsonObject(one)) : [];
}

let events = 0;
/** Raises an event; every one is another. */
function raise(type: string, data: Json, query = "source=/shop"): Promise<Said> {
  events += 1;
  return call("POST", `/events/${type}?id=e-${events}&${query}`, data);
}

async function journalled(type: string): Promise<number> {
  const page = await given.house.store.readJournal({ after: 0, limit: 10_000 });
  return page.events.filter((event) => event.type === type).length;
}

const TOTAL = { type: "object", required: ["total"], properties: { total: { type: "number" } } };

describe("schemas of event types", () => {
  test("no body is a schema that demands nothing, and what is made of all schemas is still made", async () => {
    assert.equal((await call("PUT", "/schemas/a.nothing")).status, 201);
    assert.equal((await call("PUT", "/schemas/a.nothing", {})).status, 200);
    assert.match((await call("GET", "/schemas/a.nothing")).text, /"schema":\{\}\}$/);
    for (const path of ["/schemas/types.d.ts", "/asyncapi.json"]) assert.equal((await call("GET", path)).status, 200);
    assert.equal((await call("DELETE", "/schemas/a.nothing")).status, 204);
  });

  test("a version is added, the same again adds nothing, another is the next", async () => {
    const first = await call("PUT", "/schemas/a.b", TOTAL);
    const { required, ...others } = TOTAL;
    const again = await call("PUT", "/schemas/a.b", { ...others, required });
    const next = await call("PUT", "/schemas/a.b", { ...TOTAL, description: "more" });
    assert.deepEqual([first.status, again.status, next.status], [201, 200, 201]);
    assert.deepEqual(
      [first, again, next].map(({ body }) => body["latest"]),
      [1, 1, 2],
    );
    assert.deepEqual((await call("GET", "/schemas/a.b")).body["schema"], { ...TOTAL, description: "more" });
    const old = await call("GET", "/schemas/a.b/versions/1");
    assert.equal(old.text, JSON.stringify(TOTAL));
  });

  test("a type may have another schema for one source, and any name", async () => {
    const type = encodeURIComponent("https://example.com/order placed?");
    await call("PUT", `/schemas/${type}`, TOTAL);
    await call("PUT", `/schemas/${type}?source=/kiosk`, { type: "object" });
    const found = listed(await call("GET", "/schemas")).filter((one) => String(one["type"]).startsWith("https"));
    assert.deepEqual(
      found.map(({ source }) => source),
      [null, "/kiosk"],
    );
    assert.equal((await call("DELETE", `/schemas/${type}?source=/kiosk`)).status, 204);
    assert.equal((await call("GET", `/schemas/${type}?source=/kiosk`)).status, 404);
    assert.equal((await call("GET", `/schemas/${type}`)).status, 200);
  });

  test("what is no schema, or could take for ever, is refused, and the house goes on", async () => {
    for (const [schema, says] of [
      [{ type: "strin" }, /\/type/],
      [{ $ref: "#" }, /without end/],
      [{ pattern: "(" }, /pattern/],
      [{ description: "x".repeat(70_000) }, /65536/],
    ] as const) {
      const { status, body } = await call("PUT", "/schemas/bad", schema);
      assert.deepEqual([status, body["code"]], [400, "schema.invalid"]);
      assert.match(String(body["message"]), says);
    }
    assert.equal((await call("PUT", "/schemas/bad", [])).status, 400);
    assert.equal((await call("PUT", "/schemas/quarantine", TOTAL)).status, 400);
    assert.equal((await call("GET", "/schemas/bad")).status, 404);
    assert.equal((await raise("healthy", 1)).status, 202);
  });

  test("they are read with a key that reads, and changed with one that may do everything", async () => {
    const asReader = { authorization: `Bearer ${READ_KEY}` };
    assert.equal((await call("GET", "/schemas", undefined, asReader)).status, 200);
    assert.equal((await call("PUT", "/schemas/x", TOTAL, asReader)).status, 403);
    assert.equal((await call("GET", "/schemas", undefined, { authorization: `Bearer ${SEND_KEY}` })).status, 403);
  });
});

describe("what becomes of events that do not fit", () => {
  beforeEach(async () => {
    for (const { source } of listed(await call("GET", "/schemas/policies"))) {
      await call("DELETE", `/schemas/policies/${encodeURIComponent(String(source))}`);
    }
  });

  test("without a policy they are taken as they are", async () => {
    await call("PUT", "/schemas/p.none", TOTAL);
    assert.equal((await raise("p.none", {})).status, 202);
    assert.equal(await journalled("p.none"), 1);
  });

  test("rejected, they are told why, and what fits is not disturbed", async () => {
    await call("PUT", "/schemas/p.reject", TOTAL);
    assert.equal((await call("PUT", "/schemas/policies/%2Fshop", { unfit: "reject" })).status, 204);
    const { status, body } = await raise("p.reject", { total: "7" });
    assert.deepEqual([status, body["code"]], [422, "event.unfit"]);
    assert.match(String(body["message"]), /version 1 of the schema of "p\.reject": \/total must be number/);
    assert.equal((await raise("p.reject", { total: 7 })).status, 202);
    assert.equal((await raise("p.reject", {}, "source=/other")).status, 202);
    assert.equal((await raise("p.without", {})).status, 202);
    assert.equal(await journalled("p.reject"), 2);
  });

  test("a type without schema may be refused as well, and * is for all sources", async () => {
    await call("PUT", "/schemas/policies/*", { unknown: "reject" });
    await call("PUT", "/schemas/policies/%2Ffree", { unfit: "ignore" });
    assert.equal((await raise("p.unknown", {})).status, 422);
    assert.equal((await raise("p.unknown", {}, "source=/free")).status, 202);
  });

  test("the newest version counts at once, unless the event names an older one", async () => {
    await call("PUT", "/schemas/p.version", TOTAL);
    await call("PUT", "/schemas/policies/*", { unfit: "reject" });
    assert.equal((await raise("p.version", { total: 1 })).status, 202);
    await call("PUT", "/schemas/p.version", { ...TOTAL, required: ["total", "vat"] });
    assert.equal((await raise("p.version", { total: 1 })).status, 422);
    const event = { specversion: "1.0", id: "old", source: "/s", type: "p.version", data: { total: 1 } };
    const headers = { "content-type": "application/cloudevents+json" };
    const named = { ...event, dataschema: "https://house/schemas/p.version/versions/1" };
    assert.equal((await call("POST", "/events", named, headers)).status, 202);
    await call("PUT", "/schemas/p.version/state", { state: "off" });
    assert.equal((await raise("p.version", {})).status, 202);
  });

  test("a schema of the event's source goes before that of all", async () => {
    await call("PUT", "/schemas/p.source", TOTAL);
    await call("PUT", "/schemas/p.source?source=/kiosk", { required: ["sum"] });
    await call("PUT", "/schemas/policies/*", { unfit: "reject" });
    assert.equal((await raise("p.source", { total: 1, sum: 1 }, "source=/kiosk")).status, 202);
    assert.equal((await raise("p.source", { total: 1 }, "source=/kiosk")).status, 422);
  });

  test("quarantined, they wait; released they are events, dropped they are gone", async () => {
    await call("PUT", "/schemas/p.aside", TOTAL);
    await call("PUT", "/schemas/policies/%2Fshop", { unfit: "quarantine" });
    const said = await raise("p.aside", { total: "7" });
    assert.equal(said.status, 202);
    assert.match(String(said.body["quarantined"]), /\/total must be number/);
    // The same event again finds itself there.
    await call("POST", `/events/p.aside?id=e-${events}&source=/shop`, { total: "7" });
    await raise("p.aside", {});
    assert.equal(await journalled("p.aside"), 0);

    const waiting = listed(await call("GET", "/schemas/quarantine?type=p.aside"));
    assert.equal(waiting.length, 2);
    const first = waiting.find(({ event }) => isJsonObject(event) && event["id"] === said.body["id"]);
    const second = waiting.find((one) => one !== first);
    assert.ok(first !== undefined && second !== undefined && isJsonObject(first["event"]));
    assert.deepEqual([first["event"]["source"], first["event"]["data"]], ["/shop", { total: "7" }]);

    assert.equal((await call("POST", `/schemas/quarantine/${String(first["key"])}/release`)).status, 202);
    assert.equal((await call("DELETE", `/schemas/quarantine/${String(second["key"])}`)).status, 204);
    assert.equal(await journalled("p.aside"), 1);
    assert.deepEqual(listed(await call("GET", "/schemas/quarantine?type=p.aside")), []);
    assert.equal((await call("POST", `/schemas/quarantine/${String(first["key"])}/release`)).status, 404);
  });

  test("of a batch with one that is rejected nothing is kept", async () => {
    await call("PUT", "/schemas/p.batch", TOTAL);
    await call("PUT", "/schemas/policies/*", { unfit: "reject" });
    const event = (id: string, data: Json) => ({ specversion: "1.0", id, source: "/s", type: "p.batch", data });
    const headers = { "content-type": "application/cloudevents-batch+json" };
    const { status, body } = await call("POST", "/events", [event("1", { total: 1 }), event("2", {})], headers);
    assert.equal(status, 422);
    assert.match(String(body["message"]), /event 1\b/);
    assert.equal(await journalled("p.batch"), 0);
  });

  test("an event on which its schema takes too long does not fit, and the house goes on", async () => {
    const twice = { properties: { a: { allOf: [{ $ref: "#" }, { $ref: "#" }] } } };
    await call("PUT", "/schemas/p.slow", twice);
    await call("PUT", "/schemas/policies/*", { unfit: "reject" });
    let deep: Json = {};
    for (let level = 0; level < 60; level += 1) deep = { a: deep };
    const { status, body } = await raise("p.slow", deep);
    assert.equal(status, 422);
    assert.match(String(body["message"]), /too long/);
    assert.equal((await raise("p.slow", {})).status, 202);
  });
});

describe("checking a new version", () => {
  test("tells what breaks and which rules read what goes away, and keeps nothing", async () => {
    await call("PUT", "/schemas/c.order", TOTAL);
    const rule = {
      bus: "default",
      name: "big",
      schedule: null,
      state: "ENABLED",
      description: null,
      roleArn: null,
    } as const;
    const pattern = JSON.stringify({ "detail-type": ["c.order"], detail: { total: [{ numeric: [">", 100] }] } });
    const put = await given.house.rules.rules.put({ ...rule, pattern, tags: null });
    assert.equal(put.kind, "done", JSON.stringify(put));
    const target = {
      Id: "mail",
      Arn: SEND_ARN,
      InputTransformer: {
        InputPathsMap: { total: "$.detail.total" },
        InputTemplate: '{"message":{"to":{"email":"a@example.com"},"content":{"title":"T","body":"<total>"}}}',
      },
    };
    const targets = await given.house.rules.targets.put(rule, [target], 5);
    assert.deepEqual(targets, { kind: "done", value: { failed: [] } });

    const { body } = await call("POST", "/schemas/c.order/check", {
      type: "object",
      properties: { sum: { type: "number" } },
    });
    assert.deepEqual([body["against"], body["verdict"]], [1, "breaking"]);
    assert.deepEqual(body["readers"], [
      { field: "/total", what: "pattern", bus: "default", rule: "big", target: null, reads: "detail.total" },
      { field: "/total", what: "path", bus: "default", rule: "big", target: "mail", reads: "$.detail.total" },
    ]);
    assert.equal((await call("GET", "/schemas/c.order")).body["latest"], 1);
    const fine = await call("POST", "/schemas/c.order/check", { ...TOTAL, description: "x" });
    assert.deepEqual([fine.body["verdict"], fine.body["findings"]], ["compatible", []]);
    assert.equal((await call("POST", "/schemas/c.none/check", TOTAL)).body["against"], null);
    assert.equal((await call("POST", "/schemas/c.order/check", { type: 5 })).status, 400);
  });
});

describe("what is made of the schemas", () => {
  test("an AsyncAPI 3.0 document whose references all lead somewhere", async () => {
    await call("PUT", "/schemas/m.tree", {
      type: "object",
      properties: { part: { $ref: "#/$defs/part" } },
      $defs: { part: { properties: { part: { $ref: "#/$defs/part" } } } },
    });
    await call("PUT", `/schemas/${encodeURIComponent("m/odd name")}?source=/kiosk`, {
      $ref: "#/$defs/a",
      $defs: { a: {} },
    });
    const { body } = await call("GET", "/asyncapi.json");
    assert.equal(body["asyncapi"], "3.0.0");
    const { info, channels, operations, components } = body;
    assert.ok(isJsonObject(info) && typeof info["title"] === "string" && typeof info["version"] === "string");
    assert.ok(isJsonObject(channels) && isJsonObject(operations) && isJsonObject(components));
    const names = ["channels", "operations"].flatMap((part) => Object.keys(Object(body[part])));
    for (const name of names) assert.match(name, /^[A-Za-z0-9._-]+$/);
    for (const channel of Object.values(channels)) {
      assert.ok(isJsonObject(channel) && typeof channel["address"] === "string" && isJsonObject(channel["messages"]));
    }
    for (const operation of Object.values(operations)) {
      assert.ok(isJsonObject(operation) && operation["action"] === "receive" && isJsonObject(operation["channel"]));
    }
    const refs = refsIn(body);
    assert.ok(refs.length > 8);
    for (const ref of refs) assert.notEqual(found(body, ref), undefined, ref);
  });

  test("TypeScript types", async () => {
    await call("PUT", "/schemas/m.types", TOTAL);
    const { status, text } = await call("GET", "/schemas/types.d.ts");
    assert.equal(status, 200);
    assert.match(text, /readonly "m\.types": MTypes;/);
  });
});

function refsIn(value: Json): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([name, one]) =>
    name === "$ref" && typeof one === "string" ? [one] : refsIn(one),
  );
}

function found(root: Json, ref: string): Json | undefined {
  let here: Json | undefined = root;
  for (const part of ref.split("/").slice(1)) {
    here = isJsonObject(here) ? here[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  }
  return here;
}
