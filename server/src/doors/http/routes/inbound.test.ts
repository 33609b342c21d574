import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Courier from "@trycourier/courier";
import { isJsonObject, type Json } from "#domain/json.ts";
import { AUTH, FULL_KEY, givenHouse, JSON_HEADERS } from "../../../../test/given-http.ts";

let given: Awaited<ReturnType<typeof givenHouse>>;
let url: string;
before(async () => {
  given = await givenHouse();
  url = await given.app.listen({ port: 0, host: "127.0.0.1" });
});
after(() => given[Symbol.asyncDispose]());

const TRACK = { event: "order placed", messageId: "m-1", properties: { total: 42 }, type: "track" } as const;

describe("Courier's inbound track event", () => {
  test("Courier's own client tracks an event, which is one of the source courier", async () => {
    const courier = new Courier({ apiKey: FULL_KEY, baseURL: url, maxRetries: 0 });
    const answer = await courier.inbound.trackEvent({ ...TRACK, userId: "ada" });
    assert.deepEqual(answer, { messageId: "m-1" });
    const { events } = await given.house.store.readJournal({ after: 0, limit: 100 });
    const found = events.filter(({ id }) => id === "m-1");
    assert.deepEqual(
      found.map(({ source, type, subject, data }) => ({ source, type, subject, data: JSON.parse(data) as Json })),
      [
        {
          source: "courier",
          type: "order placed",
          subject: "ada",
          data: { properties: { total: 42 }, userId: "ada" },
        },
      ],
    );
  });

  test("the same messageId again is a conflict that is not worth repeating", async () => {
    const first = await post({ ...TRACK, messageId: "m-2" });
    const again = await post({ ...TRACK, messageId: "m-2" });
    assert.deepEqual([first.statusCode, again.statusCode], [202, 409]);
    assert.equal(again.headers["x-should-retry"], "false");
  });

  test("properties keep their numbers", async () => {
    const payload = '{"event":"e","messageId":"m-3","type":"track","properties":{"n":12345678901234567890}}';
    await given.app.inject({ method: "POST", url: "/inbound/courier", headers: JSON_HEADERS, payload });
    const { events } = await given.house.store.readJournal({ after: 0, limit: 100 });
    assert.equal(
      events.find(({ id }) => id === "m-3")?.data,
      '{"properties":{"n":12345678901234567890},"userId":null}',
    );
  });

  for (const field of ["event", "messageId", "properties", "type"]) {
    test(`without ${field} it is refused, and the field is named`, async () => {
      const { statusCode, payload } = await post({ ...TRACK, messageId: "m-4", [field]: undefined });
      const body = JSON.parse(payload) as Json;
      assert.equal(statusCode, 400);
      assert.ok(isJsonObject(body) && String(body["message"]).includes(field));
    });
  }
});

function post(payload: object) {
  return given.app.inject({ method: "POST", url: "/inbound/courier", headers: { ...AUTH }, payload });
}
