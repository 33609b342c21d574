import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CloudEvent, type CloudEventV1, HTTP, httpTransport, Mode } from "cloudevents";
import { Home, KEY, type Program } from "../support/program.ts";

/** The unchanged CloudEvents SDK for JavaScript against the whole program, and back: what it sends is what it reads. */
const home = new Home();
let program: Program;
before(async () => {
  program = await home.start();
});
after(() => home[Symbol.asyncDispose]());

const MODES = [
  ["binary", Mode.BINARY],
  ["structured", Mode.STRUCTURED],
] as const;

/** Sends as the SDK's transport does, and gives what is answered. */
async function emit(event: CloudEventV1<unknown>, mode: Mode): Promise<string> {
  const send = httpTransport(`${program.url}/events`);
  const { headers, body } = mode === Mode.BINARY ? HTTP.binary(event) : HTTP.structured(event);
  // What has no data has no body, which the SDK's transport cannot write.
  const answer = await send({ headers, body: body ?? "" }, { headers: { ...headers, authorization: `Bearer ${KEY}` } });
  return String((answer as { readonly body: unknown }).body);
}

type Wire = { readonly id: string; readonly source: string };

async function journal(): Promise<readonly Wire[]> {
  return (await program.get<{ readonly events: readonly Wire[] }>("/admin/events?limit=1000")).events;
}

/** The event as the SDK reads it from the journal. */
async function back({ source, id }: CloudEventV1<unknown>): Promise<CloudEventV1<unknown>> {
  const found = (await journal()).filter((one) => one.source === source && one.id === id);
  assert.equal(found.length, 1, "it is there once");
  const headers = { "content-type": "application/cloudevents+json" };
  const event = HTTP.toEvent({ headers, body: JSON.stringify(found[0]) });
  assert.ok(event instanceof CloudEvent && event.validate(), "the SDK takes it for valid");
  return event;
}

const SAID: readonly (readonly [string, Partial<CloudEventV1<unknown>>])[] = [
  ["a JSON object", { data: { total: 19.9, items: [{ sku: "a" }], note: null } }],
  ["a JSON array", { data: [1, "two", { three: 3 }] }],
  ["a text", { datacontenttype: "text/plain", data: "Grüße, 東京 🎈\n" }],
  ["XML", { datacontenttype: "application/xml", data: "<order id='1'>&amp;</order>" }],
  ["bytes", { datacontenttype: "application/octet-stream", data: Uint8Array.of(0, 1, 254, 255) }],
  ["nothing", {}],
];

for (const [mode, how] of MODES) {
  for (const [what, { data, datacontenttype }] of SAID) {
    test(`${what} in ${mode} mode comes back as it was`, async () => {
      const type = datacontenttype ?? (data === undefined ? undefined : "application/json");
      const event = new CloudEvent({
        id: `${mode} ${what}`,
        source: "/shop",
        type: "order.placed",
        ...(data === undefined ? {} : { data }),
        ...(type === undefined ? {} : { datacontenttype: type }),
      });
      assert.deepEqual(JSON.parse(await emit(event, how)), { id: event.id });
      const read = await back(event);
      assert.deepEqual([read.type, read.datacontenttype], ["order.placed", type]);
      // The SDK reads bytes as numbers of four bytes each.
      const bytes = read.data instanceof Uint32Array ? Uint8Array.from(read.data) : read.data;
      assert.deepEqual(bytes, data);
    });
  }

  test(`all attributes and extensions in ${mode} mode come back as they were`, async () => {
    const event = new CloudEvent({
      id: `attributes ${mode}`,
      source: "https://shop.example/orders?day=1",
      type: "com.example.order.placed",
      time: "2026-05-06T07:08:09.123Z",
      subject: "PX-42/Zürich",
      dataschema: "https://shop.example/schemas/order",
      datacontenttype: "application/json",
      data: { total: 42 },
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tenant: "acme",
    });
    await emit(event, how);
    const read = await back(event);
    for (const name of ["specversion", "time", "subject", "dataschema", "datacontenttype", "data", "tenant"]) {
      assert.deepEqual(read[name], event[name], name);
    }
    assert.match(String(read["traceparent"]), /^00-0af7651916cd43dd8448eb211c80319c-/, "the trace goes on");
  });
}

test("what is sent again is kept once, in whatever mode it comes", async () => {
  const event = new CloudEvent({ id: "again", source: "/shop", type: "order.placed", data: { total: 1 } });
  for (const mode of [Mode.BINARY, Mode.STRUCTURED, Mode.BINARY]) await emit(event, mode);
  assert.deepEqual((await back(event)).data, { total: 1 });
});

test("what is no CloudEvent is refused with what is wrong", async () => {
  const event = new CloudEvent({ id: "wrong", source: "tidings", type: "order.placed", data: {} });
  for (const [, mode] of MODES) assert.match(await emit(event, mode), /event\.invalid/);
  const lacking = new CloudEvent({ id: "lacking", source: "/shop", type: "" }, false);
  assert.match(await emit(lacking, Mode.STRUCTURED), /event\.invalid/);
  assert.ok(!(await journal()).some(({ id }) => id === "wrong" || id === "lacking"));
});

test("what was answered is there after a power cut", async () => {
  const event = new CloudEvent({ id: "kept", source: "/shop", type: "order.placed", data: { total: 7 } });
  await emit(event, Mode.BINARY);
  await program.kill();
  program = await home.start();
  assert.deepEqual((await back(event)).data, { total: 7 });
});
