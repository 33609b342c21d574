import assert from "node:assert/strict";
import { test } from "node:test";
import type { FastifyInstance } from "fastify";
import { expiryOf } from "#doors/http/idempotency.ts";
import { IDEMPOTENCY_MS_MIN } from "#doors/http/limits.ts";
import { IDEMPOTENCY_MS_DEFAULT, IDEMPOTENCY_MS_MAX } from "#domain/limits.ts";
import { givenHouse, JSON_HEADERS, plainAccept } from "../../../test/given-http.ts";

const BODY = '{"message":{"to":{"email":"ada@example.com"},"content":{"title":"t","body":"b"}}}';
const OTHER = BODY.replace("ada", "eve");

function post(app: FastifyInstance, url: string, key: string, payload: string) {
  return app.inject({ method: "POST", url, headers: { ...JSON_HEADERS, "idempotency-key": key }, payload });
}

test("a send repeated with its key gets the first answer, word for word, and one message exists", async () => {
  await using given = await givenHouse();
  const first = await post(given.app, "/send", "order-1", BODY);
  const again = await post(given.app, "/send", "order-1", BODY);
  assert.deepEqual(
    [again.statusCode, again.body, again.headers["content-type"]],
    [202, first.body, first.headers["content-type"]],
  );
  const other = await post(given.app, "/send", "order-2", BODY);
  assert.notEqual(other.body, first.body);
  const { messages } = await given.house.store.listMessages({}, { after: null, limit: 10 });
  assert.equal(messages.length, 2);
});

test("the same key with another body is refused, whatever the first one was answered", async () => {
  await using given = await givenHouse();
  await post(given.app, "/send", "order-1", BODY);
  const mismatch = await post(given.app, "/send", "order-1", OTHER);
  assert.equal(mismatch.statusCode, 422);
  assert.equal(mismatch.json<{ code: string }>().code, "idempotency.mismatch");
});

test("the same key on another path is another call", async () => {
  await using given = await givenHouse();
  await post(given.app, "/send", "k", BODY);
  const elsewhere = await post(given.app, "/profiles/ada", "k", '{"profile":{"email":"ada@example.com"}}');
  assert.equal(elsewhere.statusCode, 200, elsewhere.body);
  const again = await post(given.app, "/profiles/ada", "k", '{"profile":{"email":"ada@example.com"}}');
  assert.equal(again.body, elsewhere.body);
});

test("while the first call runs, the second is told to wait and try again; a refused call leaves the key free", async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let calls = 0;
  await using given = await givenHouse({
    accept: {
      accept: async (call) => {
        calls += 1;
        if (calls > 1) return await plainAccept(given.house.engine).accept(call);
        begun.resolve();
        await goOn.promise;
        return { kind: "refused", problem: { code: "request.invalid", message: "no." } };
      },
    },
  });
  const first = post(given.app, "/send", "k", BODY);
  await begun.promise;
  const second = await post(given.app, "/send", "k", BODY);
  assert.deepEqual(
    [second.statusCode, second.headers["x-should-retry"], second.json<{ code: string }>().code],
    [409, "true", "idempotency.running"],
  );
  goOn.resolve();
  assert.equal((await first).statusCode, 400);
  assert.equal((await post(given.app, "/send", "k", BODY)).statusCode, 202);
});

test("an expiration is brought into its bounds and never refused", () => {
  const now = Date.UTC(2026, 10, 22);
  const day = 24 * 60 * 60 * 1000;
  const cases: readonly (readonly [string | undefined, number])[] = [
    [undefined, now + IDEMPOTENCY_MS_DEFAULT],
    ["soon", now + IDEMPOTENCY_MS_DEFAULT],
    ["1785312000", now + IDEMPOTENCY_MS_MIN],
    [String((now + 3 * day) / 1000), now + 3 * day],
    [String(now + 3 * day), now + 3 * day],
    [new Date(now + 3 * day).toISOString(), now + 3 * day],
    ["9999999999999999", now + IDEMPOTENCY_MS_MAX],
  ];
  for (const [header, expected] of cases) assert.equal(expiryOf(header, now), expected, String(header));
});
