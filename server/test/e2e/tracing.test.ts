import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { test } from "node:test";
import { isJsonObject, type Json } from "#domain/json.ts";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

type Seen = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly links: readonly string[];
  readonly failed: boolean;
};

/** A collector that understands OTLP over HTTP in JSON, as far as these tests look. */
async function collector() {
  const spans: Seen[] = [];
  const paths = new Set<string>();
  const server = createServer((request, response) => {
    paths.add(`${request.url} ${String(request.headers["x-key"])}`);
    void json(request).then((body) => {
      spans.push(...spansOf(body as Json)); // it is JSON
      response.setHeader("content-type", "application/json").end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Every span in an export, wherever it lies. */
function spansOf(value: Json): readonly Seen[] {
  if (Array.isArray(value)) return value.flatMap(spansOf);
  if (!isJsonObject(value)) return [];
  if (typeof value["spanId"] !== "string" || typeof value["name"] !== "string")
    return Object.values(value).flatMap(spansOf);
  const { name, spanId, traceId, parentSpanId, links, status } = value;
  const targets = Array.isArray(links) ? links.filter(isJsonObject) : [];
  return [
    {
      name,
      spanId,
      traceId: String(traceId),
      parentSpanId: String(parentSpanId ?? ""),
      links: targets.map((link) => String(link["spanId"])),
      failed: isJsonObject(status) && status["code"] === 2,
    },
  ];
}

const MESSAGE = { to: { email: "ada@example.com" }, content: { title: "Hello", body: "Here it is." } };
const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

test("a call, the work on its message and the call of the provider are spans, joined by parent and by link", async () => {
  await using traces = await collector();
  await using home = new Home({
    OTEL_EXPORTER_OTLP_ENDPOINT: traces.url,
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=open%20sesame",
  });
  const program = await home.start();
  await program.send(MESSAGE, { traceparent: `${CALLER}-01` });
  const named = (name: string) => traces.spans.find((span) => span.name === name);
  await until(
    "all spans have come",
    async () => named("send mailbox") !== undefined && named("POST /send") !== undefined,
  );
  const [door, work, call] = [named("POST /send"), named("process message"), named("send mailbox")];
  assert.ok(door !== undefined && work !== undefined && call !== undefined);
  assert.equal(`${door.traceId} ${door.parentSpanId}`, "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331");
  assert.deepEqual(work.links, [door.spanId], "a queue lies between: a link, not a parent");
  assert.equal(`${call.traceId} ${call.parentSpanId}`, `${work.traceId} ${work.spanId}`);
  assert.deepEqual([door.failed, work.failed, call.failed], [false, false, false]);
  assert.deepEqual([...traces.paths], ["/v1/traces open sesame"]);
});

test("what the caller did not sample is not traced, and a collector that is away holds up neither mail nor stop", async () => {
  await using traces = await collector();
  await using home = new Home({ OTEL_EXPORTER_OTLP_ENDPOINT: traces.url });
  const program = await home.start();
  await program.send(MESSAGE, { traceparent: `${CALLER}-00` });
  await program.send(MESSAGE, { traceparent: "00-11111111111111111111111111111111-b7ad6b7169203331-01" });
  await until("the sampled one has come", async () => traces.spans.some(({ name }) => name === "send mailbox"));
  assert.equal(traces.spans.filter(({ traceId }) => traceId.startsWith("0af7")).length, 0);
  assert.equal(traces.spans.filter(({ name }) => name === "process message").length, 1);
  await traces[Symbol.asyncDispose]();
  const id = await program.send(MESSAGE, { traceparent: `${CALLER}-01` });
  await until("it is sent", async () => (await program.get<{ status: string }>(`/messages/${id}`)).status === "SENT");
});
