import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import fc from "fast-check";
import { BATCH_EVENTS_MAX } from "#doors/http/routes/cloud-events.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { AUTH, givenHouse, READ_KEY } from "../../../../test/given-http.ts";

let given: Awaited<ReturnType<typeof givenHouse>>;
before(async () => {
  given = await givenHouse();
});
after(() => given[Symbol.asyncDispose]());

type Said = { readonly status: number; readonly body: JsonObject };

async function post(url: string, headers: Readonly<Record<string, string>>, body: string | Buffer): Promise<Said> {
  const { statusCode, payload } = await given.app.inject({
    method: "POST",
    url,
    headers: { ...AUTH, ...headers },
    payload: body,
  });
  const read = JSON.parse(payload) as Json;
  return { status: statusCode, body: isJsonObject(read) ? read : {} };
}

/** What the journal tells of an event, as readers of it see it. */
async function seen(id: string): Promise<JsonObject> {
  const found = await seenAll(id);
  assert.equal(found.length, 1, `${id} is there once`);
  return found[0] ?? {};
}

async function seenAll(id: string): Promise<readonly JsonObject[]> {
  const { payload } = await given.app.inject({ url: "/admin/events?limit=1000", headers: AUTH });
  const { events } = JSON.parse(payload) as { readonly events: readonly JsonObject[] };
  return events.filter((event) => event["id"] === id);
}

async function dataText(id: string): Promise<string | undefined> {
  const { events } = await given.house.store.readJournal({ after: 0, limit: 10_000 });
  return events.find((event) => event.id === id)?.data;
}

const BINARY = { "ce-specversion": "1.0", "ce-id": "b-0", "ce-source": "/shop", "ce-type": "order.placed" };
const STRUCTURED = { "content-type": "application/cloudevents+json" };
const BATCH = { "content-type": "application/cloudevents-batch+json" };
const JSON_DATA = { "content-type": "application/json" };
const PLAIN = { specversion: "1.0", id: "s-0", source: "/shop", type: "order.placed" };

describe("CloudEvents in binary mode", () => {
  test("an event is kept as its headers and body say it", async () => {
    const headers = {
      ...BINARY,
      ...JSON_DATA,
      "ce-id": "b-1",
      "ce-subject": "order/1",
      "ce-time": "2018-04-05T17:31:00.123456+02:00",
      "ce-dataschema": "https://example.com/order.json",
      "ce-comexampleextension1": "value",
      "ce-comexampleothervalue": "5",
    };
    const said = await post("/events", headers, '{"total": 1.0}');
    assert.deepEqual(said, { status: 202, body: { id: "b-1" } });
    const { sequence, traceparent, ...event } = await seen("b-1");
    assert.match(String(traceparent), /^00-/);
    assert.match(String(sequence), /^\d+$/);
    assert.deepEqual(event, {
      ...{ specversion: "1.0", id: "b-1", source: "/shop", type: "order.placed", subject: "order/1" },
      ...{ time: "2018-04-05T15:31:00.123Z", dataschema: "https://example.com/order.json" },
      ...{ comexampleextension1: "value", comexampleothervalue: "5" },
      ...{ datacontenttype: "application/json", data: { total: 1 } },
    });
  });

  test("data is kept as it was written, with its numbers and spaces", async () => {
    const text = '{ "big": 12345678901234567890, "one": 1.0,\n "b": "\\u00e9" }';
    await post("/events", { ...BINARY, ...JSON_DATA, "ce-id": "b-text" }, text);
    assert.equal(await dataText("b-text"), text);
  });

  test("percent-encoded, quoted and raw headers are read as text", async () => {
    const example = "Euro%20%E2%82%AC%20%F0%9F%98%80";
    const forms = {
      "b-p": example,
      "b-q": '"a \\"b\\" c"',
      "b-r": Buffer.from("Grüße").toString("latin1"),
      "b-l": "Grüße",
    };
    const wanted = { "b-p": "Euro € 😀", "b-q": 'a "b" c', "b-r": "Grüße", "b-l": "Grüße" };
    for (const [id, subject] of Object.entries(forms)) {
      await post("/events", { ...BINARY, "ce-id": id, "ce-subject": subject }, "");
    }
    const subjects = await Promise.all(Object.keys(wanted).map(async (id) => [id, (await seen(id))["subject"]]));
    assert.deepEqual(Object.fromEntries(subjects), wanted);
  });

  test("a percent sign that begins no octet stands for itself, and octets that make no text are refused", async () => {
    await post("/events", { ...BINARY, "ce-id": "b-100", "ce-subject": "100%" }, "");
    assert.equal((await seen("b-100"))["subject"], "100%");
    const said = await post("/events", { ...BINARY, "ce-subject": "%ff" }, "");
    assert.equal(said.status, 400);
    assert.match(String(said.body["message"]), /ce-subject/);
  });

  test("text and XML are kept as text, and other bytes as base64", async () => {
    await post("/events", { ...BINARY, "ce-id": "b-xml", "content-type": "text/xml" }, '<much wow="xml"/>');
    await post("/events", { ...BINARY, "ce-id": "b-png", "content-type": "image/png" }, Buffer.from([137, 80, 0, 255]));
    const [xml, png] = [await seen("b-xml"), await seen("b-png")];
    assert.deepEqual([xml["datacontenttype"], xml["data"]], ["text/xml", '<much wow="xml"/>']);
    assert.deepEqual([png["datacontenttype"], png["data_base64"]], ["image/png", "iVAA/w=="]);
    assert.equal("data" in png, false);
  });

  test("an event may have no data", async () => {
    await post("/events", { ...BINARY, "ce-id": "b-none" }, "");
    const event = await seen("b-none");
    assert.equal("data" in event || "datacontenttype" in event, false);
  });

  for (const missing of ["ce-id", "ce-source", "ce-type", "ce-specversion"]) {
    test(`without ${missing} it is refused, and the header is named`, async () => {
      const headers: Record<string, string> = { ...BINARY, ...JSON_DATA };
      delete headers[missing];
      const said = await post("/events", headers, "{}");
      assert.deepEqual([said.status, said.body["code"]], [400, "event.invalid"]);
      assert.match(String(said.body["message"]), new RegExp(`header ${missing}\\b`));
    });
  }

  test("data that is not the JSON that it says to be is refused", async () => {
    const said = await post("/events", { ...BINARY, ...JSON_DATA }, "{not json");
    assert.deepEqual([said.status, said.body["code"]], [400, "request.malformed"]);
  });
});

describe("CloudEvents in structured mode", () => {
  test("the specification's own example is kept with all it has", async () => {
    const example = {
      specversion: "1.0",
      type: "com.example.someevent",
      source: "/mycontext/4",
      id: "B234-1234-1234",
      time: "2018-04-05T17:31:00Z",
      comexampleextension1: "value",
      comexampleothervalue: 5,
      datacontenttype: "application/vnd.apache.thrift.binary",
      data_base64: "AAEC",
    };
    assert.equal((await post("/events", STRUCTURED, JSON.stringify(example))).status, 202);
    const { sequence: _, traceparent: __, ...event } = await seen("B234-1234-1234");
    assert.deepEqual(event, { ...example, time: "2018-04-05T17:31:00.000Z" });
  });

  test("data is cut out as it was written", async () => {
    const data = '{"n": 1.50, "data": {"data":"\\"}"}, "e":1e400}';
    const text = `{"data" : "not this", "specversion":"1.0","id":"s-cut","source":"/shop","type":"t", "d\\u0061ta":${data} }`;
    assert.equal((await post("/events", STRUCTURED, text)).status, 202);
    assert.equal(await dataText("s-cut"), data);
  });

  test("null means unset, and text of another type than JSON stays text", async () => {
    const event = { ...PLAIN, id: "s-null", subject: null, time: null, datacontenttype: "text/xml", data: "<a/>" };
    assert.equal((await post("/events", STRUCTURED, JSON.stringify(event))).status, 202);
    const kept = await seen("s-null");
    assert.deepEqual([kept["data"], kept["datacontenttype"], "subject" in kept], ["<a/>", "text/xml", false]);
  });

  test("the event's own trace goes before the call's, and its bus before the query's", async () => {
    const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const call = "00-11111111111111111111111111111111-2222222222222222-01";
    const headers = { ...STRUCTURED, traceparent: call };
    await post("/events?bus=night", headers, JSON.stringify({ ...PLAIN, id: "s-t1", traceparent: own, bus: "day" }));
    await post("/events?bus=night", headers, JSON.stringify({ ...PLAIN, id: "s-t2" }));
    const [one, two] = [await seen("s-t1"), await seen("s-t2")];
    assert.deepEqual([one["traceparent"], one["bus"]], [own, "day"]);
    assert.deepEqual([two["traceparent"], two["bus"]], [call, "night"]);
  });

  const wrong: readonly (readonly [why: string, event: unknown, says: RegExp])[] = [
    ["no id", { ...PLAIN, id: undefined }, /"id" is missing/],
    ["no source", { ...PLAIN, source: undefined }, /"source" is missing/],
    ["no type", { ...PLAIN, type: undefined }, /"type" is missing/],
    ["no specversion", { ...PLAIN, specversion: undefined }, /"specversion" is missing/],
    ["an empty id", { ...PLAIN, id: "" }, /"id" must be text/],
    ["an id that is a number", { ...PLAIN, id: 7 }, /"id" must be text/],
    ["an old specversion", { ...PLAIN, specversion: "0.3" }, /specversion is "1.0"/],
    ["a source that is no URI", { ...PLAIN, source: "my shop" }, /URI reference/],
    ["our own source", { ...PLAIN, source: "tidings" }, /own events/],
    ["our own bus", { ...PLAIN, bus: "tidings" }, /own events/],
    ["a time without zone", { ...PLAIN, time: "2018-04-05T17:31:00" }, /RFC 3339/],
    ["a day that there is not", { ...PLAIN, time: "2023-02-30T00:00:00Z" }, /RFC 3339/],
    ["a time far ahead", { ...PLAIN, time: "9999-01-01T00:00:00Z" }, /ahead/],
    ["a relative dataschema", { ...PLAIN, dataschema: "order.json" }, /dataschema/],
    ["an extension in capitals", { ...PLAIN, myThing: "x" }, /lower-case/],
    ["an extension that is an object", { ...PLAIN, thing: {} }, /"thing" must be/],
    ["an extension that is a fraction", { ...PLAIN, thing: 1.5 }, /"thing" must be/],
    ["data twice", { ...PLAIN, data: 1, data_base64: "AA==" }, /not both/],
    ["data_base64 that is none", { ...PLAIN, data_base64: "*" }, /base64/],
    ["a very long type", { ...PLAIN, type: "x".repeat(600) }, /longer than 512/],
    ["a line break in the subject", { ...PLAIN, subject: "a\nb" }, /control characters/],
    ["an array", [], /JSON object/],
    ["a string", "hello", /JSON object/],
  ];
  for (const [why, event, says] of wrong) {
    test(`${why} is refused with a sentence that says so`, async () => {
      const said = await post("/events", STRUCTURED, JSON.stringify(event));
      assert.deepEqual([said.status, said.body["code"]], [400, "event.invalid"]);
      assert.match(String(said.body["message"]), says);
    });
  }

  test("an event over a mebibyte is refused", async () => {
    const said = await post("/events", STRUCTURED, JSON.stringify({ ...PLAIN, data: "x".repeat(1024 * 1024) }));
    assert.deepEqual([said.status, said.body["code"]], [413, "event.too_large"]);
  });

  test("JSON nested too deep is refused", async () => {
    const deep = `{"specversion":"1.0","id":"d","source":"/s","type":"t","data":${"[".repeat(5_000)}${"]".repeat(5_000)}}`;
    const said = await post("/events", STRUCTURED, deep);
    assert.deepEqual([said.status, said.body["code"]], [400, "request.malformed"]);
  });
});

describe("CloudEvents in a batch", () => {
  test("all of a batch are kept, in its order", async () => {
    const batch = [1, 2, 3].map((n) => ({ ...PLAIN, id: `batch-${n}`, data: { n } }));
    const said = await post("/events", BATCH, JSON.stringify(batch, null, 2));
    assert.deepEqual(said.body, { events: batch.map(({ id }) => ({ id })) });
    const kept = await Promise.all(batch.map(async ({ id }) => (await seen(id))["data"]));
    assert.deepEqual(kept, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test("one that is wrong refuses the whole batch, and is named by its index", async () => {
    for (const bad of [{ ...PLAIN, source: undefined }, { ...PLAIN, source: "tidings" }, 7]) {
      const batch = [{ ...PLAIN, id: "batch-good" }, bad];
      const said = await post("/events", BATCH, JSON.stringify(batch));
      assert.equal(said.status, 400);
      assert.match(String(said.body["message"]), /event 1\b/);
    }
    assert.deepEqual(await seenAll("batch-good"), []);
  });

  test("an empty batch is fine, one too long or that is no array is not", async () => {
    assert.deepEqual(await post("/events", BATCH, "[]"), { status: 202, body: { events: [] } });
    const many = Array.from({ length: BATCH_EVENTS_MAX + 1 }, () => PLAIN);
    assert.match(String((await post("/events", BATCH, JSON.stringify(many))).body["message"]), /at most 100/);
    assert.match(String((await post("/events", BATCH, JSON.stringify(PLAIN))).body["message"]), /array/);
  });
});

describe("what all ways of bringing events have in common", () => {
  test("the same source and id are kept once, however often and in whatever mode they come", async () => {
    const event = { ...PLAIN, id: "twice" };
    const again = { ...BINARY, "ce-id": "twice" };
    for (let tries = 0; tries < 2; tries += 1) {
      assert.equal((await post("/events", STRUCTURED, JSON.stringify(event))).status, 202);
      assert.equal((await post("/events", again, "")).status, 202);
      assert.equal((await post("/events", BATCH, JSON.stringify([event, event]))).status, 202);
    }
    await seen("twice");
  });

  test("what is no CloudEvent is told what one looks like", async () => {
    const plain = await post("/events", JSON_DATA, "{}");
    assert.deepEqual([plain.status, plain.body["code"]], [400, "event.invalid"]);
    assert.match(String(plain.body["message"]), /POST \/events\/TYPE/);
    const avro = await post("/events", { "content-type": "application/cloudevents+avro" }, "x");
    assert.equal(avro.status, 415);
    const zipped = await post("/events", { ...STRUCTURED, "content-encoding": "gzip" }, "x");
    assert.equal(zipped.status, 415);
    const latin = await post("/events", { "content-type": "application/cloudevents+json; charset=latin1" }, "{}");
    assert.equal(latin.status, 415);
    assert.equal((await post("/events", STRUCTURED, "{")).status, 400);
    assert.equal((await post("/events", STRUCTURED, Buffer.from([0xff]))).status, 400);
  });

  test("a key that may only read is refused", async () => {
    const said = await post("/events", { ...STRUCTURED, authorization: `Bearer ${READ_KEY}` }, JSON.stringify(PLAIN));
    assert.equal(said.status, 403);
  });
});

describe("POST /events/TYPE", () => {
  test("any JSON is the data of an event of this type, whatever content type curl says", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded", "idempotency-key": "plain-1" };
    const said = await post("/events/order%2Fplaced?subject=order-1&bus=shop", form, '{"total": 42}');
    assert.deepEqual(said, { status: 202, body: { id: "plain-1" } });
    const { type, source, subject, bus, data } = await seen("plain-1");
    assert.deepEqual(
      { type, source, subject, bus, data },
      { type: "order/placed", source: "full", subject: "order-1", bus: "shop", data: { total: 42 } },
    );
  });

  test("without a key each call is an event of its own with a UUID", async () => {
    const [one, two] = [await post("/events/ping", {}, "1"), await post("/events/ping?source=/cron", {}, "")];
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    assert.match(String(one.body["id"]), uuid);
    assert.notEqual(one.body["id"], two.body["id"]);
    assert.equal((await seen(String(two.body["id"])))["source"], "/cron");
  });

  test("what is no JSON is refused", async () => {
    assert.equal((await post("/events/ping", {}, "hello")).status, 400);
    assert.equal((await post("/events/ping?time=yesterday", {}, "1")).status, 400);
  });
});

describe("the cloudevents SDK", () => {
  const event = new CloudEvent({
    id: "sdk-1",
    source: "https://example.com/shop",
    type: "com.example.order.placed",
    subject: "order/1",
    time: "2026-01-02T03:04:05.678Z",
    data: { total: 42, lines: ["a"] },
    tenant: "acme",
  });

  for (const [mode, emit] of [
    ["binary", HTTP.binary],
    ["structured", HTTP.structured],
  ] as const) {
    test(`what it emits in ${mode} mode comes back through GET /admin/events as it was`, async () => {
      const id = `sdk-${mode}`;
      const { headers, body } = emit(event.cloneWith({ id }));
      const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
      assert.equal((await post("/events", plain, String(body))).status, 202);
      const back = HTTP.toEvent({ headers: STRUCTURED, body: JSON.stringify(await seen(id)) });
      assert.ok(back instanceof CloudEvent);
      const { traceparent: _, sequence: __, ...kept } = back.toJSON();
      assert.deepEqual(kept, { ...event.cloneWith({ id }).toJSON(), datacontenttype: kept["datacontenttype"] });
    });
  }

  test("a batch of its events is taken", async () => {
    const batch = ["sdk-b1", "sdk-b2"].map((id) => event.cloneWith({ id }));
    assert.equal((await post("/events", BATCH, JSON.stringify(batch))).status, 202);
    assert.deepEqual((await seen("sdk-b2"))["data"], { total: 42, lines: ["a"] });
  });
});

describe("whatever comes in", () => {
  const FAIR = new Set([202, 400, 413, 415, 431]);
  const types = [
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json",
    "text/xml",
    "x",
  ];
  const word = fc.oneof(
    fc.constantFrom("", "1.0", "id", "/s", "%", "%zz", "%ff", '"a', "a\\", "2026-01-01T00:00:00Z", "application/json"),
    fc.string({ unit: fc.constantFrom("a", "%", '"', "\\", "é", " ", "0") }),
  );
  const names = [
    "id",
    "source",
    "type",
    "specversion",
    "time",
    "subject",
    "datacontenttype",
    "dataschema",
    "x",
    "x-y",
    "data",
  ];

  test("headers are answered with an event or a reason, and never with a fault of ours", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names), word),
        fc.constantFrom(...types),
        fc.uint8Array({ maxLength: 20 }),
        async (attributes, type, body) => {
          const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]));
          const valid = { ...BINARY, "ce-id": "fuzz", ...headers };
          for (const some of [headers, valid]) {
            const { status } = await post("/events", { ...some, "content-type": type }, Buffer.from(body));
            assert.ok(FAIR.has(status), String(status));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("so is JSON", async () => {
    const attributes = fc.dictionary(
      fc.constantFrom(...names, "data_base64"),
      fc.oneof(word, fc.jsonValue({ maxDepth: 2 })),
    );
    await fc.assert(
      fc.asyncProperty(attributes, async (some) => {
        const event = { ...PLAIN, id: "fuzz", ...some };
        for (const [headers, body] of [
          [STRUCTURED, some],
          [STRUCTURED, event],
          [BATCH, [event, some]],
        ] as const) {
          const { status } = await post("/events", headers, JSON.stringify(body));
          assert.ok(FAIR.has(status), String(status));
        }
      }),
      { numRuns: 300 },
    );
    assert.deepEqual(given.complaints, []);
  });
});
