import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { clientOptions, makePair } from "../clients/aws-home.ts";
import { Collector } from "../support/collector.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const MESSAGE = { to: { email: "ada@example.com" }, content: { title: "Hello", body: "Here it is." } };
const [CALLER_TRACE, CALLER_SPAN] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
const CALLER = `00-${CALLER_TRACE}-${CALLER_SPAN}`;

test("a call, the work on its message and the call of the provider are spans, joined by parent and by link", async () => {
  await using traces = await Collector.open();
  await using home = new Home({
    OTEL_EXPORTER_OTLP_ENDPOINT: traces.url,
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=open%20sesame",
  });
  const program = await home.start();
  await program.send(MESSAGE, { traceparent: `${CALLER}-01` });
  const [call, door] = [await traces.named("send mailbox"), await traces.named("POST /send")];
  const work = await traces.named("process message");
  assert.deepEqual([door.traceId, door.parentSpanId], [CALLER_TRACE, CALLER_SPAN]);
  assert.deepEqual(work.links, [door.spanId], "a queue lies between: a link, not a parent");
  assert.equal(`${call.traceId} ${call.parentSpanId}`, `${work.traceId} ${work.spanId}`);
  assert.deepEqual([door.failed, work.failed, call.failed], [false, false, false]);
  assert.deepEqual([...traces.paths], ["/v1/traces open sesame"]);
});

test("from a CloudEvent to what its rule does, every hop is found from the caller's span, and webhooks carry theirs", async () => {
  await using traces = await Collector.open();
  await using home = new Home({ OTEL_EXPORTER_OTLP_ENDPOINT: traces.url });
  await using endpoint = await endpointOutside();
  const program = await home.start();
  const pattern = { "detail-type": ["order.placed"] };
  await put(program, "/queues/orders", {});
  await put(program, "/rules/default/placed", {
    pattern,
    targets: [{ send: { message: MESSAGE } }, { queue: "orders" }],
  });
  const made = await program.call("POST", "/webhooks", {
    id: "shop",
    url: endpoint.url,
    bus: "default",
    pattern,
    allowPrivate: true,
  });
  assert.equal(made.status, 201, await made.text());
  const headers = { traceparent: `${CALLER}-01` };
  assert.equal((await program.call("POST", "/events/order.placed", { total: 42 }, headers)).status, 202);

  const door = await traces.named("POST /events/:type");
  const hops = ["process consumer:rules", "process message", "process target", "process webhook", "send mailbox"];
  // What puts the rule in force is a span of the reader, too; the others are parts of these, or point at the door.
  for (const hop of hops) await traces.named(hop, hop.startsWith("process") ? door : null);
  assert.deepEqual([...traces.reachedFrom(CALLER_SPAN)].toSorted(), [door.name, ...hops]);
  const work = await traces.named("process webhook");
  assert.deepEqual(endpoint.traceparents, [`00-${work.traceId}-${work.spanId}-01`]);

  using sqs = new ClosedLater(new SQSClient(clientOptions(program, await makePair(program))));
  const received = await sqs.client.send(
    new ReceiveMessageCommand({
      QueueUrl: `${program.url}/aws/000000000000/orders`,
      MessageSystemAttributeNames: ["AWSTraceHeader"],
    }),
  );
  assert.equal(received.Messages?.[0]?.Attributes?.AWSTraceHeader, xray(door.spanId), "a receiver's span can go on");
});

test("a call of AWS' clients is named after its action, and what follows from PutEvents leads back to it", async () => {
  await using traces = await Collector.open();
  await using home = new Home({ OTEL_EXPORTER_OTLP_ENDPOINT: traces.url });
  const program = await home.start();
  await put(program, "/queues/orders", {});
  await put(program, "/rules/default/placed", {
    pattern: { source: ["shop"] },
    targets: [{ send: { message: MESSAGE } }],
  });
  const pair = await makePair(program);
  using events = new ClosedLater(new EventBridgeClient(clientOptions(program, pair)));
  using sqs = new ClosedLater(new SQSClient(clientOptions(program, pair)));
  events.client.middlewareStack.add(traced, { step: "build" });
  sqs.client.middlewareStack.add(traced, { step: "build" });
  await events.client.send(
    new PutEventsCommand({ Entries: [{ Source: "shop", DetailType: "order.placed", Detail: "{}" }] }),
  );
  const QueueUrl = `${program.url}/aws/000000000000/orders`;
  await sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: "by hand" }));
  const { Messages: [message] = [] } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl, MessageSystemAttributeNames: ["AWSTraceHeader", "SenderId"] }),
  );

  const raised = await traces.named("EventBridge.PutEvents");
  const sent = await traces.named("SQS.SendMessage");
  await traces.named("SQS.ReceiveMessage");
  await traces.named("send mailbox");
  assert.deepEqual([raised.traceId, raised.parentSpanId, sent.parentSpanId], [CALLER_TRACE, CALLER_SPAN, CALLER_SPAN]);
  for (const hop of ["process consumer:rules", "process target", "process message"]) await traces.named(hop, raised);
  assert.ok(traces.reachedFrom(raised.spanId).has("send mailbox"));
  assert.equal(message?.Attributes?.AWSTraceHeader, xray(sent.spanId));
  const { attributes } = sent;
  assert.deepEqual(
    ["rpc.system", "rpc.service", "rpc.method", "messaging.destination.name", "http.route"].map(
      (name) => attributes[name],
    ),
    ["aws-api", "SQS", "SendMessage", "orders", "/aws"],
  );
});

test("what the caller did not sample is not traced, and a collector that is away holds up neither mail nor stop", async () => {
  await using traces = await Collector.open();
  await using home = new Home({ OTEL_EXPORTER_OTLP_ENDPOINT: traces.url });
  const program = await home.start();
  await program.send(MESSAGE, { traceparent: `${CALLER}-00` });
  await program.send(MESSAGE, { traceparent: "00-11111111111111111111111111111111-b7ad6b7169203331-01" });
  await traces.named("send mailbox");
  assert.equal(traces.spans.filter(({ traceId }) => traceId === CALLER_TRACE).length, 0);
  assert.equal(traces.spans.filter(({ name }) => name === "process message").length, 1);
  await traces[Symbol.asyncDispose]();
  const id = await program.send(MESSAGE, { traceparent: `${CALLER}-01` });
  await until("it is sent", async () => (await program.get<{ status: string }>(`/messages/${id}`)).status === "SENT");
});

test("nothing of OpenTelemetry is loaded unless a collector is named", async () => {
  await using home = new Home({ NODE_OPTIONS: `--import ${join(import.meta.dirname, "../support/watch-modules.ts")}` });
  for (const [endpoint, isLoaded] of [
    [null, false],
    ["http://127.0.0.1:9", true],
  ] as const) {
    const file = join(home.dataDir, `loaded-${isLoaded}`);
    const env = endpoint === null ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
    const program = await home.start({ ...env, WATCH_MODULES_FILE: file });
    await program.send(MESSAGE, { traceparent: `${CALLER}-01` });
    await program.stop();
    const loaded = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    assert.equal(
      loaded.some((url) => url.includes("@opentelemetry/")),
      isLoaded,
      loaded.join("\n"),
    );
  }
});

async function put(program: Program, path: string, body: object): Promise<void> {
  const response = await program.call("PUT", path, body);
  assert.ok(response.ok, `PUT ${path}: ${response.status} ${await response.text()}`);
}

function xray(spanId: string): string {
  return `Root=1-${CALLER_TRACE.slice(0, 8)}-${CALLER_TRACE.slice(8)};Parent=${spanId};Sampled=1`;
}

/** As a tracing library does it: the header of every call names the caller's span. */
const traced = <Args extends object, Out>(next: (args: Args) => Promise<Out>) => {
  return (args: Args): Promise<Out> => {
    // What the step "build" is given has the request with its headers.
    const { request } = args as { readonly request?: { readonly headers: Record<string, string> } };
    if (request !== undefined) request.headers["traceparent"] = `${CALLER}-01`;
    return next(args);
  };
};

class ClosedLater<Client extends { destroy(): void }> implements Disposable {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  [Symbol.dispose](): void {
    this.client.destroy();
  }
}

/** An endpoint that takes everything and remembers which traces it was told. */
async function endpointOutside() {
  const traceparents: string[] = [];
  const server = createServer((request, response) => {
    traceparents.push(String(request.headers["traceparent"]));
    request.resume().on("end", () => response.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}/hook`,
    traceparents,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
