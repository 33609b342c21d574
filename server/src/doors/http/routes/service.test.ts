import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#domain/json.ts";
import { FAULTS } from "#domain/problem.ts";
import { soleNode } from "#engine/nodes.ts";
import { AUTH, givenHouse, JSON_HEADERS } from "../../../../test/given-http.ts";

type Operation = {
  readonly summary: string;
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
  readonly security: readonly object[];
};

test("alive is said at once, ready only when the engine has started and the store answers", async () => {
  let started = false;
  await using given = await givenHouse({ started: () => started });
  const ask = async (path: string) => {
    const { statusCode, body } = await given.app.inject(path);
    return [statusCode, (JSON.parse(body) as { status: string }).status];
  };
  assert.deepEqual(await ask("/health"), [200, "ok"]);
  assert.deepEqual(await ask("/ready"), [503, "starting"]);
  started = true;
  assert.deepEqual(await ask("/ready"), [200, "ready"]);
  await given.house.store[Symbol.asyncDispose]();
  assert.deepEqual(await ask("/ready"), [503, "waiting"]);
});

test("a worker's door serves what machines ask, and says of everything else who does", async () => {
  const nodes = soleNode({ id: "n", role: "worker", version: "0.1.0" }, 0);
  await using given = await givenHouse({ nodes });
  for (const path of ["/health", "/ready", "/metrics"]) assert.equal((await given.app.inject(path)).statusCode, 200);
  for (const [method, url] of [
    ["POST", "/send"],
    ["GET", "/messages"],
    ["GET", "/docs"],
    ["GET", "/nowhere"],
  ] as const) {
    const { statusCode, body } = await given.app.inject({ method, url, headers: AUTH });
    assert.equal(statusCode, 404, url);
    const { code, message } = JSON.parse(body) as { code: string; message: string };
    assert.equal(code, "route.unknown");
    assert.match(message, /role worker.*call a node with the role api or all/);
  }
});

test("the numbers count each answer by route and status", async () => {
  await using given = await givenHouse();
  await given.app.inject({ url: "/messages", headers: AUTH });
  await given.app.inject("/messages");
  await given.app.inject({ url: "/messages", headers: AUTH });
  const { body, headers } = await given.app.inject("/metrics");
  assert.match(String(headers["content-type"]), /^text\/plain; version=0.0.4/);
  assert.match(body, /^tidings_http_requests_total\{method="GET",route="\/messages",status="200"\} 2$/m);
  assert.match(body, /^tidings_http_requests_total\{method="GET",route="\/messages",status="401"\} 1$/m);
  assert.match(body, /^tidings_http_request_seconds_count\{method="GET",route="\/messages"\} 3$/m);
});

test("the numbers can ask for a key", async () => {
  await using given = await givenHouse({
    settings: {
      version: "0",
      publicUrl: "http://x",
      localTokenDigest: null,
      metricsNeedKey: true,
      aws: { region: "us-east-1", publicUrl: null, anyKey: false },
    },
  });
  assert.equal((await given.app.inject("/metrics")).statusCode, 401);
  assert.equal((await given.app.inject({ url: "/metrics", headers: AUTH })).statusCode, 200);
});

test("the OpenAPI document describes every route, refers only to what it holds, and names every refusal", async () => {
  await using given = await givenHouse();
  const { body } = await given.app.inject("/openapi.json");
  const document = JSON.parse(body) as {
    openapi: string;
    tags: { name: string }[];
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: JsonObject };
  };
  assert.equal(document.openapi, "3.1.1");
  for (const [, name] of body.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(
      name !== undefined && Object.hasOwn(document.components.schemas, name),
      `${name} is referred to and missing`,
    );
  }
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ where: `${method} ${path}`, path, operation })),
  );
  assert.ok(operations.length >= 40, `${operations.length} operations`);
  assert.equal(
    new Set(operations.map(({ operation }) => operation.operationId)).size,
    operations.length,
    "operation ids are unique",
  );
  for (const { where, path, operation } of operations) {
    assert.ok(operation.summary.length > 5 && !operation.summary.endsWith("."), where);
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
    const declared = (operation.parameters ?? []).filter((one) => one.in === "path").map(({ name }) => name);
    assert.deepEqual(declared.toSorted(), named.toSorted(), where);
    const statuses = Object.keys(operation.responses);
    assert.ok(
      statuses.some((status) => status.startsWith("2")),
      where,
    );
    assert.ok(statuses.includes("500"), where);
    assert.equal(operation.security.length > 0, statuses.includes("401"), where);
  }
  assert.deepEqual(Object.keys(document.paths["/send"]?.["post"]?.responses ?? {}), [
    "202",
    "400",
    "401",
    "403",
    "409",
    "413",
    "415",
    "422",
    "429",
    "500",
    "503",
  ]);
  assert.match(
    document.paths["/send"]?.["post"]?.responses["422"]?.description ?? "",
    new RegExp(FAULTS["idempotency.mismatch"].hint),
  );
});

test("the reference for people is one page that asks nobody else for anything", async () => {
  await using given = await givenHouse();
  const { body, headers, statusCode } = await given.app.inject("/docs");
  assert.equal(statusCode, 200);
  assert.match(String(headers["content-security-policy"]), /default-src 'none'; connect-src 'self'/);
  assert.doesNotMatch(body, /(?:src|href)="(?:https?:)?\/\//);
  assert.doesNotMatch(body, /@import|url\(\s*["']?http/);
});

test("what the schemas promise is what the door answers", async () => {
  await using given = await givenHouse();
  const { Compile } = await import("typebox/compile");
  const contract = await import("@tidings/contract");
  const sent = await given.app.inject({
    method: "POST",
    url: "/send",
    headers: JSON_HEADERS,
    payload: { message: { to: { user_id: "ada" }, content: { title: "t", body: "b" } } },
  });
  const { requestId } = sent.json<{ requestId: string }>();
  const promises = [
    ["/messages", contract.MessagePage],
    [`/messages/${requestId}`, contract.MessageWithProviders],
    [`/messages/${requestId}/history`, contract.MessageHistory],
    [`/requests/${requestId}`, contract.RequestReport],
    ["/mailbox", contract.CaughtPage],
    ["/admin/events", contract.EventPage],
    ["/admin/queues", contract.QueueReport],
    ["/admin/consumers", contract.ConsumerReport],
    ["/admin/rules", contract.RuleReport],
    ["/admin/rules?name=unknown", contract.RuleReport],
    ["/admin/dead-letters", contract.DeadLetterPage],
    ["/ready", contract.Readiness],
    ["/nowhere", contract.ErrorBody],
  ] as const;
  for (const [url, schema] of promises) {
    const answer = await given.app.inject({ url, headers: AUTH });
    assert.deepEqual(Compile(schema).Errors(answer.json()), [], `${url}: ${answer.body}`);
  }
});
