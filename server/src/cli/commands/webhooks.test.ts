import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../../test/support/cli-world.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const nowMs = () => NOW;
const AT = "2026-11-20T11:58:00.000Z";
const WEBHOOK = {
  id: "wh_1f",
  url: "https://example.com/hook",
  description: null,
  enabled: false,
  disabledBy: "410",
  format: "standard",
  bus: "default",
  pattern: { "detail-type": ["OrderPlaced"] },
  allowPrivate: false,
  headerNames: ["authorization"],
  timeoutMs: 15_000,
  secrets: [
    { created: AT, until: null },
    { created: AT, until: "2026-11-21T12:00:00.000Z" },
  ],
};
const DELIVERY = {
  id: "0m-a",
  messageId: "msg_a",
  type: "OrderPlaced",
  state: "dead",
  began: AT,
  next: null,
  error: "it answered 500: no",
  tries: [{ at: AT, status: 500, tookMs: 12, says: "no" }],
};

test("webhooks are listed with their state, and where there is none it says how to make one", async () => {
  await using server = await fakeServer({
    "GET /webhooks": () => ({ body: { items: [WEBHOOK], paging: { more: false } } }),
  });
  const { exit, out } = await ran(["webhooks", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.match(out, /wh_1f +off \(410 Gone\) +https:\/\/example\.com\/hook/);
  await using empty = await fakeServer({ "GET /webhooks": () => ({ body: { items: [], paging: { more: false } } }) });
  assert.match((await ran(["webhooks", ...empty.flags])).err, /No webhooks\. Make one: tidings webhooks create URL/);
});

test("one is made with its pattern and headers, and its secret is shown with what to do next", async () => {
  await using server = await fakeServer({
    "POST /webhooks": () => ({ status: 201, body: { ...WEBHOOK, secret: "whsec_abc" } }),
  });
  const line = [
    "webhooks",
    "create",
    "https://example.com/hook",
    "--pattern",
    '{"source":["shop"]}',
    "--bus",
    "default",
  ];
  const { exit, out, err } = await ran([...line, "--header", "X-Team: shop", "--timeout", "10s", ...server.flags]);
  assert.deepEqual([exit, out], [EXIT.ok, "✓ wh_1f\n  whsec_abc\n"]);
  assert.match(err, /shown once/);
  assert.match(err, /tidings webhooks test wh_1f/);
  assert.deepEqual(server.asked[0]?.body, {
    url: "https://example.com/hook",
    pattern: '{"source":["shop"]}',
    bus: "default",
    headers: { "X-Team": "shop" },
    timeoutMs: 10_000,
  });
  assert.equal(
    (await ran(["webhooks", "create", "https://a.example", "--bus", "x", ...server.flags])).exit,
    EXIT.usage,
  );
});

test("one is shown as somebody would say it", async () => {
  await using server = await fakeServer({ "GET /webhooks/wh_1f": () => ({ body: WEBHOOK }) });
  const { out } = await ran(["webhooks", "show", "wh_1f", ...server.flags], { nowMs });
  assert.match(out, /state +off \(410 Gone\); tidings webhooks enable/);
  assert.match(out, /events +\{"detail-type":\["OrderPlaced"\]\} on default/);
  assert.match(out, /secrets +made 2m ago; made 2m ago, signs until/);
});

test("deliveries are listed with their answers; one is shown with what was posted", async () => {
  await using server = await fakeServer({
    "GET /webhooks/wh_1f/deliveries": () => ({ body: { items: [DELIVERY], paging: { more: false } } }),
    "GET /webhooks/wh_1f/deliveries/0m-a": () => ({ body: { ...DELIVERY, payload: { type: "OrderPlaced" } } }),
  });
  const { out } = await ran(["webhooks", "deliveries", "wh_1f", ...server.flags], { nowMs });
  assert.match(out, /0m-a +2m ago +OrderPlaced +dead +1 +500 no/);
  const one = await ran(["webhooks", "deliveries", "wh_1f", "0m-a", ...server.flags], { nowMs });
  assert.match(one.out, /500 no \(12ms\)|500 no \(12 ms\)/);
  assert.match(one.out, /"type": "OrderPlaced"/);
  await using empty = await fakeServer({
    "GET /webhooks/wh_1f/deliveries": () => ({ body: { items: [], paging: { more: false } } }),
  });
  assert.match(
    (await ran(["webhooks", "deliveries", "wh_1f", ...empty.flags])).err,
    /Try it: tidings webhooks test wh_1f/,
  );
});

test("a time or one delivery is replayed, and one of them must be said", async () => {
  await using server = await fakeServer({
    "POST /webhooks/wh_1f/replay": () => ({ status: 202, body: { state: "running" } }),
    "POST /webhooks/wh_1f/deliveries/0m-a/replay": () => ({ status: 202, body: {} }),
  });
  assert.equal((await ran(["webhooks", "replay", "wh_1f", ...server.flags])).exit, EXIT.usage);
  const { exit, err } = await ran(["webhooks", "replay", "wh_1f", "--last", "6h", ...server.flags], { nowMs });
  assert.equal(exit, EXIT.ok);
  assert.match(err, /tidings webhooks show wh_1f/);
  assert.deepEqual(server.asked[0]?.body, { from: "2026-11-20T06:00:00.000Z" });
  const one = await ran(["webhooks", "replay", "wh_1f", "0m-a", ...server.flags]);
  assert.deepEqual([one.exit, one.out], [EXIT.ok, "0m-a is on its way again.\n"]);
});

test("a test says what came back, and ends with 1 when it was no yes", async () => {
  await using server = await fakeServer({
    "POST /webhooks/wh_1f/test": () => ({ body: { delivered: false, status: 500, says: "no", tookMs: 3 } }),
  });
  const { exit, out } = await ran(["webhooks", "test", "wh_1f", ...server.flags]);
  assert.equal(exit, EXIT.no);
  assert.match(out, /✗ 500 no/);
});
