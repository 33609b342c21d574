import assert from "node:assert/strict";
import { test } from "node:test";
import { givenHouse, JSON_HEADERS } from "../../../../test/given-http.ts";
import { until } from "../../../../test/support/until.ts";

type House = Awaited<ReturnType<typeof givenHouse>>;

async function call(house: House, method: "GET" | "PUT" | "POST" | "DELETE", url: string, body?: string) {
  const answer = await house.app.inject({
    method,
    url,
    headers: JSON_HEADERS,
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.statusCode, text: answer.body, json: answer.body === "" ? null : JSON.parse(answer.body) };
}

const WELCOME = JSON.stringify({
  pattern: { "detail-type": ["UserRegistered"] },
  targets: [
    {
      send: {
        message: { to: { email: "<email>" }, content: { title: "Welcome", body: "Hello <name>." } },
        paths: { email: "$.detail.email", name: "$.detail.name" },
      },
    },
  ],
});

test("an event becomes a notification by a rule, without any code", async () => {
  await using house = await givenHouse();
  assert.equal((await call(house, "PUT", "/rules/default/welcome", WELCOME)).status, 200);
  const body = JSON.stringify({ email: "kim@example.com", name: "Kim" });
  const raised = await house.app.inject({
    method: "POST",
    url: "/events/UserRegistered",
    headers: { ...JSON_HEADERS, "idempotency-key": "k1" },
    body,
  });
  assert.ok(raised.statusCode < 300, raised.body);
  const { store } = house.house;
  const message = await until("the message is there", async () => {
    return (await store.listMessages({}, { after: null, limit: 5 })).messages[0];
  });
  assert.equal(message.recipient, "kim@example.com");
});

test("a rule is put, shown, switched, listed and deleted; its pattern stays as it was written", async () => {
  await using house = await givenHouse();
  const pattern = '{ "detail": {"id": [9876543210123456789]} }';
  const put = await call(house, "PUT", "/rules/default/r", `{"pattern":${pattern},"targets":[{"queue":"orders"}]}`);
  assert.deepEqual([put.status, put.json.was], [200, "absent"]);
  assert.equal(
    (await call(house, "PUT", "/rules/default/r", `{"pattern":${pattern},"targets":[{"queue":"orders"}]}`)).json.was,
    "same",
  );
  const shown = await call(house, "GET", "/rules/default/r");
  assert.match(shown.text, /"pattern":\{"detail":\{"id":\[9876543210123456789\]\}\}/);
  assert.equal(shown.json.patternText, '{"detail":{"id":[9876543210123456789]}}');
  assert.deepEqual(shown.json.targets, [{ queue: "orders", id: "queue-orders" }]);
  assert.equal((await call(house, "PUT", "/rules/default/r/enabled", '{"enabled":false}')).json.enabled, false);
  assert.equal((await call(house, "GET", "/rules?bus=default&limit=1")).json.items[0].name, "r");
  assert.equal((await call(house, "GET", "/rules")).json.items.length, 1);
  assert.equal((await call(house, "DELETE", "/rules/default/r")).status, 204);
  assert.equal((await call(house, "DELETE", "/rules/default/r")).status, 404);
  assert.equal((await call(house, "GET", "/rules/default/r")).json.code, "thing.unknown");
});

test("buses are made twice without harm, and hold rules", async () => {
  await using house = await givenHouse();
  assert.equal((await call(house, "PUT", "/buses/eu%2Forders", "{}")).status, 200);
  assert.equal((await call(house, "PUT", "/buses/eu%2Forders", "{}")).json.name, "eu/orders");
  assert.equal((await call(house, "PUT", "/rules/eu%2Forders/r", '{"pattern":{"source":["a"]}}')).status, 200);
  assert.equal((await call(house, "DELETE", "/buses/eu%2Forders")).status, 400);
  assert.equal((await call(house, "DELETE", "/rules/eu%2Forders/r")).status, 204);
  assert.equal((await call(house, "DELETE", "/buses/eu%2Forders")).status, 204);
  assert.deepEqual(
    (await call(house, "GET", "/buses")).json.items.map(({ name }: { name: string }) => name),
    ["default", "tidings"],
  );
});

test("what is wrong with a rule is said in a sentence, and nothing is written", async () => {
  await using house = await givenHouse();
  const cases = [
    ['{"pattern":{"a":"x"}}', /^Event pattern is not valid\. Reason: /],
    ['{"pattern":"[1 2]"}', /^Event pattern is not valid\. Reason: /],
    ['{"targets":[]}', /EventPattern or ScheduleExpression must be specified/],
    ['{"pattern":{"a":[1]},"targets":[{}]}', /^Target target: name exactly one of/],
    ['{"pattern":{"a":[1]},"targets":[{"arn":"x"}]}', /Provided Arn is not in correct format/],
    ['{"pattern":{"a":[1]},"targets":[{"queue":"q","retry":{"attempts":186}}]}', /attempts/],
  ] as const;
  for (const [body, says] of cases) {
    const answer = await call(house, "PUT", "/rules/default/r", body);
    assert.equal(answer.status, 400, body);
    assert.match(answer.json.message, says);
  }
  assert.equal((await call(house, "PUT", "/rules/none/r", '{"pattern":{"a":[1]}}')).status, 404);
  assert.deepEqual((await call(house, "GET", "/rules")).json.items, []);
});

test("a pattern is tried on an event", async () => {
  await using house = await givenHouse();
  const event =
    '{"id":"1","account":"0","source":"s","time":"t","region":"r","detail-type":"d","detail":{"n":9876543210123456789}}';
  const ask = (n: string): string => `{"pattern":{"detail":{"n":[${n}]}},"event":${event}}`;
  assert.deepEqual((await call(house, "POST", "/rules/test", ask("9876543210123456789"))).json, {
    matches: true,
    why: null,
  });
  assert.equal((await call(house, "POST", "/rules/test", ask("9876543210123456788"))).json.matches, false);
});
